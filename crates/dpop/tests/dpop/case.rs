//! One proof and the call it comes with: a good one, until a row changes something.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use countersign_dpop::{
    Ath, Call, Limits, NonceKey, NonceRule, Nonces, Origin, Paths, Refusal, VerifiedProof, verify,
};
use countersign_jose::{Algorithms, SigningKey, UnixTime, base64url};

pub(crate) const NOW_SECS: u64 = 1_760_000_000;
pub(crate) const METHOD: &str = "/orders.v1.Orders/Create";
pub(crate) const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

/// A public origin on the default port, and one with a port and a path prefix.
pub(crate) const ORIGINS: [&str; 2] = ["https://rs.example.com", "https://inside.example:8443/rpc"];

pub(crate) static PARSED_ORIGINS: LazyLock<Vec<Origin>> = LazyLock::new(|| {
    ORIGINS
        .iter()
        .map(|origin| Origin::parse(origin).unwrap())
        .collect()
});

pub(crate) const NONCE_KEY: [u8; 32] = [0x42; 32];
pub(crate) const NONCE_STEP_SECS: u64 = 60;
pub(crate) const NONCE_STEPS: u32 = 3;

pub(crate) static NONCES: LazyLock<Nonces> = LazyLock::new(|| {
    let step = Duration::from_secs(NONCE_STEP_SECS);
    Nonces::new(&NonceKey::new(NONCE_KEY), step, NONCE_STEPS).unwrap()
});

pub(crate) fn now() -> UnixTime {
    UnixTime::from_secs(NOW_SECS)
}

/// From a signing input to a signature.
type Sign = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// Who signs. Both make the same signature every time, so that vectors can be published.
#[derive(Clone)]
pub(crate) enum Signer {
    Es256([u8; 32]),
    Ed25519([u8; 32]),
    /// Whatever this makes of the signing input.
    Other(Sign),
}

impl Signer {
    pub(crate) fn jwk(&self) -> String {
        match self {
            Self::Es256(scalar) => SigningKey::generate_es256(*scalar)
                .unwrap()
                .public()
                .to_jwk(),
            Self::Ed25519(seed) => SigningKey::generate_ed25519(*seed)
                .unwrap()
                .public()
                .to_jwk(),
            Self::Other(_) => panic!("whoever signs in another way brings the key along"),
        }
    }

    fn sign(&self, input: &str) -> Vec<u8> {
        match self {
            Self::Es256(scalar) => {
                use p256::ecdsa::signature::Signer as _;
                // RFC 6979: no random nonce.
                let key = p256::ecdsa::SigningKey::from_slice(scalar).unwrap();
                let signature: p256::ecdsa::Signature = key.sign(input.as_bytes());
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(seed) => {
                let key = SigningKey::generate_ed25519(*seed).unwrap();
                key.sign(input.as_bytes()).unwrap().to_vec()
            }
            Self::Other(sign) => sign(input),
        }
    }
}

/// JSON members in order, each value any text.
#[derive(Clone)]
struct Members(Vec<(String, String)>);

impl Members {
    fn set(&mut self, name: &str, json: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = json,
            None => self.0.push((name.into(), json)),
        }
    }

    fn json(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, json)| format!("\"{name}\":{json}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    Off,
    WhenOff,
    Required,
    ColdStart { minted_from: UnixTime },
}

/// What a verifier knows when the proof arrives.
#[derive(Clone)]
pub(crate) struct Situation {
    pub(crate) now: UnixTime,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) access_token: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) limits: Limits,
}

impl Situation {
    pub(crate) fn usual() -> Self {
        Self {
            now: now(),
            method: "POST".into(),
            path: METHOD.into(),
            access_token: None,
            rule: Rule::Off,
            limits: Limits::default(),
        }
    }

