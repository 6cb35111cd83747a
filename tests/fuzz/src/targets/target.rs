//! `dpop`: `htu`, origins and paths (RFC 3986 §6.2).

use countersign_dpop::{Origin, Target};

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // A URI, and perhaps a path on a second line.
    let (uri, path) = text.split_once('\n').unwrap_or((text, "/p.S/M"));
    if let Ok(target) = Target::parse(uri) {
        let normal = target.as_str();
        assert_eq!(
            Target::parse(normal).as_ref(),
            Ok(&target),
            "normal already"
        );
        assert!(normal.starts_with("http://") || normal.starts_with("https://"));
        assert!(is_plain(normal), "{normal}");
        assert!(!segments(normal).any(|segment| segment == "." || segment == ".."));
    }
    if let Ok(origin) = Origin::parse(uri) {
        assert_eq!(Origin::parse(origin.as_str()).as_ref(), Ok(&origin));
        assert!(!origin.as_str().ends_with('/'));
        let target = Target::parse(uri).expect("an origin is a target");
        assert_eq!(target.as_str().trim_end_matches('/'), origin.as_str());
        if let Ok(target) = origin.target(path) {
            // What a client mints for a call is what a server expects of it, in any spelling.
            assert_eq!(Target::parse(target.as_str()).as_ref(), Ok(&target));
            let spelt = format!("{}{path}?q#f", origin.as_str().replacen("http", "HTTP", 1));
            assert_eq!(Target::parse(&spelt).as_ref(), Ok(&target));
        }
    }
}

/// Without query, fragment and user; a path may hold an `@`.
fn is_plain(normal: &str) -> bool {
    let authority = normal.split('/').nth(2).unwrap_or_default();
    normal.is_ascii() && !normal.contains(['?', '#', '\\', ' ']) && !authority.contains('@')
}

fn segments(normal: &str) -> impl Iterator<Item = &str> {
    normal.split('/').skip(3)
}
