//! The first start on a store of an earlier release, killed.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_client::{Builder, Credential};
use countersign_testkit::Problem;
use countersign_testkit::service::{Service, Terms, countersign, run};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::folder::{Files, remove};
use super::set_back::{count, killed, number, sound};
use super::{Ended, How, Subject};

/// The formats of which there is a store in `tests/fixtures`.
pub(super) const FORMATS: [u32; 2] = [1, 2];

/// What this release writes.
const MARKER: &str = "countersign store, format 3\n";

pub(super) struct Upgrade {
    service: Service,
    terms: Terms,
    fixture: Fixture,
    files: Files,
    key: Vec<u8>,
    /// The heads of its logs, as `audit verify` takes them.
    heads: Vec<String>,
    /// How many of each kind there are that stay.
    records: Vec<(&'static str, u64)>,
}

/// What was written down when the store was made.
#[derive(Deserialize)]
struct Fixture {
    issuer: String,
    clients: Vec<String>,
    checkout_secret: String,
}

impl Upgrade {
    pub(super) fn begin(format: u32) -> Result<Self, Problem> {
        let folder = unpacked(format)?;
        let fixture: Fixture =
            serde_json::from_slice(&fs::read(folder.path().join("known.json"))?)?;
        let data = folder.path().join("data");
        let files = Files::of(&data)?;
        let data = data.display().to_string();
        let report = countersign(&["store", "verify", "--data", &data, "--json"])?;
        let report: Value = serde_json::from_str(&report)?;
        let heads = ["audit", "issuance"].map(|log| {
            let head = &report["logs"][log];
            let number = number(&head["last"])?;
            Some(format!("{log}:{number}:{}", head["head"].as_str()?))
        });
        let records = ["client", "resource"].map(|kind| {
            let count = number(&report["records"][kind])?;
            Some((kind, count))
        });
        let terms = Terms {
            environment: vec![("COUNTERSIGN_ISSUER".to_owned(), fixture.issuer.clone())],
            ..Terms::default()
        };
        Ok(Self {
            service: Service::start(&terms)?,
            terms,
            fixture,
            files,
            key: fs::read(folder.path().join("key"))?,
            heads: heads.into_iter().flatten().collect(),
            records: records.into_iter().flatten().collect(),
        })
    }

    async fn is_what_it_was(&self) -> Result<(), Problem> {
        let service = &self.service;
        let clients = service.admin(&["client", "list"])?;
        for client in &self.fixture.clients {
            if !clients.to_string().contains(client.as_str()) {
                return Err(format!("no client {client} in {clients}").into());
            }
        }
        for (kind, expected) in &self.records {
            let found = count(service, kind)?;
            if found != *expected {
                return Err(format!("{found} records {kind}, and not {expected}").into());
            }
        }
        let heads = self.heads.iter().flat_map(|head| ["--expect", head]);
        let verify: Vec<&str> = ["audit", "verify"].into_iter().chain(heads).collect();
        service.admin(&verify)?;
        let secret = self.fixture.checkout_secret.clone().into();
        let checkout = Builder::new(service.url())
            .issuer(&self.fixture.issuer)
            .origin(&self.fixture.issuer)
            .client("checkout", Credential::ClientSecret(secret));
        let checkout = checkout.connect().await?;
        checkout.token_service().issue(&[], &[]).await?;
        Ok(())
    }
}

impl Subject for Upgrade {
    const KILLS: &'static str = "kills of an upgrade";

    fn prepare(&mut self, _: usize) -> Result<(), Problem> {
        self.service.kill()?;
        let data = self.service.folder().join("data");
        remove(&data)?;
        self.files.copy_to(&data)?;
        fs::write(self.service.folder().join("key"), &self.key)?;
        Ok(())
    }

    fn run(&mut self, how: &How) -> Result<Ended, Problem> {
        killed(&mut self.service, &self.terms, how)
    }

    async fn ends_well(&mut self, _: usize) -> Result<(), Problem> {
        self.service.restart(&self.terms)?;
        self.is_what_it_was().await?;
        self.service.kill()?;
        let data = self.service.folder().join("data");
        if fs::read_to_string(data.join("store"))? != MARKER {
            return Err("it has another format".into());
        }
        sound(&data)
    }
}

fn unpacked(format: u32) -> Result<TempDir, Problem> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let archive = fixtures.join(format!("store-format-{format}.tar.gz"));
    let folder = tempfile::tempdir()?;
    let mut tar = Command::new("tar");
    run(tar.arg("-xzf").arg(archive).arg("-C").arg(folder.path()))?;
    Ok(folder)
}
