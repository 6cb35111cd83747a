//! Numbers for tests.

use p256::elliptic_curve::ops::Neg as _;

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The twin of an ECDSA signature whose s is above half the order.
pub(crate) fn high_s(signature: &[u8]) -> Vec<u8> {
    let low = low_s(signature);
    let (r, s) = p256::ecdsa::Signature::from_slice(&low)
        .unwrap()
        .split_scalars();
    p256::ecdsa::Signature::from_scalars(r, s.neg())
        .unwrap()
        .to_bytes()
        .to_vec()
}

/// The twin whose s is at most half the order.
pub(crate) fn low_s(signature: &[u8]) -> Vec<u8> {
    let signature = p256::ecdsa::Signature::from_slice(signature).unwrap();
    signature.normalize_s().to_bytes().to_vec()
}

/// An odd number of that many bits.
pub(crate) fn rsa_modulus(bits: usize) -> Vec<u8> {
    vec![0xc5; bits / 8]
}
