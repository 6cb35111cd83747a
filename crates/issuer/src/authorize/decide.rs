//! What the login application asks and decides.

use std::fmt;
use std::time::Duration;

use countersign_jose::UnixTime;
use url::form_urlencoded;

use crate::Expect;
use crate::change::{Change, Decision, Known, Record};
use crate::event::{Actor, Event, EventKind, Object};
use crate::handle::{Handle, HandleKind, MacKeys};
use crate::issuer::Issuer;
use crate::model::{
    Acr, Approval, Authorization, Client, ClientId, DisplayName, Generation, Malformed,
    Permissions, RecordId, Redirect, RedirectUri, Scopes, Stage, Subject, Way,
};
use crate::policy;
use crate::refusal::{FieldFault, Refusal, ScopeCause};

/// How far the clock of the login application may be ahead.
const AUTH_TIME_SKEW: Duration = Duration::from_secs(10);

/// What a person is asked to approve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The client that asks.
    pub client: ClientId,
    /// Its name for people.
    pub client_display_name: DisplayName,
    /// Where the code will go; none for a device, which asks for it.
    pub redirect_uri: Option<RedirectUri>,
    /// What is asked for.
    pub permissions: Permissions,
    /// When the request ends.
    pub expires_at: UnixTime,
}

/// The fields of an approval.
#[derive(Copy, Clone)]
pub struct ApproveForm<'a, S> {
    /// `subject`
    pub subject: &'a str,
    /// `scopes`
    pub scopes: &'a [S],
    /// `auth_time`
    pub auth_time: Option<UnixTime>,
    /// `acr`
    pub acr: &'a str,
}

/// An approval that is well-formed.
#[derive(Clone, Debug)]
pub struct Approving {
    subject: Subject,
    scopes: Scopes,
    auth_time: Option<UnixTime>,
    acr: Option<Acr>,
}

/// Where to send the browser. It holds a code: not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RedirectTo(String);

/// Reads the field `request_uri`: the record to load. What this service did not make is refused
/// before anything is looked up.
///
/// # Errors
/// [`Refusal::InvalidRequest`] naming the field.
pub fn request_uri(text: &str, keys: &MacKeys) -> Result<RecordId, Refusal> {
    if text.is_empty() {
        return Err(FieldFault::new("request_uri", Malformed::Missing).into());
    }
    let handle = Handle::parse(HandleKind::RequestUri, text, keys).map_err(|_| not_waiting())?;
    Ok(handle.record)
}

impl Approving {
    /// The client whose tokens of its own would have the same subject, if it is registered: to be
    /// loaded for [`approve`]. None where no client can have such an identifier.
    pub fn namesake(&self) -> Option<ClientId> {
        ClientId::parse(self.subject.as_str()).ok()
    }

    /// Reads the approval.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] naming the field, [`Refusal::InvalidScope`].
    pub fn parse<S: AsRef<str>>(form: &ApproveForm<'_, S>, now: UnixTime) -> Result<Self, Refusal> {
        if form
            .auth_time
            .is_some_and(|at| at > now.plus(AUTH_TIME_SKEW))
        {
            return Err(FieldFault::new("auth_time", Malformed::InTheFuture).into());
        }
        Ok(Self {
            subject: Subject::parse(form.subject)
                .map_err(|problem| FieldFault::new("subject", problem))?,
            scopes: policy::scopes_field("scopes", form.scopes)?,
            auth_time: form.auth_time.map(|at| at.min(now)),
            acr: Acr::parse(form.acr).map_err(|problem| FieldFault::new("acr", problem))?,
        })
    }
}

impl RedirectTo {
    /// The URI, for the answer.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedirectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedirectTo(..)")
    }
}

