//! Requests that come with a browser (RFC 6749 §4.1.1, RFC 9126 §4): handed over to the login
//! application, and taken back in the same browser.
//!
//! A request that a browser has come with is *tied* to it: the browser keeps a secret, the record
//! its hash. The code is made when that browser is back, and not before.

use std::time::Duration;

use countersign_jose::UnixTime;

use super::decide::{RedirectTo, redirect};
use super::named::{Named, handle, not_waiting};
use super::push::{Lodging, lodged};
use crate::Expect;
use crate::change::{Change, Decision, Known, Record};
use crate::handle::{Handle, HandleKind, HandleText, MacKeys};
use crate::issuer::Issuer;
use crate::model::{
    Approval, Authorization, Catalogue, Client, ClientId, Malformed, RecordId, Redirect,
    RedirectUri, SecretHash, Stage, State, Way,
};
use crate::refusal::{FieldFault, Refusal};

/// Where a browser can be sent with bad news.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Return {
    /// What the client named; it is registered.
    pub redirect_uri: RedirectUri,
    /// Returned with the news.
    pub state: Option<State>,
}

/// The request is the login application's now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Begun {
    /// Names it to the login application.
    pub interaction: HandleText,
    /// How long the person has to decide.
    pub expires_in: Duration,
}

/// What becomes of a request that came in plain parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrived {
    /// It is handed over.
    Begun(Begun),
    /// It goes back to the client, which may be told why. `None`: what was known before.
    Back(Return, Option<Refusal>),
}

/// Reads a `request_uri` that a browser brought.
///
/// # Errors
/// [`Refusal::InvalidRequest`] naming the field.
pub fn brought(text: &str, keys: &MacKeys) -> Result<RecordId, Refusal> {
    let handle = Handle::parse(HandleKind::RequestUri, text, keys).map_err(|_| not_waiting())?;
    Ok(handle.record)
}

/// Reads the handle that a browser comes back with.
///
/// # Errors
/// [`Refusal::InvalidRequest`] naming the field.
pub fn returning(text: &str, keys: &MacKeys) -> Result<RecordId, Refusal> {
    let handle = Handle::parse(HandleKind::Resume, text, keys).map_err(|_| not_returning())?;
    Ok(handle.record)
}

impl Return {
    /// The browser's way back with an error of RFC 6749 §4.1.2.1.
    pub fn with(&self, error: &str, description: &str, issuer: &Issuer) -> RedirectTo {
        let answer = [("error", error), ("error_description", description)];
        redirect(&self.redirect_uri, self.state.as_ref(), &answer, issuer)
    }
}

/// Begins a request that was lodged before. `client` is the one that `named` names, and `browser`
/// what the browser keeps from here on. Once: another browser is too late.
pub fn begin(
    named: &ClientId,
    client: Option<&Client>,
    id: RecordId,
    known: Option<&Known<Authorization>>,
    browser: SecretHash,
    issuer: &Issuer,
    now: UnixTime,
) -> Decision<Begun> {
    let Some(client) = standing(named, client) else {
        return Decision::refuse(no_such_client());
    };
    let lodged = known.map(|known| &known.value);
    // RFC 9126 §4: of this client.
    let waits =
        super::decide::waiting(Named::by_request_uri(id), lodged, Some(client), issuer, now);
    let (Ok((authorization, _)), Some(known)) = (waits, known) else {
        return Decision::refuse(not_waiting());
    };
    let Way::Redirect(redirect) = &authorization.way else {
        return Decision::refuse(not_waiting());
    };
    let tied = Authorization {
        way: Way::Redirect(Redirect {
            browser: Some(browser),
            ..redirect.clone()
        }),
        ..authorization.clone()
    };
    let expires_in = authorization.expires_at.since(now);
    Change::default()
        .put(
            Record::Authorization(id, tied),
            Expect::Version(known.version),
        )
        .answer(begun(id, expires_in, issuer))
}

