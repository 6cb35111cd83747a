//! Who is in the store when the service starts. Written as the service writes it, without asking
//! it a million times.

mod records;

use std::time::Duration;

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{Client as Caller, Credential};
use countersign_issuer::Record;
use countersign_issuer::model::Generation;
use countersign_jose::Thumbprint;
use countersign_server::Config;
use countersign_server::seed::Seeding;

use self::records::{Kind, Records};
use crate::BenchError;

/// Refresh tokens that are handed out of a store, at most: more calls than that nobody makes, and a
/// million of them would be 70 MB.
pub const SAMPLE_MAX: usize = 100_000;

/// As long ago as an expired family ended: longer than a janitor waits before it sweeps.
const ENDED: Duration = Duration::from_secs(12 * 3600);

/// What is in a store.
#[derive(Copy, Clone, Debug, Default)]
pub struct Population {
    /// Clients with a secret that ask for tokens in their own name.
    pub clients: usize,
    /// Families that can be rotated.
    pub families: usize,
    /// Families that ended so long ago that they are to be swept.
    pub expired: usize,
}

/// What a caller needs to know of it.
pub(super) struct Seeded {
    /// The clients.
    pub clients: Vec<Caller>,
    /// The client whose the families are; it may introspect as well.
    pub desk: Caller,
    /// The refresh tokens of some families, at most [`SAMPLE_MAX`], with nothing in common.
    pub refresh_tokens: Vec<String>,
}

/// Fills the store of this configuration. The families are bound to the key `holder`.
pub(super) async fn seed(
    config: &Config,
    issuer: &str,
    population: &Population,
    holder: Thumbprint,
) -> Result<Seeded, BenchError> {
    let now = SystemClock.now();
    let failed = || BenchError::preparing("a store with much in it");
    let seeding = Seeding::open(config, now).await.map_err(failed())?;
    let records = Records::new(issuer, now, holder, seeding.epoch())
        .map_err(BenchError::preparing("what to fill a store with"))?;

    let registered = (0..population.clients).map(|number| records.service(number));
    let live = (0..population.families).map(|number| records.family(Kind::Live, number, now));
    let ended = now.minus(ENDED);
    let expired =
        (0..population.expired).map(|number| records.family(Kind::Expired, number, ended));
    let all = [
        Record::Resource(records.orders()),
        Record::Client(records.desk()),
    ]
    .into_iter()
    .chain(registered.map(Record::Client))
    .chain(live)
    .chain(expired);
    seeding.write(all).await.map_err(failed())?;

    let caller = |kind, number| {
        let secret = records::secret(kind, number).reveal().to_owned();
        let credential = Credential::ClientSecret(secret.into());
        Caller::new(
            records::client_id(kind, number).as_str(),
            credential,
            issuer,
        )
    };
    let refresh_token = |number| {
        let family = records::family_id(Kind::Live, number);
        let token = seeding.refresh_token(family, Generation::FIRST);
        token.reveal().to_owned()
    };
    let sample = population.families.min(SAMPLE_MAX);
    let seeded = Seeded {
        clients: (0..population.clients)
            .map(|number| caller(Kind::Service, number))
            .collect(),
        desk: caller(Kind::Desk, 0),
        refresh_tokens: (0..sample).map(refresh_token).collect(),
    };
    seeding.close().await.map_err(failed())?;
    Ok(seeded)
}

/// How many families there are in the store of this configuration.
pub(super) async fn families(config: &Config) -> Result<usize, BenchError> {
    let failed = || BenchError::preparing("the count of the families");
    let seeding = Seeding::open(config, SystemClock.now())
        .await
        .map_err(failed())?;
    let count = seeding.families().await.map_err(failed())?;
    seeding.close().await.map_err(failed())?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::{TokenServiceSpec, configuration};

    #[tokio::test]
    async fn a_store_has_what_was_asked_for_and_opens_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let issuer = "http://localhost:7443";
        let spec = TokenServiceSpec {
            issuer: issuer.to_owned(),
            ..TokenServiceSpec::default()
        };
        let config = configuration(&spec, folder.path()).expect("a configuration");
        let population = Population {
            clients: 3,
            // More than one change holds.
            families: 300,
            expired: 10,
        };
        let holder = Thumbprint::from_bytes([7; 32]);
        let seeded = seed(&config, issuer, &population, holder).await;
        let mut seeded = seeded.expect("seeded");
        assert_eq!(seeded.clients.len(), 3);
        seeded.refresh_tokens.sort();
        seeded.refresh_tokens.dedup();
        assert_eq!(seeded.refresh_tokens.len(), 300);
        assert_eq!(families(&config).await.expect("counted"), 310);
    }
}
