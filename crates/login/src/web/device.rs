//! Somebody types the code that their device shows (RFC 8628 §3.3).

use super::Inner;
use super::asking::{Asking, Sent};
use super::enter::back_to;
use super::reply::{Reply, Stop};
use crate::named::Named;
use crate::pages::{self, Problem};
use crate::token_service::{Trouble, Typed};
use crate::typed_code;

/// The longest text that is looked up: a code with a space between any two of its letters fits.
const TYPED_BYTES_MAX: usize = 64;

/// The longest code of a link; those of the token service have nine characters.
const LINKED_BYTES_MAX: usize = 16;

pub(super) async fn asked(app: &Inner, asking: &Asking) -> Result<Reply, Stop> {
    let browser = &asking.browser;
    // A code in the link is filled in, and not looked up: the person sends it, and compares it before
    // they allow anything (RFC 8628 §3.3.1, §5.4). What cannot be one is not shown: the page says
    // nothing in the name of whoever made the link.
    let linked = asking.query.one("user_code").filter(|text| is_code(text));
    let typed = linked.unwrap_or_default();
    let page = pages::device(&app.place, &browser.id.form_token(), typed, None);
    Ok(Reply::page(page).for_browser(browser))
}

/// Whether a text reads like a code, and not like a sentence.
fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.len() <= LINKED_BYTES_MAX && text.bytes().all(plain)
}

pub(super) async fn typed(app: &Inner, sent: Sent) -> Result<Reply, Stop> {
    let text = sent.fields.one("user_code").unwrap_or_default();
    let again = |problem| {
        let token = sent.browser.id.form_token();
        Reply::page(pages::device(&app.place, &token, text, Some(problem)))
    };
    if text.trim().is_empty() || text.len() > TYPED_BYTES_MAX {
        return Ok(again(Problem::NoSuchCode).refused());
    }
    let who = app.sessions.find(&sent.browser.id, app.now()).await?;
    let source = sent.address.text();
    let typed = Typed {
        user_code: text,
        subject: who.as_ref().map(|who| who.account.subject.as_str()),
        source: &source,
    };
    match app.tokens.find(&typed).await {
        Ok((handle, _)) => {
            let (browser, now) = (&sent.browser.id, app.now());
            let sealed = typed_code::seal(text, &handle, browser, now);
            let named = Named::read(&handle, Some(&sealed), browser, now);
            Ok(Reply::redirect(back_to(app, Some(named))))
        }
        Err(Trouble::Gone) => Ok(again(Problem::NoSuchCode).refused()),
        Err(Trouble::Busy(Some(wait))) => Ok(again(Problem::Paused(wait)).paused(wait)),
        Err(trouble) => Err(trouble.into()),
    }
}
