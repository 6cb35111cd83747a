//! By what a revocation finds its tokens.

use countersign_jose::{Thumbprint, sha256};

use super::RevokedTarget;

/// A name of something that can be revoked: the first half of a SHA-256 over kind and name.
/// Whoever wants two names with one mark must make 2^64 of them, and would revoke his own tokens.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark([u8; 16]);

/// The marks of a token, made once when it is verified.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Marks {
    token: Mark,
    family: Option<Mark>,
    client: Mark,
    subject: Mark,
    key: Option<Mark>,
    /// The key that signed it.
    signer: Option<Mark>,
    /// Of a reference token, which nobody signed.
    references: Option<Mark>,
}

impl Marks {
    pub(crate) fn of(
        token_id: &str,
        family: Option<&str>,
        client_id: &str,
        subject: &str,
        key: Option<&Thumbprint>,
        signer: Option<&Thumbprint>,
    ) -> Self {
        Self {
            token: Mark::of(Kind::Token, token_id.as_bytes()),
            family: family.map(|family| Mark::of(Kind::Family, family.as_bytes())),
            client: Mark::of(Kind::Client, client_id.as_bytes()),
            subject: Mark::of(Kind::Subject, subject.as_bytes()),
            key: key.map(|key| Mark::of(Kind::Key, key.as_bytes())),
            signer: signer.map(Mark::of_signer),
            references: signer.is_none().then(|| Mark::of(Kind::References, &[])),
        }
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = Mark> {
        [
            Some(self.token),
            self.family,
            Some(self.client),
            Some(self.subject),
            self.key,
            self.signer,
            self.references,
        ]
        .into_iter()
        .flatten()
    }
}

#[derive(Copy, Clone)]
enum Kind {
    Token,
    Family,
    Client,
    Subject,
    Key,
    References,
    Signer,
}

impl Mark {
    /// The mark of a target; of everything there is none.
    pub(super) fn of_target(target: &RevokedTarget) -> Option<Self> {
        Some(match target {
            RevokedTarget::Token(id) => Self::of(Kind::Token, id.as_bytes()),
            RevokedTarget::Family(id) => Self::of(Kind::Family, id.as_bytes()),
            RevokedTarget::Client(id) => Self::of(Kind::Client, id.as_bytes()),
            RevokedTarget::Subject(subject) => Self::of(Kind::Subject, subject.as_bytes()),
            RevokedTarget::Key(key) => Self::of(Kind::Key, key.as_bytes()),
            RevokedTarget::Signer(signer) => Self::of_signer(signer),
            RevokedTarget::References => Self::of(Kind::References, &[]),
            RevokedTarget::Everything => return None,
        })
    }

    /// The mark of what this key has signed.
    pub(super) fn of_signer(signer: &Thumbprint) -> Self {
        Self::of(Kind::Signer, signer.as_bytes())
    }

    fn of(kind: Kind, name: &[u8]) -> Self {
        let hash = sha256(&[&[kind as u8], name]);
        let (first, _) = hash.split_first_chunk::<16>().expect("a hash has 32 bytes");
        Self(*first)
    }

    /// A number below `n` that spreads evenly.
    pub(crate) fn shard(&self, n: usize) -> usize {
        usize::from(self.0[0]) % n
    }
}
