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
pub(crate) struct Fields(Vec<(String, Zeroizing<String>)>);

impl Fields {
    /// Reads them.
    ///
    /// # Errors
    /// [`NotAForm`], for what no form of ours sends.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, NotAForm> {
        let fields = countersign_form::parse(bytes, RULES)?.into_iter();
        let fields = fields.map(|(name, value)| (name, Zeroizing::new(value)));
        Ok(Self(fields.collect()))
    }

    /// The value of that name.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(key, _)| key == name)?;
        Some(value.as_str())
    }

    /// The values of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_it = self.0.iter().filter(move |(key, _)| key == name);
        of_it.map(|(_, value)| value.as_str())
    }
}
