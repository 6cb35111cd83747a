//! Authorization details on their way: approved, redeemed, rotated, introspected. They get fewer,
//! never more.

use countersign_issuer::authorize::{ApproveForm, PushForm};
use countersign_issuer::introspect::{Introspection, introspect, recognise};
use countersign_issuer::model::{DetailsSchema, DetailsType};
use countersign_issuer::{CodeForm, DeviceCodeForm, Issued, Redemption, Refusal, Rotation};

use crate::details::{account, allow, with_types, world};
use crate::world::*;

fn list(items: &[&str]) -> String {
    format!("[{}]", items.join(","))
}

/// Lodges a request with these details.
fn pushed(world: &mut World, details: &str, resources: &[&str]) -> Result<String, Refusal> {
    let form = PushForm {
        resources,
        authorization_details: details,
        ..pushing()
    };
    let lodged = world.push("checkout", &form)?;
    Ok(lodged.request_uri.reveal().to_owned())
}

fn approved(world: &mut World, uri: &str, details: &str) -> Result<String, Refusal> {
    let form = ApproveForm {
        authorization_details: details,
        ..approving()
    };
    let redirect = world.approve(uri, &form)?;
    Ok(parameter(redirect.reveal(), "code").unwrap())
}

fn redeemed(
    world: &mut World,
    code: &str,
    details: &str,
    resources: &[&str],
) -> Result<Issued, Refusal> {
    let form = CodeForm {
        resources,
        authorization_details: details,
        ..redeeming(code)
    };
    world.redeem("checkout", &form, KEY_A)
}

/// A family with these details at these resources, as its first token has them.
fn granted(world: &mut World, details: &str, resources: &[&str]) -> Issued {
    let uri = pushed(world, details, resources).unwrap();
    let code = approved(world, &uri, "").unwrap();
    redeemed(world, &code, "", resources).unwrap()
}

fn rotated(
    world: &mut World,
    token: &str,
    details: &str,
    resources: &[&str],
) -> Result<Issued, Refusal> {
    let keys = &world.issuer.mac_keys;
    let rotation = Rotation::parse(token, &[] as &[&str], resources, details, keys)?;
    let decision = world.rotation_of("checkout", &rotation, KEY_A);
    world.settle(decision)
}

fn carried(answer: Result<Issued, Refusal>) -> Result<String, &'static str> {
    answer
        .map(|issued| issued.claims.details.to_json())
        .map_err(|refusal| refusal.label())
}

#[test]
fn a_person_is_shown_what_was_asked_for_and_approves_some_of_it() {
    let (one, two, three) = (&account(1), &account(2), &account(3));
    let rows: [(&str, String, Result<String, &str>); 7] = [
        ("as asked", String::new(), Ok(list(&[one, two]))),
        ("one of them", list(&[two]), Ok(list(&[two]))),
        ("in another order", list(&[two, one]), Ok(list(&[two, one]))),
        ("none", "[]".to_owned(), Ok(String::new())),
        ("another", list(&[three]), Err("details_wider")),
        ("one more", list(&[one, two, three]), Err("details_wider")),
        (
            "more of one",
            list(&[&one.replace("\"read\"", "\"read\",\"transfer\"")]),
            Err("details_wider"),
        ),
    ];
    for (what, details, expected) in rows {
        let mut world = world();
        let uri = pushed(&mut world, &list(&[one, two]), &[ORDERS]).unwrap();
        let answer = match approved(&mut world, &uri, &details) {
            Ok(code) => carried(redeemed(&mut world, &code, "", &[])),
            Err(refusal) => Err(refusal.label()),
        };
        assert_eq!(answer, expected, "{what}");
    }
}

#[test]
fn a_refused_approval_leaves_the_request_as_it_was() {
    let mut world = world();
    let uri = pushed(&mut world, &list(&[&account(1)]), &[ORDERS]).unwrap();
    assert!(approved(&mut world, &uri, &list(&[&account(2)])).is_err());
    assert!(approved(&mut world, &uri, "{").is_err());
    assert!(approved(&mut world, &uri, "").is_ok());
}

