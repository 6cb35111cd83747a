//! Whom a guard asks what a reference token says.

use std::fmt;
use std::time::Duration;

use countersign::introspection::v1::introspection_service_client::IntrospectionServiceClient;
use countersign::introspection::v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use countersign_client::source::BoxFuture;
use countersign_client::{ConnectError, Countersign, GuardedChannel};
use countersign_jose::{CertificateThumbprint, Thumbprint, UnixTime};
use prost_reflect::prost_types::Timestamp;
use tonic::Request;

/// The scope of the guard's own token.
const SCOPE: &str = "introspect";

/// No answer about a token comes near; nothing larger is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What the call is told that it has: a little less than the guard waits.
const DEADLINE: Duration = Duration::from_millis(4_500);

/// The last second of the year 9999. A later time is not a time.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Tells what reference tokens say.
pub trait Introspector: Send + Sync + 'static {
    /// What the token says now; none where it is worth nothing at this guard's resources, for
    /// whatever reason. Called for a token that no call has shown within the last seconds; some 60
    /// at a time at most.
    fn introspect<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>>;
}

/// What a token says that may be used now. The guard checks it as it checks a JWT: issuer,
/// binding, audience, times, scopes.
#[derive(Clone, Debug)]
pub struct Introspected {
    /// Who issued it (`iss`).
    pub issuer: String,
    /// Whom it speaks for (`sub`).
    pub subject: String,
    /// The client it was issued to (`client_id`).
    pub client_id: String,
    /// The resources that it is for (`aud`).
    pub audience: Vec<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Its name (`jti`).
    pub token_id: String,
    /// Its family, where it belongs to one.
    pub family: Option<String>,
    /// When it was issued (`iat`).
    pub issued_at: UnixTime,
    /// When it ends (`exp`).
    pub expires_at: UnixTime,
    /// The key that it is bound to (`cnf.jkt`); without one it is refused.
    pub jkt: Option<Thumbprint>,
    /// The certificate that it is bound to as well (`cnf.x5t#S256`, RFC 8705 §3.2).
    pub certificate: Option<CertificateThumbprint>,
    /// When the person last proved who they are (`auth_time`).
    pub auth_time: Option<UnixTime>,
    /// How they proved it (`acr`).
    pub acr: Option<String>,
    /// What it allows beyond scopes (`authorization_details`, RFC 9396 §9.2): a JSON array, as
    /// text; empty without any.
    pub authorization_details: String,
}

/// Why nobody said anything, for the log.
#[derive(Clone, Debug)]
pub struct IntrospectionUnavailable(String);

impl IntrospectionUnavailable {
    /// The cause, in words that hold nothing secret.
    pub fn new(cause: impl fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl fmt::Display for IntrospectionUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what a token says could not be had: {}", self.0)
    }
}

impl std::error::Error for IntrospectionUnavailable {}

/// Asks the token service (`IntrospectionService.IntrospectToken`) with a token of the guard's own.
pub(crate) struct TokenServiceIntrospection(IntrospectionServiceClient<GuardedChannel>);

impl TokenServiceIntrospection {
    /// For the token service at `url`, whose own interface is the resource `issuer`.
    pub(crate) async fn connect(
        countersign: &Countersign,
        url: &str,
        issuer: &str,
    ) -> Result<Self, ConnectError> {
        let channel = countersign
            .channel(url)
            .origin(issuer)
            .resource(issuer)
            .scopes([SCOPE])
            .connect()
            .await?;
        let client = IntrospectionServiceClient::new(channel);
        Ok(Self(client.max_decoding_message_size(ANSWER_BYTES_MAX)))
    }
}

impl Introspector for TokenServiceIntrospection {
    fn introspect<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>> {
        let mut client = self.0.clone();
        let mut request = Request::new(IntrospectTokenRequest {
            token: token.to_owned(),
            token_type_hint: "access_token".to_owned(),
        });
        request.set_timeout(DEADLINE);
        Box::pin(async move {
            let answer = client
                .introspect_token(request)
                .await
                .map_err(|status| IntrospectionUnavailable::new(status.message()))?;
            said(answer.into_inner())
        })
    }
}

/// What an answer says. One that makes no sense is none: it is the service that is wrong, not the
/// caller.
pub(crate) fn said(
    answer: IntrospectTokenResponse,
) -> Result<Option<Introspected>, IntrospectionUnavailable> {
    if !answer.active {
        return Ok(None);
    }
    let wrong = |what: &str| IntrospectionUnavailable::new(format!("{what} makes no sense"));
    // A refresh token is no access token, whatever it begins with.
    if !answer.token_type.eq_ignore_ascii_case("DPoP") {
        return Err(wrong("token_type"));
    }
    let certificate = answer
        .cnf
        .as_ref()
        .filter(|cnf| !cnf.x5t_s256.is_empty())
        .map(|cnf| CertificateThumbprint::parse(&cnf.x5t_s256))
        .transpose()
        .map_err(|_| wrong("cnf"))?;
    let jkt = answer
        .cnf
        .map(|cnf| Thumbprint::parse(&cnf.jkt))
        .transpose()
        .map_err(|_| wrong("cnf"))?;
    let time = |stamp: Option<Timestamp>, what: &str| {
        let time = |stamp: Timestamp| {
            let secs = u64::try_from(stamp.seconds).ok()?;
            (secs <= SECONDS_MAX).then(|| UnixTime::from_secs(secs))
        };
        stamp
            .map(|stamp| time(stamp).ok_or_else(|| wrong(what)))
            .transpose()
    };
    Ok(Some(Introspected {
        issuer: answer.iss,
        subject: answer.sub,
        client_id: answer.client_id,
        audience: answer.aud,
        scopes: answer.scopes,
        token_id: answer.jti,
        family: Some(answer.family_id).filter(|family| !family.is_empty()),
        issued_at: time(answer.iat, "iat")?.ok_or_else(|| wrong("iat"))?,
        expires_at: time(answer.exp, "exp")?.ok_or_else(|| wrong("exp"))?,
        jkt,
        certificate,
        auth_time: time(answer.auth_time, "auth_time")?,
        acr: Some(answer.acr).filter(|acr| !acr.is_empty()),
        authorization_details: answer.authorization_details,
    }))
}
