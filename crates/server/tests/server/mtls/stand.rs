//! A token service that asks for certificates, and how it is asked over both edges.

use std::fs;
use std::sync::Arc;

use countersign::admin::v1 as admin;
use countersign::admin::v1::client::TlsClientAuth;
use countersign::token::v1 as token;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign_server::Config;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ALL_VERSIONS, ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::certificates::{Ca, Identity};
use crate::authority::Authority;
use crate::harness::{
    Client, ISSUE, ORDERS, Service, credentials, inner, service_client, with_proof,
};
use crate::http::web::{TOKEN, form};
use crate::proof::Key;

pub(super) const ISSUER: &str = "https://localhost:7443";
/// Where clients reach the listener that asks for certificates.
pub(super) const MTLS: &str = "https://localhost:7444";

pub(super) struct Stand {
    pub(super) service: Service,
    pub(super) server: Authority,
    pub(super) ca: Ca,
}

/// What HTTP answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) json: Value,
    pub(super) handshake: Option<HandshakeKind>,
}

impl Stand {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let (server, ca) = (Authority::new(), Ca::new());
        let service = Service::start_with(|config| {
            server.greet(config);
            let tls = config.tls.as_mut().expect("it greets");
            let authorities = tls.certificate_file.with_file_name("clients.crt");
            fs::write(&authorities, &ca.pem).expect("written");
            tls.client_authorities_file = Some(authorities);
            config.mtls.address = Some(([127, 0, 0, 1], 0).into());
            config.mtls.url = Some(MTLS.to_owned());
            change(config);
        })
        .await;
        service.add_orders().await;
        Self {
            service,
            server,
            ca,
        }
    }

    /// The port that asks for certificates.
    pub(super) fn mutual(&self) -> u16 {
        let address = self.service.running().mtls_address();
        address.expect("it asks").port()
    }

    /// The port that does not.
    pub(super) fn ordinary(&self) -> u16 {
        self.service.running().grpc_address().port()
    }

    /// What a client connects with. Sessions are resumed by whoever uses the same again.
    pub(super) fn config(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        Arc::new(self.config_speaking(ALL_VERSIONS, identity))
    }

    /// The same, in these versions of TLS.
    pub(super) fn config_speaking(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Identity>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let server = CertificateDer::from_pem_slice(self.server.pem().as_bytes()).expect("PEM");
        roots.add(server).expect("an authority");
        let config =
            ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => config
                .with_client_auth_cert(identity.certificates(), identity.private_key())
                .expect("they fit"),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }

    /// Posts a form over a connection of its own.
    pub(super) async fn post(
        &self,
        port: u16,
        config: Arc<ClientConfig>,
        path: &str,
        headers: &[(&str, &str)],
        parameters: &[(&str, &str)],
    ) -> Answered {
        let body = form(parameters);
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("\r\n{body}"));
        let answered = self.send(port, config, &request).await;
        answered.expect("an answer")
    }

    /// Gets a document over a connection of its own.
    pub(super) async fn get(&self, port: u16, config: Arc<ClientConfig>, path: &str) -> Answered {
        let answered = self.answer(port, config, path).await;
        answered.expect("an answer")
    }

    /// The same, where there may be no answer.
    pub(super) async fn answer(
        &self,
        port: u16,
        config: Arc<ClientConfig>,
        path: &str,
    ) -> Option<Answered> {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        self.send(port, config, &request).await
    }

    async fn send(&self, port: u16, config: Arc<ClientConfig>, request: &str) -> Option<Answered> {
        let stream = TcpStream::connect(("localhost", port))
            .await
            .expect("connects");
        let name = ServerName::try_from("localhost").expect("a name");
        // In TLS 1.3 a client learns only later that it is turned away.
        let mut stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).expect("a status");
        Some(Answered {
            status: status.parse().expect("a number"),
            head: head.to_owned(),
            json: serde_json::from_str(body).unwrap_or_default(),
            handshake: stream.get_ref().1.handshake_kind(),
        })
    }

    /// Asks for a token over HTTP, with these parameters besides.
    pub(super) async fn token(
        &self,
        port: u16,
        identity: Option<&Identity>,
        headers: &[(&str, &str)],
        parameters: &[(&str, &str)],
    ) -> Answered {
        let base = if port == self.mutual() { MTLS } else { ISSUER };
        let proof = self.proof(base, TOKEN);
        let mut headers = headers.to_vec();
        headers.push(("dpop", &proof));
        let mut all = vec![("grant_type", "client_credentials")];
        all.extend(parameters);
        self.post(port, self.config(identity), TOKEN, &headers, &all)
            .await
    }

    pub(super) fn proof(&self, base: &str, path: &str) -> String {
        Key::new().mint(&format!("{base}{path}"), self.service.now(), None)
    }

    /// A gRPC connection that shows this.
    pub(super) async fn channel(&self, port: u16, identity: Option<&Identity>) -> Channel {
        let authority = Certificate::from_pem(self.server.pem());
        let mut tls = ClientTlsConfig::new().ca_certificate(authority);
        if let Some(Identity { chain, key }) = identity {
            tls = tls.identity(tonic::transport::Identity::from_pem(chain, key));
        }
        Endpoint::from_shared(format!("https://localhost:{port}"))
            .expect("a URL")
            .tls_config(tls)
            .expect("fits")
            .connect()
            .await
            .expect("connects")
    }

    /// Asks for a token over gRPC.
    pub(super) async fn issue(
        &self,
        port: u16,
        identity: Option<&Identity>,
        client: &Client,
    ) -> Result<token::IssueTokenResponse, Status> {
        self.issue_as(port, identity, credentials(client)).await
    }

    /// The same, for this request.
    pub(super) async fn issue_as(
        &self,
        port: u16,
        identity: Option<&Identity>,
        request: token::IssueTokenRequest,
    ) -> Result<token::IssueTokenResponse, Status> {
        let base = if port == self.mutual() { MTLS } else { ISSUER };
        let request = with_proof(request, &self.proof(base, ISSUE));
        let channel = self.channel(port, identity).await;
        inner(TokenServiceClient::new(channel).issue_token(request).await)
    }

    /// Registers a client whose certificate must have this name.
    pub(super) async fn named(&self, id: &str, name: TlsClientAuth) -> Client {
        self.service.add(by_name(id, name)).await
    }

    /// Registers a client with certificates of its own.
    pub(super) async fn pinned(&self, id: &str, own: &[&Identity]) -> Client {
        self.service.add(by_itself(id, own)).await
    }
}

pub(super) fn by_name(id: &str, name: TlsClientAuth) -> admin::Client {
    admin::Client {
        authentication_method: admin::AuthenticationMethod::TlsClientAuth.into(),
        tls_client_auth: Some(name),
        ..service_client(id, &[(ORDERS, &["orders.read"])])
    }
}

pub(super) fn by_itself(id: &str, own: &[&Identity]) -> admin::Client {
    admin::Client {
        authentication_method: admin::AuthenticationMethod::SelfSignedTlsClientAuth.into(),
        tls_client_certificates: own.iter().map(|identity| identity.thumbprint()).collect(),
        ..service_client(id, &[(ORDERS, &["orders.read"])])
    }
}
