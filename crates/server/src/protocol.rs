//! The two protocols that calls come by.

use http::header::CONTENT_TYPE;
use http::{Request, Version};

/// What a call is worded in, and so its answer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// The HTTP endpoints of the RFCs.
    Http,
}

/// What a layer in front of everything words its refusals in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Words {
    Grpc,
    /// RFC 6749 §5.2.
    Json,
    /// For a person with a browser.
    Page,
}

impl Protocol {
    /// By version and content type: gRPC needs HTTP/2, and names itself in every request.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let named = request.headers().get(CONTENT_TYPE);
        match named.is_some_and(|value| is_grpc(value.as_bytes())) {
            true if request.version() == Version::HTTP_2 => Self::Grpc,
            true | false => Self::Http,
        }
    }
}

/// `application/grpc`, with a subtype or a parameter or none (gRPC over HTTP/2, "Content-Type").
fn is_grpc(value: &[u8]) -> bool {
    const NAME: &[u8] = b"application/grpc";
    value
        .split_at_checked(NAME.len())
        .is_some_and(|(name, rest)| {
            name.eq_ignore_ascii_case(NAME) && matches!(rest.first(), None | Some(b'+' | b';'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_version_and_content_type() {
        use Protocol::{Grpc, Http};
        use Version as V;
        for (version, value, expected) in [
            (V::HTTP_2, Some("application/grpc"), Grpc),
            (V::HTTP_2, Some("application/grpc+proto"), Grpc),
            (V::HTTP_2, Some("Application/gRPC;charset=utf-8"), Grpc),
            (V::HTTP_2, Some("application/grpc-web"), Http),
            (V::HTTP_2, Some("application/grp"), Http),
            (V::HTTP_2, Some("application/x-www-form-urlencoded"), Http),
            (V::HTTP_2, None, Http),
            (V::HTTP_11, Some("application/grpc"), Http),
        ] {
            let mut request = Request::new(());
            *request.version_mut() = version;
            if let Some(value) = value {
                let value = value.parse().expect("a header value");
                request.headers_mut().insert(CONTENT_TYPE, value);
            }
            assert_eq!(Protocol::of(&request), expected, "{version:?} {value:?}");
        }
    }
}
