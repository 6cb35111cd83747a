//! Any two fields of a proof and of a token, each with everything that it could say, signed; and
//! any field said twice.

mod proof;
mod token;
mod twice;

use countersign_jose::SigningKey;

pub(crate) use self::proof::any_two_fields_of_a_proof;
pub(crate) use self::token::any_two_fields_of_a_token;
pub(crate) use self::twice::any_field_twice;

/// Where a field stands.
const HEADER: usize = 0;
const JWK: usize = 1;
const CLAIMS: usize = 2;

/// A field, and all that it says, as JSON; `None` is that it is not there, `{n}` the case's number.
struct Field {
    place: usize,
    name: &'static str,
    says: Vec<Option<String>>,
}

/// The fields of a JWS by their place, in order, with what they say.
type Said = [Vec<(&'static str, String)>; 3];

/// Two fields, and what they say.
struct Pair {
    fields: [usize; 2],
    says: [usize; 2],
}

fn pairs(fields: &[Field]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (a, one) in fields.iter().enumerate() {
        for (b, other) in fields.iter().enumerate().skip(a + 1) {
            for says in 0..one.says.len() * other.says.len() {
                pairs.push(Pair {
                    fields: [a, b],
                    says: [says / other.says.len(), says % other.says.len()],
                });
            }
        }
    }
    pairs
}

fn object(members: &[(&'static str, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, says)| format!("\"{name}\":{says}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Header and claims with this pair in it.
fn with(pair: &Pair, fields: &[Field], said: &Said, number: usize) -> [String; 2] {
    let mut said = said.clone();
    for (field, says) in pair.fields.iter().zip(pair.says) {
        let Field { place, name, .. } = fields[*field];
        let says = &fields[*field].says[says];
        let place = &mut said[place];
        let at = place.iter().position(|(known, _)| *known == name);
        match (at, says) {
            (Some(at), Some(says)) => place[at].1.clone_from(says),
            (Some(at), None) => drop(place.remove(at)),
            (None, Some(says)) => place.push((name, says.clone())),
            (None, None) => {}
        }
    }
    texts(said, number)
}

fn texts(said: Said, number: usize) -> [String; 2] {
    let [mut header, jwk, claims] = said;
    if !jwk.is_empty() {
        header.push(("jwk", object(&jwk)));
    }
    [header, claims].map(|members| object(&members).replace("{n}", &format!("{number:08}")))
}

fn quoted(text: impl AsRef<str>) -> String {
    format!("\"{}\"", text.as_ref())
}

/// Absent; and all these, as they stand.
fn says<T: AsRef<str>>(all: impl IntoIterator<Item = T>) -> Vec<Option<String>> {
    let all = all.into_iter().map(|one| Some(one.as_ref().to_owned()));
    std::iter::once(None).chain(all).collect()
}

fn signed(key: &SigningKey, [header, claims]: &[String; 2]) -> String {
    key.sign_compact(header.as_bytes(), claims.as_bytes())
        .unwrap()
}
