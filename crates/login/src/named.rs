//! An authorization request, as a browser names it.

use countersign_jose::UnixTime;
use url::form_urlencoded::Serializer;

use crate::fields::Fields;
use crate::session::BrowserId;
use crate::token_service::Asked;
use crate::typed_code::TypedCode;

/// The longest name of an authorization request that is looked at.
const HANDLE_BYTES_MAX: usize = 512;

/// Which request it is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named<'a> {
    /// Its name at the token service.
    pub(crate) handle: &'a str,
    /// The code that led here, sent from a form of this browser: the person compares it with what
    /// their device shows (RFC 8628 §5.4). A device's request is shown and allowed to nobody without
    /// it.
    pub(crate) code: Option<TypedCode<'a>>,
}

impl<'a> Named<'a> {
    /// What a form or a query of that browser says.
    pub(crate) fn of(fields: &'a Fields, browser: &BrowserId, now: UnixTime) -> Option<Self> {
        let handle = fields.one("interaction")?;
        let named = (1..=HANDLE_BYTES_MAX).contains(&handle.len());
        named.then(|| Self::read(handle, fields.one("typed"), browser, now))
    }

    /// A request, with a code where it was sealed for that request and that browser.
    pub(crate) fn read(
        handle: &'a str,
        sealed: Option<&'a str>,
        browser: &BrowserId,
        now: UnixTime,
    ) -> Self {
        Self {
            handle,
            code: sealed.and_then(|sealed| TypedCode::read(sealed, handle, browser, now)),
        }
    }

    /// For the name that the browser has from now on.
    pub(crate) fn code_for(&self, browser: &BrowserId) -> Option<String> {
        let code = self.code?;
        Some(code.sealed_for(self.handle, browser))
    }

    /// Whether the person may see and allow it: of a device only who typed its code, or it may be
    /// somebody else's device.
    pub(crate) fn may_be_shown(&self, asked: &Asked) -> bool {
        !asked.device || self.code.is_some()
    }

    /// For a link, so that it comes back.
    pub(crate) fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("interaction", self.handle);
        if let Some(code) = self.code {
            query.append_pair("typed", code.sealed());
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typed_code;

    #[test]
    fn what_comes_in_goes_out() {
        let (browser, now) = (BrowserId::of([1; 32]), UnixTime::from_secs(1_000_000));
        let sealed = typed_code::seal("bcdfghjk", "x", &browser, now);
        for (query, expected) in [
            ("interaction=a%2Fb", Some(("a/b", None))),
            (
                &format!("interaction=x&typed={sealed}"),
                Some(("x", Some("BCDF-GHJK"))),
            ),
            (&format!("interaction=y&typed={sealed}"), Some(("y", None))),
            ("interaction=x&typed=BCDF-GHJK", Some(("x", None))),
            ("interaction=x&user_code=BCDF-GHJK", Some(("x", None))),
            ("interaction=", None),
            (&format!("typed={sealed}"), None),
        ] {
            let fields = Fields::parse(query.as_bytes()).unwrap();
            let named = Named::of(&fields, &browser, now);
            let said = named.map(|named| (named.handle, named.code.map(|code| code.code())));
            assert_eq!(said, expected, "{query}");
            if let Some(named) = named {
                let again = Fields::parse(named.query().as_bytes()).unwrap();
                assert_eq!(Named::of(&again, &browser, now), Some(named));
            }
        }
    }
}
