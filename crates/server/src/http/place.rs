//! Where the endpoints are: below the path of the issuer, if it has one.

use ::http::Uri;
use ::http::uri::PathAndQuery;
use url::Url;

use super::METADATA;

/// The path of the issuer, without a slash at its end; often empty. A proxy may take it off before a
/// request comes here, as it must for gRPC, or leave it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    prefix: String,
}

impl Place {
    pub(crate) fn of(issuer: &str) -> Self {
        let path = Url::parse(issuer).map(|url| url.path().to_owned());
        let path = path.unwrap_or_default();
        Self {
            prefix: path.trim_end_matches('/').to_owned(),
        }
    }

    /// The same request as if the issuer had no path. RFC 8414 §3.1: the well-known part of the
    /// metadata's path stands before that of the issuer.
    pub(crate) fn below(&self, uri: Uri) -> Uri {
        let prefix = self.prefix.as_str();
        if prefix.is_empty() {
            return uri;
        }
        let path = uri.path();
        let below = match path.strip_prefix(prefix) {
            Some(below) if below.starts_with('/') => below,
            Some(_) | None => match path.strip_prefix(METADATA) {
                Some(rest) if rest == prefix => METADATA,
                // That of another issuer, or of none.
                Some("") => "/",
                Some(_) | None => return uri,
            },
        };
        let below = match uri.query() {
            Some(query) => format!("{below}?{query}"),
            None => below.to_owned(),
        };
        let mut parts = uri.into_parts();
        // It is a part of one that could be read.
        parts.path_and_query = PathAndQuery::try_from(below).ok();
        Uri::from_parts(parts).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_issuer_is_taken_off() {
        let at = |issuer: &str, path: &str| {
            let uri = path.parse().expect("a URI");
            Place::of(issuer).below(uri).to_string()
        };
        let metadata = "/.well-known/oauth-authorization-server";
        for (issuer, path, expected) in [
            ("https://a.example", "/token", "/token"),
            ("https://a.example", "/token?x=1", "/token?x=1"),
            ("https://a.example", metadata, metadata),
            ("https://a.example/t", "/t/token", "/token"),
            ("https://a.example/t", "/t/token?x=1", "/token?x=1"),
            (
                "https://a.example/t",
                "http://h:1/t/token",
                "http://h:1/token",
            ),
            // A proxy has taken it off.
            ("https://a.example/t", "/token", "/token"),
            ("https://a.example/t", "/tt/token", "/tt/token"),
            ("https://a.example/t", "/t", "/t"),
            ("https://a.example/t/u", "/t/u/jwks", "/jwks"),
            ("https://a.example/t", &format!("{metadata}/t"), metadata),
            ("https://a.example/t", metadata, "/"),
            (
                "https://a.example/t",
                &format!("{metadata}/u"),
                &format!("{metadata}/u"),
            ),
        ] {
            assert_eq!(at(issuer, path), expected, "{issuer} {path}");
        }
    }
}
