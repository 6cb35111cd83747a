//! Creating, changing and removing clients.

use countersign_jose::UnixTime;

use super::client_form::{AuthenticationMethod, ClientChange, Fields, NewClient, fault};
use super::current;
use crate::change::{Change, Decision, Known, Record, RecordName};
use crate::event::{Actor, Event, EventKind, Object};
use crate::holder::{Holder, RevokedHolder};
use crate::model::{
    Authentication, Catalogue, Client, ClientId, ClientSecret, Malformed, Permissions,
    PermittedTypes, RefreshKey,
};
use crate::refusal::{FieldFault, Refusal};
use crate::{Expect, Version};

/// A client that was registered.
#[derive(Debug)]
pub struct Registered {
    /// The client.
    pub client: Client,
    /// Its secret, if it authenticates by one: shown now and never again.
    pub secret: Option<ClientSecret>,
}

/// A client with a new secret.
#[derive(Debug)]
pub struct RenewedSecret {
    /// The client.
    pub client: Client,
    /// Its secret: shown now and never again.
    pub secret: ClientSecret,
}

/// Registers a client. `known` is the client of that identifier, if there is one; `random` makes
/// its secret, if it needs one.
pub fn create_client(
    new: &NewClient,
    known: Option<&Known<Client>>,
    catalogue: &Catalogue,
    random: &[u8; 32],
    actor: &Actor,
    now: UnixTime,
) -> Decision<Registered> {
    if known.is_some() {
        return Decision::refuse(Refusal::Exists);
    }
    let secret = match new.method {
        AuthenticationMethod::Secret => Some(ClientSecret::from_random(random)),
        AuthenticationMethod::None
        | AuthenticationMethod::PrivateKeyJwt
        | AuthenticationMethod::TlsClientAuth
        | AuthenticationMethod::SelfSignedTlsClientAuth => None,
    };
    match created(new, secret.as_ref(), catalogue, now) {
        Ok(client) => Change::default()
            .put(Record::Client(client.clone()), Expect::Absent)
            .event(event(EventKind::ClientCreated, &client.id, actor, now))
            .answer(Registered { client, secret }),
        Err(refusal) => Decision::refuse(refusal),
    }
}

/// Changes a client. The access tokens of one that is disabled are not honoured any more, also when
/// it is enabled again; its families wait until then.
pub fn update_client(
    change: &ClientChange,
    known: Option<&Known<Client>>,
    catalogue: &Catalogue,
    actor: &Actor,
    now: UnixTime,
) -> Decision<Client> {
    let known = match current(known, change.expected) {
        Ok(known) => known,
        Err(refusal) => return Decision::refuse(refusal),
    };
    match changed(&known.value, &change.fields, catalogue, now) {
        Ok(client) => {
            let gone = gone(&known.value, client.disabled, now);
            let client = Client {
                // A clock that was set back takes nothing back.
                tokens_revoked_at: client
                    .tokens_revoked_at
                    .max(gone.as_ref().map(|gone| gone.at)),
                ..client
            };
            told(gone.as_ref())
                .put(
                    Record::Client(client.clone()),
                    Expect::Version(known.version),
                )
                .event(Event {
                    reason: switched(&known.value, &client),
                    ..event(EventKind::ClientUpdated, &client.id, actor, now)
                })
                .answer(client)
        }
        Err(refusal) => Decision::refuse(refusal),
    }
}

/// The access tokens that a client has, if it goes now: they are dead.
fn gone(before: &Client, goes: bool, now: UnixTime) -> Option<RevokedHolder> {
    let holder = || Holder::Client(before.id.clone());
    (goes && !before.disabled).then(|| RevokedHolder::now(holder(), now))
}

/// Tells those who verify offline.
fn told(gone: Option<&RevokedHolder>) -> Change {
    gone.map_or_else(Change::default, |gone| {
        Change::default().revoke(gone.revocation())
    })
}
/// That a client was switched off or on: of its changes the one that somebody looks for.
fn switched(before: &Client, after: &Client) -> Option<&'static str> {
    match (before.disabled, after.disabled) {
        (false, true) => Some("disabled"),
        (true, false) => Some("enabled"),
        (false, false) | (true, true) => None,
    }
}

