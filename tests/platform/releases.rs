//! Stores as earlier releases left them: `tests/fixtures/README.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use countersign::admin::v1::ListClientsRequest;
use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{Builder, Countersign, Credential, Secret};
use countersign_jose::{SigningKey, UnixTime};
use countersign_store::embedded::verify;
use countersign_testkit::{MovableClock, Platform, Problem};
use serde::Deserialize;
use tempfile::TempDir;

use countersign_testkit::work::in_a_runtime;

/// What was written down when the store was made.
#[derive(Deserialize)]
struct Known {
    made_at_secs: u64,
    issuer: String,
    clients: Vec<String>,
    checkout_secret: String,
    desk_key_scalar: [u8; 32],
    refresh_token_current: String,
    refresh_token_before: String,
    refresh_token_revoked: String,
    refresh_token_of_reused_family: String,
    signing_kids: Vec<String>,
}

/// Every one that is there opens, and is what it was.
pub(crate) fn stores_of_earlier_releases_open() -> Result<(), String> {
    let archives = archives()?;
    if archives.is_empty() {
        return Err("there is no store of an earlier release in tests/fixtures".to_owned());
    }
    archives.iter().try_for_each(|archive| {
        in_a_runtime(opens(archive)).map_err(|error| format!("{}: {error}", archive.display()))
    })
}

fn archives() -> Result<Vec<PathBuf>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut archives: Vec<PathBuf> = files
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .collect();
    archives.sort();
    Ok(archives)
}

async fn opens(archive: &Path) -> Result<(), Problem> {
    let folder = unpacked(archive)?;
    let known: Known = serde_json::from_slice(&fs::read(folder.path().join("known.json"))?)?;
    // Every run adds what a run adds; the second finds what the first one wrote.
    for run in 0..2_u64 {
        let platform = Platform::start_at(clock(&known, run * 60), |config| {
            config.issuer = Some(known.issuer.clone());
            config.store.directory = folder.path().join("data");
            config.store.key_file = Some(folder.path().join("key"));
        })
        .await?;
        if run == 0 {
            is_what_it_was(&platform, &known).await?;
        }
        issues(&platform, &known).await?;
        platform.stop().await?;
    }
    let verified = verify(folder.path().join("data"))?;
    let log = verified.report.logs.get("audit");
    let findings = verified.findings;
    expect(findings.is_empty(), format!("findings {findings:?}"))?;
    expect(
        log.is_some_and(|log| log.first == 1 && log.last > known.clients.len() as u64),
        format!("the audit log {log:?}"),
    )
}

async fn is_what_it_was(platform: &Platform, known: &Known) -> Result<(), Problem> {
    let clients = ClientServiceClient::new(platform.admin().await?)
        .list_clients(ListClientsRequest::default())
        .await?
        .into_inner()
        .clients;
    let found: Vec<String> = clients.into_iter().map(|client| client.client_id).collect();
    expect(found == known.clients, format!("clients {found:?}"))?;

    let keys = KeyServiceClient::connect(platform.url().to_owned())
        .await?
        .list_keys(ListKeysRequest {})
        .await?
        .into_inner()
        .keys;
    let kids: BTreeSet<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
    let published = |kid: &String| kids.contains(kid.as_str());
    expect(
        known.signing_kids.iter().all(published),
        format!("keys {kids:?}"),
    )?;

    let key = SigningKey::generate_es256(known.desk_key_scalar)?;
    let desk = client(platform, known, "desk", Credential::Public).proof_key(key);
    let desk = desk.connect().await?;
    for (what, dead) in [
        ("a revoked family", &known.refresh_token_revoked),
        (
            "a family after reuse",
            &known.refresh_token_of_reused_family,
        ),
    ] {
        let refused = rotate(&desk, dead).await.is_err();
        expect(refused, format!("{what} lives"))?;
    }
    rotate(&desk, &known.refresh_token_current).await?;
    let reused = rotate(&desk, &known.refresh_token_before).await;
    expect(
        reused.is_err(),
        "an old refresh token is accepted".to_owned(),
    )
}

async fn issues(platform: &Platform, known: &Known) -> Result<(), Problem> {
    let secret = Credential::ClientSecret(known.checkout_secret.clone().into());
    let checkout = client(platform, known, "checkout", secret)
        .connect()
        .await?;
    checkout.token_service().issue(&[], &[]).await?;
    Ok(())
}

async fn rotate(desk: &Countersign, token: &str) -> Result<(), Problem> {
    let token = Secret::from(token);
    desk.token_service().rotate(&token, &[], &[]).await?;
    Ok(())
}

fn client(platform: &Platform, known: &Known, id: &str, credential: Credential) -> Builder {
    Builder::new(platform.url())
        .issuer(&known.issuer)
        .origin(&known.issuer)
        .client(id, credential)
        .clock(platform.clock().clone())
}

/// A minute after the store was made, and some more.
fn clock(known: &Known, more_secs: u64) -> Arc<MovableClock> {
    let then = UnixTime::from_secs(known.made_at_secs).plus(Duration::from_secs(60 + more_secs));
    let clock = MovableClock::new();
    clock.turn_back(SystemClock.now().since(then));
    Arc::new(clock)
}

fn unpacked(archive: &Path) -> Result<TempDir, Problem> {
    let folder = tempfile::tempdir()?;
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(folder.path())
        .status()?;
    expect(unpacked.success(), format!("tar: {unpacked}"))?;
    Ok(folder)
}

fn expect(holds: bool, otherwise: String) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
