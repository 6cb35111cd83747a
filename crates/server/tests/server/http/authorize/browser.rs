//! A browser, as far as it matters here, and what a login application asks.

use countersign::admin::v1::AuthenticationMethod;
use countersign::authorization::v1 as authorization;
use http::StatusCode;
use tonic::Status;
use url::Url;

pub(super) use super::super::web::AUTHORIZE;
use super::super::web::{Answer, Ask, PAR, Speaks, Web, form};
use crate::flow::{add_login, pkce};
use crate::harness::{APPROVE, CALLBACK, Client, DENY, GET, ORDERS, Service, inner, person_client};

pub(super) const LOGIN: &str = "https://login.example.com/enter";

/// The service, a login application, and a client with a secret.
pub(super) struct World {
    pub(super) service: Service,
    pub(super) login: Client,
    pub(super) shop: Client,
}

/// One browser. It keeps cookies, and shows all of them.
pub(super) struct Browser {
    web: Web,
    pub(super) jar: Vec<(String, String)>,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut countersign_server::Config)) -> Self {
        let service = Service::start_with(|config| {
            config.http.login_url = Some(LOGIN.to_owned());
            change(config);
        })
        .await;
        service.add_orders().await;
        let login = add_login(&service).await;
        let shop = person_client("shop", AuthenticationMethod::ClientSecret);
        let shop = service.add(shop).await;
        Self {
            service,
            login,
            shop,
        }
    }

    pub(super) fn browser(&self) -> Browser {
        self.browser_speaking(Speaks::Two)
    }

    pub(super) fn browser_speaking(&self, speaks: Speaks) -> Browser {
        Browser {
            web: Web::speaking(&self.service, speaks),
            jar: Vec::new(),
        }
    }

    /// Lodges a request; its `request_uri`.
    pub(super) async fn push(&self, client: &Client, challenge: &str) -> String {
        let mut parameters = plain(client, challenge);
        parameters.retain(|(name, _)| *name != "client_id");
        let ask = Ask::post(PAR, &borrowed(&parameters)).basic(client);
        let lodged = Web::of(&self.service).send(ask).await;
        assert_eq!(lodged.status, StatusCode::CREATED, "{lodged:?}");
        lodged.text("request_uri")
    }

    pub(super) async fn get(&self, handle: &str) -> Result<authorization::Authorization, Status> {
        let get = authorization::GetAuthorizationRequest {
            request_uri: handle.to_owned(),
        };
        let request = self.service.guarded(&self.login, GET, get).await;
        let mut authorizations = self.service.authorizations().await;
        let shown = inner(authorizations.get_authorization(request).await)?;
        Ok(shown.authorization.expect("an authorization"))
    }

    /// Ann approves; where her browser goes.
    pub(super) async fn approve(&self, handle: &str) -> Result<String, Status> {
        self.approve_as(authorization::ApproveAuthorizationRequest {
            request_uri: handle.to_owned(),
            subject: "ann".to_owned(),
            ..authorization::ApproveAuthorizationRequest::default()
        })
        .await
    }

    pub(super) async fn approve_as(
        &self,
        approve: authorization::ApproveAuthorizationRequest,
    ) -> Result<String, Status> {
        let request = self.service.guarded(&self.login, APPROVE, approve).await;
        let mut authorizations = self.service.authorizations().await;
        Ok(inner(authorizations.approve_authorization(request).await)?.redirect_to)
    }

    pub(super) async fn deny(&self, handle: &str) -> Result<String, Status> {
        self.deny_for(handle, 0).await
    }

    /// Ann does not get on, for that reason.
    pub(super) async fn deny_for(&self, handle: &str, reason: i32) -> Result<String, Status> {
        let deny = authorization::DenyAuthorizationRequest {
            request_uri: handle.to_owned(),
            reason,
        };
        let request = self.service.guarded(&self.login, DENY, deny).await;
        let mut authorizations = self.service.authorizations().await;
        Ok(inner(authorizations.deny_authorization(request).await)?.redirect_to)
    }

    /// A browser brings a request that was pushed and is handed over: the handle.
    pub(super) async fn begun(&self, browser: &mut Browser) -> String {
        let (_, challenge) = pkce();
        let request_uri = self.push(&self.shop, &challenge).await;
        let parameters = [("client_id", "shop"), ("request_uri", &request_uri)];
        interaction(&browser.bring(&parameters).await)
    }

    /// The way back of a request that ann approved, as a path of this service.
    pub(super) async fn approved(&self, browser: &mut Browser) -> String {
        let handle = self.begun(browser).await;
        self.way_back(&self.approve(&handle).await.expect("approved"))
    }

    /// The path of `redirect_to`, which must be a way back.
    #[track_caller]
    pub(super) fn way_back(&self, redirect_to: &str) -> String {
        let issuer = self.service.issuer();
        let path = redirect_to.strip_prefix(issuer).expect("of this service");
        assert!(path.starts_with("/authorize?resume=csb_"), "{path}");
        path.to_owned()
    }
}

