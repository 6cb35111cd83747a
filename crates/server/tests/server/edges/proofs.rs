//! Attacks on the presentation of proofs, and on nonces, wherever the service takes a proof.

use std::time::Duration;

use countersign::admin::v1::{self as admin, AuthenticationMethod};
use countersign_jose::{Algorithm, base64url};

use super::{Asker, By, Edge, Wish};
use crate::comes::Comes;
use crate::flow::pkce;
use crate::harness::{Client, Service, WARM, person_client};
use crate::proof::{Draft, Key};
use crate::vectors::published::ORDER;

/// A service, and a client that may get tokens of its own and have codes asked for.
async fn service() -> (Service, Client) {
    let service = Service::start().await;
    let client = registered(&service).await;
    (service, client)
}

async fn registered(service: &Service) -> Client {
    service.add_orders().await;
    let mut client = person_client("shop", AuthenticationMethod::ClientSecret);
    let own = admin::GrantType::ClientCredentials;
    client.grant_types.push(own.into());
    service.add(client).await
}

/// What a proof for the one is not for.
fn sibling<'a>(wish: Wish<'_>, challenge: &'a str) -> Wish<'a> {
    match wish {
        Wish::Push(_) => Wish::Own(&[]),
        _ => Wish::Push(challenge),
    }
}

