//! Where a document is found, by its resource.

use super::*;

fn at(resource: &str) -> Option<(String, String)> {
    let terms = Terms {
        issuer: "https://tokens.test",
        algorithms: vec!["ES256"],
        bearer_too: false,
    };
    let document = Document::of(&resource.into(), &BTreeSet::new(), &terms)?;
    Some((document.url, document.path))
}

/// RFC 9728 §3.1.
#[test]
fn the_well_known_part_stands_before_the_resources_path() {
    let well_known = "/.well-known/oauth-protected-resource";
    for (resource, host, path) in [
        ("https://a.test", "https://a.test", ""),
        ("https://a.test/", "https://a.test", ""),
        ("https://a.test:8443", "https://a.test:8443", ""),
        ("http://127.0.0.1:1", "http://127.0.0.1:1", ""),
        ("https://a.test/v1/orders", "https://a.test", "/v1/orders"),
        ("https://a.test/v1/", "https://a.test", "/v1/"),
    ] {
        let path = format!("{well_known}{path}");
        assert_eq!(
            at(resource),
            Some((format!("{host}{path}"), path)),
            "{resource}"
        );
    }
    let with_query = at("https://a.test/v1?k=1").unwrap();
    assert_eq!(with_query.0, format!("https://a.test{well_known}/v1?k=1"));
    assert_eq!(with_query.1, format!("{well_known}/v1"));
    for resource in [
        "urn:orders",
        "orders",
        "",
        "ftp://a.test",
        "https://a.test/\"x",
    ] {
        assert_eq!(at(resource), None, "{resource}");
    }
}
