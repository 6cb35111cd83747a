//! Private keys in and out of their formats.

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use zeroize::Zeroizing;

use super::{KeyRejected, Secret, SigningKey};
use crate::json::{self, Object, Value};
use crate::{PublicKey, base64url};

/// Far above any P-256 or Ed25519 key with its attributes.
const PKCS8_BYTES_MAX: usize = 1024;

/// RFC 8410 §7: version 0, algorithm 1.3.101.112, an octet string of an octet string of 32.
const ED25519_PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

pub(super) fn es256(scalar: &[u8; 32]) -> Result<SigningKey, KeyRejected> {
    es256_from(&p256::SecretKey::from_slice(scalar).map_err(|_| KeyRejected)?)
}

fn es256_from(secret: &p256::SecretKey) -> Result<SigningKey, KeyRejected> {
    let point = secret.public_key().to_sec1_point(false);
    let scalar = Zeroizing::new(<[u8; 32]>::from(secret.to_bytes()));
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        scalar.as_slice(),
        point.as_bytes(),
    )
    .map_err(|_| KeyRejected)?;
    let public = PublicKey::p256_from_sec1(point.as_bytes()).ok_or(KeyRejected)?;
    Ok(SigningKey {
        secret: Secret::Es256(pair),
        public,
    })
}

pub(super) fn ed25519(seed: &[u8; 32]) -> Result<SigningKey, KeyRejected> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyRejected)?;
    let public = pair
        .public_key()
        .as_ref()
        .try_into()
        .map_err(|_| KeyRejected)?;
    Ok(SigningKey {
        secret: Secret::Ed25519(pair),
        public: PublicKey::ed25519(public),
    })
}

pub(super) fn pkcs8(der: &[u8]) -> Result<SigningKey, KeyRejected> {
    if der.len() > PKCS8_BYTES_MAX {
        return Err(KeyRejected);
    }
    if let Ok(secret) = p256::SecretKey::from_pkcs8_der(der) {
        return es256_from(&secret);
    }
    let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyRejected)?;
    ed25519(&*ed25519_seed(&pair)?)
}

pub(super) fn pem(pem: &str) -> Result<SigningKey, KeyRejected> {
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
        .filter(|body| body.len() <= PKCS8_BYTES_MAX * 2)
        .ok_or(KeyRejected)?;
    let body: Zeroizing<String> = Zeroizing::new(
        body.chars()
            .filter(|char| !char.is_ascii_whitespace())
            .collect(),
    );
    let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| KeyRejected)?);
    pkcs8(&der)
}

pub(super) fn private_jwk(bytes: &[u8]) -> Result<SigningKey, KeyRejected> {
    let jwk = json::object(bytes).map_err(|_| KeyRejected)?;
    let d = Zeroizing::new(
        member(&jwk, "d")
            .and_then(|d| base64url::decode_array::<32>(d).ok())
            .ok_or(KeyRejected)?,
    );
    let (key, stated) = match (member(&jwk, "kty"), member(&jwk, "crv")) {
        (Some("EC"), Some("P-256")) => (es256(&d)?, &["x", "y"][..]),
        (Some("OKP"), Some("Ed25519")) => (ed25519(&d)?, &["x"][..]),
        _ => return Err(KeyRejected),
    };
    let public = key.public.to_jwk();
    let derived = json::object(public.as_bytes()).map_err(|_| KeyRejected)?;
    let consistent = stated
        .iter()
        .all(|name| jwk.member(name) == derived.member(name));
    if consistent {
        Ok(key)
    } else {
        Err(KeyRejected)
    }
}

fn member<'o>(jwk: &'o Object<'_>, name: &str) -> Option<&'o str> {
    jwk.member(name).and_then(Value::text)
}

pub(super) fn es256_to_pkcs8(pair: &EcdsaKeyPair) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
    let scalar = pair.private_key().as_be_bytes().map_err(|_| KeyRejected)?;
    let secret = p256::SecretKey::from_slice(scalar.as_ref()).map_err(|_| KeyRejected)?;
    let der = secret.to_pkcs8_der().map_err(|_| KeyRejected)?;
    Ok(Zeroizing::new(der.as_bytes().to_vec()))
}

pub(super) fn ed25519_to_pkcs8(pair: &Ed25519KeyPair) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
    let seed = ed25519_seed(pair)?;
    let mut der = Zeroizing::new(Vec::with_capacity(ED25519_PKCS8_PREFIX.len() + seed.len()));
    der.extend_from_slice(&ED25519_PKCS8_PREFIX);
    der.extend_from_slice(seed.as_slice());
    Ok(der)
}

fn ed25519_seed(pair: &Ed25519KeyPair) -> Result<Zeroizing<[u8; 32]>, KeyRejected> {
    let seed = pair
        .seed()
        .and_then(|seed| seed.as_be_bytes())
        .map_err(|_| KeyRejected)?;
    let seed: [u8; 32] = seed.as_ref().try_into().map_err(|_| KeyRejected)?;
    Ok(Zeroizing::new(seed))
}