impl Browser {
    /// Opens a path of the service, with its cookies.
    pub(super) async fn open(&mut self, path: &str) -> Answer {
        self.send(Ask::get(path)).await
    }

    /// Brings parameters to the authorization endpoint.
    pub(super) async fn bring(&mut self, parameters: &[(&str, &str)]) -> Answer {
        self.open(&format!("{AUTHORIZE}?{}", form(parameters)))
            .await
    }

    pub(super) async fn send(&mut self, ask: Ask) -> Answer {
        let cookies: Vec<_> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let ask = match cookies.is_empty() {
            true => ask,
            false => ask.header("cookie", cookies.join("; ")),
        };
        let answer = self.web.send(ask).await;
        for cookie in set(&answer) {
            let (pair, attributes) = cookie.split_once("; ").expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.jar.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0;") {
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }
}

/// The cookies that an answer sets.
pub(super) fn set(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("set-cookie").iter();
    values
        .map(|value| value.to_str().expect("text").to_owned())
        .collect()
}

/// What a browser brings for a request that is right.
pub(super) fn plain(client: &Client, challenge: &str) -> Vec<(&'static str, String)> {
    [
        ("client_id", client.id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "orders.read"),
        ("resource", ORDERS),
        ("state", "s-1"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

pub(super) fn borrowed<'a>(parameters: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    let pairs = parameters.iter();
    pairs.map(|(name, value)| (*name, value.as_str())).collect()
}

/// Where an answer sends the browser.
#[track_caller]
pub(super) fn location(answer: &Answer) -> Url {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    check_unseen(answer);
    let location = answer.header("location").expect("somewhere");
    Url::parse(location).expect("a URL")
}

/// Nobody frames it, and where the browser goes next does not learn its address.
#[track_caller]
pub(super) fn check_unseen(answer: &Answer) {
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

/// The handle with which a browser is handed over.
#[track_caller]
pub(super) fn interaction(answer: &Answer) -> String {
    let url = location(answer);
    assert!(url.as_str().starts_with(LOGIN), "{url}");
    let handle = parameter(&url, "interaction").expect("a handle");
    assert!(handle.starts_with("csi_"), "{handle}");
    handle
}

pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(other, _)| other == name);
    found.map(|(_, value)| value.into_owned())
}

/// The client's redirect URI with that error, its state, and who says so.
#[track_caller]
pub(super) fn check_back(what: &str, service: &Service, answer: &Answer, error: &str) {
    let url = location(answer);
    assert!(url.as_str().starts_with(CALLBACK), "{what}: {url}");
    assert_eq!(
        parameter(&url, "error").as_deref(),
        Some(error),
        "{what}: {url}"
    );
    let description = parameter(&url, "error_description");
    assert!(description.is_some_and(|text| !text.is_empty()), "{what}");
    assert_eq!(parameter(&url, "state").as_deref(), Some("s-1"), "{what}");
    let issuer = Some(service.issuer());
    assert_eq!(parameter(&url, "iss").as_deref(), issuer, "{what}");
    assert_eq!(parameter(&url, "code"), None, "{what}");
    assert!(
        set(answer)
            .iter()
            .all(|cookie| cookie.contains("Max-Age=0")),
        "{what}"
    );
}

/// A page, and nothing that leads on.
#[track_caller]
pub(super) fn check_page(what: &str, answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert_eq!(answer.header("location"), None, "{what}");
    assert!(set(answer).is_empty(), "{what}");
    let html = answer.header("content-type");
    assert_eq!(html, Some("text/html; charset=utf-8"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    check_unseen(answer);
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("form-action 'none'"), "{policy}");
    assert!(
        !policy.contains("unsafe") && !policy.contains("script-src"),
        "{policy}"
    );
    let page = std::str::from_utf8(&answer.body).expect("text");
    assert!(page.contains(says), "{what}: {page}");
    for runs in [
        "<script",
        "javascript:",
        "onload",
        "<a ",
        "<form",
        "csc_",
        "csi_",
    ] {
        assert!(!page.contains(runs), "{what}: {runs}");
    }
}