#[test]
fn what_may_not_be_asked_for_is_not_lodged() {
    let mut world = world();
    let push = |world: &mut World, details: &str| {
        let refused = pushed(world, details, &[ORDERS]).err();
        refused.map(|refusal| refusal.label())
    };
    assert_eq!(
        push(&mut world, r#"[{"type":"parcel"}]"#),
        Some("details_not_permitted")
    );
    assert_eq!(
        push(&mut world, r#"[{"type":"bill"}]"#),
        Some("details_not_permitted")
    );
    assert_eq!(
        push(&mut world, r#"[{"type":"account"}]"#),
        Some("details_schema")
    );
    assert_eq!(push(&mut world, "[1]"), Some("details_not_an_object"));
    assert!(world.authorizations.is_empty());
}

#[test]
fn a_code_yields_some_of_what_was_approved_and_the_family_keeps_all() {
    let (one, two) = (&account(1), &account(2));
    let mut world = world();
    let uri = pushed(&mut world, &list(&[one, two]), &[ORDERS]).unwrap();
    let code = approved(&mut world, &uri, "").unwrap();
    // Growth is refused, and does not spend the code.
    let wider = redeemed(&mut world, &code, &list(&[&account(3)]), &[]);
    assert_eq!(carried(wider), Err("details_wider"));
    let first = redeemed(&mut world, &code, &list(&[two]), &[]).unwrap();
    assert_eq!(first.claims.details.to_json(), list(&[two]));
    let next = rotated(&mut world, &refresh_token(&first), "", &[]).unwrap();
    assert_eq!(next.claims.details.to_json(), list(&[one, two]));
}

#[test]
fn a_rotation_narrows_the_access_token_and_never_grows() {
    let (one, two) = (&account(1), &account(2));
    let rows: [(&str, String, Result<String, &str>); 8] = [
        ("all", String::new(), Ok(list(&[one, two]))),
        ("some", list(&[one]), Ok(list(&[one]))),
        ("none", "[]".to_owned(), Ok(String::new())),
        ("another", list(&[&account(3)]), Err("details_wider")),
        (
            "another beside",
            list(&[one, &account(3)]),
            Err("details_wider"),
        ),
        (
            "another type",
            r#"[{"type":"parcel"}]"#.to_owned(),
            Err("details_wider"),
        ),
        ("one twice", list(&[one, one]), Err("details_twice")),
        ("not JSON", "[".to_owned(), Err("details_json")),
    ];
    for (what, details, expected) in rows {
        let mut world = world();
        let first = granted(&mut world, &list(&[one, two]), &[ORDERS]);
        let token = refresh_token(&first);
        let answer = rotated(&mut world, &token, &details, &[]);
        let failed = answer.is_err();
        let token = match &answer {
            Ok(issued) => refresh_token(issued),
            // Refused, it is not spent.
            Err(_) => token,
        };
        assert_eq!(carried(answer), expected, "{what}");
        let after = rotated(&mut world, &token, "", &[]);
        assert_eq!(
            carried(after),
            Ok(list(&[one, two])),
            "after {what}, failed: {failed}"
        );
    }
}

/// A narrowed token does not narrow the family; a family without details gets none.
#[test]
fn a_family_that_has_none_gets_none() {
    let mut world = world();
    let first = granted(&mut world, "", &[ORDERS]);
    let token = refresh_token(&first);
    let wider = rotated(&mut world, &token, &list(&[&account(1)]), &[]);
    assert_eq!(carried(wider), Err("details_wider"));
    assert_eq!(
        carried(rotated(&mut world, &token, "", &[])),
        Ok(String::new())
    );
}

#[test]
fn each_resource_gets_what_is_of_its_types() {
    let mut world = world();
    let here = account(1).replace(
        "\"type\"",
        &format!("\"locations\":[\"{ORDERS}\"],\"type\""),
    );
    let bill = r#"{"number":7,"type":"bill"}"#;
    let all = list(&[&here, bill]);
    let first = granted(&mut world, &all, &[ORDERS, BILLING]);
    assert_eq!(first.claims.details.to_json(), all);
    let mut token = refresh_token(&first);
    for (resources, expected) in [
        (vec![ORDERS], list(&[&here])),
        (vec![BILLING], list(&[bill])),
        (vec![ORDERS, BILLING], all.clone()),
        (vec![], all.clone()),
    ] {
        let next = rotated(&mut world, &token, "", &resources).unwrap();
        assert_eq!(next.claims.details.to_json(), expected, "{resources:?}");
        token = refresh_token(&next);
    }
    let elsewhere = rotated(&mut world, &token, &list(&[bill]), &[ORDERS]);
    assert_eq!(carried(elsewhere), Err("details_not_permitted"));
}

/// A person approved it at ORDERS. That BILLING takes up the type later, and the client is permitted
/// it there, does not make it count there.
#[test]
fn a_type_that_another_resource_takes_up_later_opens_nothing_there() {
    let mut world = world();
    world.register(with_types(BILLING, &[("bill", "{}")]));
    let one = list(&[&account(1)]);
    let first = granted(&mut world, &one, &[ORDERS, BILLING]);
    assert_eq!(first.claims.details.to_json(), one);
    world.register(with_types(
        BILLING,
        &[("account", r#"{"additionalProperties": true}"#)],
    ));
    world.change("checkout", |client| {
        allow(client, &[(ORDERS, &["account"]), (BILLING, &["account"])]);
    });
    let token = refresh_token(&first);
    let here_alone = rotated(&mut world, &token, "", &[BILLING]).unwrap();
    assert!(here_alone.claims.details.is_empty());
    let token = refresh_token(&here_alone);
    let both = rotated(&mut world, &token, "", &[ORDERS, BILLING]);
    assert_eq!(carried(both), Err("details_spill"));
    let asked = rotated(&mut world, &token, &one, &[BILLING]);
    assert_eq!(carried(asked), Err("details_not_permitted"));
    assert_eq!(carried(rotated(&mut world, &token, "", &[ORDERS])), Ok(one));
}

#[test]
fn what_is_not_permitted_any_more_is_not_carried_any_more() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 4] = [
        ("the client lost the type", |world| {
            world.change("checkout", |client| allow(client, &[]));
        }),
        ("the resource lost it", |world| {
            world.register(with_types(ORDERS, &[]))
        }),
        ("its schema does not take it", |world| {
            world.register(with_types(
                ORDERS,
                &[("account", r#"{"required": ["owner"]}"#)],
            ));
        }),
        ("its schema cannot be used", |world| {
            let kind = DetailsType::parse("account").unwrap();
            let schema = DetailsSchema::registered(&kind, "nothing");
            let mut orders = with_types(ORDERS, &[]);
            orders.details_types = [(kind, schema)].into_iter().collect();
            world.register(orders);
        }),
    ];
    for (what, change) in changes {
        let mut world = world();
        let one = list(&[&account(1)]);
        let uri = pushed(&mut world, &one, &[ORDERS]).unwrap();
        let code = approved(&mut world, &uri, "").unwrap();
        let first = granted(&mut world, &one, &[ORDERS]);
        change(&mut world);
        let token = refresh_token(&first);
        assert_eq!(
            carried(rotated(&mut world, &token, &one, &[])),
            Err("details_wider"),
            "{what}"
        );
        assert_eq!(
            carried(rotated(&mut world, &token, "", &[])),
            Ok(String::new()),
            "{what}"
        );
        assert_eq!(
            carried(redeemed(&mut world, &code, "", &[])),
            Ok(String::new()),
            "{what}"
        );
    }
}

#[test]
fn introspection_shows_them_of_either_token() {
    let mut world = world();
    let one = list(&[&account(1)]);
    let first = granted(&mut world, &one, &[ORDERS]);
    let shown = |text: &str, caller: &str| {
        let recognised = recognise(text, &world.published(), &world.issuer);
        let standing = world.standing_of(&recognised);
        let caller = world.client(caller);
        match introspect(
            &recognised,
            &standing,
            Some(&caller),
            &world.issuer,
            world.now,
        ) {
            Introspection::Access(claims) => Some(claims.details.to_json()),
            Introspection::Refresh(refresh) => Some(refresh.details.details().to_json()),
            Introspection::Inactive => None,
        }
    };
    assert_eq!(shown(&world.sign(&first), "guard").as_ref(), Some(&one));
    assert_eq!(
        shown(&refresh_token(&first), "checkout").as_ref(),
        Some(&one)
    );
    assert_eq!(shown(&world.sign(&first), "other"), None);
}

/// A device asks as a browser's client does, and gets no more.
#[test]
fn a_device_gets_what_the_person_saw() {
    let mut world = world();
    let asks = |details: &str| ask(&[], &[ORDERS]).and_details(details).unwrap();
    let parcel = world.authorize_device("checkout", &asks(r#"[{"type":"parcel"}]"#), None);
    assert_eq!(
        parcel.unwrap_err().label(),
        "details_not_permitted",
        "another client's type"
    );
    let one = list(&[&account(1)]);
    let device = world.authorize_device("checkout", &asks(&one), Some(KEY_A));
    let device = device.unwrap();
    let found = world.find(&device.user_code.reveal()).unwrap();
    assert_eq!(found.shown.details.to_json(), one);
    world.approve_device(&device);
    let code = device.device_code.reveal();
    let form = |details| DeviceCodeForm {
        device_code: code,
        scopes: &[] as &[&str],
        resources: &[],
        authorization_details: details,
    };
    let other = list(&[&account(2)]);
    for (details, expected) in [(other.as_str(), Err("details_wider")), ("", Ok(one))] {
        let redemption = Redemption::parse_device(&form(details), &world.issuer.mac_keys).unwrap();
        world.pass(10);
        let decision = world.redeemed("checkout", &redemption, KEY_A);
        assert_eq!(carried(world.settle(decision)), expected, "{details}");
    }
}
