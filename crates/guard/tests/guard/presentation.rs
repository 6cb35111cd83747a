//! What is presented, and how.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign::example::v1::{
    ExchangeOrdersRequest, GetOrderRequest, PingRequest, PurgeOrdersRequest,
};
use countersign_client::outcome::Refused;
use countersign_guard::Permit;
use serde_json::{Value, json};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::stand::{Edge, Expected, ORIGIN, SERVICE, Shown, Stand, es256, proof_of, unsigned};

#[tokio::test]
async fn the_handler_learns_who_calls() {
    let stand = Stand::start().await;
    let answer = stand.create(&stand.good()).await.unwrap();
    assert!(answer.metadata().get("dpop-nonce").is_none());
    let order = answer.into_inner().order.unwrap();
    assert_eq!(order.owner, "checkout");
    assert_eq!(order.order_id, "t1");
    assert_eq!(order.item, ORIGIN);
}

#[tokio::test]
async fn presented_otherwise() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let good = || stand.good();
        let (token, proof) = (stand.token(), good().of("dpop").to_owned());
        let authorization = format!("DPoP {token}");
        let plain = |authorization: &str| {
            let proof = stand.proof("CreateOrder", &token);
            Shown::default()
                .and("authorization", authorization)
                .and("dpop", &proof)
        };
        let another = stand.proof("CreateOrder", &token);

        use Expected::{Missing, Ok, P, R, T};
        let rows = [
            ("as it should be", good(), Ok),
            ("no credentials", Shown::default(), Missing),
            ("a proof alone", good().without("authorization"), Missing),
            ("a scheme of another kind", plain("Basic YTpi"), Missing),
            ("two dpop values", good().and("dpop", &another), P),
            (
                "two proofs joined by a comma",
                good()
                    .without("dpop")
                    .and("dpop", &format!("{proof},{another}")),
                P,
            ),
            (
                "only dpop-bin",
                good().without("dpop").and("dpop-bin", &proof),
                P,
            ),
            (
                "two authorization values",
                good().and("authorization", &authorization),
                R,
            ),
            (
                "a comma in authorization",
                plain(&format!("DPoP {token},x")),
                R,
            ),
            ("a scheme without a token", plain("DPoP"), R),
            (
                "two tokens in one value",
                plain(&format!("DPoP {token} {token}")),
                R,
            ),
            ("scheme in lower case", plain(&format!("dpop {token}")), Ok),
            ("scheme in upper case", plain(&format!("DPOP {token}")), Ok),
            ("a bound token without proof", good().without("dpop"), P),
            (
                "a bound token as Bearer, with a proof",
                plain(&format!("Bearer {token}")),
                T,
            ),
            (
                "a bound token as bearer, without a proof",
                plain(&format!("bearer {token}")).without("dpop"),
                T,
            ),
            (
                "a token of 8 KiB and one byte",
                plain(&format!("DPoP {}", "x".repeat(8193))),
                T,
            ),
        ];
        for (row, shown, expected) in rows {
            stand.check(row, &shown, expected).await;
        }
        assert_eq!(stand.guard.counts().bound_tokens_as_bearer, 2);
    }
}

#[tokio::test]
async fn a_token_is_only_good_with_its_key() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let mut unbound = stand.claims();
        unbound.as_object_mut().unwrap().remove("cnf");
        let token = stand.token_of(&unbound);
        let shown = Shown::new(&token, &stand.proof("CreateOrder", &token));
        stand
            .check("an unbound token as DPoP", &shown, Expected::T)
            .await;
        let shown = Shown::default().and("authorization", &format!("Bearer {token}"));
        stand
            .check("an unbound token as Bearer", &shown, Expected::T)
            .await;

        let token = stand.token();
        let claims = stand.proof_claims("CreateOrder", &token);
        let shown = Shown::new(&token, &proof_of(&es256(9), &claims));
        stand
            .check("a stolen token with another key", &shown, Expected::T)
            .await;
        // The same jti under the right key is another proof.
        let shown = Shown::new(&token, &proof_of(&stand.caller_key, &claims));
        stand
            .check("the same jti under another key", &shown, Expected::Ok)
            .await;
        assert_eq!(stand.guard.counts().bound_tokens_as_bearer, 0);
    }
}

