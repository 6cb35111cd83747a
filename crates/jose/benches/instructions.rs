//! Instructions of making and checking a signed token, counted under valgrind: the same on every
//! run, so that slow decay shows. `tests/instructions/main.rs` compares them with what they were.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made has failed"
)]
#![expect(missing_docs, reason = "the macros make public items")]

use std::hint::black_box;

use countersign_jose::{
    Algorithm, Algorithms, CompactJws, Jwks, PublishedKey, SigningKey, base64url, jwks,
};
use gungraun::{library_benchmark, library_benchmark_group, main};
use p256::ecdsa::signature::Signer as _;

/// In length and form what an access token says.
const PAYLOAD: &[u8] = br#"{"iss":"https://tokens.internal:7443","sub":"checkout","aud":"https://orders.internal:8443","client_id":"checkout","scope":"orders.read orders.write","cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},"iat":1760000000,"exp":1760000300,"jti":"AwMDAwMDAwMDAwMDAwMDAw"}"#;
const HEADER: &[u8] = br#"{"typ":"at+jwt","alg":"ES256","kid":"k1"}"#;
const SECRET: [u8; 32] = [1; 32];

struct Issued {
    keys: Jwks,
    token: String,
}

impl Issued {
    fn verify(&self) {
        let jws = CompactJws::parse(black_box(&self.token), 8 * 1024).unwrap();
        let kid = jws.header().kid.as_deref();
        let key = self.keys.choose(kid, Algorithm::Es256).unwrap();
        jws.verify(key.key(), Algorithms::DEFAULT).unwrap();
        black_box(jws);
    }
}

/// The token was verified once before it is counted, so that what a process does only once is
/// not. Leaked, so that putting away is not counted either.
fn issued() -> &'static Issued {
    let key = SigningKey::generate_es256(SECRET).unwrap();
    let published = PublishedKey {
        kid: "k1",
        algorithm: Algorithm::Es256,
        key: key.public(),
    };
    let (header, payload) = (base64url::encode(HEADER), base64url::encode(PAYLOAD));
    let issued = Issued {
        keys: Jwks::parse(jwks::publish(&[published]).as_bytes()).unwrap(),
        token: fixed(&format!("{header}.{payload}")),
    };
    issued.verify();
    Box::leak(Box::new(issued))
}

/// Another nonce of the signature is another count of its verification; RFC 6979 has one for each
/// text.
fn fixed(input: &str) -> String {
    let key = p256::ecdsa::SigningKey::from_slice(&SECRET).unwrap();
    let signature: p256::ecdsa::Signature = key.sign(input.as_bytes());
    format!("{input}.{}", base64url::encode(signature.to_bytes()))
}

/// An Ed25519 key: an ES256 signature draws random values, and seeding the generator takes a
/// minute under valgrind. The rest is the same for both.
fn signer() -> &'static SigningKey {
    let key = SigningKey::generate_ed25519(SECRET).unwrap();
    key.sign_segments("header", PAYLOAD).unwrap();
    Box::leak(Box::new(key))
}

#[library_benchmark]
#[bench::ed25519(signer())]
fn sign_token(key: &SigningKey) -> String {
    let header = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZDI1NTE5Iiwia2lkIjoiazEifQ";
    key.sign_segments(black_box(header), PAYLOAD).unwrap()
}

#[library_benchmark]
#[bench::es256(issued())]
fn verify_token(issued: &Issued) {
    issued.verify();
}

library_benchmark_group!(name = jose, benchmarks = [sign_token, verify_token]);
main!(library_benchmark_groups = jose);
