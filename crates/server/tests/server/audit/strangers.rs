//! Who is nobody's client fills no log.

use super::{all, raw, short, written};
use crate::comes::{Comes, check};
use crate::harness::{Client, ISSUE, Service, credentials, with_proof};
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn strangers_enter_no_name_and_few_entries() {
    let mut service = Service::start().await;
    let before = all(&service).await.len();
    let key = Key::new();
    let mut tokens = service.tokens().await;
    for nth in 0..300 {
        let stranger = Client {
            id: format!("made-up-{nth}"),
            secret: Some("s".repeat(43)),
        };
        let proof = service.proof(&key, ISSUE);
        let answer = tokens
            .issue_token(with_proof(credentials(&stranger), &proof))
            .await;
        check("a stranger", &answer, Comes::C);
        // No proof at all.
        let answer = tokens.issue_token(credentials(&stranger)).await;
        assert!(answer.is_err());
    }
    written(&mut service).await;
    let found = all(&service).await;
    let new = short(&found[before..]);
    assert_eq!(new.len(), 2, "{new:?}");
    for row in &found[before..] {
        assert_eq!(
            (row.event.as_str(), row.client_id.as_str(), row.count),
            ("AUTHENTICATION_REFUSED", "", 300)
        );
    }
    let raw = raw(&service).await;
    assert!(!raw.windows(7).any(|window| window == b"made-up"));
}
