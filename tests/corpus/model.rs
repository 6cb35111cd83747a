//! What may be accepted, said a second time: with another JSON reader, and as the list of all that
//! has to be right, where the guard has one refusal after the other.

use countersign_dpop::Ath;
use serde_json::{Map, Value};

use crate::method::Method;
use crate::range::Range;
use crate::stand::{Expected, ISSUER, ORIGIN};

/// What a proof or a token is compared with.
#[derive(Copy, Clone)]
pub(crate) struct Facts<'f> {
    now_secs: u64,
    /// The caller's public key.
    jwk: &'f Value,
    /// What the algorithm of such keys is called.
    algorithms: &'f [&'f str],
    /// The thumbprint of the caller's key.
    jkt: &'f str,
    called: Method,
}

impl<'f> Facts<'f> {
    pub(crate) fn of(range: &'f Range) -> Self {
        Self::of_key(range, &range.jwk, &["ES256"])
    }

    /// Of a caller with another key.
    pub(crate) fn of_key(range: &'f Range, jwk: &'f Value, algorithms: &'f [&'f str]) -> Self {
        Self {
            now_secs: range.stand.now(),
            jwk,
            algorithms,
            jkt: &range.jkt,
            called: range.method,
        }
    }

    fn is_algorithm(&self, name: &Value) -> bool {
        self.algorithms.iter().any(|known| name == known)
    }
}

/// Whether this, signed with the caller's key, is a proof for a call with `token` (RFC 9449 §4.3).
pub(crate) fn proof(header: &[u8], payload: &[u8], token: &str, facts: Facts<'_>) -> bool {
    let (Some(header), Some(claims)) = (object(header), object(payload)) else {
        return false;
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let iat = claims.get("iat").and_then(seconds);
    well_formed(&header)
        && header.get("typ").is_some_and(|typ| typ == "dpop+jwt")
        && header.get("alg").is_some_and(|alg| facts.is_algorithm(alg))
        && header.get("jwk").is_some_and(|jwk| is_key(jwk, facts))
        && text("jti").is_some_and(|jti| (1..=128).contains(&jti.len()))
        && text("htm") == Some("POST")
        && text("htu").is_some_and(|htu| is_target(htu, facts.called))
        && iat.is_some_and(|iat| iat + 60 >= facts.now_secs && iat <= facts.now_secs + 10)
        && text("ath") == Some(&Ath::of(token).to_string())
        && claims.get("nonce").is_none_or(Value::is_string)
}

/// What may come of a token that the issuer signed so (RFC 9068 §4): the letters of all that is
/// wrong with it, or that it is right.
pub(crate) fn token(header: &[u8], payload: &[u8], facts: Facts<'_>) -> Vec<Expected> {
    let (Some(header), Some(claims)) = (object(header), object(payload)) else {
        return vec![Expected::T];
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let typ = header
        .get("typ")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let points = ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"];
    let time = |name: &str| claims.get(name).map(seconds);
    let not_ahead = |time: Option<u64>| time.is_some_and(|at| at <= facts.now_secs + 10);
    let bound = |cnf: &Value| {
        cnf.as_object().is_some_and(|cnf| {
            cnf.len() == 1 && cnf.get("jkt").is_some_and(|jkt| *jkt == *facts.jkt)
        })
    };
    let right = well_formed(&header)
        && ["at+jwt", "application/at+jwt"].contains(&&*typ.to_ascii_lowercase())
        && header.get("alg").is_some_and(|alg| alg == "ES256")
        && header.get("kid").is_some_and(|kid| kid == "k1")
        && points.iter().all(|name| !header.contains_key(*name))
        && text("iss") == Some(ISSUER)
        && ["sub", "client_id", "jti"]
            .iter()
            .all(|name| text(name).is_some_and(|it| !it.is_empty()))
        && ["scope", "fam"]
            .iter()
            .all(|name| claims.get(*name).is_none_or(Value::is_string))
        && claims.get("aud").is_some_and(is_for_us)
        && time("iat").is_some_and(not_ahead)
        && time("nbf").is_none_or(not_ahead)
        && time("exp").flatten().is_some()
        && claims.get("cnf").is_some_and(bound);
    let expired = time("exp")
        .flatten()
        .is_some_and(|exp| exp <= facts.now_secs);
    let scopes = text("scope").unwrap_or_default();
    let may = facts
        .called
        .scopes()
        .iter()
        .all(|asked| scopes.split(' ').any(|scope| scope == *asked));
    let wrong = [
        (!right, Expected::T),
        (expired, Expected::Expired),
        (!may, Expected::Scope),
    ];
    let wrong: Vec<Expected> = wrong
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, letter)| letter)
        .collect();
    if wrong.is_empty() {
        vec![Expected::Ok]
    } else {
        wrong
    }
}

