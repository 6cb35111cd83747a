//! The proofs printed in RFC 9449.

use countersign_dpop::{
    Ath, Call, Limits, NonceRule, Origin, Paths, Refusal, VerifiedProof, verify,
};
use countersign_jose::UnixTime;

use crate::values::low_s;

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../testdata/vectors.json")).unwrap()
}

struct Printed {
    signed: String,
    signature: String,
    twin: Option<String>,
    der: Option<String>,
    method: String,
    origin: Origin,
    path: String,
    ath: Option<Ath>,
    iat: u64,
}

impl Printed {
    fn figure(number: u64) -> Self {
        let vectors = vectors();
        let rfc = &vectors["rfc9449"];
        let proofs = rfc["proofs"].as_array().unwrap();
        let proof = proofs
            .iter()
            .find(|proof| proof["figure"] == number)
            .unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let uri = text(&proof["uri"]);
        let (origin, path) = uri.split_at(uri.rfind('/').unwrap());
        Self {
            signed: format!(
                "{}.{}",
                text(&rfc["header_segment"]),
                text(&proof["payload_segment"])
            ),
            signature: text(&proof["signature_segment"]),
            twin: proof["signature_low_s_twin"].as_str().map(Into::into),
            der: proof["signature_der_must_be_refused"]
                .as_str()
                .map(Into::into),
            method: text(&proof["method"]),
            origin: Origin::parse(origin).unwrap(),
            path: path.to_owned(),
            ath: proof["access_token"].as_str().map(Ath::of),
            iat: proof["iat"].as_u64().unwrap(),
        }
    }

    fn verify(&self, signature: &str) -> Result<VerifiedProof, Refusal> {
        let call = Call {
            method: &self.method,
            origins: std::slice::from_ref(&self.origin),
            path: &self.path,
            paths: Paths::Plain,
            ath: self.ath.as_ref(),
        };
        let proof = format!("{}.{signature}", self.signed);
        let now = UnixTime::from_secs(self.iat + 5);
        verify(&proof, &call, &Limits::default(), &NonceRule::Off, now)
    }
}

#[test]
fn figures_5_and_13_are_accepted() {
    let jkt = vectors()["rfc9449"]["jkt"].as_str().unwrap().to_owned();
    for number in [5, 13] {
        let printed = Printed::figure(number);
        let verified = printed.verify(&printed.signature).unwrap();
        assert_eq!(verified.jkt.to_string(), jkt);
        assert_eq!(verified.iat, UnixTime::from_secs(printed.iat));
    }
    let proofs = &vectors()["rfc9449"]["proofs"];
    assert_eq!(
        Printed::figure(13).ath.unwrap().to_string(),
        proofs[1]["ath"]
    );
}

#[test]
fn the_low_s_twin_is_the_same_proof() {
    let printed = Printed::figure(5);
    let twin = printed.twin.clone().unwrap();
    let first = printed.verify(&printed.signature).unwrap();
    assert_eq!(printed.verify(&twin).unwrap().spent, first.spent);
    let signature = countersign_jose::base64url::decode(&printed.signature).unwrap();
    assert_eq!(countersign_jose::base64url::encode(low_s(&signature)), twin);
}

#[test]
fn der_is_not_a_form_of_a_signature() {
    let printed = Printed::figure(5);
    assert_eq!(
        printed.verify(printed.der.as_ref().unwrap()),
        Err(Refusal::BadSignature)
    );
}
