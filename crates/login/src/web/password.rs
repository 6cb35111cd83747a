//! Somebody gives a name and a password.

use tracing::{debug, info};

use super::Inner;
use super::asking::Sent;
use super::enter::{Standing, asked_of, back_to_as, standing};
use super::reply::{Reply, Stop};
use crate::account::Name;
use crate::accounts::Verified;
use crate::event::LoginRefused;
use crate::named::Named;
use crate::pages::{self, LoggingIn, Problem};
use crate::session::Session;

pub(super) async fn given(app: &Inner, mut sent: Sent) -> Result<Reply, Stop> {
    let password = sent.fields.take("password");
    let named = sent.request(app.now());
    let typed = sent.fields.one("name").unwrap_or_default();
    let name = Name::parse(typed).ok();

    // Whether there is such an account or not: the same pauses, the same work, the same answer.
    let counted = match &name {
        Some(name) => name.as_str().to_owned(),
        None => typed.trim().to_ascii_lowercase(),
    };
    let attempt = match app.throttle.attempt(&counted, sent.address, app.steady()) {
        Ok(attempt) => attempt,
        Err(wait) => {
            debug!("a login has to wait");
            let why = LoginRefused::Paused;
            app.witness.login_refused(None, why, app.now());
            let page = again(app, &sent, named, typed, Problem::Paused(wait)).await?;
            return Ok(Reply::page(page).paused(wait));
        }
    };
    let verified = app.accounts.verify(name.as_ref(), password).await;
    let account = verified.inspect_err(|_| app.throttle.give_back(&attempt))?;
    let account = match account {
        Verified::Account(account) => Ok(account),
        Verified::Not(tried, why) => {
            let subject = tried.as_ref().map(|account| account.subject.as_str());
            app.witness.login_refused(subject, why, app.now());
            Err(why)
        }
    };
    let Ok(account) = account else {
        debug!("a login failed");
        let page = again(app, &sent, named, typed, Problem::Wrong).await?;
        return Ok(Reply::page(page).refused());
    };
    app.throttle.right(&attempt);
    // Under a new name: whoever knew the old one knows nothing of this session.
    let handle = named.map(|named| named.handle);
    let session = Session::begun(&account, handle, sent.agent.clone(), app.now());
    let beginning = app
        .sessions
        .begin(&sent.browser.id, &session, &account.subject);
    let id = beginning.await?;
    info!(account = %account.name, "somebody logged in");
    Ok(Reply::redirect(back_to_as(app, named, &id)).known_as(&id))
}

/// The form again, with what went wrong.
async fn again(
    app: &Inner,
    sent: &Sent,
    named: Option<Named<'_>>,
    typed: &str,
    problem: Problem,
) -> Result<pages::Page, Stop> {
    let token = sent.browser.id.form_token();
    let asked = match named {
        Some(named) => asked_of(app, named).await?,
        None => None,
    };
    let (Some(named), Some(asked)) = (named, &asked) else {
        let form = LoggingIn::alone(&token).after(typed, problem);
        return Ok(pages::login(&app.place, &form));
    };
    let found = app.sessions.find(&sent.browser.id, app.now()).await?;
    let standing = standing(found, named.handle, asked);
    let form = match &standing {
        Standing::ProofNeeded(who) => LoggingIn::once_more(&token, named, asked, &who.account),
        Standing::Unmet | Standing::LoginNeeded | Standing::MayDecide(_) => {
            LoggingIn::to_go_on(&token, named, asked)
        }
    };
    Ok(pages::login(&app.place, &form.after(typed, problem)))
}
