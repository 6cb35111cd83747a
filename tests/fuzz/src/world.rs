//! The keys, names and the instant that every target works with.

use std::sync::LazyLock;
use std::time::Duration;

use countersign_dpop::{NonceKey, Nonces};
use countersign_issuer::IssuerName;
use countersign_jose::{SigningKey, UnixTime, base64url, json};

/// What the published vectors are verified at.
pub const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);

/// Who issues tokens and takes assertions.
pub static ISSUER: LazyLock<IssuerName> = LazyLock::new(|| {
    IssuerName::parse("https://tokens.internal:7443").expect("it is an https URL")
});

/// The keys that sign whatever comes in parts: those of the published vectors.
pub static ES256: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate_es256([1; 32]).expect("a scalar in range"));
/// See [`ES256`].
pub static ED25519: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate_ed25519([1; 32]).expect("any seed will do"));

/// The nonces of the published vectors.
pub static NONCES: LazyLock<Nonces> = LazyLock::new(|| {
    Nonces::new(&NonceKey::new([0x42; 32]), Duration::from_secs(60), 3).expect("three minutes")
});

/// The JWS that an input means.
///
/// A header and a payload on two lines are signed: nobody finds a signature by trying, and what is
/// read behind one would never be reached. Anything else is taken as it is.
pub fn jws(input: &[u8]) -> Option<String> {
    match parts(input) {
        Some((header, payload)) => Some(signed(header, payload)),
        None => String::from_utf8(input.to_vec()).ok(),
    }
}

/// Header and payload of an input that is to be signed.
pub fn parts(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = input.iter().position(|byte| *byte == b'\n')?;
    input
        .starts_with(b"{")
        .then(|| (&input[..ends], &input[ends + 1..]))
}

/// A JWS of these bytes by the key that the header's `alg` asks for.
pub fn signed(header: &[u8], payload: &[u8]) -> String {
    let edwards = json::object(header).is_ok_and(|header| {
        let alg = header.member("alg").and_then(json::Value::text);
        matches!(alg, Some("EdDSA" | "Ed25519"))
    });
    let key = if edwards { &*ED25519 } else { &*ES256 };
    key.sign_compact(header, payload)
        .expect("the library signs anything")
}

/// The same JWS with one bit of its signature changed, if it is in three parts.
pub fn with_another_signature(jws: &str) -> Option<String> {
    let (input, signature) = jws.rsplit_once('.')?;
    let mut signature = base64url::decode(signature).ok()?;
    *signature.first_mut()? ^= 1;
    Some(format!("{input}.{}", base64url::encode(signature)))
}
