use crate::{CompactJws, SigningKey};

#[test]
fn what_can_be_presented_is_not_shown() {
    let jws = SigningKey::generate_ed25519([1; 32])
        .unwrap()
        .sign_compact(br#"{"alg":"Ed25519"}"#, br#"{"sub":"me"}"#)
        .unwrap();
    let shown = format!("{:?}", CompactJws::parse(&jws, 4096).unwrap());
    assert!(shown.contains("Ed25519"), "{shown}");
    for segment in jws.split('.') {
        assert!(!shown.contains(segment), "{shown}");
    }
    // Nor the decoded payload, as a list of numbers.
    assert!(!shown.contains("123, 34"), "{shown}");
}
