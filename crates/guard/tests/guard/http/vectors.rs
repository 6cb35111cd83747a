//! Every published vector through a guarded router: HTTP has the same proofs.

use axum::Router;
use axum::routing::post;

use crate::http_stand::{Answer, ask_over, serve_router};
use crate::stand::{Expected, Shown, Stand};
use crate::vectors::published::{Document, Keys, PATH, Refusals, Vector};
use crate::vectors::{Attempt, guard};

/// Where HTTP differs from gRPC: a rule is one of a method and a path without its query.
fn expected(vector: &Vector, attempt: &Attempt) -> (Expected, Option<String>) {
    let path = vector.path.split('?').next().unwrap();
    if path != PATH || vector.method != "POST" {
        return (Expected::NoRule, Some("method_without_rule".to_owned()));
    }
    if vector.path != PATH {
        assert_eq!(vector.name, "a path with a query");
        return (Expected::Ok, None);
    }
    (attempt.comes, attempt.cause.clone())
}

/// On one thread, so that what is logged can be heard.
#[tokio::test]
async fn every_published_vector_through_a_guarded_router() {
    let document = Document::read();
    let keys = Keys::new();
    let stand = Stand::start().await;
    let refusals = Refusals::heard(|thread| thread.id() == std::thread::current().id());
    let mut sent = 0;
    for (terms, vectors) in document.by_terms() {
        let guard = guard(&stand, &document, &terms).await;
        let router = Router::new()
            .route(PATH, post(async || ()))
            .layer(guard.http_layer());
        let address = serve_router(router).await;
        let endpoint = tonic::transport::Channel::from_shared(address).unwrap();
        let channel = endpoint.connect().await.unwrap();
        for vector in vectors.into_iter().filter(|vector| vector.can_be_sent()) {
            sent += 1;
            let attempt = Attempt::of(vector, &keys, &stand, &document, sent);
            let (comes, cause) = expected(vector, &attempt);
            let shown = Shown::new(&attempt.token, &attempt.proof);
            let answer: Answer = ask_over(&channel, &vector.method, &vector.path, &shown).await;
            if attempt.proof.len() > 16 * 1024 {
                // HTTP/2 refuses before us: the header list is over its limit.
                assert_eq!(answer.status, 431, "{}", vector.name);
                continue;
            }
            assert_eq!(refusals.take(), Vec::from_iter(cause), "{}", vector.name);
            comes.check_http(&vector.name, &answer, terms.limits.algorithms);
        }
    }
    // A line feed, an empty path and a relative one cannot be sent.
    assert_eq!(sent, document.vectors.len() - 3);
}
