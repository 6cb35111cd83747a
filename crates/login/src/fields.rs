//! The fields of a form or a query.

use countersign_form::{NotAForm, Rules};
use zeroize::Zeroizing;

/// Scopes are chosen one by one. More fields than any page of ours has: a hundred scopes and a few
/// others.
const RULES: Rules = Rules {
    lists: &["scope"],
    fields_max: 256,
};

/// Names and values, in order.
pub(crate) struct Fields(countersign_form::Fields);

impl Fields {
    /// Reads them.
    ///
    /// # Errors
    /// [`NotAForm`], for what no form of ours sends.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, NotAForm> {
        countersign_form::parse(bytes, RULES).map(Self)
    }

    /// The value of that name.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(key, _)| key == name)?;
        Some(value.as_str())
    }

    /// The same, taken out: there is no second one of it. Empty where there is none.
    pub(crate) fn take(&mut self, name: &str) -> Zeroizing<String> {
        let mut fields = self.0.iter_mut();
        let found = fields.find(|(key, _)| key == name);
        found
            .map(|(_, value)| std::mem::take(value))
            .unwrap_or_default()
    }

    /// The values of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_it = self.0.iter().filter(move |(key, _)| key == name);
        of_it.map(|(_, value)| value.as_str())
    }
}
