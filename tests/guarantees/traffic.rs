//! Clients of all kinds at once, what each of them sent and what was
//! acknowledged, and whether it all holds after a restart.

mod devices;
mod families;
mod keys;
mod registrations;
mod told;

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_testkit::service::Service;
use countersign_testkit::{Desk, Problem};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::counts;
use devices::Devices;
pub(crate) use devices::Room;
use families::Families;
use keys::Keys;
use registrations::Registrations;
use told::{AuditLog, Told};

/// Rotations, sign-ins with revocations, devices that are let in, and registrations,
/// each from as many clients at once. Keys are changed by one client for each purpose.
const EACH: usize = 3;

/// A retry is answered for as long as a restart takes on a busy machine. A key set
/// is kept for a short time, so that a next key is ready soon.
pub(crate) const CONFIGURATION: &str = "[tokens]\nrefresh_retry_secs = 60\n\n[limits]\nclient_calls_per_sec = 0\n\n[keys]\nmax_age_secs = 1\n";

/// A client that has no answer for so long never gets one.
const CALL_SECS_MAX: Duration = Duration::from_secs(20);

/// Clients that write down what they know.
pub(crate) struct Traffic {
    families: Arc<Families>,
    devices: Arc<Devices>,
    registrations: Arc<Registrations>,
    keys: Arc<Keys>,
    acknowledged: Arc<Acknowledged>,
    log: tokio::sync::Mutex<AuditLog>,
}

/// When what was acknowledged had been sent.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// Milliseconds since the Unix epoch; one for each acknowledged write.
    sent_millis: Mutex<Vec<u64>>,
    /// What the audit log must tell of it.
    told: Mutex<Vec<Told>>,
}

impl Acknowledged {
    /// The moment at which something is about to be sent.
    fn sending() -> u64 {
        SystemClock.now().as_millis()
    }

    /// What was sent then was acknowledged.
    fn add(&self, sent_millis: u64) {
        self.sent_millis.lock().push(sent_millis);
    }

    /// The audit log must tell of it.
    fn tells(&self, told: Told) {
        self.told.lock().push(told);
    }
}

/// How a client's loop ends: the service has gone, or said what it must not.
type Loop = Result<(), Problem>;

impl Traffic {
    /// Registers what the clients need, and signs some people in.
    pub(crate) async fn begin(service: &Service) -> Result<Self, Problem> {
        let acknowledged = Arc::<Acknowledged>::default();
        let desk = Desk::open(service).await?;
        let admin = service.admin_channel().await?;
        let families = Families::begin(desk, EACH, Arc::clone(&acknowledged)).await?;
        let devices = Devices::begin(service, Arc::clone(&acknowledged)).await?;
        Ok(Self {
            devices: Arc::new(devices),
            log: tokio::sync::Mutex::new(AuditLog::new(admin.clone())),
            families: Arc::new(families),
            keys: Arc::new(Keys::new(admin.clone(), Arc::clone(&acknowledged))),
            registrations: Arc::new(Registrations::new(
                service.url(),
                admin,
                EACH,
                Arc::clone(&acknowledged),
            )),
            acknowledged,
        })
    }

    /// Lets all clients write until `end` is over and none of them gets an
    /// answer any more. Returns how many writes were acknowledged.
    pub(crate) async fn until<T>(
        &self,
        end: impl Future<Output = Result<T, String>>,
    ) -> Result<(T, usize), Problem> {
        let before = self.acknowledged.sent_millis.lock().len();
        let mut clients: JoinSet<Loop> = JoinSet::new();
        for client in 0..EACH {
            let families = Arc::clone(&self.families);
            clients.spawn(async move { families.rotate(client).await });
            let families = Arc::clone(&self.families);
            clients.spawn(async move { families.sign_in_and_revoke().await });
            let devices = Arc::clone(&self.devices);
            clients.spawn(async move { devices.let_in().await });
            let registrations = Arc::clone(&self.registrations);
            clients.spawn(async move { registrations.register(client).await });
        }
        for client in 0..Keys::CLIENTS {
            let keys = Arc::clone(&self.keys);
            clients.spawn(async move { keys.change(client).await });
        }
        let ended = end.await?;
        while let Some(client) = timeout(CALL_SECS_MAX, clients.join_next())
            .await
            .map_err(|_| "a client still waits for an answer of a service that is gone")?
        {
            client??;
        }
        let writes = self.acknowledged.sent_millis.lock().len() - before;
        counts::add("acknowledged writes before a crash", writes);
        Ok((ended, writes))
    }

    /// Whether everything that was acknowledged holds, and the rest happened
    /// whole or not at all.
    pub(crate) async fn holds(&self) -> Result<(), Problem> {
        self.keys.hold().await?;
        self.families.hold().await?;
        self.devices.hold().await?;
        self.registrations.hold().await
    }

    /// The same for everything since the beginning, not only what the last
    /// round touched.
    pub(crate) async fn all_holds(&self) -> Result<(), Problem> {
        self.families.recall_all();
        self.registrations.recall_all();
        self.holds().await
    }

    /// Whether the audit log goes on from where it was, and tells of everything that was
    /// acknowledged: change and event are one commit. Asked after [`holds`](Self::holds), which
    /// finds out about what was not acknowledged.
    pub(crate) async fn is_told(&self) -> Result<(), Problem> {
        let mut log = self.log.lock().await;
        log.read_on().await?;
        self.registrations.are_told(&log)?;
        self.devices.are_told(&log)?;
        self.keys.are_told(&log).await?;
        let told = std::mem::take(&mut *self.acknowledged.told.lock());
        for told in &told {
            log.holds(told)?;
        }
        counts::add("token changes compared with the audit log", told.len());
        Ok(())
    }

    /// How many writes were acknowledged that were sent after this moment.
    pub(crate) fn acknowledged_after(&self, millis: u64) -> usize {
        let sent = self.acknowledged.sent_millis.lock();
        sent.iter().filter(|sent| **sent > millis).count()
    }
}
