//! Authorization requests (RFC 9126) and what a person decides on them.

mod decide;
mod push;

pub use decide::{ApproveForm, Approving, RedirectTo, Shown, approve, deny, request_uri, shown};
pub use push::{Lodged, Lodging, PushForm, push};
