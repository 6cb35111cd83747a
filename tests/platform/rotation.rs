//! Rotation through the client library, against a service whose clock moves.

use std::time::Duration;

use countersign_client::{Countersign, Issued, TokenError};
use countersign_testkit::{Platform, Problem, person_client, service_client, sign_in};

use crate::setup::RESOURCE;
use crate::work::in_a_runtime;

const BACK: &str = "http://127.0.0.1/back";

/// A lost answer asked for again within ten seconds brings the same successor;
/// later it is reuse, and the family is dead.
pub(crate) fn a_lost_answer_is_given_again_for_ten_seconds() -> Result<(), String> {
    in_a_runtime(async {
        let (platform, desk, first) = signed_in().await?;
        let tokens = desk.token_service();
        let old = first.refresh_token.ok_or("no refresh token")?;
        let next = tokens.rotate(&old, &[], &[]).await?;
        let successor = next.refresh_token.ok_or("no successor")?;

        platform.clock().advance(Duration::from_secs(9));
        let again = tokens.rotate(&old, &[], &[]).await?;
        let same = again.refresh_token.ok_or("no successor")?;
        if same.expose() != successor.expose() {
            return Err("a lost answer brought another successor".into());
        }

        platform.clock().advance(Duration::from_secs(2));
        refused(tokens.rotate(&old, &[], &[]).await, "an old refresh token")?;
        refused(
            tokens.rotate(&successor, &[], &[]).await,
            "a revoked family",
        )?;
        platform.stop().await
    })
}

/// A family that nobody uses for a week ends.
pub(crate) fn an_idle_family_ends() -> Result<(), String> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    in_a_runtime(async {
        let (platform, desk, first) = signed_in().await?;
        let tokens = desk.token_service();
        let token = first.refresh_token.ok_or("no refresh token")?;
        platform.clock().advance(6 * DAY);
        let next = tokens.rotate(&token, &[], &[]).await?;
        let token = next.refresh_token.ok_or("no successor")?;
        platform.clock().advance(8 * DAY);
        refused(tokens.rotate(&token, &[], &[]).await, "an idle family")?;
        platform.stop().await
    })
}

async fn signed_in() -> Result<(Platform, Countersign, Issued), Problem> {
    let platform = Platform::start().await?;
    platform
        .register_resource(RESOURCE, &["orders.read"])
        .await?;
    let decides = service_client("login", platform.issuer(), &["authorizations.decide"]);
    let login = platform.register(decides).await?;
    let desk = person_client("desk", BACK, RESOURCE, &["orders.read"]);
    let desk = platform.register(desk).await?;
    let login = platform.client(&login).connect().await?;
    let desk = platform.client(&desk).connect().await?;
    let issued = sign_in(&desk, &login, platform.issuer(), BACK, "ada").await?;
    Ok((platform, desk, issued))
}

fn refused(answer: Result<Issued, TokenError>, what: &str) -> Result<(), Problem> {
    match answer {
        Err(TokenError::Refused(refused, _))
            if refused.oauth_error.as_deref() == Some("invalid_grant") =>
        {
            Ok(())
        }
        Err(other) => Err(format!("{what} was answered {other}").into()),
        Ok(_) => Err(format!("{what} was accepted").into()),
    }
}
