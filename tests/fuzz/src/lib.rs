//! Every parser that meets the outside, fed with anything.
//!
//! `bash tests/fuzz/run.sh` builds and runs all targets. Each is a function from bytes to nothing
//! that panics where a property does not hold: what is accepted is accepted again, comes out the
//! same when it is written and read, and is refused once it was changed. Time and keys are fixed
//! ([`world`]), so an input that was found fails every time.
//!
//! What is found is mended in the crate that it was found in, and kept there as a row of that
//! crate's tests; this folder keeps no inputs.

pub mod world;

#[path = "targets/assertion.rs"]
pub mod assertion;
#[path = "targets/audit.rs"]
pub mod audit;
#[path = "targets/backup.rs"]
pub mod backup;
#[path = "targets/challenge.rs"]
pub mod challenge;
#[path = "targets/config.rs"]
pub mod config;
#[path = "targets/form.rs"]
pub mod form;
#[path = "targets/handle.rs"]
pub mod handle;
#[path = "targets/json.rs"]
pub mod json;
#[path = "targets/jwk.rs"]
pub mod jwk;
#[path = "targets/jwks.rs"]
pub mod jwks;
#[path = "targets/key.rs"]
pub mod key;
#[path = "targets/names.rs"]
pub mod names;
#[path = "targets/nonce.rs"]
pub mod nonce;
#[path = "targets/note.rs"]
pub mod note;
#[path = "targets/private_key.rs"]
pub mod private_key;
#[path = "targets/proof.rs"]
pub mod proof;
#[path = "targets/rule.rs"]
pub mod rule;
#[path = "targets/target.rs"]
pub mod target;
#[path = "targets/token.rs"]
pub mod token;

// The seeds' program is instrumented as well, and finds the counters in it.
use libfuzzer_sys as _;
