//! A server process: how it is started, what it used, how it goes.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::BenchError;
use crate::child::{Facts, Spec};
use crate::cores::Cores;

/// The hidden command under which the executable is such a server.
pub const SERVER_COMMAND: &str = "bench-server";

/// A server that was told to end writes its records first.
const END_SECS_MAX: Duration = Duration::from_secs(10);

/// How much of a failed server's log is shown.
const LOG_BYTES_SHOWN: usize = 4 * 1024;

/// A running server. It ends when this is dropped, and when this process ends
/// in whatever way: its standard input is then closed.
pub struct Process {
    kind: &'static str,
    child: Child,
    // Held open: its end is the order to stop.
    order: Option<ChildStdin>,
    facts: Facts,
    log: File,
}

/// What a process has used since its start.
#[derive(Copy, Clone, PartialEq, Debug, Default)]
pub struct Used {
    /// Processor time of all threads, also of those that ended; exact.
    pub processor: Duration,
    ticks: Ticks,
}

/// Clock ticks in the two modes.
#[derive(Copy, Clone, PartialEq, Debug, Default)]
struct Ticks {
    user: u64,
    system: u64,
}

impl Used {
    /// This much, in whatever mode.
    pub(crate) fn processor(time: Duration) -> Self {
        Self {
            processor: time,
            ticks: Ticks::default(),
        }
    }

    /// What was used since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(earlier.processor),
            ticks: Ticks {
                user: self.ticks.user.saturating_sub(earlier.ticks.user),
                system: self.ticks.system.saturating_sub(earlier.ticks.system),
            },
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            processor: self.processor + other.processor,
            ticks: Ticks {
                user: self.ticks.user + other.ticks.user,
                system: self.ticks.system + other.ticks.system,
            },
        }
    }

    /// The part that the kernel spent for the process, from 0 to 1. The kernel
    /// counts in ticks of 10 ms, so it means something over seconds only.
    pub fn system_share(self) -> f64 {
        let all = self.ticks.user + self.ticks.system;
        if all == 0 {
            return 0.0;
        }
        self.ticks.system as f64 / all as f64
    }
}

impl Process {
    /// Starts `executable` as a server, on the servers' core, and waits until
    /// it takes calls.
    ///
    /// # Errors
    /// When it cannot be started, or ends, or says something else.
    pub fn start(executable: &Path, spec: &Spec, cores: Cores) -> Result<Self, BenchError> {
        let kind = spec.kind();
        let log = tempfile::tempfile().map_err(BenchError::system("making a log file"))?;
        let err = log
            .try_clone()
            .map_err(BenchError::system("making a log file"))?;
        let mut command = Command::new(executable);
        command
            .arg(SERVER_COMMAND)
            .arg(spec.to_argument())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(err))
            // Ctrl-C is for us: the server ends in good order when we do.
            .process_group(0);
        let mut child = cores
            .on_server(|| command.spawn())?
            .map_err(BenchError::system(format!("starting the {kind} server")))?;
        let order = child.stdin.take();
        let said = child.stdout.take().map(BufReader::new);
        let mut process = Self {
            kind,
            child,
            order,
            facts: Facts {
                url: String::new(),
                issuer: None,
                admin_socket: None,
                folder: None,
            },
            log,
        };
        let mut line = String::new();
        if let Some(mut said) = said {
            said.read_line(&mut line)
                .map_err(BenchError::system(format!(
                    "reading from the {kind} server"
                )))?;
        }
        if line.is_empty() {
            return Err(process.ended());
        }
        process.facts =
            serde_json::from_str(&line).map_err(|_| BenchError::ServerSaid { kind, said: line })?;
        Ok(process)
    }

    /// Where it is.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its number, for tools that look into it from outside.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has used since its start.
    ///
    /// # Errors
    /// When it has ended.
    pub fn used(&mut self) -> Result<Used, BenchError> {
        self.processor()
            .and_then(|processor| {
                let stat = self.proc("stat")?;
                Some(Used {
                    processor,
                    ticks: ticks(&stat)?,
                })
            })
            .ok_or_else(|| self.ended())
    }

    fn processor(&self) -> Option<Duration> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).ok()?);
        let clock = clock_getcpuclockid(pid).ok()?;
        clock.now().ok().map(Duration::from)
    }

    /// The memory that it has now, in MiB (`VmRSS`).
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory_mib(&mut self) -> Result<f64, BenchError> {
        self.proc("status")
            .and_then(|status| resident_mib(&status))
            .ok_or_else(|| self.ended())
    }

    /// Ends it at once, as a crash would: it writes nothing more. Its folder, if it has one, is for
    /// whoever drops this.
    pub fn kill(&mut self) {
        // Either has no effect on a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it has read from disks since its start, in MiB.
    ///
    /// # Errors
    /// When it has ended.
    pub fn read_mib(&mut self) -> Result<f64, BenchError> {
        self.proc("io")
            .and_then(|io| {
                let line = io
                    .lines()
                    .find_map(|line| line.strip_prefix("read_bytes:"))?;
                line.trim().parse::<u64>().ok()
            })
            .map(|bytes| bytes as f64 / 1024.0 / 1024.0)
            .ok_or_else(|| self.ended())
    }

    fn proc(&self, file: &str) -> Option<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).ok()
    }

    /// Why it is not there any more.
    fn ended(&mut self) -> BenchError {
        drop(self.order.take());
        let how = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        BenchError::ServerEnded {
            kind: self.kind,
            how,
            log: self.log_tail(),
        }
    }

    fn log_tail(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self
            .log
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.log.read_to_end(&mut bytes));
        match read {
            Ok(_) => {
                let from = bytes.len().saturating_sub(LOG_BYTES_SHOWN);
                String::from_utf8_lossy(&bytes[from..]).into_owned()
            }
            Err(error) => format!("its log cannot be read: {error}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.order.take());
        let due = Instant::now() + END_SECS_MAX;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < due {
            thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        if let Some(folder) = &self.facts.folder {
            // It removed the folder itself, if it could.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Fields 14 and 15 of `/proc/<pid>/stat`; the second field may hold spaces.
fn ticks(stat: &str) -> Option<Ticks> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    Some(Ticks {
        user: fields.next()?.parse().ok()?,
        system: fields.next()?.parse().ok()?,
    })
}

/// The memory that this process has now, in MiB.
///
/// # Errors
/// When the operating system does not say.
pub(crate) fn own_memory_mib() -> Result<f64, BenchError> {
    fs::read_to_string("/proc/self/status")
        .and_then(|status| resident_mib(&status).ok_or_else(|| io::ErrorKind::InvalidData.into()))
        .map_err(BenchError::system("asking for this process's memory"))
}

fn resident_mib(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_behind_a_name_with_spaces() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 0 0 0 170 30 0 0 20 0 3 0 1 1 1";
        let ticks = ticks(stat).expect("they are there");
        assert_eq!((ticks.user, ticks.system), (170, 30));
        let used = Used {
            processor: Duration::from_secs(2),
            ticks,
        };
        assert!((used.system_share() - 0.15).abs() < 1e-9);
    }

    #[test]
    fn memory_is_read_from_its_line() {
        let status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(resident_mib(status), Some(1.0));
        assert_eq!(resident_mib("Name:\tx\n"), None);
        assert!(own_memory_mib().expect("it is there") > 0.0);
    }

    #[test]
    fn this_process_has_used_processor_time() {
        let stat = fs::read_to_string("/proc/self/stat").expect("it is there");
        assert!(ticks(&stat).is_some());
    }
}
