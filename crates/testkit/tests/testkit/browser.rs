//! A browser, as far as a login needs one, and the login application behind it.

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, Authorization, DenyAuthorizationRequest, FindAuthorizationRequest,
    GetAuthorizationRequest,
};
use countersign_client::GuardedChannel;
use countersign_testkit::{Platform, Problem, service_client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

pub(crate) const LOGIN: &str = "https://login.example/enter";

/// What a server answered a browser.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Opens a URL of this machine.
pub(crate) async fn get(url: &str, cookie: Option<&str>) -> Result<Answer, Problem> {
    let parsed = Url::parse(url)?;
    let host = url.split('/').nth(2).ok_or("no host")?;
    let path = &parsed[url::Position::BeforePath..url::Position::AfterQuery];
    let cookie = cookie.map_or(String::new(), |cookie| format!("Cookie: {cookie}\r\n"));
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{cookie}\r\n");
    say(host, request.as_bytes()).await
}

/// Sends these bytes, and reads until the other side has closed.
pub(crate) async fn say(host: &str, bytes: &[u8]) -> Result<Answer, Problem> {
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    // Whoever sends too much is cut off: what was answered until then counts.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("0").parse()?;
    Ok(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// A person with a browser, and the login application that asks her.
pub(crate) struct Person {
    desk: AuthorizationServiceClient<GuardedChannel>,
}

impl Person {
    pub(crate) async fn at(platform: &Platform) -> Result<Self, Problem> {
        let login = service_client("login", platform.issuer(), &["authorizations.decide"]);
        let registered = platform.register(login).await?;
        let login = platform.client(&registered).connect().await?;
        let channel = login
            .channel(platform.url())
            .scopes(["authorizations.decide"])
            .connect()
            .await?;
        Ok(Self {
            desk: AuthorizationServiceClient::new(channel),
        })
    }

    /// Opens the URL, is asked, and decides as `subject`, or declines: where her browser is sent
    /// then, and what she was asked.
    pub(crate) async fn decides(
        &self,
        url: &str,
        subject: Option<&str>,
    ) -> Result<(String, Authorization), Problem> {
        let sent = get(url, None).await?;
        if sent.status != 303 {
            return Err(format!("not sent to the login application: {sent:?}").into());
        }
        let cookie = sent.header("set-cookie").ok_or("no cookie")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let interaction = Url::parse(sent.header("location").ok_or("nowhere")?)?;
        let handle = interaction
            .query_pairs()
            .find(|(name, _)| name == "interaction")
            .ok_or("no handle")?
            .1
            .into_owned();
        let mut desk = self.desk.clone();
        let shown = desk
            .get_authorization(GetAuthorizationRequest {
                request_uri: handle.clone(),
            })
            .await?
            .into_inner();
        let redirect_to = self.decide(handle, subject).await?;
        let back = get(&redirect_to, Some(&cookie)).await?;
        let to = back.header("location").ok_or("not sent back")?.to_owned();
        Ok((to, shown.authorization.ok_or("nothing to approve")?))
    }

    /// Types a device's code and decides.
    pub(crate) async fn types(&self, code: &str, subject: Option<&str>) -> Result<(), Problem> {
        let found = self
            .desk
            .clone()
            .find_authorization(FindAuthorizationRequest {
                user_code: code.to_owned(),
                subject: "ann".to_owned(),
                source: "192.0.2.7".to_owned(),
            })
            .await?
            .into_inner();
        self.decide(found.request_uri, subject).await.map(drop)
    }

    async fn decide(&self, handle: String, subject: Option<&str>) -> Result<String, Problem> {
        let mut desk = self.desk.clone();
        Ok(match subject {
            Some(subject) => {
                desk.approve_authorization(ApproveAuthorizationRequest {
                    request_uri: handle,
                    subject: subject.to_owned(),
                    ..ApproveAuthorizationRequest::default()
                })
                .await?
                .into_inner()
                .redirect_to
            }
            None => {
                desk.deny_authorization(DenyAuthorizationRequest {
                    request_uri: handle,
                    ..DenyAuthorizationRequest::default()
                })
                .await?
                .into_inner()
                .redirect_to
            }
        })
    }
}
