//! What holds across connections: who is asked, sessions that are resumed, authorities that change.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::admin::v1 as admin;
use countersign::admin::v1::client::TlsClientAuth;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign_server::Occasion;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, SignatureScheme};

use super::certificates::{Ca, DNS, Identity, client};
use super::stand::{Answered, MTLS, Stand};
use super::{Nobody, Token};
use crate::harness::{Client, ISSUE, ORDERS, credentials, inner, service_client, with_proof};
use crate::http::web::TOKEN;

/// Notes whether it was asked for a certificate, and has none.
#[derive(Debug, Default)]
struct Noting(AtomicBool);

impl ResolvesClientCert for Noting {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::SeqCst);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_listener_of_its_own_asks_for_a_certificate() {
    let stand = Stand::start().await;
    for (port, asks) in [(stand.ordinary(), false), (stand.mutual(), true)] {
        let noting = Arc::new(Noting::default());
        let mut config = ClientConfig::clone(&stand.config(None));
        config.client_auth_cert_resolver = noting.clone();
        let answered = stand.get(port, Arc::new(config), "/health").await;
        assert_eq!(answered.status, 200, "{answered:?}");
        assert_eq!(noting.0.load(Ordering::SeqCst), asks);
    }
}

impl Stand {
    async fn again(&self, config: &Arc<ClientConfig>, id: &str) -> Answered {
        let proof = self.proof(MTLS, TOKEN);
        let parameters = [("grant_type", "client_credentials"), ("client_id", id)];
        let headers = [("dpop", proof.as_str())];
        self.post(
            self.mutual(),
            Arc::clone(config),
            TOKEN,
            &headers,
            &parameters,
        )
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_session_shows_the_certificate_that_it_began_with() {
    let stand = Stand::start().await;
    let own = Identity::by_itself(&client());
    stand.pinned("pinned", &[&own]).await;
    let mut brief = client();
    brief.not_after = rcgen::date_time_ymd(2027, 2, 1);
    let brief = stand.ca.sign(&brief);
    let name = TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned());
    stand.named("named", name).await;

    for (id, identity, other) in [("pinned", &own, "named"), ("named", &brief, "pinned")] {
        let config = stand.config(Some(identity));
        let first = stand.again(&config, id).await;
        assert_eq!(first.handshake, Some(HandshakeKind::Full), "{id}");
        assert_eq!(first.status, 200, "{first:?}");
        let second = stand.again(&config, id).await;
        assert_eq!(second.handshake, Some(HandshakeKind::Resumed), "{id}");
        assert_eq!(second.status, 200, "{second:?}");
        let third = stand.again(&config, other).await;
        assert_eq!(third.handshake, Some(HandshakeKind::Resumed), "{id}");
        assert_eq!(third.status, 401, "another client: {third:?}");
        if id == "named" {
            // The session outlives the certificate.
            stand
                .service
                .clock
                .advance(std::time::Duration::from_secs(30 * 86_400));
            let late = stand.again(&config, id).await;
            assert_eq!(late.handshake, Some(HandshakeKind::Resumed));
            assert_eq!(late.status, 401, "{late:?}");
        }
    }

    // One that began without shows none, and one of the ordinary listener is not resumed here.
    let bare = stand.config(None);
    for _ in 0..2 {
        let answered = stand.again(&bare, "pinned").await;
        assert_eq!(answered.status, 401, "{answered:?}");
    }
    let config = stand.config(Some(&own));
    let ordinary = stand
        .get(stand.ordinary(), Arc::clone(&config), "/health")
        .await;
    assert_eq!(ordinary.handshake, Some(HandshakeKind::Full));
    let mutual = stand.again(&config, "pinned").await;
    assert_eq!(mutual.handshake, Some(HandshakeKind::Full));
    assert_eq!(mutual.status, 200, "{mutual:?}");
}

/// How a client authenticates makes no difference, nor which version resumes, nor whether the
/// connection is new: what it was opened with counts within its time.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_opened_with_a_certificate_is_worth_nothing_after_its_time() {
    let stand = Stand::start().await;
    let mut brief = client();
    brief.not_after = rcgen::date_time_ymd(2027, 2, 1);
    let (issued, own) = (stand.ca.sign(&brief), Identity::by_itself(&brief));
    let name = TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned());
    let named = stand.named("named", name).await;
    let pinned = stand.pinned("pinned", &[&own]).await;
    // It has a secret, and the certificate for its tokens alone.
    let bound = admin::Client {
        tls_client_certificate_bound_access_tokens: true,
        ..service_client("bound", &[(ORDERS, &["orders.read"])])
    };
    let bound = stand.service.add(bound).await;
    let ask = async |config: &Arc<ClientConfig>, client: &Client| {
        let proof = stand.proof(MTLS, TOKEN);
        let headers = [("dpop", proof.as_str())];
        let id = ("client_id", client.id.as_str());
        let mut parameters = vec![("grant_type", "client_credentials"), id];
        parameters.extend(client.secret.as_deref().map(|it| ("client_secret", it)));
        let config = Arc::clone(config);
        stand
            .post(stand.mutual(), config, TOKEN, &headers, &parameters)
            .await
    };

    let mut sessions = Vec::new();
    for (client, identity) in [(&named, &issued), (&pinned, &own), (&bound, &own)] {
        for version in [&TLS12, &TLS13] {
            let config = Arc::new(stand.config_speaking(&[version], Some(identity)));
            for handshake in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let answered = ask(&config, client).await;
                let what = format!("{} {version:?}", client.id);
                assert_eq!(answered.handshake, Some(handshake), "{what}");
                assert_eq!(answered.status, 200, "{what}: {answered:?}");
            }
            sessions.push((client, version, config));
        }
    }
    let open = stand.channel(stand.mutual(), Some(&issued)).await;
    let over_the_open_one = async || {
        let request = with_proof(credentials(&named), &stand.proof(MTLS, ISSUE));
        let mut tokens = TokenServiceClient::new(open.clone());
        inner(tokens.issue_token(request).await)
    };
    over_the_open_one().await.expect("issued");

    stand
        .service
        .clock
        .advance(std::time::Duration::from_secs(30 * 86_400));
    for (client, version, config) in sessions {
        let what = format!("resumed too late: {} {version:?}", client.id);
        let late = ask(&config, client).await;
        assert_eq!(late.handshake, Some(HandshakeKind::Resumed), "{what}");
        assert_eq!(late.status, 401, "{what}: {late:?}");
        assert_eq!(late.json["error"], "invalid_client", "{what}");
    }
    let late = over_the_open_one().await.expect_err("open for too long");
    assert_eq!(late.code(), tonic::Code::Unauthenticated, "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_change_while_the_service_runs() {
    let stand = Stand::start().await;
    let (mutual, next) = (stand.mutual(), Ca::new());
    let checkout = TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned());
    let checkout = stand.named("checkout", checkout).await;
    let (old, new) = (stand.ca.sign(&client()), next.sign(&client()));
    stand
        .check("before, the old", mutual, Some(&old), &checkout, Token)
        .await;
    stand
        .check("before, the new", mutual, Some(&new), &checkout, Nobody)
        .await;
    let resumed = stand.config(Some(&old));
    assert_eq!(stand.again(&resumed, "checkout").await.status, 200);

    let config = stand.service.config.clone();
    let tls = config.tls.clone().expect("TLS");
    let file = tls.client_authorities_file.expect("a file");
    let reload = || {
        stand
            .service
            .running()
            .reload(Ok(config.clone()), Occasion::Asked)
    };

    // What is no authority is said and not used.
    for wrong in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(&file, wrong).expect("written");
        let reloaded = reload().await.expect("reloaded");
        let problem = reloaded.certificate.expect("a problem");
        assert_eq!(problem.file, file, "{wrong:?}");
    }
    stand
        .check("still the old", mutual, Some(&old), &checkout, Token)
        .await;

    fs::write(&file, &next.pem).expect("written");
    assert_eq!(reload().await.expect("reloaded").certificate, None);
    stand
        .check("after, the old", mutual, Some(&old), &checkout, Nobody)
        .await;
    stand
        .check("after, the new", mutual, Some(&new), &checkout, Token)
        .await;
    // Nor does a session that began before go on.
    let late = stand.again(&resumed, "checkout").await;
    assert_eq!(late.status, 401, "{late:?}");
}

/// A certificate that everybody may see is worth nothing without its key.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_its_key_opens_nothing() {
    let stand = Stand::start().await;
    let own = Identity::by_itself(&client());
    stand.pinned("pinned", &[&own]).await;
    let other = Identity::by_itself(&client());
    let sign = rustls::crypto::aws_lc_rs::sign::any_supported_type;
    for versions in [&[&TLS12], &[&TLS13]] {
        for (key, opens) in [(&own, true), (&other, false)] {
            let key = sign(&key.private_key()).expect("a key");
            let shown = CertifiedKey::new(own.certificates(), key);
            let mut config = stand.config_speaking(versions, None);
            config.client_auth_cert_resolver = Arc::new(Showing(Arc::new(shown)));
            let answered = stand
                .answer(stand.mutual(), Arc::new(config), "/health")
                .await;
            assert_eq!(answered.is_some(), opens, "{versions:?}");
        }
    }
}

/// Shows the same to everybody.
#[derive(Debug)]
struct Showing(Arc<CertifiedKey>);

impl ResolvesClientCert for Showing {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
