//! Secrets where no secret belongs: in every other field of every message, and in metadata.

use serde_json::Value;

use super::steps::PUBLIC_FIELDS;

/// Texts that have the form of a secret, and of a client's name, a scope, or a token too: what is
/// told of a field's value would tell these.
pub(crate) struct Misplaced {
    pub(crate) what: &'static str,
    pub(crate) text: String,
}

/// One of each kind. `place` keeps those of administrators and of strangers apart.
pub(crate) fn misplaced(place: char) -> Vec<Misplaced> {
    let fill = |length: usize, salt: u8| -> String {
        (0..length)
            .map(|at| char::from(b'A' + ((at * 7 + usize::from(salt)) % 26) as u8))
            .collect()
    };
    let of = |what, text| Misplaced { what, text };
    vec![
        of(
            "a misplaced client secret",
            format!("css_{place}{}", fill(42, 1)),
        ),
        of(
            "a misplaced refresh token",
            format!("csr_{place}{}", fill(74, 2)),
        ),
        of(
            "a misplaced access token",
            format!(
                "eyJ{}.eyJ{}.{place}{}",
                fill(40, 3),
                fill(60, 4),
                fill(85, 5)
            ),
        ),
        // Some stacks write what they cannot read.
        of(
            "a misplaced passphrase",
            format!("pass phrase \u{e9} {place}{}", fill(24, 6)),
        ),
    ]
}

/// The body with each text replaced by `text` in turn, with the name of the field.
pub(crate) fn bodies(body: &Value, text: &str) -> Vec<(String, Value)> {
    let mut paths = Vec::new();
    texts(body, &mut String::new(), &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let mut changed = body.clone();
            *changed.pointer_mut(&path)? = text.into();
            Some((path, changed))
        })
        .collect()
}

fn texts(value: &Value, path: &mut String, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !PUBLIC_FIELDS.contains(&name.as_str()) && !is_not_text(name))
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (at.to_string(), item))
            .collect(),
        Value::String(_) => {
            found.push(path.clone());
            return;
        }
        _ => return,
    };
    for (name, value) in members {
        let length = path.len();
        path.push('/');
        path.push_str(&name);
        texts(value, path, found);
        path.truncate(length);
    }
}

/// Enumerators and masks are texts in JSON alone.
fn is_not_text(name: &str) -> bool {
    [
        "authentication_method",
        "grant_types",
        "update_mask",
        "refresh_key",
    ]
    .contains(&name)
}

/// Metadata with a secret in it.
pub(crate) fn metadata(text: &str) -> Vec<Vec<(&'static str, String)>> {
    let one = |name, value| vec![(name, value)];
    vec![
        one("authorization", format!("DPoP {text}")),
        one("authorization", format!("Bearer {text}")),
        one("authorization", format!("Basic {text}")),
        one("authorization", text.to_owned()),
        one("dpop", text.to_owned()),
        one("cookie", format!("session={text}")),
        one("x-api-key", text.to_owned()),
        one("grpc-timeout", text.to_owned()),
        one("traceparent", text.to_owned()),
        one("baggage", format!("key={text}")),
        one("grpc-previous-rpc-attempts", text.to_owned()),
        one("content-language", text.to_owned()),
    ]
}
