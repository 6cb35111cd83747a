//! A program on a person's machine: it opens a browser, in which the person logs in and approves,
//! and gets its answer at a port of the loopback address (RFC 8252).
//!
//! ```console
//! $ cargo run --example login
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

use std::time::Duration;

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{ApproveAuthorizationRequest, GetAuthorizationRequest};
use countersign_client::Countersign;
use countersign_client::loopback::LoopbackReceiver;
use countersign_testkit::{Platform, Problem, person_client, service_client};
use ureq::http::Response;

/// What the program reads.
const FILMS: &str = "https://films.example";

/// Where the program's browsers come back to, as it is registered: at whatever port is free.
const BACK: &str = "http://127.0.0.1/back";

#[tokio::main]
async fn main() -> Result<(), Problem> {
    // What an operator has done: a token service that knows where people log in, what tokens are
    // for, the program, which can keep no secret, and the login application.
    let platform = Platform::start_with(|config| {
        config.http.login_url = Some("https://login.example/enter".to_owned());
    })
    .await?;
    platform.register_resource(FILMS, &["films.watch"]).await?;
    let registered = person_client("films-cli", BACK, FILMS, &["films.watch"]);
    let registered = platform.register(registered).await?;
    let url = platform.url();
    let login = service_client("login", url, &["authorizations.decide"]);
    let login = platform.register(login).await?;
    let login = platform.client(&login).connect().await?;

    // What the program does.
    let program = platform.client(&registered).connect().await?;
    let receiver = LoopbackReceiver::bind(BACK).await?;
    let pending = program
        .authorization(receiver.redirect_uri())
        .scopes(["films.watch"])
        .push()
        .await?;
    println!("open this in a browser of this machine: {}", pending.url());

    // Meanwhile the person does so.
    let person = browses(&login, url, pending.url().to_owned());
    let answer = receiver.receive(&pending, Duration::from_secs(300));
    let (person, code) = tokio::join!(person, answer);
    person?;

    let issued = program.token_service().redeem(&code?, &[], &[]).await?;
    println!("the program may {}", issued.scopes.join(", "));

    // From here on it is as with any client: tokens are renewed as they are needed.
    let tokens = program.tokens_of(&issued)?;
    let first = tokens.token().await?.expires_at();
    platform.clock().advance(Duration::from_secs(301));
    let next = tokens.token().await?.expires_at();
    println!("after five minutes it has another token: {}", next > first);
    Ok(())
}

/// What ann's browser and the login application do.
async fn browses(login: &Countersign, url: &str, opened: String) -> Result<(), Problem> {
    let handed_over = visit(opened, None).await?;
    // Only the browser in which it began gets the answer.
    let cookie = header(&handed_over, "set-cookie")?;
    let handle = header(&handed_over, "location")?;
    let (_, handle) = handle.split_once("interaction=").ok_or("no handle")?;

    let channel = login
        .channel(url)
        .scopes(["authorizations.decide"])
        .connect()
        .await?;
    let mut desk = AuthorizationServiceClient::new(channel);
    let asks = desk
        .get_authorization(GetAuthorizationRequest {
            request_uri: handle.to_owned(),
        })
        .await?
        .into_inner()
        .authorization
        .unwrap_or_default();
    println!(
        "ann is shown: {} asks for {} at {}",
        asks.client_id,
        asks.scopes.join(", "),
        asks.resources.join(", ")
    );
    let approved = desk
        .approve_authorization(ApproveAuthorizationRequest {
            request_uri: handle.to_owned(),
            subject: "ann".to_owned(),
            ..ApproveAuthorizationRequest::default()
        })
        .await?
        .into_inner();

    let sent_back = visit(approved.redirect_to, Some(cookie)).await?;
    let page = visit(header(&sent_back, "location")?, None).await?;
    let (_, title) = page.body().split_once("<h1>").ok_or("no title")?;
    let (title, _) = title.split_once("</h1>").ok_or("no title")?;
    println!("her browser shows: {title}");
    Ok(())
}

/// Opens a page, and follows nothing.
async fn visit(url: String, cookie: Option<String>) -> Result<Response<String>, Problem> {
    let visit = move || {
        let browser: ureq::Agent = ureq::Agent::config_builder()
            .max_redirects(0)
            .build()
            .into();
        let mut request = browser.get(url);
        if let Some(cookie) = &cookie {
            let pair = cookie.split(';').next().unwrap_or_default();
            request = request.header("cookie", pair);
        }
        let (head, mut body) = request.call()?.into_parts();
        let text = body.read_to_string()?;
        Ok::<_, ureq::Error>(Response::from_parts(head, text))
    };
    Ok(tokio::task::spawn_blocking(visit).await??)
}

fn header(answer: &Response<String>, name: &str) -> Result<String, Problem> {
    let value = answer.headers().get(name).ok_or("a header is missing")?;
    Ok(value.to_str()?.to_owned())
}
