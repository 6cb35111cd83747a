//! The token service as a child process, and the commands that work on it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A debug build under load starts in a few seconds.
const START_SECS_MAX: u64 = 60;

/// `countersign serve`, with a folder of its own. Killed when dropped.
pub(crate) struct Service {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    said: Said,
}

/// All that the child says on either stream, as long as it lives.
#[derive(Clone, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// So far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    fn add(&self, line: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(line.as_bytes());
        said.push(b'\n');
    }
}

/// How the child is started.
#[derive(Default)]
pub(crate) struct Terms {
    /// The command that runs the binary: nothing, or `strace …`.
    pub(crate) under: Vec<String>,
    /// More lines for the configuration file.
    pub(crate) configuration: String,
}

impl Service {
    /// Starts one on a free port and waits until it says that it serves.
    pub(crate) fn start(terms: &Terms) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let address = free_address()?;
        let text = format!(
            "[listen]\naddress = \"{address}\"\n\n[store]\ndirectory = \"{data}\"\nkey_file = \"{key}\"\n\n[admin]\nsocket = \"{socket}\"\n\n[stop]\nnotice_secs = 0\n\n{more}",
            data = folder.path().join("data").display(),
            key = folder.path().join("key").display(),
            socket = folder.path().join("admin.sock").display(),
            more = terms.configuration,
        );
        fs::write(folder.path().join("countersign.toml"), text)
            .map_err(|error| error.to_string())?;
        let said = Said::default();
        let child = spawn(folder.path(), &terms.under, &said)?;
        Ok(Self {
            child,
            folder,
            address,
            said,
        })
    }

    /// Kills the service at once, as a power cut would, and starts it again on
    /// the same data.
    pub(crate) fn kill_and_restart(&mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| error.to_string())?;
        self.child.wait().map_err(|error| error.to_string())?;
        self.child = spawn(self.folder.path(), &[], &self.said)?;
        Ok(())
    }

    /// Stops the service as an operator would, and waits for its end.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        let id = self.child.id().to_string();
        run(Command::new("kill").args(["-s", "TERM", &id]))?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the service ended with {status}"))
        }
    }

    /// What it says on its two streams.
    pub(crate) fn said(&self) -> &Said {
        &self.said
    }

    /// What clients connect to; also the issuer.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A folder that goes with the service.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs an administrator's command against the service's socket.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Result<Value, String> {
        let socket = self.folder.path().join("admin.sock");
        let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        all.extend([
            OsStr::new("--socket"),
            socket.as_os_str(),
            OsStr::new("--json"),
        ]);
        let text = countersign(&all)?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary and returns what it printed.
pub(crate) fn countersign(arguments: &[impl AsRef<OsStr>]) -> Result<String, String> {
    let mut command = Command::new(binary()?);
    command.args(arguments).stdin(Stdio::null());
    run(unconfigured(&mut command))
}

/// Without the variables that configure the binary: whoever runs the tests may
/// have some, and those of the tests themselves are no configuration.
pub(crate) fn unconfigured(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("COUNTERSIGN_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end; anything but success is an error with all that
/// it said.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        let complained = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "{command:?}: {}\n{said}{complained}",
            output.status
        ))
    }
}

/// The binary that was built along with this test.
pub(crate) fn binary() -> Result<PathBuf, String> {
    let test = env::current_exe().map_err(|error| error.to_string())?;
    let profile = test
        .parent()
        .and_then(Path::parent)
        .ok_or("the test runs outside a target folder")?;
    let binary = profile.join("countersign");
    if binary.is_file() {
        Ok(binary)
    } else {
        Err("the binary is not built: run `cargo build -p countersign-cli`, or `cargo test --workspace`".into())
    }
}

/// An address of this machine that nobody listened on a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| error.to_string())
}

/// Asks again and again until `done` has an answer or the time is up.
pub(crate) fn until<T>(
    what: &str,
    mut done: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let end = Instant::now() + Duration::from_secs(START_SECS_MAX);
    loop {
        match done() {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() > end => return Err(format!("{what}: {error}")),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn spawn(folder: &Path, under: &[String], said: &Said) -> Result<Child, String> {
    let binary = binary()?.display().to_string();
    let mut words = under.iter().cloned().chain([binary]);
    let mut command = Command::new(words.next().ok_or("no command")?);
    command
        .args(words)
        .arg("serve")
        .arg("--config")
        .arg(folder.join("countersign.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = unconfigured(&mut command)
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let (ready, is_ready) = mpsc::channel();
    for stream in [
        Box::new(stdout) as Box<dyn std::io::Read + Send>,
        Box::new(stderr),
    ] {
        let ready = ready.clone();
        let said = said.clone();
        // Both are read to the end, or the child would stop at a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                said.add(&line);
                // Nobody waits any more once the service has begun.
                let _ = ready.send(line);
            }
        });
    }
    drop(ready);
    let end = Instant::now() + Duration::from_secs(START_SECS_MAX);
    let mut said = String::new();
    while let Ok(line) = is_ready.recv_timeout(end.saturating_duration_since(Instant::now())) {
        said += &line;
        said.push('\n');
        // The last line of the announcement: all listeners are open.
        if line.to_lowercase().contains("admin socket") {
            return Ok(child);
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("the service did not start; it said:\n{said}"))
}
