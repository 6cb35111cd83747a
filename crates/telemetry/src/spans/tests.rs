//! What a path says of its method.

use super::method;
use crate::names::OTHER_METHOD;

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
        ("/", OTHER_METHOD),
        ("/token", OTHER_METHOD),
        ("/a/b/c", OTHER_METHOD),
        ("/a.B/%43", OTHER_METHOD),
        ("/a.B/eyJhbGciOi-x", OTHER_METHOD),
        (long.as_str(), OTHER_METHOD),
    ] {
        assert_eq!(method(&path.parse().unwrap()), expected, "{path}");
    }
}
