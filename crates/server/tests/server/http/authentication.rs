//! How clients authenticate: each method, each wrongly, and never two at once.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::admin::v1 as admin;
use countersign_jose::{Algorithm, PublishedKey, base64url, jwks};
use serde_json::{Value, json};

use super::web::{Ask, DEVICE, INTROSPECT, PAR, REVOKE, TOKEN, Web, basic};
use crate::comes::Comes;
use crate::edges::{Asker, Edge};
use crate::flow::add_login;
use crate::harness::{Client, ORDERS, Service, person_client, random, service_client};
use crate::introspection::gateway;
use crate::proof::Key;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Stand {
    service: Service,
    web: Web,
    /// By secret.
    batch: Client,
    /// By assertions of this key.
    signs: Key,
}

impl Stand {
    async fn new() -> Self {
        let service = Service::start().await;
        service.add_orders().await;
        let batch = service
            .add(service_client("batch:1/x", &[(ORDERS, &["orders.read"])]))
            .await;
        let signs = Key::new();
        let keys = jwks::publish(&[PublishedKey {
            kid: "signing-key",
            algorithm: Algorithm::Es256,
            key: signs.0.public(),
        }]);
        service
            .add(admin::Client {
                authentication_method: admin::AuthenticationMethod::PrivateKeyJwt.into(),
                jwks: keys,
                ..service_client("signing", &[(ORDERS, &["orders.read"])])
            })
            .await;
        service
            .add(person_client("app", admin::AuthenticationMethod::None))
            .await;
        Self {
            web: Web::of(&service),
            service,
            batch,
            signs,
        }
    }

    fn secret(&self) -> &str {
        self.batch.secret.as_deref().expect("a secret")
    }

    /// A token in the client's own name, with these parameters besides.
    fn ask(&self, parameters: &[(&str, &str)]) -> Ask {
        let grant = [("grant_type", "client_credentials")];
        let all = [&grant[..], parameters].concat();
        Ask::post(TOKEN, &all).proven(&self.service, &Key::new())
    }

