//! The header or metadata field that carries a proof.

use crate::Refusal;

/// RFC 9449 §4.3 (1): not more than one `DPoP` field, and one proof in it.
///
/// `fields` are the values of every `dpop` field of the request.
///
/// # Errors
/// [`Refusal::ProofMissing`], [`Refusal::SeveralProofs`], and [`Refusal::NotCompact`] for a value
/// that is not ASCII.
pub fn sole_proof<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, Refusal> {
    let mut fields = fields.into_iter();
    let proof = fields.next().ok_or(Refusal::ProofMissing)?;
    // RFC 9110 §5.3: several fields and one with commas are the same thing.
    if fields.next().is_some() || proof.contains(&b',') {
        return Err(Refusal::SeveralProofs);
    }
    std::str::from_utf8(proof)
        .ok()
        .filter(|proof| proof.is_ascii())
        .ok_or(Refusal::NotCompact)
}
