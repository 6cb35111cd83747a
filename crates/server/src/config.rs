//! What the token service is told at start: a TOML file, then `COUNTERSIGN_…` variables, which win.
//!
//! Every key stands once in [`KEYS`]; `docs/configuration.md` is checked against that table. A key
//! or value that is wrong stops the start with its name and what would be right.

mod change;
mod check;
mod device;
mod error;
mod http;
mod key_place;
mod keys;
mod login;
mod mtls;
mod nearest;
mod read;
mod value;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use countersign_issuer::keys::Schedules;
use countersign_jose::Algorithm;

pub(crate) use change::Change;
pub(crate) use check::is_loopback;
pub use device::Device;
pub(crate) use device::VerificationUri;
pub use error::{ConfigError, Place};
pub(crate) use http::LoginUrl;
pub use http::{Http, HttpPlace};
pub use key_place::KeyPlace;
pub use keys::{KEYS, Key, TakesEffect};
pub use login::Login;
pub use mtls::Mtls;
pub use read::Sources;

/// The prefix of the variables that are read as configuration.
pub const VARIABLE_PREFIX: &str = "COUNTERSIGN_";

/// The whole configuration of a token service. [`Config::default`] serves loopback without TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The issuer, as it stands in `iss`. `None`: `http(s)://` and the address listened on.
    pub issuer: Option<String>,
    /// Where calls come from.
    pub listen: Listen,
    /// The HTTP endpoints.
    pub http: Http,
    /// The login application.
    pub login: Login,
    /// Certificate and key; required for anything but loopback.
    pub tls: Option<Tls>,
    /// Where clients are asked for certificates.
    pub mtls: Mtls,
    /// Where records are kept.
    pub store: Store,
    /// The Unix socket of the admin services.
    pub admin: Admin,
    /// How long things live.
    pub tokens: Tokens,
    /// How devices are authorized.
    pub device: Device,
    /// What a proof must be like.
    pub proofs: Proofs,
    /// How long others may keep the key set.
    pub key_set_max_age: Duration,
    /// When the service's own keys are replaced.
    pub rotation: Rotation,
    /// How long it is known what happened.
    pub audit: Audit,
    /// How much is taken on.
    pub limits: Limits,
    /// How the service stops.
    pub stop: Stop,
    /// What is reported, and where to.
    pub telemetry: Telemetry,
}

/// Where calls come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The TCP address; port 0 takes any free one.
    pub address: SocketAddr,
    /// Base URIs that clients reach the service by, besides the issuer. A proof names one of them.
    pub origins: Vec<String>,
    /// Connections open at once, at most.
    pub connections_max: u32,
    /// Threads that serve them. 0: one for each core that the process may use.
    pub workers: u32,
}

/// Files of a certificate chain and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain, leaf first.
    pub certificate_file: PathBuf,
    /// The private key, PKCS#8, SEC 1 or PKCS#1.
    pub key_file: PathBuf,
    /// The authorities that are trusted for clients, at [`Mtls::address`].
    pub client_authorities_file: Option<PathBuf>,
}

/// Where records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The directory of the database, made at first start.
    pub directory: PathBuf,
    /// The key-encryption key, outside of [`Store::directory`]. `None`: beside it, with `.key`
    /// appended to its name.
    pub key_file: Option<PathBuf>,
    /// The credential of the service manager that holds the key-encryption key, instead of a file.
    pub key_credential: Option<String>,
    /// The program, with its arguments, that holds the key-encryption key. Empty: a file does.
    pub key_command: Vec<String>,
    /// Memory for the database's cache.
    pub cache_mib: u32,
}

/// The Unix socket of the admin services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Its path. `None`: `admin.sock` in [`Store::directory`].
    pub socket: Option<PathBuf>,
    /// The accounts that may use it. Empty: root and the account that the service runs as.
    pub allowed_uids: Vec<u32>,
}

