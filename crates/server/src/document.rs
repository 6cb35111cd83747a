//! Documents that are made once and handed out many times.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use countersign_jose::base64url;
use http::HeaderValue;

/// A JSON text as it is written, and the tag of this very text (RFC 9110 §8.8.3).
pub(crate) struct Document {
    pub(crate) json: Bytes,
    pub(crate) etag: HeaderValue,
}

impl Document {
    pub(crate) fn of(json: impl Into<Bytes>) -> Self {
        let json = json.into();
        let digest = digest(&SHA256, &json);
        let etag = format!("\"{}\"", base64url::encode(digest));
        Self {
            etag: etag.parse().expect("base64url between quotation marks"),
            json,
        }
    }
}
