//! An authorization request, as a browser names it.

use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use crate::web::Fields;

/// The longest name of an authorization request that is looked at.
const HANDLE_BYTES_MAX: usize = 512;

/// The longest user code that is shown; those of the token service have nine characters.
const USER_CODE_BYTES_MAX: usize = 16;

/// Which request it is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named<'a> {
    /// Its name at the token service.
    pub(crate) handle: &'a str,
    /// The user code that led here: the person compares it with what their device shows (RFC 8628
    /// §5.4). It decides nothing.
    pub(crate) user_code: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// What a form or a query says.
    pub(crate) fn of(fields: &'a Fields) -> Option<Self> {
        let handle = fields.one("interaction")?;
        let named = (1..=HANDLE_BYTES_MAX).contains(&handle.len());
        named.then(|| Self {
            handle,
            user_code: fields.one("user_code").filter(|code| is_code(code)),
        })
    }

    /// For a form, so that it comes back.
    pub(crate) fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="interaction" value=(self.handle);
            @if let Some(code) = self.user_code {
                input type="hidden" name="user_code" value=(code);
            }
        }
    }

    /// For a link, so that it comes back.
    pub(crate) fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("interaction", self.handle);
        if let Some(code) = self.user_code {
            query.append_pair("user_code", code);
        }
        query.finish()
    }
}

/// Whether it can be shown as a code: nothing that reads like a sentence.
fn is_code(text: &str) -> bool {
    (1..=USER_CODE_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_goes_out() {
        for (query, expected) in [
            ("interaction=a%2Fb", Some(("a/b", None))),
            (
                "interaction=x&user_code=BCDF-GHJK",
                Some(("x", Some("BCDF-GHJK"))),
            ),
            ("interaction=x&user_code=call+0900", Some(("x", None))),
            ("interaction=x&user_code=A&user_code=B", Some(("x", None))),
            ("interaction=", None),
            ("user_code=BCDF-GHJK", None),
            ("interaction=x&interaction=y", None),
        ] {
            let fields = Fields::parse(query.as_bytes()).unwrap();
            let named = Named::of(&fields);
            let expected = expected.map(|(handle, user_code)| Named { handle, user_code });
            assert_eq!(named, expected, "{query}");
            if let Some(named) = named {
                let again = Fields::parse(named.query().as_bytes()).unwrap();
                assert_eq!(Named::of(&again), Some(named));
            }
        }
    }
}