/// How long things live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// An access token, unless its resource says otherwise.
    pub access_token: Duration,
    /// An authorization code.
    pub authorization_code: Duration,
    /// A pushed authorization request.
    pub authorization_request: Duration,
    /// A refresh-token family that is not used.
    pub refresh_idle: Duration,
    /// A refresh-token family, used or not.
    pub refresh_absolute: Duration,
    /// How long after a rotation a lost answer may be asked for again.
    pub refresh_retry: Duration,
}

/// What a proof must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proofs {
    /// How old a proof may be.
    pub age: Duration,
    /// How far ahead of the service's clock a proof may be.
    pub skew: Duration,
    /// The algorithms that proofs may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Ask for a nonce in every proof, not only when `iat` is off or after a start.
    pub nonce_always: bool,
    /// Spent proofs remembered at once, at most.
    pub remembered_max: u32,
}

/// When the service's own keys are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The key that signs access tokens. `None`: on command only.
    pub signing: Option<Duration>,
    /// The key that makes handles. `None`: on command only.
    pub mac: Option<Duration>,
}

/// How much is taken on. Health, keys, introspection and everything else have a lane each; what is
/// said of a lane holds for each of them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls of a lane that wait for one processor core at once, while it cannot keep up.
    pub waiting_max: u32,
    /// Calls of a lane that were taken and not answered yet.
    pub in_flight_max: u32,
    /// Those who watch the key set at once, and as many who watch revocations.
    pub watchers_max: u32,
    /// Watches of revocations of one client, and watches of the key set from one address. 0: a
    /// tenth of [`Limits::watchers_max`], and at least 100.
    pub caller_watchers_max: u32,
    /// Calls a second of one client; of a public client, of one key. 0: any number.
    pub client_calls_per_sec: u32,
    /// Wrong user codes a minute, of everybody together.
    pub wrong_user_codes_per_min: u32,
    /// Authorization requests a minute from one address, of clients that show nothing. 0: any number.
    pub public_requests_per_min: u32,
    /// Calls a second of a method, by its name without the service. Each name stands once.
    pub method_calls_per_sec: Vec<(String, u32)>,
}

impl Limits {
    /// How many watches one caller may have.
    pub(crate) fn watchers_of_a_caller(&self) -> usize {
        match self.caller_watchers_max {
            0 => (self.watchers_max / 10).max(100) as usize,
            most => most as usize,
        }
    }
}

/// How long entries of the logs of events are kept. `None`: for ever.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Security and administrative events.
    pub retention: Option<Duration>,
    /// Tokens that were issued without anything else being written.
    pub issuance: Option<Duration>,
}

/// How the service stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// How long `NOT_SERVING` is reported before new connections are refused.
    pub notice: Duration,
    /// How long calls in flight are waited for.
    pub drain: Duration,
}

