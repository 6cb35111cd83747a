//! Running the binary: alone, and as a service with a folder of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any step takes on a busy machine; only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Its standard output as JSON; the run must have succeeded.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary without anything of this environment that it would read.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COUNTERSIGN_")
            || name.to_string_lossy().starts_with("OTEL_")
        {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs it with these arguments.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    finish(program().args(arguments))
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command with this on its standard input.
pub(crate) fn feed(command: &mut Command, input: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments does not read.
    let _written = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A token service in a folder of its own.
pub(crate) struct Service {
    child: Child,
    folder: TempDir,
    pub(crate) url: String,
    /// Where it asks for certificates, if it does.
    pub(crate) mtls: Option<String>,
}

impl Service {
    /// Starts one and waits until it says where it is.
    pub(crate) fn start() -> Self {
        Self::with(|_| Vec::new())
    }

    /// Starts one with more arguments, which may name files in its folder.
    pub(crate) fn with(more: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let more = more(folder.path());
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let (child, facts) = serve(folder.path(), &more);
        Self {
            child,
            folder,
            url: facts["grpc"].as_str().unwrap().to_owned(),
            mtls: facts["mtls"].as_str().map(str::to_owned),
        }
    }

    /// A file in its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap()
    }

    /// A command that is told of this service by variables.
    pub(crate) fn command(&self) -> Command {
        let mut command = program();
        command
            .current_dir(self.folder.path())
            .env("COUNTERSIGN_SERVER", &self.url)
            .env("COUNTERSIGN_ADMIN_SOCKET", self.file("admin.sock"))
            .env("COUNTERSIGN_DPOP_KEY", self.file("dpop-key.pem"));
        command
    }

    /// Runs the binary against it; `line` is split at spaces.
    pub(crate) fn run(&self, line: &str) -> Ran {
        finish(self.command().args(line.split_whitespace()))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        // Until it is waited for, even an ended child can be signalled.
        assert!(sent.success());
    }

    /// How it ended, if it has.
    pub(crate) fn ended_already(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Gone already where a test stopped it.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// `serve --json` in this folder, with more arguments: the child, and what it
/// said of itself.
pub(crate) fn serve(folder: &Path, more: &[&str]) -> (Child, Value) {
    let mut child = program()
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .arg("--key-file")
        .arg(folder.join("kek"))
        .arg("--socket")
        .arg(folder.join("admin.sock"))
        .args(more)
        .stdout(Stdio::piped())
        .stderr(File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let facts = loop {
        let read = said.read_line(&mut text).unwrap();
        if let Ok(facts) = serde_json::from_str(&text) {
            break Some(facts);
        }
        if read == 0 {
            break None;
        }
    };
    let Some(facts) = facts else {
        let status = child.wait().unwrap();
        let log = fs::read_to_string(folder.join("log")).unwrap();
        panic!("it did not start: {status}: {log}");
    };
    (child, facts)
}

/// Waits for a child's end.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "it does not end");
        thread::sleep(Duration::from_millis(20));
    }
}
