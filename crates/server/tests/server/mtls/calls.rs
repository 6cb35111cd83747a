//! The client library over connections that show a certificate: to the token service, and to a service
//! behind a guard.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::admin::v1 as admin;
use countersign::admin::v1::client::TlsClientAuth;
use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_client::clock::Clock;
use countersign_client::{
    Builder, CertificateFiles, Countersign, Credential, GuardedChannel, Secret, TokenError,
};
use countersign_guard::NonceMode;
use countersign_jose::base64url;
use serde_json::Value;
use tempfile::TempDir;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Server, ServerTlsConfig};

use super::certificates::{DNS, Identity, client};
use super::stand::{ISSUER, MTLS, Stand, by_itself, by_name};
use crate::guarded::Orders;
use crate::harness::{Client, ORDERS, inner, service_client};

/// A certificate and its key, in files that somebody replaces.
struct Folder(TempDir);

impl Folder {
    fn of(identity: &Identity) -> Self {
        let folder = Self(TempDir::new().expect("a folder"));
        folder.put(identity);
        folder
    }

    fn certificate(&self) -> PathBuf {
        self.0.path().join("checkout.crt")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("checkout.key")
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles::new(self.certificate(), self.key())
    }

    fn put(&self, identity: &Identity) {
        self.put_certificate(identity);
        fs::write(self.key(), &identity.key).expect("written");
        fs::set_permissions(self.key(), Permissions::from_mode(0o600)).expect("set");
    }

    fn put_certificate(&self, identity: &Identity) {
        fs::write(self.certificate(), &identity.chain).expect("written");
    }
}

fn bound(client: admin::Client) -> admin::Client {
    admin::Client {
        tls_client_certificate_bound_access_tokens: true,
        ..client
    }
}

impl Stand {
    /// A client of the listener that asks for certificates.
    fn builder(&self, client: &Client, credential: Credential) -> Builder {
        Builder::new(format!("https://localhost:{}", self.mutual()))
            .origin(MTLS)
            .issuer(ISSUER)
            .trust_ca(self.server.pem())
            .clock(Arc::clone(&self.service.clock) as Arc<dyn Clock>)
            .client(&client.id, credential)
    }

    async fn caller(&self, client: &Client, credential: Credential) -> Countersign {
        let builder = self.builder(client, credential);
        builder.connect().await.expect("a client")
    }

    /// Orders behind a guard, which asks for certificates of the clients' authority.
    async fn orders(&self) -> String {
        let guard =
            countersign_guard::Builder::new(format!("https://localhost:{}", self.ordinary()))
                .issuer(ISSUER)
                .trust_ca(self.server.pem())
                .serve(ORDERS)
                .descriptors(countersign::FILE_DESCRIPTOR_SET)
                .nonces(NonceMode::Off)
                .clock(Arc::clone(&self.service.clock) as Arc<dyn Clock>);
        let guard = guard.connect().await.expect("a guard");
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).expect("bound");
        let port = incoming.local_addr().expect("an address").port();
        let own = self.server.sign(2);
        let tls = ServerTlsConfig::new()
            .identity(tonic::transport::Identity::from_pem(
                &own.certificate,
                &own.key,
            ))
            .client_ca_root(Certificate::from_pem(&self.ca.pem))
            .client_auth_optional(true);
        let server = Server::builder()
            .tls_config(tls)
            .expect("it fits")
            .layer(guard.layer())
            .add_service(OrderServiceServer::new(Orders));
        tokio::spawn(server.serve_with_incoming(incoming));
        format!("https://localhost:{port}")
    }
}

