//! What a resource says of itself to HTTP clients (RFC 9728): who may issue tokens for it, with
//! which scopes, and how they are presented.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, Uri};
use serde_json::json;

use crate::routes::Routes;

/// RFC 9728 §3.1: between the host and the path of the resource.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Rules change with a deployment; clients need not ask before every token.
const MINUTES: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The documents of all resources that have a URL.
#[derive(Debug, Default)]
pub(crate) struct Published(Vec<Document>);

#[derive(Debug)]
struct Document {
    resource: Arc<str>,
    /// Where it is found.
    url: String,
    authority: String,
    path: String,
    text: String,
}

/// What they say, apart from their scopes.
pub(crate) struct Terms<'a> {
    pub(crate) issuer: &'a str,
    /// What proofs may be signed with, by name.
    pub(crate) algorithms: Vec<&'static str>,
    /// Some requests take a token that is bound to no key.
    pub(crate) bearer_too: bool,
}

impl Published {
    /// Of these resources, and those that rules of HTTP routes name, with the scopes of those
    /// rules. A descriptor set may hold the methods of other services.
    pub(crate) fn of(resources: &[Arc<str>], routes: &Routes, terms: &Terms<'_>) -> Self {
        let named = routes
            .http_needs()
            .filter_map(|needs| needs.resource.as_ref());
        let mut all: Vec<&Arc<str>> = Vec::new();
        // Those of origins first: the first is told to whom nothing is known of.
        for resource in resources.iter().chain(named) {
            if !all.contains(&resource) {
                all.push(resource);
            }
        }
        let documents = all.into_iter().filter_map(|resource| {
            let of_an_origin = resources.contains(resource);
            let scopes: BTreeSet<&str> = routes
                .http_needs()
                .filter(|needs| match &needs.resource {
                    Some(named) => named == resource,
                    None => of_an_origin,
                })
                .flat_map(|needs| needs.scopes().chain(needs.any_scopes()))
                .collect();
            Document::of(resource, &scopes, terms)
        });
        Self(documents.collect())
    }

    /// The answer to a request for one of them.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<Response<String>> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return None;
        }
        let path = request.uri().path();
        let document = self.pick(request, |document| document.path == path)?;
        let mut response = Response::new(document.text.clone());
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response.headers_mut().insert(CACHE_CONTROL, MINUTES);
        Some(response)
    }

    /// Where the resource of a request describes itself: the one that its rule or its token
    /// `named`, or else the one of its host.
    pub(crate) fn url<B>(&self, request: &Request<B>, named: Option<&str>) -> Option<&str> {
        let document = match named {
            Some(named) => self.0.iter().find(|document| *document.resource == *named),
            None => self.pick(request, |_| true),
        };
        document.map(|document| document.url.as_str())
    }

    /// What a request says of its host decides only between what is public anyway.
    fn pick<B>(&self, request: &Request<B>, is: impl Fn(&Document) -> bool) -> Option<&Document> {
        let said = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(|host| host.as_str()).or(said);
        let mut those = self.0.iter().filter(|document| is(document)).peekable();
        let first = those.peek().copied();
        let called = |document: &&Document| {
            host.is_some_and(|host| host.eq_ignore_ascii_case(&document.authority))
        };
        those.find(called).or(first)
    }
}

impl Document {
    /// `None`: the resource has no URL that could be asked.
    fn of(resource: &Arc<str>, scopes: &BTreeSet<&str>, terms: &Terms<'_>) -> Option<Self> {
        let uri: Uri = resource.parse().ok()?;
        let scheme = uri
            .scheme_str()
            .filter(|scheme| ["https", "http"].contains(scheme))?;
        let authority = uri.authority()?.as_str();
        // RFC 9728 §3.1: a slash that ends the host is not a path.
        let own = uri.path_and_query().map_or("", |own| own.as_str());
        let own = if own == "/" { "" } else { own };
        let path = format!("{WELL_KNOWN}{own}");
        // It stands in a quoted string of challenges.
        let quotable = |text: &str| text.bytes().all(|byte| !b"\"\\".contains(&byte));
        if !quotable(authority) || !quotable(&path) {
            return None;
        }
        // RFC 9728 §2.
        let text = json!({
            "resource": &**resource,
            "authorization_servers": [terms.issuer],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": terms.algorithms,
            "dpop_bound_access_tokens_required": !terms.bearer_too,
        });
        Some(Self {
            resource: Arc::clone(resource),
            url: format!("{scheme}://{authority}{path}"),
            authority: authority.to_owned(),
            // What a request's path can be compared with.
            path: path.split('?').next().unwrap_or_default().to_owned(),
            text: text.to_string(),
        })
    }
}
