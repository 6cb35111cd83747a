//! What the store knows of tokens.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use countersign_issuer::introspect::{Recognised, Standing};
use countersign_issuer::model::{Client, ClientId, Family, FamilyId, TokenId};
use countersign_issuer::{Claims, Holder, Known, Reference};
use countersign_jose::UnixTime;
use countersign_store::{Key, Versioned};

use super::{Records, read, unreadable};
use crate::record;
use crate::refused::Refused;

/// What to look up for one token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    token: Option<TokenId>,
    reference: Option<TokenId>,
    family: Option<FamilyId>,
    owner: Option<ClientId>,
    holders: Option<[Holder; 3]>,
}

impl Wanted {
    /// What a decision about that token needs to know.
    pub(crate) fn of(recognised: &Recognised) -> Self {
        Self {
            token: recognised.token(),
            reference: recognised.reference(),
            family: recognised.family(),
            owner: recognised.owner().cloned(),
            holders: recognised.holders(),
        }
    }

    /// A family alone.
    pub(crate) fn family(family: Option<FamilyId>) -> Self {
        Self {
            family,
            ..Self::default()
        }
    }

    /// What else a reference token names.
    fn named(claims: &Claims) -> Self {
        Self {
            family: claims.family,
            owner: Some(claims.client.clone()),
            holders: Some(Holder::of_token(claims)),
            ..Self::default()
        }
    }
}

impl Records {
    /// What the store knows of these, in their order. However many there are, they are one load;
    /// one more where there are reference tokens, for what these name; and one for what was revoked
    /// of those whose families they are, where these are others than those whose tokens they are.
    pub(crate) async fn standings(&self, wanted: &[Wanted]) -> Result<Vec<Standing>, Refused> {
        let mut found = Found::default();
        found.load(self, wanted.iter().flat_map(keys)).await?;
        let mut references = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            references.push(found.reference(wanted)?);
        }
        let named: Vec<_> = references.iter().map(named).collect();
        found
            .load(self, named.iter().flatten().flat_map(keys))
            .await?;
        let families = wanted.iter().chain(named.iter().flatten());
        let holders = found.holders(families.filter_map(|wanted| wanted.family))?;
        found
            .load(self, holders.iter().map(record::holder_key))
            .await?;
        wanted
            .iter()
            .zip(references)
            .zip(&named)
            .map(|((wanted, reference), named)| {
                let of = named.as_ref().unwrap_or(wanted);
                Ok(Standing {
                    token_revoked: found.is_revoked(wanted),
                    reference,
                    family: of.family.map_or(Ok(None), |id| found.family(id))?,
                    owner: match &of.owner {
                        Some(owner) => found.owner(self, owner)?,
                        None => None,
                    },
                    holders_revoked_at: found.revoked_until(of.holders.as_ref())?,
                })
            })
            .collect()
    }
}

fn keys(wanted: &Wanted) -> impl Iterator<Item = Key> {
    let alone = [
        wanted.token.map(record::revoked_key),
        wanted.reference.map(record::reference_key),
        wanted.family.map(record::family_key),
        wanted.owner.as_ref().map(record::client_key),
    ];
    let holders = wanted.holders.iter().flatten().map(record::holder_key);
    alone.into_iter().flatten().chain(holders)
}

fn named(reference: &Option<Reference>) -> Option<Wanted> {
    let reference = reference.as_ref()?;
    Some(Wanted::named(&reference.claims))
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

    fn is_revoked(&self, wanted: &Wanted) -> bool {
        let revoked = wanted.token.map(record::revoked_key);
        revoked.is_some_and(|key| self.get(&key).is_some())
    }

    fn reference(&self, wanted: &Wanted) -> Result<Option<Reference>, Refused> {
        let Some(token) = wanted.reference else {
            return Ok(None);
        };
        let key = record::reference_key(token);
        let read = |found: &Versioned| record::read_reference(token, &found.value);
        let reference = self.get(&key).map(read).transpose();
        Ok(reference.inspect_err(|_| unreadable(&key))?)
    }

    /// Those whose families these are.
    fn holders(&self, families: impl Iterator<Item = FamilyId>) -> Result<Vec<Holder>, Refused> {
        let mut holders = Vec::new();
        for family in families {
            if let Some(known) = self.family_as_stored(family)? {
                let of_family = Holder::of_family(&known.value).into_iter();
                holders.extend(of_family.map(|(holder, _)| holder));
            }
        }
        Ok(holders)
    }

    fn owner(&self, records: &Records, owner: &ClientId) -> Result<Option<Arc<Client>>, Refused> {
        let key = record::client_key(owner);
        let read = |found| records.clients.read(&key, found);
        let known = self.get(&key).map(read).transpose();
        let known = known.inspect_err(|_| unreadable(&key))?;
        Ok(known.map(|known| known.value))
    }

    /// The latest time until when all was revoked that one of a token's holders had.
    fn revoked_until(&self, holders: Option<&[Holder; 3]>) -> Result<Option<UnixTime>, Refused> {
        let mut latest = None;
        for holder in holders.into_iter().flatten() {
            latest = latest.max(self.revoked_holder(holder)?);
        }
        Ok(latest)
    }

    /// Until when all was revoked that this one had, if anything was.
    fn revoked_holder(&self, holder: &Holder) -> Result<Option<UnixTime>, Refused> {
        let key = record::holder_key(holder);
        let at = self.get(&key);
        let at = at.map(|found| record::holder_revoked_at(&found.value));
        Ok(at.transpose().inspect_err(|_| unreadable(&key))?)
    }

    fn family_as_stored(&self, family: FamilyId) -> Result<Option<Known<Family>>, Refused> {
        let key = record::family_key(family);
        self.get(&key).map(|found| read(&key, found)).transpose()
    }

    /// As [`Records::family`].
    fn family(&self, family: FamilyId) -> Result<Option<Known<Family>>, Refused> {
        let Some(Known { value, version }) = self.family_as_stored(family)? else {
            return Ok(None);
        };
        let mut revoked = HashMap::new();
        for (holder, _) in Holder::of_family(&value) {
            if let Some(at) = self.revoked_holder(&holder)? {
                revoked.insert(holder, at);
            }
        }
        Ok(Some(Known::new(value.revoked_with(&revoked), version)))
    }
}
