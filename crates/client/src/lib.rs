//! Call a server guarded by Countersign.
mod channel;
pub mod clock;
mod countersign;
mod credential;
pub mod deadline;
mod error;
pub mod layer;
mod nonces;
pub mod outcome;
pub mod random;
mod secret;
pub mod source;
mod token_service;
pub mod transport;

pub use self::channel::{ChannelBuilder, GuardedChannel};
pub use self::countersign::{Builder, Countersign};
pub use self::credential::{AssertionKey, Client, Credential};
pub use self::error::{CallError, ConnectError, FailedCall, TokenError};
pub use self::secret::Secret;
pub use self::token_service::{Code, Issued, TokenService};