/// Removes a client. Its families die with it: they belong to the client that was registered when
/// they were made, not to a later one of the same name. Nor are its access tokens honoured any
/// more.
pub fn delete_client(
    known: Option<&Known<Client>>,
    expected: Option<Version>,
    actor: &Actor,
    now: UnixTime,
) -> Decision<()> {
    match current(known, expected) {
        Ok(Known {
            value: client,
            version,
        }) => told(gone(client, true, now).as_ref())
            .remove(RecordName::Client(client.id.clone()), *version)
            .event(event(EventKind::ClientDeleted, &client.id, actor, now))
            .answer(()),
        Err(refusal) => Decision::refuse(refusal),
    }
}

/// Replaces a client's secret by one made of `random`. The old one is refused at once.
pub fn rotate_client_secret(
    known: Option<&Known<Client>>,
    random: &[u8; 32],
    actor: &Actor,
    now: UnixTime,
) -> Decision<RenewedSecret> {
    let Some(Known {
        value: client,
        version,
    }) = known
    else {
        return Decision::refuse(Refusal::NotFound);
    };
    if !matches!(client.authentication, Authentication::Secret(_)) {
        return Decision::refuse(FieldFault::new("client_id", Malformed::NoSecret));
    }
    let secret = ClientSecret::from_random(random);
    let client = Client {
        authentication: Authentication::Secret(secret.hash()),
        updated_at: now,
        ..client.clone()
    };
    Change::default()
        .put(Record::Client(client.clone()), Expect::Version(*version))
        .event(event(
            EventKind::ClientSecretRotated,
            &client.id,
            actor,
            now,
        ))
        .answer(RenewedSecret { client, secret })
}

fn created(
    new: &NewClient,
    secret: Option<&ClientSecret>,
    catalogue: &Catalogue,
    now: UnixTime,
) -> Result<Client, Refusal> {
    // `None` stands for what is read below in its place.
    let blank = match (new.method, secret) {
        (AuthenticationMethod::Secret, Some(secret)) => Authentication::Secret(secret.hash()),
        _ => Authentication::None,
    };
    let authentication = authenticated_by(new.method, &blank, &new.fields)?;
    let client = Client {
        id: new.id.clone(),
        display_name: Default::default(),
        authentication,
        grant_types: Default::default(),
        redirect_uris: Vec::new(),
        permissions: Permissions::default(),
        details_types: PermittedTypes::default(),
        serves: Vec::new(),
        refresh_key: RefreshKey::Pinned,
        certificate_bound: false,
        only_pushed: false,
        disabled: false,
        tokens_revoked_at: None,
        created_at: now,
        updated_at: now,
    };
    changed(&client, &new.fields, catalogue, now)
}

fn changed(
    client: &Client,
    fields: &Fields,
    catalogue: &Catalogue,
    now: UnixTime,
) -> Result<Client, Refusal> {
    let mut client = client.clone();
    client.updated_at = now;
    let method = method_of(&client.authentication);
    client.authentication = authenticated_by(method, &client.authentication, fields)?;
    replace(&mut client.display_name, fields.display_name.as_ref());
    replace(&mut client.grant_types, fields.grant_types.as_ref());
    replace(&mut client.redirect_uris, fields.redirect_uris.as_ref());
    replace(&mut client.permissions, fields.permissions.as_ref());
    replace(&mut client.details_types, fields.details_types.as_ref());
    replace(&mut client.serves, fields.serves.as_ref());
    replace(&mut client.refresh_key, fields.refresh_key.as_ref());
    replace(
        &mut client.certificate_bound,
        fields.certificate_bound.as_ref(),
    );
    replace(&mut client.only_pushed, fields.only_pushed.as_ref());
    replace(&mut client.disabled, fields.disabled.as_ref());
    fits_together(&client)?;
    // Only what is written now is compared with what is registered now: a resource that was
    // removed since must not stand in the way of another change.
    if let Some(permissions) = &fields.permissions {
        permissions_are_registered(permissions, catalogue)?;
        types_are_registered(&client.details_types, catalogue)?;
    }
    for (at, uri) in fields.serves.iter().flatten().enumerate() {
        if catalogue.resource(uri).is_none() {
            return Err(fault(
                &format!("serves[{at}]"),
                Malformed::ResourceNotRegistered,
            ));
        }
    }
    Ok(client)
}

fn replace<T: Clone>(value: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        value.clone_from(new);
    }
}

const fn method_of(authentication: &Authentication) -> AuthenticationMethod {
    match authentication {
        Authentication::None => AuthenticationMethod::None,
        Authentication::Secret(_) => AuthenticationMethod::Secret,
        Authentication::PrivateKeyJwt(_) => AuthenticationMethod::PrivateKeyJwt,
        Authentication::TlsClientAuth(_) => AuthenticationMethod::TlsClientAuth,
        Authentication::SelfSignedTlsClientAuth(_) => AuthenticationMethod::SelfSignedTlsClientAuth,
    }
}

