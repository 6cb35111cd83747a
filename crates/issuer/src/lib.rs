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
//! | device code (RFC 8628 §3.4) | [`Redemption`] | [`redeem`] |
//! | refresh token (RFC 6749 §6, RFC 9449 §5) | [`Rotation`] | [`rotate`] |
//! | authorization request (RFC 9126) | [`authorize::Lodging`] | [`authorize::push`] |
//! | device authorization request (RFC 8628 §3.1) | [`Ask`] | [`authorize::authorize_device`] |
//! | a user code (RFC 8628 §3.3) | [`authorize::user_code`] | [`authorize::found`] |
//! | a person's decision | [`authorize::Approving`] | [`authorize::approve`], [`authorize::deny`] |
//! | introspection (RFC 7662) | [`introspect::recognise`] | [`introspect::introspect`] |
//! | revocation (RFC 7009) | [`Revoking`] | [`revoke`] |
//! | registration | [`register`] | [`register`] |
//! | the service's own keys | [`keys::plan`] | [`keys`] |
//!
//! A client asks in its own name:
//!
//! ```
//! use countersign_issuer::model::{
//!     AccessTokenFormat, Authentication, Catalogue, Client, ClientId, ClientSecret, DisplayName,
//!     Epoch, GrantTypes,
//!     Permissions, PermittedTypes, RefreshKey, RegisteredTypes, Resource, ResourceUri, Scopes, TokenId,
//! };
//! use countersign_issuer::{
//!     Ask, Issuer, IssuerName, Lifetimes, MacKey, MacKeyId, MacKeys, Presented, authenticate, issue,
//! };
//! use countersign_jose::{Thumbprint, UnixTime};
//!
//! // Time, random values and what is registered are arguments; here they are fixed.
//! let now = UnixTime::from_secs(1_760_000_000);
//! let secret = ClientSecret::from_random(&[7; 32]);
//! let orders = ResourceUri::parse("https://orders.internal:8443")?;
//! let scopes = Scopes::parse(&["orders.read", "orders.write"])?;
//! let resource = Resource {
//!     uri: orders.clone(),
//!     display_name: DisplayName::parse("Orders")?,
//!     scopes: scopes.clone(),
//!     scope_descriptions: Default::default(),
//!     access_token_lifetime: None,
//!     access_token_format: AccessTokenFormat::Jwt,
//!     details_types: RegisteredTypes::default(),
//!     created_at: now,
//!     updated_at: now,
//! };
//! let checkout = Client {
//!     id: ClientId::parse("checkout")?,
//!     display_name: DisplayName::parse("Checkout")?,
//!     authentication: Authentication::Secret(secret.hash()),
//!     grant_types: GrantTypes { client_credentials: true, ..GrantTypes::default() },
//!     redirect_uris: Vec::new(),
//!     permissions: Permissions::from_iter([(orders, scopes)]),
//!     details_types: PermittedTypes::default(),
//!     serves: Vec::new(),
//!     refresh_key: RefreshKey::Pinned,
//!     certificate_bound: false,
//!     only_pushed: false,
//!     disabled: false,
//!     tokens_revoked_at: None,
//!     created_at: now,
//!     updated_at: now,
//! };
//! let issuer = Issuer {
//!     name: IssuerName::parse("https://tokens.internal:7443")?,
//!     lifetimes: Lifetimes::default(),
//!     mac_keys: MacKeys::new(MacKey::new(MacKeyId::new([1; 4]), &[1; 32]), Vec::new()),
//!     epoch: Epoch::default(),
//!     set_back_at: None,
//! };
//!
//! let presented = Presented::Secret(secret.reveal());
//! let client = authenticate(&checkout.id, Some(&checkout), &presented, None, &issuer, now)?;
//! let ask = Ask::parse(&["orders.write"], &[] as &[&str])?;
//! let catalogue = Catalogue::from_iter([resource]);
//! let proof = Thumbprint::from_bytes([2; 32]);
//! let id = TokenId::from_bytes([3; 16]);
//!
//! let decision = issue(&client, &ask, &catalogue, &issuer, proof, id, now);
//! assert!(decision.change.is_empty(), "nothing to commit");
//! let issued = decision.answer?;
//! assert_eq!(issued.claims.scopes.to_string(), "orders.write");
//! assert_eq!(issued.claims.jkt, proof);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod access_token;
mod authenticate;
pub mod authorize;
mod carried;
mod change;
mod event;
mod family;
mod handle;
mod holder;
pub mod introspect;
mod issue;
mod issuer;
pub mod keys;
pub mod model;
mod policy;
mod redeem;
mod reference;
mod refusal;
pub mod register;
mod revoke;
mod revoke_all;
mod rotate;
pub mod set_back;

pub use countersign_store::{Expect, Version};

pub use access_token::Claims;
pub use authenticate::{
    ASSERTION_BYTES_MAX, ASSERTION_JTI_BYTES_MAX, ASSERTION_LIFETIME_MAX, ASSERTION_SKEW,
    Authenticated, Presented, SpentAssertion, authenticate, subject,
};
pub use change::{
    Change, Decision, Known, LodgedUserCode, Record, RecordName, Revocation, RevocationTarget,
    RevokedToken, Write,
};
pub use event::{Actor, Event, EventKind, Granted, Object, Outcome};
pub use handle::{
    Handle, HandleKind, HandleText, MacKey, MacKeyId, MacKeys, NotOurs, UserCodeName,
};
pub use holder::{Holder, RevokedHolder};
pub use issue::{Entered, Issued, issue};
pub use issuer::{
    ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN, Issuer, IssuerName, Lifetimes, NotAnIssuer,
    REFRESH_ABSOLUTE_MAX,
};
pub use policy::Ask;
pub use redeem::{CodeForm, DeviceCodeForm, Fresh, Redemption, SLOW_DOWN, redeem};
pub use reference::Reference;
pub use refusal::{
    AuthenticationCause, FieldFault, GrantCause, NotAllowedCause, Refusal, ScopeCause, TargetCause,
};
pub use revoke::{Revoking, revoke};
pub use revoke_all::{Found, Target, revoke_all};
pub use rotate::{Rotation, rotate};
