//! The signals that end what runs until it is told to stop, and the one that has it look again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

/// SIGTERM and SIGINT.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes both from now on; before, they would end the process.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
        })
    }

    /// Resolves at the next of the two.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {},
            _ = self.interrupt.recv() => {},
        }
    }
}

/// SIGHUP: what daemons read their configuration again for.
pub(crate) struct Hangups(Signal);

impl Hangups {
    /// Takes it from now on; before, it would end the process.
    pub(crate) fn listen() -> Result<Self, Failure> {
        take(SignalKind::hangup()).map(Self)
    }

    /// Resolves at the next. Several that came meanwhile are one.
    pub(crate) async fn next(&mut self) {
        // The stream of a signal does not end.
        let _came = self.0.recv().await;
    }
}

fn take(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|cause| Failure::internal(format!("cannot take signals: {cause}")))
}
