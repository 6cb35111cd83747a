//! What attaches token and proof: the innermost middleware of a client.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_dpop::Target;
use countersign_telemetry::MadeRequest;
use http::Extensions;
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::exchange::HttpExchange;
use crate::attempts::{self, Caller};
use crate::error::{CallError, ConnectError};

pub(super) struct Attach {
    /// Those with the longest paths first.
    servers: Box<[Server]>,
}

/// Who signs for requests to one server.
pub(super) struct Server(Arc<Caller>);

impl Server {
    pub(super) fn of(caller: Caller) -> Self {
        Self(Arc::new(caller))
    }

    fn origin(&self) -> &str {
        self.0.origin.as_str()
    }
}

impl Attach {
    pub(super) fn to(mut servers: Vec<Server>) -> std::result::Result<Self, ConnectError> {
        if servers.is_empty() {
            return Err(ConnectError::ServerMissing);
        }
        servers.sort_by(|a, b| {
            let longest_first = b.origin().len().cmp(&a.origin().len());
            longest_first.then_with(|| a.origin().cmp(b.origin()))
        });
        if let Some(pair) = servers
            .windows(2)
            .find(|pair| pair[0].origin() == pair[1].origin())
        {
            return Err(ConnectError::ServerTwice {
                origin: pair[0].origin().to_owned(),
            });
        }
        Ok(Self {
            servers: servers.into(),
        })
    }

    /// Whose server the URL leads to, and what a proof for it names.
    fn server(&self, url: &Url) -> std::result::Result<(Arc<Caller>, Target), CallError> {
        let target = Target::parse(url.as_str()).map_err(CallError::Target)?;
        let found = self
            .servers
            .iter()
            .find(|server| target.is_at(&server.0.origin));
        match found {
            Some(server) => Ok((Arc::clone(&server.0), target)),
            None => Err(CallError::Elsewhere(url.origin().ascii_serialization())),
        }
    }
}

#[async_trait]
impl Middleware for Attach {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let (caller, target) = self.server(request.url()).map_err(Error::middleware)?;
        let url = request.url();
        let made = MadeRequest::begin(
            request.method(),
            url.host_str(),
            url.port_or_known_default(),
        );
        made.mark(request.headers_mut());
        let exchange = HttpExchange::of(request, target, next, extensions);
        let answer = made.during(attempts::run(caller, exchange), Response::status);
        answer.await.map_err(failed)
    }
}

/// What reqwest says stays reqwest's, for whoever retries above.
fn failed(error: CallError) -> Error {
    match error {
        CallError::Transport(error) => match error.downcast() {
            Ok(error) => *error,
            Err(error) => Error::middleware(CallError::Transport(error)),
        },
        error => Error::middleware(error),
    }
}
