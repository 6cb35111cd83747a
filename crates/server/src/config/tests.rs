//! Wrong keys and values are refused with their name and what would be right; the documentation
//! lists exactly the keys there are.

mod changes;

use std::fmt::Write as _;
use std::path::Path;

use super::value::Value;
use super::*;

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    config.apply_file(Path::new("countersign.toml"), text)?;
    config.check()?;
    Ok(config)
}

fn from_variables(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::read(Sources {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        others: &["COUNTERSIGN_CONFIG"],
        ..Sources::default()
    })
}

/// What the operator reads.
#[track_caller]
fn check(read: Result<Config, ConfigError>, expected: &str) {
    assert_eq!(read.expect_err("must be refused").to_string(), expected);
}

#[test]
fn wrong_files_say_what_would_be_right() {
    for (text, expected) in [
        (
            "[listen]\nadress = \"127.0.0.1:1\"",
            "countersign.toml: unknown key `listen.adress`; did you mean `listen.address`?",
        ),
        (
            "[listne]\naddress = \"127.0.0.1:1\"",
            "countersign.toml: unknown key `listne`; did you mean `listen`?",
        ),
        (
            "[database]\nurl = \"x\"",
            "countersign.toml: unknown key `database`; docs/configuration.md lists them all",
        ),
        (
            "issuer = 7",
            "countersign.toml: `issuer` must be a text that is not empty",
        ),
        (
            "[http]\nlogin_url = \"https://a.example\"\nlogin_acr_values = [\"a b\"]",
            "countersign.toml: `http.login_acr_values` must be a list of texts of at most 255 bytes \
             without spaces",
        ),
        (
            "listen = 7",
            "countersign.toml: `listen` must be a section, as in [listen]",
        ),
        (
            "[[listen]]\naddress = \"127.0.0.1:1\"",
            "countersign.toml: `listen` must be a section, as in [listen]",
        ),
        (
            "[listen]\naddress = \"localhost\"",
            "countersign.toml: `listen.address` must be an IP address and a port, as in \
             127.0.0.1:7443 or [::1]:7443",
        ),
        (
            "[listen]\naddress = { host = \"x\" }",
            "countersign.toml: `listen.address` must be an IP address and a port, as in \
             127.0.0.1:7443 or [::1]:7443",
        ),
        (
            "[tokens]\naccess_token_secs = 901",
            "countersign.toml: `tokens.access_token_secs` must be a whole number of seconds from \
             1 to 900",
        ),
        (
            "[tokens]\naccess_token_secs = -1",
            "countersign.toml: `tokens.access_token_secs` must be a whole number of seconds from \
             1 to 900",
        ),
        (
            "[tokens]\naccess_token_secs = 1e308",
            "countersign.toml: `tokens.access_token_secs` must be a whole number of seconds from \
             1 to 900",
        ),
        (
            "[proofs]\nalgorithms = [\"ES256\", \"HS256\"]",
            "countersign.toml: `proofs.algorithms` must be a list of at least one of ES256, \
             Ed25519, ES384, PS256, RS256",
        ),
        (
            "[proofs]\nalgorithms = []",
            "countersign.toml: `proofs.algorithms` must be a list of at least one of ES256, \
             Ed25519, ES384, PS256, RS256",
        ),
        (
            "[proofs]\nnonce = \"never\"",
            "countersign.toml: `proofs.nonce` must be `when-needed` or `always`",
        ),
        (
            "[telemetry]\nsample_ratio = 1.5",
            "countersign.toml: `telemetry.sample_ratio` must be a number from 0 to 1",
        ),
        (
            "[admin]\nallowed_uids = [-1]",
            "countersign.toml: `admin.allowed_uids` must be a list of account numbers",
        ),
        (
            "issuer = \"a\"\nissuer = \"b\"",
            "countersign.toml, line 2: not TOML: duplicate key",
        ),
        (
            "[listen]\naddress = \"0.0.0.0:7443\"",
            "`tls.certificate_file` must be set, with tls.key_file, unless listen.address is a \
             loopback address",
        ),
        (
            "[store]\nkey_command = [\"/usr/bin/kms\"]\nkey_file = \"a.key\"",
            "`store.key_command` and store.key_file and store.key_credential name places of one and \
             the same key: set only one of them",
        ),
        (
            "[store]\nkey_credential = \"a/b\"",
            "countersign.toml: `store.key_credential` must be a credential's name: letters, digits, \
             `.`, `_` and `-`",
        ),
        (
            "[store]\nkey_command = []",
            "countersign.toml: `store.key_command` must be a list of a program and its arguments",
        ),
        (
            "[keys]\nsigning_rotation_secs = 1019",
            "`keys.signing_rotation_secs` must be 0, or at least 1020 and a minute more than \
             keys.max_age_secs: the next key must be known everywhere by then",
        ),
        (
            "[keys]\nsigning_rotation_secs = 7200\nmax_age_secs = 7141",
            "`keys.signing_rotation_secs` must be 0, or at least 1020 and a minute more than \
             keys.max_age_secs: the next key must be known everywhere by then",
        ),
        (
            "[keys]\nmac_rotation_secs = 86400",
            "`keys.mac_rotation_secs` must be 0, or at least 1020 and an eighth of \
             tokens.refresh_absolute_secs and two hours: each key is kept for as long as refresh \
             tokens live",
        ),
        (
            "[tls]\ncertificate_file = \"a.pem\"",
            "`tls.key_file` must be set where its counterpart is: a certificate and its key go \
             together",
        ),
        (
            "issuer = \"http://tokens.internal\"",
            "`issuer` must begin with https:// unless its host is a loopback address",
        ),
        (
            "issuer = \"https://tokens.internal/\"",
            "`issuer` must not end with a slash: it is compared character for character",
        ),
        (
            &format!("issuer = \"https://{}.internal:\"", "t".repeat(240)),
            "`issuer` must have at most 255 bytes, all of them visible ASCII",
        ),
        (
            "issuer = \"tokens\"",
            "`issuer` must be an absolute URL, as in https://tokens.internal:7443",
        ),
        (
            "[listen]\naddress = \"0.0.0.0:7443\"\n[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"",
            "`issuer` must be set unless listen.address is a loopback address: the URL that \
             clients reach the service by",
        ),
        (
            "[mtls]\naddress = \"127.0.0.1\"",
            "countersign.toml: `mtls.address` must be an IP address and a port, as in 127.0.0.1:7444",
        ),
        (
            "[mtls]\naddress = \"127.0.0.1:7444\"",
            "`tls.certificate_file` must be set, with tls.key_file, where mtls.address is",
        ),
        (
            "[mtls]\nurl = \"https://a.internal\"",
            "`mtls.address` must be set where mtls.url is: the address that it leads to",
        ),
        (
            "[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\nclient_authorities_file = \"c\"",
            "`mtls.address` must be set where tls.client_authorities_file is: the address at which \
             clients are asked for certificates",
        ),
        (
            "[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\n[mtls]\naddress = \"127.0.0.1:7443\"",
            "`mtls.address` must be another address than listen.address and http.address: browsers \
             must not be asked for certificates",
        ),
        (
            "[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\n[mtls]\naddress = \"0.0.0.0:7444\"",
            "`mtls.url` must be set unless mtls.address is a loopback address: the URL that clients \
             with certificates reach the service by",
        ),
        (
            "[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\n[mtls]\naddress = \"127.0.0.1:7444\"\n\
             url = \"https://a.internal/b\"",
            "`mtls.url` must be https:// with a host, a port unless it is 443, and nothing behind, as \
             in https://mtls.tokens.internal:7444",
        ),
        (
            "[http]\naddress = \"everywhere\"",
            "countersign.toml: `http.address` must be `shared`, `none`, or an IP address and a port, \
             as in 127.0.0.1:8443",
        ),
        (
            "[http]\naddress = \"127.0.0.1:8443\"",
            "`issuer` must be set where http.address is an address: the URL that HTTP clients reach \
             the service by (add that of gRPC to listen.origins)",
        ),
        (
            "issuer = \"http://localhost:1\"\n[http]\naddress = \"127.0.0.1:7443\"",
            "`http.address` must be another address than listen.address, or the word shared",
        ),
        (
            "issuer = \"http://localhost:1\"\n[http]\naddress = \"0.0.0.0:8443\"",
            "`tls.certificate_file` must be set, with tls.key_file, unless http.address is a \
             loopback address",
        ),
        (
            "[http]\ncors_origins = [\"https://app.example.com/\"]",
            "countersign.toml: `http.cors_origins` must be a list of origins as browsers write them, \
             as in https://app.example.com, or *",
        ),
        (
            "[http]\nlogin_url = \"http://login.example.com/\"",
            "`http.login_url` must be an https URL (http for loopback) without user and fragment",
        ),
        (
            "[http]\nlogin_url = \"https://a@login.example.com/\"",
            "`http.login_url` must be an https URL (http for loopback) without user and fragment",
        ),
        (
            "[http]\nlogin_url = \"https://login.example.com/#a\"",
            "`http.login_url` must be an https URL (http for loopback) without user and fragment",
        ),
        (
            "[http]\nlogin_url = \"javascript:alert(1)\"",
            "`http.login_url` must be an https URL (http for loopback) without user and fragment",
        ),
        (
            "[http]\nlogin_url = \"/login\"",
            "`http.login_url` must be an https URL (http for loopback) without user and fragment",
        ),
        (
            "[http]\nlogin_acr_values = [\"pwd\"]",
            "`http.login_acr_values` must be set only where http.login_url is: they are of the \
             application there",
        ),
        (
            "[tokens]\nrefresh_absolute_secs = 60",
            "`tokens.refresh_idle_secs` must not be more than tokens.refresh_absolute_secs",
        ),
    ] {
        check(from_file(text), expected);
    }
}

