//! `docs/grpc-dpop-vectors.json`, read as an implementer would read it, for tests that send the
//! proofs over a socket. The token service's tests include this file too.
//!
//! A vector names one call of one service, so where the call, the access token or the `jti` must
//! be another, the proof is changed and signed again, as rightly or wrongly as before. What is not
//! well-formed is sent as published. The log tells that the right check refused it.

use std::sync::{Arc, Mutex, Once};
use std::thread::{self, Thread};
use std::time::Duration;

use countersign_dpop::{Limits, PROOF_BYTES_MAX};
use countersign_jose::{Algorithm, Algorithms, CompactJws, SigningKey, base64url, json};
use serde_json::Value;

/// The path that all vectors but a few are about.
pub(crate) const PATH: &str = "/orders.v1.Orders/Create";

pub(crate) struct Document {
    pub(crate) now_secs: u64,
    pub(crate) origins: Vec<String>,
    pub(crate) nonce_key: [u8; 32],
    pub(crate) vectors: Vec<Vector>,
}

pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) access_token: Option<String>,
    pub(crate) terms: Terms,
    pub(crate) proof: String,
    /// Of a refused proof, why.
    pub(crate) refused: Option<String>,
}

/// What a verifier is configured with, apart from the time.
#[derive(Clone, PartialEq)]
pub(crate) struct Terms {
    pub(crate) limits: Limits,
    pub(crate) rule: Rule,
}

#[derive(Copy, Clone, PartialEq)]
pub(crate) enum Rule {
    Off,
    WhenIatIsOff,
    Required,
    ColdStart { minted_from_secs: u64 },
}

impl Document {
    pub(crate) fn read() -> Self {
        let text = include_str!("../../../../../docs/grpc-dpop-vectors.json");
        let document: Value = serde_json::from_str(text).expect("JSON");
        let vectors = members(&document["vectors"]).iter();
        Self {
            now_secs: document["now"].as_u64().expect("seconds"),
            origins: members(&document["origins"]).iter().map(string).collect(),
            nonce_key: base64url::decode_array(string(&document["nonces"]["key"]))
                .expect("32 bytes"),
            vectors: vectors
                .map(|vector| Vector::read(vector, &document["limits"]))
                .collect(),
        }
    }

    /// All terms that occur, each with its vectors: every one is a verifier of its own.
    pub(crate) fn by_terms(&self) -> Vec<(Terms, Vec<&Vector>)> {
        let mut groups: Vec<(Terms, Vec<&Vector>)> = Vec::new();
        for vector in &self.vectors {
            match groups.iter_mut().find(|(terms, _)| *terms == vector.terms) {
                Some((_, vectors)) => vectors.push(vector),
                None => groups.push((vector.terms.clone(), vec![vector])),
            }
        }
        groups
    }
}

impl Vector {
    fn read(vector: &Value, usual: &Value) -> Self {
        let limits = vector.get("limits").unwrap_or(usual);
        let secs = |name: &str| Duration::from_secs(limits[name].as_u64().expect("seconds"));
        let algorithms: Vec<Algorithm> = members(&limits["algorithms"])
            .iter()
            .map(|name| Algorithm::parse(&string(name)).expect("an algorithm"))
            .collect();
        let rule = match (
            string(&vector["nonce_rule"]).as_str(),
            vector["nonce_minted_from"].as_u64(),
        ) {
            ("off", None) => Rule::Off,
            ("when_iat_is_off", None) => Rule::WhenIatIsOff,
            ("required", None) => Rule::Required,
            ("required", Some(minted_from_secs)) => Rule::ColdStart { minted_from_secs },
            other => panic!("no rule is called {other:?}"),
        };
        Self {
            name: string(&vector["name"]),
            method: string(&vector["method"]),
            path: string(&vector["path"]),
            access_token: vector["access_token"].as_str().map(str::to_owned),
            terms: Terms {
                limits: Limits {
                    age: secs("age"),
                    skew: secs("skew"),
                    algorithms: Algorithms::of(&algorithms),
                },
                rule,
            },
            proof: string(&vector["proof"]),
            refused: vector["outcome"]["reason"].as_str().map(str::to_owned),
        }
    }

    /// Whether HTTP/2 has words for the call and its proof.
    pub(crate) fn can_be_sent(&self) -> bool {
        self.path.starts_with('/') && !self.proof.contains(['\n', '\0'])
    }

    /// What the proof says, if that much is well-formed.
    pub(crate) fn signed(&self, keys: &Keys) -> Option<Signed> {
        let jws = CompactJws::parse(&self.proof, PROOF_BYTES_MAX).ok()?;
        json::parse_object(jws.payload()).ok()?;
        let mut segments = self.proof.split('.').map(base64url::decode);
        let mut next = || segments.next().and_then(Result::ok);
        let (header, payload, signature) = (next()?, next()?, next()?);
        let key = keys
            .0
            .iter()
            .find(|key| jws.verify(key.public(), Algorithms::DEFAULT).is_ok());
        let signature = match (key, self.refused.as_deref()) {
            (Some(key), _) if key.algorithm() == Algorithm::Es256 && high_s(&signature) => {
                Signature::High
            }
            (Some(_), _) => Signature::Right,
            (None, Some("bad_signature")) => Signature::Like(signature),
            (None, _) => Signature::Old(signature),
        };
        Some(Signed {
            key: Arc::clone(key.unwrap_or(&keys.0[0])),
            header: String::from_utf8(header).ok()?,
            payload: String::from_utf8(payload).ok()?,
            signature,
            full: self.proof.len() == PROOF_BYTES_MAX,
        })
    }
}