/// What is reported, and where to.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// The collector's OTLP/gRPC endpoint. `None`: no traces leave.
    pub otlp_endpoint: Option<String>,
    /// The same for metrics. `None`: none leave.
    pub metrics_endpoint: Option<String>,
    /// The part of new traces that is recorded, 0 to 1.
    pub sample_ratio: f64,
    /// What is logged, in the words of `RUST_LOG`.
    pub log_filter: String,
    /// One JSON object a line instead of text for people.
    pub log_json: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: None,
            listen: Listen {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 7443)),
                origins: Vec::new(),
                // One connection costs some 50 KiB: 10,000 stay below half a gigabyte.
                connections_max: 10_000,
                workers: 0,
            },
            http: Http {
                place: HttpPlace::Shared,
                cors_origins: Vec::new(),
                login_url: None,
                login_acr_values: Vec::new(),
                list_scopes: false,
                only_pushed: false,
            },
            login: Login {
                serve: false,
                behind_proxy: false,
            },
            tls: None,
            mtls: Mtls::default(),
            store: Store {
                directory: PathBuf::from("countersign-data"),
                key_file: None,
                key_credential: None,
                key_command: Vec::new(),
                // The hot set is clients, resources and live families, well below 1 KiB each.
                cache_mib: 1024,
            },
            admin: Admin {
                socket: None,
                allowed_uids: Vec::new(),
            },
            tokens: Tokens {
                // Short, since an access token that was stolen with its key works until it ends.
                access_token: Duration::from_secs(300),
                // FAPI 2.0: at most 60 s.
                authorization_code: Duration::from_secs(60),
                // RFC 9126 §2.2 and FAPI 2.0: below 600 s.
                authorization_request: Duration::from_secs(600),
                refresh_idle: Duration::from_secs(7 * 86_400),
                refresh_absolute: Duration::from_secs(30 * 86_400),
                // A client's own retries come within seconds; a thief's rarely do.
                refresh_retry: Duration::from_secs(10),
            },
            device: Device::default(),
            proofs: Proofs {
                age: Duration::from_secs(60),
                skew: Duration::from_secs(10),
                algorithms: vec![Algorithm::Es256, Algorithm::Ed25519],
                nonce_always: false,
                // 28 bytes an entry: 28 MiB, and 14,000 calls a second for 70 s.
                remembered_max: 1_000_000,
            },
            key_set_max_age: Duration::from_secs(300),
            rotation: Rotation {
                // What leaked unnoticed is of use no longer than this.
                signing: Some(Duration::from_secs(30 * 86_400)),
                // It must verify for as long as families live, and never leaves this process.
                mac: Some(Duration::from_secs(90 * 86_400)),
            },
            audit: Audit {
                // A year that is looked back on, and a month to look.
                retention: Some(Duration::from_secs(400 * 86_400)),
                // Much larger: two orders of magnitude more events, of less interest.
                issuance: Some(Duration::from_secs(30 * 86_400)),
            },
            limits: Limits {
                // 5 ms of signatures: short beside what a caller waits for, and enough that a core
                // never idles between two bursts.
                waiting_max: 32,
                // Some 30 KiB each at worst. More than wait for the slowest disk's commits.
                in_flight_max: 4_096,
                // As many as there can be connections by default; one takes some 10 KiB.
                watchers_max: 10_000,
                caller_watchers_max: 0,
                // A sixth of what one core can do. A thousand replicas that start within the same
                // second stay below; what runs in a loop does not.
                client_calls_per_sec: 2_000,
                // Twenty times what ten thousand people mistype who log a device in each hour; at
                // this rate, a year of guessing at a thousand living codes finds one.
                wrong_user_codes_per_min: 60,
                // Five thousand people behind one address who log in within ten minutes stay below.
                // In the ten minutes that a request lives an address has 6,600 of them at most: 33
                // MiB at worst.
                public_requests_per_min: 600,
                method_calls_per_sec: Vec::new(),
            },
            stop: Stop {
                notice: Duration::ZERO,
                drain: Duration::from_secs(10),
            },
            telemetry: Telemetry {
                otlp_endpoint: None,
                metrics_endpoint: None,
                sample_ratio: 1.0,
                log_filter: "info".to_owned(),
                log_json: false,
            },
        }
    }
}

impl Config {
    /// When keys are replaced, and how long they overlap.
    pub(crate) fn schedules(&self) -> Schedules {
        Schedules::new(
            &crate::start::lifetimes(self),
            self.key_set_max_age,
            self.rotation.signing,
            self.rotation.mac,
        )
    }

    /// Who has the key-encryption key.
    pub fn key_place(&self) -> KeyPlace {
        match (&self.store.key_credential, &*self.store.key_command) {
            (Some(name), _) => KeyPlace::Credential(name.clone()),
            (None, []) => KeyPlace::File(self.key_file()),
            (None, command) => KeyPlace::Command(command.to_vec()),
        }
    }

    /// The file that the key-encryption key is in, unless a credential or a program has it.
    pub fn key_file(&self) -> PathBuf {
        self.store.key_file.clone().unwrap_or_else(|| {
            let mut name = self.store.directory.as_os_str().to_owned();
            name.push(".key");
            PathBuf::from(name)
        })
    }

    /// Where the admin socket is.
    pub fn admin_socket(&self) -> PathBuf {
        self.admin
            .socket
            .clone()
            .unwrap_or_else(|| self.store.directory.join("admin.sock"))
    }
}
