//! Writes the small store that later releases are tried with: `tests/fixtures/README.md`.
//!
//! ```text
//! cargo run -p countersign-testkit --example store_fixture -- FOLDER
//! ```
//!
//! `FOLDER` gets the data directory (`data`), its key file (`key`), and what a test must know of
//! them (`known.json`). Its secrets are made for this and protect nothing.

#![expect(
    clippy::print_stdout,
    reason = "a command: what it prints is its report"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{Client, CreateClientRequest, CreateResourceRequest, Resource};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{Builder, Countersign, Credential, Secret};
use countersign_jose::SigningKey;
use countersign_server::{Config, Running, Server};
use countersign_testkit::{Problem, person_client, service_client, sign_in};
use futures_util::future::try_join_all;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

const RESOURCE: &str = "https://orders.example";
const BACK: &str = "http://127.0.0.1/back";

/// Sign-ins at once.
const AT_ONCE: usize = 16;

/// The key that `desk` holds its refresh tokens by.
const DESK_KEY: [u8; 32] = [7; 32];

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let folder = PathBuf::from(
        env::args()
            .nth(1)
            .ok_or("name a folder that is not there yet")?,
    );
    fs::create_dir(&folder)?;
    let running = Server::start(config(&folder), Arc::new(SystemClock)).await?;
    let known = fill(&running).await?;
    running.stop().await?;
    fs::write(folder.join("known.json"), format!("{known:#}\n"))?;
    println!("{}", folder.display());
    Ok(())
}

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.listen.address.set_port(0);
    config.store.directory = folder.join("data");
    config.store.key_file = Some(folder.join("key"));
    config.admin.socket = Some(folder.join("admin.sock"));
    config.stop.notice = std::time::Duration::ZERO;
    config
}

/// Every kind of record, and an entry of every kind that the calls of clients lead to.
async fn fill(running: &Running) -> Result<serde_json::Value, Problem> {
    let admin = admin(running).await?;
    let mut resources = ResourceServiceClient::new(admin.clone());
    let resource = Resource {
        uri: RESOURCE.to_owned(),
        scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
        ..Resource::default()
    };
    let request = CreateResourceRequest {
        resource: Some(resource),
    };
    resources.create_resource(request).await?;
    let service = register(
        &admin,
        service_client("checkout", RESOURCE, &["orders.write"]),
    )
    .await?;
    let decides = service_client("login", running.issuer(), &["authorizations.decide"]);
    let login_secret = register(&admin, decides).await?;
    let desk = person_client("desk", BACK, RESOURCE, &["orders.read"]);
    register(&admin, desk).await?;

    let checkout = client(running, "checkout", secret(&service))
        .connect()
        .await?;
    checkout.token_service().issue(&[], &[]).await?;
    let login = client(running, "login", secret(&login_secret))
        .connect()
        .await?;
    let desk = client(running, "desk", Credential::Public)
        .proof_key(SigningKey::generate_es256(DESK_KEY)?)
        .connect()
        .await?;
    let (first, current) = rotated(&desk, &login, running.issuer()).await?;
    let (_, revoked) = rotated(&desk, &login, running.issuer()).await?;
    desk.token_service().revoke(&revoked).await?;
    let (reused, of_reused) = rotated(&desk, &login, running.issuer()).await?;
    let tokens = desk.token_service();
    let newest = tokens.rotate(&of_reused, &[], &[]).await?;
    if tokens.rotate(&reused, &[], &[]).await.is_ok() {
        return Err("an old refresh token was accepted".into());
    }
    let newest = newest.refresh_token.ok_or("no refresh token")?;
    // Of commits that come together some of what they leave lies together.
    let at_once = (0..AT_ONCE).map(|_| rotated(&desk, &login, running.issuer()));
    try_join_all(at_once).await?;
    let keys = countersign::keys::v1::key_service_client::KeyServiceClient::connect(
        running.url().to_owned(),
    )
    .await?
    .list_keys(countersign::keys::v1::ListKeysRequest {})
    .await?
    .into_inner()
    .keys;
    Ok(json!({
        "made_at_secs": SystemClock.now().as_secs(),
        "issuer": running.issuer(),
        "resource": RESOURCE,
        "clients": ["checkout", "desk", "login"],
        "checkout_secret": service,
        "login_secret": login_secret,
        "desk_key_scalar": DESK_KEY,
        "refresh_token_current": current.expose(),
        "refresh_token_before": first.expose(),
        "refresh_token_revoked": revoked.expose(),
        "refresh_token_of_reused_family": newest.expose(),
        "signing_kids": keys.into_iter().map(|key| key.kid).collect::<Vec<_>>(),
    }))
}

/// A person signs in, and the refresh token is rotated once: the first one and the second.
async fn rotated(
    desk: &Countersign,
    login: &Countersign,
    issuer: &str,
) -> Result<(Secret, Secret), Problem> {
    let issued = sign_in(desk, login, issuer, BACK, "ada").await?;
    let first = issued.refresh_token.ok_or("no refresh token")?;
    let second = desk.token_service().rotate(&first, &[], &[]).await?;
    Ok((first, second.refresh_token.ok_or("no refresh token")?))
}

fn client(running: &Running, id: &str, credential: Credential) -> Builder {
    Builder::new(running.url()).client(id, credential)
}

fn secret(text: &str) -> Credential {
    Credential::ClientSecret(text.to_owned().into())
}

async fn register(admin: &Channel, client: Client) -> Result<String, Problem> {
    let request = CreateClientRequest {
        client: Some(client),
    };
    let answer = ClientServiceClient::new(admin.clone())
        .create_client(request)
        .await?;
    Ok(answer.into_inner().client_secret)
}

async fn admin(running: &Running) -> Result<Channel, Problem> {
    let path = running.admin_socket().to_owned();
    let connector = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The name is not used: the connector goes to the socket.
    let endpoint = Endpoint::from_static("http://localhost");
    Ok(endpoint.connect_with_connector(connector).await?)
}
