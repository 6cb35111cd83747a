//! The fields of a form or a query.

use url::form_urlencoded;
use zeroize::Zeroizing;

/// More than any page of ours has: a hundred scopes and a few others.
const FIELDS_MAX: usize = 256;

/// Names and values, in order.
pub(crate) struct Fields(Vec<(String, Zeroizing<String>)>);

impl Fields {
    /// Reads them; none if they are more than any form of ours has.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if fields.len() == FIELDS_MAX {
                return None;
            }
            fields.push((name.into_owned(), Zeroizing::new(value.into_owned())));
        }
        Some(Self(fields))
    }

    /// The one value of that name; none where there are several, which no form of ours sends.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let (_, first) = values.next()?;
        values.next().is_none().then_some(first.as_str())
    }

    /// The values of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_it = self.0.iter().filter(move |(key, _)| key == name);
        of_it.map(|(_, value)| value.as_str())
    }
}
