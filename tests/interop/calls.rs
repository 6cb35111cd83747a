//! The same calls from every language: to the token service, and to guarded services.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_testkit::service::{Service, Terms};
use countersign_testkit::{Problem, setup, work};

use crate::client::{compare, run};
use crate::shop::Shop;

/// A resource whose tokens end soon; late enough that a busy machine opens a stream with one.
const BRIEF: &str = "https://brief.example:8443";
const BRIEF_LIFETIME: &str = "10s";

/// What each client prints. Two attempts are a challenge that was answered, three are one for a
/// nonce and one for another token; one is a nonce that was kept, or a refusal that no client sends
/// a call again for.
const SAID: &[&str] = &[
    "a token: DPoP, attempts 2",
    "unary: tea, attempts 2",
    "unary, with the nonce kept: attempts 1",
    "server stream: 3 messages, attempts 1",
    "client stream: 3 messages, attempts 1",
    "conversation, without a nonce kept: tea milk, attempts 2",
    "a proof used before: UNAUTHENTICATED REASON_DPOP_PROOF_REPLAYED invalid_dpop_proof, attempts 1",
    "a proof for another method: UNAUTHENTICATED REASON_DPOP_PROOF_INVALID invalid_dpop_proof, attempts 1",
    "no credentials: UNAUTHENTICATED REASON_CREDENTIALS_MISSING, attempts 1",
    "a bound token as Bearer: UNAUTHENTICATED REASON_TOKEN_INVALID invalid_token, attempts 1",
    "a scope too few: PERMISSION_DENIED REASON_SCOPE_INSUFFICIENT insufficient_scope orders.write, attempts 2",
    "a method without a rule: PERMISSION_DENIED REASON_METHOD_NOT_ALLOWED, attempts 1",
    "a challenge that a handler passes on: UNAUTHENTICATED REASON_DPOP_NONCE_REQUIRED use_dpop_nonce, attempts 1",
    "a stream that outlives its token: 3 messages, UNAUTHENTICATED REASON_TOKEN_EXPIRED invalid_token, attempts 2",
    "a token that has expired, replaced: tea, attempts 2",
    "a token that has expired, without a nonce kept: tea, attempts 3",
    "a wrong client secret: UNAUTHENTICATED REASON_CLIENT_AUTHENTICATION_FAILED invalid_client, attempts 1",
];

pub(crate) fn from_go(launcher: &Path) -> Result<(), String> {
    work::in_a_runtime(calls(launcher, "go"))
}

pub(crate) fn from_python(launcher: &Path) -> Result<(), String> {
    work::in_a_runtime(calls(launcher, "python"))
}

pub(crate) fn from_typescript(launcher: &Path) -> Result<(), String> {
    work::in_a_runtime(calls(launcher, "typescript"))
}

async fn calls(launcher: &Path, language: &'static str) -> Result<(), Problem> {
    let service = Service::start(&Terms {
        configuration: "[proofs]\nnonce = \"always\"\n".to_owned(),
        ..Terms::default()
    })?;
    setup::resource(&service)?;
    service.admin(&[
        "resource",
        "add",
        BRIEF,
        "--scope",
        "orders.read",
        "--lifetime",
        BRIEF_LIFETIME,
    ])?;
    let checkout = setup::client(
        &service,
        "checkout",
        &[
            "--allow",
            &format!("{}=orders.read,orders.write", setup::RESOURCE),
            "--allow",
            &format!("{BRIEF}=orders.read"),
        ],
    )?;
    let passed_on = Arc::<AtomicUsize>::default();
    let shop = Shop {
        passed_on: Arc::clone(&passed_on),
        ..Shop::default()
    };
    let brief = Shop {
        for_ever: true,
        ..Shop::default()
    };
    let orders = shop.serve(&service.url(), setup::RESOURCE).await?;
    let brief = brief.serve(&service.url(), BRIEF).await?;

    let launcher = launcher.to_owned();
    let url = service.url();
    let ended = tokio::task::spawn_blocking(move || {
        let words = [
            "calls",
            "--token-service",
            &url,
            "--client",
            &checkout.client_id,
            "--orders",
            &format!("http://{orders}"),
            "--resource",
            setup::RESOURCE,
            "--brief-orders",
            &format!("http://{brief}"),
            "--brief-resource",
            BRIEF,
        ];
        run(&launcher, language, &words, &checkout.secret)
    });
    let said = ended.await??.well()?;
    let wanted: Vec<String> = SAID.iter().map(|&line| line.to_owned()).collect();
    compare(&said, &wanted)?;
    // The handler's own count: nobody ran it twice.
    match passed_on.load(Ordering::SeqCst) {
        1 => Ok(()),
        times => Err(format!("the handler ran {times} times").into()),
    }
}
