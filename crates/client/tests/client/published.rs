//! The sections `answers` and `errors` of `docs/grpc-dpop-vectors.json`, read as an implementer
//! would read them: every answer is given to the layer by a service below it that follows the row.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use countersign_client::outcome::Refused;
use countersign_jose::{CompactJws, base64url};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use parking_lot::Mutex;
use serde_json::Value;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::stand::Stand;

fn section(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/grpc-dpop-vectors.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document[name].as_array().unwrap().clone()
}

/// A call as it was sent: its nonce and its token.
type Sent = (Option<String>, String);

/// The layer, above a service that answers with what is next, or with a success.
struct Below {
    answers: Mutex<VecDeque<HeaderMap>>,
    sent: Mutex<Vec<Sent>>,
}

impl Below {
    async fn answer(&self, request: Request<Body>) -> Result<Response<()>, Status> {
        let (head, body) = request.into_parts();
        let jws = CompactJws::parse(head.headers["dpop"].to_str().unwrap(), 4096).unwrap();
        let proof: Value = serde_json::from_slice(jws.payload()).unwrap();
        let nonce = proof["nonce"].as_str().map(str::to_owned);
        let token = head.headers["authorization"].to_str().unwrap().to_owned();
        self.sent.lock().push((nonce, token));
        // All of it: what is not kept is gone by then.
        read_to_end(body).await;
        let mut response = Response::new(());
        if let Some(headers) = self.answers.lock().pop_front() {
            *response.headers_mut() = headers;
        }
        Ok(response)
    }
}

/// Reads a body to its end.
async fn read_to_end(body: Body) {
    use http_body::Body as _;
    let mut body = std::pin::pin!(body);
    while std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))
        .await
        .is_some()
    {}
}

/// What the layer sees of an answer before it hands it on: response headers, or the trailers where
/// there is nothing else.
fn seen_of(row: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let succeeds = row["code"] == 0;
    if row["headers_first"] == true && !succeeds {
        return headers;
    }
    if !succeeds {
        let mut status = match row["reason"].as_str() {
            Some(reason) => Status::with_error_details(
                Code::from(row["code"].as_i64().unwrap() as i32),
                "refused",
                ErrorDetails::with_error_info(
                    reason,
                    row["domain"].as_str().unwrap(),
                    std::collections::HashMap::new(),
                ),
            ),
            None => Status::new(Code::from(row["code"].as_i64().unwrap() as i32), "refused"),
        };
        *status.metadata_mut() = MetadataMap::from_headers(metadata(row));
        status.add_header(&mut headers).unwrap();
    }
    for (name, value) in &metadata(row) {
        if !headers.contains_key(name) || succeeds {
            headers.append(name, value.clone());
        }
    }
    headers
}

fn metadata(row: &Value) -> HeaderMap {
    let mut metadata = HeaderMap::new();
    for (name, member) in [
        ("www-authenticate", "www_authenticate"),
        ("dpop-nonce", "dpop_nonce"),
    ] {
        for value in row[member].as_array().unwrap() {
            metadata.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
            );
        }
    }
    metadata
}

/// An answer of the table that is made for the purpose: a success, or what leads to a second
/// attempt.
fn answer_named(rows: &[Value], name: &str, nonce: Option<&str>) -> HeaderMap {
    let mut row = rows.iter().find(|row| row["name"] == name).unwrap().clone();
    if let Some(nonce) = nonce {
        row["dpop_nonce"] = serde_json::json!([nonce]);
    }
    seen_of(&row)
}

