//! What the audit log tells, read on after each crash.

use std::collections::{HashMap, HashSet};

use countersign::admin::v1::audit_service_client::AuditServiceClient;
use countersign::admin::v1::{LogEntry, ReadLogRequest};
use countersign::storage::v1::AuditEntry;
use countersign_client::Issued;
use countersign_jose::base64url;
use countersign_store::{EntryHash, Log, chain};
use countersign_testkit::Problem;
use prost::Message as _;
use serde_json::Value;
use tonic::transport::Channel;

/// An event: what happened, to what, and the token that came of it, if one did.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Told {
    event: String,
    object: String,
    token_id: String,
}

impl Told {
    pub(super) fn of(event: &str, object: &str) -> Self {
        Self {
            event: event.to_owned(),
            object: object.to_owned(),
            token_id: String::new(),
        }
    }

    /// The same with the name of the access token.
    pub(super) fn token(event: &str, object: &str, issued: &Issued) -> Result<Self, Problem> {
        let mut parts = issued.access_token.expose().split('.');
        let claims = parts.nth(1).ok_or("an access token without claims")?;
        let claims: Value = serde_json::from_slice(&base64url::decode(claims)?)?;
        let token_id = claims["jti"].as_str().ok_or("no jti")?.to_owned();
        Ok(Self {
            token_id,
            ..Self::of(event, object)
        })
    }
}

/// The audit log as far as it was read.
pub(super) struct AuditLog {
    admin: Channel,
    /// The number and the hash of the last entry.
    last: (u64, EntryHash),
    told: HashSet<Told>,
    /// The events by what they are about, in their order.
    about: HashMap<String, Vec<String>>,
    /// How many families came of device codes.
    device_codes: usize,
}

impl AuditLog {
    pub(super) fn new(admin: Channel) -> Self {
        Self {
            admin,
            last: (0, chain::origin(Log::named("audit"))),
            told: HashSet::new(),
            about: HashMap::new(),
            device_codes: 0,
        }
    }

    /// Reads what was written since. What was read before is still there: the rest is built on it.
    pub(super) async fn read_on(&mut self) -> Result<(), Problem> {
        let request = ReadLogRequest {
            from: self.last.0 + 1,
            ..ReadLogRequest::default()
        };
        let mut answers = AuditServiceClient::new(self.admin.clone())
            .read_log(request)
            .await?
            .into_inner();
        while let Some(answer) = answers.message().await? {
            if let Some(start) = answer.start
                && start.before != self.last.1.as_bytes()
            {
                return Err(format!("entry {} is not what it was", self.last.0).into());
            }
            for entry in answer.entries {
                self.read(&entry)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, entry: &LogEntry) -> Result<(), Problem> {
        let number = self.last.0 + 1;
        let hash = chain::next(self.last.1, number, &entry.entry);
        if entry.number != number || entry.hash != hash.as_bytes() {
            return Err(format!("entry {number} does not follow from the one before").into());
        }
        self.last = (number, hash);
        let entry = AuditEntry::decode(&*entry.entry)?;
        let event = entry.event().as_str_name();
        let event = event.trim_start_matches("AUDIT_EVENT_").to_owned();
        let about = self.about.entry(entry.object.clone()).or_default();
        about.push(event.clone());
        if event == "CODE_REDEEMED" && entry.reason == "device_code" {
            self.device_codes += 1;
        }
        let is_token = !entry.token_id.is_empty();
        let told = Told {
            event,
            object: entry.object,
            token_id: entry.token_id,
        };
        if !self.told.insert(told) && is_token {
            return Err(format!("entry {number} tells of a token for the second time").into());
        }
        Ok(())
    }

    /// How many families came of device codes.
    pub(super) fn device_codes_redeemed(&self) -> usize {
        self.device_codes
    }

    /// What happened to an object.
    pub(super) fn about(&self, object: &str) -> &[String] {
        self.about.get(object).map_or(&[], Vec::as_slice)
    }

    /// To what this happened.
    pub(super) fn objects_of(&self, event: &str) -> Vec<&str> {
        let happened = |events: &&Vec<String>| events.iter().any(|told| told == event);
        let objects = self.about.iter();
        let objects = objects.filter(|(_, events)| happened(events));
        objects.map(|(object, _)| object.as_str()).collect()
    }

    /// Whether it tells of that.
    pub(super) fn holds(&self, told: &Told) -> Result<(), Problem> {
        match self.told.contains(told) {
            true => Ok(()),
            false => Err(format!("{told:?} was acknowledged, and is not in the audit log").into()),
        }
    }
}
