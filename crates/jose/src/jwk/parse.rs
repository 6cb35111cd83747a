//! From a JWK's JSON to a key.

use super::key::{Material, PublicKey};
use crate::json::{self, Object, Value};
use crate::{Algorithm, JsonError, base64url};

/// Why a JWK is not a public key that can be used here.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JwkError {
    /// The text is not a strict JSON object.
    #[error("the JWK is {0}")]
    Json(JsonError),
    /// The member `jwk` is null, a string, a list…
    #[error("the JWK is not a JSON object")]
    NotAnObject,
    /// It holds a private (or symmetric) member: `d`, `p`, `q`, `dp`, `dq`, `qi`, `oth` or `k`.
    #[error("the JWK holds a private key")]
    PrivateMember,
    /// `kty` is missing, or of a kind that is not used here (`oct` among them).
    #[error("the key type is not supported")]
    KeyType,
    /// `crv` is missing, or a curve that is not used here.
    #[error("the curve is not supported")]
    Curve,
    /// A required member is missing, not a string, not canonical base64url or of the wrong size.
    #[error("a coordinate or component is missing or malformed")]
    Component,
    /// `alg`, `use` or `key_ops` says that the key is not for verifying such signatures.
    #[error("the JWK's alg, use or key_ops contradicts its use")]
    Contradiction,
    /// `kid` is not a string.
    #[error("the JWK's kid is not a string")]
    Kid,
    /// An RSA modulus below 2048 or above 4096 bits, or an unusable one.
    #[error("the RSA modulus is not an odd number of 2048 to 4096 bits")]
    RsaModulus,
    /// An RSA exponent that is even, below 3 or above 32 bits.
    #[error("the RSA exponent is not an odd number from 3 to 2^32")]
    RsaExponent,
    /// An Ed25519 key of small order, under which anyone can make signatures that verify.
    #[error("the point has a small order")]
    SmallOrder,
    /// An elliptic-curve point that is not on its curve.
    #[error("the point is not on the curve")]
    PointNotOnCurve,
}

/// A public key with what its JWK says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Jwk {
    /// The key.
    pub key: PublicKey,
    /// The key's name in its owner's key set.
    pub kid: Option<String>,
    /// The one algorithm the key is for; it fits the key.
    pub alg: Option<Algorithm>,
}

impl Jwk {
    /// Reads a public JWK, strictly.
    ///
    /// # Errors
    /// See [`JwkError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkError> {
        Self::from_object(&json::object(bytes).map_err(JwkError::Json)?)
    }

    /// Reads a public JWK that was already read as JSON. Members that are not known here are
    /// ignored (RFC 7517 §4).
    ///
    /// # Errors
    /// See [`JwkError`].
    pub fn from_object(object: &Object<'_>) -> Result<Self, JwkError> {
        let members = Members::sort(object)?;
        let key = members.key()?;
        let alg = match members.alg {
            None => None,
            Some(alg) => Some(fitting_algorithm(alg, &key)?),
        };
        // RFC 7517 §4.2, §4.3: what the owner says the key is for.
        if members
            .key_use
            .is_some_and(|key_use| key_use.text() != Some("sig"))
        {
            return Err(JwkError::Contradiction);
        }
        if members.key_ops.is_some_and(|ops| !are_only_verify(ops)) {
            return Err(JwkError::Contradiction);
        }
        let kid = match members.kid {
            None => None,
            Some(kid) => Some(kid.text().ok_or(JwkError::Kid)?.to_owned()),
        };
        Ok(Self { key, kid, alg })
    }
}

fn fitting_algorithm(alg: &Value<'_>, key: &PublicKey) -> Result<Algorithm, JwkError> {
    alg.text()
        .and_then(Algorithm::parse)
        .filter(|algorithm| key.algorithm_fits(*algorithm))
        .ok_or(JwkError::Contradiction)
}

fn are_only_verify(ops: &Value<'_>) -> bool {
    match ops {
        // RFC 7517 §4.3: no duplicates; and a public key can do nothing else with a signature.
        Value::List(ops) => ops.len() == 1 && ops[0].text() == Some("verify"),
        _ => false,
    }
}

/// The members that matter, found in one pass.
#[derive(Default)]
struct Members<'m, 'a> {
    kty: Option<&'m Value<'a>>,
    crv: Option<&'m Value<'a>>,
    x: Option<&'m Value<'a>>,
    y: Option<&'m Value<'a>>,
    n: Option<&'m Value<'a>>,
    e: Option<&'m Value<'a>>,
    alg: Option<&'m Value<'a>>,
    key_use: Option<&'m Value<'a>>,
    key_ops: Option<&'m Value<'a>>,
    kid: Option<&'m Value<'a>>,
}