/// What a person is to be shown. `client` is the one that lodged the request.
///
/// # Errors
/// [`Refusal::InvalidRequest`] for a request that does not wait for a decision.
pub fn shown(
    known: Option<&Authorization>,
    client: Option<&Client>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Shown, Refusal> {
    let (authorization, client) = waiting(known, client, issuer, now)?;
    Ok(Shown {
        client: client.id.clone(),
        client_display_name: client.display_name.clone(),
        redirect_uri: match &authorization.way {
            Way::Redirect(redirect) => Some(redirect.uri.clone()),
            Way::Device(_) => None,
        },
        permissions: authorization.permissions.clone(),
        expires_at: authorization.expires_at,
    })
}

/// Records an approval and makes the code, which a device has already. `client` is the one that
/// lodged the request; `has_namesake` says that [`Approving::namesake`] is registered, disabled or
/// not. A device's person is sent nowhere.
pub fn approve(
    id: RecordId,
    known: Option<&Known<Authorization>>,
    client: Option<&Client>,
    approving: &Approving,
    has_namesake: bool,
    issuer: &Issuer,
    now: UnixTime,
) -> Decision<Option<RedirectTo>> {
    let (authorization, approval) = match approved(
        known.map(|known| &known.value),
        client,
        approving,
        has_namesake,
        issuer,
        now,
    ) {
        Ok(approved) => approved,
        Err(refusal) => return Decision::refuse(refusal),
    };
    let code = Handle {
        kind: HandleKind::Code,
        record: id,
        generation: Generation::FIRST,
    };
    let code = code.text(&issuer.mac_keys);
    let redirect_to = sent_to(authorization, ("code", code.reveal()), issuer);
    let event = Event {
        at: now,
        kind: EventKind::AuthorizationApproved,
        client: Some(authorization.client.clone()),
        actor: Actor::Subject(approval.subject.clone()),
        object: Object::Authorization(id),
        reason: authorization.way.label(),
        granted: None,
    };
    decided(id, known, Stage::Approved(approval))
        .event(event)
        .answer(redirect_to)
}

/// Records that the person declined. `client` is the one that lodged the request, `decider` the
/// login application.
pub fn deny(
    id: RecordId,
    known: Option<&Known<Authorization>>,
    client: Option<&Client>,
    decider: &ClientId,
    issuer: &Issuer,
    now: UnixTime,
) -> Decision<Option<RedirectTo>> {
    let authorization = match waiting(known.map(|known| &known.value), client, issuer, now) {
        Ok((authorization, _)) => authorization,
        Err(refusal) => return Decision::refuse(refusal),
    };
    // RFC 6749 §4.1.2.1.
    let redirect_to = sent_to(authorization, ("error", "access_denied"), issuer);
    let event = Event {
        at: now,
        kind: EventKind::AuthorizationDenied,
        client: Some(authorization.client.clone()),
        actor: Actor::Client(decider.clone()),
        object: Object::Authorization(id),
        reason: authorization.way.label(),
        granted: None,
    };
    decided(id, known, Stage::Denied)
        .event(event)
        .answer(redirect_to)
}

/// A request that nobody decided, that has not expired, and whose client still stands.
fn waiting<'a>(
    known: Option<&'a Authorization>,
    client: Option<&'a Client>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<(&'a Authorization, &'a Client), Refusal> {
    let (authorization, client) = known.zip(client).ok_or_else(not_waiting)?;
    let waits = authorization.stage == Stage::Pending
        && now < authorization.expires_at
        && authorization.epoch == issuer.epoch;
    let client_stands = client.id == authorization.client
        && !client.disabled
        && match &authorization.way {
            Way::Redirect(redirect) => client.may_redirect_to(&redirect.uri),
            Way::Device(_) => authorization.way.is_granted_to(client),
        };
    if waits && client_stands {
        Ok((authorization, client))
    } else {
        Err(not_waiting())
    }
}

fn approved<'a>(
    known: Option<&'a Authorization>,
    client: Option<&'a Client>,
    approving: &Approving,
    has_namesake: bool,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<(&'a Authorization, Approval), Refusal> {
    let (authorization, client) = waiting(known, client, issuer, now)?;
    // RFC 9700 §4.15: a person's token must not pass for a client's own, whichever client it is.
    if has_namesake || approving.subject == Subject::of_client(&client.id) {
        return Err(FieldFault::new("subject", Malformed::SubjectIsClient).into());
    }
    let permissions = policy::restrict(authorization.permissions.clone(), &approving.scopes)
        .ok_or(Refusal::InvalidScope {
            field: "scopes",
            cause: ScopeCause::Wider,
        })?;
    let approval = Approval {
        subject: approving.subject.clone(),
        permissions,
        approved_at: now,
        auth_time: approving.auth_time.unwrap_or(now),
        acr: approving.acr.clone(),
        code_expires_at: match &authorization.way {
            Way::Redirect(_) => now.plus(issuer.lifetimes.code),
            // RFC 8628 §3.2: as the device was told.
            Way::Device(_) => authorization.expires_at,
        },
    };
    Ok((authorization, approval))
}

fn decided(id: RecordId, known: Option<&Known<Authorization>>, stage: Stage) -> Change {
    match known {
        Some(Known { value, version }) => Change::default().put(
            Record::Authorization(
                id,
                Authorization {
                    stage,
                    ..value.clone()
                },
            ),
            Expect::Version(*version),
        ),
        None => Change::default(),
    }
}

fn sent_to(
    authorization: &Authorization,
    answer: (&str, &str),
    issuer: &Issuer,
) -> Option<RedirectTo> {
    match &authorization.way {
        Way::Redirect(to) => Some(redirect(to, answer, issuer)),
        Way::Device(_) => None,
    }
}

/// The redirect URI as it was registered, with the answer behind it (RFC 6749 §4.1.2, RFC 9207).
fn redirect(to: &Redirect, answer: (&str, &str), issuer: &Issuer) -> RedirectTo {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(answer.0, answer.1);
    if let Some(state) = &to.state {
        query.append_pair("state", state.as_str());
    }
    query.append_pair("iss", issuer.name.as_str());
    let uri = to.uri.as_str();
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    RedirectTo(format!("{uri}{separator}{}", query.finish()))
}

/// Unknown, expired, decided, or of a client that is gone: one answer.
fn not_waiting() -> Refusal {
    FieldFault::new("request_uri", Malformed::RequestUri).into()
}
