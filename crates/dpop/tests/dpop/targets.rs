//! RFC 3986 normalisation, and origins.

use countersign_dpop::{Origin, OriginError, PathRefused, Target, TargetError};

#[test]
fn what_is_normalised_and_what_is_refused() {
    use TargetError::{Character, Host, NotAbsolute, PercentEncoding, Port, Scheme, UserInfo};
    let check = |uri: &str, expected: Result<&str, TargetError>| {
        let parsed = Target::parse(uri);
        assert_eq!(
            parsed.as_ref().map(Target::as_str).map_err(|error| *error),
            expected,
            "{uri}"
        );
    };
    // Case of scheme and host; not of the path.
    check("HTTPS://Example.COM/A/b", Ok("https://example.com/A/b"));
    check("HtTp://h/", Ok("http://h/"));
    // Ports.
    check("https://h:443/", Ok("https://h/"));
    check("http://h:80/", Ok("http://h/"));
    check("https://h:80/", Ok("https://h:80/"));
    check("http://h:443/", Ok("http://h:443/"));
    check("https://h:/", Ok("https://h/"));
    check("https://h:8443", Ok("https://h:8443/"));
    check("https://h:65535/", Ok("https://h:65535/"));
    check("https://h:65536/", Err(Port));
    check("https://h:0/", Err(Port));
    check("https://h:0443/", Err(Port));
    check("https://h:+443/", Err(Port));
    check("https://h:-1/", Err(Port));
    check("https://h:4a/", Err(Port));
    check("https://h:1:2/", Err(Port));
    // Empty path, query, fragment.
    check("https://h", Ok("https://h/"));
    check("https://h?a/b", Ok("https://h/"));
    check("https://h#a/b", Ok("https://h/"));
    check("https://h/a?b#c", Ok("https://h/a"));
    check("https://h/a#c?b", Ok("https://h/a"));
    check("https://h/?", Ok("https://h/"));
    // Percent-encodings.
    check("https://h/%61%2d%2E%5F%7e", Ok("https://h/a-._~"));
    check("https://h/%2f%3f%23", Ok("https://h/%2F%3F%23"));
    check("https://h/%2541", Ok("https://h/%2541"));
    check("https://h/%25%34%31", Ok("https://h/%2541"));
    check("https://%65xample%2eCom/", Ok("https://example.com/"));
    check("https://h/%", Err(PercentEncoding));
    check("https://h/%2", Err(PercentEncoding));
    check("https://h/%2g", Err(PercentEncoding));
    check("https://h/%+1", Err(PercentEncoding));
    check("https://h%/", Err(PercentEncoding));
    check("https://a%2Fb/", Err(Host));
    check("https://a%40b/", Err(Host));
    check("https://%00/", Err(Host));
    // Dot segments.
    check("https://h/a/./b", Ok("https://h/a/b"));
    check("https://h/a/../b", Ok("https://h/b"));
    check("https://h/../../b", Ok("https://h/b"));
    check("https://h/a/b/..", Ok("https://h/a/"));
    check("https://h/a/.", Ok("https://h/a/"));
    check("https://h/..", Ok("https://h/"));
    check("https://h/%2e%2e/a", Ok("https://h/a"));
    check("https://h/.%2e/a", Ok("https://h/a"));
    check("https://h/a/...", Ok("https://h/a/..."));
    check("https://h/a//b", Ok("https://h/a//b"));
    check("https://h/a//../b", Ok("https://h/a/b"));
    check("https://h//", Ok("https://h//"));
    // Addresses.
    check("https://127.0.0.1:443/", Ok("https://127.0.0.1/"));
    check("https://[::1]:443/a", Ok("https://[::1]/a"));
    check(
        "https://[2001:DB8:0:0::1]:8443/",
        Ok("https://[2001:db8::1]:8443/"),
    );
    check("https://[::1]", Ok("https://[::1]/"));
    check("https://[::1]x/", Err(Host));
    check("https://[::1/", Err(Host));
    check("https://[fe80::1%25eth0]/", Err(Host));
    check("https://[v1.x]/", Err(Host));
    check("https://::1/", Err(Host));
    // Not absolute, not http.
    check("", Err(NotAbsolute));
    check("/a", Err(NotAbsolute));
    check("//h/a", Err(NotAbsolute));
    check("h/a", Err(NotAbsolute));
    check("https:/h/a", Err(NotAbsolute));
    check("https:h/a", Err(NotAbsolute));
    check("ftp://h/", Err(Scheme));
    check("://h/", Err(Scheme));
    check("/x?u=https://h/", Err(Scheme));
    // Authority.
    check("https://", Err(Host));
    check("https:///a", Err(Host));
    check("https://:443/", Err(Host));
    check("https://u@h/", Err(UserInfo));
    check("https://u:p@h/", Err(UserInfo));
    check("https://@h/", Err(UserInfo));
    // Characters that no URI has.
    check("https://h/a b", Err(Character));
    check("https://h/a\tb", Err(Character));
    check("https://h/a\n", Err(Character));
    check(r"https:\\h\a", Err(Character));
    check(r"https://h/a\b", Err(Character));
    check("https://h/\"", Err(Character));
    check("https://h/<a>", Err(Character));
    check("https://h/{a}", Err(Character));
    check("https://h/a|b", Err(Character));
    check("https://h/é", Err(Character));
    check("https://h\0/", Err(Character));
    check("https://h/[a]", Err(Character));
}

