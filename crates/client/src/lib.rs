//! Call a server guarded by Countersign: every call gets an access token that
//! is bound to a key of this process, and a fresh proof of that key.
//!
//! # Calling
//!
//! ```no_run
//! use countersign::example::v1::CreateOrderRequest;
//! use countersign::example::v1::order_service_client::OrderServiceClient;
//! use countersign_client::Credential;
//! use countersign_jose::SigningKey;
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::from_pkcs8_pem(&std::fs::read_to_string("checkout.pem")?)?;
//! let countersign = countersign_client::Builder::new("https://tokens.internal:7443")
//!     .client("checkout", Credential::PrivateKeyJwt(key.into()))
//!     .connect()
//!     .await?;
//! let mut orders = OrderServiceClient::new(
//!     countersign
//!         .channel("https://orders.internal:8443")
//!         .scopes(["orders.write"])
//!         .connect()
//!         .await?,
//! );
//! orders.create_order(CreateOrderRequest { item: "tea".into() }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A channel goes into any generated stub, for unary calls and streams alike.
//! `connect` refuses a wrong configuration and connects to nobody yet: services
//! may be started in any order. [`warm`](ChannelBuilder::warm) connects, and
//! fetches the token, before the first call.
//!
//! What it does for you:
//!
//! - **Tokens** are fetched when they are first needed, shared by all channels
//!   of the same resource and scopes, and renewed in the background before half
//!   of their life is over. However many callers wait, one request is made. While
//!   the token service is away, a token is used until its end.
//! - **Proofs** are made for every attempt, when the connection is ready to
//!   send. A call whose deadline has passed is not signed.
//! - **One retry** each, where a guard's own refusal asks for it: for a nonce, and
//!   because the token has expired or was revoked. What has been sent, up to
//!   64 KiB of it, is kept until the response starts, and sent again. Errors of
//!   handlers are never retried.
//! - **Credentials in files** may be [replaced](Credential::SecretFile) while the
//!   process runs.
//! - **TLS**, with the system's roots or [your own authority](Builder::trust_ca).
//!   Plaintext stays on this machine unless you [say so](Builder::allow_plaintext).
//!
//! With the feature `reqwest`, `Countersign::http` makes clients of reqwest for servers that
//! are guarded over HTTP, by the same rules.
//!
//! # Errors
//!
//! A stub answers with a `tonic::Status` as ever. [`outcome::Refused`] reads why
//! Countersign refused:
//!
//! ```
//! use countersign::error::v1::Reason;
//! use countersign_client::outcome::Refused;
//!
//! fn explain(status: &tonic::Status) -> String {
//!     match Refused::of(status) {
//!         Some(refused) if refused.reason == Reason::ScopeInsufficient => {
//!             format!("ask for {}", refused.scopes_missing.join(" "))
//!         }
//!         Some(refused) => refused.reason.as_str_name().to_owned(),
//!         None => "not Countersign's refusal".to_owned(),
//!     }
//! }
//! ```
//!
//! # In a person's name
//!
//! A code is redeemed at the [`TokenService`], and its refresh token becomes the
//! source of a channel's tokens. It is rotated as needed; a lost answer is asked
//! for again with the same token, which gives the same successor.
//!
//! ```no_run
//! use countersign_client::{Code, Countersign};
//! # async fn person(countersign: Countersign, code: Code) -> Result<(), Box<dyn std::error::Error>> {
//! let issued = countersign.token_service().redeem(&code, &[], &[]).await?;
//! if let Some(refresh_token) = issued.refresh_token {
//!     let family = countersign
//!         .refresh_token(refresh_token)
//!         .on_rotation(std::sync::Arc::new(|newest| store(newest.expose())));
//!     let channel = countersign
//!         .channel("https://orders.internal:8443")
//!         .refresh_token(family)
//!         .connect()
//!         .await?;
//! }
//! # fn store(_: &str) {}
//! # Ok(())
//! # }
//! ```
//!
//! The family is bound to the proof key. Where it is to outlive the process,
//! give the [`Builder`] a [`proof_key`](Builder::proof_key) that does.
//!
//! How a person approves is in [`authorization`] where there is a browser, with
//! [`loopback`] for programs on the person's machine, and in [`device`] where
//! there is none. [`Countersign::tokens_of`] makes a source of tokens of what
//! came of either.
//!
//! # Pieces
//!
//! | module | for |
//! | --- | --- |
//! | [`authorization`], [`pkce`] | a person approves in a browser |
//! | [`loopback`] | where the browser comes back to, on the person's machine |
//! | [`device`] | a person approves for a device without a browser |
//! | [`layer`] | a transport of your own: the layer that signs |
//! | [`source`] | tokens from elsewhere: the trait to implement |
//! | [`outcome`] | why a call was refused |
//! | [`clock`] | a clock of your own, in tests |
//! | [`transport`] | the connections underneath |
//! | [`legible`] | answers that cannot make tonic panic |
//! | [`random`], [`deadline`] | what the guard needs as well |

mod attempts;
mod audience;
pub mod authorization;
mod channel;
pub mod clock;
mod countersign;
mod counts;
mod credential;
pub mod deadline;
pub mod device;
mod error;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod layer;
pub mod legible;
mod link;
pub mod loopback;
mod nonces;
pub mod outcome;
pub mod pkce;
pub mod random;
pub mod reach;
#[cfg(feature = "reqwest")]
mod requests;
mod secret;
pub mod source;
mod token_service;
pub mod transport;
mod unprocessed;
mod wanted;

pub use self::channel::{ChannelBuilder, GuardedChannel};
pub use self::countersign::{Builder, Countersign};
pub use self::counts::Counts;
pub use self::credential::{
    AssertionKey, CertificateFiles, Client, Credential, CredentialFileError, KeyFile,
};
pub use self::error::{CallError, ConnectError, FailedCall, TokenError, WarmError};
#[cfg(feature = "reqwest")]
pub use self::requests::{HttpBuilder, HttpServer};
pub use self::secret::Secret;
pub use self::token_service::{Code, Issued, TokenService};
