//! Starting: what has to be right before the first call is taken.

mod error;

use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_client::clock::Clock;
use countersign_dpop::{Limits, NonceKey, Origin};
use countersign_guard::{Freshness, Guard, Ledger, LedgerLimits, NonceMode, Sharing};
use countersign_issuer::{Issuer, IssuerName, Lifetimes};
use countersign_jose::{Algorithms, UnixTime};
use countersign_store::embedded::{EmbeddedStore, Options};
use countersign_store::{Store, StoreError};
use tokio::task::spawn_blocking;
use tracing::info;

use crate::audit::Audit;
use crate::config::{Config, ConfigError, HttpPlace, KeyPlace, VerificationUri};
use crate::engine::Engine;
use crate::health::Health;
use crate::keyring::keeper::Keeper;
use crate::listen::{self, Places, Tcp, Unix};
use crate::login;
use crate::opening::{self, Opened};
use crate::overload::Overload;
use crate::proof::Proofs;
use crate::records::Records;
use crate::revoked::{self, InProcess, Revoked};
use crate::running::{Edges, Running, Whereabouts};
use crate::serve::{Manner, Peers, Speaks, Stop, Workers, serve};
use crate::set_back;
use crate::signer::KeySet;
use crate::stack::{self, Platform};
use crate::tls::Certificates;
use crate::watchers::Watchers;
use crate::{janitor, keyring, random};
pub use error::StartError;
pub(crate) use error::unreadable;

/// Admin connections at once: operators and their scripts.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// The part of the ledger that one key may fill: one busy client leaves room for others.
const LEDGER_SHARE: usize = 4;

/// The token service.
pub struct Server;

impl Server {
    /// Starts the service and returns when it takes calls. Needs a tokio runtime.
    ///
    /// # Errors
    /// Whatever is not as it must be; nothing is left behind but what a later start can use.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Running, StartError> {
        let files = files(&config)?;
        let store = open_store(&config).await?;
        let stores = Stores {
            store: store.clone(),
            embedded: Some(store),
        };
        start_over(&config, clock, stores, files).await
    }

    /// As [`start`](Self::start), over a store that somebody else has opened: another backend, or
    /// one with something in between. `config.store.directory` is made all the same, and is where
    /// the key file and the admin socket lie unless they are named.
    ///
    /// From here on the store is the service's: it is closed when the service stops, and when it
    /// does not start. Nobody else may write to it meanwhile.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_on(
        config: Config,
        clock: Arc<dyn Clock>,
        store: Arc<dyn Store>,
    ) -> Result<Running, StartError> {
        match files(&config) {
            Ok(files) => {
                let stores = Stores {
                    store,
                    embedded: None,
                };
                start_over(&config, clock, stores, files).await
            }
            Err(error) => {
                // The reason to tell is the first one.
                let _ = store.close().await;
                Err(error)
            }
        }
    }
}

/// The store, and what it is besides.
struct Stores {
    store: Arc<dyn Store>,
    /// It has backups of its own.
    embedded: Option<Arc<EmbeddedStore>>,
}

/// What a start reads before it opens a store.
struct Files {
    tls: Option<Arc<Certificates>>,
    key_place: KeyPlace,
}

fn files(config: &Config) -> Result<Files, StartError> {
    config.check()?;
    // Another part of the process may have done so; then that one holds.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let tls = config.tls.as_ref().map(Certificates::load).transpose()?;
    let key_place = config.key_place().outside(&config.store.directory)?;
    make_directory(&config.store.directory)?;
    Ok(Files {
        tls: tls.map(Arc::new),
        key_place,
    })
}

async fn start_over(
    config: &Config,
    clock: Arc<dyn Clock>,
    stores: Stores,
    files: Files,
) -> Result<Running, StartError> {
    let store = Arc::clone(&stores.store);
    let started = started(config, clock, stores, files).await;
    if started.is_err() {
        // The lock must be free when the next attempt comes.
        let _ = store.close().await;
    }
    started
}

