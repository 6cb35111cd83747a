//! Every rpc, called as it is meant to be, in an order in which each works. An rpc that no step
//! calls fails the test: a new one joins with one line here.

use serde_json::{Value, json};

use super::call::By::{self, Admin, Anybody, Holder};
use crate::setup::RESOURCE;

pub(crate) const BACK: &str = "http://127.0.0.1/back";

/// One call.
pub(crate) struct Step {
    pub(crate) by: By,
    pub(crate) rpc: &'static str,
    /// The message. A text that begins with `$` stands for what is kept under that name;
    /// `$assertion` for a new assertion of the client `signer`.
    pub(crate) body: Value,
    pub(crate) keeps: Vec<Keep>,
    /// Something of the answer that later steps need, and that anybody may know: where it is (a JSON
    /// pointer), and under which name it is kept.
    pub(crate) learns: Option<(&'static str, &'static str)>,
}

/// Something of an answer that later steps need, and that is secret from here on.
pub(crate) struct Keep {
    /// Its member, or a parameter of the URL in a member: `redirect_to?code`.
    pub(crate) member: &'static str,
    pub(crate) name: &'static str,
}

fn step(by: By, rpc: &'static str, body: Value) -> Step {
    Step {
        by,
        rpc,
        body,
        keeps: Vec::new(),
        learns: None,
    }
}

impl Step {
    fn keep(mut self, member: &'static str, name: &'static str) -> Self {
        self.keeps.push(Keep { member, name });
        self
    }

    fn learn(mut self, pointer: &'static str, name: &'static str) -> Self {
        self.learns = Some((pointer, name));
        self
    }
}

