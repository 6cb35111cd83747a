//! A small world to decide in: registered clients and resources, and records that keep their
//! versions as a store does.

mod acts;
mod browser;
mod devices;
mod given;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_issuer::introspect::{Introspection, Recognised, Standing, introspect, recognise};
use countersign_issuer::model::{
    Authentication, Authorization, Catalogue, Client, ClientId, Family, FamilyId, GrantTypes,
    Permissions, RecordId, RefreshKey, Resource, ResourceUri, TokenId,
};
use countersign_issuer::{
    Change, Decision, Event, Expect, Holder, Issued, Issuer, Known, Record, RecordName, Reference,
    Refusal, Revocation, RevokedHolder, UserCodeName, Version, Write, access_token,
};
use countersign_jose::{Jwks, PublishedKey, SigningKey, UnixTime};

pub(crate) use given::*;

/// The `kid` that the world's access tokens are signed under.
const KID: &str = "key-1";

pub(crate) struct World {
    pub(crate) issuer: Issuer,
    pub(crate) now: UnixTime,
    pub(crate) clients: HashMap<String, Known<Client>>,
    pub(crate) resources: HashMap<String, Known<Resource>>,
    pub(crate) families: HashMap<FamilyId, Known<Family>>,
    pub(crate) authorizations: HashMap<RecordId, Known<Authorization>>,
    pub(crate) user_codes: HashMap<UserCodeName, RecordId>,
    pub(crate) spent: Vec<(ClientId, String)>,
    pub(crate) revoked: Vec<TokenId>,
    pub(crate) references: HashMap<TokenId, Reference>,
    pub(crate) holders: HashMap<Holder, Known<RevokedHolder>>,
    pub(crate) events: Vec<Event>,
    pub(crate) revocations: Vec<Revocation>,
    signing: SigningKey,
    made: u64,
}

/// The records that a commit found to be other than expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict;

