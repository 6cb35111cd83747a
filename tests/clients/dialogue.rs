//! A program of `interop/clients/` as a child process: it says what came of its requests, and asks
//! a person to decide them.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use countersign_testkit::{Problem, service};
use serde_json::Value;

use crate::person::Decides;
use crate::stand::Stand;

/// Between two lines. A virtual machine starts and compiles in this time, however busy the machine.
const LINE_SECS_MAX: u64 = 180;

/// The program. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    /// Until it is to end.
    input: Option<ChildStdin>,
    said: Receiver<String>,
    complaints: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts what was installed for the folder of `interop/clients/`.
    pub(crate) fn start(
        launcher: &Path,
        folder: &str,
        words: &[&str],
        stand: &Stand,
    ) -> Result<Self, Problem> {
        let mut command = Command::new(launcher);
        command.arg(sources(folder)).args(words);
        Self::of(&mut command, &stand.ca(), &[])
    }

    /// Starts what the command says, which is told whom to trust, and has these variables.
    pub(crate) fn of(
        command: &mut Command,
        ca: &Path,
        variables: &[(&'static str, OsString)],
    ) -> Result<Self, Problem> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        service::unconfigured(command).envs(variables.iter().cloned());
        // How each platform is told of an authority: Node, Python's requests, Python itself, and
        // the launchers that make Java's store of it.
        for name in [
            "NODE_EXTRA_CA_CERTS",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "CLIENTS_CA",
        ] {
            command.env(name, ca);
        }
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut errors = child.stderr.take().ok_or("no standard error")?;
        let (line, said) = mpsc::channel();
        thread::spawn(move || {
            for said in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more where the test has failed.
                let _ = line.send(said);
            }
        });
        let complaints = thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        });
        Ok(Self {
            child,
            input,
            said,
            complaints: Some(complaints),
        })
    }

    /// Tells it a line.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), Problem> {
        let input = self.input.as_mut().ok_or("it was told to end")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// The next line; none after the last.
    pub(crate) fn line(&mut self) -> Result<Option<String>, Problem> {
        match self.said.recv_timeout(Duration::from_secs(LINE_SECS_MAX)) {
            Ok(line) => Ok(Some(line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(None),
            Err(mpsc::RecvTimeoutError::Timeout) => Err("the program says nothing".into()),
        }
    }

    /// Its end, for which it is told nothing more.
    ///
    /// # Errors
    /// It did not end well: what it complained of.
    pub(crate) fn ended(mut self) -> Result<(), Problem> {
        self.input = None;
        let status = self.child.wait()?;
        let complaints = self.complaints();
        if status.success() {
            Ok(())
        } else {
            Err(format!("{status}\n{complaints}").into())
        }
    }

    /// What it complained of, once it has ended.
    pub(crate) fn complaints(&mut self) -> String {
        let complaints = self.complaints.take().map(JoinHandle::join);
        complaints.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself. What its launcher started ends with this input.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a client to its end, with a person who decides, and compares what it says with `wanted`.
pub(crate) fn hold(
    launcher: &Path,
    folder: &str,
    words: &[&str],
    stand: &Stand,
    registered: &Value,
    wanted: &[&str],
) -> Result<(), Problem> {
    let mut program = Program::start(launcher, folder, words, stand)?;
    program.tell(&registered.to_string())?;
    let mut said = Vec::new();
    while let Some(line) = program.line()? {
        let answer = match line.split_once(' ') {
            Some(("browse", url)) => stand.person.browse(url, Decides::Approve),
            Some(("decline", url)) => stand.person.browse(url, Decides::Decline),
            Some(("let-in", code)) => done(stand.person.device(code, Decides::Approve)),
            Some(("keep-out", code)) => done(stand.person.device(code, Decides::Decline)),
            _ => {
                said.push(line);
                continue;
            }
        };
        let answer = answer.map_err(|error| format!("{line}: {error}\n{}", said.join("\n")))?;
        program.tell(&answer)?;
    }
    program
        .ended()
        .map_err(|error| format!("{}\n{error}", said.join("\n")))?;
    compare(&said, wanted)
}

fn done(done: Result<(), Problem>) -> Result<String, Problem> {
    done.map(|()| "done".to_owned())
}

fn sources(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("interop/clients")
        .join(folder)
}

/// What differs, line by line.
fn compare(said: &[String], wanted: &[&str]) -> Result<(), Problem> {
    if said == wanted {
        return Ok(());
    }
    let lacking = wanted
        .iter()
        .filter(|line| !said.iter().any(|said| said == *line));
    let odd = said.iter().filter(|line| !wanted.contains(&line.as_str()));
    let text: String = lacking
        .map(|line| format!("lacks: {line}\n"))
        .chain(odd.map(|line| format!("says:  {line}\n")))
        .chain([format!("all:\n{}", said.join("\n"))])
        .collect();
    Err(text.into())
}
