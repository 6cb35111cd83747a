//! The claims of a proof, read once.

use countersign_jose::UnixTime;
use countersign_jose::json::{Number, Object, Value};

use crate::{JTI_BYTES_MAX, Refusal};

/// The claims, of the right types; not yet compared with anything.
pub(crate) struct Claims<'c> {
    pub(crate) jti: &'c str,
    pub(crate) htm: &'c str,
    pub(crate) htu: &'c str,
    pub(crate) iat: UnixTime,
    pub(crate) nonce: Option<&'c str>,
    /// Read only where an access token is presented, so an odd one elsewhere does no harm.
    pub(crate) ath: Option<&'c Value<'c>>,
}

impl<'c> Claims<'c> {
    /// RFC 9449 §4.3 (3): all required claims.
    pub(crate) fn read(members: &'c Object<'c>) -> Result<Self, Refusal> {
        let (mut jti, mut htm, mut htu, mut iat, mut nonce, mut ath) =
            (None, None, None, None, None, None);
        for (name, value) in members.members() {
            match name {
                "jti" => jti = Some(value),
                "htm" => htm = Some(value),
                "htu" => htu = Some(value),
                "iat" => iat = Some(value),
                "nonce" => nonce = Some(value),
                "ath" => ath = Some(value),
                _ => {}
            }
        }
        let jti = text(jti, Refusal::JtiMissing, Refusal::JtiMalformed)?;
        if jti.is_empty() || jti.len() > JTI_BYTES_MAX {
            return Err(Refusal::JtiMalformed);
        }
        Ok(Self {
            jti,
            htm: text(htm, Refusal::HtmMissing, Refusal::HtmMalformed)?,
            htu: text(htu, Refusal::HtuMissing, Refusal::HtuMalformed)?,
            iat: numeric_date(iat.ok_or(Refusal::IatMissing)?)?,
            nonce: match nonce {
                None => None,
                Some(nonce) => Some(nonce.text().ok_or(Refusal::NonceMalformed)?),
            },
            ath,
        })
    }
}

fn text<'c>(
    claim: Option<&'c Value<'c>>,
    missing: Refusal,
    malformed: Refusal,
) -> Result<&'c str, Refusal> {
    claim.ok_or(missing)?.text().ok_or(malformed)
}

/// The last whole number that a double holds exactly, as RFC 8259 §6 advises; no clock goes there.
const NUMERIC_DATE_MAX: u64 = (1 << 53) - 1;

/// RFC 7519 §2, NumericDate: seconds, perhaps with a fraction, which is dropped.
fn numeric_date(claim: &Value<'_>) -> Result<UnixTime, Refusal> {
    let secs = match claim {
        Value::Number(Number::Whole(secs)) => *secs,
        Value::Number(Number::Float(secs)) if (0.0..=NUMERIC_DATE_MAX as f64).contains(secs) => {
            *secs as u64
        }
        _ => return Err(Refusal::IatMalformed),
    };
    if secs > NUMERIC_DATE_MAX {
        Err(Refusal::IatMalformed)
    } else {
        Ok(UnixTime::from_secs(secs))
    }
}
