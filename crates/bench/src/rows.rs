//! The rows: kinds of calls, each with what it must cost at least.

pub(crate) mod access_tokens;
pub(crate) mod batch;
pub(crate) mod client_layer;
pub(crate) mod floor;
pub(crate) mod guard_http;
mod http;
pub(crate) mod token_http;
mod tokens;

use std::fmt;
use std::str::FromStr;

use self::http::Version;
use crate::call::Failures;
use crate::child::Floor;
use crate::{Batch, BenchError, Process, World};

/// The bytes of an order service's answer, and of its requests.
pub(crate) const ORDER_ANSWER_BYTES: usize = 900;
pub(crate) const ORDER_REQUEST_BYTES: usize = 300;

/// One kind of call.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Row {
    /// A bare tonic echo, on both sides: what the ratio is off 1 by is noise.
    Echo,
    /// A guarded call whose token was seen before.
    GuardCached,
    /// A guarded call with a new token.
    GuardUncached,
    /// A guarded request over HTTP/2 whose token was seen before.
    GuardHttp,
    /// A token for a client with a secret.
    IssueSecret,
    /// A token for a client with a key.
    IssuePrivateKeyJwt,
    /// A code for a family.
    Redeem,
    /// A refresh token for its successor.
    Rotate,
    /// What a refresh token is worth.
    Introspect,
    /// What an access token is worth.
    IntrospectJwt,
    /// A family given up.
    Revoke,
    /// The key set.
    ListKeys,
    /// A token by `/token` over HTTP/2, against the same over gRPC.
    TokenHttp2,
    /// The same over HTTP/1.1.
    TokenHttp1,
    /// What the client layer adds, in the caller's processor time.
    ClientLayer,
}

/// Whose figures.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Side {
    /// What must be.
    Floor,
    /// What is.
    Ours,
}

