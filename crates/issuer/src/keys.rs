//! The life of the service's own keys: next → active → retiring → gone.
//!
//! A *next* key is always there, and everybody who verifies has been told of it long before it is
//! used. The *active* one signs access tokens, or makes handles; there is exactly one of each
//! purpose. A *retiring* one does so no more, and verifies until the last thing that it made is
//! dead. How long that is, is computed from lifetimes and cache ages ([`Schedule`]); nobody types
//! it in. [`plan`] says what is due; the decisions say what to write.
//!
//! Time comes as two readings ([`Now`]): what must have passed is judged by the earlier one, and
//! written down by the later one. So a clock that jumps while the service runs, ahead or back, can
//! only make a key live longer. Between two starts only the clock that can be set tells what has
//! passed: [`JUMP_MAX`] stands between it and a removal, and nothing between it and a promotion,
//! since whoever verifies asks for a key that he does not know.

mod decide;
mod plan;
mod schedule;
mod time;

pub use decide::{Replaced, Rotated, first, keep, revoke, rewrap, rotate};
pub use plan::{KEYS_MAX, Step, plan, ready_at, removed_at, retires_at};
pub use schedule::{
    GUARD_CACHE_AGE_MIN, KEY_SET_AGE_MAX, REFRESH_ABSOLUTE_MAX, Schedule, Schedules,
};
pub use time::{Chronometer, JUMP_MAX, Now};