/// Lodges what a browser brought in plain parameters, and begins it. `lodging` is `None` where what
/// else it brought is wrong; client and redirect URI are looked at first all the same, since only
/// then it may be sent there (RFC 6749 §4.1.2.1).
#[expect(
    clippy::too_many_arguments,
    reason = "a decision is a function of all it depends on"
)]
pub fn arrive(
    named: &ClientId,
    client: Option<&Client>,
    back: &Return,
    lodging: Option<&Lodging>,
    catalogue: &Catalogue,
    id: RecordId,
    browser: SecretHash,
    issuer: &Issuer,
    now: UnixTime,
) -> Decision<Arrived> {
    let Some(client) = standing(named, client) else {
        return Decision::refuse(no_such_client());
    };
    // RFC 9700 §4.1.3: exact comparison, and before anything else: this is where an open
    // redirector would be.
    if !client.may_redirect_to(&back.redirect_uri) {
        let problem = Malformed::RedirectUriNotRegistered;
        return Decision::refuse(FieldFault::new("redirect_uri", problem));
    }
    let sent_back = |refusal| Decision::without_change(Ok(Arrived::Back(back.clone(), refusal)));
    // RFC 9126 §6: nothing else that it brings counts.
    if client.only_pushed {
        let fault = FieldFault::new("request_uri", Malformed::NotPushed);
        return sent_back(Some(fault.into()));
    }
    let Some(lodging) = lodging else {
        return sent_back(None);
    };
    let mut authorization = match lodged(client, lodging, catalogue, None, issuer, now) {
        Ok(authorization) => authorization,
        Err(refusal) => return sent_back(Some(refusal)),
    };
    if let Way::Redirect(redirect) = &mut authorization.way {
        redirect.browser = Some(browser);
    }
    let expires_in = issuer.lifetimes.request_uri;
    Change::default()
        .put(Record::Authorization(id, authorization), Expect::Absent)
        .answer(Arrived::Begun(begun(id, expires_in, issuer)))
}

/// Takes a decided request back from the browser that it began in, which shows what it `keeps`, and
/// sends it on to the client: once.
pub fn resume(
    id: RecordId,
    known: Option<&Known<Authorization>>,
    client: Option<&Client>,
    keeps: Option<&str>,
    issuer: &Issuer,
    now: UnixTime,
) -> Decision<RedirectTo> {
    let Some((known, client)) = known.zip(client) else {
        return Decision::refuse(not_returning());
    };
    let authorization = &known.value;
    let Way::Redirect(to) = &authorization.way else {
        return Decision::refuse(not_returning());
    };
    // Whoever else has the way back learns nothing from it, and uses nothing up.
    let is_its_own = to
        .browser
        .zip(keeps)
        .is_some_and(|(browser, keeps)| browser.matches(keeps));
    if !is_its_own {
        return Decision::refuse(FieldFault::new("resume", Malformed::OtherBrowser));
    }
    let Stage::Returning(approved) = &authorization.stage else {
        return Decision::refuse(not_returning());
    };
    let until = approved
        .as_ref()
        .map_or(authorization.expires_at, |approval| {
            approval.code_expires_at
        });
    let stands = authorization.is_of(client)
        && !client.disabled
        && client.may_redirect_to(&to.uri)
        && authorization.epoch == issuer.epoch;
    if now >= until || !stands {
        return Decision::refuse(not_returning());
    }
    let (stage, redirect_to) = match approved {
        Ok(approval) => {
            let code = handle(HandleKind::Code, id, issuer);
            let answer = [("code", code.reveal())];
            // The code is out from now on, and of what was approved then.
            let stage = Stage::Approved(Approval {
                code_expires_at: now.plus(issuer.lifetimes.code),
                ..approval.clone()
            });
            (stage, redirect(&to.uri, to.state.as_ref(), &answer, issuer))
        }
        Err(denial) => {
            let answer = denial.answer();
            let redirect_to = redirect(&to.uri, to.state.as_ref(), &answer, issuer);
            (Stage::Denied, redirect_to)
        }
    };
    let sent = Authorization {
        stage,
        ..authorization.clone()
    };
    Change::default()
        .put(
            Record::Authorization(id, sent),
            Expect::Version(known.version),
        )
        .answer(redirect_to)
}

fn begun(id: RecordId, expires_in: Duration, issuer: &Issuer) -> Begun {
    Begun {
        interaction: handle(HandleKind::Interaction, id, issuer),
        expires_in,
    }
}

/// A client that may be sent to: it has shown nothing, so nothing but its registration counts.
fn standing<'c>(named: &ClientId, client: Option<&'c Client>) -> Option<&'c Client> {
    client.filter(|client| client.id == *named && !client.disabled)
}

fn no_such_client() -> Refusal {
    FieldFault::new("client_id", Malformed::ClientNotRegistered).into()
}

/// Unknown, undecided, expired, or gone back already: one answer.
fn not_returning() -> Refusal {
    FieldFault::new("resume", Malformed::Resume).into()
}
