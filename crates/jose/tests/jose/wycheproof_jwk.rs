//! Project Wycheproof's vectors for key sets (`json_web_key_test.json`, all 26), from the key set
//! to the signature, as a service does it that holds a client's registered keys.
//!
//! Their file names the source. Where Countersign's answer is another than theirs, it stands in
//! [`DEVIATIONS`] with its reason; a deviation that no longer holds fails the test.

use countersign_jose::{
    Algorithm, AlgorithmError, Algorithms, CompactJws, JwkError, Jwks, JwksError, JwsError,
};
use serde_json::Value;

const SYMMETRIC: &str = "a MAC: Countersign accepts no symmetric key, so there is no good one";
const ROCA: &str = "the modulus has the form of CVE-2017-15361 (ROCA); RSA keys are judged by \
                    their size and exponent, not by how their primes were drawn";

/// Where Wycheproof and Countersign differ, by `tcId`.
const DEVIATIONS: [(u64, &str); 5] = [
    (2, SYMMETRIC),
    (7, ROCA),
    (13, SYMMETRIC),
    (14, SYMMETRIC),
    (15, SYMMETRIC),
];

/// What a vector comes to: accepted, or the first step that refuses.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Accepted,
    KeySet(JwksError),
    Jws(JwsError),
    NoSuchKey,
}

/// The first key of the set is refused.
const fn key(error: JwkError) -> Outcome {
    Outcome::KeySet(JwksError::Key { at: 0, error })
}

/// Each vector's own reason, so that none passes for another one's.
const OUTCOMES: [(u64, Outcome); 26] = [
    (1, key(JwkError::PrivateMember)),
    (2, key(JwkError::PrivateMember)),
    (3, key(JwkError::PrivateMember)),
    (4, key(JwkError::PrivateMember)),
    (5, Outcome::Accepted),
    (6, key(JwkError::Contradiction)),
    (7, Outcome::Accepted),
    (8, key(JwkError::RsaModulus)),
    (9, key(JwkError::RsaExponent)),
    (10, key(JwkError::PrivateMember)),
    (11, key(JwkError::PrivateMember)),
    (12, key(JwkError::PrivateMember)),
    (13, key(JwkError::PrivateMember)),
    (14, key(JwkError::PrivateMember)),
    (15, key(JwkError::PrivateMember)),
    (16, key(JwkError::PrivateMember)),
    (17, key(JwkError::PrivateMember)),
    (18, key(JwkError::PrivateMember)),
    (19, key(JwkError::Contradiction)),
    (20, key(JwkError::Contradiction)),
    (21, key(JwkError::Contradiction)),
    (22, key(JwkError::PointNotOnCurve)),
    (23, key(JwkError::Component)),
    (24, key(JwkError::Component)),
    (25, key(JwkError::PrivateMember)),
    (26, key(JwkError::PrivateMember)),
];

#[test]
fn key_sets_and_their_signatures() {
    let vectors = vectors();
    let ids: Vec<u64> = vectors.iter().map(|vector| vector.tc_id).collect();
    let expected: Vec<u64> = OUTCOMES.iter().map(|(tc_id, _)| *tc_id).collect();
    assert_eq!(ids, expected, "every vector runs, once");

    for (vector, (tc_id, expected)) in vectors.iter().zip(OUTCOMES) {
        let name = format!("{tc_id} {}", vector.comment);
        let outcome = outcome(vector);
        assert_eq!(outcome, expected, "{name}");
        let differs = (outcome == Outcome::Accepted) != vector.valid;
        let written = DEVIATIONS.iter().find(|(of, _)| *of == tc_id);
        match (differs, written) {
            (true, None) => panic!("{name}: a deviation that is not written down"),
            (false, Some((_, reason))) => panic!("{name}: no longer a deviation ({reason})"),
            (true, Some(_)) | (false, None) => {}
        }
    }
}

/// The vectors with MACs end at the key set. A set of other keys would not let them through
/// either: their `alg` is no algorithm here.
#[test]
fn a_mac_is_refused_by_its_header_too() {
    let mut macs = 0;
    for vector in &vectors() {
        if vector.keys.contains(r#""k":"#) {
            let jws = CompactJws::parse(&vector.jws, JWS_BYTES_MAX).unwrap();
            assert_eq!(
                jws.header().allowed_algorithm(every_algorithm()),
                Err(AlgorithmError::Unknown),
                "{}",
                vector.tc_id
            );
            macs += 1;
        }
    }
    assert_eq!(macs, 15);
}

/// The signature that 19 to 24 share is good: it is their keys that are refused. Vector 1 has the
/// same key unspoilt.
#[test]
fn the_spoilt_elliptic_keys_come_with_a_good_signature() {
    let vectors = vectors();
    let mixed: Value = serde_json::from_str(&vectors[0].keys).unwrap();
    let unspoilt = serde_json::json!({ "keys": [mixed["keys"][1]] }).to_string();
    for vector in &vectors[18..24] {
        let repaired = Vector {
            keys: unspoilt.clone(),
            ..vector.clone()
        };
        assert_eq!(outcome(&repaired), Outcome::Accepted, "{}", vector.tc_id);
    }
}

/// A vector, reduced to what a verifier sees and what it should say.
#[derive(Clone)]
struct Vector {
    tc_id: u64,
    comment: String,
    keys: String,
    jws: String,
    valid: bool,
}

fn vectors() -> Vec<Vector> {
    let file: Value =
        serde_json::from_str(include_str!("../../testdata/wycheproof_json_web_key.json")).unwrap();
    let mut vectors = Vec::new();
    for group in file["testGroups"].as_array().unwrap() {
        let keys = group.get("public").or(group.get("private")).unwrap();
        for test in group["tests"].as_array().unwrap() {
            let text = |name: &str| test[name].as_str().unwrap().to_owned();
            vectors.push(Vector {
                tc_id: test["tcId"].as_u64().unwrap(),
                comment: text("comment"),
                keys: keys.to_string(),
                jws: text("jws"),
                valid: match test["result"].as_str().unwrap() {
                    "valid" => true,
                    "invalid" => false,
                    other => panic!("unknown result {other}"),
                },
            });
        }
    }
    vectors
}

/// The longest vector has under 500 bytes.
const JWS_BYTES_MAX: usize = 8 * 1024;

fn every_algorithm() -> Algorithms {
    use Algorithm::{Ed25519, Es256, Es384, Ps256, Rs256};
    Algorithms::of(&[Es256, Ed25519, Es384, Ps256, Rs256])
}

fn outcome(vector: &Vector) -> Outcome {
    let keys = match Jwks::parse(vector.keys.as_bytes()) {
        Ok(keys) => keys,
        Err(error) => return Outcome::KeySet(error),
    };
    match verify(&keys, &vector.jws) {
        Ok(Some(())) => Outcome::Accepted,
        Ok(None) => Outcome::NoSuchKey,
        Err(error) => Outcome::Jws(error),
    }
}

/// `None`: no key of the set is meant.
fn verify(keys: &Jwks, jws: &str) -> Result<Option<()>, JwsError> {
    let jws = CompactJws::parse(jws, JWS_BYTES_MAX)?;
    let algorithm = jws
        .header()
        .allowed_algorithm(every_algorithm())
        .map_err(JwsError::Algorithm)?;
    keys.choose(jws.header().kid.as_deref(), algorithm)
        .map(|key| jws.verify(key.key(), every_algorithm()))
        .transpose()
}
