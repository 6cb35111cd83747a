//! Tokens that are bound to a certificate (RFC 8705 §3), over real connections with certificates.

use std::convert::Infallible;
use std::sync::Arc;

use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_guard::layer::http::HttpRequestBody;
use countersign_guard::{NonceMode, PeerCertificate};
use countersign_jose::{CertificateThumbprint, base64url};
use http::{Method, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tonic::Request;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
};
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::orders::Orders;
use crate::references::{TOKEN, Told};
use crate::stand::{Edge, Expected, SERVICE, Shown, Stand};
use Expected::{Ok, T};

/// An authority, and what it has signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
struct Made {
    identity: Identity,
    der: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn sign(&self) -> Made {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        Made {
            identity: Identity::from_pem(signed.pem(), key.serialize_pem()),
            der: signed.der().to_vec(),
        }
    }

    fn certificate(&self) -> Certificate {
        Certificate::from_pem(&self.pem)
    }
}

impl Made {
    fn thumbprint(&self) -> String {
        CertificateThumbprint::of(&self.der).to_string()
    }
}

/// A guarded server that asks for certificates of this authority and gets on without.
async fn serve(stand: &Stand, authority: &Authority) -> u16 {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = incoming.local_addr().unwrap().port();
    let tls = ServerTlsConfig::new()
        .identity(authority.sign().identity)
        .client_ca_root(authority.certificate())
        .client_auth_optional(true);
    let server = Server::builder()
        .tls_config(tls)
        .unwrap()
        .layer(stand.guard.layer())
        .add_service(OrderServiceServer::new(Orders));
    tokio::spawn(server.serve_with_incoming(incoming));
    port
}

async fn connect(port: u16, authority: &Authority, shows: Option<&Made>) -> Channel {
    let mut tls = ClientTlsConfig::new().ca_certificate(authority.certificate());
    if let Some(made) = shows {
        tls = tls.identity(made.identity.clone());
    }
    let endpoint = Endpoint::from_shared(format!("https://localhost:{port}")).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await.unwrap()
}

fn bound(stand: &Stand, thumbprint: impl Into<Value>) -> Value {
    let mut claims = stand.claims();
    claims["cnf"]["x5t#S256"] = thumbprint.into();
    claims
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_is_taken_over_that_connection_alone() {
    let stand = Stand::start().await;
    let authority = Authority::new();
    let (own, other) = (authority.sign(), authority.sign());
    let port = serve(&stand, &authority).await;
    let with_own = connect(port, &authority, Some(&own)).await;
    let with_other = connect(port, &authority, Some(&other)).await;
    let without = connect(port, &authority, None).await;
    let token = stand.token_of(&bound(&stand, own.thumbprint()));
    let plain = stand.token();
    // Twice each: a token that was verified before is remembered.
    for _ in 0..2 {
        for (row, channel, token, expected) in [
            ("its own", &with_own, &token, Ok),
            (
                "stolen, with its key, over another certificate",
                &with_other,
                &token,
                T,
            ),
            ("over a connection without one", &without, &token, T),
            (
                "bound to a key alone, with a certificate",
                &with_own,
                &plain,
                Ok,
            ),
            ("bound to a key alone, without", &without, &plain, Ok),
        ] {
            let shown = Shown::new(token, &stand.proof("CreateOrder", token));
            let mut request = Request::new(CreateOrderRequest {
                item: "tea".to_owned(),
            });
            shown.onto(request.metadata_mut());
            let mut client = OrderServiceClient::new(channel.clone());
            expected.check(row, client.create_order(request).await);
        }
    }
    // The proof is wanted all the same.
    let thief = crate::stand::es256(3);
    let proof = crate::stand::proof_of(&thief, &stand.proof_claims("CreateOrder", &token));
    let mut request = Request::new(CreateOrderRequest::default());
    Shown::new(&token, &proof).onto(request.metadata_mut());
    let mut client = OrderServiceClient::new(with_own);
    T.check("another key", client.create_order(request).await);
}

/// Where TLS ended at a proxy, or there is none.
#[tokio::test]
async fn where_no_certificate_is_known_such_a_token_is_refused() {
    let own = Authority::new().sign();
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let good = own.thumbprint();
        let short = base64url::encode([7; 31]);
        for (row, said) in [
            ("a certificate", json!(good)),
            ("cut short", json!(short)),
            ("a number", json!(7)),
            ("null", Value::Null),
        ] {
            let token = stand.token_of(&bound(&stand, said));
            let shown = Shown::new(&token, &stand.proof("CreateOrder", &token));
            stand.check(row, &shown, T).await;
            // What a caller says of its certificate counts for nothing.
            let shown = Shown::new(&token, &stand.proof("CreateOrder", &token))
                .and("x-forwarded-client-cert", &good)
                .and("client-cert", &good);
            stand.check(row, &shown, T).await;
        }
        let mut alone = stand.claims();
        alone["cnf"] = json!({ "x5t#S256": good });
        let token = stand.token_of(&alone);
        let shown = Shown::new(&token, &stand.proof("CreateOrder", &token));
        stand.check("bound to nothing else", &shown, T).await;
    }
}

/// References say it by introspection, and other servers by an extension.
#[tokio::test]
async fn what_ends_tls_says_which_certificate_it_was_and_references_are_bound_alike() {
    let told = Arc::new(Told::default());
    let introspector = Arc::clone(&told);
    let stand = Stand::with_at(Edge::Http, |builder| {
        builder.nonces(NonceMode::Off).introspector(introspector)
    })
    .await;
    let authority = Authority::new();
    let (own, other) = (authority.sign(), authority.sign());
    told.says(&stand, TOKEN, |said| {
        said.certificate = Some(CertificateThumbprint::of(&own.der));
    });
    let jwt = stand.token_of(&bound(&stand, own.thumbprint()));
    let handler = tower::service_fn(async |_: http::Request<HttpRequestBody<String>>| {
        Result::<_, Infallible>::Ok(http::Response::new(String::new()))
    });
    let guarded = stand.guard.http_layer().layer(handler);
    for token in [jwt.as_str(), TOKEN] {
        for (certificate, status) in [
            (Some(&own), StatusCode::OK),
            (Some(&other), StatusCode::UNAUTHORIZED),
            (None, StatusCode::UNAUTHORIZED),
            (Some(&own), StatusCode::OK),
        ] {
            let mut request = http::Request::builder()
                .method(Method::POST)
                .uri(format!("{SERVICE}CreateOrder"));
            let shown = Shown::new(token, &stand.proof("CreateOrder", token));
            for (name, value) in shown.headers() {
                request = request.header(name, value);
            }
            let mut request = request.body(String::new()).unwrap();
            if let Some(made) = certificate {
                let certificate = PeerCertificate::of(&made.der);
                request.extensions_mut().insert(certificate);
            }
            let answer = guarded.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status);
        }
    }
}