/// Whether the block of the call still says all that counts: the method, the path, and one token
/// and one proof. Whatever else it says, in `:authority` for one, the guard does not believe.
pub(crate) fn block(changed: &[(&[u8], &[u8])], original: &[(&[u8], &[u8])]) -> bool {
    let values = |fields: &[(&[u8], &[u8])], name: &str| -> Vec<Vec<u8>> {
        let named = fields.iter().filter(|(known, _)| *known == name.as_bytes());
        named.map(|(_, value)| value.to_vec()).collect()
    };
    let same = |name| values(changed, name) == values(original, name);
    let authorization = |fields| {
        let mut values = values(fields, "authorization");
        // The scheme's case does not matter (RFC 9110 §11.1).
        for value in &mut values {
            let scheme = value.iter().position(|byte| *byte == b' ').unwrap_or(0);
            value[..scheme].make_ascii_lowercase();
        }
        values
    };
    same(":method")
        && same(":path")
        && same("dpop")
        && authorization(changed) == authorization(original)
}

fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    match value {
        Value::Object(object) if !object.values().any(holds_nul) => Some(object),
        _ => None,
    }
}

/// Refused wherever it stands, since other readers end there.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// RFC 7515 §4: what is asked of any header.
fn well_formed(header: &Map<String, Value>) -> bool {
    !header.contains_key("crit")
        && header.get("b64").is_none_or(|b64| *b64 == true)
        && header.get("kid").is_none_or(Value::is_string)
        && header.get("typ").is_none_or(Value::is_string)
}

/// The caller's public key, and nothing that says otherwise (RFC 7517 §4).
fn is_key(jwk: &Value, facts: Facts<'_>) -> bool {
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let only = |name: &str, only: Value| jwk.get(name).is_none_or(|value| *value == only);
    let right = facts.jwk.as_object();
    // Members that are not of its kind do not matter: y of an Ed25519 key.
    right.is_some_and(|right| {
        right
            .iter()
            .all(|(name, value)| jwk.get(name) == Some(value))
    }) && private.iter().all(|name| jwk.get(*name).is_none())
        && jwk.get("alg").is_none_or(|alg| facts.is_algorithm(alg))
        && only("use", "sig".into())
        && only("key_ops", vec!["verify"].into())
        && jwk.get("kid").is_none_or(Value::is_string)
}

/// RFC 9449 §4.3 (9) with RFC 3986 §6.2.2: the case of scheme and host, and what is needlessly
/// percent-encoded, do not matter; query and fragment are not looked at.
fn is_target(htu: &str, called: Method) -> bool {
    let split = |uri: &str| -> Option<(String, String)> {
        let uri = uri.split(['?', '#']).next()?;
        let (scheme, rest) = uri.split_once("://")?;
        let path_at = rest.find('/')?;
        let origin = format!("{scheme}://{}", &rest[..path_at]);
        Some((origin.to_ascii_lowercase(), plain(&rest[path_at..])))
    };
    split(htu).is_some_and(|given| split(&called.target()) == Some(given))
}

/// With unreserved characters as themselves (RFC 3986 §2.3).
fn plain(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let byte = piece
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(char::from(byte));
                plain.push_str(&piece[2..]);
            }
            _ => {
                plain.push('%');
                plain.push_str(piece);
            }
        }
    }
    plain
}

/// RFC 7519 §2: seconds, of which a fraction does not count; up to the year 9999.
fn seconds(value: &Value) -> Option<u64> {
    let secs = value.as_u64().or_else(|| {
        let secs = value.as_f64()?;
        (secs >= 0.0).then_some(secs as u64)
    });
    secs.filter(|secs| *secs <= 253_402_300_799)
}

/// RFC 7519 §4.1.3.
fn is_for_us(aud: &Value) -> bool {
    match aud {
        Value::Array(all) => {
            all.iter().all(Value::is_string) && all.iter().any(|one| one == ORIGIN)
        }
        one => one == ORIGIN,
    }
}
