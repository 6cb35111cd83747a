//! The service's own keys: seen, replaced and revoked.

use serde_json::Value;

use crate::program::Service;

const SIGNING: &str = "SIGNING_KEY_PURPOSE_ACCESS_TOKENS";

/// The keys of a service that runs.
pub(crate) fn keys(service: &Service) -> Vec<Value> {
    let listed = service.run("--json key list --all").json();
    listed["signing_keys"].as_array().unwrap().clone()
}

/// The name of the signing key in that state.
pub(crate) fn kid(service: &Service, state: &str) -> String {
    let is_it = |key: &&Value| key["purpose"] == SIGNING && key["state"] == state;
    let keys = keys(service);
    let key = keys.iter().find(is_it).unwrap();
    key["kid"].as_str().unwrap().to_owned()
}

#[test]
fn keys_are_seen_replaced_and_revoked() {
    let service = Service::start();
    let told = service.run("key list --all");
    assert_eq!(told.code, 0, "{told:?}");
    for word in [
        "access tokens",
        "refresh tokens, codes",
        "next",
        "active",
        "ready at",
    ] {
        assert!(told.out.contains(word), "{word}: {}", told.out);
    }
    let active = kid(&service, "SIGNING_KEY_STATE_ACTIVE");
    let next = kid(&service, "SIGNING_KEY_STATE_NEXT");

    // It was published moments ago.
    let told = service.run("key rotate");
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains(&format!("{next} takes over at ")),
        "{}",
        told.out
    );
    let told = service.run("key rotate --purpose mac");
    assert!(told.out.contains("takes over at "), "{}", told.out);
    let listed = service.run("key list --all");
    assert!(
        listed.out.contains("to be replaced as soon as"),
        "{}",
        listed.out
    );

    // Nobody is there to say yes.
    let asked = service.run(&format!("key revoke {active}"));
    assert_eq!(asked.code, 3, "{asked:?}");
    assert!(
        asked
            .err
            .contains("every access token that it signed is refused"),
        "{asked:?}"
    );
    assert!(asked.err.contains("--yes"), "{asked:?}");
    assert_eq!(kid(&service, "SIGNING_KEY_STATE_ACTIVE"), active);

    let revoked = service.run(&format!("key revoke {active} --yes"));
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert!(
        revoked.out.contains(&format!("{next} is active")),
        "{revoked:?}"
    );
    assert_eq!(kid(&service, "SIGNING_KEY_STATE_ACTIVE"), next);
    let again = service.run(&format!("key revoke {active} --yes"));
    assert_eq!(again.code, 7, "{again:?}");
}
