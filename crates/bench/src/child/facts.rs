//! What whoever has started a server learns of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a server says on its standard output when it takes calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Where it listens.
    pub url: String,
    /// The name in its tokens, for a token service.
    pub issuer: Option<String>,
    /// Its admin socket, for a token service.
    pub admin_socket: Option<PathBuf>,
    /// The folder that it keeps its data in, and removes at its end.
    pub folder: Option<PathBuf>,
}
