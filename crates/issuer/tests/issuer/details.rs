//! Authorization details that a client asks for (RFC 9396 §2, §5).

use std::collections::BTreeSet;

use countersign_issuer::introspect::{Recognised, recognise};
use countersign_issuer::model::{
    AccessTokenFormat, Client, DETAILS_BYTES_MAX, DETAILS_MAX, DetailsSchema, DetailsType,
    PermittedTypes, Resource, ResourceUri,
};
use countersign_issuer::{Ask, Issued, Refusal};

use crate::world::*;

/// An account, with what may be done to it.
const ACCOUNT: &str = r#"{
    "properties": {
        "identifier": {"type": "string", "pattern": "^acc-[0-9]{1,9}$"},
        "actions": {"type": "array", "items": {"enum": ["read", "transfer"]}, "minItems": 1},
        "locations": true,
        "limit": {
            "type": "object",
            "properties": {"amount": {"type": "string", "maxLength": 10}},
            "required": ["amount"],
            "additionalProperties": false
        },
        "note": {}
    },
    "required": ["identifier", "actions"]
}"#;

/// A bill.
const BILL: &str = r#"{"properties": {"number": {"type": "integer", "minimum": 1}}}"#;

/// ORDERS has accounts and parcels, BILLING bills and accounts. `checkout` may ask for accounts at
/// ORDERS and for bills at BILLING, `other` for nothing but scopes.
pub(crate) fn world() -> World {
    let mut world = World::new();
    world.register(with_types(
        ORDERS,
        &[("account", ACCOUNT), ("parcel", "{}")],
    ));
    world.register(with_types(BILLING, &[("bill", BILL), ("account", ACCOUNT)]));
    world.change("checkout", |client| {
        client.permissions = permissions(&[
            (ORDERS, &["orders.read", "orders.write"]),
            (BILLING, &["bills.read"]),
        ]);
        allow(client, &[(ORDERS, &["account"]), (BILLING, &["bill"])]);
    });
    world
}

pub(crate) fn with_types(uri: &str, types: &[(&str, &str)]) -> Resource {
    let scopes: &[&str] = match uri {
        ORDERS => &["orders.read", "orders.write"],
        _ => &["bills.read"],
    };
    let types = types.iter().map(|(name, schema)| {
        let kind = DetailsType::parse(name).unwrap();
        let schema = DetailsSchema::parse(&kind, schema).unwrap();
        (kind, schema)
    });
    Resource {
        details_types: types.collect(),
        ..resource(uri, scopes)
    }
}

pub(crate) fn allow(client: &mut Client, types: &[(&str, &[&str])]) {
    let kinds = |names: &[&str]| -> BTreeSet<_> {
        let kinds = names.iter().map(|name| DetailsType::parse(name).unwrap());
        kinds.collect()
    };
    let at = |(uri, names): &(&str, &[&str])| (ResourceUri::parse(uri).unwrap(), kinds(names));
    client.details_types = types.iter().map(at).collect::<PermittedTypes>();
}

