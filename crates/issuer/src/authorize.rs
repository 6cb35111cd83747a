//! Authorization requests (RFC 9126, RFC 8628 §3.1) and what a person decides on them.

mod decide;
mod device;
mod push;

pub use decide::{ApproveForm, Approving, RedirectTo, Shown, approve, deny, request_uri, shown};
pub use device::{AuthorizedDevice, Found, Guesser, authorize_device, found, user_code};
pub use push::{Lodged, Lodging, PushForm, push};
