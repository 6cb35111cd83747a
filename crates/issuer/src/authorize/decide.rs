//! What the login application asks and decides.

use std::fmt;
use std::time::Duration;

use countersign_jose::UnixTime;
use url::form_urlencoded;

use super::named::{Named, handle, not_waiting};
use crate::Expect;
use crate::change::{Change, Decision, Known, Record};
use crate::event::{Actor, Event, EventKind, Object};
use crate::handle::HandleKind;
use crate::issuer::Issuer;
use crate::model::{
    Acr, Approval, Authorization, Catalogue, Client, ClientId, Denial, Details, DisplayName,
    Malformed, Permissions, RecordId, RedirectUri, ScopeAt, Scopes, Stage, State, Subject, Way,
    Wishes,
};
use crate::policy;
use crate::refusal::{FieldFault, Refusal, ScopeCause};

/// How far the clock of the login application may be ahead, or behind.
const AUTH_TIME_SKEW: Duration = Duration::from_secs(10);

/// What a person is asked to approve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The client that asks.
    pub client: ClientId,
    /// Its name for people.
    pub client_display_name: DisplayName,
    /// When it was registered: another client may have had its identifier before.
    pub client_created_at: UnixTime,
    /// Where the code will go; none for a device, which asks for it.
    pub redirect_uri: Option<RedirectUri>,
    /// What is asked for.
    pub permissions: Permissions,
    /// The same, scope by scope at each resource, with what they allow in plain words.
    pub scopes: Vec<ScopeAt>,
    /// What the client wants of the login.
    pub wishes: Wishes,
    /// What is asked for beyond scopes (RFC 9396).
    pub details: Details,
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
    /// `authorization_details`
    pub authorization_details: &'a str,
}

/// An approval that is well-formed.
#[derive(Clone, Debug)]
pub struct Approving {
    subject: Subject,
    scopes: Scopes,
    auth_time: Option<UnixTime>,
    acr: Option<Acr>,
    details: Option<Details>,
}

/// Where to send the browser. It holds a code: not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RedirectTo(String);

impl Approving {
    /// The client whose tokens of its own would have the same subject, if it is registered: to be
    /// loaded for [`approve`]. None where no client can have such an identifier.
    pub fn namesake(&self) -> Option<ClientId> {
        ClientId::parse(self.subject.as_str()).ok()
    }

