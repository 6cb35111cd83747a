//! A person logs in to a program: by a browser of the same machine, and by a code that is typed
//! somewhere else. The token service, its sockets and its store are real.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign::admin::v1::{AuthenticationMethod, Client, GrantType};
use countersign::error::v1::Reason;
use countersign_client::authorization::{
    AnswerError, PendingAuthorization, Prompt, PushError, RefusedError,
};
use countersign_client::clock::Clock;
use countersign_client::device::DeviceError;
use countersign_client::loopback::{LoopbackError, LoopbackReceiver};
use countersign_client::{Countersign, TokenError};
use countersign_jose::UnixTime;
use countersign_testkit::{
    MovableClock, Platform, Problem, Registered, person_client, service_client,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::browser::{Answer, LOGIN, Person, get, say};

const FILMS: &str = "https://films.example";

/// As the client is registered: without a port.
const BACK: &str = "http://127.0.0.1/back";

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(120);

struct World {
    platform: Platform,
    person: Person,
    registered: Registered,
    program: Countersign,
}

impl World {
    async fn new() -> Result<Self, Problem> {
        let platform = Platform::start_with(|config| {
            config.http.login_url = Some(LOGIN.to_owned());
            config.device.interval = Duration::from_secs(1);
        })
        .await?;
        platform.register_resource(FILMS, &["films.watch"]).await?;
        let program = person_client("films-cli", BACK, FILMS, &["films.watch"]);
        let registered = platform.register(program).await?;
        Ok(Self {
            person: Person::at(&platform).await?,
            program: platform.client(&registered).connect().await?,
            registered,
            platform,
        })
    }

    /// Listens, and asks.
    async fn begun(&self) -> Result<(LoopbackReceiver, PendingAuthorization), Problem> {
        let receiver = LoopbackReceiver::bind(BACK).await?;
        let request = self.program.authorization(receiver.redirect_uri());
        let pending = request.scopes(["films.watch"]).push().await?;
        Ok((receiver, pending))
    }
}

/// A page that says what to do, and runs nothing.
#[track_caller]
fn check_page(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(says), "{answer:?}");
    let header = |name| answer.header(name);
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("referrer-policy"), Some("no-referrer"));
    assert_eq!(header("content-type"), Some("text/html; charset=utf-8"));
    let policy = header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    assert!(!answer.body.contains("<script"), "{answer:?}");
    for secret in ["csc_", "state=", "iss="] {
        assert!(!answer.body.contains(secret), "{secret}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_by_the_browser_of_their_machine() -> Result<(), Problem> {
    let world = World::new().await?;
    let receiver = LoopbackReceiver::bind(BACK).await?;
    assert_ne!(receiver.redirect_uri(), BACK, "it has a port");
    let pending = world
        .program
        .authorization(receiver.redirect_uri())
        .scopes(["films.watch"])
        .resources([FILMS])
        .prompts([Prompt::Login, Prompt::Consent])
        .max_age(Duration::from_secs(60))
        .acr_values(["strong", "weak"])
        .push()
        .await?;
    assert!(pending.url().starts_with(world.platform.issuer()));
    for secret in ["state", "challenge", "scope", "redirect_uri"] {
        assert!(!pending.url().contains(secret), "{}", pending.url());
    }

    let person = async {
        let (to, asked) = world.person.decides(pending.url(), Some("ann")).await?;
        assert_eq!(asked.redirect_uri, receiver_uri(&to));
        assert_eq!(asked.scopes, ["films.watch"]);
        assert_eq!(asked.acr_values, ["strong", "weak"]);
        assert_eq!(asked.prompts, ["login", "consent"]);
        assert!(asked.authenticated_since.is_some());
        check_page(&get(&to, None).await?, 200, "Go back to the program");
        Ok::<_, Problem>(to)
    };
    let (code, to) = tokio::join!(receiver.receive(&pending, SOON), person);
    let (code, to) = (code?, to?);
    assert!(get(&to, None).await.is_err(), "the port is closed");

    let issued = world
        .program
        .token_service()
        .redeem(&code, &[], &[])
        .await?;
    assert_eq!(issued.scopes, ["films.watch"]);
    // Its tokens are those of any client: the first is at hand, and the next come by themselves.
    let tokens = world.program.tokens_of(&issued)?;
    let first = tokens.token().await?;
    assert_eq!(first.scopes(), issued.scopes);
    assert_eq!(world.program.counts().fetched, 0, "it was at hand");
    world.platform.clock().advance(Duration::from_secs(301));
    let second = tokens.token().await?;
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(world.program.counts().fetched, 1);

    // The code was good once.
    let again = world.program.token_service().redeem(&code, &[], &[]).await;
    assert!(refused(&again.unwrap_err(), Reason::GrantInvalid));
    Ok(())
}

/// Where a redirect goes, without what it brings.
fn receiver_uri(to: &str) -> &str {
    to.split('?').next().unwrap()
}

fn refused(error: &TokenError, reason: Reason) -> bool {
    matches!(error, TokenError::Refused(why, _) if why.reason == reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_comes_to_the_port_changes_nothing() -> Result<(), Problem> {
    let world = World::new().await?;
    let (receiver, pending) = world.begun().await?;
    let place = receiver.redirect_uri().to_owned();
    let host = place.split('/').nth(2).unwrap().to_owned();
    let url = pending.url().to_owned();
    let wait = tokio::spawn(async move { receiver.receive(&pending, SOON).await });
    // More than there are places: the oldest are let go, and nobody is kept out.
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(&host).await?;
        stream.write_all(b"GET /back?code=").await?;
        silent.push(stream);
    }
    let line = |line: &str| format!("{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let other = "This answers another request";
    let nothing = "There is nothing here";
    for (request, status, says) in [
        (line("GET /back?code=c&state=guessed HTTP/1.1"), 400, other),
        (line("GET /back?code=c HTTP/1.1"), 400, other),
        (line("GET /back HTTP/1.1"), 400, other),
        (line("GET /back?error=access_denied HTTP/1.1"), 400, other),
        (line("GET /favicon.ico HTTP/1.1"), 404, nothing),
        (line("GET /back/ HTTP/1.1"), 404, nothing),
        (line("POST /back?code=c HTTP/1.1"), 405, nothing),
        (
            "GET /back?code=c HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            404,
            nothing,
        ),
    ] {
        check_page(&say(&host, request.as_bytes()).await?, status, says);
    }
    // What is not HTTP, and what is too much of it: refused, or cut off.
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01".repeat(8),
        format!("GET /back?{} HTTP/1.1\r\n\r\n", "a".repeat(100_000)).into_bytes(),
        line(&format!(
            "GET /back?code=c HTTP/1.1\r\nX: {}",
            "a".repeat(100_000)
        ))
        .into_bytes(),
    ] {
        if let Ok(answer) = say(&host, &garbage).await {
            assert!(answer.status == 0 || answer.status >= 400, "{answer:?}");
        }
    }
    assert!(!wait.is_finished());

    let (to, _) = world.person.decides(&url, Some("ann")).await?;
    // Twice at once: one is the answer, and the other does not make it two.
    let (one, two) = tokio::join!(get(&to, None), get(&to, None));
    let pages = [one, two].into_iter().flatten();
    let approved = pages.filter(|page| page.status == 200).count();
    assert_eq!(approved, 1);
    let code = wait.await??;
    world
        .program
        .token_service()
        .redeem(&code, &[], &[])
        .await?;
    drop(silent);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_declines() -> Result<(), Problem> {
    let world = World::new().await?;
    let (receiver, pending) = world.begun().await?;
    let person = async {
        let (to, _) = world.person.decides(pending.url(), None).await?;
        check_page(&get(&to, None).await?, 200, "Nothing was approved");
        Ok::<_, Problem>(())
    };
    let (code, person) = tokio::join!(receiver.receive(&pending, SOON), person);
    person?;
    match code.unwrap_err() {
        LoopbackError::Answer(AnswerError::Refused(why)) => {
            assert_eq!(why.error, RefusedError::AccessDenied);
        }
        other => panic!("{other}"),
    }
    Ok(())
}

/// RFC 9207 §2.4: with the right state, but of somebody else. No other answer will come.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_issuer_is_not_used() -> Result<(), Problem> {
    let world = World::new().await?;
    let (receiver, pending) = world.begun().await?;
    let person = async {
        let (to, _) = world.person.decides(pending.url(), Some("ann")).await?;
        let (before, _) = to.split_once("&iss=").ok_or("no iss")?;
        let page = get(&format!("{before}&iss=https%3A%2F%2Fevil.example"), None).await?;
        check_page(&page, 400, "This answer cannot be used");
        Ok::<_, Problem>(())
    };
    let (code, person) = tokio::join!(receiver.receive(&pending, SOON), person);
    person?;
    let error = code.unwrap_err();
    assert!(matches!(
        error,
        LoopbackError::Answer(AnswerError::OtherIssuer)
    ));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_back() -> Result<(), Problem> {
    let world = World::new().await?;
    let (receiver, pending) = world.begun().await?;
    let moment = Duration::from_millis(50);
    let error = receiver.receive(&pending, moment).await.unwrap_err();
    assert!(matches!(error, LoopbackError::TimedOut(within) if within == moment));
    let shown = format!("{pending:?} {error}");
    assert!(
        !shown.contains("request_uri=") && !shown.contains("csq_"),
        "{shown}"
    );
    Ok(())
}

/// A web application's session, of which another instance takes the answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_takes_the_answer() -> Result<(), Problem> {
    let world = World::new().await?;
    let (receiver, pending) = world.begun().await?;
    drop(receiver);
    let kept = pending.keep();
    let url = pending.url().to_owned();
    drop(pending);
    let (to, _) = world.person.decides(&url, Some("ann")).await?;
    let pending = PendingAuthorization::of_kept(&kept)?;
    let code = pending.check(&to)?;
    let service = world.program.token_service();
    service.redeem(&code, &[], &[]).await?;
    Ok(())
}

/// RFC 9449 §10: who gets hold of code and verifier still lacks the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_of_use_to_the_key_that_asked_alone() -> Result<(), Problem> {
    let world = World::new().await?;
    let (receiver, pending) = world.begun().await?;
    drop(receiver);
    let (to, _) = world.person.decides(pending.url(), Some("ann")).await?;
    let code = pending.check(&to)?;
    assert!(!format!("{code:?}").contains(code.verifier.expose()));
    let thief = world.platform.client(&world.registered).connect().await?;
    let stolen = thief.token_service().redeem(&code, &[], &[]).await;
    assert!(refused(&stolen.unwrap_err(), Reason::GrantInvalid));
    world
        .program
        .token_service()
        .redeem(&code, &[], &[])
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_wrong_is_refused_before_a_browser_opens() -> Result<(), Problem> {
    let world = World::new().await?;
    let elsewhere = world.program.authorization("http://127.0.0.1/elsewhere");
    match elsewhere.push().await.unwrap_err() {
        PushError::Token(error) => assert!(refused(&error, Reason::InvalidRequest), "{error}"),
        other => panic!("{other}"),
    }
    let nowhere = world
        .program
        .authorization(BACK)
        .endpoint("http://tokens.example");
    assert!(matches!(nowhere.push().await, Err(PushError::Endpoint(_))));
    let ever = world.program.authorization(BACK).max_age(Duration::MAX);
    assert!(matches!(ever.push().await, Err(PushError::MaxAge(_))));
    Ok(())
}

/// A device that is registered, and what it asks with.
async fn television(world: &World, clock: Arc<dyn Clock>) -> Result<Countersign, Problem> {
    let client = Client {
        authentication_method: AuthenticationMethod::None.into(),
        grant_types: vec![GrantType::DeviceCode.into(), GrantType::RefreshToken.into()],
        ..service_client("tv", FILMS, &["films.watch"])
    };
    let registered = world.platform.register(client).await?;
    Ok(world
        .platform
        .client(&registered)
        .clock(clock)
        .connect()
        .await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_waits_for_its_person() -> Result<(), Problem> {
    let world = World::new().await?;
    let tv = television(&world, world.platform.clock().clone()).await?;
    let device = tv.device().scopes(["films.watch"]).resources([FILMS]);
    let device = device.begin().await?;
    assert!(device.verification_uri().starts_with("http://"));
    let complete = device.verification_uri_complete().unwrap();
    assert!(complete.contains(device.user_code()), "{complete}");
    assert!(!format!("{device:?}").contains("csd_"));
    let typed = device.user_code().to_lowercase();
    let (issued, typed) = tokio::join!(device.wait(), world.person.types(&typed, Some("ann")));
    typed?;
    let issued = issued?;
    assert_eq!(issued.scopes, ["films.watch"]);
    let tokens = tv.tokens_of(&issued)?;
    let first = tokens.token().await?;
    world.platform.clock().advance(Duration::from_secs(301));
    assert!(!Arc::ptr_eq(&first, &tokens.token().await?));

    let device = tv.device().begin().await?;
    world.person.types(device.user_code(), None).await?;
    assert!(matches!(device.wait().await, Err(DeviceError::Declined)));

    let device = tv.device().begin().await?;
    world.platform.clock().advance(Duration::from_secs(601));
    assert!(matches!(device.wait().await, Err(DeviceError::Expired)));
    Ok(())
}

/// A clock that notices questions: the time that never jumps is asked for when a device begins, before
/// its first question, and after each.
struct Noticing {
    clock: Arc<MovableClock>,
    asked: AtomicUsize,
    told: Mutex<Option<Instant>>,
}

impl Clock for Noticing {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn steady(&self) -> Duration {
        match self.asked.fetch_add(1, Ordering::SeqCst) {
            // After the first question: by the service's clock the second will come too soon.
            2 => self.clock.turn_back(Duration::from_secs(3)),
            // After the second, which was told to slow down.
            3 => *self.told.lock().unwrap() = Some(Instant::now()),
            _ => {}
        }
        self.clock.steady()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_told_to_slow_down_does() -> Result<(), Problem> {
    let world = World::new().await?;
    let clock = Arc::new(Noticing {
        clock: Arc::clone(world.platform.clock()),
        asked: AtomicUsize::new(0),
        told: Mutex::default(),
    });
    let tv = television(&world, Arc::clone(&clock) as Arc<dyn Clock>).await?;
    let device = tv.device().begin().await?;
    let code = device.user_code().to_owned();
    let person = async {
        let begun = Instant::now();
        let mut seen = begun;
        while clock.told.lock().unwrap().is_none() {
            assert!(begun.elapsed() < SOON, "it asks no second time");
            tokio::time::sleep(Duration::from_millis(20)).await;
            // It stands still between the two, however slow this machine is.
            if clock.asked.load(Ordering::SeqCst) > 2 {
                clock.clock.turn_back(seen.elapsed());
            }
            seen = Instant::now();
        }
        world.person.types(&code, Some("ann")).await
    };
    let (issued, person) = tokio::join!(device.wait(), person);
    person?;
    issued?;
    let told = clock.told.lock().unwrap().ok_or("was not told")?;
    // One second, and five more.
    assert!(told.elapsed() >= Duration::from_secs(6));
    Ok(())
}
