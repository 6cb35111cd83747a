//! Who watches revocations is told of signing keys, too.

use countersign::admin::v1::{SigningKeyPurpose, SigningKeyState};
use countersign::error::v1::Reason;
use countersign::revocation::v1::revocation::Target as Told;
use countersign_client::outcome::Refused;

use super::{SOON, next, told, watch, watcher};
use crate::harness::Service;
use crate::keys::{active, kids, revoke};

/// A guard may have no place to watch keys, and the key set that it has for some minutes.
#[tokio::test(flavor = "multi_thread")]
async fn who_watches_revocations_is_told_of_a_signing_key_that_is_gone() {
    let service = Service::start().await;
    let watcher = watcher(&service).await;
    let mut stream = watch(&service, &watcher, "").await.expect("it begins");
    let cursor = next(&mut stream).await.cursor;

    // The key that signed the token of the watch stays, or the watch would end.
    let purpose = SigningKeyPurpose::AccessTokens;
    let new = kids(&service, purpose, SigningKeyState::Next).await;
    let new = new.into_iter().next().expect("one is next");
    revoke(&service, &new).await.expect("revoked");
    let (one, _) = told(&mut stream).await;
    // Its name is the thumbprint by which guards know who signed.
    assert_eq!(one.target, Some(Told::Signer(new)));
    // Whoever comes later is told, too, with or without a cursor.
    for begun in ["", &cursor] {
        let mut anew = watch(&service, &watcher, begun).await.expect("it begins");
        assert_eq!(told(&mut anew).await.0, one, "from {begun:?}");
    }
}

/// What it was not told before its watch ended, it is told when it begins again.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_ends_with_the_key_of_its_token_goes_on_with_what_it_missed() {
    let service = Service::start().await;
    let watcher = watcher(&service).await;
    let mut stream = watch(&service, &watcher, "").await.expect("it begins");
    let mut cursor = next(&mut stream).await.cursor;

    let active = active(&service, SigningKeyPurpose::AccessTokens).await;
    revoke(&service, &active).await.expect("revoked");
    let end = loop {
        let told = tokio::time::timeout(SOON, stream.message()).await;
        match told.expect("soon") {
            Ok(Some(word)) if word.revocations.is_empty() => cursor = word.cursor,
            // It was fast enough.
            Ok(Some(word)) => assert_eq!(
                word.revocations[0].target,
                Some(Told::Signer(active.clone()))
            ),
            Ok(None) => panic!("it ends with a word"),
            Err(end) => break end,
        }
    };
    let reason = Refused::of(&end).map(|refused| refused.reason);
    assert_eq!(reason, Some(Reason::TokenRevoked), "{end}");
    let mut anew = watch(&service, &watcher, &cursor).await.expect("it begins");
    let (one, _) = told(&mut anew).await;
    assert_eq!(one.target, Some(Told::Signer(active)));
}
