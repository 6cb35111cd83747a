//! What the store knows of tokens.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use countersign_issuer::Known;
use countersign_issuer::introspect::{Recognised, Standing};
use countersign_issuer::model::{Family, FamilyId, TokenId};
use countersign_store::{Key, Versioned};

use super::{Records, read, unreadable};
use crate::record;
use crate::refused::Refused;

/// What to look up for one token.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Wanted {
    token: Option<TokenId>,
    reference: Option<TokenId>,
    family: Option<FamilyId>,
}

impl Wanted {
    /// What a decision about that token needs to know.
    pub(crate) fn of(recognised: &Recognised) -> Self {
        Self {
            token: recognised.token(),
            reference: recognised.reference(),
            family: recognised.family(),
        }
    }

    /// A family alone.
    pub(crate) const fn family(family: Option<FamilyId>) -> Self {
        Self {
            token: None,
            reference: None,
            family,
        }
    }
}

impl Records {
    /// What the store knows of these, in their order. However many there are, they are one load;
    /// and one more where there are reference tokens, for their families.
    pub(crate) async fn standings(&self, wanted: &[Wanted]) -> Result<Vec<Standing>, Refused> {
        let mut found = Found::default();
        found.load(self, wanted.iter().flat_map(keys)).await?;
        let mut standings = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            standings.push(found.standing(wanted)?);
        }
        let named = standings.iter().filter_map(family_of);
        found.load(self, named.map(record::family_key)).await?;
        for standing in &mut standings {
            if let Some(family) = family_of(standing) {
                standing.family = found.family(family)?;
            }
        }
        Ok(standings)
    }
}

fn keys(wanted: &Wanted) -> impl Iterator<Item = Key> + use<> {
    let Wanted {
        token,
        reference,
        family,
    } = *wanted;
    [
        token.map(record::revoked_key),
        reference.map(record::reference_key),
        family.map(record::family_key),
    ]
    .into_iter()
    .flatten()
}

fn family_of(standing: &Standing) -> Option<FamilyId> {
    standing.reference.as_ref()?.claims.family
}

/// Records as they were read, each once.
#[derive(Default)]
struct Found(HashMap<Key, Option<Versioned>>);

impl Found {
    /// Those that were not read yet.
    async fn load(
        &mut self,
        records: &Records,
        keys: impl Iterator<Item = Key>,
    ) -> Result<(), Refused> {
        let mut missing: Vec<Key> = keys.filter(|key| !self.0.contains_key(key)).collect();
        missing.sort_unstable();
        missing.dedup();
        let found = records.load(&missing).await?;
        self.0.extend(missing.into_iter().zip(found));
        Ok(())
    }

    fn get(&self, key: &Key) -> Option<&Versioned> {
        self.0.get(key)?.as_ref()
    }

    fn standing(&self, wanted: &Wanted) -> Result<Standing, Refused> {
        let revoked = wanted.token.map(record::revoked_key);
        Ok(Standing {
            token_revoked: revoked.is_some_and(|key| self.get(&key).is_some()),
            reference: match wanted.reference {
                Some(token) => {
                    let key = record::reference_key(token);
                    let found = self.get(&key);
                    found
                        .map(|found| record::read_reference(token, &found.value))
                        .transpose()
                        .inspect_err(|_| unreadable(&key))?
                }
                None => None,
            },
            family: match wanted.family {
                Some(family) => self.family(family)?,
                None => None,
            },
        })
    }

    fn family(&self, family: FamilyId) -> Result<Option<Known<Family>>, Refused> {
        let key = record::family_key(family);
        self.get(&key).map(|found| read(&key, found)).transpose()
    }
}
