//! Instructions of verifying a proof and of minting one, counted under valgrind: the same on
//! every run, so that slow decay shows. `tests/instructions/main.rs` compares them with what
//! they were.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made has failed"
)]
#![expect(missing_docs, reason = "the macros make public items")]

use std::hint::black_box;
use std::sync::Arc;

use countersign_dpop::{
    Ath, Call, Jti, Limits, Mint, Minter, NonceKey, NonceRule, Nonces, Origin, Paths, Refusal,
    Target, VerifiedProof, verify,
};
use countersign_jose::{SigningFailed, SigningKey, UnixTime, base64url};
use gungraun::{library_benchmark, library_benchmark_group, main};
use p256::ecdsa::signature::Signer as _;

const PATH: &str = "/orders.v1.Orders/Create";
const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);
const SECRET: [u8; 32] = [1; 32];

/// A client and a server that know each other; nothing about them changes from run to run.
struct Parties {
    minter: Minter,
    target: Target,
    origins: [Origin; 1],
    ath: Ath,
    nonces: Nonces,
    nonce: String,
    proof: String,
}

impl Parties {
    fn new(key: SigningKey, sign: impl Fn(&SigningKey, &[u8]) -> [u8; 64]) -> Self {
        let origin = Origin::parse("https://orders.internal:8443").unwrap();
        let nonces = Nonces::standard(&NonceKey::new([9; 32]));
        let minter = Minter::new(Arc::new(key));
        let mut parties = Self {
            target: origin.target(PATH).unwrap(),
            origins: [origin],
            ath: Ath::of("an access token; its hash is made once, before the proof is looked at"),
            nonce: nonces.mint(NOW),
            nonces,
            minter,
            proof: String::new(),
        };
        let input = parties.proof_to_sign();
        let signature = sign(parties.minter.key(), input.as_bytes());
        parties.proof = format!("{input}.{}", base64url::encode(signature));
        parties.verify().unwrap();
        parties
    }

    /// What a minter signs, written by hand: an ES256 minter would make another signature on
    /// every run, whose check counts differently.
    fn proof_to_sign(&self) -> String {
        let key = self.minter.key();
        let header = format!(
            r#"{{"typ":"dpop+jwt","alg":"{}","jwk":{}}}"#,
            key.algorithm(),
            key.public().to_jwk()
        );
        let payload = format!(
            r#"{{"jti":"AwMDAwMDAwMDAwMDAwMDAw","htm":"POST","htu":"{}","iat":{},"nonce":"{}","ath":"{}"}}"#,
            self.target,
            NOW.as_secs(),
            self.nonce,
            self.ath
        );
        format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(payload)
        )
    }

    fn mint(&self) -> Result<String, SigningFailed> {
        self.minter.mint(&Mint {
            jti: Jti::new([3; 16]),
            method: "POST",
            target: &self.target,
            iat: NOW,
            nonce: Some(&self.nonce),
            ath: Some(&self.ath),
        })
    }

    fn verify(&self) -> Result<VerifiedProof, Refusal> {
        let call = Call {
            method: "POST",
            origins: &self.origins,
            path: PATH,
            paths: Paths::Plain,
            ath: Some(&self.ath),
        };
        let rule = NonceRule::WhenOff {
            nonces: &self.nonces,
        };
        let proof = black_box(self.proof.as_str());
        verify(proof, &call, &Limits::default(), &rule, NOW)
    }
}

/// The proof was verified once before it is counted, so that what a process does only once is
/// not. Leaked, so that putting away is not counted either.
fn es256() -> &'static Parties {
    let key = SigningKey::generate_es256(SECRET).unwrap();
    // RFC 6979: one signature for each text.
    Box::leak(Box::new(Parties::new(key, |_, input| {
        let key = p256::ecdsa::SigningKey::from_slice(&SECRET).unwrap();
        let signature: p256::ecdsa::Signature = key.sign(input);
        signature.to_bytes().into()
    })))
}

fn ed25519() -> &'static Parties {
    let key = SigningKey::generate_ed25519(SECRET).unwrap();
    let parties = Parties::new(key, |key, input| key.sign(input).unwrap());
    Box::leak(Box::new(parties))
}

#[library_benchmark]
#[bench::es256(es256())]
#[bench::ed25519(ed25519())]
fn verify_proof(parties: &Parties) -> VerifiedProof {
    parties.verify().unwrap()
}

// Ed25519 alone: an ES256 signature draws random values, and seeding the generator takes a minute
// under valgrind. The rest is the same for both.
#[library_benchmark]
#[bench::ed25519(ed25519())]
fn mint_proof(parties: &Parties) -> String {
    parties.mint().unwrap()
}

library_benchmark_group!(name = proof, benchmarks = [verify_proof, mint_proof]);
main!(library_benchmark_groups = proof);
