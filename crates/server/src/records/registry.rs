//! What all registered resources have together, and when to look at them again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_issuer::model::{DetailsType, Resource, ResourceUri, Scope};
use countersign_issuer::{Change, Record, RecordName, Write};

use super::Records;
use crate::record;
use crate::refused::Refused;

/// Resources that are read at once.
const PAGE: usize = 500;

/// The longest list that is of use to anybody who reads it: of more nothing is told.
const LISTED_MAX: usize = 1_000;

/// Counts the changes to resources that were committed through these records.
#[derive(Debug, Default)]
pub(super) struct Registry(AtomicU64);

/// Counts when it is dropped, so also where nobody waited for the end of the commit.
pub(super) struct Concerned<'a>(&'a Registry);

/// What resources have, all of them together.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// Their types of authorization details.
    pub(crate) details_types: Listed<DetailsType>,
    /// Their scopes.
    pub(crate) scopes: Listed<Scope>,
}

/// A set, or that it has more than [`LISTED_MAX`] members.
#[derive(Debug)]
pub(crate) struct Listed<T>(Option<BTreeSet<T>>);

impl Registry {
    /// To be held while the change is committed.
    pub(super) fn concerned_by(&self, change: &Change) -> Option<Concerned<'_>> {
        let is_of_a_resource = |write: &Write| match write {
            Write::Put { record, .. } => matches!(record, Record::Resource(_)),
            Write::Remove { name, .. } => matches!(name, RecordName::Resource(_)),
        };
        let concerned = change.writes.iter().any(is_of_a_resource);
        concerned.then_some(Concerned(self))
    }
}

impl Drop for Concerned<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Release);
    }
}

impl Records {
    /// Another number after every change to a resource that was committed here. What was read
    /// after the number was is not older than it.
    pub(crate) fn resource_changes(&self) -> u64 {
        self.registry.0.load(Ordering::Acquire)
    }

    /// What all resources but one have together.
    pub(crate) async fn offered(&self, but: Option<&ResourceUri>) -> Result<Offered, Refused> {
        let prefix = record::resources();
        let mut offered = Offered::default();
        let mut after = None;
        loop {
            let page = self.page::<Resource>(&prefix, after.as_ref(), PAGE).await?;
            for (key, known) in page.records {
                let resource = known.value;
                if Some(&resource.uri) != but {
                    let types = resource.details_types.iter();
                    offered.details_types.extend(types.map(|(kind, _)| kind));
                    offered.scopes.extend(resource.scopes.iter());
                }
                after = Some(key);
            }
            if !page.more {
                return Ok(offered);
            }
        }
    }
}

impl<T: Ord + Clone> Listed<T> {
    fn extend<'a>(&mut self, more: impl Iterator<Item = &'a T>)
    where
        T: 'a,
    {
        for entry in more {
            let Some(set) = &mut self.0 else { return };
            if !set.contains(entry) {
                set.insert(entry.clone());
            }
            if set.len() > LISTED_MAX {
                self.0 = None;
            }
        }
    }

    /// The members in order; none where there are too many.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self(Some(BTreeSet::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_too_long_is_none() {
        let mut listed = Listed::default();
        listed.extend((0..LISTED_MAX).collect::<Vec<_>>().iter());
        // What is there already makes it no longer.
        listed.extend([0, 1].iter());
        assert_eq!(listed.iter().count(), LISTED_MAX);
        listed.extend([LISTED_MAX].iter());
        assert_eq!(listed.iter().count(), 0);
        listed.extend([0].iter());
        assert_eq!(listed.iter().count(), 0, "and does not begin again");
    }
}