/// What a proof is sent with: a request for a token, and a request for a code.
fn wishes(challenge: &str) -> [Wish<'_>; 2] {
    [Wish::Own(&[]), Wish::Push(challenge)]
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_that_are_not_exactly_one_right_proof_are_refused() {
    let (service, client) = service().await;
    let (_, challenge) = pkce();
    let (key, other) = (Key::new(), Key::new());
    let now = service.now();
    let later = |secs| now.plus(Duration::from_secs(secs)).as_secs();
    let earlier = |secs| now.minus(Duration::from_secs(secs)).as_secs();
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for wish in wishes(&challenge) {
            let path = asker.path(wish);
            let right = || asker.proof(&key, wish);
            let draft = || asker.draft(&key, wish);
            let htu = |htu: String| draft().claim("htu", htu).sign(&key);
            let iat = |secs| draft().claim("iat", secs).sign(&key);
            let host = "localhost:7443";
            let sibling = sibling(wish, &challenge);
            let other_edge = match edge {
                Edge::Grpc => Edge::Http,
                Edge::Http => Edge::Grpc,
            };
            let by_the_other = Asker::of(&service, other_edge).await;
            for (what, proofs, expected) in [
                ("one proof", vec![right()], Comes::Ok),
                ("two proofs", vec![right(), right()], Comes::P),
                (
                    "two proofs joined by a comma",
                    vec![format!("{},{}", right(), right())],
                    Comes::P,
                ),
                ("an empty proof", vec![String::new()], Comes::P),
                ("not a JWT", vec!["proof".to_owned()], Comes::P),
                ("over 4 KiB", vec!["A".repeat(4097)], Comes::P),
                (
                    "ath at the token service",
                    vec![draft().ath("whatever").sign(&key)],
                    Comes::Ok,
                ),
                (
                    "htm GET",
                    vec![draft().claim("htm", "GET").sign(&key)],
                    Comes::P,
                ),
                (
                    "htm in lower case",
                    vec![draft().claim("htm", "post").sign(&key)],
                    Comes::P,
                ),
                ("for a sibling", vec![asker.proof(&key, sibling)], Comes::P),
                (
                    "for the other protocol",
                    vec![by_the_other.proof(&key, wish)],
                    Comes::P,
                ),
                (
                    "host in upper case, a query",
                    vec![htu(format!("HTTP://LOCALHOST:7443{path}?a=b#c"))],
                    Comes::Ok,
                ),
                (
                    "another scheme",
                    vec![htu(format!("https://{host}{path}"))],
                    Comes::P,
                ),
                (
                    "a trailing slash",
                    vec![htu(format!("http://{host}{path}/"))],
                    Comes::P,
                ),
                (
                    "the address listened on, which is not an origin",
                    vec![htu(format!("{}{path}", service.running().url()))],
                    Comes::P,
                ),
                ("iat 10 s ahead", vec![iat(later(10))], Comes::Ok),
                ("iat 11 s ahead", vec![iat(later(11))], Comes::N),
                ("iat 61 s ahead", vec![iat(later(61))], Comes::P),
                ("iat a second too old", vec![iat(earlier(61))], Comes::N),
                (
                    "iat absurd",
                    vec![draft().claim("iat", 1e308).sign(&key)],
                    Comes::P,
                ),
                (
                    "a forged nonce",
                    vec![draft().claim("nonce", "AAAA").sign(&key)],
                    Comes::N,
                ),
                (
                    "a nonce that is a number",
                    vec![draft().claim("nonce", 7).sign(&key)],
                    Comes::P,
                ),
                (
                    "signed by another key",
                    vec![draft().sign(&other)],
                    Comes::P,
                ),
            ] {
                let proofs: Vec<_> = proofs.iter().map(String::as_str).collect();
                let answer = asker.send(By::Client(&client), wish, &proofs).await;
                answer.check(&format!("{what}, at {path}"), expected);
            }
        }
        // A token is bound to a key; a request for a code need not be.
        let none = asker.send(By::Client(&client), Wish::Own(&[]), &[]).await;
        none.check("no proof", Comes::P);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_works_once() {
    let (service, client) = service().await;
    let (_, challenge) = pkce();
    let by = By::Client(&client);
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for wish in wishes(&challenge) {
            let (key, other) = (Key::new(), Key::new());
            let draft = asker.draft(&key, wish);
            let proof = draft.sign(&key);
            let mut under_another = asker.draft(&other, wish);
            under_another.payload["jti"] = draft.payload["jti"].clone();
            let sibling = sibling(wish, &challenge);
            for (what, wish, proof, expected) in [
                ("first", wish, &proof, Comes::Ok),
                ("again", wish, &proof, Comes::Replayed),
                ("where it is not for", sibling, &proof, Comes::P),
                // ECDSA signs anew each time: another proof with the same jti is the same proof.
                (
                    "the same jti in another proof",
                    wish,
                    &draft.sign(&key),
                    Comes::Replayed,
                ),
                (
                    "the same jti under another key",
                    wish,
                    &under_another.sign(&other),
                    Comes::Ok,
                ),
            ] {
                let answer = asker.send(by, wish, &[proof]).await;
                answer.check(&format!("{what}, at {}", asker.path(wish)), expected);
            }
        }
    }
}

/// The other signature that verifies wherever an ECDSA signature does: (r, n − s).
fn twin(proof: &str) -> String {
    let (input, signature) = proof.rsplit_once('.').expect("a JWS");
    let mut signature = base64url::decode(signature).expect("base64url");
    let mut borrow = 0;
    for (byte, of_order) in signature[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(of_order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).expect("a byte");
    }
    format!("{input}.{}", base64url::encode(signature))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_signature_of_a_spent_proof_is_no_new_proof() {
    let (service, client) = service().await;
    let (_, challenge) = pkce();
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for wish in wishes(&challenge) {
            let [one, two] = [(); 2].map(|()| asker.proof(&Key::new(), wish));
            for (what, proof, expected) in [
                // Alone it would be accepted: whichever of the two comes first is spent by it.
                ("the twin", &twin(&one), Comes::Ok),
                ("its original", &one, Comes::Replayed),
                ("an original", &two, Comes::Ok),
                (
                    "the low-S twin of a spent proof",
                    &twin(&two),
                    Comes::Replayed,
                ),
            ] {
                let answer = asker.send(By::Client(&client), wish, &[proof]).await;
                answer.check(&format!("{what}, at {}", asker.path(wish)), expected);
            }
        }
    }
}

/// Where other algorithms are allowed as well, the key says which of them it is for.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_its_own_algorithm() {
    let service = Service::start_with(|config| {
        config.proofs.algorithms = vec![
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Ed25519,
            Algorithm::Ps256,
            Algorithm::Rs256,
        ];
    })
    .await;
    let client = registered(&service).await;
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for (what, alg, expected) in [
            ("ES256 with an EC key", "ES256", Comes::Ok),
            ("RS256 with an EC key", "RS256", Comes::P),
            ("PS256 with an EC key", "PS256", Comes::P),
            ("ES384 with a P-256 key", "ES384", Comes::P),
            ("EdDSA with an EC key", "EdDSA", Comes::P),
            ("HS256", "HS256", Comes::P),
        ] {
            let key = Key::new();
            let mut draft = asker.draft(&key, Wish::Own(&[]));
            draft.header["alg"] = alg.into();
            let proof = draft.sign(&key);
            let answer = asker
                .send(By::Client(&client), Wish::Own(&[]), &[&proof])
                .await;
            answer.check(what, expected);
        }
    }
}

