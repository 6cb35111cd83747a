//! The servers of a run, started when they are first needed.

mod prover;
mod token_service;

use std::collections::HashMap;
use std::path::PathBuf;

pub use self::prover::Prover;
pub use self::token_service::{CALLBACK, ORDERS, TokenService};
use crate::child::{Floor, Guarded, Spec, TokenServiceSpec, Tracing};
use crate::cores::Cores;
use crate::{BenchError, Process};

/// One caller makes all calls, more than one caller may, and as many at once as
/// were asked for. What overload does is measured elsewhere. The limit of a client
/// is the largest, not none: installations have one, and pay for it.
const UNLIMITED: [(&str, &str); 2] = [
    ("limits.client_calls_per_sec", "1000000"),
    ("limits.waiting_max", "100000"),
];

/// Where and how servers are started.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The executable, which knows [`SERVER_COMMAND`](crate::process::SERVER_COMMAND).
    pub executable: PathBuf,
    /// Where stores are kept, each in a folder of its own; on a disk, or a commit
    /// costs nothing.
    pub data: PathBuf,
    /// Who runs where.
    pub cores: Cores,
}

/// The servers of a run. They end when this is dropped.
pub struct World {
    setting: Setting,
    floors: HashMap<Floor, Process>,
    /// The second of two equal servers: what their ratio is off 1 by is noise.
    twin: Option<Process>,
    guarded: Option<Process>,
    guarded_http: Option<Process>,
    tokens: Option<TokenService>,
    tracing: Option<Tracing>,
}

impl World {
    /// Without servers yet.
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            floors: HashMap::new(),
            twin: None,
            guarded: None,
            guarded_http: None,
            tokens: None,
            tracing: None,
        }
    }

    /// The same, with servers of ours whose spans leave. Floors have none.
    #[must_use]
    pub fn traced(mut self, tracing: Tracing) -> Self {
        self.tracing = Some(tracing);
        self
    }

    /// Where and how servers are started.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The server that does this by hand.
    ///
    /// # Errors
    /// When it does not start.
    pub fn floor(&mut self, floor: &Floor) -> Result<&mut Process, BenchError> {
        if !self.floors.contains_key(floor) {
            let process = self.start_floor(floor)?;
            self.floors.insert(floor.clone(), process);
        }
        self.floors
            .get_mut(floor)
            .ok_or_else(|| BenchError::Asked("no such floor".to_owned()))
    }

    /// Another server that does this by hand.
    ///
    /// # Errors
    /// When it does not start.
    pub fn twin(&mut self, floor: &Floor) -> Result<&mut Process, BenchError> {
        let twin = match self.twin.take() {
            Some(twin) => twin,
            None => self.start_floor(floor)?,
        };
        Ok(self.twin.insert(twin))
    }

    fn start_floor(&self, floor: &Floor) -> Result<Process, BenchError> {
        let floor = Floor {
            data: self.setting.data.clone(),
            ..floor.clone()
        };
        self.start(&Spec::Floor(floor))
    }

    /// The guarded order service.
    ///
    /// # Errors
    /// When it does not start.
    pub fn guarded(&mut self, answer_bytes: usize) -> Result<&mut Process, BenchError> {
        let guarded = match self.guarded.take() {
            Some(guarded) => guarded,
            None => self.start_guarded(answer_bytes, false)?,
        };
        Ok(self.guarded.insert(guarded))
    }

    /// The same over HTTP.
    ///
    /// # Errors
    /// When it does not start.
    pub fn guarded_http(&mut self, answer_bytes: usize) -> Result<&mut Process, BenchError> {
        let guarded = match self.guarded_http.take() {
            Some(guarded) => guarded,
            None => self.start_guarded(answer_bytes, true)?,
        };
        Ok(self.guarded_http.insert(guarded))
    }

    fn start_guarded(&self, answer_bytes: usize, http: bool) -> Result<Process, BenchError> {
        self.start(&Spec::Guarded(Guarded {
            answer_bytes,
            http,
            tracing: self.tracing.clone(),
            ..Guarded::default()
        }))
    }

    /// The token service, with its clients registered.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn tokens(&mut self) -> Result<&mut TokenService, BenchError> {
        let tokens = match self.tokens.take() {
            Some(tokens) => tokens,
            None => {
                let spec = TokenServiceSpec {
                    overrides: UNLIMITED.map(owned).to_vec(),
                    tracing: self.tracing.clone(),
                    ..TokenServiceSpec::default()
                };
                TokenService::start(&self.setting, spec).await?
            }
        };
        Ok(self.tokens.insert(tokens))
    }

    fn start(&self, spec: &Spec) -> Result<Process, BenchError> {
        Process::start(&self.setting.executable, spec, self.setting.cores)
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
