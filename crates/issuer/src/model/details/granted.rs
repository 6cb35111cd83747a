//! Objects with where they count.

use std::collections::BTreeSet;

use super::{Detail, Details};
use crate::model::ResourceUri;

/// An object that was granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantedDetail {
    /// The object.
    pub detail: Detail,
    /// The resources that it was granted at. One that takes up its type later is none of them:
    /// nobody approved that.
    pub at: BTreeSet<ResourceUri>,
}

/// What was asked for, approved, or granted. A token may have fewer, never others.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GrantedDetails(Vec<GrantedDetail>);

impl GrantedDetails {
    /// The objects with their resources.
    pub fn iter(&self) -> impl Iterator<Item = &GrantedDetail> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The objects.
    pub fn details(&self) -> Details {
        self.iter().map(|granted| granted.detail.clone()).collect()
    }

    /// The same object, as it was granted.
    pub(crate) fn find(&self, detail: &Detail) -> Option<&GrantedDetail> {
        self.iter().find(|granted| granted.detail == *detail)
    }
}

impl FromIterator<GrantedDetail> for GrantedDetails {
    fn from_iter<I: IntoIterator<Item = GrantedDetail>>(details: I) -> Self {
        Self(details.into_iter().collect())
    }
}
