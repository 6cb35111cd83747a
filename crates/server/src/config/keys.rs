//! Every key of the configuration: its name, its default, what it means, and how it is set.

use std::path::PathBuf;
use std::time::Duration;

use countersign_jose::Algorithm;

use super::value::Value;
use super::{Config, Tls, VARIABLE_PREFIX};
use crate::overload;

/// One key of the configuration.
pub struct Key {
    /// Its name in the file: `section.key`.
    pub name: &'static str,
    /// What holds when it is not said, as the documentation writes it.
    pub default: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// When a changed value holds.
    pub takes_effect: TakesEffect,
    pub(super) set: fn(&mut Config, &Value<'_>) -> Result<(), String>,
    /// Gives the first configuration what the second says.
    pub(super) copy: fn(&mut Config, &Config),
}

/// When a changed value of a key holds.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TakesEffect {
    /// When the configuration is read again.
    Reload,
    /// When the service is started again.
    Restart,
}

impl TakesEffect {
    /// The word of the documentation.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Restart => "restart",
        }
    }
}

impl Key {
    /// The variable that sets it: `COUNTERSIGN_`, then its name in upper case with `_` for `.`.
    pub fn variable(&self) -> String {
        format!(
            "{VARIABLE_PREFIX}{}",
            self.name.replace('.', "_").to_ascii_uppercase()
        )
    }
}

