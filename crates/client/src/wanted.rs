//! What a person is asked to approve, in whatever way.

/// Scopes, resources and details, as the request carries them.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) authorization_details: String,
}

/// The setters of a builder that has it as `wanted`: they stand on the builder itself, where whoever
/// writes a program looks for them.
macro_rules! wanted_setters {
    () => {
        /// The scopes to ask for.
        pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
            self.wanted.scopes = scopes.into_iter().map(Into::into).collect();
            self
        }

        /// The resources that tokens shall be for (RFC 8707). None: where only one is possible,
        /// that.
        pub fn resources<S: Into<String>>(
            mut self,
            resources: impl IntoIterator<Item = S>,
        ) -> Self {
            self.wanted.resources = resources.into_iter().map(Into::into).collect();
            self
        }

        /// Asks for these authorization details as well (RFC 9396): a JSON array, as text.
        pub fn authorization_details(mut self, details: impl Into<String>) -> Self {
            self.wanted.authorization_details = details.into();
            self
        }
    };
}

pub(crate) use wanted_setters;