pub(crate) fn account(number: u32) -> String {
    format!(r#"{{"actions":["read"],"identifier":"acc-{number}","type":"account"}}"#)
}

fn asked(who: &str, details: &str, resources: &[&str]) -> Result<Issued, Refusal> {
    let ask = Ask::parse(&[] as &[&str], resources)?.and_details(details)?;
    world().issue(who, &ask)
}

/// What stands in the token, or the label, the field and the place of the refusal.
#[track_caller]
fn check(what: &str, details: &str, resources: &[&str], expected: Result<&str, (&str, &str)>) {
    let answer = asked("checkout", details, resources);
    let found = answer
        .map(|issued| issued.claims.details.to_json())
        .map_err(|refusal| told(&refusal));
    let expected = expected
        .map(str::to_owned)
        .map_err(|(label, place)| (label.to_owned(), format!("authorization_details{place}")));
    assert_eq!(found, expected, "{what}: {details:.200}");
}

fn told(refusal: &Refusal) -> (String, String) {
    let Refusal::InvalidAuthorizationDetails(fault) = refusal else {
        panic!("{refusal:?}");
    };
    let place = match fault.pointer.as_str() {
        "" => fault.field.clone(),
        pointer => format!("{} {pointer}", fault.field),
    };
    (refusal.label().to_owned(), place)
}

#[test]
fn what_is_asked_for_is_granted_as_its_type_has_it() {
    let read = &account(17);
    let one = format!("[{read}]");
    let written = r#" [ { "type" : "account", "identifier" : "acc-17", "actions":["read"] } ] "#;
    check("an account", &one, &[ORDERS], Ok(&one));
    check(
        "with spaces, in another order",
        written,
        &[ORDERS],
        Ok(&one),
    );
    check("none", "[]", &[ORDERS], Ok(""));
    check("nothing said", "", &[ORDERS], Ok(""));
    let two = format!("[{read},{}]", account(18));
    check("two", &two, &[ORDERS], Ok(&two));
    // The one resource at which the client may ask for the type.
    check(
        "no resource",
        r#"[{"number":1,"type":"bill"}]"#,
        &[],
        Ok(r#"[{"number":1,"type":"bill"}]"#),
    );
    let all = r#"[{"actions":["read","transfer"],"identifier":"acc-1","limit":{"amount":"10.00"},"locations":["https://orders.internal:8443"],"note":[null,true,-1,1.5,{"a":"b"}],"type":"account"}]"#;
    check("everything that its type has", all, &[ORDERS], Ok(all));
    let both = format!(
        r#"[{},{{"number":7,"type":"bill"}}]"#,
        all.trim_matches(['[', ']'])
    );
    // `locations` keeps the account to ORDERS: BILLING has accounts, which are not the client's.
    check("at two resources", &both, &[ORDERS, BILLING], Ok(&both));
}

#[test]
fn what_is_not_json_that_everybody_reads_alike_is_refused() {
    let json = |details: &str, place: &str| {
        check("form", details, &[ORDERS], Err(("details_json", place)));
    };
    json("{", "");
    json(r#"{"type":"account"}"#, "");
    json("null", "");
    json(r#"[{"type":"account"}] x"#, "");
    json(
        r#"[{"type":"account","actions":["read"],"identifier":"acc-1","identifier":"acc-2"}]"#,
        "",
    );
    json(
        r#"[{"type":"account","note":{"a":1,"\u0061":2},"actions":["read"],"identifier":"acc-1"}]"#,
        "",
    );
    json("[{\"type\":\"account\\u0000\"}]", "");
    json("\u{feff}[]", "");
    let deep = format!("[{}1{}]", "[".repeat(100), "]".repeat(100));
    json(&deep, "");
    let deeper = format!("[{}1{}]", "[".repeat(2000), "]".repeat(2000));
    json(&deeper, "");
    for (what, item) in [
        ("null", "null"),
        ("a text", r#""account""#),
        ("a list", "[]"),
        ("a number", "1"),
    ] {
        let details = format!("[{},{item}]", account(1));
        check(
            what,
            &details,
            &[ORDERS],
            Err(("details_not_an_object", "[1]")),
        );
    }
    let nested = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
        format!(
            r#"[{{"type":"account","identifier":"acc-1","actions":["read"],"note":{open}1{close}}}]"#
        )
    };
    assert!(asked("checkout", &nested(7), &[ORDERS]).is_ok());
    check(
        "nine deep",
        &nested(8),
        &[ORDERS],
        Err(("details_too_deep", "[0]")),
    );
}

#[test]
fn the_limits_hold_to_the_byte_and_to_the_object() {
    let many = |count: u32| {
        format!(
            "[{}]",
            (0..count).map(account).collect::<Vec<_>>().join(",")
        )
    };
    let max = u32::try_from(DETAILS_MAX).unwrap();
    assert!(asked("checkout", &many(max), &[ORDERS]).is_ok());
    check(
        "17",
        &many(max + 1),
        &[ORDERS],
        Err(("details_too_many", "")),
    );
    let long = |bytes: usize| {
        let rest =
            r#"[{"actions":["read"],"identifier":"acc-1","note":"","type":"account"}]"#.len();
        format!(
            r#"[{{"actions":["read"],"identifier":"acc-1","note":"{}","type":"account"}}]"#,
            "x".repeat(bytes - rest)
        )
    };
    assert!(asked("checkout", &long(DETAILS_BYTES_MAX), &[ORDERS]).is_ok());
    check(
        "a byte more",
        &long(DETAILS_BYTES_MAX + 1),
        &[ORDERS],
        Err(("details_too_long", "")),
    );
    check(
        "1 MiB",
        &long(1024 * 1024),
        &[ORDERS],
        Err(("details_too_long", "")),
    );
    // Short as it was written, and longer as it stands in a token.
    let numbers = vec!["1e15"; 600].join(",");
    let grown = format!(
        r#"[{{"type":"account","identifier":"acc-1","actions":["read"],"note":[{numbers}]}}]"#
    );
    assert!(grown.len() < DETAILS_BYTES_MAX);
    check(
        "numbers that grow",
        &grown,
        &[ORDERS],
        Err(("details_too_long", "")),
    );
}

#[test]
fn an_object_is_of_a_type_that_the_client_may_ask_for_there() {
    let none = ("details_not_permitted", "[0] /type");
    check(
        "no such type",
        r#"[{"type":"acount"}]"#,
        &[ORDERS],
        Err(none),
    );
    check(
        "another case",
        r#"[{"type":"Account"}]"#,
        &[ORDERS],
        Err(none),
    );
    check(
        "not the client's",
        r#"[{"type":"parcel"}]"#,
        &[ORDERS],
        Err(none),
    );
    check(
        "of another resource",
        r#"[{"type":"bill","number":1}]"#,
        &[ORDERS],
        Err(none),
    );
    check(
        "its own at another",
        &format!("[{}]", account(1)),
        &[BILLING],
        Err(none),
    );
    // Without a place it would count at BILLING, too.
    check(
        "a token for both",
        &format!("[{}]", account(1)),
        &[ORDERS, BILLING],
        Err(none),
    );
    let nothing = asked("other", &format!("[{}]", account(1)), &[ORDERS]);
    assert_eq!(
        nothing.map_err(|refusal| told(&refusal)).unwrap_err().0,
        "details_not_permitted"
    );
    for kind in [
        "",
        r#""type":null,"#,
        r#""type":["account"],"#,
        r#""type":"","#,
        r#""type":"a b","#,
    ] {
        let details = format!(r#"[{{{kind}"identifier":"acc-1"}}]"#);
        check(
            "type",
            &details,
            &[ORDERS],
            Err(("details_type", "[0] /type")),
        );
    }
    check(
        "twice",
        &format!("[{},{}]", account(1), account(1)),
        &[ORDERS],
        Err(("details_twice", "[1]")),
    );
}

#[test]
fn locations_are_resources_that_the_token_is_for() {
    let at = |locations: &str| {
        format!(
            r#"[{{"type":"account","identifier":"acc-1","actions":["read"],"locations":{locations}}}]"#
        )
    };
    let location = |place| Err(("details_location", place));
    check(
        "elsewhere",
        &at(r#"["https://elsewhere.example"]"#),
        &[ORDERS],
        location("[0] /locations/0"),
    );
    check(
        "a resource, not the token's",
        &at(&format!(r#"["{ORDERS}","{BILLING}"]"#)),
        &[ORDERS],
        location("[0] /locations/1"),
    );
    check(
        "not a list",
        &at(&format!(r#""{ORDERS}""#)),
        &[ORDERS],
        location("[0] /locations"),
    );
    check("empty", &at("[]"), &[ORDERS], location("[0] /locations"));
    check(
        "a number in it",
        &at("[1]"),
        &[ORDERS],
        location("[0] /locations/0"),
    );
    // BILLING has the type; the client may not ask for it there.
    check(
        "not permitted there",
        &at(&format!(r#"["{BILLING}"]"#)),
        &[ORDERS, BILLING],
        Err(("details_not_permitted", "[0] /type")),
    );
}

#[test]
fn a_refusal_names_the_place_and_never_the_value() {
    let schema = |place| Err(("details_schema", place));
    let unknown = |place| Err(("details_unknown_member", place));
    let with = |members: &str| format!(r#"[{},{{"type":"account",{members}}}]"#, account(1));
    check(
        "missing",
        &with(r#""actions":["read"]"#),
        &[ORDERS],
        schema("[1]"),
    );
    check(
        "pattern",
        &with(r#""actions":["read"],"identifier":"secret-1""#),
        &[ORDERS],
        schema("[1] /identifier"),
    );
    check(
        "one of a list",
        &with(r#""identifier":"acc-2","actions":["read","burn"]"#),
        &[ORDERS],
        schema("[1] /actions/1"),
    );
    check(
        "wrong type",
        &with(r#""identifier":"acc-2","actions":"read""#),
        &[ORDERS],
        schema("[1] /actions"),
    );
    check(
        "too many members",
        &with(r#""identifier":"acc-2","actions":["read"],"owner":"secret""#),
        &[ORDERS],
        unknown("[1] /owner"),
    );
    check(
        "too many members within",
        &with(r#""identifier":"acc-2","actions":["read"],"limit":{"amount":"1","max":2}"#),
        &[ORDERS],
        unknown("[1] /limit/max"),
    );
    check(
        "a name that is a value",
        &with(r#""identifier":"acc-2","actions":["read"],"my password/is":1"#),
        &[ORDERS],
        unknown("[1] /*"),
    );
    for details in [
        with(r#""actions":["read"],"identifier":"hunter2""#),
        with(r#""identifier":"acc-2","actions":["hunter2"]"#),
        with(r#""identifier":"acc-2","actions":["read"],"hunter2 hunter2":1"#),
        r#"[{"type":"hunter2"}]"#.to_owned(),
    ] {
        let refusal = asked("checkout", &details, &[ORDERS]).unwrap_err();
        let (field, problem) = refusal.fault().expect("a field");
        for text in [
            refusal.to_string(),
            field.to_owned(),
            problem,
            format!("{refusal:?}"),
        ] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

/// A guard takes 8 KiB. With long names in every claim there is no room left for so many details in
/// a JWT; a reference says nothing and has room.
#[test]
fn a_jwt_that_no_guard_would_take_is_not_made() {
    let long = |n: usize| format!("{n}{}", "s".repeat(120));
    let scopes: Vec<String> = (0..16).map(long).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let details = format!(
        r#"[{{"type":"account","identifier":"acc-1","actions":["read"],"note":"{}"}}]"#,
        "x".repeat(4000)
    );
    let mut made = Vec::new();
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Reference] {
        let mut world = world();
        world.register(Resource {
            scopes: countersign_issuer::model::Scopes::parse(&scopes).unwrap(),
            access_token_format: format,
            ..with_types(ORDERS, &[("account", ACCOUNT)])
        });
        world.change("checkout", |client| {
            client.permissions = permissions(&[(ORDERS, &scopes)])
        });
        let ask = |details: &str| ask(&[], &[ORDERS]).and_details(details).unwrap();
        assert!(
            world.issue("checkout", &ask("")).is_ok(),
            "without details it fits"
        );
        let issued = world.issue("checkout", &ask(&details));
        let pushed = world.push(
            "checkout",
            &countersign_issuer::authorize::PushForm {
                resources: &[ORDERS],
                authorization_details: &details,
                ..pushing()
            },
        );
        made.push((outcome(issued), outcome(pushed)));
    }
    let too_long = Some("details_token_too_long");
    assert_eq!(made, [(too_long, too_long), (None, None)]);
}

#[test]
fn the_largest_details_that_a_jwt_takes_are_read_back_from_it() {
    let world = world();
    let note = "x".repeat(3900);
    let details = format!(
        r#"[{{"actions":["read"],"identifier":"acc-1","note":"{note}","type":"account"}}]"#
    );
    let issued = asked("checkout", &details, &[ORDERS]).unwrap();
    let token = world.sign(&issued);
    assert!(token.len() <= countersign_issuer::access_token::TOKEN_BYTES_MAX);
    let read = recognise(&token, &world.published(), &world.issuer);
    assert_eq!(read, Recognised::Access(Box::new(issued.claims)));
}
