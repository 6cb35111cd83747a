//! Why a person's browser takes no code to the client.

/// Why a request was declined, as the client is told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Denial {
    /// `access_denied` (RFC 6749 §4.1.2.1): the person declined.
    AccessDenied,
    /// `login_required` (OpenID Connect Core §3.1.2.6): they would have to log in.
    LoginRequired,
    /// `consent_required` (there): they would have to be asked whether they allow it.
    ConsentRequired,
    /// `interaction_required` (there): they would have to be asked something.
    InteractionRequired,
    /// `unmet_authentication_requirements` (RFC 9470 §5): nobody can prove who they are there in the
    /// way that was asked for.
    UnmetAuthenticationRequirements,
}

impl Denial {
    /// The value of `error`.
    pub const fn error(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
        }
    }

    /// The value of `error_description`, for whoever writes the client.
    pub const fn description(self) -> &'static str {
        match self {
            Self::AccessDenied => "the person declined",
            Self::LoginRequired => "the person would have to log in: ask without prompt=none",
            Self::ConsentRequired => "the person would have to be asked: ask without prompt=none",
            Self::InteractionRequired => {
                "the person would have to do something: ask without prompt=none"
            }
            Self::UnmetAuthenticationRequirements => {
                "nobody can log in here in any of the ways that acr_values names"
            }
        }
    }

    /// What the client's redirect URI is given.
    pub(crate) const fn answer(self) -> [(&'static str, &'static str); 2] {
        [
            ("error", self.error()),
            ("error_description", self.description()),
        ]
    }
}
