//! Chapter four: a person approves, and the code is redeemed with PKCE.

use countersign::authorization::v1::PushAuthorizationRequest;
use countersign::error::v1::Reason;
use countersign::example::v1::GetOrderRequest;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::{AuthorizationCode, IssueTokenResponse};
use countersign_jose::{base64url, sha256};

use super::registration::{Cast, REDIRECT_URI};
use super::stage::{Stage, fingerprint, short};
use super::world::World;
use crate::entropy;
use crate::exit::Failure;

/// The person at the desk.
const PERSON: &str = "alice";

/// Plays the code flow; what `desk` was issued comes back.
pub(crate) async fn play(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
) -> Result<IssueTokenResponse, Failure> {
    stage.chapter("A person approves: authorization code with PKCE")?;
    let verifier = base64url::encode(entropy::bytes::<32>()?);
    let state = base64url::encode(entropy::bytes::<8>()?);
    let request_uri = push(stage, world, cast, &verifier, &state).await?;
    let redirect_to = decide(stage, world, cast, &request_uri).await?;
    let returned = parameter(&redirect_to, "state");
    stage.holds(
        "the state that `desk` sent came back with the code",
        returned == Some(state.as_str()),
    )?;
    let code = parameter(&redirect_to, "code")
        .ok_or_else(|| Failure::surprise("the redirect carries no code"))?;
    let issued = redeem(stage, world, cast, code, &verifier).await?;
    not_the_owner(stage, world, cast, &issued).await?;
    Ok(issued)
}

async fn push(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    verifier: &str,
    state: &str,
) -> Result<String, Failure> {
    let desk = &cast.desk;
    let request = PushAuthorizationRequest {
        client: Some(desk.authentication()),
        redirect_uri: REDIRECT_URI.to_owned(),
        scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
        resources: vec![world.order_service().to_owned()],
        state: state.to_owned(),
        code_challenge: base64url::encode(sha256(&[verifier.as_bytes()])),
        code_challenge_method: "S256".to_owned(),
        dpop_jkt: desk.prover().jkt().to_string(),
        ..PushAuthorizationRequest::default()
    };
    let pushed = world.push(desk, &request).await?;
    let pushed = stage.accepted(
        "`desk` pushes an authorization request: PKCE challenge, key thumbprint",
        pushed,
        |pushed| format!("lodged as {}", fingerprint(&pushed.request_uri)),
    )?;
    Ok(pushed.request_uri)
}

async fn decide(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    request_uri: &str,
) -> Result<String, Failure> {
    let login = &cast.login;
    let own = world
        .issue_own(login, "authorizations.decide", world.issuer())
        .await?;
    let own = stage
        .accepted(
            "`login` gets a token with authorizations.decide, for Countersign itself",
            own,
            |own| format!("issued: DPoP token {}", fingerprint(&own.access_token)),
        )?
        .access_token;
    let asked = world.authorization(login, &own, request_uri).await?;
    stage.accepted(
        &format!("`login` asks what {PERSON} is to approve"),
        asked,
        |asked| match &asked.authorization {
            Some(asked) => format!("`{}` wants {}", asked.client_id, asked.scopes.join(" ")),
            None => "nothing".to_owned(),
        },
    )?;
    let approved = world.approve(login, &own, request_uri, PERSON).await?;
    let approved = stage.accepted(
        &format!("{PERSON} approves, and `login` says so"),
        approved,
        |_| "the browser is sent back with a code that lives 60 s".to_owned(),
    )?;
    Ok(approved.redirect_to)
}

async fn redeem(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    code: &str,
    verifier: &str,
) -> Result<IssueTokenResponse, Failure> {
    let grant = Grant::AuthorizationCode(AuthorizationCode {
        code: code.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
        code_verifier: verifier.to_owned(),
    });
    let issued = world.issue(&cast.desk, grant, &[], &[]).await?;
    let issued = stage.accepted(
        "`desk` redeems the code with its PKCE verifier and a proof",
        issued,
        |issued| {
            format!(
                "issued: DPoP token {} and refresh token {}, bound to key {}",
                fingerprint(&issued.access_token),
                fingerprint(&issued.refresh_token),
                short(&cast.desk.prover().jkt()),
            )
        },
    )?;
    stage.holds(
        "the answer names the family, too, and the type DPoP",
        issued.token_type == "DPoP"
            && !issued.refresh_token.is_empty()
            && !issued.family_id.is_empty(),
    )?;
    Ok(issued)
}

async fn not_the_owner(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    issued: &IssueTokenResponse,
) -> Result<(), Failure> {
    let target = world.order_target("GetOrder")?;
    let request = GetOrderRequest {
        order_id: "order-1".to_owned(),
    };
    let answer = cast
        .desk
        .prover()
        .call(
            &target,
            Some(&issued.access_token),
            &request,
            async |request| world.orders().get_order(request).await,
        )
        .await?;
    stage.refused(
        &format!("{PERSON} calls GetOrder for an order that `checkout` placed"),
        answer,
        Reason::NotOwner,
        "the scope is there, the order is somebody else's",
    )
}

/// A parameter of a redirect whose value needs no decoding.
fn parameter<'a>(uri: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = uri.split_once('?')?;
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
