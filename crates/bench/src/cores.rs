//! Which core does what: servers on one, the load on another.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::BenchError;

/// The thread that asks.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// The cores of a run.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Cores {
    /// One for the server that is measured, one for the load.
    Apart {
        /// The servers' core.
        server: usize,
        /// The load's core.
        load: usize,
    },
    /// There is one only: server and load take time from each other, and
    /// latencies say little. Processor times are still the server's own.
    Shared,
}

impl Cores {
    /// Chooses among those that this thread may run on: the first for the load,
    /// the last for the servers, since the first serves most interrupts.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn choose() -> Result<Self, BenchError> {
        let allowed = sched_getaffinity(THIS_THREAD)
            .map_err(BenchError::errno("asking which cores there are"))?;
        let cores: Vec<usize> = (0..CpuSet::count())
            .filter(|&core| allowed.is_set(core).unwrap_or(false))
            .collect();
        Ok(match cores.as_slice() {
            [load, .., server] => Self::Apart {
                server: *server,
                load: *load,
            },
            _ => Self::Shared,
        })
    }

    /// Keeps this thread to the load's core.
    ///
    /// # Errors
    /// When the operating system does not allow it.
    pub fn keep_load(self) -> Result<(), BenchError> {
        match self {
            Self::Apart { load, .. } => keep(load),
            Self::Shared => Ok(()),
        }
    }

    /// Does something on the servers' core; a process that is started there
    /// stays there, with all of its threads.
    ///
    /// # Errors
    /// When the operating system does not allow it.
    pub fn on_server<T>(self, does: impl FnOnce() -> T) -> Result<T, BenchError> {
        match self {
            Self::Apart { server, load } => {
                keep(server)?;
                let done = does();
                keep(load)?;
                Ok(done)
            }
            Self::Shared => Ok(does()),
        }
    }
}

fn keep(core: usize) -> Result<(), BenchError> {
    let doing = || format!("keeping to core {core}");
    let mut only = CpuSet::new();
    only.set(core).map_err(BenchError::errno(doing()))?;
    sched_setaffinity(THIS_THREAD, &only).map_err(BenchError::errno(doing()))
}
