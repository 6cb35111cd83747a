//! A browser arrives, with a request or without.

use super::Inner;
use super::asking::Asking;
use super::reply::{Reply, Stop};
use crate::consent;
use crate::fields::Fields;
use crate::named::Named;
use crate::pages::{self, Consenting, LoggingIn};
use crate::session::BrowserId;
use crate::sessions::LoggedIn;
use crate::token_service::{ACR_PASSWORD, Approval, Asked, Denial};

/// How far the person has come with a request.
pub(super) enum Standing {
    /// Nobody can prove here who they are in one of the ways that are asked for.
    Unmet,
    /// They have to log in first.
    LoginNeeded,
    /// They are logged in, and have to give the password once more.
    ProofNeeded(LoggedIn),
    /// They may decide.
    MayDecide(LoggedIn),
}

/// What the browser comes from: after a form of ours, its policy holds for every redirect.
#[derive(Copy, Clone)]
pub(super) enum After {
    Form,
    Link,
}

impl After {
    /// What [`back_to`] says. Where somebody else says it, a page comes first: no harm.
    fn of(query: &Fields) -> Self {
        match query.one("after") {
            Some("form") => Self::Form,
            _ => Self::Link,
        }
    }
}

pub(super) async fn entered(app: &Inner, asking: &Asking) -> Result<Reply, Stop> {
    let id = &asking.browser.id;
    let Some(named) = asking.request(app.now()) else {
        if app.sessions.find(id, app.now()).await?.is_some() {
            return Ok(Reply::redirect(app.place.path("account")));
        }
        let page = pages::login(&app.place, &LoggingIn::alone(&id.form_token()));
        return Ok(Reply::page(page).for_browser(&asking.browser));
    };
    let Some(asked) = asked_of(app, named).await? else {
        return Ok(Reply::redirect(app.place.path("device")));
    };
    let found = app.sessions.find(id, app.now()).await?;
    let standing = standing(found, named.handle, &asked);
    let after = After::of(&asking.query);
    if asked.silently {
        return silently(app, named.handle, standing, asked, after).await;
    }
    let page = match standing {
        Standing::Unmet => return declined(app, named.handle, Denial::Unmet, after).await,
        Standing::LoginNeeded => {
            let token = id.form_token();
            pages::login(&app.place, &LoggingIn::to_go_on(&token, named, &asked))
        }
        Standing::ProofNeeded(who) => {
            let token = id.form_token();
            let form = LoggingIn::once_more(&token, named, &asked, &who.account);
            pages::login(&app.place, &form)
        }
        Standing::MayDecide(who) => {
            if app.consents.covers(&who.account.subject, &asked).await? {
                return approved(app, named.handle, &who, asked.scopes, after).await;
            }
            let consenting = Consenting {
                token: &id.form_token(),
                named,
                asked: &asked,
                account: &who.account,
                can_be_remembered: consent::can_be_remembered(&asked),
                problem: None,
            };
            pages::consent(&app.place, &consenting)
        }
    };
    Ok(Reply::page(page).for_browser(&asking.browser))
}

/// What is asked for. `None`: it is nobody's to see who has typed no code. (Nothing else shows one.)
pub(super) async fn asked_of(app: &Inner, named: Named<'_>) -> Result<Option<Asked>, Stop> {
    let asked = app.tokens.show(named.handle).await?;
    Ok(named.may_be_shown(&asked).then_some(asked))
}

/// `prompt=none`: it goes on without a page, or not at all (OpenID Connect Core §3.1.2.1).
async fn silently(
    app: &Inner,
    handle: &str,
    standing: Standing,
    asked: Asked,
    after: After,
) -> Result<Reply, Stop> {
    let why = match standing {
        Standing::Unmet => Denial::Unmet,
        Standing::LoginNeeded | Standing::ProofNeeded(_) => Denial::LoginRequired,
        Standing::MayDecide(who) => {
            if app.consents.covers(&who.account.subject, &asked).await? {
                return approved(app, handle, &who, asked.scopes, after).await;
            }
            Denial::ConsentRequired
        }
    };
    declined(app, handle, why, after).await
}

pub(super) async fn declined(
    app: &Inner,
    handle: &str,
    why: Denial,
    after: After,
) -> Result<Reply, Stop> {
    let to = app.tokens.deny(handle, why).await?;
    gone_on(to, after, || pages::device_denied(&app.place))
}

pub(super) fn standing(found: Option<LoggedIn>, handle: &str, asked: &Asked) -> Standing {
    match found {
        // RFC 9470 §5: before anybody types a password that is not enough.
        _ if !asked.is_met_by_password() => Standing::Unmet,
        None => Standing::LoginNeeded,
        Some(who) if who.session.must_be_proved_again(handle, asked) => Standing::ProofNeeded(who),
        Some(who) => Standing::MayDecide(who),
    }
}

/// The token service is told, and the browser goes on.
pub(super) async fn approved(
    app: &Inner,
    handle: &str,
    who: &LoggedIn,
    scopes: Vec<String>,
    after: After,
) -> Result<Reply, Stop> {
    let approval = Approval {
        subject: who.account.subject.clone(),
        scopes,
        auth_time: who.session.authenticated_at,
        acr: ACR_PASSWORD,
    };
    let to = app.tokens.approve(handle, &approval).await?;
    gone_on(to, after, || pages::device_allowed(&app.place))
}

/// A device learns of it by itself: the person is told.
fn gone_on(to: String, after: After, told: impl FnOnce() -> pages::Page) -> Result<Reply, Stop> {
    match after {
        _ if to.is_empty() => Ok(Reply::page(told())),
        After::Form => Reply::going_on(&to),
        After::Link => Ok(Reply::redirect(to)),
    }
}

/// Where the browser is sent to see what comes next with a request.
pub(super) fn back_to(app: &Inner, named: Option<Named<'_>>) -> String {
    match named {
        Some(named) => format!("{}?{}&after=form", app.place.path(""), named.query()),
        None => app.place.path("account"),
    }
}

/// The same for a browser that has another name from now on.
pub(super) fn back_to_as(app: &Inner, named: Option<Named<'_>>, browser: &BrowserId) -> String {
    let code = named.and_then(|named| named.code_for(browser));
    let named = named.map(|named| Named::read(named.handle, code.as_deref(), browser, app.now()));
    back_to(app, named)
}
