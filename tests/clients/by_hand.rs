//! What the pages of `docs/grants/` show to be typed (*By hand*): every command in its order, in one
//! shell, and what it says, where `…` stands for anything.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use countersign_testkit::{Problem, parts};

use crate::desk::{Desk, Manner};
use crate::dialogue::Program;
use crate::page::Typed;
use crate::person::Decides;

/// What differs from run to run, and stands in the pages as it once was.
const ONCE: &[&str] = &[
    "DVFM-DXPT",
    "2026-11-28T16:20:43.045Z",
    "4wspXzt8aXkp8Sz7f4SQYQ",
];

/// For the service to take proofs without a nonce, and for a refresh token to be an old one: both
/// come by themselves, within half a minute here.
const PATIENCE: Duration = Duration::from_secs(120);

/// The end of what a command says.
const DONE: &str = "@@ that was all";

pub(crate) fn client_credentials(_: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Bare)?;
    let mut shell = Shell::open(&desk, &[])?;
    for block in desk.page.by_hand()? {
        shell.type_all(&block)?;
    }
    Ok(())
}

pub(crate) fn authorization_code(_: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Bare)?;
    let [ask, redeem] = &desk.page.by_hand()?[..] else {
        return Err("the page has other blocks".into());
    };
    let mut shell = Shell::open(&desk, &[])?;
    shell.type_all(ask)?;
    let request_uri = shell.last("urn:")?;
    let authorize = format!(
        "{}/authorize?client_id=orders-cli&request_uri={request_uri}",
        desk.issuer
    );
    let back = desk.person.browse(&authorize, Decides::Approve)?;
    let code = back.split_once("code=").ok_or("no code")?.1;
    let code = code.split('&').next().unwrap_or_default();
    shell.run(&format!("CODE={code}"))?;
    shell.type_all(redeem)
}

pub(crate) fn device(_: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Bare)?;
    let [ask, decide] = &desk.page.by_hand()?[..] else {
        return Err("the page has other blocks".into());
    };
    let mut shell = Shell::open(&desk, &[])?;
    shell.type_all(ask)?;
    let shown = shell.between("\"user_code\":\"", "\"")?;
    let typed = shown.replace('-', "").to_lowercase();
    let decide: Vec<_> = decide
        .iter()
        .map(|step| Typed {
            command: step.command.replace("dvfmdxpt", &typed),
            says: step.says.clone(),
        })
        .collect();
    shell.type_all(&decide)?;
    // "The same question at `/token`, with a fresh proof, gets the tokens."
    let question = ask.last().ok_or("no question")?;
    shell.types(&Typed {
        command: question.command.clone(),
        says: "{\"access_token\":\"eyJ…\",…,\"scope\":\"films.watch\",…}".to_owned(),
    })
}

pub(crate) fn refresh_token(_: &Path, page: &str) -> Result<(), Problem> {
    let desk = Desk::of(page, Manner::Bare)?;
    let first = desk.first_refresh_token()?;
    let newest = desk.first_refresh_token()?;
    let mut shell = Shell::open(&desk, &[("FIRST", first), ("NEWEST", newest)])?;
    let [rotate, refused, old, done] = &desk.page.by_hand()?[..] else {
        return Err("the page has other blocks".into());
    };
    shell.type_all(rotate)?;
    shell.type_all(refused)?;
    // "An old one, after ten seconds": until then it gets the same successor.
    let end = Instant::now() + PATIENCE;
    let again = &old.first().ok_or("nothing is typed")?.command;
    while !shell.run(again)?.contains("invalid_grant") {
        if Instant::now() > end {
            return Err("an old refresh token is good forever".into());
        }
        thread::sleep(Duration::from_secs(1));
    }
    shell.type_all(old)?;
    shell.type_all(done)
}

/// A shell at a terminal.
struct Shell {
    program: Program,
    /// All that was said in it.
    said: String,
}

impl Shell {
    fn open(desk: &Desk, variables: &[(&str, String)]) -> Result<Self, Problem> {
        for part in ["curl", "openssl"] {
            parts::find(part).ok_or_else(|| format!("{part} is not installed"))?;
        }
        let mut shell = Command::new("sh");
        let program = Program::of(desk.at_home(&mut shell), &desk.ca(), &desk.variables()?)?;
        let mut shell = Self {
            program,
            said: String::new(),
        };
        for (name, value) in variables {
            shell.run(&format!("{name}={value}"))?;
        }
        Ok(shell)
    }

    fn type_all(&mut self, block: &[Typed]) -> Result<(), Problem> {
        block.iter().try_for_each(|typed| self.types(typed))
    }

    /// Types it, and compares what is said; again while the service still asks for nonces.
    fn types(&mut self, typed: &Typed) -> Result<(), Problem> {
        let command = self.filled_in(&typed.command);
        let end = Instant::now() + PATIENCE;
        let mut said = self.run(&command)?;
        while said.contains("use_dpop_nonce") && Instant::now() < end {
            thread::sleep(Duration::from_secs(1));
            said = self.run(&command)?;
        }
        let mut wanted = typed.says.clone();
        for once in ONCE {
            wanted = wanted.replace(once, "…");
        }
        // What a command keeps to itself in the page, it may say.
        if wanted.is_empty() || fits(said.trim_end(), wanted.trim_end()) {
            return Ok(());
        }
        Err(format!("{command}\nsays:\n{said}\ninstead of:\n{wanted}").into())
    }

    /// What it says.
    fn run(&mut self, command: &str) -> Result<String, Problem> {
        self.program.tell(command)?;
        self.program.tell(&format!("echo; echo '{DONE}'"))?;
        let mut said = Vec::new();
        loop {
            match self.program.line()? {
                Some(line) if line == DONE => break,
                Some(line) => said.push(line),
                None => return Err(self.program.complaints().into()),
            }
        }
        let said = said.join("\n");
        self.said.push_str(&said);
        Ok(said)
    }

    /// With what was said in place of `csd_…` and its like.
    fn filled_in(&self, command: &str) -> String {
        let mut parts = command.split('…');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let from = filled.rfind(|c: char| !is_handle(c)).map_or(0, |at| at + 1);
            let begin = filled.split_off(from);
            filled.push_str(&self.last(&begin).unwrap_or(begin));
            filled.push_str(part);
        }
        filled
    }

    /// The last that begins so.
    fn last(&self, begin: &str) -> Result<String, Problem> {
        let at = self.said.rfind(begin);
        let at = at.ok_or_else(|| format!("nothing begins with {begin:?}"))?;
        let word = self.said[at..].split(|c| !is_handle(c) && c != ':').next();
        Ok(word.unwrap_or_default().to_owned())
    }

    fn between(&self, begin: &str, end: &str) -> Result<String, Problem> {
        let rest = self.said.rsplit_once(begin).ok_or("it is not there")?.1;
        Ok(rest.split(end).next().unwrap_or_default().to_owned())
    }
}

fn is_handle(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Whether it is this text, where `…` stands for anything.
fn fits(said: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = said.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}
