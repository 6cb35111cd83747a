//! What the pages of `docs/grants/` show in other languages, to the letter: who asks is registered
//! by the page's own commands, and the programs run as whoever copies them would run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_client::{Builder, Credential};
use countersign_jose::SigningKey;
use countersign_testkit::service::{Service, Terms};
use countersign_testkit::{Problem, service, setup};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::browser::Browser;
use crate::certificates::Certificates;
use crate::dialogue::Program;
use crate::page::Page;
use crate::person::{Decides, Person};
use crate::stand::CONFIGURATION;

/// The programs that are run here, by page and language.
const RUN: &[(&str, &[&str])] = &[
    ("authorization-code.md", &["python"]),
    ("client-credentials.md", &["python"]),
    ("device.md", &["js"]),
    ("refresh-token.md", &["js"]),
];

/// No page has a program that nobody runs.
pub(crate) fn all_are_run() -> Result<(), String> {
    let check = || {
        let mut shown = Vec::new();
        for name in Page::names()? {
            let languages = Page::read(&name, "")?.languages();
            shown.push((name, languages));
        }
        let run = |(name, languages): &(&str, &[&str])| {
            let languages = languages.iter().map(|&language| language.to_owned());
            ((*name).to_owned(), languages.collect::<Vec<_>>())
        };
        let run: Vec<_> = RUN.iter().map(run).collect();
        if shown == run {
            return Ok(());
        }
        Err::<(), Problem>(format!("the pages have {shown:?}, and these are run: {run:?}").into())
    };
    check().map_err(|error| error.to_string())
}

pub(crate) fn client_credentials(python: &Path) -> Result<(), String> {
    let run = || {
        let desk = Desk::of("client-credentials.md")?;
        let secret = desk.read("checkout.secret")?;
        let mut program = desk.python(python)?;
        program.env("ISSUER", &desk.issuer);
        program.env("CHECKOUT_SECRET", secret.trim());
        desk.says(&mut program, &["DPoP orders.read 300"])
    };
    told(run)
}

pub(crate) fn authorization_code(python: &Path) -> Result<(), String> {
    let run = || {
        let desk = Desk::of("authorization-code.md")?;
        let mut command = desk.python(python)?;
        // It would open a browser: there is none, and this stands for one that does nothing.
        command.env("BROWSER", "true");
        let mut program = Program::of(&mut command, &desk.ca())?;
        let open = said(&mut program, "open ")?;
        let back = desk.person.browse(&open, Decides::Approve)?;
        let (receiver, _) = back.split_once('?').ok_or("nothing to bring back")?;
        let browser = Browser::new(&desk.ca())?;
        for (url, status) in [
            (format!("{receiver}?state=of-another&code=csc_x"), "404"),
            (back.clone(), "200"),
        ] {
            let (came, page) = browser.visit(&url)?;
            if came != status {
                return Err(format!("{url}: {came} instead of {status}\n{page}").into());
            }
        }
        same(&said(&mut program, "may ")?, "orders.read")?;
        program.ended()
    };
    told(run)
}

pub(crate) fn device(javascript: &Path) -> Result<(), String> {
    let run = || {
        let desk = Desk::of("device.md")?;
        let mut program = Program::of(&mut desk.javascript(javascript)?, &desk.ca())?;
        let shown = said(&mut program, "go to ")?;
        let (_, code) = shown.split_once(" and type ").ok_or("no code to type")?;
        desk.person.device(code, Decides::Approve)?;
        same(&said(&mut program, "may ")?, "films.watch")?;
        program.ended()
    };
    told(run)
}

pub(crate) fn refresh_token(javascript: &Path) -> Result<(), String> {
    let run = || {
        let desk = Desk::of("refresh-token.md")?;
        let first = desk.first_refresh_token()?;
        fs::write(desk.file("orders.refresh"), &first)?;
        // The second run has what the first one kept.
        for _ in 0..2 {
            let mut program = desk.javascript(javascript)?;
            desk.says(&mut program, &["dpop orders.read 300"])?;
        }
        if desk.read("orders.refresh")? == first {
            return Err("the newest refresh token was not kept".into());
        }
        Ok(())
    };
    told(run)
}

/// A service on which the commands of a page were carried out, and a folder for its programs.
struct Desk {
    page: Page,
    issuer: String,
    person: Person,
    certificates: Certificates,
    folder: TempDir,
    service: Service,
}

impl Desk {
    fn of(page: &str) -> Result<Self, Problem> {
        let folder = tempfile::tempdir()?;
        let certificates = Certificates::make(folder.path())?;
        let service = Service::start(&Terms {
            configuration: format!(
                "{CONFIGURATION}\n[tls]\ncertificate_file = {:?}\nkey_file = {:?}\n",
                certificates.certificate("tls"),
                certificates.key("tls"),
            ),
            ..Terms::default()
        })?;
        let issuer = format!("https://{}", service.address());
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
    fn shell(&self, command: &str) -> Result<String, Problem> {
        let binary = service::binary()?;
        let beside = binary.parent().ok_or("the binary is nowhere")?;
        let path = format!(
            "{}:{}",
            beside.display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut shell = Command::new("sh");
        service::unconfigured(shell.args(["-euc", command]))
            .env("PATH", path)
            .env(
                "COUNTERSIGN_ADMIN_SOCKET",
                self.service.folder().join("admin.sock"),
            );
        Ok(service::run(self.at_home(&mut shell))?)
    }

    /// In the folder of the programs, which is the person's home as well.
    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env_remove("XDG_STATE_HOME")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Result<String, Problem> {
        Ok(fs::read_to_string(self.file(name))?)
    }

    fn ca(&self) -> PathBuf {
        self.certificates.certificate("ca")
    }

    /// The page's program, to be run by the launcher.
    fn python(&self, launcher: &Path) -> Result<Command, Problem> {
        let folder = self.file("program");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("main.py"), self.page.program("python")?)?;
        let mut command = Command::new(launcher);
        self.at_home(command.arg(folder));
        Ok(command)
    }

    fn javascript(&self, launcher: &Path) -> Result<Command, Problem> {
        let folder = self.file("program");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("package.json"), "{\"type\":\"module\"}")?;
        fs::write(folder.join("src/main.js"), self.page.program("js")?)?;
        let mut command = Command::new(launcher);
        self.at_home(command.arg(folder));
        Ok(command)
    }

    /// Runs it to its end: these lines, and no more.
    fn says(&self, command: &mut Command, lines: &[&str]) -> Result<(), Problem> {
        let mut program = Program::of(command, &self.ca())?;
        let mut all = Vec::new();
        while let Some(line) = program.line()? {
            all.push(line);
        }
        program.ended()?;
        same(&all.join("\n"), &lines.join("\n"))
    }

    /// What a login leads to with the key that `countersign` keeps.
    fn first_refresh_token(&self) -> Result<String, Problem> {
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

fn told(run: impl FnOnce() -> Result<(), Problem>) -> Result<(), String> {
    run().map_err(|error| error.to_string())
}

/// The rest of the program's next line.
fn said(program: &mut Program, begin: &str) -> Result<String, Problem> {
    let Some(line) = program.line()? else {
        return Err(format!("it ended: {}", program.complaints()).into());
    };
    let rest = line.strip_prefix(begin).map(str::to_owned);
    Ok(rest.ok_or_else(|| format!("it says {line:?} instead of {begin:?}"))?)
}

fn same(said: &str, wanted: &str) -> Result<(), Problem> {
    if said == wanted {
        return Ok(());
    }
    Err(format!("it says {said:?} instead of {wanted:?}").into())
}