/// Rows about the proof itself; all the others are the dpop crate's.
#[tokio::test]
async fn proofs_through_the_edge() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let token = stand.token();
        let with = |change: fn(&mut Value)| {
            let mut claims = stand.proof_claims("CreateOrder", &token);
            change(&mut claims);
            Shown::new(&token, &proof_of(&stand.caller_key, &claims))
        };
        let of_header = |header: Value| {
            Shown::new(
                &token,
                &unsigned(&header, &stand.proof_claims("CreateOrder", &token)),
            )
        };
        let jwk: Value = serde_json::from_str(&stand.caller_key.public().to_jwk()).unwrap();

        use Expected::{Ok, P};
        let rows = [
            (
                "htm of another method",
                with(|c| c["htm"] = "GET".into()),
                P,
            ),
            ("htm in lower case", with(|c| c["htm"] = "post".into()), P),
            (
                "htu of a sibling method",
                with(|c| c["htu"] = format!("{ORIGIN}{SERVICE}GetOrder").into()),
                P,
            ),
            (
                "htu of where the socket is",
                with(|c| c["htu"] = format!("http://127.0.0.1{SERVICE}CreateOrder").into()),
                P,
            ),
            (
                "htu in upper case, with a query",
                with(|c| {
                    c["htu"] = format!("HTTPS://ORDERS.TEST:8443{SERVICE}CreateOrder?q#f").into()
                }),
                Ok,
            ),
            (
                "ath missing",
                with(|c| drop(c.as_object_mut().unwrap().remove("ath"))),
                P,
            ),
            (
                "ath of another token",
                with(|c| c["ath"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()),
                P,
            ),
            (
                "iat ten seconds ahead",
                with(|c| c["iat"] = (c["iat"].as_u64().unwrap() + 10).into()),
                Ok,
            ),
            (
                "iat 61 seconds ahead",
                with(|c| c["iat"] = (c["iat"].as_u64().unwrap() + 61).into()),
                P,
            ),
            (
                "iat a minute ago",
                with(|c| c["iat"] = (c["iat"].as_u64().unwrap() - 60).into()),
                Ok,
            ),
            (
                "iat a second too old",
                with(|c| c["iat"] = (c["iat"].as_u64().unwrap() - 61).into()),
                P,
            ),
            ("iat absurd", with(|c| c["iat"] = json!(1e308)), P),
            (
                "jti of 129 bytes",
                with(|c| c["jti"] = "x".repeat(129).into()),
                P,
            ),
            (
                "alg none",
                of_header(json!({"typ": "dpop+jwt", "alg": "none", "jwk": jwk})),
                P,
            ),
            (
                "a signature that is none",
                of_header(json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})),
                P,
            ),
            ("the access token as proof", Shown::new(&token, &token), P),
            ("4 KiB of proof", Shown::new(&token, &"x".repeat(4097)), P),
        ];
        for (row, shown, expected) in rows {
            stand.check(row, &shown, expected).await;
        }
    }
}

#[tokio::test]
async fn rules_decide_about_methods() {
    let stand = Stand::start().await;
    let mut claims = stand.claims();
    claims["scope"] = "orders.read orders.writes".into();
    let token = stand.token_of(&claims);
    let shown = Shown::new(&token, &stand.proof("CreateOrder", &token));
    let refused = stand.create(&shown).await.unwrap_err();
    assert_eq!(
        Refused::of(&refused).unwrap().scopes_missing,
        ["orders.write"]
    );
    Expected::Scope.check::<()>("a method the scopes do not cover", Err(refused));

    // One of two scopes is not enough.
    claims["scope"] = "orders.read".into();
    let token = stand.token_of(&claims);
    let mut request = Request::new(tokio_stream::empty::<ExchangeOrdersRequest>());
    Shown::new(&token, &stand.proof("ExchangeOrders", &token)).onto(request.metadata_mut());
    let refused = stand.client().exchange_orders(request).await.unwrap_err();
    assert_eq!(
        Refused::of(&refused).unwrap().scopes_missing,
        ["orders.write"]
    );
    Expected::Scope.check::<()>("one of two scopes", Err(refused));

    let mut client = stand.client();
    let mut request = Request::new(PurgeOrdersRequest {});
    let token = stand.token();
    Shown::new(&token, &stand.proof("PurgeOrders", &token)).onto(request.metadata_mut());
    let purged = client.purge_orders(request).await;
    Expected::NoRule.check("a method without a rule", purged);
    let purged = client.purge_orders(PurgeOrdersRequest {}).await;
    Expected::NoRule.check("a method without a rule, no credentials", purged);
    client.ping(PingRequest {}).await.unwrap();
}

#[tokio::test]
async fn handlers_ask_for_more() {
    let stand = Stand::start().await;
    let get = async |order_id: &str| {
        let mut request = Request::new(GetOrderRequest {
            order_id: order_id.to_owned(),
        });
        let token = stand.token();
        Shown::new(&token, &stand.proof("GetOrder", &token)).onto(request.metadata_mut());
        stand.client().get_order(request).await
    };
    get("owner:checkout").await.unwrap();
    get("scope:orders.read").await.unwrap();
    let refused = get("owner:billing").await.unwrap_err();
    assert_eq!(
        Refused::of(&refused).unwrap().reason.as_str_name(),
        "REASON_NOT_OWNER"
    );
    let refused = get("scope:orders.delete").await.unwrap_err();
    assert_eq!(
        Refused::of(&refused).unwrap().scopes_missing,
        ["orders.delete"]
    );
    // A handler's own answer never makes a caller send the call again.
    let passed_on = get("pass-on").await.unwrap_err();
    assert_eq!(passed_on.message(), "from further down");
    assert!(passed_on.metadata().get("www-authenticate").is_none());
    assert!(passed_on.metadata().get("dpop-nonce").is_none());
    let mut ping = Request::new(PingRequest {});
    ping.metadata_mut().insert("pass-on", "1".parse().unwrap());
    let passed_on = stand.client().ping(ping).await.unwrap_err();
    assert!(passed_on.metadata().get("www-authenticate").is_none());
    assert!(passed_on.metadata().get("dpop-nonce").is_none());
}