#[test]
fn wrong_variables_say_what_would_be_right() {
    check(
        from_variables(&[("COUNTERSIGN_LISTEN_ADRESS", "127.0.0.1:1")]),
        "COUNTERSIGN_LISTEN_ADRESS: unknown key `COUNTERSIGN_LISTEN_ADRESS`; did you mean \
         `COUNTERSIGN_LISTEN_ADDRESS`?",
    );
    check(
        from_variables(&[("COUNTERSIGN_STORE_CACHE_MIB", "many")]),
        "COUNTERSIGN_STORE_CACHE_MIB: `store.cache_mib` must be a whole number from 1 to 65536",
    );
    check(
        from_variables(&[("COUNTERSIGN_STORE_DIRECTORY", "")]),
        "COUNTERSIGN_STORE_DIRECTORY: `store.directory` must be a path",
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::read(Sources {
        file: Some(Path::new("/nowhere/countersign.toml")),
        ..Sources::default()
    })
    .expect_err("is not there");
    assert!(
        error.to_string().starts_with("/nowhere/countersign.toml: "),
        "{error}"
    );
}

#[test]
fn variables_win_and_those_of_others_are_passed_over() {
    let config = from_variables(&[
        ("COUNTERSIGN_CONFIG", "somewhere"),
        ("COUNTERSIGN_TOKENS_ACCESS_TOKEN_SECS", "60"),
        ("COUNTERSIGN_PROOFS_ALGORITHMS", "ES256, PS256"),
        (
            "COUNTERSIGN_LISTEN_ORIGINS",
            "https://a.internal,https://b.internal",
        ),
        ("PATH", "/bin"),
    ])
    .expect("right");
    assert_eq!(config.tokens.access_token, Duration::from_secs(60));
    assert_eq!(
        config.proofs.algorithms,
        [Algorithm::Es256, Algorithm::Ps256]
    );
    assert_eq!(
        config.listen.origins,
        ["https://a.internal", "https://b.internal"]
    );
}

#[test]
fn the_command_line_wins() {
    let sources = |name: &str, value: &str| Sources {
        variables: vec![("COUNTERSIGN_STORE_CACHE_MIB".to_owned(), "2".to_owned())],
        overrides: vec![(name.to_owned(), value.to_owned())],
        ..Sources::default()
    };
    let config = Config::read(sources("store.cache_mib", "3")).expect("right");
    assert_eq!(config.store.cache_mib, 3);
    check(
        Config::read(sources("store.cache", "3")),
        "command line: unknown key `store.cache`; did you mean `store.cache_mib`?",
    );
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(from_file("").expect("right"), Config::default());
}

#[test]
fn a_file_says_no_and_yes_as_toml_does() {
    for (said, expected) in [
        ("true", true),
        ("\"yes\"", true),
        ("false", false),
        ("\"no\"", false),
    ] {
        let config = from_file(&format!("[login]\nserve = {said}")).expect("right");
        assert_eq!(config.login.serve, expected, "{said}");
    }
    let wrong = from_file("[http]\naddress = true").expect_err("no address");
    assert!(wrong.to_string().contains("http.address"), "{wrong}");
}

#[test]
fn paths_follow_the_directory() {
    let config = from_file("[store]\ndirectory = \"/var/lib/countersign\"").expect("right");
    assert_eq!(config.key_file(), Path::new("/var/lib/countersign.key"));
    assert_eq!(
        config.admin_socket(),
        Path::new("/var/lib/countersign/admin.sock")
    );
}

#[test]
fn the_documentation_lists_every_key_as_the_code_has_it() {
    let page = include_str!("../../../../docs/configuration.md");
    let mut rows = String::new();
    for key in KEYS {
        let _ = writeln!(
            rows,
            "| `{}` | `{}` | {} | {} | {} | {} |",
            key.name,
            key.variable(),
            key.values,
            key.default,
            key.takes_effect.word(),
            key.meaning
        );
    }
    assert!(
        page.contains(&rows),
        "docs/configuration.md differs from the keys in the code; its table must be:\n{rows}"
    );
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        assert!(rows.contains(line), "not a key: {line}");
    }
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    for key in KEYS {
        let plain = matches!(
            key.name.split('.').next(),
            Some("tokens" | "proofs" | "keys" | "audit" | "stop")
        ) || matches!(
            key.name,
            "listen.address" | "store.directory" | "listen.connections_max"
        );
        if plain {
            let mut config = Config::default();
            (key.set)(&mut config, &Value::Text(key.default.to_owned()))
                .unwrap_or_else(|expected| panic!("{}: {expected}", key.name));
            assert_eq!(config, Config::default(), "{}", key.name);
        }
    }
}
