//! What rules ask beyond scopes: one of several scopes, a proof of who they are,
//! a resource.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_client::outcome::Refused;
use countersign_guard::{Builder, KeySource, NonceMode};
use serde_json::Value;

use crate::stand::{Expected, ISSUER, ORIGIN, SERVICE, Shown, Stand};

const OTHER: &str = "urn:example:billing";

/// A guard whose rules are these, of a service whose proto says nothing.
pub(crate) async fn ruled(rules: &str) -> Stand {
    let mut stand = Stand::start().await;
    let builder = Builder::new(ISSUER)
        .serve(ORIGIN)
        .rules(rules.replace("CREATE", &format!("{SERVICE}CreateOrder")))
        .nonces(NonceMode::Off)
        .clock(Arc::clone(&stand.clock) as Arc<dyn Clock>)
        .key_source(Arc::clone(&stand.keys) as Arc<dyn KeySource>);
    stand.restart_as(builder).await;
    stand
}

/// A call with a token that differs from a good one.
fn with(stand: &Stand, change: impl FnOnce(&mut Value)) -> Shown {
    let mut claims = stand.claims();
    change(&mut claims);
    let token = stand.token_of(&claims);
    Shown::new(&token, &stand.proof("CreateOrder", &token))
}

#[tokio::test]
async fn all_of_some_scopes_and_any_of_others() {
    let stand = ruled(
        r#"
            ["CREATE"]
            scopes = ["a", "b"]
            any_scopes = ["c", "d"]
        "#,
    )
    .await;
    let scoped = |scope: &str| with(&stand, |claims| claims["scope"] = scope.into());
    use Expected::{Ok, Scope};
    for (scope, expected) in [
        ("a b c", Ok),
        ("d b a", Ok),
        ("a b c d e", Ok),
        ("a b", Scope),
        ("a c", Scope),
        ("c d", Scope),
        ("a b C", Scope),
        ("a b cd", Scope),
        ("", Scope),
    ] {
        stand.check(scope, &scoped(scope), expected).await;
    }
    let missing = async |scope: &str| {
        let status = stand.create(&scoped(scope)).await.unwrap_err();
        Refused::of(&status).unwrap().scopes_missing
    };
    assert_eq!(missing("a").await, ["b"]);
    assert_eq!(missing("a b").await, ["c", "d"], "any one of them");
}

#[tokio::test]
async fn the_person_must_have_proved_who_they_are_well_enough() {
    let stand = ruled(
        r#"
            ["CREATE"]
            scopes = ["orders.write"]
            acr_values = ["urn:mfa", "hwk"]
        "#,
    )
    .await;
    let acr = |acr: &str| with(&stand, |claims| claims["acr"] = acr.into());
    use Expected::{Ok, StepUp, T};
    for (value, expected) in [
        ("urn:mfa", Ok),
        ("hwk", Ok),
        ("pwd", StepUp),
        ("", StepUp),
        ("HWK", StepUp),
        ("urn:mfa hwk", StepUp),
        ("hwk ", StepUp),
    ] {
        stand.check(value, &acr(value), expected).await;
    }
    stand.check("no acr", &stand.good(), StepUp).await;
    let list = with(&stand, |claims| claims["acr"] = ["hwk"].as_slice().into());
    stand.check("a list of acr", &list, T).await;

    // Nobody is sent to log in again for what they may not do.
    let nothing = with(&stand, |claims| claims["scope"] = "orders.read".into());
    stand.check("no scope", &nothing, Expected::Scope).await;

    let refused = Refused::of(&stand.create(&acr("pwd")).await.unwrap_err()).unwrap();
    assert_eq!(refused.acr_values, ["urn:mfa", "hwk"]);
    assert_eq!(refused.max_age, None);
}

#[tokio::test]
async fn the_person_must_have_proved_it_lately() {
    let stand = ruled(
        r#"
            ["CREATE"]
            scopes = ["orders.write"]
            max_age = "60s"
        "#,
    )
    .await;
    let now = stand.now();
    let at = |auth_time: u64| with(&stand, |claims| claims["auth_time"] = auth_time.into());
    use Expected::{Ok, StepUp, T};
    for (row, auth_time, expected) in [
        ("now", now, Ok),
        ("60 s ago", now - 60, Ok),
        ("61 s ago", now - 61, StepUp),
        ("in 1970", 0, StepUp),
        ("in 10 s, by another clock", now + 10, Ok),
        ("in 11 s", now + 11, StepUp),
        ("in the year 9999", 253_402_300_799, StepUp),
    ] {
        stand.check(row, &at(auth_time), expected).await;
    }
    stand.check("nobody did", &stand.good(), StepUp).await;
    for (row, value) in [
        ("text", Value::from("now")),
        ("below zero", Value::from(-1)),
        ("null", Value::Null),
    ] {
        let shown = with(&stand, |claims| claims["auth_time"] = value);
        stand.check(row, &shown, T).await;
    }

    // The same token, which was good before: age is asked at every call.
    let token = {
        let mut claims = stand.claims();
        claims["auth_time"] = now.into();
        stand.token_of(&claims)
    };
    let call = || Shown::new(&token, &stand.proof("CreateOrder", &token));
    stand.check("at once", &call(), Ok).await;
    stand.clock.advance(Duration::from_secs(60));
    stand.check("after 60 s", &call(), Ok).await;
    stand.clock.advance(Duration::from_secs(1));
    stand.check("after 61 s", &call(), StepUp).await;
    stand.clock.go_back(Duration::from_secs(30));
    stand.check("by a clock set back", &call(), StepUp).await;

    let refused = Refused::of(&stand.create(&call()).await.unwrap_err()).unwrap();
    assert_eq!(refused.max_age, Some(Duration::from_secs(60)));
    assert_eq!(refused.acr_values, [""; 0]);
}