impl Row {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 15] = [
        Self::Echo,
        Self::GuardCached,
        Self::GuardUncached,
        Self::GuardHttp,
        Self::IssueSecret,
        Self::IssuePrivateKeyJwt,
        Self::Redeem,
        Self::Rotate,
        Self::Introspect,
        Self::IntrospectJwt,
        Self::Revoke,
        Self::ListKeys,
        Self::TokenHttp2,
        Self::TokenHttp1,
        Self::ClientLayer,
    ];

    /// Its name in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::GuardCached => "guard_cached",
            Self::GuardUncached => "guard_uncached",
            Self::GuardHttp => "guard_http",
            Self::IssueSecret => "issue_secret",
            Self::IssuePrivateKeyJwt => "issue_private_key_jwt",
            Self::Redeem => "redeem",
            Self::Rotate => "rotate",
            Self::Introspect => "introspect",
            Self::IntrospectJwt => "introspect_jwt",
            Self::Revoke => "revoke",
            Self::ListKeys => "list_keys",
            Self::TokenHttp2 => "token_http2",
            Self::TokenHttp1 => "token_http1",
            Self::ClientLayer => "client_layer",
        }
    }

    /// What its floor does: the signatures and the commit that nobody can do
    /// without, and an answer as long as ours.
    fn floor(self) -> Floor {
        let floor = |answer_bytes| Floor {
            answer_bytes,
            ..Floor::default()
        };
        let proof = |answer_bytes| Floor {
            proof: true,
            ..floor(answer_bytes)
        };
        match self {
            Self::Echo => floor(ORDER_ANSWER_BYTES),
            Self::GuardCached | Self::ClientLayer => proof(ORDER_ANSWER_BYTES),
            Self::GuardUncached => Floor {
                token: true,
                ..proof(ORDER_ANSWER_BYTES)
            },
            Self::GuardHttp => Floor {
                http: true,
                ..proof(ORDER_ANSWER_BYTES)
            },
            // Of the two over HTTP the other side is this row's own.
            Self::IssueSecret | Self::TokenHttp2 | Self::TokenHttp1 => Floor {
                sign: true,
                ..proof(ISSUED_BYTES)
            },
            // The assertion's `jti` is kept on disk.
            Self::IssuePrivateKeyJwt => Floor {
                assertion: true,
                sign: true,
                commit: true,
                ..proof(ISSUED_BYTES)
            },
            Self::Redeem | Self::Rotate => Floor {
                sign: true,
                commit: true,
                ..proof(FAMILY_BYTES)
            },
            Self::Introspect => proof(INTROSPECTED_BYTES),
            // The token that is asked about has a signature too.
            Self::IntrospectJwt => Floor {
                assertion: true,
                ..proof(INTROSPECTED_BYTES)
            },
            Self::Revoke => Floor {
                commit: true,
                ..proof(0)
            },
            Self::ListKeys => floor(KEYS_BYTES),
        }
    }

    /// Calls of one side, signed, and whatever they need made.
    ///
    /// # Errors
    /// When something of it is refused.
    pub async fn batch(
        self,
        side: Side,
        world: &mut World,
        calls: usize,
    ) -> Result<Batch, BenchError> {
        match (side, self) {
            // Neither side speaks gRPC.
            (_, Self::GuardHttp) => Err(BenchError::Asked(format!("{self} has no gRPC calls"))),
            (Side::Floor, Self::TokenHttp2 | Self::TokenHttp1) => {
                batch::ours(Self::IssueSecret, world, calls).await
            }
            (Side::Floor, _) => floor::batch(self, calls),
            (Side::Ours, _) => batch::ours(self, world, calls).await,
        }
    }

    /// What an answer cannot say is asked for when the clock has stopped: whether tokens that were
    /// revoked are worth nothing any more.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub async fn aftermath(self, side: Side, world: &mut World) -> Result<Failures, BenchError> {
        match (side, self) {
            (Side::Ours, Self::Revoke) => tokens::still_active(world.tokens().await?).await,
            _ => Ok(Failures::new()),
        }
    }

    /// What it speaks on our side alone, where that is not gRPC.
    pub(crate) const fn http(self) -> Option<Version> {
        match self {
            Self::TokenHttp1 => Some(Version::Http1),
            Self::TokenHttp2 => Some(Version::Http2),
            _ => None,
        }
    }

    /// Whether its calls have spans: a floor has none, and the caller's cost is another matter.
    pub(crate) const fn is_traced(self) -> bool {
        !matches!(self, Self::Echo | Self::ClientLayer)
    }

    /// The least ratio floor ÷ ours, with 64 streams, that it should have.
    pub const fn ratio_min(self) -> Option<f64> {
        match self {
            Self::GuardCached | Self::GuardUncached => Some(0.90),
            Self::IssueSecret => Some(0.85),
            Self::IssuePrivateKeyJwt => Some(0.88),
            Self::Rotate => Some(0.75),
            Self::Introspect => Some(0.65),
            Self::Echo
            | Self::GuardHttp
            | Self::Redeem
            | Self::IntrospectJwt
            | Self::Revoke
            | Self::ListKeys
            | Self::TokenHttp2
            | Self::TokenHttp1
            | Self::ClientLayer => None,
        }
    }

    /// The most, in µs, that a call of ours may cost more than the floor's, with 64 streams.
    pub const fn added_us_max(self) -> Option<f64> {
        match self {
            Self::ClientLayer => Some(16.0),
            Self::TokenHttp2 => Some(10.0),
            Self::TokenHttp1 => Some(25.0),
            _ => None,
        }
    }

    /// The server that these calls are for.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn server(self, side: Side, world: &mut World) -> Result<&mut Process, BenchError> {
        match (side, self) {
            (_, Self::ClientLayer) | (Side::Ours, Self::GuardCached | Self::GuardUncached) => {
                world.guarded(ORDER_ANSWER_BYTES)
            }
            (Side::Ours, Self::GuardHttp) => world.guarded_http(ORDER_ANSWER_BYTES),
            (_, Self::TokenHttp2 | Self::TokenHttp1) => Ok(world.tokens().await?.process()),
            (Side::Floor, _) => world.floor(&self.floor()),
            (Side::Ours, Self::Echo) => world.twin(&self.floor()),
            (Side::Ours, _) => Ok(world.tokens().await?.process()),
        }
    }
}

/// The bytes of the token service's answers; a floor answers as much.
const ISSUED_BYTES: usize = 553;
const FAMILY_BYTES: usize = 751;
const INTROSPECTED_BYTES: usize = 180;
const KEYS_BYTES: usize = 340;

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Row {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|row| row.name() == text)
            .ok_or_else(|| BenchError::Asked(format!("{text:?} is not one of {}", names())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_by_its_name() {
        for row in Row::ALL {
            assert_eq!(row.name().parse::<Row>().ok(), Some(row));
        }
        let refused = "rotates".parse::<Row>().expect_err("there is none");
        assert!(refused.to_string().contains("rotate, introspect"));
    }
}