/// A proof from the future edge, tried again when it would be forgotten if its time were counted
/// from its receipt. The ledger forgets every so often, so its phase decides when that shows.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_remembered_by_its_own_time() {
    let (service, client) = service().await;
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for phase in [0, 5, 10, 15] {
            service.clock.advance(Duration::from_secs(phase));
            let key = Key::new();
            let ahead = service.now().plus(Duration::from_secs(10)).as_secs();
            let draft = asker.draft(&key, Wish::Own(&[])).claim("iat", ahead);
            let proof = draft.sign(&key);
            let again = async || {
                let wish = Wish::Own(&[]);
                asker.send(By::Client(&client), wish, &[&proof]).await
            };
            again().await.check("ten seconds ahead", Comes::Ok);
            for _ in 0..70 {
                service.clock.advance(Duration::from_secs(1));
                again().await.check("again", Comes::Replayed);
            }
            service.clock.advance(Duration::from_secs(1));
            again().await.check("too old", Comes::N);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_refused_is_not_spent() {
    let (service, client) = service().await;
    let by = By::Client(&client);
    let stranger = Client {
        id: client.id.clone(),
        secret: Some("wrong".to_owned()),
    };
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let draft = asker.draft(&key, Wish::Own(&[]));
        // The victim's jti under a bad signature.
        let mut forged = draft.sign(&key);
        let last = forged.pop().expect("not empty");
        forged.push(if last == 'A' { 'Q' } else { 'A' });
        let right = draft.sign(&key);
        for (what, by, wish, proof, expected) in [
            ("bad signature", by, Wish::Own(&[]), &forged, Comes::P),
            // The victim's own proof with a wrong secret.
            (
                "wrong secret",
                By::Client(&stranger),
                Wish::Own(&[]),
                &right,
                Comes::C,
            ),
            // And with a request that the decision refuses, which writes nothing.
            (
                "wider scope",
                by,
                Wish::Own(&["orders.burn"]),
                &right,
                Comes::Scope,
            ),
            ("the victim", by, Wish::Own(&[]), &right, Comes::Ok),
        ] {
            let answer = asker.send(by, wish, &[proof]).await;
            answer.check(what, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_copies_one_is_accepted() {
    // All of them wait for a slow machine, and none is shed.
    let service = Service::start_with(|config| config.limits.waiting_max = 100).await;
    let client = registered(&service).await;
    let (_, challenge) = pkce();
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for wish in wishes(&challenge) {
            let proof = asker.proof(&Key::new(), wish);
            let proofs = [proof.as_str()];
            let copies = (0..100).map(|_| asker.send(By::Client(&client), wish, &proofs));
            let answers = futures_util::future::join_all(copies).await;
            let refused = answers.iter().filter(|answer| answer.is_refused());
            assert_eq!(refused.clone().count(), 99, "{edge:?}");
            for answer in refused {
                answer.check("a copy", Comes::Replayed);
            }
        }
    }
}

/// What was spent by one protocol is another proof for the other: its htu is.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_a_spent_proof_is_challenged_and_stays_spent() {
    for edge in Edge::BOTH {
        let (mut service, client) = service().await;
        let by = By::Client(&client);
        let (_, challenge) = pkce();
        for wish in wishes(&challenge) {
            let key = Key::new();
            let asker = Asker::of(&service, edge).await;
            let proof = asker.proof(&key, wish);
            asker
                .send(by, wish, &[&proof])
                .await
                .check("first", Comes::Ok);

            service.restart().await;
            let asker = Asker::of(&service, edge).await;
            let replayed = asker.send(by, wish, &[&proof]).await;
            replayed.check("replayed after a restart", Comes::N);

            // A proof of its owner with the nonce of the challenge is fine, once.
            let htu = service.htu(asker.path(wish));
            let fresh = key.mint(&htu, service.now(), Some(&replayed.nonce()));
            for (what, expected) in [("with the nonce", Comes::Ok), ("again", Comes::Replayed)] {
                let answer = asker.send(by, wish, &[&fresh]).await;
                answer.check(what, expected);
            }

            // When the cold start is over, so is the old proof's time.
            service.clock.advance(WARM);
            let answer = asker.send(by, wish, &[&proof]).await;
            answer.check("too old now", Comes::N);
            let answer = asker.ask(by, wish, &key).await;
            answer.check("no nonce needed", Comes::Ok);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_nonce_the_clients_clock_does_not_matter() {
    let (service, client) = service().await;
    let (_, challenge) = pkce();
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for wish in wishes(&challenge) {
            let key = Key::new();
            let off = asker.draft(&key, wish).claim("iat", 1_000_000_000);
            let challenged = asker
                .send(By::Client(&client), wish, &[&off.sign(&key)])
                .await;
            challenged.check("a clock that is years off", Comes::N);
            let proof = off.claim("nonce", challenged.nonce()).sign(&key);
            let answer = asker.send(By::Client(&client), wish, &[&proof]).await;
            answer.check("with a nonce", Comes::Ok);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonces_can_be_asked_for_always_and_are_good_for_minutes_here_alone() {
    let required = async || {
        let service = Service::start_with(|config| config.proofs.nonce_always = true).await;
        let client = registered(&service).await;
        (service, client)
    };
    let (service, client) = required().await;
    let (elsewhere, stranger) = required().await;
    let (_, challenge) = pkce();
    let by = By::Client(&client);
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let other = Asker::of(&elsewhere, edge).await;
        for wish in wishes(&challenge) {
            let key = Key::new();
            let challenged = asker.ask(by, wish, &key).await;
            challenged.check("without a nonce", Comes::N);
            let nonce = challenged.nonce();
            let theirs = other.ask(By::Client(&stranger), wish, &key).await;
            theirs.check("at another server", Comes::N);
            let theirs = theirs.nonce();
            let with = |draft: Draft, nonce: &str| draft.claim("nonce", nonce).sign(&key);
            let draft = || asker.draft(&key, wish);
            for (what, proof, expected) in [
                ("of another server", with(draft(), &theirs), Comes::N),
                ("forged", with(draft(), "AAAA"), Comes::N),
                (
                    "not a string",
                    draft().claim("nonce", 7).sign(&key),
                    Comes::P,
                ),
                ("with a nonce", with(draft(), &nonce), Comes::Ok),
            ] {
                let answer = asker.send(by, wish, &[&proof]).await;
                answer.check(&format!("{what}, at {}", asker.path(wish)), expected);
            }
            service.clock.advance(Duration::from_secs(600));
            let stale = with(draft(), &nonce);
            let answer = asker.send(by, wish, &[&stale]).await;
            answer.check("stale", Comes::N);
        }
    }
}
