//! The token service as a child process, and the commands that work on it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::Problem;
use crate::platform::unix_channel;

/// A debug build under load starts in a few seconds.
const START_SECS_MAX: u64 = 60;

/// A process that has nothing more to do ends at once; one that is told to stop
/// by a failed store waits for the calls under way.
const END_SECS_MAX: u64 = 60;

/// `countersign serve`, with a folder of its own. Killed when dropped.
pub struct Service {
    child: Running,
    folder: TempDir,
    address: SocketAddr,
}

/// How the child is started.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The command that runs the binary: nothing, or `strace …`.
    pub under: Vec<String>,
    /// More lines for the configuration file.
    pub configuration: String,
    /// Variables of the child's own, `LD_PRELOAD` above all.
    pub environment: Vec<(String, String)>,
    /// Where the records are; in the service's folder unless it is named.
    pub data: Option<PathBuf>,
}

/// A child, and what it has said.
struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
}

/// How a child ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// All that it said, on standard output and standard error.
    pub said: String,
}

impl Service {
    /// Starts one on a free port and waits until it says that it serves.
    ///
    /// # Errors
    /// What it said instead of starting.
    pub fn start(terms: &Terms) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let address = free_address()?;
        let text = format!(
            "[listen]\naddress = \"{address}\"\n\n[store]\ndirectory = \"{data}\"\nkey_file = \"{key}\"\n\n[admin]\nsocket = \"{socket}\"\n\n[stop]\nnotice_secs = 0\n\n{more}",
            data = terms
                .data
                .clone()
                .unwrap_or_else(|| folder.path().join("data"))
                .display(),
            key = folder.path().join("key").display(),
            socket = folder.path().join("admin.sock").display(),
            more = terms.configuration,
        );
        fs::write(folder.path().join("countersign.toml"), text)
            .map_err(|error| error.to_string())?;
        let child = spawn(folder.path(), terms)?;
        Ok(Self {
            child,
            folder,
            address,
        })
    }

    /// Kills the service at once, as a power cut would, and starts it again on
    /// the same data.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    pub fn kill_and_restart(&mut self) -> Result<(), String> {
        self.kill()?;
        self.restart(&Terms::default())
    }

    /// Kills the service at once, as a power cut would.
    ///
    /// # Errors
    /// What the system said.
    pub fn kill(&mut self) -> Result<(), String> {
        let child = &mut self.child.child;
        child.kill().map_err(|error| error.to_string())?;
        child.wait().map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Starts it again on the same data and with the same configuration, once
    /// it has ended.
    ///
    /// # Errors
    /// What it said instead of starting.
    pub fn restart(&mut self, terms: &Terms) -> Result<(), String> {
        self.child = spawn(self.folder.path(), terms)?;
        Ok(())
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It does not, within a minute.
    pub fn ended(&mut self) -> Result<Ended, String> {
        let end = Instant::now() + Duration::from_secs(END_SECS_MAX);
        loop {
            let status = self.child.child.try_wait();
            if let Some(status) = status.map_err(|error| error.to_string())? {
                // What it said last is still on its way to us.
                thread::sleep(Duration::from_millis(100));
                return Ok(Ended {
                    code: status.code(),
                    said: self.child.said.lock().clone(),
                });
            }
            if Instant::now() > end {
                return Err(format!("it still runs:\n{}", self.child.said.lock()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.child.try_wait(), Ok(Some(_)))
    }

    /// A connection to the admin socket, which is made anew when it breaks.
    ///
    /// # Errors
    /// The socket cannot be reached.
    pub async fn admin_channel(&self) -> Result<Channel, Problem> {
        unix_channel(self.folder.path().join("admin.sock")).await
    }

    /// Stops the service as an operator would, and waits for its end.
    ///
    /// # Errors
    /// It did not end well.
    pub fn stop(&mut self) -> Result<(), String> {
        let id = self.child.child.id().to_string();
        run(Command::new("kill").args(["-s", "TERM", &id]))?;
        let ended = self.ended()?;
        match ended.code {
            Some(0) => Ok(()),
            code => Err(format!("the service ended with {code:?}:\n{}", ended.said)),
        }
    }

    /// What it said since its last start, on its two streams.
    pub fn said(&self) -> String {
        self.child.said.lock().clone()
    }

    /// Kills the service, does something, and starts it again on the same data.
    ///
    /// # Errors
    /// As [`restart`](Self::restart), or what went wrong in between.
    pub fn restart_after(
        &mut self,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        self.kill()?;
        work()?;
        self.restart(&Terms::default())
    }

    /// What clients connect to; also the issuer.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A folder that goes with the service.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs an administrator's command against the service's socket.
    ///
    /// # Errors
    /// What the command said.
    pub fn admin(&self, arguments: &[&str]) -> Result<Value, String> {
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
        let _ = self.child.child.kill();
        let _ = self.child.child.wait();
    }
}

/// Runs the binary and returns what it printed.
///
/// # Errors
/// What it complained of.
pub fn countersign(arguments: &[impl AsRef<OsStr>]) -> Result<String, String> {
    let mut command = Command::new(binary()?);
    command.args(arguments).stdin(Stdio::null());
    run(unconfigured(&mut command))
}

/// Without the variables that configure the binary: whoever runs the tests may
/// have some, and those of the tests themselves are no configuration.
pub fn unconfigured(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("COUNTERSIGN_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end; anything but success is an error with all that
/// it said.
///
/// # Errors
/// As said.
pub fn run(command: &mut Command) -> Result<String, String> {
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
///
/// # Errors
/// It was not built.
pub fn binary() -> Result<PathBuf, String> {
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
///
/// # Errors
/// There is none.
pub fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| error.to_string())
}

/// Asks again and again until `done` has an answer or the time is up.
///
/// # Errors
/// The last one of `done`.
pub fn until<T>(what: &str, mut done: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let end = Instant::now() + Duration::from_secs(START_SECS_MAX);
    loop {
        match done() {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() > end => return Err(format!("{what}: {error}")),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn spawn(folder: &Path, terms: &Terms) -> Result<Running, String> {
    let binary = binary()?.display().to_string();
    let mut words = terms.under.iter().cloned().chain([binary]);
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
        .envs(terms.environment.iter().cloned())
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let (ready, is_ready) = mpsc::channel();
    let said = Arc::new(Mutex::new(String::new()));
    for stream in [
        Box::new(stdout) as Box<dyn std::io::Read + Send>,
        Box::new(stderr),
    ] {
        let (ready, said) = (ready.clone(), Arc::clone(&said));
        // Both are read to the end, or the child would stop at a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut said = said.lock();
                said.push_str(&line);
                said.push('\n');
                drop(said);
                // Nobody listens any more once it has started.
                let _ = ready.send(line);
            }
        });
    }
    drop(ready);
    let end = Instant::now() + Duration::from_secs(START_SECS_MAX);
    while let Ok(line) = is_ready.recv_timeout(end.saturating_duration_since(Instant::now())) {
        // The last line of the announcement: all listeners are open.
        if line.to_lowercase().contains("admin socket") {
            return Ok(Running { child, said });
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    let said = said.lock();
    Err(format!("the service did not start; it said:\n{said}"))
}
