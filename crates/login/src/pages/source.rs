//! URLs as sources of a content security policy.

use url::{Origin, Url};

/// Schemes that a browser runs or shows itself: nowhere to send anybody.
const OWN_SCHEMES: [&str; 7] = [
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "javascript",
    "view-source",
];

/// The source that allows this URL's origin, or its scheme where it has none. None for what could
/// be read as something else inside of a policy.
pub(crate) fn source_of(url: &Url) -> Option<String> {
    if OWN_SCHEMES.contains(&url.scheme()) {
        return None;
    }
    let source = match url.origin() {
        origin @ Origin::Tuple(..) => origin.ascii_serialization(),
        Origin::Opaque(_) => format!("{}:", url.scheme()),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+:/[]_".contains(&byte);
    source.bytes().all(plain).then_some(source)
}
