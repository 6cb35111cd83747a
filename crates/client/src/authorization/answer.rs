//! What a browser brought back (RFC 6749 §4.1.2): whether it answers this request, who says so, and
//! what it says. Pure.

use std::fmt;

use url::form_urlencoded;

use crate::secret::Secret;

/// As much of a description as a person reads.
const TEXT_CHARS_MAX: usize = 400;

/// The longest code of an error that has a meaning to anybody.
const ERROR_CHARS_MAX: usize = 64;

/// Why there is no code in an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It answers another request, or none: its `state` is not this one's (RFC 9700 §4.7).
    /// Somebody may be trying to log this person in as somebody else.
    #[error(
        "what the browser brought answers another request: begin anew, and finish in the browser window that was opened last"
    )]
    OtherRequest,
    /// Another issuer says so, or nobody does: its `iss` is not the token service (RFC 9207 §2.4).
    /// Nothing in it was used.
    #[error(
        "the answer is not of the token service: its iss is missing or names another; name the issuer as the token service does"
    )]
    OtherIssuer,
    /// A parameter is there twice, or both a code and an error are (RFC 6749 §3.1).
    #[error("the answer contradicts itself: {0}")]
    Contradiction(&'static str),
    /// It has neither a code nor an error.
    #[error("the answer has neither a code nor an error")]
    Empty,
    /// The request was refused.
    #[error("{0}")]
    Refused(AuthorizationRefused),
}

impl AnswerError {
    /// Whether it answers this request, however badly: then no other answer will come.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::OtherRequest)
    }
}

/// A refusal that the token service sent by the browser (RFC 6749 §4.1.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRefused {
    /// Why.
    pub error: RefusedError,
    /// The same for people, in printable ASCII, where there is something to say.
    pub description: Option<String>,
}

impl fmt::Display for AuthorizationRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request was refused ({})", self.error.name())?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}

/// The codes of RFC 6749 §4.1.2.1, RFC 8707 §2, RFC 9396 §5, RFC 9470 §5 and OpenID Connect Core
/// §3.1.2.6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusedError {
    /// The person declined, or may not.
    AccessDenied,
    /// The request is malformed.
    InvalidRequest,
    /// The client may not ask so.
    UnauthorizedClient,
    /// Something else than a code was asked for.
    UnsupportedResponseType,
    /// A scope is unknown, or not for this client.
    InvalidScope,
    /// A resource is unknown, or not for this client.
    InvalidTarget,
    /// The authorization details are.
    InvalidAuthorizationDetails,
    /// Something would have to be asked, and [`Prompt::None`](super::Prompt::None) forbids it.
    InteractionRequired,
    /// The person would have to log in.
    LoginRequired,
    /// The person would have to approve.
    ConsentRequired,
    /// The person would have to say as whom they act.
    AccountSelectionRequired,
    /// The person cannot prove who they are in the way that was asked for.
    UnmetAuthenticationRequirements,
    /// A fault of the token service.
    ServerError,
    /// It has no time now.
    TemporarilyUnavailable,
    /// A code that this library does not know, in printable ASCII.
    Other(String),
}

impl RefusedError {
    /// All but [`Other`](Self::Other).
    const KNOWN: [Self; 14] = [
        Self::AccessDenied,
        Self::InvalidRequest,
        Self::UnauthorizedClient,
        Self::UnsupportedResponseType,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::InvalidAuthorizationDetails,
        Self::InteractionRequired,
        Self::LoginRequired,
        Self::ConsentRequired,
        Self::AccountSelectionRequired,
        Self::UnmetAuthenticationRequirements,
        Self::ServerError,
        Self::TemporarilyUnavailable,
    ];

    /// The code, as the RFCs write it.
    pub fn name(&self) -> &str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InteractionRequired => "interaction_required",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::Other(code) => code,
        }
    }

    fn of(code: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|known| known.name() == code);
        known.unwrap_or_else(|| Self::Other(printable(code, ERROR_CHARS_MAX)))
    }
}

/// What an answer must say to be the one that is waited for.
pub(crate) struct Expected {
    state: Secret,
    issuer: String,
}

impl Expected {
    pub(super) fn new(state: Secret, issuer: &str) -> Self {
        Self {
            state,
            issuer: issuer.to_owned(),
        }
    }

    pub(super) fn state(&self) -> &Secret {
        &self.state
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The code in what the browser was sent to.
    pub(crate) fn check(&self, redirected_to: &str) -> Result<Secret, AnswerError> {
        let answer = Answer::of(redirected_to);
        // Whether it is about this request comes first: nothing else of a stranger's is looked at.
        let Once::Is(state) = answer.state else {
            return Err(AnswerError::OtherRequest);
        };
        if Secret::new(state) != self.state {
            return Err(AnswerError::OtherRequest);
        }
        // RFC 9207 §2.4: who says so comes before what is said, errors too.
        match answer.iss {
            Once::Is(issuer) if issuer == self.issuer => {}
            Once::Is(_) | Once::Absent => return Err(AnswerError::OtherIssuer),
            Once::Twice => return Err(AnswerError::Contradiction("iss is there twice")),
        }
        match (answer.code, answer.error) {
            (Once::Twice, _) => Err(AnswerError::Contradiction("code is there twice")),
            (_, Once::Twice) => Err(AnswerError::Contradiction("error is there twice")),
            (Once::Is(_), Once::Is(_)) => {
                Err(AnswerError::Contradiction("code and error are both there"))
            }
            (Once::Is(code), Once::Absent) => Ok(Secret::new(code)),
            (Once::Absent, Once::Is(error)) => Err(AnswerError::Refused(AuthorizationRefused {
                error: RefusedError::of(&error),
                description: match answer.description {
                    Once::Is(text) => Some(printable(&text, TEXT_CHARS_MAX)),
                    Once::Absent | Once::Twice => None,
                },
            })),
            (Once::Absent, Once::Absent) => Err(AnswerError::Empty),
        }
    }
}

/// RFC 6749 §3.1: a parameter is there once, and without a value it is as if it were not there.
#[derive(Default)]
enum Once {
    #[default]
    Absent,
    Is(String),
    Twice,
}

#[derive(Default)]
struct Answer {
    state: Once,
    iss: Once,
    code: Once,
    error: Once,
    description: Once,
}

impl Answer {
    fn of(redirected_to: &str) -> Self {
        let whole = redirected_to.split('#').next().unwrap_or_default();
        let query = whole.split_once('?').map_or("", |(_, query)| query);
        let mut answer = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "state" => &mut answer.state,
                "iss" => &mut answer.iss,
                "code" => &mut answer.code,
                "error" => &mut answer.error,
                "error_description" => &mut answer.description,
                _ => continue,
            };
            *slot = match slot {
                Once::Absent if value.is_empty() => continue,
                Once::Absent => Once::Is(value.into_owned()),
                Once::Is(_) | Once::Twice => Once::Twice,
            };
        }
        answer
    }
}

