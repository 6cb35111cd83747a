//! `jose`: private keys, which come from files.

use countersign_jose::SigningKey;

pub fn check(input: &[u8]) {
    let of_text = std::str::from_utf8(input)
        .ok()
        .and_then(|text| SigningKey::from_pkcs8_pem(text).ok());
    for key in [
        of_text,
        SigningKey::from_pkcs8_der(input).ok(),
        SigningKey::from_private_jwk(input).ok(),
    ]
    .into_iter()
    .flatten()
    {
        kept(&key);
    }
}

/// The public half belongs to the private one, and both are kept.
fn kept(key: &SigningKey) {
    let signature = key.sign(b"anything").expect("the library signs anything");
    let verified = key
        .public()
        .verify(key.algorithm(), b"anything", &signature);
    assert_eq!(verified, Ok(()));
    let der = key.to_pkcs8_der().expect("it has a form");
    let again = SigningKey::from_pkcs8_der(&der).expect("we wrote it");
    assert_eq!(again.public(), key.public());
    assert_eq!(again.to_pkcs8_der().expect("it has a form"), der);
}
