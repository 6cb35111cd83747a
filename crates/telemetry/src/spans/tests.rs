//! What a path says of its method.

use super::method;
use crate::names::OTHER;

#[test]
fn a_path_that_no_method_has_names_no_span() {
    let long = format!("/a.B/{}", "c".repeat(300));
    for (path, expected) in [
        (
            "/countersign.token.v1.TokenService/IssueToken",
            "countersign.token.v1.TokenService/IssueToken",
        ),
        ("/a_b.C1/D_2", "a_b.C1/D_2"),
        ("/a.B/C?access_token=x", "a.B/C"),
        ("/", OTHER),
        ("/token", OTHER),
        ("/a/b/c", OTHER),
        ("/a.B/%43", OTHER),
        ("/a.B/eyJhbGciOi-x", OTHER),
        (long.as_str(), OTHER),
    ] {
        assert_eq!(method(&path.parse().unwrap()), expected, "{path}");
    }
}
