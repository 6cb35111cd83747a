//! The application in front of a real token service: what a person allows there becomes a token.

use std::sync::Arc;
use std::time::Duration;

use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::{Client, DeleteClientRequest, UpdateClientRequest};
use countersign::authorization::v1::PushAuthorizationRequest;
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{Code, Countersign, random};
use countersign_jose::{base64url, sha256};
use countersign_login::{OverGrpc, Proxies};
use countersign_testkit::{Platform, Problem, person_client, service_client};
use prost_types::FieldMask;
use url::Url;

use crate::browser::Browser;
use crate::world::{PASSWORD, World, decide, log_in};

pub(crate) const RESOURCE: &str = "https://orders.example";
pub(crate) const BACK: &str = "https://desk.example/back";
pub(crate) const SCOPES: &[&str] = &["orders.read", "orders.write"];

/// A token service, a client of it, and the application with an account of its own.
async fn started() -> Result<(Platform, Countersign, World), Problem> {
    let platform = Platform::start().await?;
    platform.register_resource(RESOURCE, SCOPES).await?;
    let decides = service_client("login", platform.issuer(), &["authorizations.decide"]);
    let login = platform.register(decides).await?;
    let login = platform.client(&login).connect().await?;
    let mut desk = person_client("desk", BACK, RESOURCE, SCOPES);
    desk.display_name = "<The> Desk".to_owned();
    let desk = platform.register(desk).await?;
    let desk = platform.client(&desk).connect().await?;
    let tokens = OverGrpc::connect(&login, platform.url()).await?;
    let issuer = platform.issuer().to_owned();
    let world = World::before("", Proxies::None, &issuer, |_| Arc::new(tokens)).await;
    Ok((platform, desk, world))
}

/// Lodges a request: its name, and the PKCE verifier.
pub(crate) async fn pushed(desk: &Countersign) -> Result<(String, String), Problem> {
    pushed_wanting(desk, &[]).await
}

/// The same, where the person has to prove who they are in one of these ways.
async fn pushed_wanting(
    desk: &Countersign,
    acr_values: &[&str],
) -> Result<(String, String), Problem> {
    let tokens = desk.token_service();
    let verifier = base64url::encode(random::bytes::<32>()?);
    let request = PushAuthorizationRequest {
        client: Some(tokens.client().authentication(SystemClock.now())?),
        redirect_uri: BACK.to_owned(),
        state: "kept".to_owned(),
        code_challenge: base64url::encode(sha256(&[verifier.as_bytes()])),
        code_challenge_method: "S256".to_owned(),
        acr_values: acr_values.iter().map(|&acr| acr.to_owned()).collect(),
        ..PushAuthorizationRequest::default()
    };
    let pushed = AuthorizationServiceClient::new(tokens.channel())
        .push_authorization(request)
        .await?;
    Ok((pushed.into_inner().request_uri, verifier))
}

