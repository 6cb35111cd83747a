use countersign_dpop::{Refusal, sole_proof};

#[test]
fn one_field_with_one_proof() {
    let check = |fields: &[&[u8]], expected: Result<&str, Refusal>| {
        assert_eq!(sole_proof(fields.iter().copied()), expected, "{fields:?}");
    };
    check(&[b"a.b.c"], Ok("a.b.c"));
    check(&[], Err(Refusal::ProofMissing));
    check(&[b"a.b.c", b"a.b.c"], Err(Refusal::SeveralProofs));
    check(&[b"a.b.c", b""], Err(Refusal::SeveralProofs));
    check(&[b"a.b.c,d.e.f"], Err(Refusal::SeveralProofs));
    check(&[b"a.b.c, d.e.f"], Err(Refusal::SeveralProofs));
    check(&[b"a.b.c,"], Err(Refusal::SeveralProofs));
    check(&[b"a.b.\xff"], Err(Refusal::NotCompact));
    check(&["a.b.é".as_bytes()], Err(Refusal::NotCompact));
}
