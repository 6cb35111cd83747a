//! Client credentials (RFC 6749 §4.4): a token in the client's own name.

use countersign_jose::{Thumbprint, UnixTime};

use crate::access_token::{self, Binding, Claims};
use crate::authenticate::Authenticated;
use crate::change::{Change, Decision};
use crate::handle::HandleText;
use crate::issuer::Issuer;
use crate::model::{AccessTokenFormat, Catalogue, FamilyId, TokenId};
use crate::policy::{self, Ask};
use crate::reference;
use crate::refusal::{NotAllowedCause, Refusal};

/// What was issued. An access token that is a JWT is signed once the change is committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    /// What the access token says, to be signed unless it is a reference. Its scopes are those
    /// granted.
    pub claims: Claims,
    /// The access token, where it is a reference.
    pub reference: Option<HandleText>,
    /// The refresh token, where the grant has one.
    pub refresh_token: Option<HandleText>,
    /// The family of the refresh token.
    pub family: Option<FamilyId>,
    /// How the audit log learns of it.
    pub entered: Entered,
}

/// How the audit log learns of an issue.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Entered {
    /// By an event of its change.
    WithChange,
    /// By itself: what is committed for it, if anything, are records that nobody acts upon.
    Alone {
        /// Why it was issued, where the grant alone does not say: a stable label.
        reason: Option<&'static str>,
    },
}

/// Decides what a client gets for its own registration. Writes nothing but that its assertion was
/// used, and what a reference token says.
pub fn issue(
    client: &Authenticated<'_>,
    ask: &Ask,
    catalogue: &Catalogue,
    issuer: &Issuer,
    proof: Thumbprint,
    id: TokenId,
    now: UnixTime,
) -> Decision<Issued> {
    let change = Change::by(client);
    match claims(client, ask, catalogue, issuer, (proof, id), now) {
        Ok((claims, format)) => {
            let (change, reference) = reference::made(change, &claims, format, issuer);
            change.answer(Issued {
                claims,
                reference,
                refresh_token: None,
                family: None,
                entered: Entered::Alone { reason: None },
            })
        }
        Err(refusal) => change.refuse(refusal),
    }
}

fn claims(
    client: &Authenticated<'_>,
    ask: &Ask,
    catalogue: &Catalogue,
    issuer: &Issuer,
    (jkt, id): (Thumbprint, TokenId),
    now: UnixTime,
) -> Result<(Claims, AccessTokenFormat), Refusal> {
    let certificate = client.bound_to();
    let client = client.client();
    // OAuth 2.1 §4.2: confidential clients only.
    if client.is_public() {
        return Err(NotAllowedCause::Public.into());
    }
    if !client.grant_types.client_credentials {
        return Err(NotAllowedCause::GrantType.into());
    }
    let permissions = policy::choose(ask, client, catalogue)?;
    let format = policy::format(&permissions, catalogue)?;
    let lifetime = access_token::lifetime(&permissions, catalogue, &issuer.lifetimes);
    let binding = Binding {
        jkt,
        certificate: certificate?,
        id,
        issued_at: issuer.issue_time(now),
    };
    let claims = Claims::of_client(&client.id, &permissions, lifetime, binding);
    let allowed = policy::choose_details(ask, client, &permissions, catalogue)?;
    let details = policy::carried_details(None, &allowed, &permissions, catalogue)?;
    let claims = claims.with_details(details, format, &issuer.name)?;
    Ok((claims, format))
}
