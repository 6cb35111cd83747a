//! The certificate of a caller's connection (RFC 8705 §3).

use countersign_jose::CertificateThumbprint;
use http::Extensions;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

/// The certificate that a connection was opened with by the caller, whose key the handshake has seen.
///
/// tonic's own server says it by itself. Who ends TLS otherwise puts this among the extensions of
/// every request of the connection; nothing that a caller sends can put it there. Where a proxy has
/// ended TLS there is none, and tokens that are bound to a certificate are refused.
///
/// ```
/// use countersign_guard::PeerCertificate;
///
/// # fn connected(request: &mut http::Request<()>, der: &[u8]) {
/// // `der` is the first certificate of what the handshake brought.
/// request.extensions_mut().insert(PeerCertificate::of(der));
/// # }
/// ```
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PeerCertificate(CertificateThumbprint);

impl PeerCertificate {
    /// The certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        Self(CertificateThumbprint::of(der))
    }

    /// The certificate with this thumbprint.
    pub const fn with_thumbprint(thumbprint: CertificateThumbprint) -> Self {
        Self(thumbprint)
    }

    /// That of a request's connection.
    pub(crate) fn among(extensions: &Extensions) -> Option<CertificateThumbprint> {
        if let Some(said) = extensions.get::<Self>() {
            return Some(said.0);
        }
        let connection = extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?;
        let chain = connection.peer_certs()?;
        chain.first().map(|leaf| CertificateThumbprint::of(leaf))
    }
}