/// A peer's text without what could confuse a terminal (RFC 6749 appendix A.7, A.8).
fn printable(text: &str, chars_max: usize) -> String {
    let chars = text.chars().take(chars_max);
    chars
        .map(|c| match c {
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "state=s-1&iss=https%3A%2F%2Ftokens.example";

    fn expected() -> Expected {
        Expected::new("s-1".into(), "https://tokens.example")
    }

    #[track_caller]
    fn check(query: &str, what: Result<&str, AnswerError>) {
        let to = format!("http://127.0.0.1:4711/back?{query}");
        let found = expected().check(&to);
        assert_eq!(found, what.map(Secret::from), "{query}");
    }

    fn refused(error: RefusedError, description: Option<&str>) -> AnswerError {
        AnswerError::Refused(AuthorizationRefused {
            error,
            description: description.map(str::to_owned),
        })
    }

    #[test]
    fn a_code_comes_of_the_answer_to_this_request_alone() {
        let other = || Err(AnswerError::OtherRequest);
        check(&format!("code=c&{OURS}"), Ok("c"));
        check(&format!("{OURS}&code=a%2Bb&unknown=1"), Ok("a+b"));
        check("", other());
        check("code=c", other());
        check("code=c&iss=https%3A%2F%2Ftokens.example", other());
        check(&format!("code=c&state=s-2&{OURS}"), other());
        check("code=c&state=s-2&iss=https%3A%2F%2Ftokens.example", other());
        check("code=c&state=&iss=https%3A%2F%2Ftokens.example", other());
        check(
            "code=c&state=s-1%00&iss=https%3A%2F%2Ftokens.example",
            other(),
        );
        check("error=access_denied&state=s-2", other());
    }

    #[test]
    fn the_issuer_says_so_or_nobody_does() {
        let other = || Err(AnswerError::OtherIssuer);
        check("code=c&state=s-1", other());
        check("code=c&state=s-1&iss=", other());
        check("code=c&state=s-1&iss=https%3A%2F%2Fevil.example", other());
        check(
            "code=c&state=s-1&iss=https%3A%2F%2Ftokens.example%2F",
            other(),
        );
        // RFC 9207 §2.4: nor is an error of somebody else believed.
        check("error=access_denied&state=s-1", other());
    }

    #[test]
    fn what_contradicts_itself_is_no_answer() {
        let contradiction = |what| Err(AnswerError::Contradiction(what));
        check(
            &format!("code=c&code=d&{OURS}"),
            contradiction("code is there twice"),
        );
        check(
            &format!("code=c&error=access_denied&{OURS}"),
            contradiction("code and error are both there"),
        );
        check(
            &format!("code=c&{OURS}&iss=https%3A%2F%2Fevil.example"),
            contradiction("iss is there twice"),
        );
        check(
            &format!("error=a&error=b&{OURS}"),
            contradiction("error is there twice"),
        );
        check(OURS, Err(AnswerError::Empty));
        check(&format!("code=&{OURS}"), Err(AnswerError::Empty));
    }

    #[test]
    fn a_refusal_says_why_and_shows_nothing_strange() {
        check(
            &format!("error=access_denied&error_description=the+person+declined&{OURS}"),
            Err(refused(
                RefusedError::AccessDenied,
                Some("the person declined"),
            )),
        );
        check(
            &format!("error=interaction_required&{OURS}"),
            Err(refused(RefusedError::InteractionRequired, None)),
        );
        check(
            &format!("error=new%1b%5b2J&error_description=%1b%5b31mred%0aline&{OURS}"),
            Err(refused(
                RefusedError::Other("new?[2J".to_owned()),
                Some("?[31mred?line"),
            )),
        );
    }

    #[test]
    fn every_known_code_is_read_back() {
        let codes = [
            "access_denied",
            "invalid_request",
            "unauthorized_client",
            "unsupported_response_type",
            "invalid_scope",
            "invalid_target",
            "invalid_authorization_details",
            "interaction_required",
            "login_required",
            "consent_required",
            "account_selection_required",
            "unmet_authentication_requirements",
            "server_error",
            "temporarily_unavailable",
        ];
        assert_eq!(codes.map(RefusedError::of), RefusedError::KNOWN);
        assert_eq!(
            RefusedError::KNOWN.map(|known| known.name().to_owned()),
            codes
        );
    }
}
