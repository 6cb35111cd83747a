//! A body of parameters (RFC 6749 appendix B), read strictly: what one reader takes for something
//! else than another is refused.

use ::http::Uri;
use ::http::request::Parts;
use axum::body::Body;
use countersign_form::{Fields, NotAForm, Rules, Unread};

use super::problem::{Misfit, Problem};
use crate::refused::Refused;
use crate::wire::MESSAGE_BYTES_MAX;

/// Resources may be several (RFC 8707 §2). 64 parameters are more than any request has.
const RULES: Rules = Rules {
    lists: &["resource"],
    fields_max: 64,
};

/// The parameters of a request. Holds secrets, so it does not print them, and wipes them in the end.
pub(super) struct Form(Fields);

impl Form {
    /// Reads the body.
    pub(super) async fn read(head: &Parts, body: Body) -> Result<Self, Problem> {
        // RFC 6749 §3.2: in the body, and nowhere else: paths are logged.
        if head.uri.query().is_some() {
            return Err(wrong("query", "must be absent: parameters go in the body"));
        }
        let whole = countersign_form::read(head, body, MESSAGE_BYTES_MAX).await;
        let whole = whole.map_err(|unread| match unread {
            Unread::MediaType => Misfit::MediaType,
            Unread::TooLarge => Misfit::TooLarge,
            Unread::Late => Misfit::Late,
            Unread::Cut => Misfit::Cut,
        })?;
        Self::parse("body", &whole)
    }

    /// The parameters of an address, which are read as strictly.
    pub(super) fn of_query(uri: &Uri) -> Result<Self, Problem> {
        Self::parse("query", uri.query().unwrap_or_default().as_bytes())
    }

    /// `place` is where they stand: what is refused there names it.
    fn parse(place: &'static str, bytes: &[u8]) -> Result<Self, Problem> {
        let parameters = countersign_form::parse(bytes, RULES).map_err(|not_a_form| {
            let expected = match not_a_form {
                NotAForm::TooMany => "must have at most 64 parameters",
                NotAForm::Encoding => "must be UTF-8, percent-encoded as HTML forms are",
                NotAForm::Twice => "must not have a parameter twice",
            };
            wrong(place, expected)
        })?;
        Ok(Self(parameters))
    }

    /// The value of a parameter. RFC 6749 §3.2: one without a value is as if it were not there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// As [`get`](Self::get); empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All values of a parameter that may be there several times.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.all(name).collect()
    }

    /// The words of a parameter (RFC 6749 §3.3).
    pub(super) fn words(&self, name: &str) -> Vec<&str> {
        let words = self.text(name).split(' ');
        words.filter(|word| !word.is_empty()).collect()
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(other, value)| other == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

/// The parameters in these bytes, if they are a form: for `tests/fuzz`.
#[cfg(feature = "fuzz")]
pub(crate) fn parameters(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let Form(fields) = Form::parse("body", bytes).ok()?;
    let fields = fields.into_iter();
    Some(
        fields
            .map(|(name, value)| (name, value.to_string()))
            .collect(),
    )
}

fn wrong(field: &'static str, expected: &'static str) -> Problem {
    Refused::Field { field, expected }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_there_once() {
        let form = Form::parse("body", b"a=1&resource=x&b=&&resource=y&c&d=2=3").ok();
        let form = form.expect("a form");
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.get("b"), None);
        assert_eq!(form.get("c"), None);
        assert_eq!(form.text("d"), "2=3");
        assert_eq!(form.list("resource"), ["x", "y"]);
        for twice in ["a=1&a=1", "a=1&b=2&a=", "a=&a=", "x&x", "a=1&%61=2"] {
            assert!(Form::parse("body", twice.as_bytes()).is_err(), "{twice}");
        }
        let many: Vec<_> = (0..65).map(|n| format!("p{n}=1")).collect();
        assert!(Form::parse("body", many[..64].join("&").as_bytes()).is_ok());
        assert!(Form::parse("body", many.join("&").as_bytes()).is_err());
    }
}
