//! What the store knows of a user code: not the code, and nothing that it could be found with.

use super::{MacKey, MacKeys, array};
use crate::model::UserCode;

/// Of no handle: the texts of those begin otherwise.
const KIND: &[u8] = b"user code ";

/// Names the record of a user code: an HMAC of it, since 34 bits are soon tried.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserCodeName([u8; 32]);

impl UserCodeName {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of(code: &UserCode, key: &MacKey) -> Self {
        let covered = [KIND, code.letters()].concat();
        Self(array(key.mac(&covered).as_ref()))
    }
}

impl MacKeys {
    /// The name that a user code has when it is made now.
    pub fn user_code_name(&self, code: &UserCode) -> UserCodeName {
        UserCodeName::of(code, self.active())
    }

    /// Every name that it can have: the key may have been replaced since it was made.
    pub fn user_code_names(&self, code: &UserCode) -> Vec<UserCodeName> {
        self.all().map(|key| UserCodeName::of(code, key)).collect()
    }
}
