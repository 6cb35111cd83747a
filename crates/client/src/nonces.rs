//! The newest nonce of each origin (RFC 9449 §8.2).

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderName};

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Ours have 32 bytes. Other servers may put more into theirs, but not so much
/// that a proof outgrows its limit.
const NONCE_BYTES_MAX: usize = 1024;

/// The newest nonce of one origin.
#[derive(Debug, Default)]
pub(crate) struct NewestNonce(ArcSwapOption<String>);

impl NewestNonce {
    pub(crate) fn current(&self) -> Option<Arc<String>> {
        self.0.load_full()
    }

    /// Keeps the nonce of a response, whether that is a success or a refusal.
    pub(crate) fn learn(&self, headers: &HeaderMap) {
        let mut values = headers.get_all(DPOP_NONCE).iter();
        // Never two: then it is unclear which is the newest.
        if let (Some(nonce), None) = (values.next(), values.next())
            && let Some(nonce) = legible(nonce)
            && self.0.load().as_deref().is_none_or(|held| held != nonce)
        {
            self.0.store(Some(Arc::new(nonce.to_owned())));
        }
    }
}

/// RFC 9449 §8.1: `nonce = 1*NQCHAR`, printable ASCII without `"` and `\`.
fn legible(value: &http::HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let is_nqchar = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let fits = !text.is_empty() && text.len() <= NONCE_BYTES_MAX;
    (fits && text.bytes().all(is_nqchar)).then_some(text)
}