/// Past tonic, which answers such a call by itself.
#[tokio::test]
async fn a_deadline_that_has_passed_comes_before_cryptography() {
    let stand = Stand::start().await;
    let calls = Arc::new(AtomicU32::new(0));
    let call = async |shown: &Shown| {
        let counted = Arc::clone(&calls);
        let handler = tower::service_fn(move |_: http::Request<Body>| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, Infallible>(http::Response::new(Body::empty())))
        });
        let mut request = http::Request::post(format!("{SERVICE}CreateOrder"))
            .body(Body::empty())
            .unwrap();
        let mut metadata = MetadataMap::new();
        shown.onto(&mut metadata);
        *request.headers_mut() = metadata.into_headers();
        let response = stand.guard.layer().layer(handler).oneshot(request).await;
        match Status::from_header_map(response.unwrap().headers()) {
            Some(status) => Err(status),
            None => Ok(tonic::Response::new(())),
        }
    };
    let late = stand.good().and("grpc-timeout", "0n");
    Expected::Deadline.check("late", call(&late).await);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let in_time = late.without("grpc-timeout").and("grpc-timeout", "5S");
    Expected::Ok.check("the same proof, in time", call(&in_time).await);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// Of two guards in a row, what the outer one permits is nothing to a method
/// that is public to the inner one.
#[tokio::test]
async fn a_public_method_has_no_permit_of_anybodys() {
    let stand = Stand::start().await;
    let call = async |method: &str, shown: &Shown, permit: Option<Permit>| {
        let handler = tower::service_fn(|request: http::Request<Body>| {
            let permit = request.extensions().get::<Permit>().cloned();
            let mut response = http::Response::new(Body::empty());
            response.extensions_mut().insert(permit);
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let mut request = http::Request::post(format!("{SERVICE}{method}"))
            .body(Body::empty())
            .unwrap();
        let mut metadata = MetadataMap::new();
        shown.onto(&mut metadata);
        *request.headers_mut() = metadata.into_headers();
        permit.map(|permit| request.extensions_mut().insert(permit));
        let response = stand.guard.layer().layer(handler).oneshot(request).await;
        let permit = response.unwrap().extensions_mut().remove();
        permit.expect("the handler ran")
    };
    let permit: Option<Permit> = call("CreateOrder", &stand.good(), None).await;
    assert_eq!(permit.as_ref().unwrap().subject(), "checkout");
    assert!(call("Ping", &Shown::default(), permit).await.is_none());
}

/// The section `presentations` of `docs/grpc-dpop-vectors.json`, row by row.
#[tokio::test]
async fn every_published_presentation() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/grpc-dpop-vectors.json"
    );
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows = document["presentations"].as_array().unwrap();
    let stand = Stand::start().await;
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let mut claims = stand.claims();
        match row["token"].as_str().unwrap() {
            "bound" => {}
            "unbound" => drop(claims.as_object_mut().unwrap().remove("cnf")),
            "bound_to_another_key" => {
                let jkt = es256(9).public().thumbprint().to_string();
                claims["cnf"]["jkt"] = jkt.into();
            }
            "expired" => claims["exp"] = (stand.now() - 1).into(),
            other => panic!("{name}: no token is {other}"),
        }
        let token = stand.token_of(&claims);
        let mut shown = Shown::default();
        for pair in row["metadata"].as_array().unwrap() {
            let key = match pair[0].as_str().unwrap() {
                "authorization" => "authorization",
                "dpop" => "dpop",
                "dpop-bin" => "dpop-bin",
                other => panic!("{name}: nobody looks at {other}"),
            };
            let mut value = pair[1].as_str().unwrap().replace("TOKEN", &token);
            // Another each time: nothing here is a replay.
            while value.contains("PROOF") {
                value = value.replacen("PROOF", &stand.proof("CreateOrder", &token), 1);
            }
            shown = shown.and(key, &value);
        }

        let wanted = &row["outcome"];
        let status = match stand.create(&shown).await {
            Ok(_) => Status::ok(""),
            Err(status) => status,
        };
        assert_eq!(status.code() as i32, wanted["code"], "{name}: {status:?}");
        if wanted["code"] == 0 {
            continue;
        }
        let refused = Refused::of(&status).unwrap();
        assert_eq!(refused.reason.as_str_name(), wanted["reason"], "{name}");
        let error = wanted["oauth_error"].as_str();
        assert_eq!(refused.oauth_error.as_deref(), error, "{name}");
        let challenge = status.metadata().get("www-authenticate");
        assert_eq!(
            challenge.map(|value| value.to_str().unwrap()),
            wanted["www_authenticate"].as_str(),
            "{name}"
        );
    }
    assert!(rows.len() > 15, "{} rows", rows.len());
}
