//! A person logs in by command, uses the login, and logs out. The person is played here: a browser,
//! and the login application that asks her.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, DenyAuthorizationRequest, FindAuthorizationRequest,
};
use countersign_client::{Builder, Credential, GuardedChannel, Secret};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::program::{Ran, Service};

const FILMS: &str = "https://films.example";

const CONFIGURATION: &str = "[http]\nlogin_url = \"https://login.example/enter\"\n\
                             [device]\ninterval_secs = 1\n";

/// A service with a login application, and a client for this program.
pub(crate) fn prepared() -> Service {
    let service = Service::with(|folder| {
        let file = folder.join("c.toml");
        fs::write(&file, CONFIGURATION).unwrap();
        vec!["--config".to_owned(), file.display().to_string()]
    });
    let issuer = service.url.clone();
    for line in [
        format!("resource add {FILMS} --scope films.watch,films.rate"),
        format!(
            "client add films-cli --auth none --redirect-uri http://127.0.0.1/back \
             --grant authorization-code,device-code,refresh-token \
             --allow {FILMS}=films.watch,films.rate"
        ),
        format!(
            "client add once --auth none --redirect-uri http://127.0.0.1/back \
             --grant authorization-code --allow {FILMS}=films.watch"
        ),
        format!(
            "client add login --allow {issuer}=authorizations.decide --secret-file login.secret"
        ),
        format!(
            "client add films --serves {FILMS} --allow {issuer}=introspect --secret-file films.secret"
        ),
    ] {
        let ran = service.run(&line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    service
}

/// A login that waits for its person, and what it said first.
pub(crate) struct Waiting {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    said: Value,
}

pub(crate) fn begin(service: &Service, line: &str) -> Waiting {
    begun(service.command(), line)
}

/// The same by a command that has something more in its environment.
pub(crate) fn begun(mut command: Command, line: &str) -> Waiting {
    let mut child = command
        .args(["login", "--json"])
        .args(line.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    out.read_line(&mut said).unwrap();
    let said = serde_json::from_str(&said).unwrap_or_else(|_| {
        let mut err = String::new();
        let _ = child.stderr.take().unwrap().read_to_string(&mut err);
        panic!("{said}{err}")
    });
    Waiting { child, out, said }
}

impl Waiting {
    pub(crate) fn text(&self, name: &str) -> String {
        self.said[name].as_str().unwrap().to_owned()
    }

    pub(crate) fn ends(mut self) -> Ran {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut err).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ran { code, out, err }
    }
}

/// What the browser gets: its header fields.
pub(crate) fn get(url: &str, cookie: &str) -> String {
    let (host, path) = host_and_path(url);
    asked(TcpStream::connect(host).unwrap(), host, path, cookie)
}

/// The same of this service, which may have a certificate.
fn get_of(service: &Service, url: &str, cookie: &str) -> String {
    if url.starts_with("http:") {
        return get(url, cookie);
    }
    let (host, path) = host_and_path(url);
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(service.file("ca.crt")).unwrap();
    roots.add(authority).unwrap();
    let terms = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let tls = ClientConnection::new(Arc::new(terms), name).unwrap();
    let stream = StreamOwned::new(tls, TcpStream::connect(host).unwrap());
    asked(stream, host, path, cookie)
}

fn host_and_path(url: &str) -> (&str, &str) {
    let (_, after_scheme) = url.split_once("://").unwrap();
    after_scheme.split_once('/').unwrap()
}

fn asked(mut stream: impl Read + Write, host: &str, path: &str, cookie: &str) -> String {
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn field<'a>(answer: &'a str, name: &str) -> &'a str {
    let mut fields = answer.lines().filter_map(|line| line.split_once(": "));
    let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no {name} in {answer}")).1
}

/// The login application.
async fn desk(service: &Service) -> AuthorizationServiceClient<GuardedChannel> {
    let secret = fs::read_to_string(service.file("login.secret")).unwrap();
    let credential = Credential::ClientSecret(Secret::from(secret.trim()));
    let login = Builder::new(&service.url).client("login", credential);
    let login = match fs::read(service.file("ca.crt")) {
        Ok(authority) => login.trust_ca(authority),
        Err(_) => login,
    };
    let login = login.connect().await.unwrap();
    let channel = login
        .channel(&service.url)
        .scopes(["authorizations.decide"])
        .connect()
        .await
        .unwrap();
    AuthorizationServiceClient::new(channel)
}

async fn decide(service: &Service, request_uri: String, approves: bool) -> String {
    let mut desk = desk(service).await;
    if approves {
        let approve = ApproveAuthorizationRequest {
            request_uri,
            subject: "ann".to_owned(),
            ..ApproveAuthorizationRequest::default()
        };
        let approved = desk.approve_authorization(approve).await.unwrap();
        return approved.into_inner().redirect_to;
    }
    let denied = desk.deny_authorization(DenyAuthorizationRequest {
        request_uri,
        ..DenyAuthorizationRequest::default()
    });
    denied.await.unwrap().into_inner().redirect_to
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

/// Ann opens the address, decides, and her browser goes back to the program: the page it shows.
pub(crate) fn ann_decides(service: &Service, url: &str, approves: bool) -> String {
    let handed_over = get_of(service, url, "");
    let cookie = field(&handed_over, "set-cookie").split(';').next().unwrap();
    let handle = field(&handed_over, "location")
        .split_once("interaction=")
        .unwrap()
        .1;
    let back = run(decide(service, handle.to_owned(), approves));
    let sent_back = get_of(service, &back, cookie);
    get(field(&sent_back, "location"), "")
}

fn ann_types(service: &Service, code: &str, approves: bool) {
    run(async {
        let find = FindAuthorizationRequest {
            user_code: code.to_owned(),
            subject: "ann".to_owned(),
            source: "192.0.2.7".to_owned(),
        };
        let found = desk(service).await.find_authorization(find).await.unwrap();
        decide(service, found.into_inner().request_uri, approves).await;
    });
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn kept(service: &Service) -> Value {
    serde_json::from_str(&fs::read_to_string(service.file("login.json")).unwrap()).unwrap()
}

const BROWSER: &str = "--client-id films-cli --no-browser --login-file login.json";

fn logged_in(service: &Service) {
    let waiting = begin(service, BROWSER);
    let page = ann_decides(service, &waiting.text("open"), true);
    assert!(page.contains("Go back to the program"), "{page}");
    let ran = waiting.ends();
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Whether the token in this file is worth anything.
pub(crate) fn is_alive(service: &Service, file: &str) -> bool {
    let line = format!(
        "token introspect --json --client-id films --client-secret-file films.secret --token-file {file}"
    );
    service.run(&line).json()["active"] == true
}

pub(crate) const RENEW: &str =
    "token renew --login-file login.json --access-token-file token --json";

#[test]
fn a_person_logs_in_by_a_browser_and_out() {
    let service = prepared();
    let waiting = begin(&service, &format!("{BROWSER} --scope films.watch"));
    ann_decides(&service, &waiting.text("open"), true);
    let ran = waiting.ends();
    let told = ran.json();
    assert_eq!(told["client_id"], "films-cli");
    assert_eq!(told["scopes"], serde_json::json!(["films.watch"]));
    assert_eq!(mode(&service.file("login.json")), 0o600);
    let first = kept(&service)["refresh_token"].as_str().unwrap().to_owned();
    assert!(first.starts_with("csr_"));
    assert!(
        !ran.out.contains(&first) && !ran.err.contains(&first),
        "{ran:?}"
    );

    // Used, as often as one likes: the next refresh token takes the place of the last.
    for _ in 0..3 {
        let renewed = service.run(RENEW).json();
        assert_eq!(renewed["refresh_token"], "");
        assert_eq!(renewed["access_token"], "", "it is in the file");
        assert!(is_alive(&service, "token"));
    }
    assert_ne!(kept(&service)["refresh_token"], first.as_str());
    assert_eq!(mode(&service.file("login.json")), 0o600);
    assert_eq!(mode(&service.file("token")), 0o600);

    let out = service.run("logout --login-file login.json");
    assert_eq!(out.code, 0, "{out:?}");
    assert!(!service.file("login.json").exists());
    assert!(!is_alive(&service, "token"));
    for (line, next) in [
        ("logout --login-file login.json", "countersign login"),
        (RENEW, "countersign login"),
    ] {
        let ran = service.run(line);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(
            ran.err.contains("nobody is logged in") && ran.err.contains(next),
            "{ran:?}"
        );
    }
    assert!(!service.log().contains(&first));
}

#[test]
fn a_person_logs_in_by_a_code() {
    let service = prepared();
    let line = "--client-id films-cli --device --login-file login.json";
    let waiting = begin(&service, line);
    assert!(waiting.text("verification_uri").ends_with("/device"));
    ann_types(&service, &waiting.text("user_code"), true);
    let ran = waiting.ends();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(service.run(RENEW).code, 0);
    assert!(is_alive(&service, "token"));

    // Once more: what was kept there before is given up.
    let waiting = begin(&service, line);
    ann_types(&service, &waiting.text("user_code"), true);
    assert_eq!(waiting.ends().code, 0);
    assert!(!is_alive(&service, "token"));
    assert_eq!(service.run(RENEW).code, 0);

    let waiting = begin(&service, line);
    ann_types(&service, &waiting.text("user_code"), false);
    let ran = waiting.ends();
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("the person declined"), "{ran:?}");
    assert!(is_alive(&service, "token"), "the login before is as it was");
}

#[test]
fn many_commands_share_a_login() {
    let service = prepared();
    logged_in(&service);
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = service.command();
            command.args(["token", "renew", "--login-file", "login.json"]);
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(service.run(RENEW).code, 0, "nobody ended the family");
}

#[test]
fn what_goes_wrong_says_what_to_do() {
    let service = prepared();
    let waiting = begin(&service, BROWSER);
    let page = ann_decides(&service, &waiting.text("open"), false);
    assert!(page.contains("Nothing was approved"), "{page}");
    let declined = waiting.ends();
    assert_eq!(declined.code, 6, "{declined:?}");
    assert!(declined.err.contains("access_denied"), "{declined:?}");
    assert!(!service.file("login.json").exists());

    let waiting = begin(
        &service,
        "--client-id once --no-browser --login-file login.json",
    );
    ann_decides(&service, &waiting.text("open"), true);
    let none = waiting.ends();
    assert_eq!(none.code, 6, "{none:?}");
    assert!(none.err.contains("refresh-token"), "{none:?}");
    assert!(!service.file("login.json").exists());

    let login = "login --no-browser --login-file login.json";
    for (line, code, says) in [
        (
            format!("{login} --client-id nobody"),
            6,
            "REASON_CLIENT_AUTHENTICATION_FAILED",
        ),
        (
            format!("{login} --client-id films-cli --redirect-uri http://localhost/back"),
            3,
            "register the client with one such as http://127.0.0.1/back",
        ),
        (
            format!("{login} --client-id films-cli --redirect-uri http://127.0.0.1/other"),
            6,
            "redirect_uri",
        ),
        (
            format!("{login} --client-id films-cli --scope films.burn"),
            6,
            "REASON_INVALID_SCOPE",
        ),
        (
            format!("{login} --client-id films-cli --server http://127.0.0.1:1"),
            5,
            "countersign serve",
        ),
        (
            "login --client-id once --device --login-file login.json".to_owned(),
            6,
            "REASON_",
        ),
    ] {
        let ran = service.run(&line);
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        assert!(ran.err.contains(says), "{line}: {ran:?}");
    }

    logged_in(&service);
    // What it cannot give is no reason to log in anew.
    let narrow = service.run("token renew --login-file login.json --scope films.burn");
    assert_eq!(narrow.code, 6, "{narrow:?}");
    assert!(!narrow.err.contains("log in anew"), "{narrow:?}");
    // Another key than the one that it is bound to.
    let key = service.file("dpop-key.pem");
    fs::rename(&key, service.file("aside.pem")).unwrap();
    for line in [RENEW, "logout --login-file login.json"] {
        let gone = service.run(line);
        assert_eq!(gone.code, 3, "{gone:?}");
        assert!(gone.err.contains("is not there any more"), "{gone:?}");
    }
    assert_eq!(service.run("key generate dpop-key.pem").code, 0);
    let other = service.run(RENEW);
    assert_eq!(other.code, 3, "{other:?}");
    assert!(other.err.contains("bring the key back"), "{other:?}");
    fs::rename(service.file("aside.pem"), &key).unwrap();
    assert_eq!(service.run(RENEW).code, 0);

    // Somebody else ended it.
    let family = kept(&service)["family_id"].as_str().unwrap().to_owned();
    let revoke = format!("token revoke --client-id films-cli --family={family} --yes");
    assert_eq!(service.run(&revoke).code, 0);
    let over = service.run(RENEW);
    assert_eq!(over.code, 6, "{over:?}");
    assert!(over.err.contains("the login is over"), "{over:?}");
    // Which is no reason not to log out.
    assert_eq!(service.run("logout --login-file login.json").code, 0);

    // What others may read, and what is no login.
    fs::write(service.file("login.json"), "{}").unwrap();
    for (permissions, says) in [(0o644, "chmod 600"), (0o600, "holds no login")] {
        let file = service.file("login.json");
        fs::set_permissions(&file, fs::Permissions::from_mode(permissions)).unwrap();
        let ran = service.run(RENEW);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    }
}

#[test]
fn a_login_stays_kept_while_it_cannot_be_revoked() {
    let mut service = prepared();
    logged_in(&service);
    service.signal("TERM");
    assert!(service.ended().success());
    let ran = service.run("logout --login-file login.json");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("still kept"), "{ran:?}");
    assert!(service.file("login.json").exists());
}
