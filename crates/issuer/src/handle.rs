//! Handles: what a client holds instead of a record.
//!
//! `prefix ‖ base64url(key id ‖ record id ‖ generation ‖ MAC)`. The MAC covers the kind and all
//! before it, so that garbage never reaches the store, and the store holds nothing that can be
//! turned into a token.

mod keys;
mod user_code;

use std::fmt;

use countersign_jose::base64url;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub use keys::{MacKey, MacKeyId, MacKeys};
pub use user_code::UserCodeName;

use crate::model::{Generation, RecordId};

const KEY_ID_BYTES: usize = 4;
const RECORD_ID_BYTES: usize = 16;
const GENERATION_BYTES: usize = 4;
const NAMED_BYTES: usize = KEY_ID_BYTES + RECORD_ID_BYTES + GENERATION_BYTES;
const MAC_BYTES: usize = 32;
const BYTES: usize = NAMED_BYTES + MAC_BYTES;

/// What a handle is for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum HandleKind {
    /// A refresh token.
    Refresh,
    /// A reference access token.
    Access,
    /// An authorization code.
    Code,
    /// The `request_uri` of a pushed authorization request (RFC 9126 §2.2).
    RequestUri,
    /// A device code (RFC 8628 §3.2).
    Device,
    /// A request that is decided for the browser that it began in.
    Interaction,
    /// Where that browser goes when it is decided.
    Resume,
}

/// A handle whose MAC was checked, or that is to be handed out.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Handle {
    /// What it is for.
    pub kind: HandleKind,
    /// The record that it points to.
    pub record: RecordId,
    /// The generation of a refresh token; the first for all others.
    pub generation: Generation,
}

/// The text of a handle. Whoever has it can use it: not shown by `Debug`.
#[derive(Clone)]
pub struct HandleText(Zeroizing<String>);

/// The text is no handle of that kind that this service made.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a handle of this service")]
pub struct NotOurs;

impl HandleKind {
    /// What its texts begin with, for people and scanners.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Refresh => "csr_",
            Self::Access => "csa_",
            Self::Code => "csc_",
            Self::RequestUri => "urn:ietf:params:oauth:request_uri:csp_",
            Self::Device => "csd_",
            Self::Interaction => "csi_",
            Self::Resume => "csb_",
        }
    }
}

impl Handle {
    /// Reads a handle of that kind and checks its MAC: nothing is looked up for garbage.
    ///
    /// # Errors
    /// [`NotOurs`], for all causes alike.
    pub fn parse(kind: HandleKind, text: &str, keys: &MacKeys) -> Result<Self, NotOurs> {
        let encoded = text.strip_prefix(kind.prefix()).ok_or(NotOurs)?;
        let bytes: Zeroizing<[u8; BYTES]> = base64url::decode_array(encoded)
            .map(Zeroizing::new)
            .map_err(|_| NotOurs)?;
        let (named, mac) = bytes.split_at(NAMED_BYTES);
        let (key_id, rest) = named.split_at(KEY_ID_BYTES);
        let (record, generation) = rest.split_at(RECORD_ID_BYTES);
        let key = keys.key(MacKeyId::new(array(key_id))).ok_or(NotOurs)?;
        if !key.verifies(&covered(kind, named), mac) {
            return Err(NotOurs);
        }
        Ok(Self {
            kind,
            record: RecordId::from_bytes(array(record)),
            generation: Generation::new(u32::from_be_bytes(array(generation))),
        })
    }

    /// The text to hand out, under the active key. A function of the arguments alone: the same
    /// generation of the same record is the same text.
    pub fn text(&self, keys: &MacKeys) -> HandleText {
        let key = keys.active();
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES));
        bytes.extend_from_slice(key.id().as_bytes());
        bytes.extend_from_slice(self.record.as_bytes());
        bytes.extend_from_slice(&self.generation.number().to_be_bytes());
        let mac = key.mac(&covered(self.kind, &bytes));
        bytes.extend_from_slice(mac.as_ref());

        let prefix = self.kind.prefix();
        let mut text = String::with_capacity(prefix.len() + base64url::encoded_len(BYTES));
        text.push_str(prefix);
        base64url::encode_onto(&mut text, bytes.as_slice());
        HandleText(Zeroizing::new(text))
    }
}

impl HandleText {
    /// The text, for the answer that hands it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// In constant time, but for the length.
impl PartialEq for HandleText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for HandleText {}

impl fmt::Debug for HandleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandleText(..)")
    }
}

/// The kind is under the MAC by its prefix, so that no code can be passed off as a refresh token.
/// No prefix is the beginning of another.
fn covered(kind: HandleKind, named: &[u8]) -> Vec<u8> {
    [kind.prefix().as_bytes(), named].concat()
}

/// A part of a handle; the lengths are those of the constants above.
fn array<const N: usize>(part: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(part);
    bytes
}
