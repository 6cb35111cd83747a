//! What the guard looks at of a request.

use http::{Extensions, HeaderMap, Method, Request};

/// The part of a request that the guard looks at.
#[derive(Copy, Clone)]
pub(crate) struct Head<'a> {
    pub(super) edge: Edge,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// What is known of the connection.
    pub(super) extensions: &'a Extensions,
}

/// What kind of request it is, and so which of the rules it is looked for among.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Edge {
    Grpc,
    Http,
}

impl<'a> Head<'a> {
    /// Of a gRPC call.
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            edge: Edge::Grpc,
            method: request.method(),
            // With a query, which gRPC has no use for: such a path has no rule.
            path: request
                .uri()
                .path_and_query()
                .map_or("", http::uri::PathAndQuery::as_str),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Of any other HTTP request.
    pub(crate) fn of_http<B>(request: &'a Request<B>) -> Self {
        Self {
            edge: Edge::Http,
            method: request.method(),
            // RFC 9449 §4.3 (9): without the query.
            path: request.uri().path(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}
