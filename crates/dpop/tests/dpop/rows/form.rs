//! The form of a proof.

use countersign_dpop::Refusal::*;

use super::Table;
use crate::case::{Case, proof};

pub(super) fn rows(t: &mut Table) {
    t.check("a good proof", proof(), Ok(()));
    t.check(
        "unknown header parameters",
        proof().header("x", "[1]").header("iat", "\"x\""),
        Ok(()),
    );
    t.check(
        "unknown claims",
        proof().claim("x", "{}").claim("exp", "0"),
        Ok(()),
    );
    t.check(
        "jku in the header",
        proof().header("jku", "\"https://evil.example/k\""),
        Ok(()),
    );
    t.check(
        "x5u in the header",
        proof().header("x5u", "\"https://evil.example/c\""),
        Ok(()),
    );

    // typ
    t.check("typ missing", proof().without_header("typ"), Err(WrongType));
    t.check("typ JWT", proof().header("typ", r#""JWT""#), Err(WrongType));
    t.check(
        "typ at+jwt",
        proof().header("typ", r#""at+jwt""#),
        Err(WrongType),
    );
    t.check(
        "typ in upper case",
        proof().header("typ", r#""DPOP+JWT""#),
        Err(WrongType),
    );
    t.check("typ null", proof().header("typ", "null"), Err(WrongType));
    t.check(
        "typ a list",
        proof().header("typ", r#"["dpop+jwt"]"#),
        Err(WrongType),
    );

    t.check(
        "kid a number",
        proof().header("kid", "1"),
        Err(HeaderMalformed),
    );
    t.check("kid a path", proof().header("kid", "\"../../x\""), Ok(()));

    // Extensions
    t.check(
        "crit of a known name",
        proof().header("crit", r#"["alg"]"#),
        Err(Extension),
    );
    t.check("crit empty", proof().header("crit", "[]"), Err(Extension));
    t.check("crit null", proof().header("crit", "null"), Err(Extension));
    t.check(
        "crit with b64",
        proof().header("crit", r#"["b64"]"#).header("b64", "false"),
        Err(Extension),
    );
    t.check("b64 false", proof().header("b64", "false"), Err(Extension));
    t.check("b64 true", proof().header("b64", "true"), Ok(()));

    // JSON
    let twice = |json: String| json.replacen('{', r#"{"alg":"ES256","#, 1);
    t.check("alg twice", proof().edit_header(twice), Err(NotJson));
    let escaped = |json: String| json.replacen('{', r#"{"\u0061lg":"none","#, 1);
    t.check(
        "alg twice, once escaped",
        proof().edit_header(escaped),
        Err(NotJson),
    );
    let in_jwk = |json: String| json.replacen(r#""kty""#, r#""\u006bty":"EC","kty""#, 1);
    t.check(
        "a member of jwk twice",
        proof().edit_header(in_jwk),
        Err(NotJson),
    );
    let jti = |json: String| json.replacen('{', r#"{"jti":"other","#, 1);
    t.check("jti twice", proof().edit_payload(jti), Err(NotJson));
    let htu = |json: String| json.replacen('{', r#"{"h\u0074u":"https://evil.example/","#, 1);
    t.check(
        "htu twice, once escaped",
        proof().edit_payload(htu),
        Err(NotJson),
    );
    t.check(
        "a duplicate in an unknown claim",
        proof().claim("x", r#"{"a":1,"a":2}"#),
        Err(NotJson),
    );
    t.check(
        "header with a byte order mark",
        proof().edit_header(|json| with_bom(&json)),
        Err(NotJson),
    );
    t.check(
        "payload with a byte order mark",
        proof().edit_payload(|json| with_bom(&json)),
        Err(NotJson),
    );
    t.check(
        "header of invalid UTF-8",
        proof().raw_header(invalid_utf8(proof().header_json())),
        Err(NotJson),
    );
    t.check(
        "payload of invalid UTF-8",
        proof().raw_payload(invalid_utf8(proof().payload_json())),
        Err(NotJson),
    );
    t.check(
        "a NUL after the header",
        proof().edit_header(|json| json + "\0"),
        Err(NotJson),
    );
    t.check(
        "a NUL after the payload",
        proof().edit_payload(|json| json + "\0"),
        Err(NotJson),
    );
    t.check(
        "an escaped NUL in jti",
        proof().claim("jti", r#""a\u0000b""#),
        Err(NotJson),
    );
    t.check(
        "half of a surrogate pair in a claim",
        proof().claim("x", r#""\ud800""#),
        Err(NotJson),
    );
    t.check(
        "the other half in a name",
        proof().claim("x", r#"{"\udc00":1}"#),
        Err(NotJson),
    );
    t.check(
        "a whole surrogate pair",
        proof().claim("x", r#""\ud83d\ude00""#),
        Ok(()),
    );
    t.check(
        "a number beyond a double in an unknown claim",
        proof().claim("x", "-1e400"),
        Err(NotJson),
    );
    t.check(
        "white space between the members",
        proof().claim("x", " \t\r\n1 "),
        Ok(()),
    );
    t.check(
        "a raw NUL in jti",
        proof().claim("jti", "\"a\0b\""),
        Err(NotJson),
    );
    t.check(
        "text after the payload",
        proof().edit_payload(|json| json + "{}"),
        Err(NotJson),
    );
    t.check(
        "payload a list",
        proof().edit_payload(|json| format!("[{json}]")),
        Err(NotJson),
    );
    t.check("payload empty", proof().raw_payload(""), Err(NotJson));
    t.check("header null", proof().raw_header("null"), Err(NotJson));
    t.check(
        "header a list",
        proof().edit_header(|json| format!("[{json}]")),
        Err(NotJson),
    );
    t.check(
        "a claim nested 17 deep",
        proof().claim("x", nested(17)),
        Err(NotJson),
    );
    t.check(
        "a claim nested 15 deep",
        proof().claim("x", nested(15)),
        Ok(()),
    );
    t.check(
        "nested as deep as the size allows",
        proof().claim("x", nested(1000)),
        Err(NotJson),
    );
    t.check(
        "nested 10,000 deep",
        proof().claim("x", nested(10_000)),
        Err(TooLarge),
    );

    // Base64url
    t.check(
        "padding on the signature",
        edited(|proof| proof + "=="),
        Err(NotBase64Url),
    );
    t.check(
        "padding on the header",
        edited(|proof| proof.replacen('.', "=.", 1)),
        Err(NotBase64Url),
    );
    t.check(
        "a plus in the payload",
        edited(|proof| in_payload(&proof, '+')),
        Err(NotBase64Url),
    );
    t.check(
        "a slash in the payload",
        edited(|proof| in_payload(&proof, '/')),
        Err(NotBase64Url),
    );
    t.check(
        "a space in the payload",
        edited(|proof| in_payload(&proof, ' ')),
        Err(NotBase64Url),
    );
    t.check(
        "white space at the end",
        edited(|proof| proof + " "),
        Err(NotBase64Url),
    );
    t.check(
        "white space at the start",
        edited(|proof| format!(" {proof}")),
        Err(NotBase64Url),
    );
    t.check(
        "a line feed in the signature",
        edited(|proof| proof.replacen('.', "\n.", 1)),
        Err(NotBase64Url),
    );
    t.check(
        "a last character that is not canonical",
        edited(|proof| loose_end(&proof)),
        Err(NotBase64Url),
    );

    // Segments
    t.check(
        "2 segments",
        edited(|proof| proof.rsplit_once('.').unwrap().0.into()),
        Err(NotCompact),
    );
    t.check(
        "4 segments",
        edited(|proof| proof + ".AAAA"),
        Err(NotCompact),
    );
    t.check(
        "5 segments, as a JWE has",
        edited(|proof| proof + ".AAAA.AAAA"),
        Err(NotCompact),
    );
    t.check("an empty text", edited(|_| String::new()), Err(NotCompact));
    t.check(
        "two proofs joined by a comma",
        edited(|proof| format!("{proof},{proof}")),
        Err(NotCompact),
    );
    t.check(
        "JSON serialisation",
        edited(|proof| json_serialisation(&proof)),
        Err(NotCompact),
    );
    t.check(
        "an empty signature",
        edited(|proof| proof.rsplit_once('.').unwrap().0.to_owned() + "."),
        Err(BadSignature),
    );

    // Size
    t.check("4 KiB", padded_to(4096), Ok(()));
    t.check("4 KiB and one byte", padded_to(4097), Err(TooLarge));
    t.check(
        "too large, and not even base64",
        edited(|_| "!".repeat(4097)),
        Err(TooLarge),
    );
}

fn edited(edit: fn(String) -> String) -> Case {
    proof().edit(edit)
}

fn with_bom(json: &str) -> String {
    format!("\u{feff}{json}")
}

fn invalid_utf8(json: String) -> Vec<u8> {
    let mut bytes = json.into_bytes();
    bytes.truncate(bytes.len() - 1);
    bytes.extend(b",\"x\":\"\xff\"}");
    bytes
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// The fifth character of the payload replaced.
fn in_payload(proof: &str, with: char) -> String {
    let at = proof.find('.').unwrap() + 5;
    format!("{}{with}{}", &proof[..at], &proof[at + 1..])
}

/// 64 bytes take 86 characters, the last of which has four bits to spare.
fn loose_end(proof: &str) -> String {
    let canonical = proof.chars().next_back().unwrap();
    let loose = char::from(canonical as u8 + 1);
    format!("{}{loose}", &proof[..proof.len() - 1])
}

fn json_serialisation(proof: &str) -> String {
    let mut segments = proof.split('.');
    let [header, payload, signature] = [(); 3].map(|()| segments.next().unwrap());
    format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#)
}

/// A proof of exactly that size.
fn padded_to(bytes: usize) -> Case {
    // A claim of n characters adds 4n/3; a header member of as many makes up the rest.
    (0..4000_usize)
        .rev()
        .flat_map(|claim| (0..4).map(move |header| (claim, header)))
        .map(|(claim, header)| {
            proof()
                .claim("x", format!("\"{}\"", "x".repeat(claim)))
                .header("y", format!("\"{}\"", "y".repeat(header)))
        })
        .find(|case| {
            let encoded = |json: String| (json.len() * 4).div_ceil(3);
            encoded(case.header_json()) + encoded(case.payload_json()) + 2 + 86 == bytes
        })
        .unwrap()
}
