//! `jose` and `guard`: key sets, as a client registers them and as a token service answers them.

use countersign_guard::fuzz;
use countersign_jose::{Algorithm, Jwks};

pub fn check(input: &[u8]) {
    if let Ok(set) = Jwks::parse(input) {
        kept(&set);
    }
    if let Some(Ok(published)) = fuzz::key_answer(input) {
        kept(&published.keys);
    }
}

fn kept(set: &Jwks) {
    let written = set.to_json();
    let again = Jwks::parse(written.as_bytes()).expect("we wrote it");
    assert_eq!(&again, set);
    assert_eq!(again.to_json(), written);
    for key in set.keys() {
        for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256] {
            if let Some(chosen) = set.choose(key.kid(), algorithm) {
                assert!(chosen.key().algorithm_fits(algorithm));
                assert!(key.kid().is_none() || chosen.kid() == key.kid());
            }
        }
    }
}
