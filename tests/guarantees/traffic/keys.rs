//! The service's own keys: replaced on command, and next ones revoked.
//!
//! Only next keys are: a revoked key takes along what it made, which the other
//! clients hold. A key that is not ready to take over is none to refuse a command
//! for: the command is remembered, and acknowledged as such.

mod ring;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::admin::v1::signing_key_service_client::SigningKeyServiceClient;
use countersign::admin::v1::{
    ListSigningKeysRequest, RevokeSigningKeyRequest, RotateSigningKeyRequest, SigningKey,
    SigningKeyPurpose,
};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_testkit::Problem;
use tokio::sync::Mutex;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::told::AuditLog;
use super::{Acknowledged, Loop};
use crate::counts;
use ring::{Ring, Step};

/// While nothing is to be done, the keys are listed: not all the time.
const PAUSE: Duration = Duration::from_millis(20);

/// A next key that has just become active is followed by one that is made then, in
/// a commit of its own.
const NEXT_DUE: Duration = Duration::from_secs(10);

pub(super) struct Keys {
    keys: SigningKeyServiceClient<Channel>,
    acknowledged: Arc<Acknowledged>,
    /// Each is changed by one client only: a next key that another one has just
    /// made active must not be revoked.
    rings: [Mutex<Ring>; 2],
}

impl Keys {
    /// Clients that change keys.
    pub(super) const CLIENTS: usize = 2;

    pub(super) fn new(admin: Channel, acknowledged: Arc<Acknowledged>) -> Self {
        Self {
            keys: SigningKeyServiceClient::new(admin),
            acknowledged,
            rings: [
                Mutex::new(Ring::new(SigningKeyPurpose::AccessTokens, true)),
                Mutex::new(Ring::new(SigningKeyPurpose::Handles, false)),
            ],
        }
    }

    /// Changes the keys of one purpose until there is no answer.
    pub(super) async fn change(&self, client: usize) -> Loop {
        let mut ring = self.rings[client].lock().await;
        loop {
            let listed = match self.list().await {
                Ok(listed) => listed,
                Err(status) => return gone(&status, "a list of keys"),
            };
            ring.read(&listed)?;
            let Some(step) = ring.due(&listed, SystemClock.now().as_secs()) else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let sent = Acknowledged::sending();
            ring.ask(step.clone());
            if let Err(status) = self.step(&mut ring, &step).await? {
                return gone(&status, &format!("{step:?}"));
            }
            self.acknowledged.add(sent);
            counts::add("key changes before a crash", 1);
        }
    }

    /// Takes the step, and writes down what was acknowledged.
    async fn step(&self, ring: &mut Ring, step: &Step) -> Result<Result<(), Status>, Problem> {
        let mut keys = self.keys.clone();
        match step {
            Step::Rotate => {
                let purpose = ring.purpose().into();
                let request = RotateSigningKeyRequest { purpose };
                match keys.rotate_signing_key(request).await {
                    Ok(answer) => ring.rotated(&answer.into_inner())?,
                    Err(status) => return Ok(Err(status)),
                }
            }
            Step::Revoke(kid) => {
                let request = RevokeSigningKeyRequest { kid: kid.clone() };
                match keys.revoke_signing_key(request).await {
                    Ok(answer) => ring.revoked(kid, &answer.into_inner())?,
                    Err(status) => return Ok(Err(status)),
                }
            }
        }
        Ok(Ok(()))
    }

    /// Whether the keys are as whoever changed them knows them: each that was
    /// revoked stays gone, each that was replaced has retired, exactly one is
    /// active, one is next, and a replacement that waits is not forgotten.
    pub(super) async fn hold(&self) -> Result<(), Problem> {
        let begun = Instant::now();
        for ring in &self.rings {
            let mut ring = ring.lock().await;
            loop {
                let listed = self.list().await?;
                ring.settled(&listed)?;
                match ring.goes_on(&listed) {
                    Err(error) if begun.elapsed() > NEXT_DUE => return Err(error),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                    Ok(()) => break,
                }
            }
            counts::add("keys looked at after a crash", ring.count());
        }
        Ok(())
    }

    /// Whether the log, as it was just read, tells of what was done, and of no key
    /// that nobody knows.
    pub(super) async fn are_told(&self, log: &AuditLog) -> Result<(), Problem> {
        let mut least: Vec<BTreeMap<_, _>> = Vec::new();
        for ring in &self.rings {
            least.push(ring.lock().await.events());
        }
        // What is due by now is done without being asked again.
        let listed = self.list().await?;
        let mut unknown = log.objects_of("KEY_CREATED");
        for (ring, least) in self.rings.iter().zip(&least) {
            let mut ring = ring.lock().await;
            ring.read(&listed)?;
            ring.is_told(least, log)?;
            unknown.retain(|kid| !ring.has(kid));
            counts::add("keys compared with the audit log", least.len());
        }
        match unknown.first() {
            None => Ok(()),
            Some(kid) => Err(format!("the log tells of a key {kid}, and it is not there").into()),
        }
    }

    async fn list(&self) -> Result<Vec<SigningKey>, Status> {
        let mut keys = self.keys.clone();
        let answer = keys.list_signing_keys(ListSigningKeysRequest {}).await?;
        Ok(answer.into_inner().signing_keys)
    }
}

/// A refusal is a surprise; anything else means that the service has gone.
fn gone(status: &Status, what: &str) -> Loop {
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal => Ok(()),
        _ => Err(format!("{what} was refused: {status}").into()),
    }
}
