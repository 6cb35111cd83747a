//! `Debug` for messages that carry secrets: the fields that may be seen, and
//! nothing of the others. `build.rs` lists the same messages.

use std::fmt;

use crate::{admin, authorization, introspection, storage, token};

/// Shows the named fields; what is not named is secret.
macro_rules! redact {
    ($($message:path { $($shown:ident),* })*) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))
                    $(.field(stringify!($shown), &self.$shown))*
                    .finish_non_exhaustive()
            }
        }
    )*};
}

redact! {
    token::v1::ClientAuthentication { client_id }
    token::v1::AuthorizationCode { redirect_uri }
    token::v1::DeviceCode {}
    token::v1::IssueTokenRequest { client, grant, scopes, resources }
    token::v1::IssueTokenResponse { token_type, expires_in, scopes, family_id }
    token::v1::RotateTokenRequest { client, scopes, resources }
    token::v1::RotateTokenResponse { token_type, expires_in, scopes, family_id }
    token::v1::RevokeTokenRequest { client, token_type_hint }
    introspection::v1::IntrospectTokenRequest { token_type_hint }
    introspection::v1::IntrospectTokenResponse { active, iss, sub, aud, client_id, scopes, token_type, iat, exp, jti, cnf, family_id, auth_time, acr }
    authorization::v1::PushAuthorizationRequest { client, redirect_uri, scopes, resources }
    authorization::v1::PushAuthorizationResponse { expires_in }
    authorization::v1::AuthorizeDeviceRequest { client, scopes, resources }
    authorization::v1::AuthorizeDeviceResponse { verification_uri, expires_in, interval }
    authorization::v1::FindAuthorizationRequest {}
    authorization::v1::FindAuthorizationResponse { authorization }
    authorization::v1::GetAuthorizationRequest {}
    authorization::v1::Authorization { client_id, client_display_name, redirect_uri, scopes, resources, expire_time, device }
    authorization::v1::ApproveAuthorizationRequest { scopes }
    authorization::v1::ApproveAuthorizationResponse {}
    authorization::v1::DenyAuthorizationRequest { reason }
    authorization::v1::DenyAuthorizationResponse {}
    admin::v1::CreateClientResponse { client }
    admin::v1::RotateClientSecretResponse {}
    admin::v1::BackupStoreResponse {}
    admin::v1::CreateAccountRequest { account }
    admin::v1::SetAccountPasswordRequest { name }
    storage::v1::ClientRecord { client_id }
    storage::v1::AuthorizationRecord { client_id, stage }
    storage::v1::DetailRecord { resources }
    storage::v1::ReferenceTokenRecord { client_id, subject, audience, scopes, issued_millis, expires_millis }
    storage::v1::KeyRecord { key_id, purpose, state }
    storage::v1::AccountRecord { name, disabled, generation }
    storage::v1::SessionRecord { account, generation }
}

/// Says which kind of credential there is, never its value.
impl fmt::Debug for token::v1::client_authentication::Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientSecret(_) => "ClientSecret(..)",
            Self::ClientAssertion(_) => "ClientAssertion(..)",
        })
    }
}

/// Says which kind of grant there is.
impl fmt::Debug for token::v1::issue_token_request::Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientCredentials(_) => "ClientCredentials",
            Self::AuthorizationCode(_) => "AuthorizationCode(..)",
            Self::DeviceCode(_) => "DeviceCode(..)",
        })
    }
}

/// Says what is to be revoked; a family's name is no secret, a token is.
impl fmt::Debug for token::v1::revoke_token_request::Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(..)"),
            Self::FamilyId(id) => f.debug_tuple("FamilyId").field(id).finish(),
        }
    }
}
