//! A request that waits for its person, as text.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use countersign_jose::base64url;
use url::form_urlencoded::{self, Parse};

use super::PendingAuthorization;
use super::answer::Expected;
use crate::pkce::Pkce;
use crate::secret::Secret;

// The fields, in this order and each once.
const URL: &str = "url";
const EXPIRES_IN: &str = "expires_in";
const REDIRECT_URI: &str = "redirect_uri";
const VERIFIER: &str = "code_verifier";
const STATE: &str = "state";
const ISSUER: &str = "issuer";

/// What was kept is no request that waits for its person.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was kept is no authorization request, by its {0}: begin anew")]
pub struct NotKept(&'static str);

impl PendingAuthorization {
    /// All of it as text, in the characters of a form: a web application keeps it with the person's
    /// session, and whichever of its instances the browser comes back to checks the answer. It
    /// holds `state` and the PKCE verifier: keep it at the server's side, or encrypted in a cookie.
    ///
    /// The code is bound to the proof key as well, so all instances need the same one
    /// ([`Builder::proof_key`](crate::Builder::proof_key)).
    pub fn keep(&self) -> Secret {
        let text = form_urlencoded::Serializer::new(String::new())
            .append_pair(URL, &self.url)
            .append_pair(EXPIRES_IN, &self.expires_in.as_secs().to_string())
            .append_pair(REDIRECT_URI, &self.redirect_uri)
            .append_pair(VERIFIER, self.pkce.verifier().expose())
            .append_pair(STATE, self.expected.state().expose())
            .append_pair(ISSUER, self.expected.issuer())
            .finish();
        Secret::new(text)
    }

    /// What [`keep`](Self::keep) made. [`expires_in`](Self::expires_in) is as it was then, in whole
    /// seconds.
    ///
    /// # Errors
    /// [`NotKept`] of any other text.
    pub fn of_kept(kept: &Secret) -> Result<Self, NotKept> {
        let mut fields = form_urlencoded::parse(kept.expose().as_bytes());
        let url = next(&mut fields, URL)?.into_owned();
        let expires_in = next(&mut fields, EXPIRES_IN)?;
        let expires_in = expires_in.parse().map_err(|_| NotKept(EXPIRES_IN))?;
        let redirect_uri = next(&mut fields, REDIRECT_URI)?.into_owned();
        let verifier = Secret::new(next(&mut fields, VERIFIER)?);
        let octets = base64url::decode_array(verifier.expose()).map_err(|_| NotKept(VERIFIER))?;
        let state = Secret::new(next(&mut fields, STATE)?);
        let issuer = next(&mut fields, ISSUER)?;
        match fields.next() {
            None => Ok(Self {
                url,
                expires_in: Duration::from_secs(expires_in),
                redirect_uri,
                pkce: Pkce::of(&octets),
                expected: Arc::new(Expected::new(state, &issuer)),
            }),
            Some(_) => Err(NotKept("end")),
        }
    }
}

fn next<'a>(fields: &mut Parse<'a>, name: &'static str) -> Result<Cow<'a, str>, NotKept> {
    match fields.next() {
        Some((found, value)) if found == name && !value.is_empty() => Ok(value),
        _ => Err(NotKept(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> PendingAuthorization {
        PendingAuthorization {
            url: "https://tokens.example/authorize?client_id=a&request_uri=urn%3Ab".to_owned(),
            expires_in: Duration::from_secs(600),
            redirect_uri: "https://shop.example/back?x=1&y=2".to_owned(),
            pkce: Pkce::of(&[7; 32]),
            expected: Arc::new(Expected::new("s 1&ü".into(), "https://tokens.example/a")),
        }
    }

    #[test]
    fn what_is_kept_is_the_same_request() {
        let pending = pending();
        let kept = pending.keep();
        let again = PendingAuthorization::of_kept(&kept).expect("kept");
        assert_eq!(again.url(), pending.url());
        assert_eq!(again.expires_in(), pending.expires_in());
        let back = "https://shop.example/back?x=1&y=2&code=c&state=s+1%26%C3%BC\
                    &iss=https%3A%2F%2Ftokens.example%2Fa";
        let (code, expected) = (again.check(back), pending.check(back));
        let (code, expected) = (code.expect("a code"), expected.expect("a code"));
        assert!(code.code == expected.code && code.verifier == expected.verifier);
        assert_eq!(code.redirect_uri, expected.redirect_uri);
        // A cookie's value takes it (RFC 6265 §4.1.1).
        let octet = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\');
        assert!(kept.expose().chars().all(octet));
    }

    #[test]
    fn what_is_no_kept_request_is_refused_by_its_first_wrong_field() {
        let kept = pending().keep();
        let whole = kept.expose();
        for name in [URL, EXPIRES_IN, REDIRECT_URI, VERIFIER, STATE, ISSUER] {
            let at = whole.find(&format!("{name}=")).expect("there");
            let to = whole[at..].find('&').map_or(whole.len(), |end| at + end);
            let field = &whole[at..to];
            for other in [
                String::new(),
                format!("{name}="),
                format!("{field}&{field}"),
            ] {
                let text = whole.replacen(field, &other, 1);
                assert!(
                    PendingAuthorization::of_kept(&text.into()).is_err(),
                    "{other}"
                );
            }
            let cut = PendingAuthorization::of_kept(&whole[..at].into());
            assert_eq!(cut.expect_err("cut"), NotKept(name));
        }
        for (field, other, at) in [
            ("expires_in=600", "expires_in=-1", EXPIRES_IN),
            ("code_verifier=", "code_verifier=A", VERIFIER),
        ] {
            let text = whole.replacen(field, other, 1);
            let refused = PendingAuthorization::of_kept(&text.into());
            assert_eq!(refused.expect_err(other), NotKept(at));
        }
        let shown = NotKept(VERIFIER).to_string();
        assert!(
            shown.contains("code_verifier") && shown.contains("begin anew"),
            "{shown}"
        );
    }
}
