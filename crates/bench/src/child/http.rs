//! The order service over HTTP, on axum.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;

use crate::BenchError;

/// Where an order is created.
pub(crate) const PATH: &str = "/orders";

/// More than any request has.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The service, with answers of this size to requests of which it takes the headers.
pub(super) fn orders(
    answer_bytes: usize,
    takes: impl Fn(&HeaderMap) -> bool + Clone + Send + Sync + 'static,
) -> Router {
    let create = async move |request: Request| -> Response {
        if !takes(request.headers()) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        match to_bytes(request.into_body(), REQUEST_BYTES_MAX).await {
            Ok(_) => "o".repeat(answer_bytes).into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    };
    Router::new().route(PATH, post(create))
}

/// Its name in metrics and spans.
pub(super) fn route(uri: &Uri) -> Option<&'static str> {
    (uri.path() == PATH).then_some(PATH)
}

/// Until it is told to end.
pub(super) async fn serve(listener: TcpListener, router: Router) -> Result<(), BenchError> {
    // As for tonic. A connection that cannot do it is closed already.
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    axum::serve(listener, router)
        .with_graceful_shutdown(super::told_to_end())
        .await
        .map_err(BenchError::system("serving HTTP"))
}