/// What is asked stands in one challenge, together.
#[tokio::test]
async fn well_enough_and_lately() {
    let stand = ruled(
        r#"
            ["CREATE"]
            scopes = ["orders.write"]
            acr_values = ["hwk"]
            max_age = "300s"
        "#,
    )
    .await;
    let now = stand.now();
    let proved = |acr: &str, auth_time: u64| {
        with(&stand, |claims| {
            claims["acr"] = acr.into();
            claims["auth_time"] = auth_time.into();
        })
    };
    stand.check("both", &proved("hwk", now), Expected::Ok).await;
    for (row, shown) in [
        ("weak", proved("pwd", now)),
        ("long ago", proved("hwk", now - 301)),
        ("neither", proved("pwd", now - 301)),
    ] {
        stand.check(row, &shown, Expected::StepUp).await;
        // It spends nothing, so a second look finds the same.
        stand.check(row, &shown, Expected::StepUp).await;
    }
    let status = stand.create(&proved("pwd", now)).await.unwrap_err();
    let challenge = status.metadata().get("www-authenticate").unwrap();
    assert_eq!(
        challenge.to_str().unwrap(),
        "DPoP error=\"insufficient_user_authentication\", acr_values=\"hwk\", max_age=\"300\", \
         algs=\"ES256 Ed25519\""
    );
}

/// One server, one origin, two services: a token for one is worth nothing at the
/// other.
#[tokio::test]
async fn a_service_has_a_resource_of_its_own() {
    let rules = format!(
        "[\"CREATE\"]\nscopes = [\"orders.write\"]\n\
         [\"countersign.example.v1.OrderService\"]\nresource = \"{OTHER}\""
    );
    let stand = ruled(&rules).await;
    let audience = |aud: Value| with(&stand, |claims| claims["aud"] = aud);
    let accepted = stand.create(&audience(OTHER.into())).await.unwrap();
    let order = accepted.into_inner().order.unwrap();
    assert_eq!(order.item, OTHER, "the permit names it");
    stand
        .check("both", &audience(vec![ORIGIN, OTHER].into()), Expected::Ok)
        .await;
    stand
        .check("the origin's", &audience(ORIGIN.into()), Expected::T)
        .await;
    stand
        .check("longer", &audience(format!("{OTHER}s").into()), Expected::T)
        .await;
}

#[tokio::test]
async fn a_guard_does_not_start_with_a_wrong_rule_file() {
    let stand = Stand::start().await;
    let good = || {
        Builder::new(ISSUER)
            .serve(ORIGIN)
            .descriptors(countersign::FILE_DESCRIPTOR_SET)
            .key_source(Arc::clone(&stand.keys) as Arc<dyn KeySource>)
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    let purge = format!("\n[\"{SERVICE}PurgeOrders\"]\nscopes = [\"orders.admin\"]");
    std::fs::write(&file, &purge).unwrap();
    good().rules_file(&file).connect().await.unwrap();

    let check = async |builder: Builder, says: &[&str]| {
        let error = builder.connect().await.unwrap_err().to_string();
        for word in says {
            assert!(error.contains(word), "{error}");
        }
    };
    let again = good().rules_file(&file).rules(&purge);
    check(
        again,
        &["rules, line 2", "PurgeOrders", "has a rule already"],
    )
    .await;
    check(
        good().rules_file(folder.path().join("absent.toml")),
        &["absent.toml", "No such file"],
    )
    .await;
    std::fs::write(&file, purge.replace("scopes", "scope")).unwrap();
    check(
        good().rules_file(&file),
        &["rules.toml, line 2", "PurgeOrders", "unknown key `scope`"],
    )
    .await;
    let until = countersign_guard::UnixTime::from_secs(1);
    check(
        good().accept_bearer(format!("{SERVICE}Ping"), until),
        &["Ping", "cannot accept bearer tokens"],
    )
    .await;
}