/// The keys of the vectors.
pub(crate) struct Keys([Arc<SigningKey>; 2]);

impl Keys {
    pub(crate) fn new() -> Self {
        Self([
            Arc::new(SigningKey::generate_es256([1; 32]).expect("a scalar")),
            Arc::new(SigningKey::generate_ed25519([2; 32]).expect("a seed")),
        ])
    }
}

/// A proof that can be changed and signed again, in the very words of its JSON.
pub(crate) struct Signed {
    pub(crate) key: Arc<SigningKey>,
    header: String,
    pub(crate) payload: String,
    signature: Signature,
    /// It has the largest size allowed, and is to keep it.
    full: bool,
}

/// What the signature is to be.
enum Signature {
    Right,
    /// Right, with an `s` above half of the order.
    High,
    /// Wrong in the same way as this one.
    Like(Vec<u8>),
    /// This one: something else is wrong.
    Old(Vec<u8>),
}

impl Signed {
    /// The claim `jti` of all vectors but those about it.
    const JTI: &str = "\"-BwC3ESc6acc2lTc\"";

    /// Vectors stand alone: no two may be the same proof.
    pub(crate) fn jti(&mut self, number: usize) {
        self.payload = self
            .payload
            .replace(Self::JTI, &format!("\"vector-{number:09}\""));
    }

    pub(crate) fn says(&self, claim: &str) -> bool {
        self.payload.contains(&format!("\"{claim}\":"))
    }

    /// The proof, signed again, as rightly or wrongly as before.
    pub(crate) fn sign(mut self) -> String {
        while self.full && self.size() > PROOF_BYTES_MAX {
            // Of its filler, which is as many x as it takes.
            self.payload = self.payload.replacen("xxx", "", 1);
        }
        let input = format!(
            "{}.{}",
            base64url::encode(&self.header),
            base64url::encode(&self.payload)
        );
        // ECDSA draws anew each time.
        let mut fresh = std::iter::repeat_with(|| self.key.sign(input.as_bytes()).expect("signs"));
        let signature = match &self.signature {
            Signature::Right => fresh.next().map(Vec::from),
            Signature::High => fresh.find(|signature| high_s(signature)).map(Vec::from),
            Signature::Like(wrong) => fresh.next().map(|right| wrong_like(wrong, &right)),
            Signature::Old(old) => Some(old.clone()),
        };
        format!("{input}.{}", base64url::encode(signature.expect("endless")))
    }

    fn size(&self) -> usize {
        let encoded = |text: &str| (text.len() * 4).div_ceil(3);
        encoded(&self.header) + encoded(&self.payload) + 2 + 86
    }
}

/// Half of the order begins with 0x7f.
fn high_s(signature: &[u8]) -> bool {
    signature[32] >= 0x80
}

/// A right signature made wrong in the way that `wrong` is.
fn wrong_like(wrong: &[u8], right: &[u8; 64]) -> Vec<u8> {
    let der = |part: &[u8]| {
        let mut integer = vec![0x02, part.len() as u8 + 1, 0];
        integer.extend_from_slice(part);
        integer
    };
    match wrong.len() {
        // An integer that is not one of a signature's: the same in its place.
        64 if wrong.chunks(32).any(is_out_of_range) => {
            let halves = wrong.chunks(32).zip(right.chunks(32));
            halves
                .flat_map(|(wrong, right)| if is_out_of_range(wrong) { wrong } else { right })
                .copied()
                .collect()
        }
        length if length < 64 => right[..length].to_vec(),
        65 => [&right[..], &wrong[64..]].concat(),
        // ASN.1 with the integers padded, which is one way to write them.
        _ if wrong[0] == 0x30 => {
            let integers = [der(&right[..32]), der(&right[32..])].concat();
            [&[0x30, integers.len() as u8][..], &integers].concat()
        }
        // Somebody else's.
        _ => wrong.to_vec(),
    }
}

/// Of P-256.
pub(crate) const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// 0, or the order.
fn is_out_of_range(integer: &[u8]) -> bool {
    integer == [0; 32] || integer == ORDER
}

static HEARD: Mutex<Vec<(Thread, String)>> = Mutex::new(Vec::new());

/// Hears why calls are refused: peers are not told which check it was, the log is.
pub(crate) struct Refusals {
    counts: fn(&Thread) -> bool,
}

impl Refusals {
    /// From now on, on the threads that count.
    pub(crate) fn heard(counts: fn(&Thread) -> bool) -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            tracing::subscriber::set_global_default(Ear).expect("nobody else listens");
        });
        let refusals = Self { counts };
        refusals.take();
        refusals
    }

    /// What was heard since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut heard = HEARD.lock().expect("nobody panics with it");
        let (ours, others) = heard
            .drain(..)
            .partition::<Vec<_>, _>(|(thread, _)| (self.counts)(thread));
        *heard = others;
        ours.into_iter().map(|(_, cause)| cause).collect()
    }
}

struct Ear;

impl tracing::Subscriber for Ear {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event() && metadata.fields().field("cause").is_some()
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Cause;
        impl tracing::field::Visit for Cause {
            fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
                if field.name() == "cause" {
                    let mut heard = HEARD.lock().expect("nobody panics with it");
                    heard.push((thread::current(), value.to_owned()));
                }
            }

            fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
        }
        event.record(&mut Cause);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

fn members(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).expect("a list")
}

fn string(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
