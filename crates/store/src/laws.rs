//! What every [`Store`] keeps, as functions to run against one.
//!
//! Each "must" in the trait's documentation names a law here. A backend joins with one line in its
//! tests, which makes a test of each law:
//!
//! ```ignore
//! countersign_store::store_laws!(memory, MemoryPlace::default);
//! ```
//!
//! A law takes a [`Place`], a home for records that can be opened again, and panics where it is
//! broken. An exemption belongs into the backend's test, with its reason.

/// The most records or entries in one page.
pub const SCAN_MAX: usize = 1000;
