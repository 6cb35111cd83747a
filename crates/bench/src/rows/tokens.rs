//! Our calls of the token service.

use std::mem;
use std::sync::PoisonError;

use countersign::introspection::v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use countersign::keys::v1::{ListKeysRequest, ListKeysResponse};
use countersign::token::v1::revoke_token_request::Target;
use countersign::token::v1::{
    IssueTokenResponse, RevokeTokenRequest, RevokeTokenResponse, RotateTokenRequest,
    RotateTokenResponse,
};
use countersign_client::Client;

use crate::call::{Batch, Call, Connection, Failed, Failures, decode};
use crate::world::{ORDERS, TokenService};
use crate::{BenchError, load};

const ROTATE: &str = "/countersign.token.v1.TokenService/RotateToken";
const REVOKE: &str = "/countersign.token.v1.TokenService/RevokeToken";
const INTROSPECT: &str = "/countersign.introspection.v1.IntrospectionService/IntrospectToken";
const LIST_KEYS: &str = "/countersign.keys.v1.KeyService/ListKeys";

/// How many tokens are asked about, in turn.
const ASKED_ABOUT: usize = 64;

pub(super) fn issue_secret(tokens: &TokenService, calls: usize) -> Result<Batch, BenchError> {
    issue(tokens, tokens.checkout(), calls)
}

pub(super) fn issue_private_key_jwt(
    tokens: &TokenService,
    calls: usize,
) -> Result<Batch, BenchError> {
    issue(tokens, tokens.signer(), calls)
}

fn issue(tokens: &TokenService, client: &Client, calls: usize) -> Result<Batch, BenchError> {
    let calls = (0..calls)
        .map(|_| tokens.issue(client, "orders.write", ORDERS))
        .collect::<Result<_, _>>()?;
    Ok(Batch::of(calls, |answer: IssueTokenResponse| {
        bound(&answer.token_type, &answer.access_token)?;
        match answer.scopes == ["orders.write"] && answer.refresh_token.is_empty() {
            true => Ok(()),
            false => Err(Failed::Wrong("other scopes, or a refresh token")),
        }
    }))
}

pub(super) async fn redeem(tokens: &TokenService, calls: usize) -> Result<Batch, BenchError> {
    let calls = tokens.redemptions(calls).await?;
    Ok(Batch::of(calls, |answer: IssueTokenResponse| {
        bound(&answer.token_type, &answer.access_token)?;
        refreshable(&answer.refresh_token)
    }))
}

/// Every family is rotated once a round; the successor's turn is in the next.
pub(super) async fn rotate(tokens: &mut TokenService, calls: usize) -> Result<Batch, BenchError> {
    let families = tokens.rotated(calls).await?;
    let newest: Vec<String> = {
        let families = families.lock().unwrap_or_else(PoisonError::into_inner);
        families.iter().take(calls).cloned().collect()
    };
    let client = tokens.shown(tokens.desk())?;
    let call = |refresh_token| {
        let request = RotateTokenRequest {
            client: client.clone(),
            refresh_token,
            ..RotateTokenRequest::default()
        };
        tokens.proven(ROTATE, &request)
    };
    let calls = newest.into_iter().map(call).collect::<Result<_, _>>()?;
    Ok(Batch::new(calls, move |number, bytes| {
        let answer: RotateTokenResponse = decode(bytes)?;
        bound(&answer.token_type, &answer.access_token)?;
        refreshable(&answer.refresh_token)?;
        let mut families = families.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = families
            .get_mut(number)
            .filter(|used| **used != answer.refresh_token)
            .ok_or(Failed::Wrong("the same refresh token"))?;
        *newest = answer.refresh_token;
        Ok(())
    }))
}

pub(super) async fn introspect(
    tokens: &mut TokenService,
    calls: usize,
) -> Result<Batch, BenchError> {
    let handles = tokens.handles(ASKED_ABOUT).await?.to_vec();
    ask(tokens, &handles, calls).await
}

pub(super) async fn introspect_jwt(
    tokens: &TokenService,
    calls: usize,
) -> Result<Batch, BenchError> {
    let client = tokens.checkout();
    let asked = tokens
        .access_tokens(client, "orders.write", ORDERS, ASKED_ABOUT)
        .await?;
    ask(tokens, &asked, calls).await
}

async fn ask(tokens: &TokenService, asked: &[String], calls: usize) -> Result<Batch, BenchError> {
    let calls = asking(tokens, asked, calls).await?;
    Ok(Batch::of(calls, |answer: IntrospectTokenResponse| {
        match answer.active && !answer.client_id.is_empty() {
            true => Ok(()),
            false => Err(Failed::Wrong("not active")),
        }
    }))
}

/// So many calls that ask about these tokens, in turn.
async fn asking(
    tokens: &TokenService,
    asked: &[String],
    calls: usize,
) -> Result<Vec<Call>, BenchError> {
    let own = tokens.own_token(tokens.desk(), "introspect").await?;
    let call = |token: &String| {
        let request = IntrospectTokenRequest {
            token: token.clone(),
            ..IntrospectTokenRequest::default()
        };
        tokens.guarded(INTROSPECT, &request, &own)
    };
    let about = asked.iter().cycle().take(calls);
    about.map(call).collect()
}

pub(super) async fn revoke(tokens: &mut TokenService, calls: usize) -> Result<Batch, BenchError> {
    let families = tokens.refresh_tokens(calls).await?;
    tokens.revoked.clone_from(&families);
    let client = tokens.shown(tokens.desk())?;
    let call = |token| {
        let request = RevokeTokenRequest {
            client: client.clone(),
            target: Some(Target::Token(token)),
            ..RevokeTokenRequest::default()
        };
        tokens.proven(REVOKE, &request)
    };
    let calls = families.into_iter().map(call).collect::<Result<_, _>>()?;
    Ok(Batch::of(calls, |_: RevokeTokenResponse| Ok(())))
}

/// A revocation that did nothing is answered as one that did. So the service is asked about every
/// token of the last batch of [`revoke`].
pub(super) async fn still_active(tokens: &mut TokenService) -> Result<Failures, BenchError> {
    let revoked = mem::take(&mut tokens.revoked);
    let calls = asking(tokens, &revoked, revoked.len()).await?;
    let batch = Batch::of(calls, |answer: IntrospectTokenResponse| {
        match answer.active {
            true => Err(Failed::Wrong("active, although it was revoked")),
            false => Ok(()),
        }
    });
    let connections = Connection::open_many(tokens.url(), 1).await?;
    Ok(load::closed(&connections, batch, ASKED_ABOUT)
        .await
        .failures)
}

pub(super) fn list_keys(tokens: &TokenService, calls: usize) -> Batch {
    let issuer = tokens.issuer().to_owned();
    let calls = (0..calls)
        .map(|_| Call::new(LIST_KEYS, &ListKeysRequest {}))
        .collect();
    Batch::of(calls, move |answer: ListKeysResponse| {
        match !answer.keys.is_empty() && answer.issuer == issuer {
            true => Ok(()),
            false => Err(Failed::Wrong("no keys, or another's")),
        }
    })
}

fn bound(token_type: &str, access_token: &str) -> Result<(), Failed> {
    match token_type == "DPoP" && access_token.split('.').count() == 3 {
        true => Ok(()),
        false => Err(Failed::Wrong("not a DPoP-bound JWT")),
    }
}

fn refreshable(refresh_token: &str) -> Result<(), Failed> {
    match refresh_token.is_empty() {
        false => Ok(()),
        true => Err(Failed::Wrong("no refresh token")),
    }
}