    /// Reads the approval.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] naming the field, [`Refusal::InvalidScope`],
    /// [`Refusal::InvalidAuthorizationDetails`].
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
            details: policy::details_field(form.authorization_details)?,
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

/// What a person is to be shown. `client` is the one that lodged the request; `catalogue` holds the
/// resources that it is about.
///
/// # Errors
/// [`Refusal::InvalidRequest`] for a request that does not wait for a decision.
pub fn shown(
    named: Named,
    known: Option<&Authorization>,
    client: Option<&Client>,
    catalogue: &Catalogue,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Shown, Refusal> {
    let (authorization, client) = waiting(named, known, client, issuer, now)?;
    let (redirect_uri, wishes) = match &authorization.way {
        Way::Redirect(redirect) => (Some(redirect.uri.clone()), redirect.wishes.clone()),
        Way::Device(_) => (None, Wishes::default()),
    };
    Ok(Shown {
        client: client.id.clone(),
        client_display_name: client.display_name.clone(),
        client_created_at: client.created_at,
        redirect_uri,
        wishes,
        permissions: authorization.permissions.clone(),
        scopes: in_words(&authorization.permissions, catalogue),
        details: authorization.details.details(),
        expires_at: authorization.expires_at,
    })
}

/// Each scope at each resource, as the resource words it now.
fn in_words(permissions: &Permissions, catalogue: &Catalogue) -> Vec<ScopeAt> {
    let at = |(uri, scopes)| {
        let known = catalogue.resource(uri);
        let described = known.map(|resource| &resource.scope_descriptions);
        let scopes: &Scopes = scopes;
        scopes.iter().map(move |scope| ScopeAt {
            resource: uri.clone(),
            scope: scope.clone(),
            description: described.and_then(|all| all.of(scope)).cloned(),
        })
    };
    permissions.iter().flat_map(at).collect()
}

/// Records an approval and makes the code, which a device has already. `client` is the one that
/// lodged the request; `has_namesake` says that [`Approving::namesake`] is registered, disabled or
/// not. A device's person is sent nowhere.
pub fn approve(
    named: Named,
    known: Option<&Known<Authorization>>,
    client: Option<&Client>,
    approving: &Approving,
    has_namesake: bool,
    issuer: &Issuer,
    now: UnixTime,
) -> Decision<Option<RedirectTo>> {
    let (authorization, approval) = match approved(
        named,
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
    let id = named.record;
    let code = handle(HandleKind::Code, id, issuer);
    let redirect_to = sent_to(id, authorization, &[("code", code.reveal())], issuer);
    let event = Event {
        at: now,
        kind: EventKind::AuthorizationApproved,
        client: Some(authorization.client.clone()),
        actor: Actor::Subject(approval.subject.clone()),
        object: Object::Authorization(id),
        reason: authorization.way.label(),
        granted: None,
    };
    let stage = match authorization.returns() {
        true => Stage::Returning(Ok(approval)),
        false => Stage::Approved(approval),
    };
    decided(id, known, stage).event(event).answer(redirect_to)
}

/// Records that the request was declined. `client` is the one that lodged the request, `decider` the
/// login application, `denial` what it says why: of none, [`Wishes::denial`] has it. A device learns
/// that it was declined, and no more (RFC 8628 §3.5).
pub fn deny(
    named: Named,
    known: Option<&Known<Authorization>>,
    client: Option<&Client>,
    decider: &ClientId,
    denial: Option<Denial>,
    issuer: &Issuer,
    now: UnixTime,
) -> Decision<Option<RedirectTo>> {
    let authorization = match waiting(named, known.map(|known| &known.value), client, issuer, now) {
        Ok((authorization, _)) => authorization,
        Err(refusal) => return Decision::refuse(refusal),
    };
    let id = named.record;
    let denial = match &authorization.way {
        Way::Redirect(redirect) => denial.unwrap_or(redirect.wishes.denial()),
        Way::Device(_) => Denial::AccessDenied,
    };
    let redirect_to = sent_to(id, authorization, &denial.answer(), issuer);
    let event = Event {
        at: now,
        kind: EventKind::AuthorizationDenied,
        client: Some(authorization.client.clone()),
        actor: Actor::Client(decider.clone()),
        object: Object::Authorization(id),
        // Devices are told one thing alone, whatever the reason was.
        reason: authorization.way.label().or(Some(denial.error())),
        granted: None,
    };
    let stage = match authorization.returns() {
        true => Stage::Returning(Err(denial)),
        false => Stage::Denied,
    };
    decided(id, known, stage).event(event).answer(redirect_to)
}

/// A request that nobody decided, that has not expired, and whose client still stands.
pub(super) fn waiting<'a>(
    named: Named,
    known: Option<&'a Authorization>,
    client: Option<&'a Client>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<(&'a Authorization, &'a Client), Refusal> {
    let (authorization, client) = known.zip(client).ok_or_else(not_waiting)?;
    let waits = named.is_of(authorization)
        && authorization.stage == Stage::Pending
        && now < authorization.expires_at
        && authorization.epoch == issuer.epoch;
    let client_stands = authorization.is_of(client)
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
    named: Named,
    known: Option<&'a Authorization>,
    client: Option<&'a Client>,
    approving: &Approving,
    has_namesake: bool,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<(&'a Authorization, Approval), Refusal> {
    let (authorization, client) = waiting(named, known, client, issuer, now)?;
    // RFC 9700 §4.15: a person's token must not pass for a client's own, whichever client it is.
    if has_namesake || approving.subject == Subject::of_client(&client.id) {
        return Err(FieldFault::new("subject", Malformed::SubjectIsClient).into());
    }
    let auth_time = approving.auth_time.unwrap_or(now);
    let since = match &authorization.way {
        Way::Redirect(redirect) => redirect.wishes.authenticated_since,
        Way::Device(_) => None,
    };
    // RFC 9470 §4: nobody gets a token of an older login than they asked for.
    if since.is_some_and(|since| auth_time.plus(AUTH_TIME_SKEW) < since) {
        return Err(FieldFault::new("auth_time", Malformed::TooLongAgo).into());
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
        details: policy::narrow_details(approving.details.as_ref(), &authorization.details)?,
        auth_time,
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

impl Authorization {
    /// Whether the browser that it began in comes back to this service first.
    const fn returns(&self) -> bool {
        match &self.way {
            Way::Redirect(redirect) => redirect.browser.is_some(),
            Way::Device(_) => false,
        }
    }
}

/// Where the browser goes from the login application: back to this service where it came from
/// here, so that nobody can make another person's browser finish what he began.
fn sent_to(
    id: RecordId,
    authorization: &Authorization,
    answer: &[(&str, &str)],
    issuer: &Issuer,
) -> Option<RedirectTo> {
    match &authorization.way {
        Way::Redirect(_) if authorization.returns() => {
            let way_back = handle(HandleKind::Resume, id, issuer);
            let path = format!("/authorize?resume={}", way_back.reveal());
            Some(RedirectTo(issuer.name.below(&path)))
        }
        Way::Redirect(to) => Some(redirect(&to.uri, to.state.as_ref(), answer, issuer)),
        Way::Device(_) => None,
    }
}

/// The redirect URI as it was registered, with the answer behind it (RFC 6749 §4.1.2, RFC 9207).
pub(super) fn redirect(
    to: &RedirectUri,
    state: Option<&State>,
    answer: &[(&str, &str)],
    issuer: &Issuer,
) -> RedirectTo {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(answer);
    if let Some(state) = state {
        query.append_pair("state", state.as_str());
    }
    query.append_pair("iss", issuer.name.as_str());
    let uri = to.as_str();
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    RedirectTo(format!("{uri}{separator}{}", query.finish()))
}