async fn started(
    config: &Config,
    clock: Arc<dyn Clock>,
    Stores { store, embedded }: Stores,
    Files { tls, key_place }: Files,
) -> Result<Running, StartError> {
    let records = Records::new(Arc::clone(&store));
    let now = clock.now();
    set_back::carry_out(&records, &config.store.directory, now).await?;
    let opened = opening::open(
        &records,
        &config.store.directory,
        &key_place,
        config.schedules(),
        now,
    )
    .await?;

    let tcp = bind(config.listen.address)?;
    let own = config.http.place.own().map(bind).transpose()?;
    let mutual = config.mtls.address.map(bind).transpose()?;
    let mtls_url = mutual.as_ref().map(|tcp| config.mtls.url(tcp.address()));
    let socket_path = config.admin_socket();
    let unix = Unix::bind(&socket_path, &config.admin.allowed_uids)
        .await
        .map_err(|problem| StartError::AdminSocket {
            path: socket_path.clone(),
            problem,
        })?;

    let url = format!(
        "{}://{}",
        if tls.is_some() { "https" } else { "http" },
        tcp.address()
    );
    let issuer = config.issuer.as_deref().unwrap_or(&url);
    let issuer = IssuerName::parse(issuer).map_err(|_| ConfigError::Contradiction {
        key: "issuer",
        expected: "must be an https or http URL of at most 255 bytes",
    })?;
    let health = Health::serving(&[&stack::PUBLIC[..], &stack::ADMIN[..]].concat()).await;
    let first_start = opened.first;
    let (platform, guard) = platform(
        config,
        clock,
        records,
        opened,
        &issuer,
        mtls_url.as_deref(),
        health.clone(),
        now,
    )
    .await?;
    opening::register_itself(&platform.engine, &config.store.directory).await?;
    // A store of the first release has no next keys.
    let looked = platform.keeper.look().await;
    looked.map_err(|refused| unreadable(&config.store.directory, refused))?;

    let address = tcp.address();
    let stop = Stop::default();
    let grpc = stack::public(platform.clone(), &guard, stop.calls.clone());
    let login = login::mounted(
        config,
        &issuer,
        &store,
        &platform.engine.clock,
        &platform.accounts,
        login::InProcess {
            desk: platform.desk(),
            decider: login::decider(),
        },
    )?;
    let edge = stack::edge(&platform, config, mtls_url.as_deref());
    let aliases = stack::aliases(&platform, Arc::clone(&edge), stop.calls.clone());
    let http = stack::http(&platform, config, edge, login, stop.calls.clone());
    let admin = stack::admin(platform.clone(), embedded, stop.calls.clone());
    let workers = Workers::start(config.listen.workers as usize).map_err(StartError::Workers)?;
    let wanted = config.listen.connections_max as usize;
    let places = Places::new(listen::connections(wanted, workers.count()));
    let manner = |speaks| Manner {
        tls: tls.clone(),
        asks: None,
        speaks,
        peers: Peers::Callers,
    };
    let asking = Manner {
        asks: Some(Arc::clone(&platform.engine.clock)),
        ..manner(Speaks::Both)
    };
    let served_login = login::served(config, &issuer, &platform.accounts).await?;
    let mut edges = Edges::new(platform, stop.clone());
    let mut http_address = None;
    let mtls_address = mutual.as_ref().map(Tcp::address);
    if let Some(mutual) = mutual {
        let workers =
            Workers::start(config.listen.workers as usize).map_err(StartError::Workers)?;
        let (places, stop) = (places.clone(), stop.clone());
        let grpc = grpc.clone();
        match config.http.place {
            HttpPlace::Nowhere => edges.add(serve(mutual, grpc, asking, places, workers, stop)),
            HttpPlace::Shared | HttpPlace::Own(_) => {
                let both = stack::either(grpc, aliases);
                edges.add(serve(mutual, both, asking, places, workers, stop));
            }
        }
    }
    if config.http.place == HttpPlace::Shared {
        http_address = Some(address);
        let both = stack::either(grpc, http);
        let manner = manner(Speaks::Both);
        edges.add(serve(tcp, both, manner, places, workers, stop.clone()));
    } else {
        let manner_of_grpc = manner(Speaks::Http2);
        let (shared, stop) = (places.clone(), stop.clone());
        edges.add(serve(
            tcp,
            grpc,
            manner_of_grpc,
            shared,
            workers,
            stop.clone(),
        ));
        if let Some(own) = own {
            http_address = Some(own.address());
            let workers = config.listen.workers as usize;
            let workers = Workers::start(workers).map_err(StartError::Workers)?;
            let manner = manner(Speaks::Both);
            edges.add(serve(own, http, manner, places, workers, stop));
        }
    }
    // Operators are few: they need no workers of their own.
    let operators = Manner {
        tls: None,
        asks: None,
        speaks: Speaks::Http2,
        peers: Peers::Operators,
    };
    let places = Places::new(ADMIN_CONNECTIONS_MAX);
    let workers = Workers::here();
    edges.add(serve(unix, admin, operators, places, workers, stop));
    info!(%issuer, %address, socket = %socket_path.display(), "the token service takes calls");
    Ok(Running::new(
        edges,
        health,
        store,
        config.clone(),
        tls,
        Whereabouts {
            address,
            http_address,
            mtls_address,
            mtls_url,
            url,
            issuer: issuer.as_str().to_owned(),
            socket: socket_path,
            data: config.store.directory.clone(),
            key_place,
            first_start,
            login: served_login,
        },
    ))
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything that a platform is made of, at its one start"
)]
pub(crate) async fn platform(
    config: &Config,
    clock: Arc<dyn Clock>,
    records: Records,
    opened: Opened,
    issuer: &IssuerName,
    mtls_url: Option<&str>,
    health: Health,
    now: UnixTime,
) -> Result<(Platform, Guard), StartError> {
    let limits = Limits {
        age: config.proofs.age,
        skew: config.proofs.skew,
        algorithms: Algorithms::of(&config.proofs.algorithms),
    };
    let mode = if config.proofs.nonce_always {
        NonceMode::Always
    } else {
        NonceMode::WhereNeeded
    };
    // Private to this instance, so that no nonce from before a restart is any good after it.
    let nonce_key = NonceKey::new(random::bytes());
    let freshness = Arc::new(Freshness::new(
        mode,
        &nonce_key,
        Sharing::Private,
        &limits,
        now,
    ));
    let entries_max = config.proofs.remembered_max as usize;
    let ledger = Arc::new(Ledger::new(LedgerLimits {
        entries_max,
        entries_per_key_max: entries_max / LEDGER_SHARE,
    }));
    let origins = origins(issuer.as_str(), &config.listen.origins, mtls_url)?;
    let (in_use, mac_keys) =
        keyring::sort(&opened.keys.known, &opened.keys.open).ok_or_else(|| {
            StartError::DamagedRecords {
                directory: config.store.directory.clone(),
                problem: "a key of the service's own is missing",
            }
        })?;
    let keys = Arc::new(KeySet::new(
        issuer.as_str().to_owned(),
        config.key_set_max_age,
        in_use,
    ));

    let store = Arc::clone(records.shared_store());
    let revoked = Arc::new(Revoked::new(opened.epoch, store));
    // By a clock that may be ahead and set back later.
    let over = now.minus(janitor::GRACE);
    revoked::follow(&revoked, over)
        .await
        .map_err(|refused| unreadable(&config.store.directory, refused))?;

    let mut builder = countersign_guard::Builder::new(issuer.as_str())
        .issuer(issuer.as_str())
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .limits(limits)
        .ledger(Arc::clone(&ledger))
        .freshness(Arc::clone(&freshness))
        .clock(Arc::clone(&clock))
        .key_source(Arc::clone(&keys) as Arc<dyn countersign_guard::KeySource>)
        .revocation_source(Arc::new(InProcess(Arc::clone(&revoked))))
        .allow_plaintext();
    for origin in &origins {
        // Whatever name it is reached by, the resource is the service itself.
        builder = builder.serve_as(origin.as_str(), issuer.as_str());
    }
    for open in stack::UNGUARDED {
        builder = builder.exempt(open);
    }
    let guard = builder
        .connect()
        .await
        .map_err(|error| StartError::Guard(error.to_string()))?;

    let verification = VerificationUri::of(config, issuer);
    let accounts = login::accounts(records.shared_store(), &clock)?;
    let engine = Engine {
        records,
        issuer: Arc::new(ArcSwap::from_pointee(Issuer {
            name: issuer.clone(),
            lifetimes: lifetimes(config),
            mac_keys,
            epoch: opened.epoch,
            set_back_at: opened.set_back_at,
        })),
        proofs: Arc::new(Proofs {
            origins,
            limits,
            freshness,
            ledger,
        }),
        clock,
        steady: Arc::default(),
        audit: Audit::new(config.audit),
    };
    let keeper = Keeper::new(
        engine.clone(),
        Arc::clone(&keys),
        guard.clone(),
        opened.custody,
        config.schedules(),
        opened.keys,
    );
    let platform = Platform {
        engine,
        keys,
        keeper: Arc::new(keeper),
        health,
        overload: Overload::new(&config.limits),
        verification,
        revoked,
        key_watchers: Watchers::new(&config.limits),
        accounts,
        revocation_watchers: Watchers::new(&config.limits),
    };
    Ok((platform, guard))
}

