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
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, AuthorizeDeviceRequest, FindAuthorizationRequest,
};
use countersign::error::v1::Reason;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign::token::v1::{DeviceCode, IssueTokenRequest, IssueTokenResponse};
use countersign_client::Countersign;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::outcome::Refused;
use countersign_testkit::{Platform, Problem, service_client};
use tokio::sync::Notify;

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

    // The television asks. On this channel every call carries a proof, and the device code is of
    // use to its key alone.
    let device = AuthorizationServiceClient::new(tv.token_service().channel())
        .authorize_device(AuthorizeDeviceRequest {
            client: Some(
                tv.token_service()
                    .client()
                    .authentication(SystemClock.now())?,
            ),
            scopes: vec!["films.watch".to_owned()],
            resources: vec![FILMS.to_owned()],
            authorization_details: String::new(),
        })
        .await?
        .into_inner();
    println!(
        "the television shows: go to {} and type {}",
        device.verification_uri, device.user_code
    );

    // Meanwhile a person reads that, and takes their time: the television has asked once by then.
    let asked = Notify::new();
    let person = approves(&login, url, device.user_code, &asked);
    let waits = waits(&tv, &device.device_code, &asked);
    let (told, issued) = tokio::join!(person, waits);
    told?;
    println!("the television may {}", issued?.scopes.join(", "));
    Ok(())
}

/// Asks until the person has decided, as often as it is told to.
async fn waits(
    tv: &Countersign,
    device_code: &str,
    asked: &Notify,
) -> Result<IssueTokenResponse, Problem> {
    let tokens = tv.token_service();
    loop {
        let request = IssueTokenRequest {
            client: Some(tokens.client().authentication(SystemClock.now())?),
            grant: Some(Grant::DeviceCode(DeviceCode {
                device_code: device_code.to_owned(),
            })),
            ..IssueTokenRequest::default()
        };
        let answer = TokenServiceClient::new(tokens.channel())
            .issue_token(request)
            .await;
        asked.notify_one();
        let status = match answer {
            Ok(issued) => return Ok(issued.into_inner()),
            Err(status) => status,
        };
        // What else there is to say is final: declined, expired, not its code.
        match Refused::of(&status) {
            Some(Refused {
                reason: Reason::AuthorizationPending | Reason::SlowDown,
                retry_after: Some(after),
                ..
            }) => {
                println!(
                    "not decided yet: the television asks again in {} s",
                    after.as_secs()
                );
                tokio::time::sleep(after).await;
            }
            _ => return Err(status.into()),
        }
    }
}

/// What the login application does when ann, who has logged in there, types the code.
async fn approves(
    login: &Countersign,
    url: &str,
    user_code: String,
    asked: &Notify,
) -> Result<(), Problem> {
    asked.notified().await;
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
