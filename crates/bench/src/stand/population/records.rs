//! The records of a store that is filled. Names and secrets are functions of a number, so nothing
//! has to be kept beside the store.

use std::time::Duration;

use countersign_issuer::Record;
use countersign_issuer::model::{
    AccessTokenFormat, Authentication, Client, ClientId, ClientSecret, DisplayName, Epoch, Family,
    FamilyId, Generation, GrantTypes, Malformed, Permissions, RecordId, RefreshKey, Resource,
    ResourceUri, Scopes, Subject,
};
use countersign_jose::{Thumbprint, UnixTime, sha256};

use crate::world::ORDERS;

/// As long ago as everything was registered: before any family began.
const REGISTERED: Duration = Duration::from_secs(30 * 86_400);

/// How long a family can be rotated, as the service has it by default.
const ABSOLUTE: Duration = Duration::from_secs(30 * 86_400);
const IDLE: Duration = Duration::from_secs(7 * 86_400);

/// What a number is the number of.
#[derive(Copy, Clone, Debug)]
pub(super) enum Kind {
    Service,
    Desk,
    Live,
    Expired,
}

/// What the records have in common.
pub(super) struct Records {
    registered: UnixTime,
    holder: Thumbprint,
    epoch: Epoch,
    orders: ResourceUri,
    own: ResourceUri,
    scopes: Scopes,
    introspect: Scopes,
    name: DisplayName,
    subject: Subject,
}

impl Records {
    pub(super) fn new(
        issuer: &str,
        now: UnixTime,
        holder: Thumbprint,
        epoch: Epoch,
    ) -> Result<Self, Malformed> {
        Ok(Self {
            registered: now.minus(REGISTERED),
            holder,
            epoch,
            orders: ResourceUri::parse(ORDERS)?,
            own: ResourceUri::parse(issuer)?,
            scopes: Scopes::parse(&["orders.read", "orders.write"])?,
            introspect: Scopes::parse(&["introspect"])?,
            name: DisplayName::parse("")?,
            subject: Subject::parse("alice")?,
        })
    }

    /// What tokens are for.
    pub(super) fn orders(&self) -> Resource {
        Resource {
            uri: self.orders.clone(),
            display_name: self.name.clone(),
            scopes: self.scopes.clone(),
            scope_descriptions: Default::default(),
            access_token_lifetime: None,
            access_token_format: AccessTokenFormat::Jwt,
            created_at: self.registered,
            updated_at: self.registered,
            details_types: Default::default(),
        }
    }

    /// A client that asks for tokens in its own name.
    pub(super) fn service(&self, number: usize) -> Client {
        self.client(Kind::Service, number)
    }

    /// The client whose the families are.
    pub(super) fn desk(&self) -> Client {
        let client = self.client(Kind::Desk, 0);
        let introspect = [(self.own.clone(), self.introspect.clone())];
        Client {
            grant_types: GrantTypes {
                authorization_code: true,
                refresh_token: true,
                ..client.grant_types
            },
            permissions: self.at_orders().chain(introspect).collect(),
            serves: vec![self.orders.clone()],
            ..client
        }
    }

    /// A family that was last rotated then.
    pub(super) fn family(&self, kind: Kind, number: usize, rotated_at: UnixTime) -> Record {
        // One that ended then began so long before; else it began when it was last rotated.
        let (began, expires_at, idle_expires_at) = match kind {
            Kind::Expired => (self.registered, rotated_at, rotated_at),
            Kind::Live | Kind::Service | Kind::Desk => {
                (rotated_at, rotated_at.plus(ABSOLUTE), rotated_at.plus(IDLE))
            }
        };
        let family = Family {
            client: client_id(Kind::Desk, 0),
            subject: self.subject.clone(),
            permissions: self.permissions(),
            jkt: self.holder,
            pinned: true,
            certificate: None,
            refreshable: true,
            generation: Generation::FIRST,
            rotated_at: began,
            rotated_jkt: self.holder,
            created_at: began,
            expires_at,
            idle_expires_at,
            epoch: self.epoch,
            auth_time: Some(began),
            acr: None,
            revoked: None,
            details: Default::default(),
        };
        Record::Family(family_id(kind, number), family)
    }

    fn client(&self, kind: Kind, number: usize) -> Client {
        Client {
            id: client_id(kind, number),
            display_name: self.name.clone(),
            authentication: Authentication::Secret(secret(kind, number).hash()),
            grant_types: GrantTypes {
                client_credentials: true,
                ..GrantTypes::default()
            },
            redirect_uris: Vec::new(),
            permissions: self.permissions(),
            serves: Vec::new(),
            refresh_key: RefreshKey::Pinned,
            certificate_bound: false,
            only_pushed: false,
            disabled: false,
            tokens_revoked_at: None,
            created_at: self.registered,
            updated_at: self.registered,
            details_types: Default::default(),
        }
    }

    fn permissions(&self) -> Permissions {
        self.at_orders().collect()
    }

    fn at_orders(&self) -> impl Iterator<Item = (ResourceUri, Scopes)> {
        std::iter::once((self.orders.clone(), self.scopes.clone()))
    }
}

/// The name of a client.
pub(super) fn client_id(kind: Kind, number: usize) -> ClientId {
    ClientId::from_random(short(kind, number))
}

/// Its secret.
pub(super) fn secret(kind: Kind, number: usize) -> ClientSecret {
    ClientSecret::from_random(&drawn("secret", kind, number))
}

/// The name of a family: as if drawn at random, so that families of neighbouring numbers lie far
/// apart in the store.
pub(super) fn family_id(kind: Kind, number: usize) -> FamilyId {
    FamilyId::new(RecordId::from_bytes(short(kind, number)))
}

fn short(kind: Kind, number: usize) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&drawn("id", kind, number)[..16]);
    id
}

fn drawn(what: &str, kind: Kind, number: usize) -> [u8; 32] {
    sha256(&[format!("{what} {kind:?} {number}").as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(now: UnixTime) -> Records {
        let holder = Thumbprint::from_bytes([7; 32]);
        Records::new("http://localhost:7443", now, holder, Epoch::new(1)).expect("well formed")
    }

    fn family(kind: Kind, rotated_at: UnixTime, now: UnixTime) -> Family {
        match records(now).family(kind, 0, rotated_at) {
            Record::Family(_, family) => family,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_name_different_things() {
        assert_ne!(client_id(Kind::Service, 0), client_id(Kind::Service, 1));
        assert_ne!(client_id(Kind::Service, 0), client_id(Kind::Desk, 0));
        assert_ne!(family_id(Kind::Live, 0), family_id(Kind::Expired, 0));
        assert!(
            secret(Kind::Desk, 0)
                .hash()
                .matches(secret(Kind::Desk, 0).reveal())
        );
    }

    #[test]
    fn a_live_family_can_be_rotated_and_an_expired_one_cannot() {
        let now = UnixTime::from_secs(1_000_000_000);
        assert!(family(Kind::Live, now, now).ends_at() > now);
        let ended = now.minus(Duration::from_secs(12 * 3600));
        assert!(family(Kind::Expired, ended, now).ends_at() < now);
    }

    #[test]
    fn no_family_is_older_than_its_client() {
        let now = UnixTime::from_secs(1_000_000_000);
        let desk = records(now).desk();
        for kind in [Kind::Live, Kind::Expired] {
            let ended = now.minus(Duration::from_secs(12 * 3600));
            assert!(family(kind, ended, now).created_at >= desk.created_at);
        }
    }
}
