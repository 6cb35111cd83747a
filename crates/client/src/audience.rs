//! What a server is called with: scopes of a resource, and where the tokens for them come from.

use std::sync::Arc;

use crate::countersign::Countersign;
use crate::source::{Cached, ClientCredentials, Fetch, RefreshToken, TokenSource};

/// What calls to one server carry.
#[derive(Default)]
pub(crate) struct Audience {
    /// As it was registered; without it, the origin.
    pub(crate) resource: Option<String>,
    /// None: all that the client is registered for at the resource.
    pub(crate) scopes: Vec<String>,
    /// Without it, the client's own name.
    pub(crate) source: Option<Source>,
}

/// Where tokens come from other than the client's own name.
pub(crate) enum Source {
    Given(Arc<dyn TokenSource>),
    Refresh(Box<RefreshToken>),
}

impl Audience {
    /// The tokens for calls to `origin`.
    pub(crate) fn tokens(&self, countersign: &Countersign, origin: &str) -> Arc<dyn TokenSource> {
        let resource = self
            .resource
            .clone()
            .unwrap_or_else(|| origin.trim_end_matches('/').to_owned());
        match &self.source {
            Some(Source::Given(source)) => Arc::clone(source),
            Some(Source::Refresh(family)) => {
                let narrowed = family.narrowed(self.scopes.clone(), vec![resource]);
                Arc::new(cached(countersign, narrowed))
            }
            None => countersign.tokens(self.scopes.clone(), vec![resource]),
        }
    }
}

/// The tokens of one audience and set of scopes.
pub(crate) fn client_credentials(
    countersign: &Countersign,
    scopes: Vec<String>,
    resources: Vec<String>,
) -> Arc<dyn TokenSource> {
    let fetch = ClientCredentials::new(countersign.token_service(), scopes, resources);
    Arc::new(cached(countersign, fetch))
}

pub(crate) fn cached<F: Fetch>(countersign: &Countersign, fetch: F) -> Cached<F> {
    Cached::counted(fetch, countersign.clock(), countersign.tally())
}
