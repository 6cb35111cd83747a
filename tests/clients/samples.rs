//! What the pages of `docs/grants/` show in other languages, to the letter: who asks is registered
//! by the page's own commands, and the programs run as whoever copies them would run them.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_testkit::Problem;

use crate::browser::Browser;
use crate::desk::{Desk, Manner};
use crate::dialogue::Program;
use crate::person::Decides;

pub(crate) fn client_credentials(python: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Strict)?;
    let secret = desk.read("checkout.secret")?;
    let mut program = desk.python(python)?;
    program.env("ISSUER", &desk.issuer);
    program.env("CHECKOUT_SECRET", secret.trim());
    desk.says(&mut program, &["DPoP orders.read 300"])
}

pub(crate) fn authorization_code(python: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Strict)?;
    let mut command = desk.python(python)?;
    // It would open a browser: there is none, and this stands for one that does nothing.
    command.env("BROWSER", "true");
    let mut program = Program::of(&mut command, &desk.ca(), &[])?;
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
}

pub(crate) fn device(javascript: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Strict)?;
    let mut program = Program::of(&mut desk.javascript(javascript)?, &desk.ca(), &[])?;
    let shown = said(&mut program, "go to ")?;
    let (_, code) = shown.split_once(" and type ").ok_or("no code to type")?;
    desk.person.device(code, Decides::Approve)?;
    same(&said(&mut program, "may ")?, "films.watch")?;
    program.ended()
}

pub(crate) fn refresh_token(javascript: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Strict)?;
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
}

/// The programs of its page, to be run by a launcher, and what they say.
impl Desk {
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
        let mut program = Program::of(command, &self.ca(), &[])?;
        let mut all = Vec::new();
        while let Some(line) = program.line()? {
            all.push(line);
        }
        program.ended()?;
        same(&all.join("\n"), &lines.join("\n"))
    }
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
