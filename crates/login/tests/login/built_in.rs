//! The application as the service serves it, and in a process of its own: the same pages, accounts
//! by the same calls.

use std::sync::Arc;

use countersign::admin::v1::account_service_client::AccountServiceClient;
use countersign::admin::v1::audit_service_client::AuditServiceClient;
use countersign::admin::v1::{
    Account, AuditLog, CreateAccountRequest, DisableAccountRequest, ListAccountsRequest,
    ListEventsRequest, SetAccountPasswordRequest,
};
use countersign::error::v1::Reason;
use countersign_client::Countersign;
use countersign_client::clock::SystemClock;
use countersign_client::outcome::Refused;
use countersign_login::OverGrpc;
use countersign_server::{LoginApp, LoginConfig};
use countersign_testkit::{Platform, Problem, person_client, service_client};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::browser::Browser;
use crate::platform::{BACK, RESOURCE, SCOPES, parameter, pushed};
use crate::world::PASSWORD;

async fn desk(platform: &Platform) -> Result<Countersign, Problem> {
    platform.register_resource(RESOURCE, SCOPES).await?;
    let desk = person_client("desk", BACK, RESOURCE, SCOPES);
    let desk = platform.register(desk).await?;
    Ok(platform.client(&desk).connect().await?)
}

fn asked(name: &str, password: &str) -> CreateAccountRequest {
    CreateAccountRequest {
        account: Some(Account {
            name: name.to_owned(),
            display_name: "Ann Lee".to_owned(),
            ..Account::default()
        }),
        password: password.to_owned(),
    }
}

