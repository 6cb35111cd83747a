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
}
