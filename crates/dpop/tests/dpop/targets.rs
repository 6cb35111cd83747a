//! RFC 3986 normalisation, and origins.

use std::sync::Arc;

use countersign_dpop::{
    Call, Jti, Limits, Mint, Minter, NonceRule, Origin, OriginError, PathRefused, Paths, Refusal,
    Target, TargetError, verify,
};
use countersign_jose::{SigningKey, UnixTime};

/// A claimed `htu`, and what is compared of it. Published.
pub(crate) const NORMALISED: &[(&str, Result<&str, TargetError>)] = {
    use TargetError::{Character, Host, NotAbsolute, PercentEncoding, Port, Scheme, UserInfo};
    &[
        // Case of scheme and host; not of the path.
        ("HTTPS://Example.COM/A/b", Ok("https://example.com/A/b")),
        ("HtTp://h/", Ok("http://h/")),
        // Ports.
        ("https://h:443/", Ok("https://h/")),
        ("http://h:80/", Ok("http://h/")),
        ("https://h:80/", Ok("https://h:80/")),
        ("http://h:443/", Ok("http://h:443/")),
        ("https://h:/", Ok("https://h/")),
        ("https://h:8443", Ok("https://h:8443/")),
        ("https://h:65535/", Ok("https://h:65535/")),
        ("https://h:65536/", Err(Port)),
        ("https://h:0/", Err(Port)),
        ("https://h:0443/", Err(Port)),
        ("https://h:+443/", Err(Port)),
        ("https://h:-1/", Err(Port)),
        ("https://h:4a/", Err(Port)),
        ("https://h:1:2/", Err(Port)),
        // Empty path, query, fragment.
        ("https://h", Ok("https://h/")),
        ("https://h?a/b", Ok("https://h/")),
        ("https://h#a/b", Ok("https://h/")),
        ("https://h/a?b#c", Ok("https://h/a")),
        ("https://h/a#c?b", Ok("https://h/a")),
        ("https://h/?", Ok("https://h/")),
        // Percent-encodings.
        ("https://h/%61%2d%2E%5F%7e", Ok("https://h/a-._~")),
        ("https://h/%2f%3f%23", Ok("https://h/%2F%3F%23")),
        ("https://h/%2541", Ok("https://h/%2541")),
        ("https://h/%25%34%31", Ok("https://h/%2541")),
        ("https://%65xample%2eCom/", Ok("https://example.com/")),
        ("https://h/%", Err(PercentEncoding)),
        ("https://h/%2", Err(PercentEncoding)),
        ("https://h/%2g", Err(PercentEncoding)),
        ("https://h/%+1", Err(PercentEncoding)),
        ("https://h%/", Err(PercentEncoding)),
        ("https://a%2Fb/", Err(Host)),
        ("https://a%40b/", Err(Host)),
        ("https://%00/", Err(Host)),
        // Dot segments.
        ("https://h/a/./b", Ok("https://h/a/b")),
        ("https://h/a/../b", Ok("https://h/b")),
        ("https://h/../../b", Ok("https://h/b")),
        ("https://h/a/b/..", Ok("https://h/a/")),
        ("https://h/a/.", Ok("https://h/a/")),
        ("https://h/..", Ok("https://h/")),
        ("https://h/%2e%2e/a", Ok("https://h/a")),
        ("https://h/.%2e/a", Ok("https://h/a")),
        ("https://h/a/...", Ok("https://h/a/...")),
        ("https://h/a//b", Ok("https://h/a//b")),
        ("https://h/a//../b", Ok("https://h/a/b")),
        ("https://h//", Ok("https://h//")),
        // Addresses.
        ("https://127.0.0.1:443/", Ok("https://127.0.0.1/")),
        ("https://[::1]:443/a", Ok("https://[::1]/a")),
        (
            "https://[2001:DB8:0:0::1]:8443/",
            Ok("https://[2001:db8::1]:8443/"),
        ),
        ("https://[::1]", Ok("https://[::1]/")),
        ("https://[::1]x/", Err(Host)),
        ("https://[::1/", Err(Host)),
        ("https://[fe80::1%25eth0]/", Err(Host)),
        ("https://[v1.x]/", Err(Host)),
        ("https://::1/", Err(Host)),
        // Not absolute, not http.
        ("", Err(NotAbsolute)),
        ("/a", Err(NotAbsolute)),
        ("//h/a", Err(NotAbsolute)),
        ("h/a", Err(NotAbsolute)),
        ("https:/h/a", Err(NotAbsolute)),
        ("https:h/a", Err(NotAbsolute)),
        ("ftp://h/", Err(Scheme)),
        ("://h/", Err(Scheme)),
        ("/x?u=https://h/", Err(Scheme)),
        // Authority.
        ("https://", Err(Host)),
        ("https:///a", Err(Host)),
        ("https://:443/", Err(Host)),
        ("https://u@h/", Err(UserInfo)),
        ("https://u:p@h/", Err(UserInfo)),
        ("https://@h/", Err(UserInfo)),
        // Characters that no URI has.
        ("https://h/a b", Err(Character)),
        ("https://h/a\tb", Err(Character)),
        ("https://h/a\n", Err(Character)),
        (r"https:\\h\a", Err(Character)),
        (r"https://h/a\b", Err(Character)),
        ("https://h/\"", Err(Character)),
        ("https://h/<a>", Err(Character)),
        ("https://h/{a}", Err(Character)),
        ("https://h/a|b", Err(Character)),
        ("https://h/é", Err(Character)),
        ("https://h\0/", Err(Character)),
        ("https://h/[a]", Err(Character)),
    ]
};