/// All of them. `url` is the service's own, and its issuer.
pub(crate) fn steps(url: &str) -> Vec<Step> {
    let authenticated =
        |name: &str, secret: &str| json!({"client_id": name, "client_secret": secret});
    let desk = json!({"client_id": "desk"});
    let permission =
        |resource: &str, scopes: &[&str]| json!([{"resource": resource, "scopes": scopes}]);
    let login = json!({
        "client_id": "login", "authentication_method": "AUTHENTICATION_METHOD_CLIENT_SECRET",
        "grant_types": ["GRANT_TYPE_CLIENT_CREDENTIALS"], "serves": [RESOURCE],
        "permissions": permission(url, &["authorizations.decide", "introspect", "revocations.watch"]),
    });
    let public = json!({
        "client_id": "desk", "authentication_method": "AUTHENTICATION_METHOD_NONE",
        "grant_types": ["GRANT_TYPE_AUTHORIZATION_CODE", "GRANT_TYPE_REFRESH_TOKEN", "GRANT_TYPE_DEVICE_CODE"],
        "redirect_uris": [BACK], "permissions": permission(RESOURCE, &["orders.read"]),
    });
    let signer = json!({
        "client_id": "signer", "authentication_method": "AUTHENTICATION_METHOD_PRIVATE_KEY_JWT",
        "grant_types": ["GRANT_TYPE_CLIENT_CREDENTIALS"], "jwks": "$jwks",
        "permissions": permission(RESOURCE, &["orders.read"]),
    });
    // Its tokens are references.
    let billing = "https://billing.example";
    let teller = json!({
        "client_id": "teller", "authentication_method": "AUTHENTICATION_METHOD_CLIENT_SECRET",
        "grant_types": ["GRANT_TYPE_CLIENT_CREDENTIALS"], "serves": [billing],
        "permissions": [{"resource": billing, "scopes": ["bills.read"]}, {"resource": url, "scopes": ["introspect"]}],
    });
    let pushed = json!({
        "client": desk, "redirect_uri": BACK, "scopes": ["orders.read"], "resources": [RESOURCE],
        "state": "$state", "code_challenge": "$challenge", "code_challenge_method": "S256",
    });
    vec![
        step(Admin, "countersign.admin.v1.ResourceService/CreateResource", json!({"resource": {"uri": RESOURCE, "scopes": ["orders.read", "orders.write"]}})),
        step(Admin, "countersign.admin.v1.ResourceService/GetResource", json!({"uri": RESOURCE})),
        step(Admin, "countersign.admin.v1.ResourceService/ListResources", json!({})),
        step(Admin, "countersign.admin.v1.ResourceService/UpdateResource", json!({"resource": {"uri": RESOURCE, "display_name": "Orders"}, "update_mask": "displayName"})),
        step(Admin, "countersign.admin.v1.ClientService/CreateClient", json!({"client": login})).keep("client_secret", "first_secret"),
        step(Admin, "countersign.admin.v1.ClientService/CreateClient", json!({"client": public})),
        step(Admin, "countersign.admin.v1.ClientService/CreateClient", json!({"client": signer})),
        step(Admin, "countersign.admin.v1.ClientService/GetClient", json!({"client_id": "login"})),
        step(Admin, "countersign.admin.v1.ClientService/ListClients", json!({})),
        step(Admin, "countersign.admin.v1.ClientService/UpdateClient", json!({"client": {"client_id": "login", "display_name": "Login"}, "update_mask": "displayName"})),
        step(Admin, "countersign.admin.v1.ClientService/RotateClientSecret", json!({"client_id": "login"})).keep("client_secret", "secret"),
        step(Admin, "countersign.admin.v1.AccountService/CreateAccount", json!({"account": {"name": "ann", "display_name": "Ann", "subject": "u-1"}, "password": "$password"})),
        step(Admin, "countersign.admin.v1.AccountService/ListAccounts", json!({})),
        step(Admin, "countersign.admin.v1.AccountService/DisableAccount", json!({"name": "ann"})),
        step(Admin, "countersign.admin.v1.AccountService/SetAccountPassword", json!({"name": "ann", "password": "$password"})),
        step(Anybody, "countersign.keys.v1.KeyService/ListKeys", json!({})),
        step(Anybody, "countersign.keys.v1.KeyService/WatchKeys", json!({})),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": authenticated("login", "$secret"), "client_credentials": {}, "resources": [url]})).keep("access_token", "own"),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": {"client_id": "signer", "client_assertion": "$assertion"}, "client_credentials": {}})).keep("access_token", "signed_for"),
        step(Anybody, "countersign.authorization.v1.AuthorizationService/PushAuthorization", pushed.clone()).keep("request_uri", "request_uri"),
        step(Holder("own"), "countersign.authorization.v1.AuthorizationService/GetAuthorization", json!({"request_uri": "$request_uri"})),
        step(Holder("own"), "countersign.authorization.v1.AuthorizationService/ApproveAuthorization", json!({"request_uri": "$request_uri", "subject": "alice"})).keep("redirect_to?code", "code"),
        step(Anybody, "countersign.authorization.v1.AuthorizationService/PushAuthorization", pushed.clone()).keep("request_uri", "another_uri"),
        step(Holder("own"), "countersign.authorization.v1.AuthorizationService/DenyAuthorization", json!({"request_uri": "$another_uri"})),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": desk, "authorization_code": {"code": "$code", "redirect_uri": BACK, "code_verifier": "$verifier"}})).keep("access_token", "access").keep("refresh_token", "refresh"),
        step(Anybody, "countersign.authorization.v1.AuthorizationService/AuthorizeDevice", json!({"client": desk, "scopes": ["orders.read"]})).keep("device_code", "device").keep("user_code", "user_code"),
        step(Holder("own"), "countersign.authorization.v1.AuthorizationService/FindAuthorization", json!({"user_code": "$user_code", "subject": "alice"})).keep("request_uri", "device_uri"),
        step(Holder("own"), "countersign.authorization.v1.AuthorizationService/ApproveAuthorization", json!({"request_uri": "$device_uri", "subject": "alice"})),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": desk, "device_code": {"device_code": "$device"}})).keep("access_token", "device_access").keep("refresh_token", "device_refresh"),
        step(Holder("own"), "countersign.introspection.v1.IntrospectionService/IntrospectToken", json!({"token": "$access"})),
        step(Holder("own"), "countersign.introspection.v1.IntrospectionService/IntrospectToken", json!({"token": "$refresh"})),
        step(Admin, "countersign.admin.v1.ResourceService/CreateResource", json!({"resource": {"uri": billing, "scopes": ["bills.read"], "access_token_format": "ACCESS_TOKEN_FORMAT_REFERENCE"}})),
        step(Admin, "countersign.admin.v1.ClientService/CreateClient", json!({"client": teller})).keep("client_secret", "teller_secret"),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": authenticated("teller", "$teller_secret"), "client_credentials": {}, "resources": [url]})).keep("access_token", "tellers"),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": authenticated("teller", "$teller_secret"), "client_credentials": {}, "resources": [billing]})).keep("access_token", "reference"),
        step(Holder("tellers"), "countersign.introspection.v1.IntrospectionService/IntrospectToken", json!({"token": "$reference"})),
        step(Holder("tellers"), "countersign.introspection.v1.IntrospectionService/BatchIntrospectTokens", json!({"tokens": ["$reference", "$access", "$refresh"]})),
        step(Anybody, "countersign.token.v1.TokenService/RevokeToken", json!({"client": authenticated("teller", "$teller_secret"), "token": "$reference"})),
        step(Anybody, "countersign.token.v1.TokenService/RotateToken", json!({"client": desk, "refresh_token": "$refresh"})).keep("access_token", "next_access").keep("refresh_token", "next"),
        step(Anybody, "countersign.token.v1.TokenService/RevokeToken", json!({"client": desk, "token": "$next"})),
        step(Admin, "countersign.admin.v1.RevocationService/RevokeTokens", json!({"subject": "nobody"})),
        step(Holder("own"), "countersign.revocation.v1.RevocationService/WatchRevocations", json!({})),
        step(Admin, "countersign.admin.v1.ClientService/DeleteClient", json!({"client_id": "signer"})),
        step(Admin, "countersign.admin.v1.ResourceService/CreateResource", json!({"resource": {"uri": "https://gone.example"}})),
        step(Admin, "countersign.admin.v1.ResourceService/DeleteResource", json!({"uri": "https://gone.example"})),
        step(Admin, "countersign.admin.v1.SigningKeyService/ListSigningKeys", json!({})),
        step(Admin, "countersign.admin.v1.SigningKeyService/RotateSigningKey", json!({"purpose": "SIGNING_KEY_PURPOSE_ACCESS_TOKENS"})).learn("/next_key/kid", "next_kid"),
        step(Admin, "countersign.admin.v1.SigningKeyService/RevokeSigningKey", json!({"kid": "$next_kid"})),
        step(Admin, "countersign.admin.v1.StoreService/GetStoreStats", json!({"count_records": true})),
        step(Admin, "countersign.admin.v1.StoreService/BackupStore", json!({})),
        step(Admin, "countersign.admin.v1.AuditService/ListEvents", json!({"log": "AUDIT_LOG_AUDIT", "filter": {"client_id": "desk"}})),
        step(Admin, "countersign.admin.v1.AuditService/ListEvents", json!({"log": "AUDIT_LOG_ISSUANCE"})),
        step(Admin, "countersign.admin.v1.AuditService/WatchEvents", json!({"log": "AUDIT_LOG_AUDIT", "from": "1"})),
        step(Admin, "countersign.admin.v1.AuditService/ReadLog", json!({"log": "AUDIT_LOG_AUDIT"})),
        step(Admin, "countersign.admin.v1.AuditService/ReadLog", json!({"log": "AUDIT_LOG_ISSUANCE"})),
        // Two families that live on, for the commands.
        step(Anybody, "countersign.authorization.v1.AuthorizationService/PushAuthorization", pushed.clone()).keep("request_uri", "login_uri"),
        step(Holder("own"), "countersign.authorization.v1.AuthorizationService/ApproveAuthorization", json!({"request_uri": "$login_uri", "subject": "bob"})).keep("redirect_to?code", "login_code"),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": desk, "authorization_code": {"code": "$login_code", "redirect_uri": BACK, "code_verifier": "$verifier"}})).keep("access_token", "login_access").keep("refresh_token", "login"),
        step(Anybody, "countersign.authorization.v1.AuthorizationService/PushAuthorization", pushed).keep("request_uri", "last_uri"),
        step(Holder("own"), "countersign.authorization.v1.AuthorizationService/ApproveAuthorization", json!({"request_uri": "$last_uri", "subject": "bob"})).keep("redirect_to?code", "last_code"),
        step(Anybody, "countersign.token.v1.TokenService/IssueToken", json!({"client": desk, "authorization_code": {"code": "$last_code", "redirect_uri": BACK, "code_verifier": "$verifier"}})).keep("access_token", "last_access").keep("refresh_token", "last"),
    ]
}

/// Fields in which a client may say what it likes, since it is kept or shown for what it is: a
/// secret there was published by whoever put it there.
pub(crate) const PUBLIC_FIELDS: &[&str] = &["subject", "acr", "state", "display_name"];
