//! A device without a browser: it shows a code, a person types it somewhere
//! else and approves, and the device gets its tokens (RFC 8628).
//!
//! ```console
//! $ cargo run --example device
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

use std::time::Duration;

use countersign::admin::v1::{AuthenticationMethod, Client, GrantType};
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{ApproveAuthorizationRequest, FindAuthorizationRequest};
use countersign_client::Countersign;
use countersign_testkit::{Platform, Problem, service_client};

/// What the television reads.
const FILMS: &str = "https://films.example";

#[tokio::main]
async fn main() -> Result<(), Problem> {
    // What an operator has done: a token service that devices may ask every second, what tokens
    // are for, the television, and the login application.
    let platform =
        Platform::start_with(|config| config.device.interval = Duration::from_secs(1)).await?;
    platform.register_resource(FILMS, &["films.watch"]).await?;
    let tv = platform.register(television()).await?;
    let tv = platform.client(&tv).connect().await?;
    let url = platform.url();
    let login = platform
        .register(service_client("login", url, &["authorizations.decide"]))
        .await?;
    let login = platform.client(&login).connect().await?;

    // The television asks. What it gets is of use to its key alone.
    let device = tv
        .device()
        .scopes(["films.watch"])
        .resources([FILMS])
        .begin()
        .await?;
    println!(
        "the television shows: go to {} and type {}",
        device.verification_uri(),
        device.user_code()
    );

    // Meanwhile a person reads that; the television asks every second, and less often when it is
    // told so.
    let person = approves(&login, url, device.user_code().to_owned());
    let (told, issued) = tokio::join!(person, device.wait());
    told?;
    println!("the television may {}", issued?.scopes.join(", "));
    Ok(())
}

/// What the login application does when ann, who has logged in there, types the code.
async fn approves(login: &Countersign, url: &str, user_code: String) -> Result<(), Problem> {
    let channel = login
        .channel(url)
        .scopes(["authorizations.decide"])
        .connect()
        .await?;
    let mut desk = AuthorizationServiceClient::new(channel);
    let found = desk
        .find_authorization(FindAuthorizationRequest {
            user_code: user_code.to_lowercase(),
            subject: "ann".to_owned(),
            source: "192.0.2.7".to_owned(),
        })
        .await?
        .into_inner();
    let asks = found.authorization.unwrap_or_default();
    println!(
        "ann is shown: {} asks for {} at {}",
        asks.client_display_name,
        asks.scopes.join(", "),
        asks.resources.join(", ")
    );
    desk.approve_authorization(ApproveAuthorizationRequest {
        request_uri: found.request_uri,
        subject: "ann".to_owned(),
        ..ApproveAuthorizationRequest::default()
    })
    .await?;
    println!("ann lets it in");
    Ok(())
}

/// A television can keep no secret, and has no browser.
fn television() -> Client {
    Client {
        authentication_method: AuthenticationMethod::None.into(),
        display_name: "Television".to_owned(),
        grant_types: vec![GrantType::DeviceCode.into(), GrantType::RefreshToken.into()],
        ..service_client("tv", FILMS, &["films.watch"])
    }
}
