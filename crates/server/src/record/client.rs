//! Clients.

use bytes::Bytes;
use countersign_issuer::model::{
    Authentication, CertificateName, Client, ClientId, DetailsType, DisplayName, GrantTypes,
    PermittedTypes, RedirectUri, RefreshKey, ResourceUri, SecretHash,
};
use countersign_jose::{CertificateThumbprint, Jwks, UnixTime};

use super::resource::{permission_records, permissions};
use super::{
    Damaged, Recorded, bytes_of, certificate_thumbprint, message_of, millis, read, stored, time,
};
use stored::client_record::CertificateName as StoredName;

impl Recorded for Client {
    fn encode(&self) -> Bytes {
        use stored::ClientAuthenticationMethod as Method;
        let mut record = stored::ClientRecord::default();
        let method = match &self.authentication {
            Authentication::None => Method::None,
            Authentication::Secret(hash) => {
                record.secret_sha256 = Bytes::copy_from_slice(hash.as_bytes());
                Method::Secret
            }
            Authentication::PrivateKeyJwt(jwks) => {
                record.jwks = jwks.to_json();
                Method::PrivateKeyJwt
            }
            Authentication::TlsClientAuth(name) => {
                record.certificate_name = Some(stored_name(name));
                Method::TlsClientAuth
            }
            Authentication::SelfSignedTlsClientAuth(certificates) => {
                record.certificate_sha256 = certificates
                    .iter()
                    .map(|certificate| Bytes::copy_from_slice(certificate.as_bytes()))
                    .collect();
                Method::SelfSignedTlsClientAuth
            }
        };
        bytes_of(&stored::ClientRecord {
            client_id: self.id.as_str().to_owned(),
            display_name: self.display_name.as_str().to_owned(),
            authentication_method: method.into(),
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
            certificate_bound: self.certificate_bound,
            only_pushed: self.only_pushed,
            ..record
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
            certificate_bound: record.certificate_bound,
            only_pushed: record.only_pushed,
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
        Method::TlsClientAuth => Ok(Authentication::TlsClientAuth(certificate_name(
            record.certificate_name.as_ref().ok_or(Damaged)?,
        )?)),
        // One without certificates authenticates by none.
        Method::SelfSignedTlsClientAuth => Ok(Authentication::SelfSignedTlsClientAuth(
            record
                .certificate_sha256
                .iter()
                .map(|bytes| certificate_thumbprint(bytes))
                .collect::<Result<Vec<CertificateThumbprint>, _>>()?,
        )),
    }
}

fn stored_name(name: &CertificateName) -> StoredName {
    match name {
        CertificateName::Subject(text, _) => StoredName::CertificateSubjectDn(text.clone()),
        CertificateName::Dns(text) => StoredName::CertificateSanDns(text.clone()),
        CertificateName::Uri(text) => StoredName::CertificateSanUri(text.clone()),
        CertificateName::Ip(ip) => StoredName::CertificateSanIp(ip.to_string()),
        CertificateName::Email(text) => StoredName::CertificateSanEmail(text.clone()),
    }
}

fn certificate_name(name: &StoredName) -> Result<CertificateName, Damaged> {
    read(match name {
        StoredName::CertificateSubjectDn(text) => CertificateName::subject(text),
        StoredName::CertificateSanDns(text) => CertificateName::dns(text),
        StoredName::CertificateSanUri(text) => CertificateName::uri(text),
        StoredName::CertificateSanIp(text) => CertificateName::ip(text),
        StoredName::CertificateSanEmail(text) => CertificateName::email(text),
    })
}
