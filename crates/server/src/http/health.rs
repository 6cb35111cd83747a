//! Health for balancers that do not speak gRPC: the whole service, as `grpc.health.v1` says it.

use std::sync::Arc;

use ::http::StatusCode;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::{Edge, answer};

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

pub(super) async fn check(State(edge): State<Arc<Edge>>) -> Response {
    let serves = edge.health.serves().await;
    let status = if serves { "SERVING" } else { "NOT_SERVING" };
    let mut response = answer::json(&Health { status });
    if !serves {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
