//! What is not served where clients are asked for certificates: everything that a browser goes to. A
//! browser that is asked for a certificate shows its person a window (RFC 8705 §5).

use std::sync::Arc;

use ::http::Uri;
use axum::extract::State;
use countersign_issuer::IssuerName;
use url::Url;

use super::problem::{Misfit, Problem};
use super::{AUTHORIZE, Edge, KEYS, METADATA};
use crate::config::Config;
use crate::login;

/// Where it is instead.
pub(super) struct Elsewhere(Vec<Place>);

struct Place {
    path: &'static str,
    /// What is below the path is there, too.
    whole: bool,
    url: String,
}

impl Elsewhere {
    pub(super) fn new(issuer: &IssuerName, config: &Config) -> Self {
        let below = |path, whole| Place {
            path,
            whole,
            url: issuer.below(path),
        };
        let mut places = vec![below(AUTHORIZE, false), below(KEYS, false)];
        // RFC 8414 §3.1: before the path of the issuer.
        if let Ok(mut url) = Url::parse(issuer.as_str()) {
            let path = format!("{METADATA}{}", url.path().trim_end_matches('/'));
            url.set_path(&path);
            places.push(Place {
                path: METADATA,
                whole: false,
                url: url.into(),
            });
        }
        if config.login.serve {
            places.extend([below(login::PATH, true), below(login::DEVICE, false)]);
        }
        Self(places)
    }

    /// The URL of what is asked for. Only what is written here is told: no word of the request.
    fn of(&self, path: &str) -> Option<&str> {
        let is_there = |place: &&Place| match path.strip_prefix(place.path) {
            Some("") => true,
            Some(rest) => place.whole && rest.starts_with('/'),
            None => false,
        };
        let found = self.0.iter().find(is_there);
        found.map(|place| place.url.as_str())
    }
}

pub(super) async fn tell(State(edge): State<Arc<Edge>>, uri: Uri) -> Problem {
    match edge.elsewhere.of(uri.path()) {
        Some(url) => Problem::Elsewhere(url.to_owned()),
        None => Misfit::NotFound.into(),
    }
}