impl World {
    /// `checkout` (secret, pinned), `roaming` (secret, not pinned), `spa` (public), `signer`
    /// (private key JWT), `other` (secret), and `guard`, which serves ORDERS. All but `guard` may
    /// ask for `orders.read` and `orders.write`.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            issuer: issuer(),
            now: START,
            clients: HashMap::new(),
            resources: HashMap::new(),
            families: HashMap::new(),
            authorizations: HashMap::new(),
            user_codes: HashMap::new(),
            spent: Vec::new(),
            revoked: Vec::new(),
            references: HashMap::new(),
            holders: HashMap::new(),
            events: Vec::new(),
            revocations: Vec::new(),
            signing: SigningKey::generate_ed25519([3; 32]).unwrap(),
            made: 0,
        };
        world.register(resource(ORDERS, &["orders.read", "orders.write"]));
        world.register(resource(BILLING, &["bills.read"]));
        let roaming = Client {
            refresh_key: RefreshKey::Replaceable,
            ..by_secret("roaming")
        };
        let spa = Client {
            authentication: Authentication::None,
            grant_types: GrantTypes {
                client_credentials: false,
                ..all_grants()
            },
            ..by_secret("spa")
        };
        let jwks = format!(r#"{{"keys":[{}]}}"#, assertion_key().public().to_jwk());
        let jwks = Jwks::parse(jwks.as_bytes()).unwrap();
        let signer = Client {
            authentication: Authentication::PrivateKeyJwt(jwks),
            ..by_secret("signer")
        };
        let guard = Client {
            serves: vec![ResourceUri::parse(ORDERS).unwrap()],
            permissions: Permissions::default(),
            ..by_secret("guard")
        };
        for client in [
            by_secret("checkout"),
            by_secret("other"),
            roaming,
            spa,
            signer,
            guard,
        ] {
            world.enrol(client);
        }
        world
    }

    pub(crate) fn enrol(&mut self, client: Client) {
        let version = self.version();
        self.clients
            .insert(client.id.to_string(), Known::new(client, version));
    }

    pub(crate) fn register(&mut self, resource: Resource) {
        let version = self.version();
        self.resources
            .insert(resource.uri.to_string(), Known::new(resource, version));
    }

    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut Client)) {
        change(&mut self.clients.get_mut(id).unwrap().value);
    }

    /// It is deleted, and a moment later somebody is registered under its identifier.
    pub(crate) fn register_again(&mut self, id: &str) {
        self.pass(1);
        let created_at = self.now;
        self.change(id, |client| client.created_at = created_at);
    }

    pub(crate) fn pass(&mut self, secs: u64) {
        self.now = self.now.plus(Duration::from_secs(secs));
    }

    pub(crate) fn client(&self, id: &str) -> Client {
        self.clients[id].value.clone()
    }

    pub(crate) fn catalogue(&self) -> Catalogue {
        self.resources
            .values()
            .map(|known| known.value.clone())
            .collect()
    }

    fn version(&mut self) -> Version {
        self.made += 1;
        Version::new(self.made)
    }

    /// Bytes that were not handed out before, in place of random ones.
    pub(crate) fn fresh(&mut self) -> [u8; 16] {
        self.made += 1;
        u128::from(self.made).to_be_bytes()
    }

    /// All writes or none.
    pub(crate) fn commit(&mut self, change: &Change) -> Result<(), Conflict> {
        for write in &change.writes {
            let (expected, found) = match write {
                Write::Put { record, expect } => (*expect, self.found(record)),
                Write::Remove { name, version } => {
                    (Expect::Version(*version), self.found_by_name(name))
                }
            };
            let as_expected = match expected {
                Expect::Absent => found.is_none(),
                Expect::Version(version) => found == Some(version),
            };
            if !as_expected {
                return Err(Conflict);
            }
        }
        let version = self.version();
        for write in change.writes.clone() {
            match write {
                Write::Put { record, .. } => self.put(record, version),
                Write::Remove {
                    name: RecordName::Client(id),
                    ..
                } => {
                    self.clients.remove(id.as_str());
                }
                Write::Remove {
                    name: RecordName::Resource(uri),
                    ..
                } => {
                    self.resources.remove(uri.as_str());
                }
                Write::Remove {
                    name: RecordName::Key(_),
                    ..
                } => unreachable!("the service's own keys have a world of their own"),
            }
        }
        self.events.extend(change.events.iter().cloned());
        self.revocations.extend(change.revocations.iter().cloned());
        Ok(())
    }

    fn found(&self, record: &Record) -> Option<Version> {
        match record {
            Record::Client(client) => self.clients.get(client.id.as_str()).map(|k| k.version),
            Record::Resource(it) => self.resources.get(it.uri.as_str()).map(|k| k.version),
            Record::Family(id, _) => self.families.get(id).map(|k| k.version),
            Record::Authorization(id, _) => self.authorizations.get(id).map(|k| k.version),
            Record::UserCode(it) => self
                .user_codes
                .contains_key(&it.name)
                .then_some(Version::new(0)),
            Record::SpentAssertion(it) => self
                .spent
                .contains(&(it.client.clone(), it.jti.clone()))
                .then_some(Version::new(0)),
            Record::RevokedToken(it) => self.revoked.contains(&it.token).then_some(Version::new(0)),
            Record::Reference(it) => self
                .references
                .contains_key(&it.claims.id)
                .then_some(Version::new(0)),
            Record::RevokedHolder(it) => self.holders.get(&it.holder).map(|k| k.version),
            Record::Key(_) => unreachable!("the service's own keys have a world of their own"),
        }
    }

    fn found_by_name(&self, name: &RecordName) -> Option<Version> {
        match name {
            RecordName::Client(id) => self.clients.get(id.as_str()).map(|k| k.version),
            RecordName::Resource(uri) => self.resources.get(uri.as_str()).map(|k| k.version),
            RecordName::Key(_) => unreachable!("the service's own keys have a world of their own"),
        }
    }

    fn put(&mut self, record: Record, version: Version) {
        match record {
            Record::Client(it) => {
                self.clients
                    .insert(it.id.to_string(), Known::new(it, version));
            }
            Record::Resource(it) => {
                self.resources
                    .insert(it.uri.to_string(), Known::new(it, version));
            }
            Record::Family(id, it) => {
                self.families.insert(id, Known::new(it, version));
            }
            Record::Authorization(id, it) => {
                self.authorizations.insert(id, Known::new(it, version));
            }
            Record::UserCode(it) => {
                self.user_codes.insert(it.name, it.authorization);
            }
            Record::SpentAssertion(it) => self.spent.push((it.client, it.jti)),
            Record::RevokedToken(it) => self.revoked.push(it.token),
            Record::Reference(it) => {
                self.references.insert(it.claims.id, it);
            }
            Record::RevokedHolder(it) => {
                self.holders
                    .insert(it.holder.clone(), Known::new(it, version));
            }
            Record::Key(_) => unreachable!("the service's own keys have a world of their own"),
        }
    }

    /// The family as a store's records have it: with what was revoked of its holders'.
    pub(crate) fn family(&self, id: FamilyId) -> Option<Known<Family>> {
        let Known { value, version } = self.families.get(&id)?.clone();
        let holders = self.holders.iter();
        let revoked = holders.map(|(holder, known)| (holder.clone(), known.value.at));
        Some(Known::new(value.revoked_with(&revoked.collect()), version))
    }

    /// The authorization in the same way.
    fn standing_authorization(&self, id: RecordId) -> Option<Known<Authorization>> {
        let Known { value, version } = self.authorizations.get(&id)?.clone();
        let value = match self.revoked_until(&value.holders()) {
            Some(at) => value.revoked_until(at),
            None => value,
        };
        Some(Known::new(value, version))
    }

    fn revoked_until(&self, holders: &[Holder]) -> Option<UnixTime> {
        let known = holders.iter().filter_map(|holder| self.holders.get(holder));
        known.map(|known| known.value.at).max()
    }

    /// Commits what was decided, and answers.
    pub(crate) fn settle<T>(&mut self, decision: Decision<T>) -> Result<T, Refusal> {
        self.commit(&decision.change)
            .expect("nobody else writes meanwhile");
        decision.answer
    }

    /// The access token as it leaves the service.
    pub(crate) fn sign(&self, issued: &Issued) -> String {
        if let Some(handle) = &issued.reference {
            return handle.reveal().to_owned();
        }
        let header = access_token::header(self.signing.algorithm(), KID);
        let payload = issued.claims.payload(&self.issuer.name);
        self.signing.sign_segments(&header, &payload).unwrap()
    }

    /// A token with any header and payload, signed by the service's own key.
    pub(crate) fn sign_json(&self, header: &str, payload: &str) -> String {
        self.signing
            .sign_compact(header.as_bytes(), payload.as_bytes())
            .unwrap()
    }

    pub(crate) fn published(&self) -> [PublishedKey<'_>; 1] {
        [PublishedKey {
            kid: KID,
            algorithm: self.signing.algorithm(),
            key: self.signing.public(),
        }]
    }

    pub(crate) fn standing(&self, token: Option<TokenId>, family: Option<FamilyId>) -> Standing {
        let reference = token.and_then(|token| self.references.get(&token));
        let named = reference.and_then(|reference| reference.claims.family);
        Standing {
            token_revoked: token.is_some_and(|token| self.revoked.contains(&token)),
            reference: reference.cloned(),
            family: family.or(named).and_then(|family| self.family(family)),
            ..Standing::default()
        }
    }

    /// What is known of a token, for its introspection.
    pub(crate) fn standing_of(&self, recognised: &Recognised) -> Standing {
        let standing = self.standing(recognised.token(), recognised.family());
        let claims = match (recognised, &standing.reference) {
            (Recognised::Access(claims), _) => Some(&**claims),
            (Recognised::Reference(_), Some(reference)) => Some(&reference.claims),
            _ => None,
        };
        let owner = claims.and_then(|claims| self.clients.get(claims.client.as_str()));
        Standing {
            owner: owner.map(|known| Arc::new(known.value.clone())),
            holders_revoked_at: claims
                .and_then(|claims| self.revoked_until(&Holder::of_token(claims))),
            ..standing.clone()
        }
    }

    /// Whether `who` is told that the token is active.
    pub(crate) fn is_active(&self, text: &str, who: &str) -> bool {
        let recognised = recognise(text, &self.published(), &self.issuer);
        let standing = self.standing_of(&recognised);
        let caller = self.clients.get(who).map(|known| &known.value);
        introspect(&recognised, &standing, caller, &self.issuer, self.now)
            != Introspection::Inactive
    }

    pub(crate) fn family_of(&self, issued: &Issued) -> &Family {
        &self.families[&issued.claims.family.unwrap()].value
    }
}
