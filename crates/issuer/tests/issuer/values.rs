//! Values: what each may be, at its edges.

use countersign_issuer::IssuerName;
use countersign_issuer::model::{
    Acr, ClientId, CodeChallenge, CodeVerifier, DisplayName, FamilyId, Malformed, RedirectUri,
    ResourceUri, ResourceUris, Scope, Scopes, State, Subject,
};
use proptest::prelude::*;

/// Whether each text is accepted.
fn check<T, E>(parse: impl Fn(&str) -> Result<T, E>, rows: &[(&str, bool)]) {
    for (text, accepted) in rows {
        assert_eq!(
            parse(text).is_ok(),
            *accepted,
            "{:?}",
            text.get(..60).unwrap_or(text)
        );
    }
}

#[test]
fn client_identifiers() {
    let (most, more) = ("c".repeat(128), "c".repeat(129));
    check(
        ClientId::parse,
        &[
            ("c", true),
            ("spiffe://a/b-c_d.e:f", true),
            (&most, true),
            (&more, false),
            ("", false),
            ("a b", false),
            ("a\0", false),
            ("é", false),
            ("a%20", false),
        ],
    );
    assert!(ClientId::parse(ClientId::from_random([255; 16]).as_str()).is_ok());
}

#[test]
fn scopes() {
    let (most, more) = ("s".repeat(128), "s".repeat(129));
    check(
        Scope::parse,
        &[
            ("orders.read", true),
            ("!#[]~", true),
            (&most, true),
            (&more, false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a\\b", false),
            ("a\n", false),
            ("ü", false),
        ],
    );
    assert_eq!(Scopes::parse(&["b", "a", "b"]).unwrap().to_string(), "a b");
    assert!(Scopes::parse(&vec!["s"; 100]).is_ok());
    assert!(Scopes::parse(&vec!["s"; 101]).is_err());
    // Counted before any is read: half a million cost no more than a hundred and one.
    let many = Err(Malformed::TooManyScopes);
    assert_eq!(Scopes::parse(&vec![""; 500_000]), many);
    assert_eq!(Scopes::parse_claim(&" ".repeat(500_000)), many);
    let many = Err(Malformed::TooManyResources);
    assert_eq!(ResourceUris::parse(&vec![""; 500_000]), many);
    assert!(Scopes::parse_claim("a  b").is_err());
    assert!(Scopes::parse_claim("").unwrap().is_empty());
}

#[test]
fn resource_uris() {
    let long = format!("https://a/{}", "p".repeat(246));
    check(
        ResourceUri::parse,
        &[
            ("https://orders.internal:8443", true),
            ("https://orders.internal/path", true),
            ("urn:example:orders", true),
            ("", false),
            ("orders", false),
            ("/orders", false),
            ("//orders", false),
            ("https://a/?q", false),
            ("https://a/#f", false),
            ("https://a/#", false),
            ("https://user@a/", false),
            ("https://a b/", false),
            (" https://a/", false),
            ("https://a\\b", false),
            ("https://é/", false),
            (&long, false),
            (&long[..255], true),
        ],
    );
}

#[test]
fn redirect_uris() {
    check(
        RedirectUri::parse,
        &[
            ("https://shop.example/cb", true),
            ("https://shop.example/cb?a=b", true),
            ("https://shop.example", true),
            ("http://127.0.0.1/cb", true),
            ("http://127.0.0.1:8080/cb", true),
            ("http://[::1]:8080/cb", true),
            ("http://localhost/cb", true),
            ("com.example.app:/cb", true),
            ("com.example.app://host/cb", true),
            ("", false),
            ("/cb", false),
            ("https://shop.example/#f", false),
            ("https://shop.example/cb#", false),
            ("https://user:pw@shop.example/", false),
            ("https:shop.example", false),
            ("https:/shop.example", false),
            ("http://shop.example/", false),
            ("http://localhost.evil.example/", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://127.0.0.1@evil.example/", false),
            ("http://127.0.0.1:80@evil.example/", false),
            ("http://127.0.0.2/", false),
            ("http://LOCALHOST/", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("app:/cb", false),
            ("https://shop.example/a b", false),
            ("https://shop.example/\\evil", false),
            ("https://shop.example/\n", false),
        ],
    );
}

#[test]
fn the_small_ones() {
    let long = "x".repeat(600);
    let wide = "ü".repeat(129);
    check(
        Subject::parse,
        &[
            ("a", true),
            (&long[..255], true),
            (&long[..256], false),
            ("", false),
            ("a\u{7f}", false),
        ],
    );
    check(
        DisplayName::parse,
        &[
            ("", true),
            ("Ü & co", true),
            (&wide[..256], true),
            (&wide, false),
            ("a\tb", false),
        ],
    );
    check(
        Acr::parse,
        &[("", true), ("mfa", true), (&long[..256], false)],
    );
    check(
        State::parse,
        &[("", true), (&long[..512], true), (&long[..513], false)],
    );
    check(
        FamilyId::parse,
        &[
            ("AAAAAAAAAAAAAAAAAAAAAA", true),
            ("AAAAAAAAAAAAAAAAAAAAAB", false),
            ("", false),
        ],
    );
    check(
        CodeChallenge::parse,
        &[
            ("", false),
            (&"A".repeat(43), true),
            (&"A".repeat(42), false),
            (&"+".repeat(43), false),
        ],
    );
    check(
        CodeVerifier::parse,
        &[
            (&long[..42], false),
            (&long[..43], true),
            (&long[..128], true),
            (&long[..129], false),
            (&format!("{}-._~", &long[..43]), true),
            (&format!("{}+", &long[..43]), false),
            (&format!("{} ", &long[..43]), false),
        ],
    );
    check(
        IssuerName::parse,
        &[
            ("https://tokens.internal:7443", true),
            ("http://127.0.0.1:7443", true),
            ("https://tokens.internal/tenant", true),
            ("https://tokens.internal/?a", false),
            ("https://tokens.internal/#a", false),
            ("tokens.internal", false),
            ("ftp://tokens.internal", false),
            (" https://tokens.internal", false),
        ],
    );
    assert_eq!(
        format!("{:?}", State::parse("session").unwrap().unwrap()),
        "State(..)"
    );
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        let _ = (ClientId::parse(&text), Scope::parse(&text), ResourceUri::parse(&text));
        let _ = (RedirectUri::parse(&text), Subject::parse(&text), DisplayName::parse(&text));
        let _ = (FamilyId::parse(&text), CodeChallenge::parse(&text), IssuerName::parse(&text));
    }

    #[test]
    fn a_redirect_uri_never_leaves_for_another_host(port in any::<u16>(), tail in "[a-z/?=&@:.]{0,20}") {
        let registered = RedirectUri::parse("http://127.0.0.1/cb").unwrap();
        if let Ok(presented) = RedirectUri::parse(&format!("http://127.0.0.1:{port}{tail}")) {
            prop_assert_eq!(registered.admits(&presented), tail == "/cb");
        }
    }
}
