//! The service's own keys, as they lie in the store: what each is for, what it does now, and since
//! when. The key itself is encrypted; nothing here can open it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_jose::UnixTime;

/// The name of a key: `kid` of one that signs, eight hexadecimal digits of one that makes handles.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(Arc<str>);

/// What a key is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyPurpose {
    /// Signs access tokens.
    Signing,
    /// Authenticates handles.
    HandleMac,
}

/// What a key does now. A key that is gone has no record.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyState {
    /// Published, not used yet.
    Next,
    /// Signs, or makes handles.
    Active,
    /// Published, and verifies; not used for anything new.
    Retiring,
}

/// A key of the service. Times that are not known are none: either they have not come yet, or the
/// record was written by the first release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceKey {
    /// Its name.
    pub id: KeyId,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// What it does now.
    pub state: KeyState,
    /// When it was made.
    pub created_at: UnixTime,
    /// Since when no key set is given out without it.
    pub published_at: Option<UnixTime>,
    /// When it became active.
    pub activated_at: Option<UnixTime>,
    /// When it stopped to be active.
    pub retired_at: Option<UnixTime>,
    /// Until when something that was made with it, or with a key before it, may still be of use.
    pub needed_until: Option<UnixTime>,
    /// The longest life of anything made while it was active.
    pub life: Option<Duration>,
    /// The longest that others were allowed to keep a key set with it in it.
    pub cache_age: Option<Duration>,
    /// When an operator asked for its replacement.
    pub rotation_asked_at: Option<UnixTime>,
    /// The key itself, encrypted.
    pub sealed: SealedKey,
}

/// A key under lock. Which lock opens it is the server's affair.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// The public half of a signing key, a JWK; empty for a MAC key.
    pub public_jwk: String,
    /// The key material under the data key.
    pub material: Vec<u8>,
    /// The data key under the key-encryption key.
    pub data_key: Vec<u8>,
    /// Who holds the key-encryption key.
    pub lock: Lock,
}

/// Who holds the key-encryption key.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Lock {
    /// A file that the service reads.
    File,
    /// A program that the service asks.
    Program,
}

impl KeyId {
    /// The key of that name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyPurpose {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Signing, Self::HandleMac];
}

impl ServiceKey {
    /// A key that was just made, and that nobody knows of yet.
    pub fn new(id: KeyId, purpose: KeyPurpose, created_at: UnixTime, sealed: SealedKey) -> Self {
        Self {
            id,
            purpose,
            state: KeyState::Next,
            created_at,
            published_at: None,
            activated_at: None,
            retired_at: None,
            needed_until: None,
            life: None,
            cache_age: None,
            rotation_asked_at: None,
            sealed,
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Without what is encrypted: nobody who reads a log needs it.
impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedKey")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}
