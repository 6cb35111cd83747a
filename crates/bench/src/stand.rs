//! A token service whose store was filled before it started: with as many clients and families as
//! are asked for.

mod callers;
mod population;

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) use self::callers::check_issued;
pub use self::callers::{Callers, Own};
pub use self::population::{Population, SAMPLE_MAX};
use crate::child::{Spec, TokenServiceSpec, configuration};
use crate::world::Setting;
use crate::{BenchError, Process};

/// What proofs are made for, whatever the port is.
const ISSUER: &str = "http://localhost:7443";

/// A token service in a folder of its own, and those who call it.
pub struct Stand {
    process: Process,
    callers: Callers,
    spec: TokenServiceSpec,
    // Last, so that it goes when nobody uses it any more.
    folder: TempDir,
}

/// How a service comes to its end.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It is told to stop, and writes down what makes the next start short.
    Stopped,
    /// It is killed, as by a crash.
    Killed,
}

impl Stand {
    /// Fills a store and starts a service on it. `overrides` are configuration by the names of the
    /// file.
    ///
    /// # Errors
    /// When the store cannot be filled, or the service does not start.
    pub async fn start(
        setting: &Setting,
        population: &Population,
        overrides: &[(&str, &str)],
    ) -> Result<Self, BenchError> {
        let folder = tempfile::Builder::new()
            .prefix("countersign-bench-")
            .tempdir_in(&setting.data)
            .map_err(BenchError::system("making a folder"))?;
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let spec = TokenServiceSpec {
            folder: Some(folder.path().to_owned()),
            issuer: ISSUER.to_owned(),
            overrides: overrides.iter().map(owned).collect(),
            ..TokenServiceSpec::default()
        };
        let provers = callers::provers(ISSUER)?;
        let config = configuration(&spec, folder.path())?;
        let seeded = population::seed(&config, ISSUER, population, provers[0].jkt()).await?;
        Ok(Self {
            process: started(setting, &spec)?,
            callers: Callers::new(ISSUER, seeded, provers),
            spec,
            folder,
        })
    }

    /// Ends the service, has something done while the store is nobody's, and starts it anew. What
    /// the start took comes back with it: from the start of the process to its being ready for
    /// calls.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(
        self,
        setting: &Setting,
        ending: Ending,
        meanwhile: impl FnOnce(&Path) -> Result<(), BenchError>,
    ) -> Result<(Self, Duration), BenchError> {
        let Self {
            mut process,
            callers,
            spec,
            folder,
        } = self;
        if ending == Ending::Killed {
            process.kill();
        }
        drop(process);
        meanwhile(folder.path())?;
        let begun = Instant::now();
        let process = started(setting, &spec)?;
        let took = begun.elapsed();
        let stand = Self {
            process,
            callers,
            spec,
            folder,
        };
        Ok((stand, took))
    }

    /// Stops the service, and counts the families that are left in its store.
    ///
    /// # Errors
    /// When the store does not open.
    pub async fn families_left(self) -> Result<usize, BenchError> {
        let Self {
            process,
            spec,
            folder,
            ..
        } = self;
        drop(process);
        population::families(&configuration(&spec, folder.path())?).await
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.process.facts().url
    }

    /// Those who call it.
    pub fn callers(&self) -> Callers {
        self.callers.clone()
    }
}

fn started(setting: &Setting, spec: &TokenServiceSpec) -> Result<Process, BenchError> {
    let spec = Spec::TokenService(spec.clone());
    Process::start(&setting.executable, &spec, setting.cores)
}
