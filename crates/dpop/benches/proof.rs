//! Verifying a proof against the floor: the signature check alone, by the same library.
//!
//! `cargo bench -p countersign-dpop --bench proof` prints criterion's estimates, then the ratio
//! floor ÷ ours of a paired measurement in which the two take turns, so that a busy machine
//! disturbs both alike.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use countersign_dpop::{
    Ath, Call, Jti, Limits, Mint, Minter, NonceKey, NonceRule, Nonces, Origin, Paths, verify,
};
use countersign_jose::{SigningKey, UnixTime, base64url};
use criterion::Criterion;

const PATH: &str = "/orders.v1.Orders/Create";
const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);

/// One proof, and what it takes to check its signature by hand.
struct Bench {
    name: &'static str,
    minter: Minter,
    origins: [Origin; 1],
    ath: Ath,
    nonces: Nonces,
    nonce: String,
    proof: String,
    algorithm: &'static dyn VerificationAlgorithm,
    point: Vec<u8>,
    signature: Vec<u8>,
}

impl Bench {
    fn new(
        name: &'static str,
        key: SigningKey,
        algorithm: &'static dyn VerificationAlgorithm,
    ) -> Self {
        let jwk: serde_json::Value = serde_json::from_str(&key.public().to_jwk()).unwrap();
        let number = |name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
        let point = match jwk["kty"].as_str().unwrap() {
            "EC" => [&[4], &number("x")[..], &number("y")].concat(),
            _ => number("x"),
        };
        let nonces = Nonces::standard(&NonceKey::new([9; 32]));
        let mut bench = Self {
            name,
            minter: Minter::new(Arc::new(key)),
            origins: [Origin::parse("https://orders.internal:8443").unwrap()],
            ath: Ath::of("an access token; its hash is made once, before the proof is looked at"),
            nonce: nonces.mint(NOW),
            nonces,
            proof: String::new(),
            algorithm,
            point,
            signature: Vec::new(),
        };
        bench.proof = bench.mint();
        bench.signature = base64url::decode(bench.proof.rsplit_once('.').unwrap().1).unwrap();
        bench
    }

    fn mint(&self) -> String {
        let target = self.origins[0].target(PATH).unwrap();
        let mint = Mint {
            jti: Jti::new([3; 16]),
            method: "POST",
            target: &target,
            iat: NOW,
            nonce: Some(&self.nonce),
            ath: Some(&self.ath),
        };
        self.minter.mint(&mint).unwrap()
    }

    fn ours(&self) {
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
        black_box(verify(proof, &call, &Limits::default(), &rule, NOW).unwrap());
    }

    fn floor(&self) {
        let input = black_box(self.proof.as_str()).rsplit_once('.').unwrap().0;
        UnparsedPublicKey::new(self.algorithm, black_box(&self.point))
            .verify(input.as_bytes(), &self.signature)
            .unwrap();
    }

    /// Seconds a call, ours and the floor's, the two taking turns: the turn with the median ratio,
    /// so that what another process took from a few turns does not count.
    fn paired(&self) -> (f64, f64) {
        const TURNS: usize = 101;
        const CALLS: u32 = 50;
        let seconds = |run: &dyn Fn()| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| run());
            start.elapsed().as_secs_f64() / f64::from(CALLS)
        };
        let mut turns: Vec<(f64, f64)> = (0..TURNS)
            .map(|_| (seconds(&|| self.ours()), seconds(&|| self.floor())))
            .collect();
        turns.sort_by(|one, other| (one.1 / one.0).total_cmp(&(other.1 / other.0)));
        turns[TURNS / 2]
    }
}

fn main() {
    let benches = [
        Bench::new(
            "ES256",
            SigningKey::generate_es256([1; 32]).unwrap(),
            &ECDSA_P256_SHA256_FIXED,
        ),
        Bench::new(
            "Ed25519",
            SigningKey::generate_ed25519([1; 32]).unwrap(),
            &ED25519,
        ),
    ];
    let mut criterion = Criterion::default().configure_from_args();
    for bench in &benches {
        let mut group = criterion.benchmark_group(bench.name);
        group.bench_function("signature alone", |b| b.iter(|| bench.floor()));
        group.bench_function("proof", |b| b.iter(|| bench.ours()));
        group.bench_function("mint", |b| b.iter(|| black_box(bench.mint())));
        group.finish();
    }
    criterion.final_summary();
    for bench in &benches {
        let (ours, floor) = bench.paired();
        println!(
            "{}: proof {:.2} µs, signature alone {:.2} µs, floor ÷ ours {:.3}",
            bench.name,
            ours * 1e6,
            floor * 1e6,
            floor / ours
        );
    }
}
