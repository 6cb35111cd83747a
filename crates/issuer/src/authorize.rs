//! Authorization requests (RFC 6749 §4.1.1, RFC 9126, RFC 8628 §3.1) and what a person decides on them.

mod browser;
mod decide;
mod device;
mod named;
mod push;

pub use browser::{Arrived, Begun, Return, arrive, begin, brought, resume, returning};
pub use decide::{ApproveForm, Approving, RedirectTo, Shown, approve, deny, shown};
pub use device::{AuthorizedDevice, Found, Guesser, authorize_device, found, user_code};
pub use named::Named;
pub use push::{Lodged, Lodging, PushForm, push};
