//! What a client wants of the login that its request leads to (RFC 9470 §4, OpenID Connect Core
//! §3.1.2.1).

use std::time::Duration;

use countersign_jose::UnixTime;

use super::{Acr, Denial, Malformed};

/// More ways to log in than anybody has.
const ACR_VALUES_MAX: usize = 8;

/// What a client wants of a login.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wishes {
    /// The person must have proved who they are since then: `max_age` before the request came, or
    /// when it came (`prompt=login`).
    pub authenticated_since: Option<UnixTime>,
    /// How they should prove it, the best first. Whoever takes the token sees what came of it.
    pub acr_values: Vec<Acr>,
    /// What they should be asked.
    pub prompts: Prompts,
}

/// What a person should be asked, whatever is known of them.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Prompts {
    /// Nothing: where something has to be asked, the answer is no.
    pub none: bool,
    /// Who they are.
    pub login: bool,
    /// Whether they allow it.
    pub consent: bool,
    /// As whom.
    pub select_account: bool,
}

impl Prompts {
    /// Reads the words of `prompt`.
    ///
    /// # Errors
    /// [`Malformed::Prompt`].
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, Malformed> {
        let mut prompts = Self::default();
        for word in words {
            let prompt = match word.as_ref() {
                "none" => &mut prompts.none,
                "login" => &mut prompts.login,
                "consent" => &mut prompts.consent,
                "select_account" => &mut prompts.select_account,
                _ => return Err(Malformed::Prompt),
            };
            *prompt = true;
        }
        // OpenID Connect Core §3.1.2.1: `none` stands alone.
        if prompts.none && words.len() > 1 {
            return Err(Malformed::Prompt);
        }
        Ok(prompts)
    }

    /// Its words, in the order in which they are declared.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [
            (self.none, "none"),
            (self.login, "login"),
            (self.consent, "consent"),
            (self.select_account, "select_account"),
        ]
        .into_iter()
        .filter_map(|(is_asked, word)| is_asked.then_some(word))
    }
}

impl Wishes {
    /// Why a request was declined where nobody said it: the person did, unless they were not to be
    /// asked anything.
    pub const fn denial(&self) -> Denial {
        match self.prompts.none {
            true => Denial::InteractionRequired,
            false => Denial::AccessDenied,
        }
    }

    /// What a request that came at that time wishes.
    pub(crate) fn at(self, lodged_at: UnixTime, max_age: Option<Duration>) -> Self {
        let since = match (self.prompts.login, max_age) {
            (true, _) => Some(lodged_at),
            (false, Some(age)) => Some(lodged_at.minus(age)),
            (false, None) => None,
        };
        Self {
            authenticated_since: since,
            ..self
        }
    }
}

/// Reads `acr_values`.
///
/// # Errors
/// [`Malformed::Acr`] and [`Malformed::TooManyEntries`].
pub(crate) fn acr_values<S: AsRef<str>>(values: &[S]) -> Result<Vec<Acr>, Malformed> {
    if values.len() > ACR_VALUES_MAX {
        return Err(Malformed::TooManyEntries(ACR_VALUES_MAX));
    }
    values
        .iter()
        .map(|value| Acr::parse(value.as_ref())?.ok_or(Malformed::Acr))
        .collect()
}
