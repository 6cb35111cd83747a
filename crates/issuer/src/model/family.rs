//! Families: everything that came from one approval, in one record.

use countersign_jose::{CertificateThumbprint, Thumbprint, UnixTime};

use super::{Acr, ClientId, Epoch, Generation, GrantedDetails, Permissions, Subject};

/// All that is known of a family, however often it was rotated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Family {
    /// The client it belongs to.
    pub client: ClientId,
    /// Whom its tokens speak for.
    pub subject: Subject,
    /// What was granted. An access token may have less, never more.
    pub permissions: Permissions,
    /// What was granted beyond scopes (RFC 9396). An access token may have fewer, never others.
    pub details: GrantedDetails,
    /// The key that it was issued to.
    pub jkt: Thumbprint,
    /// Its refresh token is bound to that key, not only to the client.
    pub pinned: bool,
    /// The certificate that its refresh token is bound to as well (RFC 8705 §4), if it is: a public
    /// client's whose access tokens are bound to one.
    pub certificate: Option<CertificateThumbprint>,
    /// A refresh token was handed out.
    pub refreshable: bool,
    /// The generation that is current.
    pub generation: Generation,
    /// When it became current.
    pub rotated_at: UnixTime,
    /// The key that rotated to it.
    pub rotated_jkt: Thumbprint,
    /// When the family was made.
    pub created_at: UnixTime,
    /// When it ends, used or not.
    pub expires_at: UnixTime,
    /// When it ends unless it is rotated before.
    pub idle_expires_at: UnixTime,
    /// The epoch of the store that it was made in.
    pub epoch: Epoch,
    /// When the person last proved who they are.
    pub auth_time: Option<UnixTime>,
    /// How they proved it.
    pub acr: Option<Acr>,
    /// When and why it was revoked, if it was.
    pub revoked: Option<Revoked>,
}

/// That something was revoked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Revoked {
    /// When.
    pub at: UnixTime,
    /// Why.
    pub cause: RevokedCause,
}

/// Why something was revoked.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum RevokedCause {
    /// Its client, or an operator, asked for it.
    Requested,
    /// An old refresh token was presented.
    RefreshReuse,
    /// Its code was presented a second time.
    CodeReuse,
    /// The store was set back: what became of it since is unknown.
    SetBack,
}

impl Family {
    /// When its refresh token ends if nothing else happens.
    pub fn ends_at(&self) -> UnixTime {
        self.expires_at.min(self.idle_expires_at)
    }

    /// Whether it is still honoured: not revoked, and of this epoch. Its own end is another
    /// question, since its access tokens end by themselves.
    pub fn stands(&self, epoch: Epoch) -> bool {
        self.revoked.is_none() && self.epoch == epoch
    }
}

impl RevokedCause {
    /// The stable name, for events and spans.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::RefreshReuse => "refresh_reuse",
            Self::CodeReuse => "code_reuse",
            Self::SetBack => "set_back",
        }
    }
}
