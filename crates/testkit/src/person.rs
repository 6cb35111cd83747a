use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{ApproveAuthorizationRequest, PushAuthorizationRequest};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{Code, Countersign, Issued, random};
use countersign_jose::{base64url, sha256};
use url::Url;

use crate::Problem;

/// Walks a person through: the client `desk` lodges a request, the login
/// application `login` approves it in the name of `subject`, and `desk` redeems
/// the code.
///
/// # Errors
///
/// What the service answered, or that it sent the browser somewhere else.
pub async fn sign_in(
    desk: &Countersign,
    login: &Countersign,
    issuer: &str,
    redirect_uri: &str,
    subject: &str,
) -> Result<Issued, Problem> {
    let code = authorize(desk, login, issuer, redirect_uri, subject).await?;
    Ok(desk.token_service().redeem(&code, &[], &[]).await?)
}

/// The same up to the code, which is not redeemed yet.
///
/// # Errors
///
/// As [`sign_in`].
pub async fn authorize(
    desk: &Countersign,
    login: &Countersign,
    issuer: &str,
    redirect_uri: &str,
    subject: &str,
) -> Result<Code, Problem> {
    let tokens = desk.token_service();
    let verifier = base64url::encode(random::bytes::<32>()?);
    let pushed = AuthorizationServiceClient::new(tokens.channel())
        .push_authorization(PushAuthorizationRequest {
            client: Some(tokens.client().authentication(SystemClock.now())?),
            redirect_uri: redirect_uri.to_owned(),
            state: "kept".to_owned(),
            code_challenge: base64url::encode(sha256(&[verifier.as_bytes()])),
            code_challenge_method: "S256".to_owned(),
            ..PushAuthorizationRequest::default()
        })
        .await?
        .into_inner();

    let deciding = login
        .channel(issuer)
        .scopes(["authorizations.decide"])
        .connect()
        .await?;
    let approved = AuthorizationServiceClient::new(deciding)
        .approve_authorization(ApproveAuthorizationRequest {
            request_uri: pushed.request_uri,
            subject: subject.to_owned(),
            ..ApproveAuthorizationRequest::default()
        })
        .await?
        .into_inner();

    let back = Url::parse(&approved.redirect_to)?;
    let parameter = |name: &str| {
        back.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .ok_or_else(|| format!("the redirect has no {name}"))
    };
    if parameter("state")? != "kept" || parameter("iss")? != issuer {
        return Err("the redirect has another state or issuer".into());
    }
    Ok(Code {
        code: parameter("code")?.into(),
        redirect_uri: redirect_uri.to_owned(),
        verifier: verifier.into(),
    })
}