    pub(crate) fn verify(&self, proof: &str) -> Result<VerifiedProof, Refusal> {
        let ath = self.access_token.as_deref().map(Ath::of);
        let call = Call {
            method: &self.method,
            origins: &PARSED_ORIGINS,
            path: &self.path,
            paths: Paths::Plain,
            ath: ath.as_ref(),
        };
        let nonces = &*NONCES;
        let rule = match self.rule {
            Rule::Off => NonceRule::Off,
            Rule::WhenOff => NonceRule::WhenOff { nonces },
            Rule::Required => NonceRule::Required {
                nonces,
                minted_from: None,
            },
            Rule::ColdStart { minted_from } => NonceRule::Required {
                nonces,
                minted_from: Some(minted_from),
            },
        };
        verify(proof, &call, &self.limits, &rule, self.now)
    }
}

type Change<T> = Option<Arc<dyn Fn(T) -> T + Send + Sync>>;

/// A proof under construction, and its situation.
#[derive(Clone)]
pub(crate) struct Case {
    header: Members,
    payload: Members,
    raw_header: Option<Vec<u8>>,
    raw_payload: Option<Vec<u8>>,
    signer: Signer,
    change_signature: Change<Vec<u8>>,
    change_text: Change<String>,
    pub(crate) situation: Situation,
}

/// The usual key's, made once: in a debug build it takes a while.
static USUAL_JWK: LazyLock<String> = LazyLock::new(|| Signer::Es256([1; 32]).jwk());

/// A good proof by an ES256 key, without nonce and access token.
pub(crate) fn proof() -> Case {
    let signer = Signer::Es256([1; 32]);
    let mut case = Case {
        header: Members(Vec::new()),
        payload: Members(Vec::new()),
        raw_header: None,
        raw_payload: None,
        signer,
        change_signature: None,
        change_text: None,
        situation: Situation::usual(),
    };
    case.header.set("typ", text("dpop+jwt"));
    case.header.set("alg", text("ES256"));
    case.header.set("jwk", USUAL_JWK.clone());
    case.payload.set("jti", text("-BwC3ESc6acc2lTc"));
    case.payload.set("htm", text("POST"));
    case.payload
        .set("htu", text(format!("{}{METHOD}", ORIGINS[0])));
    case.payload.set("iat", NOW_SECS.to_string());
    case
}

/// The same by an Ed25519 key: quick to sign, for tests that make many.
pub(crate) fn edwards_proof() -> Case {
    static PROOF: LazyLock<Case> = LazyLock::new(|| proof().signed_by(Signer::Ed25519([1; 32])));
    PROOF.clone()
}

pub(crate) fn text(value: impl AsRef<str>) -> String {
    format!("\"{}\"", value.as_ref())
}

impl Case {
    /// A header member of any JSON.
    pub(crate) fn header(mut self, name: &str, json: impl Into<String>) -> Self {
        self.header.set(name, json.into());
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.0.retain(|(known, _)| known != name);
        self
    }

