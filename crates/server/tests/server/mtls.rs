//! Mutual TLS (RFC 8705): clients authenticate by certificates, over both edges and real sockets.

mod bound;
mod calls;
mod certificates;
mod elsewhere;
mod families;
mod registration;
mod sessions;
mod stand;

use countersign::admin::v1::client::TlsClientAuth;
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};

use crate::harness::{Client, ORDERS, service_client};
use crate::http::web::{METADATA, basic};
use certificates::{Ca, DNS, EMAIL, IP, Identity, SUBJECT, URI, client, named};
use stand::{ISSUER, MTLS, Stand};

/// What comes of asking for a token.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Comes {
    /// One is issued.
    Token,
    /// The client is not authenticated.
    Nobody,
}
use Comes::{Nobody, Token};

impl Stand {
    /// Asks over HTTP and over gRPC: one and the same comes of both.
    async fn check(
        &self,
        what: &str,
        port: u16,
        identity: Option<&Identity>,
        client: &Client,
        expected: Comes,
    ) {
        let id = [("client_id", client.id.as_str())];
        let secret = client.secret.as_deref().map(|it| ("client_secret", it));
        let parameters: Vec<_> = id.into_iter().chain(secret).collect();
        let http = self.token(port, identity, &[], &parameters).await;
        let grpc = self.issue(port, identity, client).await;
        match expected {
            Token => {
                assert_eq!(http.status, 200, "{what}: {http:?}");
                grpc.unwrap_or_else(|status| panic!("{what}: {status}"));
            }
            Nobody => {
                assert_eq!(http.status, 401, "{what}: {http:?}");
                assert_eq!(http.json["error"], "invalid_client", "{what}");
                let status = grpc.expect_err(what);
                assert_eq!(status.code(), tonic::Code::Unauthenticated, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_five_names_authenticates_by_its_own_kind_alone() {
    let stand = Stand::start().await;
    let mutual = stand.mutual();
    let names = [
        TlsClientAuth::TlsClientAuthSubjectDn(SUBJECT.to_owned()),
        TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned()),
        TlsClientAuth::TlsClientAuthSanUri(URI.to_owned()),
        TlsClientAuth::TlsClientAuthSanIp(IP.to_owned()),
        TlsClientAuth::TlsClientAuthSanEmail(EMAIL.to_owned()),
    ];
    let san = |text: &str| text.try_into().expect("ASCII");
    // What is registered, in names of every other kind.
    let dressed = [
        named(&[SanType::DnsName(san(IP)), SanType::URI(san(IP))]),
        named(&[SanType::URI(san(DNS)), SanType::Rfc822Name(san(DNS))]),
        named(&[
            SanType::DnsName(san("example")),
            SanType::Rfc822Name(san(URI)),
        ]),
        named(&[SanType::DnsName(san(IP)), SanType::URI(san(IP))]),
        named(&[SanType::DnsName(san(EMAIL)), SanType::URI(san(EMAIL))]),
    ];
    let right = stand.ca.sign(&client());
    for (at, (name, mut dressed)) in names.into_iter().zip(dressed).enumerate() {
        let what = format!("{name:?}");
        let client = stand.named(&format!("client-{at}"), name).await;
        stand
            .check(&what, mutual, Some(&right), &client, Token)
            .await;
        if at == 0 {
            dressed
                .distinguished_name
                .push(rcgen::DnType::OrganizationalUnitName, "more");
        }
        let dressed = stand.ca.sign(&dressed);
        let what = format!("{what}, of another kind");
        stand
            .check(&what, mutual, Some(&dressed), &client, Nobody)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_authority_is_judged_whole() {
    let stand = Stand::start().await;
    let mutual = stand.mutual();
    let checkout = TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned());
    let checkout = stand.named("checkout", checkout).await;
    let right = stand.ca.sign(&client());
    let below = stand.ca.below();
    let through = below.sign(&client());

    let mut server_only = client();
    server_only.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let mut silent = client();
    silent.extended_key_usages = Vec::new();
    // By the service's clock, which is in 2027; this machine's does not matter.
    let mut expired = client();
    expired.not_after = date_time_ymd(2027, 1, 1);
    let mut future = client();
    future.not_before = date_time_ymd(2028, 1, 1);
    let other = named(&[SanType::DnsName("desk.internal".try_into().expect("ASCII"))]);
    let wild = named(&[SanType::DnsName("*.internal".try_into().expect("ASCII"))]);
    let shouted = named(&[SanType::DnsName(
        "CHECKOUT.Internal".try_into().expect("ASCII"),
    )]);
    // Signed by somebody who is no authority, but has a certificate of ours.
    let presumed = Identity::by_itself(&client()).with_chain(&stand.ca);

    let sign = |params| stand.ca.sign(params);
    for (what, identity, expected) in [
        ("the right one", Some(right.clone()), Token),
        (
            "through an authority between",
            Some(through.clone().with_chain(&below)),
            Token,
        ),
        ("in capitals", Some(sign(&shouted)), Token),
        (
            "that does not say what it is for",
            Some(sign(&silent)),
            Token,
        ),
        ("none", None, Nobody),
        ("without the one between", Some(through), Nobody),
        (
            "of another authority of the same name",
            Some(Ca::new().sign(&client())),
            Nobody,
        ),
        (
            "signed by itself",
            Some(Identity::by_itself(&client())),
            Nobody,
        ),
        (
            "signed by itself, the authority behind it",
            Some(presumed),
            Nobody,
        ),
        ("for servers", Some(sign(&server_only)), Nobody),
        ("expired", Some(sign(&expired)), Nobody),
        ("not valid yet", Some(sign(&future)), Nobody),
        ("another client's", Some(sign(&other)), Nobody),
        ("with a wildcard", Some(sign(&wild)), Nobody),
    ] {
        let identity = identity.as_ref();
        stand
            .check(what, mutual, identity, &checkout, expected)
            .await;
    }
    // The ordinary listener does not ask, so nobody shows one there.
    stand
        .check(
            "elsewhere",
            stand.ordinary(),
            Some(&right),
            &checkout,
            Nobody,
        )
        .await;
    // Its time passes, and it is not the handshake's alone.
    let mut brief = client();
    brief.not_after = date_time_ymd(2027, 2, 1);
    let brief = stand.ca.sign(&brief);
    stand
        .check("in time", mutual, Some(&brief), &checkout, Token)
        .await;
    stand
        .service
        .clock
        .advance(std::time::Duration::from_secs(30 * 86_400));
    stand
        .check("out of time", mutual, Some(&brief), &checkout, Nobody)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_certificate_counts_whoever_signed_it_and_no_other_does() {
    let stand = Stand::start().await;
    let mutual = stand.mutual();
    let (first, second) = (
        Identity::by_itself(&client()),
        Identity::by_itself(&client()),
    );
    let issued = stand.ca.sign(&client());
    let elsewhere = Ca::new().sign(&client());
    let mut expired = client();
    expired.not_after = date_time_ymd(2027, 1, 1);
    let expired = Identity::by_itself(&expired);
    let own = [&first, &second, &elsewhere, &expired];
    let checkout = stand.pinned("checkout", &own).await;
    let desk = stand.pinned("desk", &[&issued]).await;
    for (what, identity, client, expected) in [
        ("its own", Some(&first), &checkout, Token),
        ("its other", Some(&second), &checkout, Token),
        (
            "of an authority that nobody knows",
            Some(&elsewhere),
            &checkout,
            Token,
        ),
        ("of an authority", Some(&issued), &desk, Token),
        ("none", None, &checkout, Nobody),
        ("expired", Some(&expired), &checkout, Nobody),
        ("another client's", Some(&first), &desk, Nobody),
        (
            "one that an authority has issued",
            Some(&issued),
            &checkout,
            Nobody,
        ),
        (
            "one that only looks like it",
            Some(&Identity::by_itself(&self::client())),
            &checkout,
            Nobody,
        ),
    ] {
        stand.check(what, mutual, identity, client, expected).await;
    }
    let ordinary = stand.ordinary();
    stand
        .check("elsewhere", ordinary, Some(&first), &checkout, Nobody)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_method_authenticates_a_client() {
    let stand = Stand::start().await;
    let mutual = stand.mutual();
    let checkout = TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned());
    let checkout = stand.named("checkout", checkout).await;
    let own = Identity::by_itself(&client());
    let pinned = stand.pinned("pinned", &[&own]).await;
    let secret = service_client("secret", &[(ORDERS, &["orders.read"])]);
    let secret = stand.service.add(secret).await;
    let right = stand.ca.sign(&client());

    // A secret beside a certificate that alone would do.
    for (client, identity) in [(&checkout, &right), (&pinned, &own)] {
        let both = Client {
            secret: Some("a secret".to_owned()),
            ..client.clone()
        };
        stand
            .check("a secret, too", mutual, Some(identity), &both, Nobody)
            .await;
        let basic = basic(&client.id, "a secret");
        let headers = [("authorization", basic.as_str())];
        let answered = stand.token(mutual, Some(identity), &headers, &[]).await;
        assert_eq!(answered.json["error"], "invalid_client", "{answered:?}");
    }
    // A certificate beside a secret that alone would do.
    stand
        .check("no certificate", mutual, None, &secret, Token)
        .await;
    stand
        .check("its secret", stand.ordinary(), None, &secret, Token)
        .await;
    stand
        .check("a certificate, too", mutual, Some(&right), &secret, Nobody)
        .await;
    // A certificate in place of the secret.
    let bare = Client {
        secret: None,
        ..secret.clone()
    };
    stand
        .check("a certificate instead", mutual, Some(&right), &bare, Nobody)
        .await;
    // A name that nobody has.
    let nobody = Client {
        id: "nobody".to_owned(),
        secret: None,
    };
    stand
        .check("unknown", mutual, Some(&right), &nobody, Nobody)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_tells_of_it_where_it_is_and_nowhere_else() {
    let page = "https://login.example.com/device";
    let stand = Stand::start_with(|config| config.device.verification_uri = Some(page.to_owned()));
    let stand = stand.await;
    let get = async |stand: &Stand| {
        let config = stand.config(None);
        let answered = stand.get(stand.ordinary(), config, METADATA).await;
        assert_eq!(answered.status, 200, "{answered:?}");
        answered.json
    };
    let metadata = get(&stand).await;
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["token_endpoint"], format!("{ISSUER}/token"));
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let aliases = &metadata["mtls_endpoint_aliases"];
    for (name, path) in [
        ("token_endpoint", "/token"),
        ("introspection_endpoint", "/introspect"),
        ("revocation_endpoint", "/revoke"),
        ("pushed_authorization_request_endpoint", "/par"),
        ("device_authorization_endpoint", "/device_authorization"),
    ] {
        assert_eq!(aliases[name], format!("{MTLS}{path}"), "{name}");
    }
    // RFC 8705 §5: what browsers go to has no alias.
    assert_eq!(aliases.get("authorization_endpoint"), None);
    let methods = |metadata: &serde_json::Value, endpoint: &str| {
        let listed = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        listed.as_array().expect("a list").clone()
    };
    for endpoint in ["token", "introspection", "revocation"] {
        let methods = methods(&metadata, endpoint);
        assert!(methods.contains(&"tls_client_auth".into()), "{methods:?}");
        assert!(
            methods.contains(&"self_signed_tls_client_auth".into()),
            "{methods:?}"
        );
    }

    let without = Stand::start_with(|config| {
        let tls = config.tls.as_mut().expect("TLS");
        tls.client_authorities_file = None;
    })
    .await;
    let metadata = get(&without).await;
    let aliases = &metadata["mtls_endpoint_aliases"];
    assert_eq!(aliases.get("device_authorization_endpoint"), None);
    let token = methods(&metadata, "token");
    assert!(!token.contains(&"tls_client_auth".into()), "{token:?}");
    assert!(
        token.contains(&"self_signed_tls_client_auth".into()),
        "{token:?}"
    );
    // Without authorities none has issued anything.
    let checkout = TlsClientAuth::TlsClientAuthSanDns(DNS.to_owned());
    let checkout = without.named("checkout", checkout).await;
    let (mutual, right) = (without.mutual(), without.ca.sign(&client()));
    without
        .check("no authorities", mutual, Some(&right), &checkout, Nobody)
        .await;

    let off = Stand::start_with(|config| {
        let tls = config.tls.as_mut().expect("TLS");
        tls.client_authorities_file = None;
        config.mtls = Default::default();
    })
    .await;
    let metadata = get(&off).await;
    assert_eq!(metadata.get("mtls_endpoint_aliases"), None);
    assert_eq!(
        metadata.get("tls_client_certificate_bound_access_tokens"),
        None
    );
    let token = methods(&metadata, "token");
    assert!(
        !token
            .iter()
            .any(|method| method.as_str().is_some_and(|name| name.contains("tls")))
    );
}