#[test]
fn origins() {
    let check = |uri: &str, expected: Result<&str, OriginError>| {
        let parsed = Origin::parse(uri);
        assert_eq!(
            parsed.as_ref().map(Origin::as_str).map_err(|error| *error),
            expected,
            "{uri}"
        );
    };
    check(
        "https://orders.internal:8443",
        Ok("https://orders.internal:8443"),
    );
    check(
        "HTTPS://Orders.Internal:443/",
        Ok("https://orders.internal"),
    );
    check("https://h/api/", Ok("https://h/api"));
    check("https://h/api", Ok("https://h/api"));
    check("https://h/a/../api/./", Ok("https://h/api"));
    check("http://[::1]:50051", Ok("http://[::1]:50051"));
    check("https://h?", Err(OriginError::QueryOrFragment));
    check("https://h/#a", Err(OriginError::QueryOrFragment));
    check("https://u@h", Err(OriginError::Uri(TargetError::UserInfo)));
    check("h:8443", Err(OriginError::Uri(TargetError::NotAbsolute)));
}

#[test]
fn an_origin_and_a_plain_path_make_a_target() {
    let origin = Origin::parse("https://h/api/").unwrap();
    let check = |path: &str, expected: Result<&str, PathRefused>| {
        let target = origin.target(path);
        assert_eq!(
            target.as_ref().map(Target::as_str).map_err(|error| *error),
            expected,
            "{path}"
        );
        if let Ok(target) = target {
            assert_eq!(
                Target::parse(target.as_str()).as_ref(),
                Ok(&target),
                "normal already"
            );
        }
    };
    check("/a.v1.B/C", Ok("https://h/api/a.v1.B/C"));
    check("/", Ok("https://h/api/"));
    check("/a/", Ok("https://h/api/a/"));
    check("/a//b", Ok("https://h/api/a//b"));
    check(
        "/a:b@c!$&'()*+,;=-._~",
        Ok("https://h/api/a:b@c!$&'()*+,;=-._~"),
    );
    check("/...", Ok("https://h/api/..."));
    check("", Err(PathRefused));
    check("a/b", Err(PathRefused));
    check("/a%62", Err(PathRefused));
    check("/a%2Fb", Err(PathRefused));
    check("/.", Err(PathRefused));
    check("/..", Err(PathRefused));
    check("/a/../b", Err(PathRefused));
    check("/a?b", Err(PathRefused));
    check("/a#b", Err(PathRefused));
    check("/a b", Err(PathRefused));
    check("/é", Err(PathRefused));
    check("https://h/a", Err(PathRefused));
}