    /// A claim of any JSON.
    pub(crate) fn claim(mut self, name: &str, json: impl Into<String>) -> Self {
        self.payload.set(name, json.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.payload.0.retain(|(known, _)| known != name);
        self
    }

    /// A member of `jwk`, of any JSON.
    pub(crate) fn jwk_member(mut self, name: &str, json: &str) -> Self {
        let jwk = self
            .header
            .0
            .iter()
            .find(|(known, _)| known == "jwk")
            .unwrap()
            .1
            .clone();
        let mut members: serde_json::Map<_, _> = serde_json::from_str(&jwk).unwrap();
        members.insert(name.into(), serde_json::from_str(json).unwrap());
        self.header
            .set("jwk", serde_json::to_string(&members).unwrap());
        self
    }

    pub(crate) fn without_jwk_member(mut self, name: &str) -> Self {
        let jwk = self
            .header
            .0
            .iter()
            .find(|(known, _)| known == "jwk")
            .unwrap()
            .1
            .clone();
        let mut members: serde_json::Map<_, _> = serde_json::from_str(&jwk).unwrap();
        members.remove(name);
        self.header
            .set("jwk", serde_json::to_string(&members).unwrap());
        self
    }

    pub(crate) fn method(self, method: &str) -> Self {
        self.claim("htm", text(method))
    }

    pub(crate) fn target(self, htu: &str) -> Self {
        self.claim("htu", text(htu))
    }

    pub(crate) fn jti(self, jti: &str) -> Self {
        self.claim("jti", text(jti))
    }

    /// `iat`, in seconds after the verifier's clock.
    pub(crate) fn iat(self, after_now_secs: i64) -> Self {
        let iat = self
            .situation
            .now
            .as_secs()
            .saturating_add_signed(after_now_secs);
        self.claim("iat", iat.to_string())
    }

    pub(crate) fn ath_of(self, access_token: &str) -> Self {
        self.claim("ath", text(Ath::of(access_token).to_string()))
    }

    pub(crate) fn nonce(self, nonce: impl AsRef<str>) -> Self {
        self.claim("nonce", text(nonce))
    }

    /// A nonce of this verifier's, minted that long before its clock.
    pub(crate) fn nonce_minted_before(self, secs: u64) -> Self {
        let minted_at = self.situation.now.minus(Duration::from_secs(secs));
        self.nonce(NONCES.mint(minted_at))
    }

    /// Another key, in `jwk` and for the signature.
    pub(crate) fn signed_by(mut self, signer: Signer) -> Self {
        if !matches!(signer, Signer::Other(_)) {
            self.header.set("jwk", signer.jwk());
        }
        if matches!(signer, Signer::Ed25519(_)) {
            self.header.set("alg", text("Ed25519"));
        }
        self.signer = signer;
        self
    }

    pub(crate) fn raw_header(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_header = Some(bytes.into());
        self
    }

    pub(crate) fn header_json(&self) -> String {
        self.header.json()
    }

    pub(crate) fn payload_json(&self) -> String {
        self.payload.json()
    }

    /// The header's text changed before it is encoded and signed.
    pub(crate) fn edit_header(self, edit: impl Fn(String) -> String) -> Self {
        let edited = edit(self.header_json());
        self.raw_header(edited)
    }

    pub(crate) fn raw_payload(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_payload = Some(bytes.into());
        self
    }

    /// The payload's text changed before it is encoded and signed.
    pub(crate) fn edit_payload(self, edit: impl Fn(String) -> String) -> Self {
        let edited = edit(self.payload_json());
        self.raw_payload(edited)
    }

    /// The signature changed after it was made.
    pub(crate) fn signature(
        mut self,
        change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.change_signature = Some(Arc::new(change));
        self
    }

    /// The finished proof changed.
    pub(crate) fn edit(
        mut self,
        change: impl Fn(String) -> String + Send + Sync + 'static,
    ) -> Self {
        self.change_text = Some(Arc::new(change));
        self
    }

    /// With an access token beside it.
    pub(crate) fn with_token(mut self, access_token: &str) -> Self {
        self.situation.access_token = Some(access_token.into());
        self
    }

    pub(crate) fn called_with(mut self, method: &str, path: &str) -> Self {
        self.situation.method = method.into();
        self.situation.path = path.into();
        self
    }

    pub(crate) fn nonces(mut self, rule: Rule) -> Self {
        self.situation.rule = rule;
        self
    }

    pub(crate) fn limits(mut self, age_secs: u64, skew_secs: u64) -> Self {
        self.situation.limits.age = Duration::from_secs(age_secs);
        self.situation.limits.skew = Duration::from_secs(skew_secs);
        self
    }

    pub(crate) fn algorithms(mut self, algorithms: Algorithms) -> Self {
        self.situation.limits.algorithms = algorithms;
        self
    }

    /// The proof as it is sent.
    pub(crate) fn build(&self) -> String {
        let header = self
            .raw_header
            .clone()
            .unwrap_or_else(|| self.header_json().into_bytes());
        let payload = self
            .raw_payload
            .clone()
            .unwrap_or_else(|| self.payload_json().into_bytes());
        let input = format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(payload)
        );
        let mut signature = self.signer.sign(&input);
        if let Some(change) = &self.change_signature {
            signature = change(signature);
        }
        let proof = format!("{input}.{}", base64url::encode(signature));
        match &self.change_text {
            Some(change) => change(proof),
            None => proof,
        }
    }

    pub(crate) fn verify(&self) -> Result<VerifiedProof, Refusal> {
        self.situation.verify(&self.build())
    }
}
