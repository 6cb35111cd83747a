//! A server without a guard, which answers as a test has it.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::stand::Log;

/// An answer: a status, and headers.
pub(crate) type Step = (u16, &'static [(&'static str, &'static str)]);

pub(crate) struct Scripted {
    pub(crate) url: String,
    pub(crate) log: Log,
}

impl Scripted {
    /// Answers with these, one after the other, and then with success.
    pub(crate) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let steps: Arc<Mutex<VecDeque<Step>>> = Arc::new(Mutex::new(steps.into_iter().collect()));
        let log = Log::default();
        let router = Router::new()
            .fallback(async move || next(&mut steps.lock()))
            .layer(from_fn_with_state(log.clone(), Log::note));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, log }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn next(steps: &mut VecDeque<Step>) -> Response {
    let (status, headers) = steps.pop_front().unwrap_or((200, &[]));
    let mut answer = StatusCode::from_u16(status).unwrap().into_response();
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        answer
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    answer
}
