//! A service on which the commands of a page were carried out.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use countersign_client::{Builder, Credential};
use countersign_jose::SigningKey;
use countersign_testkit::service::{Service, Terms};
use countersign_testkit::{Problem, parts, service, setup};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::certificates::Certificates;
use crate::page::Page;
use crate::person::{Decides, Person};
use crate::stand::CONFIGURATION;

/// A service on which the commands of a page were carried out, and a folder for its programs.
pub(crate) struct Desk {
    pub(crate) page: Page,
    pub(crate) issuer: String,
    pub(crate) person: Person,
    certificates: Certificates,
    folder: TempDir,
    service: Service,
}

/// How the service is served.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// By TLS, and asking every proof for a nonce.
    Strict,
    /// As `countersign serve --with-login` with nothing configured, but for times: nonces are asked
    /// for for 31 s, and a lost answer is given again for 30 s.
    Bare,
}

/// What is configured where hardly anything is.
const BARE: &str = "\
[login]
serve = \"yes\"

[proofs]
age_secs = 20

[tokens]
refresh_retry_secs = 30
";

impl Desk {
    pub(crate) fn of(page: &str, manner: Manner) -> Result<Self, Problem> {
        let folder = tempfile::tempdir()?;
        let certificates = Certificates::make(folder.path())?;
        let (scheme, configuration) = match manner {
            Manner::Bare => ("http", BARE.to_owned()),
            Manner::Strict => (
                "https",
                format!(
                    "{CONFIGURATION}\n[tls]\ncertificate_file = {:?}\nkey_file = {:?}\n",
                    certificates.certificate("tls"),
                    certificates.key("tls"),
                ),
            ),
        };
        let service = Service::start(&Terms {
            configuration,
            ..Terms::default()
        })?;
        let issuer = format!("{scheme}://{}", service.address());
        let decides = format!("{issuer}=authorizations.decide");
        let login = setup::client(&service, "where-ann-logs-in", &["--allow", &decides])?;
        let person = Person::new(&issuer, &certificates.certificate("ca"), login)?;
        let desk = Self {
            page: Page::read(page, &issuer)?,
            issuer,
            person,
            certificates,
            folder,
            service,
        };
        desk.register()?;
        Ok(desk)
    }

    /// As the page says; the resource of its examples is that of the first page.
    fn register(&self) -> Result<(), Problem> {
        let mut commands = self.page.registrations();
        let orders = "countersign resource add https://orders.internal:8443 --scope orders.read";
        if !commands.iter().any(|command| command == orders) {
            commands.insert(0, orders.to_owned());
        }
        for command in commands {
            self.shell(&command)?;
        }
        Ok(())
    }

    /// A command as a person at a terminal types it.
    pub(crate) fn shell(&self, command: &str) -> Result<String, Problem> {
        let mut shell = Command::new("sh");
        service::unconfigured(shell.args(["-euc", command])).envs(self.variables()?);
        Ok(service::run(self.at_home(&mut shell))?)
    }

    /// What a shell has, so that `countersign` is this one and asks this service.
    pub(crate) fn variables(&self) -> Result<Vec<(&'static str, OsString)>, Problem> {
        let mut path = vec![
            service::binary()?
                .parent()
                .ok_or("it is nowhere")?
                .to_owned(),
        ];
        // Where tools are installed.
        for part in ["curl", "grpcurl"] {
            path.extend(parts::find(part).and_then(|part| Some(part.parent()?.to_owned())));
        }
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let socket = self.service.folder().join("admin.sock");
        Ok(vec![
            ("PATH", env::join_paths(path)?),
            ("COUNTERSIGN_SERVER", self.issuer.clone().into()),
            ("COUNTERSIGN_ADMIN_SOCKET", socket.into()),
        ])
    }

    /// In the folder of the programs, which is the person's home as well.
    pub(crate) fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env_remove("XDG_STATE_HOME")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Result<String, Problem> {
        Ok(fs::read_to_string(self.file(name))?)
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.certificates.certificate("ca")
    }

    /// What a login leads to with the key that `countersign` keeps.
    pub(crate) fn first_refresh_token(&self) -> Result<String, Problem> {
        self.shell(&format!("countersign proof --url {}/token", self.issuer))?;
        let key = self.read(".local/state/countersign/dpop-key.pem")?;
        let program = Builder::new(&self.issuer)
            .client("orders-cli", Credential::Public)
            .proof_key(SigningKey::from_pkcs8_pem(&key)?)
            .trust_ca(fs::read(self.ca())?);
        let runtime = Runtime::new()?;
        let program = runtime.block_on(program.connect())?;
        let asked = program.authorization("http://127.0.0.1:8912/back");
        let pending = runtime.block_on(asked.scopes(["orders.read"]).push())?;
        let back = self.person.browse(pending.url(), Decides::Approve)?;
        let code = pending.check(&back)?;
        let service = program.token_service();
        let issued = runtime.block_on(service.redeem(&code, &[], &[]))?;
        let first = issued.refresh_token.ok_or("no refresh token")?;
        Ok(first.expose().to_owned())
    }
}
