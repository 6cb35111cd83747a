//! Attacks with authorization details: more than was approved, what is another's, what cannot be
//! read. Whatever is refused changes nothing.

use std::time::{Duration, Instant};

use tonic::Status;
use tonic_types::StatusExt as _;

use crate::comes::{Comes, check};
use crate::details::{account, approve, lodged, rotate, shop, signed_in_for};
use crate::flow::{approved, redeem, redeem_request};
use crate::harness::{ISSUE, ORDERS, credentials, inner, service_client, with_proof};
use crate::proof::Key;

/// The field that a refusal names.
fn field(status: &Status) -> String {
    let details = status.get_error_details();
    let violations = details
        .bad_request()
        .expect("a field")
        .field_violations
        .clone();
    violations[0].field.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_on_the_way() {
    let (service, login, shop) = shop().await;
    let (one, two) = (account("acc-1"), account("acc-2"));
    let transfer = one.replace(r#"["read"]"#, r#"["read","transfer"]"#);
    let without = one.replace(r#""actions":["read"],"#, "");
    let both = format!(
        "{},{}",
        one.trim_end_matches(']'),
        two.trim_start_matches('[')
    );
    let grown = [
        ("another", &two),
        ("one more", &both),
        ("more of it", &transfer),
        ("without its limit", &without),
    ];

    // At the approval.
    let (request_uri, verifier) = lodged(&service, &shop, &one).await.expect("lodged");
    for (what, details) in grown {
        let answer = approve(&service, &login, &request_uri, details).await;
        check(what, &answer, Comes::Details);
    }
    // At the redemption, which does not spend the code.
    let code = approved(&service, &login, &request_uri).await;
    let key = Key::new();
    for (what, details) in grown {
        let mut request = redeem_request(&shop, &code, &verifier);
        request.authorization_details = details.clone();
        let answer = redeem(&service, &key, request).await;
        check(what, &answer, Comes::Details);
    }
    let request = redeem_request(&shop, &code, &verifier);
    let issued = redeem(&service, &key, request).await.expect("redeemed");
    assert_eq!(issued.authorization_details, one);
    // At the rotation, which does not spend the refresh token.
    for (what, details) in grown {
        let answer = rotate(&service, &shop, &key, &issued.refresh_token, details).await;
        check(what, &answer, Comes::Details);
    }
    let next = rotate(&service, &shop, &key, &issued.refresh_token, "").await;
    assert_eq!(next.expect("rotated").authorization_details, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_client_s_or_another_resource_s_is_not_had() {
    let (service, login, shop) = shop().await;
    // Registered at ORDERS, but not permitted to the shop.
    let parcel = lodged(&service, &shop, r#"[{"type":"parcel"}]"#).await;
    check("another client's type", &parcel, Comes::Details);
    // A type that is registered nowhere.
    let unknown = lodged(
        &service,
        &shop,
        r#"[{"type":"acount","identifier":"acc-1"}]"#,
    )
    .await;
    check("no type", &unknown, Comes::Details);
    // For the token service itself.
    let elsewhere = account("acc-1").replace(
        r#""type""#,
        &format!(r#""locations":["{}"],"type""#, service.issuer()),
    );
    let elsewhere = lodged(&service, &shop, &elsewhere).await;
    check(
        "a place that the token is not for",
        &elsewhere,
        Comes::Details,
    );
    assert_eq!(
        field(&elsewhere.expect_err("refused")),
        "authorization_details[0]"
    );

    // A client that may ask for scopes and nothing more, with all that another was granted.
    let key = Key::new();
    let issued = signed_in_for(&service, &login, &shop, &key, &account("acc-1")).await;
    let plain = service
        .add(service_client("plain", &[(ORDERS, &["orders.read"])]))
        .await;
    let mut request = credentials(&plain);
    request.authorization_details = issued.authorization_details;
    let proof = service.proof(&key, ISSUE);
    let mut tokens = service.tokens().await;
    let answer = inner(tokens.issue_token(with_proof(request, &proof)).await);
    check("without a permission", &answer, Comes::Details);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_in_one_way_is_refused_and_costs_little() {
    let (service, _, shop) = shop().await;
    let long = format!(
        r#"[{{"type":"account","identifier":"acc-{}"}}]"#,
        "1".repeat(40_000)
    );
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let many = format!("[{}]", vec![r#"{"type":"account"}"#; 200].join(","));
    let rows = [
        ("not JSON", "[", "authorization_details"),
        (
            "an object",
            r#"{"type":"account"}"#,
            "authorization_details",
        ),
        ("null", "null", "authorization_details"),
        ("40 kB", long.as_str(), "authorization_details"),
        ("20,000 deep", deep.as_str(), "authorization_details"),
        ("200 objects", many.as_str(), "authorization_details"),
        (
            "a member twice",
            r#"[{"type":"account","identifier":"acc-1","identifier":"acc-2"}]"#,
            "authorization_details",
        ),
        (
            "a member twice, by an escape",
            r#"[{"type":"account","identifier":"acc-1","\u0069dentifier":"acc-2"}]"#,
            "authorization_details",
        ),
        (
            "a text in the list",
            r#"["account"]"#,
            "authorization_details[0]",
        ),
        ("a list in the list", "[[]]", "authorization_details[0]"),
        (
            "without a type",
            r#"[{"identifier":"acc-1"}]"#,
            "authorization_details[0]",
        ),
        (
            "a field too many",
            r#"[{"type":"account","identifier":"acc-1","owner":"ann"}]"#,
            "authorization_details[0]",
        ),
        (
            "a wrong value",
            r#"[{"type":"account","identifier":"acc-1; DROP"}]"#,
            "authorization_details[0]",
        ),
    ];
    let began = Instant::now();
    for (what, details, expected) in rows {
        let answer = lodged(&service, &shop, details).await;
        check(what, &answer, Comes::Details);
        let status = answer.expect_err("refused");
        assert_eq!(field(&status), expected, "{what}");
        for told in [
            status.message(),
            &format!("{:?}", status.get_error_details()),
        ] {
            assert!(!told.contains("DROP") && !told.contains("ann"), "{told}");
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    assert!(
        lodged(&service, &shop, &account("acc-1")).await.is_ok(),
        "the service goes on"
    );
}
