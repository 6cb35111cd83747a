//! The certificate's files, looked at again and again.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use countersign_client::clock::Clock;
use countersign_jose::UnixTime;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::alarm::{Alarm, Finding, Heard};
use super::{LOOK_INTERVAL, SETTLE_INTERVAL};
use crate::config::Tls;
use crate::health::{CERTIFICATE, Health};
use crate::tls::{Certificates, Contents, Pair, Standing, TlsError};

/// How often files are looked at that do not stay the same. Whoever writes them for longer writes
/// them for ever.
const LOOKS_MAX: usize = 10;

/// The files, what was found in them, and what they gave.
pub(super) struct Watch {
    files: Tls,
    certificates: Arc<Certificates>,
    alarm: Alarm,
    /// What the look before has found instead of the pair in use.
    glimpsed: Option<Contents>,
}

/// The files of a certificate that stays in them: of a program that has no configuration to read
/// again.
pub(crate) struct Followed {
    watch: Mutex<Watch>,
    clock: Arc<dyn Clock>,
    health: Health,
}

impl Followed {
    pub(crate) fn new(
        files: Tls,
        certificates: Arc<Certificates>,
        clock: Arc<dyn Clock>,
        health: Health,
    ) -> Self {
        Self {
            watch: Mutex::new(Watch::new(files, certificates)),
            clock,
            health,
        }
    }

    /// Looks at them until the stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        follow(&self.watch, &*self.clock, &self.health, &stop).await;
    }

    /// Somebody is done with writing: what is in them is believed at once. What is wrong comes back.
    pub(crate) async fn look_closely(&self) -> Option<TlsError> {
        let now = self.clock.now();
        self.watch
            .lock()
            .await
            .look_closely(now, &self.health)
            .await
    }
}

/// Looks again and again until the stop.
pub(super) async fn follow(
    watch: &Mutex<Watch>,
    clock: &dyn Clock,
    health: &Health,
    stop: &CancellationToken,
) {
    loop {
        let now = clock.now();
        let wait = match watch.lock().await.look(now, health).await {
            Look::Settled => LOOK_INTERVAL,
            Look::Unsettled => SETTLE_INTERVAL,
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Whether the files are as they were at the look before.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Look {
    Settled,
    Unsettled,
}

impl Watch {
    pub(super) fn new(files: Tls, certificates: Arc<Certificates>) -> Self {
        Self {
            files,
            certificates,
            alarm: Alarm::default(),
            glimpsed: None,
        }
    }

    /// Uses `pair`, and looks at `files` from now on.
    ///
    /// # Errors
    /// The pair cannot take the place of the one in use. Nothing has changed.
    pub(super) fn follow(&mut self, files: Tls, pair: Pair, now: UnixTime) -> Result<(), TlsError> {
        self.certificates.take(pair, &files, now)?;
        self.files = files;
        self.tell_taken();
        Ok(())
    }

    /// Uses what is in the files if it is good, and says so if it is not; either when two looks
    /// have seen it. Files that are replaced one after the other do not fit for a moment, and half
    /// a chain can fit.
    pub(super) async fn look(&mut self, now: UnixTime, health: &Health) -> Look {
        let in_use = self.certificates.in_use();
        let successor = self.successor(&in_use).await;
        let next = successor.as_ref().ok().and_then(Option::as_ref);
        let next = next.map(|pair| pair.contents);
        if next != self.glimpsed {
            self.glimpsed = next;
            if next.is_some() {
                return Look::Unsettled;
            }
        }
        let finding = self.find(&in_use, successor, now);
        match self.alarm.see(finding.clone()) {
            Heard::News => self.tell(&finding, health).await,
            Heard::Known => {}
            Heard::Fleeting => return Look::Unsettled,
        }
        Look::Settled
    }

    /// The same, and what is in the files is believed at once. What is wrong comes back.
    pub(super) async fn look_closely(
        &mut self,
        now: UnixTime,
        health: &Health,
    ) -> Option<TlsError> {
        let in_use = self.certificates.in_use();
        let successor = self.successor(&in_use).await;
        let finding = self.find(&in_use, successor, now);
        if self.alarm.believe(finding.clone()) == Heard::News {
            self.tell(&finding, health).await;
        }
        match finding {
            Finding::Unusable(problem) => Some(problem),
            Finding::Good | Finding::InUse(_) => None,
        }
    }

    fn find(
        &self,
        in_use: &Pair,
        successor: Result<Option<Pair>, TlsError>,
        now: UnixTime,
    ) -> Finding {
        match successor {
            Err(problem) => Finding::Unusable(problem),
            Ok(None) => Finding::of(in_use.leaf.standing(now)),
            Ok(Some(next)) => match self.certificates.take(next, &self.files, now) {
                Err(problem) => Finding::Unusable(problem),
                Ok(standing) => {
                    self.tell_taken();
                    Finding::of(standing)
                }
            },
        }
    }

    async fn successor(&self, in_use: &Arc<Pair>) -> Result<Option<Pair>, TlsError> {
        let in_use = Arc::clone(in_use);
        read(&self.files, move |files| in_use.successor(files)).await
    }

    fn tell_taken(&self) {
        let leaf = &self.certificates.in_use().leaf;
        info!(
            names = leaf.names,
            serial = leaf.serial,
            ends = leaf.ends(),
            "a new certificate is in use"
        );
    }

    async fn tell(&self, finding: &Finding, health: &Health) {
        let leaf = &self.certificates.in_use().leaf;
        match finding {
            Finding::Good => info!("the certificate's files are good again"),
            Finding::Unusable(problem) => {
                error!(
                    %problem,
                    in_use = leaf.serial,
                    "the certificate's files cannot be used; the last good certificate stays"
                );
            }
            Finding::InUse(Standing::EndsSoon) => {
                warn!(ends = leaf.ends(), "the certificate in use ends soon");
            }
            Finding::InUse(standing) => {
                error!(ends = leaf.ends(), "the certificate in use {standing}");
            }
        }
        health.component(CERTIFICATE, finding.is_fit()).await;
    }
}

/// The pair in `files`, as it is now.
pub(super) async fn at_once(files: &Tls) -> Result<Pair, TlsError> {
    read(files, Pair::read).await
}

/// The pair in `files`, once two looks have found the same.
pub(super) async fn settled(files: &Tls) -> Result<Pair, TlsError> {
    let contents = |found: &Result<Pair, TlsError>| match found {
        Ok(pair) => Ok(pair.contents),
        Err(problem) => Err(problem.clone()),
    };
    let mut found = at_once(files).await;
    for _ in 1..LOOKS_MAX {
        sleep(SETTLE_INTERVAL).await;
        let again = at_once(files).await;
        if contents(&again) == contents(&found) {
            return again;
        }
        found = again;
    }
    Err(TlsError {
        file: files.certificate_file.clone(),
        problem: "is not left alone, nor is its key".to_owned(),
    })
}

/// Off the runtime: a disk far away may take its time.
async fn read<T: Send + 'static>(
    files: &Tls,
    read: impl FnOnce(&Tls) -> Result<T, TlsError> + Send + 'static,
) -> Result<T, TlsError> {
    let owned = files.clone();
    spawn_blocking(move || read(&owned))
        .await
        .unwrap_or_else(|panic| {
            Err(TlsError {
                file: files.certificate_file.clone(),
                problem: panic.to_string(),
            })
        })
}
