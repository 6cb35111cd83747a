//! Authorization details over the wire (RFC 9396): registered, asked for, shown, approved, carried,
//! introspected.

use countersign::admin::v1::{self as admin, AccessTokenFormat, AuthenticationMethod};
use countersign::authorization::v1 as authorization;
use countersign::token::v1 as token;
use countersign_jose::{CompactJws, json};
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::comes::{Comes, check};
use crate::flow::{approved, pkce, push_request, redeem, redeem_request, with_login};
use crate::harness::{
    APPROVE, Client, GET, ISSUE, ORDERS, ROTATE, Service, credentials, inner, person_client,
    service_client, strings, with_proof,
};
use crate::introspection::{gateway, introspect};
use crate::proof::Key;
use crate::references::have;

const SCHEMA: &str = r#"{
    "properties": {
        "identifier": {"type": "string", "pattern": "^acc-[0-9]+$"},
        "actions": {"type": "array", "items": {"enum": ["read", "transfer"]}},
        "locations": true
    },
    "required": ["identifier"]
}"#;

/// The details of a token for one account.
pub(crate) fn account(identifier: &str) -> String {
    format!(r#"[{{"actions":["read"],"identifier":"{identifier}","type":"account"}}]"#)
}

/// From now on ORDERS has accounts and parcels.
pub(crate) async fn has_accounts(service: &Service) {
    inner(types(service, &[("account", SCHEMA), ("parcel", "{}")]).await).expect("changed");
}

async fn types(
    service: &Service,
    types: &[(&str, &str)],
) -> Result<tonic::Response<admin::UpdateResourceResponse>, Status> {
    let types = types.iter().map(|(name, schema)| admin::DetailsType {
        name: (*name).to_owned(),
        schema: (*schema).to_owned(),
    });
    let request = admin::UpdateResourceRequest {
        resource: Some(admin::Resource {
            uri: ORDERS.to_owned(),
            details_types: types.collect(),
            ..admin::Resource::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: strings(&["details_types"]),
        }),
    };
    service.resources().await.update_resource(request).await
}

/// The service with accounts, the login application, and a shop that may ask for them.
pub(crate) async fn shop() -> (Service, Client, Client) {
    let (service, login) = with_login().await;
    has_accounts(&service).await;
    let mut shop = person_client("shop", AuthenticationMethod::ClientSecret);
    shop.permissions[0].details_types = strings(&["account"]);
    let shop = service.add(shop).await;
    (service, login, shop)
}

/// Lodges a request with these details; its `request_uri`, and the verifier of its code.
pub(crate) async fn lodged(
    service: &Service,
    shop: &Client,
    details: &str,
) -> Result<(String, String), Status> {
    let (verifier, challenge) = pkce();
    let mut request = push_request(shop, &challenge);
    request.authorization_details = details.to_owned();
    let mut authorizations = service.authorizations().await;
    let lodged = inner(authorizations.push_authorization(request).await)?;
    Ok((lodged.request_uri, verifier))
}

pub(crate) async fn approve(
    service: &Service,
    login: &Client,
    request_uri: &str,
    details: &str,
) -> Result<authorization::ApproveAuthorizationResponse, Status> {
    let approve = authorization::ApproveAuthorizationRequest {
        request_uri: request_uri.to_owned(),
        subject: "ann".to_owned(),
        authorization_details: details.to_owned(),
        ..authorization::ApproveAuthorizationRequest::default()
    };
    let request = service.guarded(login, APPROVE, approve).await;
    let mut authorizations = service.authorizations().await;
    inner(authorizations.approve_authorization(request).await)
}

pub(crate) async fn rotate(
    service: &Service,
    shop: &Client,
    key: &Key,
    refresh_token: &str,
    details: &str,
) -> Result<token::RotateTokenResponse, Status> {
    let request = token::RotateTokenRequest {
        client: shop.authentication(),
        refresh_token: refresh_token.to_owned(),
        authorization_details: details.to_owned(),
        ..token::RotateTokenRequest::default()
    };
    let proof = service.proof(key, ROTATE);
    let mut tokens = service.tokens().await;
    inner(tokens.rotate_token(with_proof(request, &proof)).await)
}

/// What a person's approval of these details led to.
pub(crate) async fn signed_in_for(
    service: &Service,
    login: &Client,
    shop: &Client,
    key: &Key,
    details: &str,
) -> token::IssueTokenResponse {
    let (request_uri, verifier) = lodged(service, shop, details).await.expect("lodged");
    let code = approved(service, login, &request_uri).await;
    let request = redeem_request(shop, &code, &verifier);
    redeem(service, key, request).await.expect("redeemed")
}

/// The claim of a JWT, as JSON; empty without one.
fn claimed(jwt: &str) -> String {
    let jws = CompactJws::parse(jwt, 8 * 1024).expect("a JWS");
    let claims = json::parse_object(jws.payload()).expect("claims");
    let claim = claims.get("authorization_details");
    claim.map_or_else(String::new, ToString::to_string)
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_registered_with_a_resource_and_permitted_to_a_client() {
    let (service, _) = with_login().await;
    has_accounts(&service).await;
    let get = admin::GetResourceRequest {
        uri: ORDERS.to_owned(),
    };
    let shown = inner(service.resources().await.get_resource(get).await).expect("shown");
    let resource = shown.resource.expect("a resource");
    let types: Vec<_> = resource
        .details_types
        .iter()
        .map(|kind| (kind.name.as_str(), kind.schema.as_str()))
        .collect();
    assert_eq!(types, [("account", SCHEMA), ("parcel", "{}")]);
    assert_eq!(resource.scopes, ["orders.read", "orders.write"], "kept");

    let mut ledger = service_client("ledger", &[(ORDERS, &["orders.read"])]);
    ledger.permissions[0].details_types = strings(&["account"]);
    service.add(ledger).await;
    let get = admin::GetClientRequest {
        client_id: "ledger".to_owned(),
    };
    let shown = inner(service.clients().await.get_client(get).await).expect("shown");
    let permission = &shown.client.expect("a client").permissions[0];
    assert_eq!(permission.details_types, ["account"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_registration_names_the_type_and_the_place_in_its_schema() {
    let (service, _) = with_login().await;
    has_accounts(&service).await;
    let remote = r#"{"properties": {"a": {"$ref": "https://elsewhere.example/schema"}}}"#;
    for (schema, place) in [
        ("{", ""),
        (r#"{"typo": 1}"#, "#/typo"),
        (
            r#"{"properties": {"a": {"type": "strng"}}}"#,
            "#/properties/a/type",
        ),
        (remote, "#/properties/a/$ref"),
    ] {
        let answer = types(&service, &[("a", "{}"), ("b", schema)]).await;
        let status = answer.expect_err("refused");
        let details = status.get_error_details();
        let violations = &details.bad_request().expect("a field").field_violations;
        let field = format!("resource.details_types[1].schema{place}");
        assert_eq!(violations[0].field, field, "{schema}");
        assert!(
            !status.message().contains("elsewhere"),
            "{}",
            status.message()
        );
    }
    let mut stranger = service_client("stranger", &[(ORDERS, &["orders.read"])]);
    stranger.permissions[0].details_types = strings(&["none"]);
    let request = admin::CreateClientRequest {
        client: Some(stranger),
    };
    let created = inner(service.clients().await.create_client(request).await);
    check(
        "no such type",
        &created,
        Comes::R("client.permissions.details_types"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_its_own_name_gets_what_it_asks_for_in_either_format() {
    let (service, _) = with_login().await;
    has_accounts(&service).await;
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let mut ledger = service_client("ledger", &[(ORDERS, &["orders.read"])]);
    ledger.permissions[0].details_types = strings(&["account"]);
    let ledger = service.add(ledger).await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Reference] {
        have(&service, ORDERS, format).await;
        for asked in [account("acc-17"), String::new(), "[]".to_owned()] {
            let mut request = credentials(&ledger);
            request.authorization_details = asked.clone();
            let proof = service.proof(&Key::new(), ISSUE);
            let mut tokens = service.tokens().await;
            let issued = inner(tokens.issue_token(with_proof(request, &proof)).await);
            let issued = issued.expect("issued");
            let expected = if asked == "[]" { String::new() } else { asked };
            assert_eq!(issued.authorization_details, expected);
            if format == AccessTokenFormat::Jwt {
                assert_eq!(claimed(&issued.access_token), expected);
            }
            let told = introspect(&service, &gateway, &issued.access_token, "").await;
            let told = told.expect("introspected");
            assert!(told.active);
            assert_eq!(told.authorization_details, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_shown_them_and_they_stay_with_the_family_over_a_restart() {
    let (mut service, login, shop) = shop().await;
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let key = Key::new();
    let two =
        r#"[{"identifier":"acc-1","type":"account"},{"identifier":"acc-2","type":"account"}]"#;
    let second = r#"[{"identifier":"acc-2","type":"account"}]"#;
    let (request_uri, verifier) = lodged(&service, &shop, two).await.expect("lodged");
    let get = authorization::GetAuthorizationRequest {
        request_uri: request_uri.clone(),
    };
    let get = service.guarded(&login, GET, get).await;
    let shown = inner(service.authorizations().await.get_authorization(get).await);
    let shown = shown.expect("shown").authorization.expect("a request");
    assert_eq!(shown.authorization_details, two);

    let redirect = approve(&service, &login, &request_uri, second).await;
    let redirect = url::Url::parse(&redirect.expect("approved").redirect_to).expect("a URL");
    let code = redirect.query_pairs().find(|(name, _)| name == "code");
    let code = code.expect("a code").1.into_owned();
    let issued = redeem(&service, &key, redeem_request(&shop, &code, &verifier)).await;
    let issued = issued.expect("redeemed");
    assert_eq!(issued.authorization_details, second);
    assert_eq!(claimed(&issued.access_token), second);

    let told = introspect(&service, &gateway, &issued.access_token, "").await;
    assert_eq!(told.expect("introspected").authorization_details, second);

    // Narrowed once, and all of it again; also from the disk.
    let none = rotate(&service, &shop, &key, &issued.refresh_token, "[]").await;
    let none = none.expect("rotated");
    assert_eq!(
        (
            none.authorization_details.as_str(),
            claimed(&none.access_token)
        ),
        ("", String::new())
    );
    service.restart().await;
    let challenged = rotate(&service, &shop, &key, &none.refresh_token, "").await;
    let nonce = crate::comes::nonce_of(&challenged.expect_err("a cold start"));
    let request = token::RotateTokenRequest {
        client: shop.authentication(),
        refresh_token: none.refresh_token,
        ..token::RotateTokenRequest::default()
    };
    let proof = key.mint(&service.htu(ROTATE), service.now(), Some(&nonce));
    let again = inner(
        service
            .tokens()
            .await
            .rotate_token(with_proof(request, &proof))
            .await,
    );
    let again = again.expect("rotated");
    assert_eq!(again.authorization_details, second);
    assert_eq!(claimed(&again.access_token), second);
}
