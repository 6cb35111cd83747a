//! An account: a name that a person types, and who they are in tokens.

use std::fmt;

use countersign_jose::UnixTime;

/// The longest name.
const NAME_BYTES_MAX: usize = 64;

/// The longest name for people, in characters: as for clients.
const DISPLAY_NAME_CHARS_MAX: usize = 128;

/// The longest `sub`, in bytes: as the token service takes it.
const SUBJECT_BYTES_MAX: usize = 255;

/// The shortest password, in characters: NIST SP 800-63B-4 §3.1.1.2, for a password that is the
/// only factor.
const PASSWORD_CHARS_MIN: usize = 15;

/// The longest password, in characters: long enough for a sentence, short enough to hash.
const PASSWORD_CHARS_MAX: usize = 256;

/// An account's name, in small letters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(String);

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// What the person types.
    pub name: Name,
    /// Their name for people.
    pub display_name: String,
    /// Who they are in tokens.
    pub subject: String,
    /// Nobody can log in with it.
    pub disabled: bool,
    /// When it was made.
    pub created_at: UnixTime,
    /// When the password was last set.
    pub password_at: UnixTime,
    /// Counts what ends all sessions: another password, closing, logging out everywhere.
    pub generation: u64,
}

/// The fields of an account as they came.
#[derive(Clone, Default, Debug)]
pub struct AccountForm {
    /// `name`
    pub name: String,
    /// `display_name`
    pub display_name: String,
    /// `subject`; empty for a new random one.
    pub subject: String,
}

/// What is wrong with a field of an account.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum AccountFault {
    /// The name.
    Name,
    /// The name for people.
    DisplayName,
    /// The subject.
    Subject,
    /// Another account has the subject.
    SubjectTaken,
    /// The password.
    Password,
}

impl AccountFault {
    /// What would be right.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Name => "must be 1 to 64 of a-z, 0-9, `.`, `_`, `-`, `+` and `@`",
            Self::DisplayName => "must be at most 128 characters without control characters",
            Self::Subject => "must be at most 255 bytes of printable ASCII other than space",
            Self::SubjectTaken => "must be of no other account",
            Self::Password => "must be 15 to 256 characters",
        }
    }
}

impl Name {
    /// Reads a name. Capitals are taken for small letters, space around it is not seen: people
    /// type both.
    ///
    /// # Errors
    /// [`AccountFault::Name`].
    pub fn parse(text: &str) -> Result<Self, AccountFault> {
        let name = text.trim().to_ascii_lowercase();
        let right = (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-+@".contains(&byte)
            })
            // What begins like a secret or a token of the service was typed into the wrong field,
            // and a name is kept and shown.
            && !(name.starts_with("cs") && name.as_bytes().get(3) == Some(&b'_'));
        right.then_some(Self(name)).ok_or(AccountFault::Name)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Account {
    /// Reads an account that is to be made. `random` becomes its subject where none is said.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn new(
        form: &AccountForm,
        random: &str,
        now: UnixTime,
    ) -> Result<Self, AccountFault> {
        let name = Name::parse(&form.name)?;
        let display_name = form.display_name.trim();
        if display_name.chars().count() > DISPLAY_NAME_CHARS_MAX
            || display_name.chars().any(char::is_control)
        {
            return Err(AccountFault::DisplayName);
        }
        let subject = match form.subject.as_str() {
            "" => random,
            said => said,
        };
        if subject.len() > SUBJECT_BYTES_MAX || !subject.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(AccountFault::Subject);
        }
        Ok(Self {
            name,
            display_name: display_name.to_owned(),
            subject: subject.to_owned(),
            disabled: false,
            created_at: now,
            password_at: now,
            generation: 0,
        })
    }

    /// What to call the person.
    pub fn called(&self) -> &str {
        if self.display_name.is_empty() {
            self.name.as_str()
        } else {
            &self.display_name
        }
    }
}

/// Whether a text may become a password.
///
/// # Errors
/// [`AccountFault::Password`].
pub(crate) fn check_password(text: &str) -> Result<(), AccountFault> {
    let right = (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count());
    right.then_some(()).ok_or(AccountFault::Password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_few_characters_in_small_letters() {
        for (typed, name) in [
            ("ann", Some("ann")),
            (" Ann.Lee+x@Example.org ", Some("ann.lee+x@example.org")),
            ("", None),
            ("ann lee", None),
            ("änn", None),
            ("ann/", None),
            ("ann\0", None),
            ("css_abc", None),
            ("cs_abc", Some("cs_abc")),
        ] {
            let parsed = Name::parse(typed);
            assert_eq!(parsed.as_ref().ok().map(Name::as_str), name, "{typed:?}");
        }
        assert!(Name::parse(&"a".repeat(64)).is_ok());
        assert!(Name::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        assert!(check_password(&"ä".repeat(15)).is_ok());
        assert!(check_password(&"ä".repeat(14)).is_err());
        assert!(check_password(&"ä".repeat(256)).is_ok());
        assert!(check_password(&"ä".repeat(257)).is_err());
    }

    #[test]
    fn what_is_not_said_is_made() {
        let form = |name: &str, display_name: &str, subject: &str| AccountForm {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            subject: subject.to_owned(),
        };
        let now = UnixTime::from_secs(1_000);
        let ann = Account::new(&form("ann", "", ""), "drawn", now).unwrap();
        assert_eq!((ann.subject.as_str(), ann.called()), ("drawn", "ann"));
        let ann = Account::new(&form("ann", "Ann Lee", "u-1"), "drawn", now).unwrap();
        assert_eq!((ann.subject.as_str(), ann.called()), ("u-1", "Ann Lee"));
        for (wrong, fault) in [
            (form("ann", "a\nb", ""), AccountFault::DisplayName),
            (form("ann", &"a".repeat(129), ""), AccountFault::DisplayName),
            (form("ann", "", "a b"), AccountFault::Subject),
            (form("ann", "", &"a".repeat(256)), AccountFault::Subject),
        ] {
            assert_eq!(Account::new(&wrong, "drawn", now), Err(fault));
        }
    }
}