/// The certificate that the next token is bound to.
async fn bound_to(caller: &Countersign) -> Result<Value, TokenError> {
    let issued = caller.token_service().issue(&[], &[]).await?;
    let token = issued.access_token.expose();
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = base64url::decode(payload).expect("base64url");
    let payload: Value = serde_json::from_slice(&payload).expect("JSON");
    Ok(payload["cnf"]["x5t#S256"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_the_certificate_in_its_files() {
    let stand = Stand::start().await;
    let own = stand.ca.sign(&client());
    let folder = Folder::of(&own);
    let name = TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned());
    let named = stand.service.add(bound(by_name("named", name))).await;
    let pinned = stand.service.add(bound(by_itself("pinned", &[&own]))).await;
    for client in [&named, &pinned] {
        let caller = stand
            .caller(client, Credential::Certificate(folder.files()))
            .await;
        let bound_to = bound_to(&caller).await.expect("issued");
        assert_eq!(bound_to, own.thumbprint(), "{}", client.id);
    }
    // Besides a secret it is there to be bound to.
    let secret = bound(service_client("secret", &[(ORDERS, &["orders.read"])]));
    let secret = stand.service.add(secret).await;
    let credential = Credential::ClientSecret(Secret::from(secret.secret.clone().expect("one")));
    let builder = stand.builder(&secret, credential);
    let caller = builder.certificate(folder.files()).connect().await;
    let bound_to_it = bound_to(&caller.expect("a client")).await.expect("issued");
    assert_eq!(bound_to_it, own.thumbprint());
    // Who shows none is nobody.
    let nobody = stand.caller(&named, Credential::Public).await;
    let refused = bound_to(&nobody).await.expect_err("it shows nothing");
    assert!(matches!(refused, TokenError::Refused(..)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_is_shown_and_a_bad_one_is_not() {
    let stand = Stand::start().await;
    let (first, second) = (stand.ca.sign(&client()), stand.ca.sign(&client()));
    let folder = Folder::of(&first);
    let pinned = bound(by_itself("pinned", &[&first, &second]));
    let pinned = stand.service.add(pinned).await;
    let caller = stand
        .caller(&pinned, Credential::Certificate(folder.files()))
        .await;
    let shows = async |what: &str, expected: &Identity| {
        let bound_to = bound_to(&caller).await.expect(what);
        assert_eq!(bound_to, expected.thumbprint(), "{what}");
    };
    shows("the first", &first).await;
    // One file after the other: what does not fit is not used.
    folder.put_certificate(&second);
    shows("half of the second", &first).await;
    folder.put(&second);
    shows("the second", &second).await;
    for (what, text) in [("nothing", ""), ("no certificate", "s3cret")] {
        fs::write(folder.certificate(), text).expect("written");
        shows(what, &second).await;
    }
    folder.put(&first);
    fs::set_permissions(folder.key(), Permissions::from_mode(0o644)).expect("set");
    shows("a key that others can read", &second).await;
    fs::remove_file(folder.key()).expect("removed");
    shows("no key", &second).await;
    folder.put(&first);
    shows("the first again", &first).await;
}

async fn order(orders: &OrderServiceClient<GuardedChannel>) -> String {
    let created = orders
        .clone()
        .create_order(CreateOrderRequest::default())
        .await;
    let order = inner(created).expect("accepted").order;
    order.expect("told").order_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_over_the_connection_that_its_token_is_bound_to() {
    let stand = Stand::start().await;
    let url = stand.orders().await;
    let (first, second) = (stand.ca.sign(&client()), stand.ca.sign(&client()));
    let folder = Folder::of(&first);
    let mut pinned = bound(by_itself("pinned", &[&first, &second]));
    pinned.permissions = service_client("pinned", &[(ORDERS, &["orders.write"])]).permissions;
    let pinned = stand.service.add(pinned).await;
    for warm in [false, true] {
        folder.put(&first);
        let caller = stand
            .caller(&pinned, Credential::Certificate(folder.files()))
            .await;
        let channel = caller.channel(&url).origin(ORDERS);
        let channel = match warm {
            true => channel.warm().await.expect("a warm channel"),
            false => channel.connect().await.expect("a channel"),
        };
        let orders = OrderServiceClient::new(channel);
        let token = order(&orders).await;
        // From now on the client asks for tokens with its next certificate. The one in hand goes over
        // the connection that it is bound to.
        folder.put(&second);
        let newest = bound_to(&caller).await.expect("issued");
        assert_eq!(newest, second.thumbprint());
        assert_eq!(order(&orders).await, token, "the token in hand is used");
        // It ends, and the next one goes over the next connection.
        stand.service.clock.advance(Duration::from_secs(300));
        let next = order(&orders).await;
        assert_ne!(next, token);
        assert_eq!(order(&orders).await, next);
    }
}