impl<'m, 'a> Members<'m, 'a> {
    fn sort(object: &'m Object<'a>) -> Result<Self, JwkError> {
        let mut sorted = Self::default();
        for (name, value) in object.members() {
            let place = match name {
                "kty" => &mut sorted.kty,
                "crv" => &mut sorted.crv,
                "x" => &mut sorted.x,
                "y" => &mut sorted.y,
                "n" => &mut sorted.n,
                "e" => &mut sorted.e,
                "alg" => &mut sorted.alg,
                "use" => &mut sorted.key_use,
                "key_ops" => &mut sorted.key_ops,
                "kid" => &mut sorted.kid,
                // RFC 7518 §6.2.2, §6.3.2, §6.4.1: whatever its type or value.
                "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" | "k" => {
                    return Err(JwkError::PrivateMember);
                }
                _ => continue,
            };
            *place = Some(value);
        }
        Ok(sorted)
    }

    fn key(&self) -> Result<PublicKey, JwkError> {
        let material = match self.kty.and_then(Value::text) {
            Some("EC") => match self.crv.and_then(Value::text) {
                Some("P-256") => Material::P256(point::<32, 65>(self.x, self.y)?),
                Some("P-384") => Material::P384(point::<48, 97>(self.x, self.y)?),
                _ => return Err(JwkError::Curve),
            },
            Some("OKP") => match self.crv.and_then(Value::text) {
                Some("Ed25519") => Material::Ed25519(edwards_point(fixed(self.x)?)?),
                _ => return Err(JwkError::Curve),
            },
            Some("RSA") => rsa(self.n, self.e)?,
            _ => return Err(JwkError::KeyType),
        };
        Ok(PublicKey(material))
    }
}

/// RFC 7518 §6.2.1.2: a coordinate is always the full size of the field, never shortened.
fn point<const FIELD: usize, const SEC1: usize>(
    x: Option<&Value<'_>>,
    y: Option<&Value<'_>>,
) -> Result<[u8; SEC1], JwkError> {
    let mut sec1 = [0; SEC1];
    sec1[0] = 4;
    sec1[1..=FIELD].copy_from_slice(&fixed::<FIELD>(x)?);
    sec1[1 + FIELD..].copy_from_slice(&fixed::<FIELD>(y)?);
    Ok(sec1)
}

fn fixed<const N: usize>(value: Option<&Value<'_>>) -> Result<[u8; N], JwkError> {
    let text = value.and_then(Value::text).ok_or(JwkError::Component)?;
    base64url::decode_array(text).map_err(|_| JwkError::Component)
}

/// RFC 8032 §5.1.3 (1): y must be below p. And the eight points of small order are refused, by
/// their five y, whatever the sign bit of x says: they sign nothing.
fn edwards_point(bytes: [u8; 32]) -> Result<[u8; 32], JwkError> {
    let mut y = bytes;
    y[31] &= 0x7f;
    // p = 2^255 − 19, little-endian: ed, ff × 30, 7f.
    if y[31] == 0x7f && y[1..31].iter().all(|byte| *byte == 0xff) && y[0] >= 0xed {
        return Err(JwkError::PointNotOnCurve);
    }
    if SMALL_ORDER_Y.contains(&y) {
        Err(JwkError::SmallOrder)
    } else {
        Ok(bytes)
    }
}

const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    // 0 (order 4)
    [0; 32],
    // 1 (the neutral point)
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    // p − 1 (order 2)
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    // order 8
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    // order 8
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// NIST SP 800-131A asks for 2048 bits; above 4096 a signature check costs more than a call may.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
const RSA_MODULUS_BYTES_MAX: usize = *RSA_BITS.end() / 8;
/// 65537 takes three; the cryptographic library takes no exponent above 33 bits.
const RSA_EXPONENT_BYTES_MAX: usize = 4;

fn rsa(n: Option<&Value<'_>>, e: Option<&Value<'_>>) -> Result<Material, JwkError> {
    let n = integer(n, RSA_MODULUS_BYTES_MAX, JwkError::RsaModulus)?;
    let bits = n.len() * 8 - n[0].leading_zeros() as usize;
    if !RSA_BITS.contains(&bits) || !is_odd(&n) {
        return Err(JwkError::RsaModulus);
    }
    let e = integer(e, RSA_EXPONENT_BYTES_MAX, JwkError::RsaExponent)?;
    if !is_odd(&e) || *e == [1] {
        return Err(JwkError::RsaExponent);
    }
    Ok(Material::Rsa { n, e })
}

/// RFC 7518 §6.3.1, Base64urlUInt: big-endian in the fewest bytes, so that one number has one
/// text and one thumbprint. The length is judged before anything is decoded.
fn integer(
    value: Option<&Value<'_>>,
    bytes_max: usize,
    too_long: JwkError,
) -> Result<Box<[u8]>, JwkError> {
    let text = value.and_then(Value::text).ok_or(JwkError::Component)?;
    if text.len() > base64url::encoded_len(bytes_max) {
        return Err(too_long);
    }
    let bytes = base64url::decode(text).map_err(|_| JwkError::Component)?;
    match bytes.first() {
        None | Some(0) => Err(JwkError::Component),
        Some(_) => Ok(bytes.into_boxed_slice()),
    }
}

fn is_odd(big_endian: &[u8]) -> bool {
    big_endian.last().is_some_and(|byte| byte & 1 == 1)
}