pub(crate) fn lifetimes(config: &Config) -> Lifetimes {
    Lifetimes {
        access_token: config.tokens.access_token,
        code: config.tokens.authorization_code,
        request_uri: config.tokens.authorization_request,
        device_code: config.device.code,
        device_interval: config.device.interval,
        refresh_absolute: config.tokens.refresh_absolute,
        refresh_idle: config.tokens.refresh_idle,
        retry_window: config.tokens.refresh_retry,
    }
}

/// The base URIs that a proof may name: the issuer, and what else is configured.
fn origins(
    issuer: &str,
    more: &[String],
    mtls_url: Option<&str>,
) -> Result<Vec<Origin>, ConfigError> {
    std::iter::once(("issuer", issuer))
        .chain(more.iter().map(|text| ("listen.origins", text.as_str())))
        .chain(mtls_url.map(|url| ("mtls.url", url)))
        .map(|(key, text)| {
            Origin::parse(text).map_err(|_| ConfigError::Contradiction {
                key,
                expected: "must be a URL without user, query or fragment",
            })
        })
        .collect()
}

pub(crate) fn bind(address: SocketAddr) -> Result<Tcp, StartError> {
    Tcp::bind(address).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
        _ => StartError::Listen { address, cause },
    })
}

pub(crate) fn make_directory(path: &Path) -> Result<(), StartError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|cause| StartError::Directory {
            path: path.to_owned(),
            cause,
        })
}

/// Off the runtime: recovery reads the whole log.
pub(crate) async fn open_store(config: &Config) -> Result<Arc<EmbeddedStore>, StartError> {
    let directory = config.store.directory.clone();
    let options = Options {
        cache_bytes: u64::from(config.store.cache_mib) * 1024 * 1024,
        ..Options::default()
    };
    let opened = spawn_blocking(move || EmbeddedStore::open(&directory, options))
        .await
        .map_err(|panic| StoreError::Unavailable(panic.to_string()))?;
    Ok(Arc::new(opened?))
}