/// Logs in, allows, and returns where the browser is sent.
async fn allowed(origin: &str, base: &str, handle: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("interaction", handle)
        .finish();
    let entry = format!("{base}/?{query}");
    let mut browser = Browser::new(origin);
    let page = browser.get(&entry).await;
    page.says(200, "<h1>Log in</h1>");
    assert_eq!(page.header("x-frame-options"), "DENY");
    let fields = [
        ("token", page.token()),
        ("interaction", page.field("interaction")),
        ("name", "ann".to_owned()),
        ("password", PASSWORD.to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let back = browser.post(&format!("{base}/password"), &fields).await;
    let page = browser.get(&back.location()).await;
    page.says(200, "Allow access?");
    let fields = [
        ("token", page.token()),
        ("interaction", page.field("interaction")),
        ("decision", "allow".to_owned()),
        ("scope", "orders.read".to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let seen = browser.post(&format!("{base}/decision"), &fields).await;
    seen.onward()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_serves_it_below_the_issuer() -> Result<(), Problem> {
    let platform = Platform::start_with(|config| config.login.serve = true).await?;
    let desk = desk(&platform).await?;
    let mut accounts = AccountServiceClient::new(platform.admin().await?);
    let made = accounts.create_account(asked("ann", PASSWORD)).await?;
    let made = made.into_inner().account.unwrap();
    assert!(made.subject.len() >= 22, "a new random one: {made:?}");

    let (handle, _) = pushed(&desk).await?;
    let to = allowed(platform.url(), "/login", &handle).await;
    assert!(parameter(&to, "code").is_some(), "{to}");
    assert_eq!(parameter(&to, "iss").as_deref(), Some(platform.issuer()));
    // Nobody else's.
    let gone = Browser::new(platform.url())
        .get("/login?interaction=x")
        .await;
    gone.says(400, "This request is over");
    // The other endpoints are where they were.
    let keys = Browser::new(platform.url()).get("/jwks").await;
    assert_eq!(keys.status, 200);

    wrong_password(platform.url(), "/login").await;
    // Accounts and consent are in the service's store.
    let platform = platform.restart(|_| Ok(())).await?;
    let audit = AuditServiceClient::new(platform.admin().await?);
    let expected = [
        "ACCOUNT_CREATED",
        "LOGGED_IN",
        "AUTHORIZATION_APPROVED",
        "LOGIN_REFUSED",
    ];
    assert_eq!(people(audit).await?, expected);
    let (handle, _) = pushed(&desk).await?;
    let to = allowed(platform.url(), "/login", &handle).await;
    assert!(parameter(&to, "code").is_some(), "{to}");
    platform.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_only_where_somebody_said_so() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    let seen = Browser::new(platform.url()).get("/login").await;
    assert_eq!(seen.status, 404);
    platform.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_looked_after() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    let mut accounts = AccountServiceClient::new(platform.admin().await?);
    for (request, reason) in [
        (asked("", PASSWORD), Reason::InvalidRequest),
        (asked("a b", PASSWORD), Reason::InvalidRequest),
        (asked("ann", "too short"), Reason::InvalidRequest),
        (CreateAccountRequest::default(), Reason::InvalidRequest),
    ] {
        let refused = accounts.create_account(request).await.unwrap_err();
        assert_eq!(Refused::of(&refused).unwrap().reason, reason);
        assert!(!refused.message().contains("too short"), "{refused}");
    }
    let mut subjects = Vec::new();
    for name in ["cleo", "bob", "ann"] {
        let made = accounts.create_account(asked(name, PASSWORD)).await?;
        subjects.push(made.into_inner().account.unwrap().subject);
    }
    // Else she would be ann to every resource.
    let mut as_ann = asked("dora", PASSWORD);
    as_ann.account.as_mut().unwrap().subject = subjects.pop().unwrap();
    let twice = accounts.create_account(asked("ANN", PASSWORD)).await;
    let twice = Refused::of(&twice.unwrap_err()).unwrap();
    assert_eq!(twice.reason, Reason::ResourceExists);
    let taken = Refused::of(&accounts.create_account(as_ann).await.unwrap_err()).unwrap();
    assert_eq!(taken.reason, Reason::InvalidRequest);
    assert_eq!(
        taken.fields,
        [(
            "account.subject".to_owned(),
            "must be of no other account".to_owned()
        )]
    );

    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAccountsRequest {
            page_size: 2,
            page_token,
        };
        let page = accounts.list_accounts(request).await?.into_inner();
        names.extend(page.accounts.into_iter().map(|account| account.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["ann", "bob", "cleo"]);

    let disable = |enable| DisableAccountRequest {
        name: "Ann".to_owned(),
        enable,
    };
    let closed = accounts.disable_account(disable(false)).await?.into_inner();
    assert!(closed.account.unwrap().disabled);
    let open = accounts.disable_account(disable(true)).await?.into_inner();
    assert!(!open.account.unwrap().disabled);
    let unknown = SetAccountPasswordRequest {
        name: "nobody".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let refused = accounts.set_account_password(unknown).await.unwrap_err();
    let refused = Refused::of(&refused).unwrap();
    assert_eq!(refused.reason, Reason::ResourceNotFound);
    platform.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_it_has_a_store_and_a_socket_of_its_own() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    let desk = desk(&platform).await?;
    let decides = service_client("login", platform.issuer(), &["authorizations.decide"]);
    let login = platform.register(decides).await?;
    let login = platform.client(&login).connect().await?;
    let directory = platform.folder().join("login");
    let config = LoginConfig {
        listen: "127.0.0.1:0".parse()?,
        url: None,
        issuer: platform.issuer().to_owned(),
        directory: directory.clone(),
        socket: None,
        allowed_uids: Vec::new(),
        tls: None,
        behind_proxy: false,
    };
    for round in 0..2 {
        let tokens = OverGrpc::connect(&login, platform.url()).await?;
        let app = LoginApp::start(&config, Arc::new(SystemClock), Arc::new(tokens)).await?;
        if round == 0 {
            let socket = directory.join("login.sock");
            assert_eq!(app.socket(), socket);
            let mut accounts = AccountServiceClient::new(channel(socket).await?);
            accounts.create_account(asked("ann", PASSWORD)).await?;
        }
        let (handle, _) = pushed(&desk).await?;
        let to = allowed(app.url(), "", &handle).await;
        assert!(parameter(&to, "code").is_some(), "{to}");
        if round == 0 {
            wrong_password(app.url(), "").await;
        } else {
            // What was counted in the first round was written when that ended.
            let audit = AuditServiceClient::new(channel(directory.join("login.sock")).await?);
            let expected = ["ACCOUNT_CREATED", "LOGGED_IN", "LOGIN_REFUSED", "LOGGED_IN"];
            assert_eq!(people(audit).await?, expected);
        }
        app.stop().await?;
    }
    // Behind a proxy that undoes https, browsers come by https all the same.
    for (url, expected) in [
        ("https://login.example.com", "max-age=31536000"),
        ("http://127.0.0.1", ""),
    ] {
        let config = LoginConfig {
            url: Some(url.to_owned()),
            ..config.clone()
        };
        let tokens = Arc::new(OverGrpc::connect(&login, platform.url()).await?);
        let app = LoginApp::start(&config, Arc::new(SystemClock), tokens).await?;
        let mut browser = Browser::new(&format!("http://{}", app.address()));
        for path in ["/", "/account", "/none"] {
            let seen = browser.get(path).await;
            let strict = seen.headers.get("strict-transport-security");
            let strict = strict.map_or("", |value| value.to_str().unwrap_or("?"));
            assert_eq!(strict, expected, "{url}{path}");
        }
        app.stop().await?;
    }
    let exposed = LoginConfig {
        listen: "0.0.0.0:0".parse()?,
        ..config
    };
    let tokens = Arc::new(OverGrpc::connect(&login, platform.url()).await?);
    let refused = LoginApp::start(&exposed, Arc::new(SystemClock), tokens).await;
    let refused = refused.err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("loopback")));
    platform.stop().await
}

/// Ann gives another password.
async fn wrong_password(origin: &str, base: &str) {
    let mut browser = Browser::new(origin);
    let entrance = if base.is_empty() { "/" } else { base };
    let page = browser.get(entrance).await;
    let token = page.token();
    let fields = [
        ("token", &*token),
        ("name", "ann"),
        ("password", "wrong horse battery"),
    ];
    let seen = browser.post(&format!("{base}/password"), &fields).await;
    seen.says(422, "not right");
}

/// What the audit log tells of people, the oldest first.
async fn people(mut audit: AuditServiceClient<Channel>) -> Result<Vec<String>, Problem> {
    let request = ListEventsRequest {
        log: AuditLog::Audit.into(),
        oldest_first: true,
        ..ListEventsRequest::default()
    };
    let events = audit.list_events(request).await?.into_inner().events;
    let told = events.into_iter().map(|event| event.event);
    Ok(told
        .filter(|event| {
            ["ACCOUNT", "LOG", "AUTHORIZATION"]
                .iter()
                .any(|it| event.starts_with(it))
        })
        .collect())
}

async fn channel(path: std::path::PathBuf) -> Result<Channel, Problem> {
    let connect = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    Ok(endpoint.connect_with_connector(connect).await?)
}