/// All keys, in the order of the documentation.
pub static KEYS: &[Key] = &[
    Key {
        name: "issuer",
        default: "the address listened on",
        values: "URL",
        meaning: "The URL that clients reach the service by; stands in `iss`, and names the \
                  resource that the service itself is. Required unless the service listens on \
                  loopback.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.issuer = Some(value.text()?);
            Ok(())
        },
        copy: |to, from| to.issuer.clone_from(&from.issuer),
    },
    Key {
        name: "listen.address",
        default: "127.0.0.1:7443",
        values: "IP address and port",
        meaning: "Where calls are taken. Port 0 takes any free port.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.listen.address =
                value.parsed("an IP address and a port, as in 127.0.0.1:7443 or [::1]:7443")?;
            Ok(())
        },
        copy: |to, from| to.listen.address = from.listen.address,
    },
    Key {
        name: "listen.origins",
        default: "none",
        values: "list of URLs",
        meaning: "Base URLs, besides the issuer, that clients reach the service by. A proof must \
                  name the issuer or one of these.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.listen.origins = value.list("URLs", |text| Some(text.to_owned()))?;
            Ok(())
        },
        copy: |to, from| to.listen.origins.clone_from(&from.listen.origins),
    },
    Key {
        name: "listen.connections_max",
        default: "10000",
        values: "1 to 1000000",
        meaning: "Connections open at once; further ones wait. Never so many that fewer than 128 \
                  file descriptors are left for everything else.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.listen.connections_max = value.count(&(1..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.listen.connections_max = from.listen.connections_max,
    },
    Key {
        name: "listen.workers",
        default: "0",
        values: "0 to 1024",
        meaning: "Threads that serve connections, each connection on one of them. 0: one for each \
                  core that the process may use.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.listen.workers = value.count(&(0..=1_024))?;
            Ok(())
        },
        copy: |to, from| to.listen.workers = from.listen.workers,
    },
    Key {
        name: "tls.certificate_file",
        default: "none",
        values: "path",
        meaning: "Certificate chain, PEM, leaf first. Required, with its key, unless the service \
                  listens on loopback.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            tls(config).certificate_file = value.path()?;
            Ok(())
        },
        copy: |to, from| match (&mut to.tls, &from.tls) {
            (Some(to), Some(from)) => to.certificate_file.clone_from(&from.certificate_file),
            (to, from) => to.clone_from(from),
        },
    },
    Key {
        name: "tls.key_file",
        default: "none",
        values: "path",
        meaning: "Private key of the certificate, PEM.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            tls(config).key_file = value.path()?;
            Ok(())
        },
        copy: |to, from| match (&mut to.tls, &from.tls) {
            (Some(to), Some(from)) => to.key_file.clone_from(&from.key_file),
            (to, from) => to.clone_from(from),
        },
    },
    Key {
        name: "store.directory",
        default: "countersign-data",
        values: "path",
        meaning: "Directory of the database, made at first start with mode 0700.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.store.directory = value.path()?;
            Ok(())
        },
        copy: |to, from| to.store.directory.clone_from(&from.store.directory),
    },
    Key {
        name: "store.key_file",
        default: "`store.directory` with `.key` appended",
        values: "path",
        meaning: "The key that encrypts the service's keys: 32 bytes, base64url. Made at first \
                  start with mode 0600. Must lie outside of `store.directory`.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.store.key_file = Some(value.path()?);
            Ok(())
        },
        copy: |to, from| to.store.key_file.clone_from(&from.store.key_file),
    },
    Key {
        name: "store.key_credential",
        default: "none",
        values: "name",
        meaning: "Instead of `store.key_file`: the credential of systemd (`LoadCredential=`) that \
                  holds the key. Never made by the service.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let expected = "a credential's name: letters, digits, `.`, `_` and `-`";
            let is_name = |text: &String| {
                let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                !text.starts_with('.') && text.chars().all(plain)
            };
            let name = value.text().ok().filter(is_name);
            config.store.key_credential = Some(name.ok_or_else(|| expected.to_owned())?);
            Ok(())
        },
        copy: |to, from| {
            let said = &from.store.key_credential;
            to.store.key_credential.clone_from(said);
        },
    },
    Key {
        name: "store.key_command",
        default: "none",
        values: "list: program, arguments",
        meaning: "Instead of `store.key_file`: a program that has the key, and encrypts and \
                  decrypts what it is given, a line each. See keys-at-rest.md.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let command =
                value.list("a program and its arguments", |text| Some(text.to_owned()))?;
            if command
                .first()
                .is_none_or(|program| program.trim().is_empty())
            {
                return Err("a list of a program and its arguments".to_owned());
            }
            config.store.key_command = command;
            Ok(())
        },
        copy: |to, from| to.store.key_command.clone_from(&from.store.key_command),
    },
    Key {
        name: "store.cache_mib",
        default: "1024",
        values: "1 to 65536",
        meaning: "The most memory for the database's cache, in MiB. It fills with the records that are used: some 1 KiB for a family, a few MiB in a small store.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.store.cache_mib = value.count(&(1..=65_536))?;
            Ok(())
        },
        copy: |to, from| to.store.cache_mib = from.store.cache_mib,
    },
    Key {
        name: "admin.socket",
        default: "`admin.sock` in `store.directory`",
        values: "path",
        meaning: "Unix socket of the admin services, mode 0600.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.admin.socket = Some(value.path()?);
            Ok(())
        },
        copy: |to, from| to.admin.socket.clone_from(&from.admin.socket),
    },
    Key {
        name: "admin.allowed_uids",
        default: "root and the service's own",
        values: "list of numbers",
        meaning: "Accounts that may use the admin socket, by number. Its mode lets in root and the \
                  service's own account, so a list can only leave out one of the two.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.admin.allowed_uids = value.list("account numbers", |text| text.parse().ok())?;
            Ok(())
        },
        copy: |to, from| to.admin.allowed_uids.clone_from(&from.admin.allowed_uids),
    },
    Key {
        name: "tokens.access_token_secs",
        default: "300",
        values: "1 to 900",
        meaning: "Lifetime of access tokens for resources that name none of their own.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.tokens.access_token = value.secs(&(1..=900))?;
            Ok(())
        },
        copy: |to, from| to.tokens.access_token = from.tokens.access_token,
    },
    Key {
        name: "tokens.authorization_code_secs",
        default: "60",
        values: "1 to 60",
        meaning: "Lifetime of authorization codes.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.tokens.authorization_code = value.secs(&(1..=60))?;
            Ok(())
        },
        copy: |to, from| to.tokens.authorization_code = from.tokens.authorization_code,
    },
    Key {
        name: "tokens.authorization_request_secs",
        default: "600",
        values: "1 to 600",
        meaning: "How long a person has to decide a pushed authorization request.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.tokens.authorization_request = value.secs(&(1..=600))?;
            Ok(())
        },
        copy: |to, from| to.tokens.authorization_request = from.tokens.authorization_request,
    },
    Key {
        name: "tokens.refresh_idle_secs",
        default: "604800",
        values: "1 to 31536000",
        meaning: "A refresh token that is not used for so long is dead.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.tokens.refresh_idle = value.secs(&(1..=31_536_000))?;
            Ok(())
        },
        copy: |to, from| to.tokens.refresh_idle = from.tokens.refresh_idle,
    },
    Key {
        name: "tokens.refresh_absolute_secs",
        default: "2592000",
        values: "1 to 31536000",
        meaning: "How long refresh tokens can be rotated in all.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.tokens.refresh_absolute = value.secs(&(1..=31_536_000))?;
            Ok(())
        },
        copy: |to, from| to.tokens.refresh_absolute = from.tokens.refresh_absolute,
    },
    Key {
        name: "tokens.refresh_retry_secs",
        default: "10",
        values: "0 to 60",
        meaning: "How long after a rotation the same refresh token gets the same successor again.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.tokens.refresh_retry = value.secs(&(0..=60))?;
            Ok(())
        },
        copy: |to, from| to.tokens.refresh_retry = from.tokens.refresh_retry,
    },
    Key {
        name: "proofs.age_secs",
        default: "60",
        values: "1 to 300",
        meaning: "How old a DPoP proof may be.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.proofs.age = value.secs(&(1..=300))?;
            Ok(())
        },
        copy: |to, from| to.proofs.age = from.proofs.age,
    },
    Key {
        name: "proofs.skew_secs",
        default: "10",
        values: "0 to 60",
        meaning: "How far ahead of the service's clock a DPoP proof may be.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.proofs.skew = value.secs(&(0..=60))?;
            Ok(())
        },
        copy: |to, from| to.proofs.skew = from.proofs.skew,
    },
    Key {
        name: "proofs.algorithms",
        default: "ES256, Ed25519",
        values: "of ES256, Ed25519, ES384, PS256, RS256",
        meaning: "Algorithms that proofs may be signed with.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let expected = "at least one of ES256, Ed25519, ES384, PS256, RS256";
            config.proofs.algorithms = value.list(expected, Algorithm::parse)?;
            if config.proofs.algorithms.is_empty() {
                return Err(format!("a list of {expected}"));
            }
            Ok(())
        },
        copy: |to, from| to.proofs.algorithms.clone_from(&from.proofs.algorithms),
    },
    Key {
        name: "proofs.nonce",
        default: "when-needed",
        values: "`when-needed` or `always`",
        meaning: "When a proof must carry a nonce of the service: after a start and when the \
                  client's clock is off, or always.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.proofs.nonce_always = value.one_of(&["when-needed", "always"])? == 1;
            Ok(())
        },
        copy: |to, from| to.proofs.nonce_always = from.proofs.nonce_always,
    },
    Key {
        name: "proofs.remembered_max",
        default: "1000000",
        values: "1000 to 100000000",
        meaning: "Spent proofs remembered at once, 28 bytes each. When full, calls are refused.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.proofs.remembered_max = value.count(&(1_000..=100_000_000))?;
            Ok(())
        },
        copy: |to, from| to.proofs.remembered_max = from.proofs.remembered_max,
    },
    Key {
        name: "keys.max_age_secs",
        default: "300",
        values: "1 to 86400",
        meaning: "How long others may keep the key set before they ask again.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.key_set_max_age = value.secs(&(1..=86_400))?;
            Ok(())
        },
        copy: |to, from| to.key_set_max_age = from.key_set_max_age,
    },
    Key {
        name: "keys.signing_rotation_secs",
        default: "2592000",
        values: "0 to 315360000",
        meaning: "After what time the key that signs access tokens is replaced; the old one \
                  verifies until its last token has ended. 0: only by `countersign key rotate`. \
                  Otherwise at least 1020, and a minute more than `keys.max_age_secs`.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            let after = value.secs(&(0..=315_360_000))?;
            config.rotation.signing = (!after.is_zero()).then_some(after);
            Ok(())
        },
        copy: |to, from| to.rotation.signing = from.rotation.signing,
    },
    Key {
        name: "keys.mac_rotation_secs",
        default: "7776000",
        values: "0 to 315360000",
        meaning: "After what time the key that makes refresh tokens, codes and `request_uri`s is \
                  replaced; the old one verifies for as long as a family lives. 0: only by \
                  `countersign key rotate`. Otherwise at least an eighth of \
                  `tokens.refresh_absolute_secs`, and 1020.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            let after = value.secs(&(0..=315_360_000))?;
            config.rotation.mac = (!after.is_zero()).then_some(after);
            Ok(())
        },
        copy: |to, from| to.rotation.mac = from.rotation.mac,
    },
    Key {
        name: "audit.retention_days",
        default: "400",
        values: "0 to 36500",
        meaning: "How long security and administrative events are kept. 0: for ever.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.audit.retention = days(value)?;
            Ok(())
        },
        copy: |to, from| to.audit.retention = from.audit.retention,
    },
    Key {
        name: "audit.issuance_retention_days",
        default: "30",
        values: "0 to 36500",
        meaning: "How long it is kept which tokens were issued by client credentials. 0: for ever.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.audit.issuance = days(value)?;
            Ok(())
        },
        copy: |to, from| to.audit.issuance = from.audit.issuance,
    },
    Key {
        name: "limits.waiting_max",
        default: "32",
        values: "1 to 100000",
        meaning: "Calls that wait for one processor core at once, when it has not kept up for a \
                  moment; further ones are shed. Apart for health, keys, introspection and the \
                  rest.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.waiting_max = value.count(&(1..=100_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.waiting_max = from.limits.waiting_max,
    },
    Key {
        name: "limits.in_flight_max",
        default: "4096",
        values: "1 to 1000000",
        meaning: "Calls taken and not answered yet; further ones are shed. Apart for health, \
                  keys, introspection and the rest.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.in_flight_max = value.count(&(1..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.in_flight_max = from.limits.in_flight_max,
    },
    Key {
        name: "limits.watchers_max",
        default: "10000",
        values: "1 to 1000000",
        meaning: "Guards that watch the key set at once, and as many that watch revocations; further \
                  ones are told to come again, and fetch the key set meanwhile.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.watchers_max = value.count(&(1..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.watchers_max = from.limits.watchers_max,
    },
    Key {
        name: "limits.caller_watchers_max",
        default: "0",
        values: "0 to 1000000",
        meaning: "Watches of revocations of one client, and watches of the key set from one address \
                  (of IPv6, from a network of 64 bits): as many as one service has instances, or as \
                  there are guards behind one proxy. 0: a tenth of `limits.watchers_max`, and at \
                  least 100.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.caller_watchers_max = value.count(&(0..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.caller_watchers_max = from.limits.caller_watchers_max,
    },
    Key {
        name: "limits.client_calls_per_sec",
        default: "2000",
        values: "0 to 1000000",
        meaning: "Calls a second of one client, with bursts of as many; introspection is counted \
                  apart. A client without credentials is counted by its proof's key. 0: any \
                  number.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.client_calls_per_sec = value.count(&(0..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.client_calls_per_sec = from.limits.client_calls_per_sec,
    },
    Key {
        name: "limits.method_calls_per_sec",
        default: "none",
        values: "list, as in IssueToken=5000",
        meaning: "Calls a second of a method, with bursts of as many, whoever calls: only for \
                  methods that nobody may exhaust the machine with.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            let expected = "methods and their calls a second, as in IssueToken=5000";
            let limits = value.list(expected, rate)?;
            let mut names: Vec<_> = limits.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            if names.windows(2).any(|two| two[0] == two[1]) {
                return Err("a list that names each method once".to_owned());
            }
            config.limits.method_calls_per_sec = limits;
            Ok(())
        },
        copy: |to, from| {
            let said = &from.limits.method_calls_per_sec;
            to.limits.method_calls_per_sec.clone_from(said);
        },
    },
    Key {
        name: "stop.notice_secs",
        default: "0",
        values: "0 to 300",
        meaning: "At a stop, how long NOT_SERVING is reported before new connections are refused, \
                  so that a balancer notices.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.stop.notice = value.secs(&(0..=300))?;
            Ok(())
        },
        copy: |to, from| to.stop.notice = from.stop.notice,
    },
    Key {
        name: "stop.drain_secs",
        default: "10",
        values: "0 to 3600",
        meaning: "At a stop, how long calls in flight are waited for.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.stop.drain = value.secs(&(0..=3_600))?;
            Ok(())
        },
        copy: |to, from| to.stop.drain = from.stop.drain,
    },
    Key {
        name: "telemetry.otlp_endpoint",
        default: "none",
        values: "URL",
        meaning: "Collector that traces are sent to, OTLP over gRPC, as in http://127.0.0.1:4317.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let url: url::Url = value.parsed("a URL, as in http://127.0.0.1:4317")?;
            config.telemetry.otlp_endpoint = Some(url.to_string());
            Ok(())
        },
        copy: |to, from| {
            let said = &from.telemetry.otlp_endpoint;
            to.telemetry.otlp_endpoint.clone_from(said);
        },
    },
    Key {
        name: "telemetry.sample_ratio",
        default: "1",
        values: "0 to 1",
        meaning: "Part of the traces begun here that is recorded.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.telemetry.sample_ratio = value.ratio()?;
            Ok(())
        },
        copy: |to, from| to.telemetry.sample_ratio = from.telemetry.sample_ratio,
    },
    Key {
        name: "telemetry.log_filter",
        default: "info",
        values: "as in RUST_LOG",
        meaning: "What is logged.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.telemetry.log_filter = value.text()?;
            Ok(())
        },
        copy: |to, from| {
            let said = &from.telemetry.log_filter;
            to.telemetry.log_filter.clone_from(said);
        },
    },
    Key {
        name: "telemetry.log_format",
        default: "pretty",
        values: "`pretty` or `json`",
        meaning: "Text for people, or one JSON object a line.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.telemetry.log_json = value.one_of(&["pretty", "json"])? == 1;
            Ok(())
        },
        copy: |to, from| to.telemetry.log_json = from.telemetry.log_json,
    },
];

/// A retention; 0 is none.
fn days(value: &Value<'_>) -> Result<Option<Duration>, String> {
    let days: u64 = value.count(&(0..=36_500))?;
    Ok((days > 0).then(|| Duration::from_secs(days * 86_400)))
}

/// `Method=calls per second`.
fn rate(text: &str) -> Option<(String, u32)> {
    let (name, calls) = text.split_once('=')?;
    let name = name.trim();
    overload::is_limitable(name)
        .then(|| calls.trim().parse().ok().filter(|calls| *calls > 0))
        .flatten()
        .map(|calls| (name.to_owned(), calls))
}

fn tls(config: &mut Config) -> &mut Tls {
    config.tls.get_or_insert_with(|| Tls {
        certificate_file: PathBuf::new(),
        key_file: PathBuf::new(),
    })
}
