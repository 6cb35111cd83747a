//! What the tests begin with: names, registrations, and forms that are right in every field.

use countersign_issuer::authorize::{ApproveForm, PushForm};
use countersign_issuer::model::{
    AccessTokenFormat, Authentication, Client, ClientId, ClientSecret, DisplayName, Epoch,
    GrantTypes, Permissions, RedirectUri, RefreshKey, Resource, ResourceUri, Scopes,
};
use countersign_issuer::{
    Ask, Authenticated, CodeForm, Issued, Issuer, IssuerName, Lifetimes, MacKey, MacKeyId, MacKeys,
    Presented, Refusal, authenticate,
};
use countersign_jose::{SigningKey, Thumbprint, UnixTime};

pub(crate) const ISSUER: &str = "https://tokens.internal:7443";
pub(crate) const ORDERS: &str = "https://orders.internal:8443";
pub(crate) const BILLING: &str = "https://billing.internal:8443";
pub(crate) const REDIRECT: &str = "https://shop.example/callback";
/// RFC 7636, Appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const START: UnixTime = UnixTime::from_secs(1_760_000_000);

pub(crate) const KEY_A: Thumbprint = Thumbprint::from_bytes([0xa; 32]);
pub(crate) const KEY_B: Thumbprint = Thumbprint::from_bytes([0xb; 32]);

/// The issuer, with a store that was never set back.
pub(crate) fn issuer() -> Issuer {
    let mac = |id: u8| MacKey::new(MacKeyId::new([id; 4]), &[id; 32]);
    Issuer {
        name: IssuerName::parse(ISSUER).unwrap(),
        lifetimes: Lifetimes::default(),
        mac_keys: MacKeys::new(mac(1), vec![mac(2)]),
        epoch: Epoch::default(),
        set_back_at: None,
    }
}

/// The client after it showed what it is registered with.
pub(crate) fn shown(client: &Client) -> Authenticated<'_> {
    let secret = secret_of(client.id.as_str());
    let assertion;
    let presented = match &client.authentication {
        Authentication::None => Presented::Nothing,
        Authentication::Secret(_) => Presented::Secret(secret.reveal()),
        Authentication::PrivateKeyJwt(_) => {
            assertion = crate::authentication::sign(&crate::authentication::claims());
            Presented::Assertion(&assertion)
        }
        Authentication::TlsClientAuth(_) | Authentication::SelfSignedTlsClientAuth(_) => {
            panic!("nobody in this world has a certificate")
        }
    };
    authenticate(&client.id, Some(client), &presented, None, &issuer(), START).unwrap()
}

pub(crate) fn assertion_key() -> SigningKey {
    SigningKey::generate_es256([7; 32]).unwrap()
}

pub(crate) fn secret_of(id: &str) -> ClientSecret {
    let mut random = [9; 32];
    random[..id.len()].copy_from_slice(id.as_bytes());
    ClientSecret::from_random(&random)
}

pub(crate) fn all_grants() -> GrantTypes {
    GrantTypes {
        client_credentials: true,
        authorization_code: true,
        refresh_token: true,
        device_code: true,
    }
}

pub(crate) fn by_secret(id: &str) -> Client {
    Client {
        id: ClientId::parse(id).unwrap(),
        display_name: DisplayName::parse("A client").unwrap(),
        authentication: Authentication::Secret(secret_of(id).hash()),
        grant_types: all_grants(),
        redirect_uris: vec![RedirectUri::parse(REDIRECT).unwrap()],
        permissions: permissions(&[(ORDERS, &["orders.read", "orders.write"])]),
        serves: Vec::new(),
        refresh_key: RefreshKey::Pinned,
        certificate_bound: false,
        only_pushed: false,
        disabled: false,
        tokens_revoked_at: None,
        created_at: START,
        updated_at: START,
        details_types: Default::default(),
    }
}

pub(crate) fn resource(uri: &str, scopes: &[&str]) -> Resource {
    Resource {
        uri: ResourceUri::parse(uri).unwrap(),
        display_name: DisplayName::default(),
        scopes: Scopes::parse(scopes).unwrap(),
        scope_descriptions: Default::default(),
        access_token_lifetime: None,
        access_token_format: AccessTokenFormat::Jwt,
        created_at: START,
        updated_at: START,
        details_types: Default::default(),
    }
}

pub(crate) fn permissions(entries: &[(&str, &[&str])]) -> Permissions {
    entries
        .iter()
        .map(|(uri, scopes)| {
            (
                ResourceUri::parse(uri).unwrap(),
                Scopes::parse(scopes).unwrap(),
            )
        })
        .collect()
}

pub(crate) fn ask(scopes: &[&str], resources: &[&str]) -> Ask {
    Ask::parse(scopes, resources).unwrap()
}

pub(crate) fn pushing() -> PushForm<'static, &'static str> {
    PushForm {
        redirect_uri: REDIRECT,
        scopes: &[],
        resources: &[],
        state: "a b&c",
        code_challenge: CHALLENGE,
        code_challenge_method: "S256",
        dpop_jkt: "",
        max_age: None,
        acr_values: &[],
        prompts: &[],
        authorization_details: "",
    }
}

pub(crate) fn approving() -> ApproveForm<'static, &'static str> {
    ApproveForm {
        subject: "alice",
        scopes: &[],
        auth_time: None,
        acr: "",
        authorization_details: "",
    }
}

pub(crate) fn redeeming(code: &str) -> CodeForm<'_, &'static str> {
    CodeForm {
        code,
        redirect_uri: REDIRECT,
        code_verifier: VERIFIER,
        scopes: &[],
        resources: &[],
        authorization_details: "",
    }
}

/// A parameter of the query of a URI.
pub(crate) fn parameter(uri: &str, name: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

pub(crate) fn refresh_token(issued: &Issued) -> String {
    issued.refresh_token.as_ref().unwrap().reveal().to_owned()
}

/// What a test compares: the stable name of the refusal, or none.
pub(crate) fn outcome<T>(answer: Result<T, Refusal>) -> Option<&'static str> {
    answer.err().map(|refusal| refusal.label())
}
