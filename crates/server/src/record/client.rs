//! Clients.

use bytes::Bytes;
use countersign_issuer::model::{
    Authentication, Client, ClientId, DetailsType, DisplayName, GrantTypes, PermittedTypes,
    RedirectUri, RefreshKey, ResourceUri, SecretHash,
};
use countersign_jose::{Jwks, UnixTime};

use super::resource::{permission_records, permissions};
use super::{Damaged, Recorded, bytes_of, message_of, millis, read, stored, time};

impl Recorded for Client {
    fn encode(&self) -> Bytes {
        use stored::ClientAuthenticationMethod as Method;
        let (method, secret, jwks) = match &self.authentication {
            Authentication::None => (Method::None, Bytes::new(), String::new()),
            Authentication::Secret(hash) => (
                Method::Secret,
                Bytes::copy_from_slice(hash.as_bytes()),
                String::new(),
            ),
            Authentication::PrivateKeyJwt(jwks) => {
                (Method::PrivateKeyJwt, Bytes::new(), jwks.to_json())
            }
        };
        bytes_of(&stored::ClientRecord {
            client_id: self.id.as_str().to_owned(),
            display_name: self.display_name.as_str().to_owned(),
            authentication_method: method.into(),
            secret_sha256: secret,
            jwks,
            grant_client_credentials: self.grant_types.client_credentials,
            grant_authorization_code: self.grant_types.authorization_code,
            grant_refresh_token: self.grant_types.refresh_token,
            grant_device_code: self.grant_types.device_code,
            redirect_uris: self
                .redirect_uris
                .iter()
                .map(|uri| uri.as_str().to_owned())
                .collect(),
            permissions: allowed_records(self),
            serves: self
                .serves
                .iter()
                .map(|uri| uri.as_str().to_owned())
                .collect(),
            refresh_key_replaceable: match self.refresh_key {
                RefreshKey::Pinned => false,
                RefreshKey::Replaceable => true,
            },
            disabled: self.disabled,
            created_millis: self.created_at.as_millis(),
            updated_millis: self.updated_at.as_millis(),
            tokens_revoked_millis: millis(self.tokens_revoked_at),
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::ClientRecord = message_of(bytes)?;
        Ok(Self {
            id: read(ClientId::parse(&record.client_id))?,
            display_name: read(DisplayName::parse(&record.display_name))?,
            authentication: authentication(&record)?,
            grant_types: GrantTypes {
                client_credentials: record.grant_client_credentials,
                authorization_code: record.grant_authorization_code,
                refresh_token: record.grant_refresh_token,
                device_code: record.grant_device_code,
            },
            redirect_uris: record
                .redirect_uris
                .iter()
                .map(|uri| read(RedirectUri::parse(uri)))
                .collect::<Result<_, _>>()?,
            permissions: permissions(&record.permissions)?,
            details_types: details_types(&record.permissions)?,
            serves: record
                .serves
                .iter()
                .map(|uri| read(ResourceUri::parse(uri)))
                .collect::<Result<_, _>>()?,
            refresh_key: if record.refresh_key_replaceable {
                RefreshKey::Replaceable
            } else {
                RefreshKey::Pinned
            },
            disabled: record.disabled,
            tokens_revoked_at: time(record.tokens_revoked_millis),
            created_at: UnixTime::from_millis(record.created_millis),
            updated_at: UnixTime::from_millis(record.updated_millis),
        })
    }
}

/// What it may ask for: scopes, and types of authorization details.
fn allowed_records(client: &Client) -> Vec<stored::PermissionRecord> {
    let types = |uri| {
        let types = client.details_types.at(uri);
        types.map(|kind| kind.as_str().to_owned()).collect()
    };
    permission_records(&client.permissions)
        .into_iter()
        .zip(client.permissions.resources())
        .map(|(record, uri)| stored::PermissionRecord {
            details_types: types(uri),
            ..record
        })
        .collect()
}

/// Records of the first releases have none.
fn details_types(records: &[stored::PermissionRecord]) -> Result<PermittedTypes, Damaged> {
    records
        .iter()
        .map(|record| {
            let types = record
                .details_types
                .iter()
                .map(|kind| read(DetailsType::parse(kind)))
                .collect::<Result<_, _>>()?;
            Ok((read(ResourceUri::parse(&record.resource))?, types))
        })
        .collect()
}

fn authentication(record: &stored::ClientRecord) -> Result<Authentication, Damaged> {
    use stored::ClientAuthenticationMethod as Method;
    match record.authentication_method() {
        Method::Unspecified => Err(Damaged),
        Method::None => Ok(Authentication::None),
        Method::Secret => Ok(Authentication::Secret(SecretHash::from_bytes(read(
            record.secret_sha256.as_ref().try_into(),
        )?))),
        Method::PrivateKeyJwt => Ok(Authentication::PrivateKeyJwt(read(Jwks::parse(
            record.jwks.as_bytes(),
        ))?)),
    }
}
