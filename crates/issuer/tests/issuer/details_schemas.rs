//! Types of authorization details that are registered: which schemas are taken, and who may ask.

use countersign_issuer::model::{DETAILS_TYPES_MAX, DetailsSchema, DetailsType, SCHEMA_BYTES_MAX};
use countersign_issuer::register::{
    ClientChange, ClientForm, DetailsTypeForm, NewResource, PermissionForm, ResourceChange,
    ResourceForm, create_resource, update_client, update_resource,
};
use countersign_issuer::{Actor, Known, Refusal, Version};

use crate::details::{account, world};
use crate::world::*;

fn form(types: &[(&str, &str)]) -> ResourceForm {
    ResourceForm {
        uri: ORDERS.to_owned(),
        scopes: vec!["orders.read".to_owned()],
        details_types: types
            .iter()
            .map(|(name, schema)| DetailsTypeForm {
                name: (*name).to_owned(),
                schema: (*schema).to_owned(),
            })
            .collect(),
        ..ResourceForm::default()
    }
}

fn registered(types: &[(&str, &str)]) -> Result<(), Refusal> {
    NewResource::parse(&form(types), START).map(|_| ())
}

/// The field that is wrong, with the rule's label; none for a schema that is taken.
#[track_caller]
fn check(schema: &str, expected: Option<(&str, &str)>) {
    let refusal = registered(&[("first", "{}"), ("account", schema)]).err();
    let found = refusal
        .as_ref()
        .map(|refusal| (refusal.fault().unwrap().0.to_owned(), refusal.label()));
    let expected =
        expected.map(|(place, label)| (format!("resource.details_types[1].schema{place}"), label));
    assert_eq!(found, expected, "{schema:.300}");
}

