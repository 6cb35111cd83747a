//! Clients.

use countersign::admin::v1 as message;
use countersign::admin::v1::client::TlsClientAuth;
use countersign_issuer::Version;
use countersign_issuer::model::{
    Authentication, CertificateName, Client, GrantType, GrantTypes, RefreshKey,
};
use countersign_issuer::register::{
    AuthenticationMethod, CertificateNameForm, ClientForm, PermissionForm, etag,
};

use super::needed;
use crate::refused::Refused;
use crate::wire::{scopes, timestamp};

/// The field `client` of a request.
pub(crate) fn client_form(client: Option<message::Client>) -> Result<ClientForm, Refused> {
    let client = needed("client", client)?;
    Ok(ClientForm {
        authentication_method: match client.authentication_method() {
            message::AuthenticationMethod::Unspecified => None,
            message::AuthenticationMethod::None => Some(AuthenticationMethod::None),
            message::AuthenticationMethod::ClientSecret => Some(AuthenticationMethod::Secret),
            message::AuthenticationMethod::PrivateKeyJwt => {
                Some(AuthenticationMethod::PrivateKeyJwt)
            }
            message::AuthenticationMethod::TlsClientAuth => {
                Some(AuthenticationMethod::TlsClientAuth)
            }
            message::AuthenticationMethod::SelfSignedTlsClientAuth => {
                Some(AuthenticationMethod::SelfSignedTlsClientAuth)
            }
        },
        grant_types: client
            .grant_types
            .iter()
            .map(|number| grant_type(*number))
            .collect(),
        refresh_key: refresh_key(client.refresh_key)?,
        permissions: client
            .permissions
            .into_iter()
            .map(|permission| PermissionForm {
                resource: permission.resource,
                scopes: permission.scopes,
                details_types: permission.details_types,
            })
            .collect(),
        client_id: client.client_id,
        display_name: client.display_name,
        jwks: client.jwks,
        redirect_uris: client.redirect_uris,
        serves: client.serves,
        certificate_name: client.tls_client_auth.map(certificate_name),
        certificates: client.tls_client_certificates,
        certificate_bound: client.tls_client_certificate_bound_access_tokens,
        only_pushed: client.require_pushed_authorization_requests,
        disabled: client.disabled,
        etag: client.etag,
    })
}

/// A client as it is shown. Its secret's hash is not.
pub(crate) fn client(client: &Client, version: Version) -> message::Client {
    use message::AuthenticationMethod as Method;
    let (mut jwks, mut name, mut certificates) = (String::new(), None, Vec::new());
    let method = match &client.authentication {
        Authentication::None => Method::None,
        Authentication::Secret(_) => Method::ClientSecret,
        Authentication::PrivateKeyJwt(keys) => {
            jwks = keys.to_json();
            Method::PrivateKeyJwt
        }
        Authentication::TlsClientAuth(registered) => {
            name = Some(name_shown(registered));
            Method::TlsClientAuth
        }
        Authentication::SelfSignedTlsClientAuth(own) => {
            certificates = own.iter().map(ToString::to_string).collect();
            Method::SelfSignedTlsClientAuth
        }
    };
    let refresh_key = match client.refresh_key {
        RefreshKey::Pinned => message::RefreshKey::Pinned,
        RefreshKey::Replaceable => message::RefreshKey::Client,
    };
    message::Client {
        client_id: client.id.as_str().to_owned(),
        display_name: client.display_name.as_str().to_owned(),
        authentication_method: method.into(),
        jwks,
        grant_types: grant_numbers(client.grant_types),
        redirect_uris: client
            .redirect_uris
            .iter()
            .map(|uri| uri.as_str().to_owned())
            .collect(),
        permissions: client
            .permissions
            .iter()
            .map(|(uri, at)| message::Permission {
                resource: uri.as_str().to_owned(),
                scopes: scopes(at),
                details_types: client
                    .details_types
                    .at(uri)
                    .map(|kind| kind.as_str().to_owned())
                    .collect(),
            })
            .collect(),
        serves: client
            .serves
            .iter()
            .map(|uri| uri.as_str().to_owned())
            .collect(),
        refresh_key: refresh_key.into(),
        disabled: client.disabled,
        create_time: Some(timestamp(client.created_at)),
        update_time: Some(timestamp(client.updated_at)),
        etag: etag(version),
        tls_client_auth: name,
        tls_client_certificates: certificates,
        tls_client_certificate_bound_access_tokens: client.certificate_bound,
        require_pushed_authorization_requests: client.only_pushed,
    }
}

fn certificate_name(name: TlsClientAuth) -> CertificateNameForm {
    match name {
        TlsClientAuth::TlsClientAuthSubjectDn(text) => CertificateNameForm::Subject(text),
        TlsClientAuth::TlsClientAuthSanDns(text) => CertificateNameForm::Dns(text),
        TlsClientAuth::TlsClientAuthSanUri(text) => CertificateNameForm::Uri(text),
        TlsClientAuth::TlsClientAuthSanIp(text) => CertificateNameForm::Ip(text),
        TlsClientAuth::TlsClientAuthSanEmail(text) => CertificateNameForm::Email(text),
    }
}

fn name_shown(name: &CertificateName) -> TlsClientAuth {
    match name {
        CertificateName::Subject(text, _) => TlsClientAuth::TlsClientAuthSubjectDn(text.clone()),
        CertificateName::Dns(text) => TlsClientAuth::TlsClientAuthSanDns(text.clone()),
        CertificateName::Uri(text) => TlsClientAuth::TlsClientAuthSanUri(text.clone()),
        CertificateName::Ip(ip) => TlsClientAuth::TlsClientAuthSanIp(ip.to_string()),
        CertificateName::Email(text) => TlsClientAuth::TlsClientAuthSanEmail(text.clone()),
    }
}

fn grant_type(number: i32) -> Option<GrantType> {
    match message::GrantType::try_from(number) {
        Ok(message::GrantType::ClientCredentials) => Some(GrantType::ClientCredentials),
        Ok(message::GrantType::AuthorizationCode) => Some(GrantType::AuthorizationCode),
        Ok(message::GrantType::RefreshToken) => Some(GrantType::RefreshToken),
        Ok(message::GrantType::DeviceCode) => Some(GrantType::DeviceCode),
        Ok(message::GrantType::Unspecified) | Err(_) => None,
    }
}

fn grant_numbers(types: GrantTypes) -> Vec<i32> {
    [
        (
            types.client_credentials,
            message::GrantType::ClientCredentials,
        ),
        (
            types.authorization_code,
            message::GrantType::AuthorizationCode,
        ),
        (types.refresh_token, message::GrantType::RefreshToken),
        (types.device_code, message::GrantType::DeviceCode),
    ]
    .into_iter()
    .filter(|(has, _)| *has)
    .map(|(_, number)| number.into())
    .collect()
}

/// A number that this release does not know must not pass for the default.
fn refresh_key(number: i32) -> Result<RefreshKey, Refused> {
    match message::RefreshKey::try_from(number) {
        Ok(message::RefreshKey::Unspecified | message::RefreshKey::Pinned) => {
            Ok(RefreshKey::Pinned)
        }
        Ok(message::RefreshKey::Client) => Ok(RefreshKey::Replaceable),
        Err(_) => Err(Refused::Field {
            field: "client.refresh_key",
            expected: "must be pinned or client",
        }),
    }
}
