//! A configuration that is read again: which keys hold at once, which wait for a restart, and that
//! each copies itself.

use super::super::read::known;
use super::super::value::Value;
use super::*;

/// What differs between the default and a file: the keys that hold at once, and those that wait.
#[track_caller]
fn check_change(text: &str, applied: &[&str], waiting: &[&str]) -> Change {
    let read = from_file(text).expect("right");
    let change = Change::between(&Config::default(), &read);
    assert_eq!(change.applied, applied, "{text}");
    assert_eq!(change.waiting, waiting, "{text}");
    change
}

#[test]
fn what_needs_a_restart_is_named_and_left_as_it_was() {
    check_change("", &[], &[]);
    let change = check_change(
        "[tokens]\naccess_token_secs = 60\n[stop]\nnotice_secs = 5\n\
         [store]\ncache_mib = 1\n[proofs]\nnonce = \"always\"",
        &["tokens.access_token_secs", "stop.notice_secs"],
        &["store.cache_mib", "proofs.nonce"],
    );
    assert_eq!(change.config.tokens.access_token, Duration::from_secs(60));
    assert_eq!(change.config.stop.notice, Duration::from_secs(5));
    assert_eq!(change.config.store, Config::default().store);
    assert_eq!(change.config.proofs, Config::default().proofs);
}

#[test]
fn tls_that_comes_or_goes_needs_a_restart_and_other_files_do_not() {
    let tls = "[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"";
    let waiting = [
        "tls.certificate_file",
        "tls.key_file",
        "tls.client_authorities_file",
    ];
    let change = check_change(tls, &[], &waiting);
    assert_eq!(change.config, Config::default());

    let first = from_file(tls).expect("right");
    let second = from_file(&tls.replace("\"b\"", "\"c\"")).expect("right");
    let change = Change::between(&first, &second);
    assert_eq!(change.applied, ["tls.key_file"]);
    assert_eq!(change.config, second);
}

/// A key whose copy were forgotten, or copied something else, would be lost or change its
/// neighbour.
#[test]
fn each_key_copies_itself_and_nothing_else() {
    for (name, text) in [
        ("issuer", "https://a.internal"),
        ("listen.address", "127.0.0.1:1"),
        ("listen.origins", "https://a.internal"),
        ("listen.connections_max", "7"),
        ("listen.workers", "7"),
        ("http.address", "127.0.0.1:2"),
        ("http.cors_origins", "https://a.example"),
        ("http.login_url", "https://a.example/login"),
        ("http.login_acr_values", "pwd,mfa"),
        ("http.list_scopes", "yes"),
        ("http.only_pushed", "yes"),
        ("login.serve", "yes"),
        ("login.behind_proxy", "yes"),
        ("tls.certificate_file", "a"),
        ("tls.key_file", "a"),
        ("tls.client_authorities_file", "a"),
        ("mtls.address", "127.0.0.1:2"),
        ("mtls.url", "https://a.internal"),
        ("store.directory", "a"),
        ("store.key_file", "a"),
        ("store.key_credential", "a"),
        ("store.key_command", "a,b"),
        ("store.cache_mib", "7"),
        ("admin.socket", "a"),
        ("admin.allowed_uids", "7"),
        ("tokens.access_token_secs", "7"),
        ("tokens.authorization_code_secs", "7"),
        ("tokens.authorization_request_secs", "7"),
        ("tokens.refresh_idle_secs", "7"),
        ("tokens.refresh_absolute_secs", "7"),
        ("tokens.refresh_retry_secs", "7"),
        ("device.code_secs", "77"),
        ("device.interval_secs", "7"),
        ("device.verification_uri", "https://a.internal"),
        ("proofs.age_secs", "7"),
        ("proofs.skew_secs", "7"),
        ("proofs.algorithms", "ES384"),
        ("proofs.nonce", "always"),
        ("proofs.remembered_max", "7000"),
        ("keys.max_age_secs", "7"),
        ("keys.signing_rotation_secs", "7000"),
        ("keys.mac_rotation_secs", "7000"),
        ("audit.retention_days", "7"),
        ("audit.issuance_retention_days", "7"),
        ("limits.waiting_max", "7"),
        ("limits.in_flight_max", "7"),
        ("limits.watchers_max", "7"),
        ("limits.caller_watchers_max", "7"),
        ("limits.client_calls_per_sec", "7"),
        ("limits.wrong_user_codes_per_min", "7"),
        ("limits.public_requests_per_min", "7"),
        ("limits.method_calls_per_sec", "IssueToken=7"),
        ("stop.notice_secs", "7"),
        ("stop.drain_secs", "7"),
        ("telemetry.otlp_endpoint", "http://127.0.0.1:1"),
        ("telemetry.metrics_endpoint", "http://127.0.0.1:1"),
        ("telemetry.sample_ratio", "0.5"),
        ("telemetry.log_filter", "warn"),
        ("telemetry.log_format", "json"),
    ] {
        let key = known(name, &Place::CommandLine).expect("a key");
        let mut said = Config::default();
        (key.set)(&mut said, &Value::Text(text.to_owned())).expect("right");
        assert_ne!(said, Config::default(), "{name} is the default");
        for other in KEYS {
            let mut copied = Config::default();
            (other.copy)(&mut copied, &said);
            // Certificate and key come together where there were none.
            let itself =
                other.name == name || (name.starts_with("tls.") && other.name.starts_with("tls."));
            let expected = if itself { &said } else { &Config::default() };
            assert_eq!(copied, *expected, "{name}, copied by {}", other.name);
        }
    }
    let tried = include_str!("changes.rs");
    for key in KEYS {
        let name = key.name;
        assert!(
            tried.contains(&format!("(\"{name}\", ")),
            "{name} is not tried"
        );
    }
}