pub(crate) fn parameter(location: &str, name: &str) -> Option<String> {
    let url = Url::parse(location).unwrap();
    let mut pairs = url.query_pairs();
    pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

fn entry(handle: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("interaction", handle)
        .finish();
    format!("/?{query}")
}

/// Somebody who is logged in is asked, and says so for the next time, too.
async fn allows_for_good(browser: &mut Browser, desk: &Countersign) -> Result<(), Problem> {
    let (handle, _) = pushed(desk).await?;
    let page = browser.get(&entry(&handle)).await;
    page.says(200, "Allow access?");
    decide(browser, &page, "allow", SCOPES, true)
        .await
        .location();
    Ok(())
}

/// They are not asked: the client has its code.
async fn goes_on(browser: &mut Browser, desk: &Countersign) -> Result<(), Problem> {
    let (handle, _) = pushed(desk).await?;
    let seen = browser.get(&entry(&handle)).await;
    assert!(parameter(&seen.location(), "code").is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_allows_becomes_a_token_of_theirs() -> Result<(), Problem> {
    let (platform, desk, world) = started().await?;
    let (handle, verifier) = pushed(&desk).await?;
    let mut browser = world.browser();
    let page = browser.get(&entry(&handle)).await;
    page.says(200, "&lt;The&gt; Desk");
    let seen = log_in(&mut browser, &page, "ann", PASSWORD).await;
    assert_eq!(seen.location(), format!("{}&after=form", entry(&handle)));
    let page = browser.get(&entry(&handle)).await;
    let seen = decide(&mut browser, &page, "allow", &["orders.read"], true).await;
    let location = seen.location();
    assert!(location.starts_with(BACK), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some("kept"));
    assert_eq!(
        parameter(&location, "iss").as_deref(),
        Some(platform.issuer())
    );
    let code = Code {
        code: parameter(&location, "code").unwrap().into(),
        redirect_uri: BACK.to_owned(),
        verifier: verifier.into(),
    };
    let issued = desk.token_service().redeem(&code, &[], &[]).await?;
    assert_eq!(issued.scopes, ["orders.read"]);
    let claims = issued.access_token.expose().split('.').nth(1).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&base64url::decode(claims)?)?;
    assert_eq!(claims["sub"], "subject-of-ann");
    assert_eq!(claims["acr"], "pwd");
    assert!(claims["auth_time"].is_u64(), "{claims}");

    // The request is over; the next one asks for more than was allowed.
    browser
        .get(&entry(&handle))
        .await
        .says(400, "This request is over");
    allows_for_good(&mut browser, &desk).await?;
    goes_on(&mut browser, &desk).await?;

    let (handle, _) = pushed(&desk).await?;
    let mut browser = world.browser();
    let page = browser.get(&entry(&handle)).await;
    let seen = decide(&mut browser, &page, "deny", &[], false).await;
    assert_eq!(
        parameter(&seen.location(), "error").as_deref(),
        Some("access_denied")
    );

    for unknown in ["made-up", "urn:ietf:params:oauth:request_uri:x"] {
        let seen = browser.get(&entry(unknown)).await;
        seen.says(400, "This request is over");
    }
    platform.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_is_away_is_told_to_the_person() -> Result<(), Problem> {
    let (platform, desk, world) = started().await?;
    let (handle, _) = pushed(&desk).await?;
    platform.stop().await?;
    let seen = world.browser().get(&entry(&handle)).await;
    seen.says(503, "Try again in a moment.");
    assert_eq!(seen.header("retry-after"), "5");
    Ok(())
}

/// A client that has the identifier of another one, which was deleted, has nothing of what people
/// allowed that one; nor has another redirect URI of the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_registered_again_asks_again() -> Result<(), Problem> {
    let (platform, desk, world) = started().await?;
    let mut browser = world.anns_browser().await;
    allows_for_good(&mut browser, &desk).await?;
    goes_on(&mut browser, &desk).await?;

    // Changed, it is who it was.
    let mut clients = ClientServiceClient::new(platform.admin().await?);
    let renamed = Client {
        client_id: "desk".to_owned(),
        display_name: "The Desk".to_owned(),
        ..Client::default()
    };
    let mask = FieldMask {
        paths: vec!["display_name".to_owned()],
    };
    let update = UpdateClientRequest {
        client: Some(renamed),
        update_mask: Some(mask),
    };
    platform.clock().advance(Duration::from_secs(1));
    clients.update_client(update).await?;
    goes_on(&mut browser, &desk).await?;

    let delete = DeleteClientRequest {
        client_id: "desk".to_owned(),
        etag: String::new(),
    };
    clients.delete_client(delete).await?;
    platform.clock().advance(Duration::from_secs(1));
    let desk = person_client("desk", BACK, RESOURCE, SCOPES);
    let desk = platform.register(desk).await?;
    let desk = platform.client(&desk).connect().await?;
    allows_for_good(&mut browser, &desk).await?;
    goes_on(&mut browser, &desk).await?;
    platform.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_more_than_a_password_is_told_so() -> Result<(), Problem> {
    let (platform, desk, world) = started().await?;
    let (handle, _) = pushed_wanting(&desk, &["phr", "mfa"]).await?;
    let seen = world.browser().get(&entry(&handle)).await;
    let error = parameter(&seen.location(), "error");
    assert_eq!(error.as_deref(), Some("unmet_authentication_requirements"));
    assert_eq!(
        parameter(&seen.location(), "state").as_deref(),
        Some("kept")
    );
    let (handle, _) = pushed_wanting(&desk, &["phr", "pwd"]).await?;
    let page = world.browser().get(&entry(&handle)).await;
    page.says(200, "<h1>Log in</h1>");
    platform.stop().await
}
