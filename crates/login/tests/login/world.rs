//! An application with an account, in front of a token service whose requests a test makes up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign_client::clock::{Clock, SystemClock};
use countersign_jose::UnixTime;
use countersign_login::{
    AccountForm, Accounts, App, Approval, Asked, Denial, LoginRefused, Name, Passwords, Proxies,
    Settings, TokenService, Trouble, Typed, Witness,
};
use countersign_store::Store;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::ailing::Ailing;
use crate::browser::{Browser, Seen};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// The application, and what stands around it.
pub(crate) struct World {
    pub(crate) origin: String,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Arc<MadeUp>,
    pub(crate) clock: Arc<StillClock>,
    pub(crate) store: Arc<Ailing>,
    pub(crate) counted: Arc<Counted>,
}

/// Logins that were refused: whose account it was, and why.
#[derive(Default)]
pub(crate) struct Counted(Mutex<Vec<(Option<String>, &'static str)>>);

impl Counted {
    pub(crate) fn taken(&self) -> Vec<(Option<String>, &'static str)> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Witness for Counted {
    fn login_refused(&self, subject: Option<&str>, why: LoginRefused, _: UnixTime) {
        let subject = subject.map(str::to_owned);
        self.0.lock().push((subject, why.label()));
    }
}

/// Who looks after accounts in tests.
pub(crate) const OPERATOR: &str = "uid:0";

/// A clock that stands still unless it is moved: however slow the machine is, a test knows what
/// pause is left.
pub(crate) struct StillClock(Mutex<UnixTime>);

impl StillClock {
    fn new() -> Self {
        Self(Mutex::new(SystemClock.now()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock();
        *now = now.plus(by);
    }
}

impl Clock for StillClock {
    fn now(&self) -> UnixTime {
        *self.0.lock()
    }
}

/// A token service whose requests a test makes up. It keeps the real one's rule that a request is
/// decided once.
#[derive(Default)]
pub(crate) struct MadeUp {
    waiting: Mutex<HashMap<String, Asked>>,
    /// User codes, and the requests that they stand for.
    codes: Mutex<HashMap<String, String>>,
    /// Who typed which code where.
    pub(crate) typed: Mutex<Vec<(String, Option<String>, String)>>,
    /// How long who types a code has to wait.
    pub(crate) paused: Mutex<Option<Duration>>,
    pub(crate) approved: Mutex<Vec<(String, Approval)>>,
    pub(crate) denied: Mutex<Vec<(String, Denial)>>,
}

impl MadeUp {
    pub(crate) fn asks(&self, handle: &str, asked: Asked) {
        self.waiting.lock().insert(handle.to_owned(), asked);
    }

    /// A device waits, and shows that code.
    pub(crate) fn waits(&self, user_code: &str, handle: &str, asked: Asked) {
        let named = (user_code.to_owned(), handle.to_owned());
        self.codes.lock().extend([named]);
        self.asks(handle, asked);
    }

    pub(crate) fn last(&self) -> Approval {
        self.approved.lock().last().expect("approved").1.clone()
    }
}

#[async_trait]
impl TokenService for MadeUp {
    async fn find(&self, typed: &Typed<'_>) -> Result<(String, Asked), Trouble> {
        self.typed.lock().push((
            typed.user_code.to_owned(),
            typed.subject.map(str::to_owned),
            typed.source.to_owned(),
        ));
        if let Some(wait) = *self.paused.lock() {
            return Err(Trouble::Busy(Some(wait)));
        }
        let handle = self.codes.lock().get(typed.user_code).cloned();
        let handle = handle.ok_or(Trouble::Gone)?;
        let asked = self.show(&handle).await?;
        Ok((handle, asked))
    }

    async fn show(&self, handle: &str) -> Result<Asked, Trouble> {
        let waiting = self.waiting.lock();
        waiting.get(handle).cloned().ok_or(Trouble::Gone)
    }

    async fn approve(&self, handle: &str, approval: &Approval) -> Result<String, Trouble> {
        let asked = self.waiting.lock().remove(handle).ok_or(Trouble::Gone)?;
        let decided = (handle.to_owned(), approval.clone());
        self.approved.lock().push(decided);
        Ok(answered(&asked, "code=made-up"))
    }

    async fn deny(&self, handle: &str, why: Denial) -> Result<String, Trouble> {
        let asked = self.waiting.lock().remove(handle).ok_or(Trouble::Gone)?;
        self.denied.lock().push((handle.to_owned(), why));
        let error = match why {
            Denial::Declined => "access_denied",
            Denial::LoginRequired => "login_required",
            Denial::ConsentRequired => "consent_required",
            Denial::Unmet => "unmet_authentication_requirements",
        };
        Ok(answered(&asked, &format!("error={error}")))
    }
}

/// A device learns of it by itself.
fn answered(asked: &Asked, answer: &str) -> String {
    match asked.device {
        true => String::new(),
        false => format!("{}?{answer}", asked.redirect_uri),
    }
}

/// What a client asks that can be remembered.
pub(crate) fn desk() -> Asked {
    Asked {
        client_id: "desk".to_owned(),
        client_created_at: Some(UnixTime::from_secs(1_700_000_000)),
        client_display_name: "The Desk".to_owned(),
        redirect_uri: "https://desk.example/back".to_owned(),
        scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
        resources: vec!["https://orders.example".to_owned()],
        ..Asked::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at("", Proxies::None).await
    }

    /// One below a path.
    pub(crate) async fn at(base: &str, proxies: Proxies) -> Self {
        let tokens = Arc::new(MadeUp::default());
        let issuer = "https://tokens.example";
        Self::before(base, proxies, issuer, |_| Arc::clone(&tokens) as _)
            .await
            .with(tokens)
    }

    fn with(mut self, tokens: Arc<MadeUp>) -> Self {
        self.tokens = tokens;
        self
    }

    /// One in front of that token service.
    pub(crate) async fn before(
        base: &str,
        proxies: Proxies,
        issuer: &str,
        tokens: impl FnOnce(&str) -> Arc<dyn TokenService>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let store = Arc::new(Ailing::default());
        let kept: Arc<dyn Store> = store.clone();
        let clock = Arc::new(StillClock::new());
        let accounts = Accounts::new(Arc::clone(&kept), clock.clone(), Passwords::new(2).unwrap());
        let settings = Settings {
            url: format!("{origin}{base}"),
            issuer: issuer.to_owned(),
            proxies,
        };
        let tokens = tokens(&origin);
        let counted = Arc::new(Counted::default());
        let app = App::new(
            &settings,
            &kept,
            clock.clone(),
            accounts.clone(),
            tokens,
            counted.clone(),
        );
        let app = app.unwrap();
        let service = app
            .router()
            .into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let world = Self {
            origin,
            accounts,
            tokens: Arc::default(),
            clock,
            store,
            counted,
        };
        world.account("ann", "Ann Lee").await;
        world
    }

    pub(crate) async fn account(&self, name: &str, display_name: &str) {
        let form = AccountForm {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            subject: format!("subject-of-{name}"),
        };
        let password = Zeroizing::new(PASSWORD.to_owned());
        self.accounts
            .create(&form, password, OPERATOR)
            .await
            .unwrap();
    }

    /// An account that an operator has disabled.
    pub(crate) async fn disabled_account(&self, name: &str) {
        self.account(name, "").await;
        let name = Name::parse(name).unwrap();
        self.accounts.disable(&name, true, OPERATOR).await.unwrap();
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.origin)
    }

    /// A browser in which ann is logged in.
    pub(crate) async fn anns_browser(&self) -> Browser {
        let mut browser = self.browser();
        let page = browser.get("/").await;
        let seen = log_in(&mut browser, &page, "ann", PASSWORD).await;
        assert_eq!(seen.location(), "/account");
        browser
    }

    /// How many records the store has.
    pub(crate) async fn records(&self) -> usize {
        let all = countersign_store::Key::new(Vec::<Vec<u8>>::new());
        self.store
            .scan(&all, None, 1_000)
            .await
            .unwrap()
            .records
            .len()
    }
}

/// Fills in the form of the page.
pub(crate) async fn log_in(browser: &mut Browser, page: &Seen, name: &str, password: &str) -> Seen {
    let token = page.token();
    let mut fields = vec![
        ("token", token.as_str()),
        ("name", name),
        ("password", password),
    ];
    let interaction = page
        .text
        .contains("name=\"interaction\"")
        .then(|| page.field("interaction"));
    if let Some(handle) = &interaction {
        fields.push(("interaction", handle));
    }
    let typed = page.typed();
    if let Some(typed) = &typed {
        fields.push(("typed", typed));
    }
    browser.post("/password", &fields).await
}

/// Presses a button of the consent page, with these scopes chosen.
pub(crate) async fn decide(
    browser: &mut Browser,
    page: &Seen,
    decision: &str,
    scopes: &[&str],
    remember: bool,
) -> Seen {
    let (token, handle) = (page.token(), page.field("interaction"));
    let mut fields = vec![
        ("token", token.as_str()),
        ("interaction", handle.as_str()),
        ("decision", decision),
    ];
    let typed = page.typed();
    if let Some(typed) = &typed {
        fields.push(("typed", typed));
    }
    fields.extend(scopes.iter().map(|&scope| ("scope", scope)));
    if remember {
        fields.push(("remember", "yes"));
    }
    browser.post("/decision", &fields).await
}
