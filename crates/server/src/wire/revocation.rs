//! Messages of `countersign.revocation.v1`, and what an operator revokes.

use countersign::admin::v1::RevokeTokensRequest;
use countersign::admin::v1::revoke_tokens_request::Target as Asked;
use countersign::revocation::v1::revocation::Target as Told;
use countersign::revocation::v1::{Revocation as Message, WatchRevocationsResponse};
use countersign_issuer::model::{ClientId, FamilyId, Malformed, Subject, TokenId};
use countersign_issuer::{Holder, Revocation, RevocationTarget, Target};
use countersign_jose::Thumbprint;

use super::{duration, timestamp};
use crate::refused::Refused;
use crate::revoked::{Cursor, HEARTBEAT, Page};

/// The field `cursor`; empty is none. What is no cursor of ours came from nowhere.
pub(crate) fn cursor(text: &str) -> Result<Option<Cursor>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Refused::Field {
        field: "cursor",
        expected: "must be empty, or as it was received",
    })
}

/// Some revocations, or a sign of life.
pub(crate) fn page(page: &Page) -> WatchRevocationsResponse {
    WatchRevocationsResponse {
        revocations: page
            .revocations
            .iter()
            .map(|(number, revocation)| message(*number, revocation))
            .collect(),
        cursor: page.cursor.to_string(),
        complete: page.complete,
        heartbeat_interval: Some(duration(HEARTBEAT)),
    }
}

fn message(number: u64, revocation: &Revocation) -> Message {
    Message {
        number,
        target: Some(match &revocation.target {
            RevocationTarget::Token(id) => Told::TokenId(id.to_string()),
            RevocationTarget::Family(id) => Told::FamilyId(id.to_string()),
            RevocationTarget::Holder(Holder::Client(client)) => Told::ClientId(client.to_string()),
            RevocationTarget::Holder(Holder::Subject(subject)) => {
                Told::Subject(subject.to_string())
            }
            RevocationTarget::Holder(Holder::Key(jkt)) => Told::Jkt(jkt.to_string()),
            RevocationTarget::References => Told::References(true),
            RevocationTarget::Signer(signer) => Told::Signer(signer.to_string()),
            RevocationTarget::Everything => Told::Everything(true),
        }),
        revoke_time: Some(timestamp(revocation.at)),
        forget_time: Some(timestamp(revocation.forget_at)),
    }
}

/// What an operator revokes.
pub(crate) fn target(request: RevokeTokensRequest) -> Result<Target, Refused> {
    let fault = Refused::field;
    Ok(match request.target {
        None => return Err(fault("target", Malformed::Missing)),
        Some(Asked::TokenId(text)) => {
            Target::Token(TokenId::parse(&text).map_err(|_| Refused::Field {
                field: "token_id",
                expected: "must be the jti of an access token: 22 characters of base64url",
            })?)
        }
        Some(Asked::FamilyId(text)) => {
            Target::Family(FamilyId::parse(&text).map_err(|problem| fault("family_id", problem))?)
        }
        Some(Asked::ClientId(text)) => Target::Holder(Holder::Client(
            ClientId::parse(&text).map_err(|problem| fault("client_id", problem))?,
        )),
        Some(Asked::Subject(text)) => Target::Holder(Holder::Subject(
            Subject::parse(&text).map_err(|problem| fault("subject", problem))?,
        )),
        Some(Asked::Jkt(text)) => {
            Target::Holder(Holder::Key(Thumbprint::parse(&text).map_err(|_| {
                Refused::Field {
                    field: "jkt",
                    expected: "must be a thumbprint (RFC 7638): 43 characters of base64url",
                }
            })?))
        }
    })
}
