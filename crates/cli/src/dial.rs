//! Connections: TCP with or without TLS, and the Unix socket of the admin
//! services.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use countersign_client::reach::is_this_machine;
use hyper_util::rt::TokioIo;
use rustls::CertificateError;
use tokio::net::UnixStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};
use tower::service_fn;

use crate::exit::Failure;

/// A person waits: long enough for a slow network, short enough not to wonder.
const CONNECT_SECS_MAX: Duration = Duration::from_secs(5);

/// No call of this command takes longer, a scan of many clients included.
const CALL_SECS_MAX: Duration = Duration::from_secs(30);

/// What the URL of a token service looks like.
pub(crate) const URL_FORM: &str =
    "write it as https://tokens.internal:7443, or http://127.0.0.1:7443 on this machine";

/// Connects to the token service at `url`. `ca` is trusted instead of the
/// system's certificates; `identity` is what the connection shows of the client.
///
/// # Errors
///
/// A URL that is none, a certificate that is none, or nobody there.
pub(crate) async fn server(
    url: &str,
    ca: Option<&[u8]>,
    identity: Option<Identity>,
) -> Result<Channel, Failure> {
    connected(
        "--server",
        url,
        ca,
        identity,
        "start it with `countersign serve`, or name another with --server",
    )
    .await
}

/// Connects to the server at `url`, which `flag` named. `ca` as above.
///
/// # Errors
///
/// As above.
pub(crate) async fn any_server(
    flag: &str,
    url: &str,
    ca: Option<&[u8]>,
) -> Result<Channel, Failure> {
    connected(flag, url, ca, None, "start it, or name another").await
}

async fn connected(
    flag: &str,
    url: &str,
    ca: Option<&[u8]>,
    identity: Option<Identity>,
    next: &str,
) -> Result<Channel, Failure> {
    let endpoint = endpoint(flag, url, ca, identity)?;
    endpoint
        .connect()
        .await
        .map_err(|cause| match tls_error(&cause) {
            Some(tls) => untrusted(url, tls),
            None => Failure::unreachable(format!("nobody answers at {url}: {}", deepest(&cause)))
                .next(next),
        })
}

fn endpoint(
    flag: &str,
    url: &str,
    ca: Option<&[u8]>,
    identity: Option<Identity>,
) -> Result<Endpoint, Failure> {
    let wrong = |what: &str| Failure::configuration(format!("{flag} {url}: {what}")).next(URL_FORM);
    let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
    let host = uri.host().ok_or_else(|| wrong("has no host"))?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") if is_this_machine(host) => false,
        Some("http") => {
            return Err(wrong(
                "is not encrypted and not on this machine: secrets and tokens would be read on the way",
            ));
        }
        _ => return Err(wrong("must begin with https:// or http://")),
    };
    let endpoint = Endpoint::from(uri)
        .connect_timeout(CONNECT_SECS_MAX)
        .timeout(CALL_SECS_MAX);
    if !tls {
        return match identity {
            None => Ok(endpoint),
            Some(_) => Err(wrong(
                "is not encrypted: a certificate is shown over TLS alone",
            )),
        };
    }
    let config = match ca {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    let config = match identity {
        Some(identity) => config.identity(identity),
        None => config,
    };
    endpoint
        .tls_config(config)
        .map_err(|cause| wrong(&format!("TLS cannot be set up: {}", deepest(&cause))))
}

/// What rustls says, if it is what failed.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut layers = std::iter::successors(Some(error), |&error| error.source());
    layers.find_map(|layer| match layer.downcast_ref::<std::io::Error>() {
        // Its `source` is what lies below that which it wraps.
        Some(wrapped) => wrapped.get_ref()?.downcast_ref(),
        None => layer.downcast_ref(),
    })
}

/// Somebody answers, but not as whom we trust.
fn untrusted(url: &str, cause: &rustls::Error) -> Failure {
    const AUTHORITY: &str = "name the certificate of its authority with --ca; one that is its own authority must say CA:FALSE";
    let certificate = |what: &str| {
        Failure::unreachable(format!("the certificate of {url} is not accepted: {what}"))
    };
    match cause {
        rustls::Error::InvalidMessage(_) => {
            Failure::unreachable(format!("what answers at {url} does not speak TLS"))
                .next("without TLS the URL begins with http://")
        }
        rustls::Error::InvalidCertificate(cause) => match cause {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                certificate("it is for another name")
                    .next("name the service as its certificate does")
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                certificate("it has expired").next("give the service a new one")
            }
            CertificateError::UnknownIssuer => {
                certificate("nobody trusted here signed it").next(AUTHORITY)
            }
            // The rest is written for programmers, with bytes in it.
            _ => certificate("its signature or form is wrong").next(AUTHORITY),
        },
        other => Failure::unreachable(format!("no TLS with {url}: {other}"))
            .next("check the certificate of the service, and --ca"),
    }
}

/// How long a call may take.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// As every call.
    Usual,
    /// As long as it takes: what is asked for grows with the store.
    Long,
}

/// Connects to the admin services at this socket, for calls that take so long.
///
/// # Errors
///
/// Nobody there, or not for this user.
pub(crate) async fn admin(socket: &Path, wait: Wait) -> Result<Channel, Failure> {
    // Tried once here, where the error says what is wrong; tonic's would not.
    UnixStream::connect(socket)
        .await
        .map_err(|cause| unreachable_socket(socket, &cause))?;
    let path = socket.to_owned();
    // The name is not used: the connector goes to the socket.
    let endpoint = Endpoint::from_static("http://localhost");
    let endpoint = match wait {
        Wait::Usual => endpoint.timeout(CALL_SECS_MAX),
        Wait::Long => endpoint,
    };
    endpoint
        .connect_with_connector(service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        }))
        .await
        .map_err(|cause| {
            Failure::unreachable(format!(
                "{}: whoever answers does not speak gRPC: {}",
                socket.display(),
                deepest(&cause)
            ))
        })
}

fn unreachable_socket(socket: &Path, cause: &std::io::Error) -> Failure {
    let what = format!(
        "cannot reach the admin socket {}: {cause}",
        socket.display()
    );
    let failure = Failure::unreachable(what);
    match cause.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => failure.next(
            "start the service with `countersign serve`, or name the socket that it printed with --socket",
        ),
        ErrorKind::PermissionDenied => failure.next(
            "run this as the account that the service runs as, or as root",
        ),
        _ => failure,
    }
}

/// What lies at the bottom of an error, which is what helps.
fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
