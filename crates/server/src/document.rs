//! Documents that are made once and handed out many times.

use bytes::Bytes;
use countersign_jose::{base64url, sha256};
use http::HeaderValue;

/// A JSON text as it is written, and the tag of this very text (RFC 9110 §8.8.3).
pub(crate) struct Document {
    pub(crate) json: Bytes,
    pub(crate) etag: HeaderValue,
}

impl Document {
    pub(crate) fn of(json: impl Into<Bytes>) -> Self {
        let json = json.into();
        let etag = format!("\"{}\"", base64url::encode(sha256(&[&json])));
        Self {
            etag: etag.parse().expect("base64url between quotation marks"),
            json,
        }
    }
}