/// How the client authenticates with the new fields. The method stays; what it has no use for must
/// not be there.
fn authenticated_by(
    method: AuthenticationMethod,
    before: &Authentication,
    fields: &Fields,
) -> Result<Authentication, Refusal> {
    use AuthenticationMethod as Method;
    let keys = fields.jwks.as_ref().map(Option::as_ref);
    let name = fields.certificate_name.as_ref().map(Option::as_ref);
    let certificates = fields.certificates.as_deref();
    if method != Method::PrivateKeyJwt && keys.flatten().is_some() {
        return Err(fault("jwks", Malformed::JwksUnused));
    }
    if method != Method::TlsClientAuth && name.flatten().is_some() {
        return Err(fault("tls_client_auth", Malformed::CertificateNameUnused));
    }
    if method != Method::SelfSignedTlsClientAuth && certificates.is_some_and(|c| !c.is_empty()) {
        return Err(fault(
            "tls_client_certificates",
            Malformed::CertificatesUnused,
        ));
    }
    match method {
        Method::PrivateKeyJwt => keys.map_or(Ok(before.clone()), |keys| {
            let keys = keys.ok_or_else(|| fault("jwks", Malformed::Missing))?;
            Ok(Authentication::PrivateKeyJwt(keys.clone()))
        }),
        Method::TlsClientAuth => name.map_or(Ok(before.clone()), |name| {
            let name = name.ok_or_else(|| fault("tls_client_auth", Malformed::CertificateName))?;
            Ok(Authentication::TlsClientAuth(name.clone()))
        }),
        Method::SelfSignedTlsClientAuth => match certificates {
            None => Ok(before.clone()),
            Some([]) => Err(fault("tls_client_certificates", Malformed::Missing)),
            Some(some) => Ok(Authentication::SelfSignedTlsClientAuth(some.to_vec())),
        },
        Method::None | Method::Secret => Ok(before.clone()),
    }
}

/// What holds between the fields of every client.
fn fits_together(client: &Client) -> Result<(), Refusal> {
    let grants = client.grant_types;
    let public = client.is_public();
    let broken = if grants.is_empty() {
        Some(("grant_types", Malformed::GrantTypeMissing))
    } else if public && grants.client_credentials {
        Some(("grant_types", Malformed::GrantTypeConfidential))
    } else if grants.refresh_token && !(grants.authorization_code || grants.device_code) {
        Some(("grant_types", Malformed::GrantTypeRefreshAlone))
    } else if grants.authorization_code && client.redirect_uris.is_empty() {
        Some(("redirect_uris", Malformed::RedirectUriNeeded))
    } else if public && client.refresh_key == RefreshKey::Replaceable {
        Some(("refresh_key", Malformed::RefreshKeyPublic))
    } else {
        None
    };
    broken.map_or(Ok(()), |(field, problem)| Err(fault(field, problem)))
}

fn permissions_are_registered(
    permissions: &Permissions,
    catalogue: &Catalogue,
) -> Result<(), Refusal> {
    for (uri, scopes) in permissions.iter() {
        let resource = catalogue
            .resource(uri)
            .ok_or_else(|| fault("permissions.resource", Malformed::ResourceNotRegistered))?;
        if !scopes.is_within(&resource.scopes) {
            return Err(fault("permissions.scopes", Malformed::ScopeNotOfResource));
        }
    }
    Ok(())
}

fn types_are_registered(types: &PermittedTypes, catalogue: &Catalogue) -> Result<(), Refusal> {
    for (uri, types) in types.iter() {
        let known = catalogue
            .resource(uri)
            .map(|resource| &resource.details_types);
        let is_known = |kind| known.is_some_and(|known| known.schema(kind).is_some());
        if !types.iter().all(is_known) {
            let problem = Malformed::DetailsTypeNotOfResource;
            return Err(fault("permissions.details_types", problem));
        }
    }
    Ok(())
}

fn event(kind: EventKind, client: &ClientId, actor: &Actor, now: UnixTime) -> Event {
    Event {
        at: now,
        kind,
        client: Some(client.clone()),
        actor: actor.clone(),
        object: Object::Client(client.clone()),
        reason: None,
        granted: None,
    }
}