#[test]
fn what_is_normalised_and_what_is_refused() {
    for (uri, expected) in NORMALISED {
        let parsed = Target::parse(uri);
        assert_eq!(
            parsed.as_ref().map(Target::as_str).map_err(|error| *error),
            *expected,
            "{uri}"
        );
    }
}

/// A configured origin, and what stands before a call's path. Published.
pub(crate) const ORIGINS: &[(&str, Result<&str, OriginError>)] = &[
    (
        "https://orders.internal:8443",
        Ok("https://orders.internal:8443"),
    ),
    (
        "HTTPS://Orders.Internal:443/",
        Ok("https://orders.internal"),
    ),
    ("https://h/api/", Ok("https://h/api")),
    ("https://h/api", Ok("https://h/api")),
    ("https://h/a/../api/./", Ok("https://h/api")),
    ("http://[::1]:50051", Ok("http://[::1]:50051")),
    ("https://h?", Err(OriginError::QueryOrFragment)),
    ("https://h/#a", Err(OriginError::QueryOrFragment)),
    ("https://u@h", Err(OriginError::Uri(TargetError::UserInfo))),
    ("h:8443", Err(OriginError::Uri(TargetError::NotAbsolute))),
];

#[test]
fn origins() {
    for (uri, expected) in ORIGINS {
        let parsed = Origin::parse(uri);
        assert_eq!(
            parsed.as_ref().map(Origin::as_str).map_err(|error| *error),
            *expected,
            "{uri}"
        );
    }
}

/// A call's path behind the origin `https://h/api/`. Published.
pub(crate) const PATHS: &[(&str, Result<&str, PathRefused>)] = &[
    ("/a.v1.B/C", Ok("https://h/api/a.v1.B/C")),
    ("/", Ok("https://h/api/")),
    ("/a/", Ok("https://h/api/a/")),
    ("/a//b", Ok("https://h/api/a//b")),
    (
        "/a:b@c!$&'()*+,;=-._~",
        Ok("https://h/api/a:b@c!$&'()*+,;=-._~"),
    ),
    ("/...", Ok("https://h/api/...")),
    ("", Err(PathRefused)),
    ("a/b", Err(PathRefused)),
    ("/a%62", Err(PathRefused)),
    ("/a%2Fb", Err(PathRefused)),
    ("/.", Err(PathRefused)),
    ("/..", Err(PathRefused)),
    ("/a/../b", Err(PathRefused)),
    ("/a?b", Err(PathRefused)),
    ("/a#b", Err(PathRefused)),
    ("/a b", Err(PathRefused)),
    ("/é", Err(PathRefused)),
    ("https://h/a", Err(PathRefused)),
];

#[test]
fn an_origin_and_a_plain_path_make_a_target() {
    let origin = Origin::parse("https://h/api/").unwrap();
    for (path, expected) in PATHS {
        let target = origin.target(path);
        assert_eq!(
            target.as_ref().map(Target::as_str).map_err(|error| *error),
            *expected,
            "{path}"
        );
        if let Ok(target) = target {
            assert_eq!(
                Target::parse(target.as_str()).as_ref(),
                Ok(&target),
                "normal already"
            );
        }
    }
}

/// The path of an HTTP request may be encoded, in the one way in which it is normal.
#[test]
fn encoded_paths() {
    let origins = [Origin::parse("https://h").unwrap()];
    let minter = Minter::new(Arc::new(SigningKey::generate_ed25519([7; 32]).unwrap()));
    let now = UnixTime::from_secs(1_760_000_000);
    let check = |paths, path: &str, htu: &str, expected| {
        let proof = minter
            .mint(&Mint {
                jti: Jti::new([1; 16]),
                method: "GET",
                target: &Target::parse(htu).unwrap(),
                iat: now,
                nonce: None,
                ath: None,
            })
            .unwrap();
        let call = Call {
            method: "GET",
            origins: &origins,
            path,
            paths,
            ath: None,
        };
        let verified = verify(&proof, &call, &Limits::default(), &NonceRule::Off, now);
        assert_eq!(verified.map(|_| ()), expected, "{path} {htu}");
    };
    let (plain, encoded) = (Paths::Plain, Paths::Encoded);
    let not_plain = || Err(Refusal::PathNotPlain);
    for (path, htu, expected) in [
        ("/a%20b", "https://h/a%20b", Ok(())),
        ("/a%C3%A9", "https://h/a%c3%a9?q", Ok(())),
        ("/a%2Fb", "https://h/a%2Fb", Ok(())),
        ("/a%2Fb", "https://h/a/b", Err(Refusal::WrongTarget)),
        ("/a/b", "https://h/a%2Fb", Err(Refusal::WrongTarget)),
        ("/a%c3%a9", "https://h/a%C3%A9", not_plain()),
        ("/%61", "https://h/a", not_plain()),
        ("/%2E%2E/a", "https://h/a", not_plain()),
        ("/..", "https://h/", not_plain()),
        ("/a%2", "https://h/a", not_plain()),
        ("/a%2G", "https://h/a", not_plain()),
        ("/a%", "https://h/a", not_plain()),
        ("a%20b", "https://h/a%20b", not_plain()),
        ("/a?b", "https://h/a", not_plain()),
    ] {
        check(encoded, path, htu, expected);
    }
    check(plain, "/a%20b", "https://h/a%20b", not_plain());
}
