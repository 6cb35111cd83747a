//! Device authorization requests (RFC 8628 §3.1): a device that has no browser asks, and a person
//! decides somewhere else.

use std::fmt;
use std::time::Duration;

use countersign_jose::{Thumbprint, UnixTime};

use super::decide::{Shown, shown};
use super::named::{Named, handle};
use super::push::details_asked;
use crate::Expect;
use crate::authenticate::Authenticated;
use crate::change::{Change, Decision, LodgedUserCode, Record};
use crate::handle::{HandleKind, HandleText};
use crate::issuer::{CLOCK_MARGIN, Issuer};
use crate::model::{
    Authorization, Catalogue, Client, GrantedDetails, Malformed, Permissions, Polling, RecordId,
    Stage, Subject, UserCode, Way,
};
use crate::policy::{self, Ask};
use crate::refusal::{FieldFault, NotAllowedCause, Refusal};

/// The longest text that tells one visitor of a login application from another.
const SOURCE_BYTES_MAX: usize = 255;

/// The device may wait for a person.
#[derive(Clone, Debug)]
pub struct AuthorizedDevice {
    /// What the device asks with.
    pub device_code: HandleText,
    /// What the person types.
    pub user_code: UserCode,
    /// How long both are good for.
    pub expires_in: Duration,
    /// How long the device waits between two questions.
    pub interval: Duration,
}

/// Who typed a user code, as the login application tells its visitors apart: whose failed attempts
/// are counted (RFC 8628 §5.1). Not shown by `Debug`: it may be an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Guesser {
    /// The person, where they have logged in.
    pub subject: Option<Subject>,
    /// Where they are: an address, a session.
    pub source: Option<String>,
}

/// A request that was found by its user code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Names the request from here on.
    pub request_uri: HandleText,
    /// What the person is to be shown.
    pub shown: Shown,
}

impl Guesser {
    /// Reads the fields `subject` and `source`.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] naming the field, also where both are empty.
    pub fn parse(subject: &str, source: &str) -> Result<Self, Refusal> {
        if subject.is_empty() && source.is_empty() {
            return Err(FieldFault::new("source", Malformed::Guesser).into());
        }
        if source.len() > SOURCE_BYTES_MAX || source.contains(char::is_control) {
            return Err(FieldFault::new("source", Malformed::Source).into());
        }
        let subject = match subject {
            "" => None,
            text => {
                Some(Subject::parse(text).map_err(|problem| FieldFault::new("subject", problem))?)
            }
        };
        Ok(Self {
            subject,
            source: (!source.is_empty()).then(|| source.to_owned()),
        })
    }
}

impl fmt::Debug for Guesser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guesser(..)")
    }
}

/// Reads the field `user_code`.
///
/// # Errors
/// [`Refusal::InvalidRequest`] naming the field.
pub fn user_code(text: &str) -> Result<UserCode, Refusal> {
    UserCode::parse(text).map_err(|problem| FieldFault::new("user_code", problem).into())
}

/// Decides whether a device may wait for a person. `proof` is the key of the proof that came with
/// the request, if one did: nobody else can use the device code then. `id` names the new record,
/// and `user_code` is one that nothing else has now.
#[expect(
    clippy::too_many_arguments,
    reason = "a decision is a function of all it depends on"
)]
pub fn authorize_device(
    client: &Authenticated<'_>,
    ask: &Ask,
    catalogue: &Catalogue,
    issuer: &Issuer,
    proof: Option<Thumbprint>,
    id: RecordId,
    user_code: &UserCode,
    now: UnixTime,
) -> Decision<AuthorizedDevice> {
    let change = Change::by(client);
    let (permissions, details) = match asked(client.client(), ask, catalogue, issuer) {
        Ok(asked) => asked,
        Err(refusal) => return change.refuse(refusal),
    };
    let (expires_in, interval) = (
        issuer.lifetimes.device_code,
        issuer.lifetimes.device_interval,
    );
    let expires_at = now.plus(expires_in);
    let authorization = Authorization {
        client: client.client().id.clone(),
        permissions,
        details,
        dpop_jkt: proof,
        // A clock that was set back must not make it older than its client.
        lodged_at: now.max(client.client().created_at),
        expires_at,
        epoch: issuer.epoch,
        way: Way::Device(Polling {
            interval,
            polled_at: None,
        }),
        stage: Stage::Pending,
    };
    let lodged = LodgedUserCode {
        name: issuer.mac_keys.user_code_name(user_code),
        authorization: id,
        until: expires_at.plus(CLOCK_MARGIN),
    };
    change
        .put(Record::Authorization(id, authorization), Expect::Absent)
        // RFC 8628 §6.1: of two devices none may show the code of the other.
        .put(Record::UserCode(lodged), Expect::Absent)
        .answer(AuthorizedDevice {
            device_code: handle(HandleKind::Device, id, issuer),
            user_code: user_code.clone(),
            expires_in,
            interval,
        })
}

/// What a person who typed a user code is to be shown. `id` is what the code stands for, `client`
/// the one that lodged it, `catalogue` holds the resources that it is about.
///
/// # Errors
/// [`Refusal::InvalidRequest`], the same for codes that nobody ever had and codes that are decided
/// or over.
pub fn found(
    id: Option<RecordId>,
    known: Option<&Authorization>,
    client: Option<&Client>,
    catalogue: &Catalogue,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Found, Refusal> {
    let unknown = || FieldFault::new("user_code", Malformed::UserCode);
    let id = id.ok_or_else(unknown)?;
    // A code stands for a device's request and for nothing else.
    let device = known.filter(|known| matches!(known.way, Way::Device(_)));
    let named = Named::by_request_uri(id);
    let shown = shown(named, device, client, catalogue, issuer, now).map_err(|_| unknown())?;
    Ok(Found {
        request_uri: handle(HandleKind::RequestUri, id, issuer),
        shown,
    })
}

fn asked(
    client: &Client,
    ask: &Ask,
    catalogue: &Catalogue,
    issuer: &Issuer,
) -> Result<(Permissions, GrantedDetails), Refusal> {
    if !client.grant_types.device_code {
        return Err(NotAllowedCause::GrantType.into());
    }
    let permissions = policy::choose(ask, client, catalogue)?;
    let details = details_asked(ask, client, &permissions, catalogue, issuer)?;
    Ok((permissions, details))
}
