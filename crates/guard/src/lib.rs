//! Protect a tonic server.
mod authority;
mod builder;
mod check;
mod credentials;
mod freshness;
mod guard;
mod keys;
pub mod layer;
mod ledger;
mod permit;
mod refusal;
mod respond;
mod routes;

pub use self::builder::{BuildError, Builder};
pub use self::freshness::{Freshness, NonceMode, Sharing};
pub use self::guard::{Counts, Guard};
pub use self::keys::{KeySource, KeysUnavailable, PublishedKeys};
pub use self::layer::GuardLayer;
pub use self::ledger::{Ledger, LedgerLimits, LedgerRefusal};
pub use self::permit::{Permit, PermitExt};
pub use self::routes::RulesError;