#[test]
fn a_schema_has_words_that_are_checked_and_nothing_else() {
    for taken in [
        "{}",
        r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "An account"}"#,
        r#"{"properties": {"id": {"type": "string", "format": "uuid"}, "$ref": true}, "required": ["id"]}"#,
        r##"{"$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/a"}}}"##,
        r#"{"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}], "unevaluatedProperties": false}"#,
        r#"{"properties": {"a": {"enum": [{"$ref": "https://a.example", "format": "x"}]}}}"#,
        r#"{"additionalProperties": true}"#,
    ] {
        check(taken, None);
    }
    let json = Some(("", "details_schema_json"));
    check("", json);
    check("[]", json);
    check("true", json);
    check(r#"{"type": "object", "type": "object"}"#, json);
    check(
        &format!("{}true{}", r#"{"not":"#.repeat(17), "}".repeat(17)),
        json,
    );

    let word = |place| Some((place, "details_schema_word"));
    check(
        r#"{"properties": {"a": {"maxlength": 3}}}"#,
        word("#/properties/a/maxlength"),
    );
    check(r#"{"$id": "https://a.example/schema"}"#, word("#/$id"));
    check(r##"{"$anchor": "a"}"##, word("#/$anchor"));
    check(r##"{"$dynamicRef": "#a"}"##, word("#/$dynamicRef"));
    check(r#"{"definitions": {}}"#, word("#/definitions"));
    check(
        r#"{"contentMediaType": "application/json"}"#,
        word("#/contentMediaType"),
    );

    let wrong = |place| Some((place, "details_schema"));
    check(
        r#"{"properties": {"a": {"type": "text"}}}"#,
        wrong("#/properties/a/type"),
    );
    check(r#"{"properties": []}"#, wrong("#/properties"));
    check(r#"{"properties": {"a": 1}}"#, wrong("#/properties/a"));
    check(r#"{"allOf": {}}"#, wrong("#/allOf"));
    check(
        r#"{"properties": {"a": {"pattern": "("}}}"#,
        wrong("#/properties/a/pattern"),
    );
    check(r#"{"minProperties": -1}"#, wrong("#/minProperties"));

    check(
        r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#,
        Some(("#/$schema", "details_schema_dialect")),
    );
    let format = Some(("#/properties/a/format", "details_schema_format"));
    check(r#"{"properties": {"a": {"format": "iban"}}}"#, format);
    check(r#"{"properties": {"a": {"format": "regex"}}}"#, format);
}

#[test]
fn a_reference_stays_in_the_schema_and_ends() {
    let reference = |place| Some((place, "details_schema_reference"));
    for elsewhere in [
        "https://attacker.example/schema.json",
        "http://127.0.0.1:1/schema",
        "file:///etc/passwd",
        "other.json",
        "other.json#/a",
        "#account",
        "#",
        "",
        "#/$defs/none",
        "#/%24defs/a",
    ] {
        let schema = format!(
            r#"{{"$defs": {{"a": {{}}}}, "properties": {{"x": {{"$ref": "{elsewhere}"}}}}}}"#
        );
        check(&schema, reference("#/properties/x/$ref"));
    }
    check(
        r#"{"properties": {"x": {"$ref": 1}}}"#,
        reference("#/properties/x/$ref"),
    );
    // To itself, straight, by way of another, and through the whole.
    check(
        r##"{"$defs": {"a": {"$ref": "#/$defs/a"}}}"##,
        reference("#/$defs/a/$ref"),
    );
    check(
        r##"{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}}"##,
        reference("#/$defs/a/$ref"),
    );
}

#[test]
fn a_short_schema_is_not_an_endless_one() {
    let too_much = Some(("", "details_schema_too_much"));
    // Each is two of the one before: 2^20 with every reference written out.
    let doubled: Vec<String> = (1..20)
        .map(|n| {
            let before = format!(r##"{{"$ref": "#/$defs/d{}"}}"##, n - 1);
            format!(r#""d{n}": {{"allOf": [{before}, {before}]}}"#)
        })
        .collect();
    check(
        &format!(r#"{{"$defs": {{"d0": true, {}}}}}"#, doubled.join(",")),
        too_much,
    );
    let long = |bytes: usize| format!(r#"{{"title": "{}"}}"#, "x".repeat(bytes - 13));
    check(&long(SCHEMA_BYTES_MAX), None);
    check(
        &long(SCHEMA_BYTES_MAX + 1),
        Some(("", "details_schema_too_long")),
    );
    // A pattern that repeats repetitions.
    check(
        r#"{"properties": {"a": {"pattern": "((\\w{1,500}){1,500}){1,500}"}}}"#,
        Some(("#/properties/a/pattern", "details_schema")),
    );
}

/// An engine of patterns that tries again and again takes years for a short text. Ours does not,
/// and so has not all words.
#[test]
fn a_pattern_has_no_word_that_needs_trying_again() {
    let pattern =
        |pattern: &str| format!(r#"{{"properties": {{"a": {{"pattern": "{pattern}"}}}}}}"#);
    check(&pattern("^(a+)+$"), None);
    for again in [r"(a)\\1", "(?=a)b", "(?<!a)b"] {
        check(
            &pattern(again),
            Some(("#/properties/a/pattern", "details_schema")),
        );
    }
}

#[test]
fn types_have_names_each_once_and_not_too_many() {
    let refused = |types: &[(&str, &str)]| {
        let refusal = registered(types).err()?;
        Some((refusal.fault().unwrap().0.to_owned(), refusal.label()))
    };
    let field = |name: &str| format!("resource.details_types{name}");
    for name in ["", "a b", "a\"", "ä", &"x".repeat(129)] {
        assert_eq!(
            refused(&[(name, "{}")]),
            Some((field("[0].name"), "details_type")),
            "{name}"
        );
    }
    assert_eq!(
        refused(&[("https://a.example/pay", "{}"), (&"x".repeat(128), "{}")]),
        None
    );
    assert_eq!(
        refused(&[("a", "{}"), ("a", "{}")]),
        Some((field("[1].name"), "twice"))
    );
    let names: Vec<String> = (0..=DETAILS_TYPES_MAX).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "{}")).collect();
    assert_eq!(refused(&many[1..]), None);
    assert_eq!(refused(&many), Some((field(""), "too_many_entries")));
}

#[test]
fn a_change_of_the_types_is_made_where_the_mask_names_them() {
    let operator = Actor::Operator { uid: 0 };
    let new = NewResource::parse(&form(&[("account", "{}")]), START).unwrap();
    let created = create_resource(new, None, &issuer().name, &operator, START);
    let known = Known::new(created.answer.unwrap(), Version::new(1));
    let changed = |mask: &[&str], types: &[(&str, &str)]| {
        let change = ResourceChange::parse(&form(types), mask).unwrap();
        let decision = update_resource(&change, Some(&known), &issuer().name, &operator, START);
        let resource = decision.answer.unwrap();
        let types = resource.details_types.iter();
        types.map(|(kind, _)| kind.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(changed(&["display_name"], &[]), ["account"]);
    assert_eq!(changed(&["details_types"], &[("bill", "{}")]), ["bill"]);
    assert_eq!(changed(&["details_types"], &[]), [""; 0]);
    assert_eq!(changed(&[], &[]), [""; 0]);
}

#[test]
fn a_client_is_permitted_types_that_the_resource_has() {
    let world = world();
    let known = world.clients["checkout"].clone();
    let permitted = |types: &[&str]| {
        let form = ClientForm {
            client_id: "checkout".to_owned(),
            permissions: vec![PermissionForm {
                resource: ORDERS.to_owned(),
                scopes: Vec::new(),
                details_types: types.iter().map(|&name| name.to_owned()).collect(),
            }],
            ..ClientForm::default()
        };
        let change = ClientChange::parse(&form, &["permissions"])?;
        let operator = Actor::Operator { uid: 0 };
        update_client(&change, Some(&known), &world.catalogue(), &operator, START).answer
    };
    let client = permitted(&["account", "parcel"]).unwrap();
    let (uri, types) = client.details_types.iter().next().unwrap();
    assert_eq!((uri.as_str(), types.len()), (ORDERS, 2));
    // What is not said any more is not permitted any more: all of `permissions` is replaced.
    assert_eq!(permitted(&[]).unwrap().details_types.iter().count(), 0);
    let fault = |types: &[&str]| {
        let refusal = permitted(types).unwrap_err();
        (refusal.fault().unwrap().0.to_owned(), refusal.label())
    };
    let field = "client.permissions.details_types";
    let other = (field.to_owned(), "details_type_not_of_resource");
    assert_eq!(fault(&["account", "bill"]), other);
    assert_eq!(fault(&["a b"]), (format!("{field}[0]"), "details_type"));
    assert_eq!(
        fault(&["account", "account"]),
        (format!("{field}[1]"), "twice")
    );
}

/// A resource of another release may have a schema that this one cannot use. Its other types, and
/// its scopes, are not the worse for it.
#[test]
fn a_stored_schema_that_cannot_be_used_is_told_when_its_type_is_asked_for() {
    let mut world = world();
    let mut orders = crate::details::with_types(ORDERS, &[]);
    let kinds = ["account", "parcel"].map(|name| DetailsType::parse(name).unwrap());
    let schemas = [r#"{"type": "nothing"}"#, "{}"];
    orders.details_types = kinds
        .iter()
        .zip(schemas)
        .map(|(kind, schema)| (kind.clone(), DetailsSchema::registered(kind, schema)))
        .collect();
    world.register(orders);
    world.change("checkout", |client| {
        crate::details::allow(client, &[(ORDERS, &["account", "parcel"])]);
    });
    let asks = |details: &str| ask(&[], &[ORDERS]).and_details(details).unwrap();
    let unusable = world.issue("checkout", &asks(&format!("[{}]", account(1))));
    assert_eq!(outcome(unusable), Some("details_schema_unusable"));
    assert_eq!(
        outcome(world.issue("checkout", &asks(r#"[{"type":"parcel"}]"#))),
        None
    );
    assert_eq!(outcome(world.issue("checkout", &asks(""))), None);
}
