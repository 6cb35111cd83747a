//! What may be issued, rotated, introspected and revoked: pure decisions.
//!
//! Every decision is a function of its arguments: what the store knows, who asks, what time it
//! is, which random names to give. It comes to a [`Decision`]: a [`Change`] to commit and an
//! answer to give once it is committed. A refusal may write too: the reuse of a refresh token
//! answers *invalid grant* and writes that its family is revoked. Nothing here does I/O, reads a
//! clock or draws a random value.
//!
//! Each operation goes the same way: its form is parsed, which says what to load; the client is
//! authenticated; then it is decided.
//!
//! | operation | form | decision |
//! | --- | --- | --- |
//! | client credentials (RFC 6749 §4.4) | [`Ask`] | [`issue`] |
//! | authorization code (RFC 6749 §4.1.3, RFC 7636) | [`Redemption`] | [`redeem`] |
//! | refresh token (RFC 6749 §6, RFC 9449 §5) | [`Rotation`] | [`rotate`] |
//! | authorization request (RFC 9126) | [`authorize::Lodging`] | [`authorize::push`] |
//! | a person's decision | [`authorize::Approving`] | [`authorize::approve`], [`authorize::deny`] |
//! | introspection (RFC 7662) | [`introspect::recognise`] | [`introspect::introspect`] |
//! | revocation (RFC 7009) | [`Revoking`] | [`revoke`] |
//! | registration | [`register`] | [`register`] |

pub mod access_token;
mod authenticate;
pub mod authorize;
mod change;
mod event;
mod family;
mod handle;
pub mod introspect;
mod issue;
mod issuer;
pub mod model;
mod policy;
mod redeem;
mod refusal;
pub mod register;
mod revoke;
mod rotate;

pub use countersign_store::{Expect, Version};

pub use access_token::Claims;
pub use authenticate::{
    ASSERTION_BYTES_MAX, ASSERTION_JTI_BYTES_MAX, ASSERTION_LIFETIME_MAX, ASSERTION_SKEW,
    Authenticated, Presented, SpentAssertion, authenticate,
};
pub use change::{
    Change, Decision, Known, Record, RecordName, Revocation, RevocationTarget, RevokedToken, Write,
};
pub use event::{Actor, Event, EventKind, Object};
pub use handle::{Handle, HandleKind, HandleText, MacKey, MacKeyId, MacKeys, NotOurs};
pub use issue::{Issued, issue};
pub use issuer::{
    ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN, Issuer, IssuerName, Lifetimes, NotAnIssuer,
};
pub use policy::Ask;
pub use redeem::{CodeForm, Fresh, Redemption, redeem};
pub use refusal::{
    AuthenticationCause, FieldFault, GrantCause, NotAllowedCause, Refusal, ScopeCause, TargetCause,
};
pub use revoke::{Revoking, revoke};
pub use rotate::{Rotation, rotate};
