//! Lists, page by page.

use countersign_jose::base64url;
use countersign_store::Key;
use prost::Message;

use crate::refused::Refused;

/// When a request does not say.
const PAGE_SIZE_DEFAULT: usize = 100;
/// The most that a request may ask for.
const PAGE_SIZE_MAX: i32 = 1_000;

/// A page is cut here, whatever its size: messages end at 64 KiB, and the token needs room.
pub(crate) const PAGE_BYTES_MAX: usize = 60 * 1024;

/// Which page is asked for.
pub(crate) struct Asking {
    pub(crate) limit: usize,
    pub(crate) after: Option<Key>,
}

impl Asking {
    /// Reads `page_size` and `page_token`. `prefix` is where the records are: a token that leads
    /// elsewhere is none of ours.
    pub(crate) fn parse(size: i32, token: &str, prefix: &Key) -> Result<Self, Refused> {
        let limit = limit(size)?;
        let after = match token {
            "" => None,
            token => Some(key(token, prefix).ok_or(NOT_A_TOKEN)?),
        };
        Ok(Self { limit, after })
    }
}

/// How many things a page holds: the field `page_size`.
pub(super) fn limit(size: i32) -> Result<usize, Refused> {
    match size {
        0 => Ok(PAGE_SIZE_DEFAULT),
        1..=PAGE_SIZE_MAX => Ok(usize::try_from(size).unwrap_or(PAGE_SIZE_DEFAULT)),
        _ => Err(Refused::Field {
            field: "page_size",
            expected: "must be from 1 to 1000, or 0 for 100",
        }),
    }
}

/// The field `page_token` holds something else.
pub(super) const NOT_A_TOKEN: Refused = Refused::Field {
    field: "page_token",
    expected: "must be the next_page_token of the page before",
};

/// A page as it is filled.
pub(crate) struct Listing<M> {
    pub(crate) items: Vec<M>,
    pub(crate) next_page_token: String,
}

impl<M: Message> Listing<M> {
    /// The page of `items`, each with its key; `more` says whether others follow.
    pub(crate) fn of(items: impl IntoIterator<Item = (Key, M)>, more: bool) -> Self {
        let mut page = Vec::new();
        let mut bytes = 0;
        let mut last = None;
        let mut cut = false;
        for (key, item) in items {
            bytes += item.encoded_len();
            if bytes > PAGE_BYTES_MAX && !page.is_empty() {
                cut = true;
                break;
            }
            page.push(item);
            last = Some(key);
        }
        Self {
            items: page,
            next_page_token: match last {
                Some(key) if more || cut => base64url::encode(key.as_bytes()),
                _ => String::new(),
            },
        }
    }
}

pub(crate) fn key(token: &str, prefix: &Key) -> Option<Key> {
    let bytes = base64url::decode(token).ok()?;
    let key = Key::from_bytes(&bytes).ok()?;
    key.starts_with(prefix).then_some(key)
}
