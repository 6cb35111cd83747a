//! What is served where clients are asked for certificates, and what is not: nothing that a browser
//! goes to.

use countersign::admin::v1 as admin;
use serde_json::Value;

use super::certificates::{Identity, client};
use super::stand::{ISSUER, MTLS, Stand, by_itself};
use crate::flow::pkce;
use crate::harness::{CALLBACK, ORDERS, person_client, strings};
use crate::http::web::{DEVICE, INTROSPECT, METADATA, PAR, REVOKE, TOKEN};

/// An origin whose scripts may ask.
const APP: &str = "https://app.example.com";

async fn with_login() -> Stand {
    Stand::start_with(|config| {
        config.login.serve = true;
        config.http.cors_origins = vec![APP.to_owned()];
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_browsers_go_to_is_not_there_and_a_problem_says_where_it_is() {
    let stand = with_login().await;
    for (path, at) in [
        ("/authorize", "/authorize"),
        ("/authorize?client_id=shop&request_uri=x", "/authorize"),
        ("/login", "/login"),
        ("/login/account", "/login"),
        ("/login/device?user_code=AAAA-BBBB", "/login"),
        ("/login/style.css", "/login"),
        ("/device", "/device"),
        ("/device?user_code=AAAA-BBBB", "/device"),
        ("/jwks", "/jwks"),
        (METADATA, METADATA),
    ] {
        let get = async |port| stand.get(port, stand.config(None), path).await;
        let there = get(stand.ordinary()).await;
        assert_ne!(there.status, 404, "it is there: {path}: {there:?}");
        let posted = stand
            .post(stand.mutual(), stand.config(None), path, &[], &[])
            .await;
        for here in [get(stand.mutual()).await, posted] {
            assert_eq!(here.status, 404, "{path}: {here:?}");
            assert_eq!(here.json["error"], "invalid_request", "{path}");
            let said = here.json["error_description"].as_str().unwrap_or_default();
            assert!(said.ends_with(&format!(" {ISSUER}{at}")), "{path}: {said}");
        }
    }
    // What is nowhere is not said to be somewhere.
    for path in ["/", "/loginx", "/authorize/", "/jwks/x", "/token/x"] {
        let here = stand.get(stand.mutual(), stand.config(None), path).await;
        assert_eq!(here.status, 404, "{path}: {here:?}");
        assert_eq!(here.json["error_description"], "there is no such endpoint");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alias_of_the_metadata_answers_there() {
    let stand = with_login().await;
    let issuer = stand.service.issuer().to_owned();
    let own = Identity::by_itself(&client());
    let mut all = by_itself("all", &[&own]);
    all.grant_types = vec![
        admin::GrantType::ClientCredentials.into(),
        admin::GrantType::AuthorizationCode.into(),
        admin::GrantType::DeviceCode.into(),
    ];
    all.redirect_uris = vec![CALLBACK.to_owned()];
    all.permissions.push(admin::Permission {
        resource: issuer,
        scopes: strings(&["introspect"]),
        ..admin::Permission::default()
    });
    stand.service.add(all).await;

    let ordinary = stand.config(None);
    let metadata = stand.get(stand.ordinary(), ordinary, METADATA).await.json;
    let aliases = metadata["mtls_endpoint_aliases"].as_object();
    let aliases = aliases.expect("there are aliases");
    assert_eq!(aliases.len(), 5, "{aliases:?}");
    for alias in aliases.values().filter_map(Value::as_str) {
        let path = alias.strip_prefix(MTLS).expect("it is there");
        let parameters: &[_] = match path {
            TOKEN => &[("grant_type", "client_credentials"), ("resource", ORDERS)],
            INTROSPECT | REVOKE => &[("token", "made-up")],
            PAR => &[
                ("response_type", "code"),
                ("redirect_uri", CALLBACK),
                ("code_challenge_method", "S256"),
                (
                    "code_challenge",
                    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                ),
                ("resource", ORDERS),
            ],
            DEVICE => &[("scope", "orders.read"), ("resource", ORDERS)],
            _ => panic!("an alias that nobody knows: {alias}"),
        };
        let mut all = vec![("client_id", "all")];
        all.extend(parameters);
        let ask = async |identity: Option<&Identity>| {
            let proof = stand.proof(MTLS, path);
            let headers = [("dpop", proof.as_str()), ("origin", APP)];
            let config = stand.config(identity);
            stand
                .post(stand.mutual(), config, path, &headers, &all)
                .await
        };
        let answered = ask(Some(&own)).await;
        let expected = if path == PAR { 201 } else { 200 };
        assert_eq!(answered.status, expected, "{alias}: {answered:?}");
        // No script of a browser has business here.
        let head = answered.head.to_ascii_lowercase();
        assert!(!head.contains("access-control-allow-origin"), "{head}");
        let without = ask(None).await;
        assert_eq!(without.status, 401, "{alias}: {without:?}");
        assert_eq!(without.json["error"], "invalid_client", "{alias}");
    }
}

/// No proxy stands in front of the listener that asks for certificates: it could not show them.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_there_where_he_comes_from() {
    const NUMBER: u32 = 3;
    for behind_proxy in [true, false] {
        let stand = Stand::start_with(|config| {
            config.limits.public_requests_per_min = NUMBER;
            config.login.behind_proxy = behind_proxy;
        })
        .await;
        let app = person_client("app", admin::AuthenticationMethod::None);
        stand.service.add(app).await;
        let challenge = pkce().1;
        let parameters = [
            ("client_id", "app"),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("resource", ORDERS),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let mut statuses = Vec::new();
        for stranger in 1..=NUMBER + 1 {
            let from = format!("192.0.2.{stranger}");
            let headers = [("x-forwarded-for", from.as_str())];
            let (port, config) = (stand.mutual(), stand.config(None));
            let answered = stand.post(port, config, PAR, &headers, &parameters).await;
            statuses.push(answered.status);
        }
        assert_eq!(statuses, [201, 201, 201, 429], "{behind_proxy}");
    }
}
