//! `server`: bodies and queries of the HTTP endpoints.

use countersign_server::fuzz::form;
use form_urlencoded::byte_serialize;

/// The one parameter that may be there several times (RFC 8707 §2).
const LIST: &str = "resource";

type Pairs = Vec<(String, String)>;

pub fn check(input: &[u8]) {
    let pairs = form(input);
    assert_eq!(pairs, form(input));
    match &pairs {
        Some(pairs) => taken(input, pairs),
        None => assert!(!plain(input), "refused for nothing"),
    }
}

/// What is taken means the same to every reader.
fn taken(input: &[u8], pairs: &Pairs) {
    let others: Pairs = form_urlencoded::parse(input).into_owned().collect();
    assert_eq!(pairs, &others, "read otherwise by others");
    assert!(pairs.len() <= 64);
    for (at, (name, value)) in pairs.iter().enumerate() {
        let before = pairs[..at].iter().any(|(other, _)| other == name);
        assert!(!before || name == LIST, "{name} is there twice");
        assert!(!name.contains('\0') && !value.contains('\0'));
    }
    // It comes out the same when it is written and read, in either way of writing it.
    for written in [encoded(pairs), plus(pairs)] {
        assert_eq!(form(written.as_bytes()).as_ref(), Some(pairs), "{written}");
        changed(written.as_bytes(), pairs);
    }
    changed(input, pairs);
}

/// One more of what is there, or of what is none, is refused.
fn changed(text: &[u8], pairs: &Pairs) {
    let and = |one: &[u8], other: &[u8]| [one, b"&", other].concat();
    let once = pairs.iter().map(|(name, _)| name);
    for name in once.filter(|name| *name != LIST) {
        let twice = and(text, format!("{}=", percent(name)).as_bytes());
        assert!(form(&twice).is_none(), "{name} once more");
    }
    for half in ["%", "%4", "%zz", "%00", "%ff", "%C3"] {
        let half = half.as_bytes();
        assert!(form(&and(text, half)).is_none(), "ends in {half:?}");
        assert!(form(&and(half, text)).is_none(), "begins with {half:?}");
    }
}

/// Few parameters of letters and digits, each with a name of its own: nothing to refuse.
fn plain(input: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"=&+-._~".contains(byte);
    let mut names: Vec<_> = input
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split(|byte| *byte == b'=').next())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    input.iter().all(is_plain) && names.len() == all && all <= 64
}

/// Every byte percent-encoded.
fn encoded(pairs: &Pairs) -> String {
    let pair = |(name, value): &(String, String)| format!("{}={}", percent(name), percent(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// As browsers write them.
fn plus(pairs: &Pairs) -> String {
    let text = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = |(name, value): &(String, String)| format!("{}={}", text(name), text(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}