    fn assertion(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "signing",
            "sub": "signing",
            "aud": self.service.issuer(),
            "jti": base64url::encode(random::<16>()),
            "iat": self.service.now().as_secs(),
            "exp": self.service.now().plus(Duration::from_secs(60)).as_secs(),
        });
        change(&mut claims);
        self.signs
            .sign(&json!({"alg": "ES256", "kid": "signing-key"}), &claims)
    }

    async fn check(&self, what: &str, ask: Ask, expected: Comes) {
        self.web.send(ask).await.check(what, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_secret_in_the_header_or_in_the_form() {
    let stand = Stand::new().await;
    let (id, secret) = ("batch:1/x", stand.secret());
    let header = |value: String| stand.ask(&[]).header("authorization", value);
    let coded = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for (what, ask, expected) in [
        ("header", header(basic(id, secret)), Comes::Ok),
        (
            "scheme in another case",
            header(basic(id, secret).replace("Basic", "bASIC")),
            Comes::Ok,
        ),
        (
            "header, and the same name in the form",
            stand
                .ask(&[("client_id", id)])
                .header("authorization", basic(id, secret)),
            Comes::Ok,
        ),
        (
            "form",
            stand.ask(&[("client_id", id), ("client_secret", secret)]),
            Comes::Ok,
        ),
        ("wrong secret", header(basic(id, "x")), Comes::C),
        ("unknown client", header(basic("nobody", secret)), Comes::C),
        ("empty secret", header(basic(id, "")), Comes::C),
        (
            "wrong secret in the form",
            stand.ask(&[("client_id", id), ("client_secret", "x")]),
            Comes::C,
        ),
        ("name alone", stand.ask(&[("client_id", id)]), Comes::C),
        (
            "an empty secret in the form is none",
            stand.ask(&[("client_id", id), ("client_secret", "")]),
            Comes::C,
        ),
        ("nothing", stand.ask(&[]), Comes::C),
        (
            "a secret alone",
            stand.ask(&[("client_secret", secret)]),
            Comes::C,
        ),
        (
            "another scheme",
            header(format!("Bearer {secret}")),
            Comes::C,
        ),
        (
            "another name in the form",
            stand
                .ask(&[("client_id", "signing")])
                .header("authorization", basic(id, secret)),
            Comes::R("client_id"),
        ),
        (
            "not percent-encoded where it must be",
            header(coded(&format!("batch%:{secret}"))),
            Comes::R("authorization"),
        ),
        (
            "a name that is not encoded ends at its colon",
            header(coded(&format!("{id}:{secret}"))),
            Comes::C,
        ),
        (
            "no colon",
            header(coded("batch")),
            Comes::R("authorization"),
        ),
        (
            "not base64",
            header("Basic %%%".to_owned()),
            Comes::R("authorization"),
        ),
        (
            "no value",
            header("Basic".to_owned()),
            Comes::R("authorization"),
        ),
        (
            "two headers",
            header(basic(id, secret)).header("authorization", basic(id, secret)),
            Comes::R("authorization"),
        ),
        (
            "not a name",
            stand.ask(&[("client_id", "a b"), ("client_secret", secret)]),
            Comes::R("client_id"),
        ),
    ] {
        stand.check(what, ask, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_assertion() {
    let stand = Stand::new().await;
    let by = |assertion: &str, more: &[(&str, &str)]| {
        let shown = [
            ("client_assertion", assertion),
            ("client_assertion_type", JWT_BEARER),
        ];
        stand.ask(&[&shown[..], more].concat())
    };
    let right = || stand.assertion(|_| {});
    let with =
        |name: &'static str, value: Value| stand.assertion(move |claims| claims[name] = value);
    let endpoint = stand.service.htu(TOKEN);
    let issuer = stand.service.issuer();
    let spent = right();
    for (what, ask, expected) in [
        (
            "right",
            by(&right(), &[("client_id", "signing")]),
            Comes::Ok,
        ),
        ("without a name", by(&spent, &[]), Comes::Ok),
        ("spent", by(&spent, &[]), Comes::C),
        (
            "another name",
            by(&right(), &[("client_id", "app")]),
            Comes::C,
        ),
        ("garbage without a name", by("x.y.z", &[]), Comes::C),
        ("no sub", by(&with("sub", json!(1)), &[]), Comes::C),
        (
            "aud is the endpoint",
            by(&with("aud", json!(endpoint)), &[]),
            Comes::C,
        ),
        (
            "aud is also another",
            by(&with("aud", json!([issuer, "https://other.example"])), &[]),
            Comes::C,
        ),
        (
            "exp in 24 h",
            by(
                &with("exp", json!(stand.service.now().as_secs() + 86_400)),
                &[],
            ),
            Comes::C,
        ),
        (
            "another type",
            stand.ask(&[
                ("client_assertion", &right()),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
                ),
            ]),
            Comes::R("client_assertion_type"),
        ),
        (
            "no type",
            stand.ask(&[("client_assertion", &right())]),
            Comes::R("client_assertion_type"),
        ),
    ] {
        stand.check(what, ask, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn never_by_two_methods_at_once() {
    let stand = Stand::new().await;
    let (id, secret) = ("batch:1/x", stand.secret());
    let assertion = stand.assertion(|_| {});
    let name = ("client_id", id);
    let by_form = ("client_secret", secret);
    let by_assertion = [
        ("client_assertion", assertion.as_str()),
        ("client_assertion_type", JWT_BEARER),
    ];
    for (what, parameters, header) in [
        ("header and form", vec![name, by_form], true),
        ("header and assertion", by_assertion.to_vec(), true),
        (
            "form and assertion",
            [&[name, by_form][..], &by_assertion[..]].concat(),
            false,
        ),
    ] {
        let ask = stand.ask(&parameters);
        let ask = match header {
            true => ask.header("authorization", basic(id, secret)),
            false => ask,
        };
        stand.check(what, ask, Comes::R("body")).await;
    }
}

/// RFC 7521 §4.2: the type says that there is an assertion.
#[tokio::test(flavor = "multi_thread")]
async fn half_an_assertion_is_a_method_too() {
    let stand = Stand::new().await;
    let (id, secret) = ("batch:1/x", stand.secret());
    let half = ("client_assertion_type", JWT_BEARER);
    let empty = ("client_assertion", "");
    let by_form = [("client_id", id), ("client_secret", secret)];
    for (what, parameters, header, expected) in [
        ("beside the header", vec![half], true, Comes::R("body")),
        (
            "beside the header, with an empty assertion",
            vec![half, empty],
            true,
            Comes::R("body"),
        ),
        (
            "of another type, beside the header",
            vec![("client_assertion_type", "x")],
            true,
            Comes::R("body"),
        ),
        (
            "beside the form",
            [&by_form[..], &[half]].concat(),
            false,
            Comes::R("body"),
        ),
        ("alone", vec![half], false, Comes::C),
        (
            "alone, with the name of who signs",
            vec![half, ("client_id", "signing")],
            false,
            Comes::C,
        ),
        (
            "alone, with the name of who has a secret",
            vec![half, ("client_id", id)],
            false,
            Comes::C,
        ),
        // RFC 6749 §3.2: what has no value is not there.
        (
            "nothing of it has a value",
            vec![("client_assertion_type", ""), empty],
            true,
            Comes::Ok,
        ),
        ("an empty assertion alone", vec![empty], true, Comes::Ok),
    ] {
        let ask = stand.ask(&parameters);
        let ask = match header {
            true => ask.header("authorization", basic(id, secret)),
            false => ask,
        };
        stand.check(what, ask, expected).await;
    }
    // Who may come with a name alone comes with nothing else.
    let name = ("client_id", "app");
    let revoke = |more: &[_]| {
        let parameters = [&[("token", "unknown"), name], more].concat();
        Ask::post(REVOKE, &parameters).proven(&stand.service, &Key::new())
    };
    stand.check("a public client", revoke(&[]), Comes::Ok).await;
    let half = revoke(&[half]);
    stand.check("a public client's half", half, Comes::C).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_wants_a_client_that_is_one() {
    let stand = Stand::new().await;
    let orders = gateway(&stand.service, "orders", &[ORDERS]).await;
    for path in [TOKEN, DEVICE, INTROSPECT, REVOKE, PAR] {
        let body = [
            ("grant_type", "client_credentials"),
            ("token", "x"),
            ("response_type", "code"),
            ("redirect_uri", crate::harness::CALLBACK),
            (
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            ),
            ("code_challenge_method", "S256"),
        ];
        let ask = || Ask::post(path, &body).proven(&stand.service, &Key::new());
        stand.check(path, ask(), Comes::C).await;
        let wrong = ask().header("authorization", basic("batch:1/x", "x"));
        stand.check(path, wrong, Comes::C).await;
    }
    let ask = || Ask::post(INTROSPECT, &[("token", "x")]);
    stand
        .check("who may ask", ask().basic(&orders), Comes::Ok)
        .await;
    // Registered, and not for that.
    stand
        .check("who may not", ask().basic(&stand.batch), Comes::NotAllowed)
        .await;
    let public = Ask::post(INTROSPECT, &[("token", "x"), ("client_id", "app")]);
    stand
        .check("a public client", public, Comes::NotAllowed)
        .await;
    let nothing = Ask::post(INTROSPECT, &[]).basic(&orders);
    stand.check("no token", nothing, Comes::R("token")).await;
    let nothing = Ask::post(REVOKE, &[]).basic(&orders);
    stand
        .check("nothing to revoke", nothing, Comes::R("token"))
        .await;
    let unknown = Ask::post(REVOKE, &[("token", "unknown")]).basic(&orders);
    stand.check("an unknown token", unknown, Comes::Ok).await;
}

/// Everybody knows the name of a public client: what is its, is given up with its key, or with its
/// refresh token, which is a secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_revokes_with_its_proof_or_its_refresh_token() {
    let stand = Stand::new().await;
    let revoke = |token: &str| Ask::post(REVOKE, &[("token", token), ("client_id", "app")]);
    stand
        .check("without a proof", revoke("unknown"), Comes::P)
        .await;
    let proven = revoke("unknown").proven(&stand.service, &Key::new());
    stand.check("with a proof", proven, Comes::Ok).await;

    let service = &stand.service;
    let login = add_login(service).await;
    let app = Client {
        id: "app".to_owned(),
        secret: None,
    };
    let asker = Asker::of(service, Edge::Http).await;
    let key = Key::new();
    let given = asker.signed_in(&login, &app, &key).await;
    let access = revoke(&given.access_token);
    stand.check("an access token", access, Comes::P).await;
    assert!(asker.is_active(&given.access_token).await);
    let other = revoke(&given.refresh_token).proven(service, &Key::new());
    stand
        .check("with another's proof", other, Comes::NotAllowed)
        .await;
    assert!(asker.is_active(&given.access_token).await);
    let refresh = revoke(&given.refresh_token);
    stand.check("a refresh token", refresh, Comes::Ok).await;
    assert!(!asker.is_active(&given.access_token).await);
}