#[tokio::test]
async fn every_published_answer() {
    let rows = section("answers");
    let stand = Stand::start().await;
    for (number, row) in rows.iter().enumerate() {
        let name = row["name"].as_str().unwrap();
        let below = Arc::new(Below {
            answers: Mutex::default(),
            sent: Mutex::default(),
        });
        // An origin and a token of its own for each row: both are remembered.
        let origin = format!("https://orders-{number}.test");
        let layer = stand.countersign.layer(&origin).unwrap();
        let tokens = stand
            .countersign
            .tokens(vec![name.replace(' ', "-")], vec![]);
        let service = layer.tokens(tokens).layer({
            let below = Arc::clone(&below);
            tower::service_fn(move |request| {
                let below = Arc::clone(&below);
                async move { below.answer(request).await }
            })
        });
        let call = |body: Body| {
            let request = Request::post("/a.B/C").body(body).unwrap();
            service.clone().oneshot(request)
        };

        // What comes before the answer.
        let second = row["attempt"] == 2;
        let about_tokens = row["reason"] == "REASON_TOKEN_EXPIRED";
        let held = row["held"].as_str();
        if let Some(held) = held.filter(|_| !second || about_tokens) {
            let primed = answer_named(&rows, "a success with a newer nonce", Some(held));
            below.answers.lock().push_back(primed);
            call(Body::empty()).await.unwrap();
        }
        if second {
            let first = if about_tokens {
                answer_named(&rows, "a token that has expired", None)
            } else {
                answer_named(&rows, "a nonce is asked for", held)
            };
            below.answers.lock().push_back(first);
        }
        let before = below.sent.lock().len() + usize::from(second);

        // The answer, and what is done about it.
        below.answers.lock().push_back(seen_of(row));
        let body = match row["sent_is_kept"].as_bool().unwrap() {
            true => Body::empty(),
            false => Body::new("x".repeat(64 * 1024 + 1)),
        };
        call(body).await.unwrap();
        let sent = below.sent.lock().clone();
        assert_eq!(sent[before].0.as_deref(), held, "{name}: {sent:?}");
        let then = match &sent[before..] {
            [_] => "finish",
            [first, again] if first.1 == again.1 => "send_again",
            [_, _] => "send_again_with_another_token",
            more => panic!("{name}: {more:?}"),
        };
        assert_eq!(then, row["then"], "{name}");

        // Which nonce the next call has.
        call(Body::empty()).await.unwrap();
        let next = below.sent.lock().last().cloned().unwrap();
        assert_eq!(next.0.as_deref(), row["held_after"].as_str(), "{name}");
    }
    assert!(rows.len() > 30, "{} rows", rows.len());
}

#[test]
fn every_published_error() {
    let rows = section("errors");
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        let details = base64url::decode(row["details"].as_str().unwrap()).unwrap();
        let code = Code::from(row["code"].as_i64().unwrap() as i32);
        let refused = Refused::of(&Status::with_details(code, "", details.into()));
        let Some(reason) = row["reason"].as_str() else {
            assert!(refused.is_none(), "{name}: {refused:?}");
            continue;
        };
        let refused = refused.unwrap();
        assert_eq!(refused.reason.as_str_name(), reason);
        assert_eq!(
            refused.oauth_error.as_deref(),
            row["oauth_error"].as_str(),
            "{name}"
        );
        let texts = |value: &Value| -> Vec<String> {
            let texts = value.as_array().into_iter().flatten();
            texts
                .map(|text| text.as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(refused.scopes_missing, texts(&row["scopes"]), "{name}");
        assert_eq!(refused.acr_values, texts(&row["acr_values"]), "{name}");
        assert_eq!(
            refused.max_age.map(|age| age.as_secs()),
            row["max_age_secs"].as_u64(),
            "{name}"
        );
        assert_eq!(
            refused.retry_after.map(|after| after.as_millis() as u64),
            row["retry_after_millis"].as_u64(),
            "{name}"
        );
        let fields: Vec<(String, String)> = row["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|pair| (texts(pair)[0].clone(), texts(pair)[1].clone()))
            .collect();
        assert_eq!(refused.fields, fields, "{name}");
    }
    assert!(rows.len() > 25, "{} rows", rows.len());
}
