//! Starting: what is refused, and what is waited for.

use std::sync::Arc;
use std::time::Duration;

use countersign_guard::{BuildError, Builder, KeySource, NonceMode};

use crate::stand::{Expected, ISSUER, ORIGIN, Stand};

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_what_would_be_right() {
    let stand = Stand::start().await;
    let good = || {
        Builder::new(ISSUER)
            .serve(ORIGIN)
            .descriptors(countersign::FILE_DESCRIPTOR_SET)
            .key_source(Arc::clone(&stand.keys) as Arc<dyn KeySource>)
    };
    let bare = || Builder::new(ISSUER).descriptors(countersign::FILE_DESCRIPTOR_SET);
    good().connect().await.unwrap();

    let check = async |builder: Builder, says: &str| {
        let error = builder.connect().await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    check(bare(), "serve(").await;
    check(
        good().serve("orders.test"),
        "\"orders.test\" is not an origin",
    )
    .await;
    check(good().serve("https://orders.test?q"), "is not an origin").await;
    check(Builder::new(ISSUER).serve(ORIGIN), "no method has a rule").await;
    check(good().descriptors(*b"text"), "descriptor set").await;
    check(good().exempt("grpc/health"), "cannot exempt").await;
    let elsewhere = Builder::new("http://tokens.internal").serve(ORIGIN);
    let elsewhere = elsewhere.descriptors(countersign::FILE_DESCRIPTOR_SET);
    check(elsewhere, "is not encrypted and not on this machine").await;
}

#[tokio::test]
async fn another_issuer_is_refused_at_the_start() {
    let stand = Stand::start().await;
    let builder = Builder::new("https://other.test")
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .key_source(Arc::clone(&stand.keys) as Arc<dyn KeySource>);
    match builder.connect().await {
        Err(BuildError::OtherIssuer {
            published,
            expected,
        }) => {
            assert_eq!(
                (published.as_str(), expected.as_str()),
                (ISSUER, "https://other.test")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_keys_it_waits_and_says_so() {
    let mut stand = Stand::start().await;
    let keys = stand.keys.published.lock().take();
    stand
        .restart(|builder| builder.nonces(NonceMode::Off))
        .await;
    let mut ready = stand.guard.readiness();
    assert!(!*ready.borrow_and_update());
    stand
        .check("no key set yet", &stand.good(), Expected::Unreachable)
        .await;
    *stand.keys.published.lock() = keys;
    tokio::time::timeout(Duration::from_secs(10), ready.wait_for(|ready| *ready))
        .await
        .unwrap()
        .unwrap();
    stand.check("with keys", &stand.good(), Expected::Ok).await;
}

#[tokio::test]
async fn the_last_key_set_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let kept = |builder: Builder| builder.nonces(NonceMode::Off).key_set_file(&path);
    let mut stand = Stand::with(kept).await;
    assert!(path.exists());
    let keys = stand.keys.published.lock().take();
    stand.restart(kept).await;
    assert!(*stand.guard.readiness().borrow());
    stand
        .check("from the file", &stand.good(), Expected::Ok)
        .await;

    // Whoever can write it can make keys that are trusted.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        for open in [0o664, 0o646] {
            mode(open).unwrap();
            stand.restart(kept).await;
            let refused = Expected::Unreachable;
            stand
                .check("a file that others write", &stand.good(), refused)
                .await;
        }
        mode(0o644).unwrap();
    }
    std::fs::write(&path, "{\"issuer\":\"https://evil.test\",\"jwks\":\"{}\"}").unwrap();
    stand.restart(kept).await;
    assert!(!*stand.guard.readiness().borrow());
    stand
        .check("a file of another's", &stand.good(), Expected::Unreachable)
        .await;
    std::fs::write(&path, vec![b'x'; 200_000]).unwrap();
    stand.restart(kept).await;
    stand
        .check("a damaged file", &stand.good(), Expected::Unreachable)
        .await;
    *stand.keys.published.lock() = keys;
    stand.restart(kept).await;
    stand.check("repaired", &stand.good(), Expected::Ok).await;
}

/// One server, two names: each has its resource.
#[tokio::test]
async fn origins_have_resources() {
    let other = "https://other.test/prefix";
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .serve_as(other, "urn:example:other")
    })
    .await;
    let shown = |origin: &str, audience: &str| {
        let mut claims = stand.claims();
        claims["aud"] = audience.into();
        let token = stand.token_of(&claims);
        let mut proof = stand.proof_claims("CreateOrder", &token);
        proof["htu"] = format!("{origin}{}CreateOrder", crate::stand::SERVICE).into();
        let proof = crate::stand::proof_of(&stand.caller_key, &proof);
        crate::stand::Shown::new(&token, &proof)
    };
    stand
        .check("one", &shown(ORIGIN, ORIGIN), Expected::Ok)
        .await;
    stand
        .check("other", &shown(other, "urn:example:other"), Expected::Ok)
        .await;
    stand
        .check("crossed", &shown(other, ORIGIN), Expected::T)
        .await;
    stand
        .check("crossed", &shown(ORIGIN, "urn:example:other"), Expected::T)
        .await;
}
