//! Every key of the configuration: its name, its default, what it means, and how it is set.

use std::path::PathBuf;

use countersign_jose::Algorithm;

use super::value::Value;
use super::{Config, Tls, VARIABLE_PREFIX};

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
    pub(super) set: fn(&mut Config, &Value<'_>) -> Result<(), String>,
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
        set: |config, value| {
            config.issuer = Some(value.text()?);
            Ok(())
        },
    },
    Key {
        name: "listen.address",
        default: "127.0.0.1:7443",
        values: "IP address and port",
        meaning: "Where calls are taken. Port 0 takes any free port.",
        set: |config, value| {
            config.listen.address =
                value.parsed("an IP address and a port, as in 127.0.0.1:7443 or [::1]:7443")?;
            Ok(())
        },
    },
    Key {
        name: "listen.origins",
        default: "none",
        values: "list of URLs",
        meaning: "Base URLs, besides the issuer, that clients reach the service by. A proof must \
                  name the issuer or one of these.",
        set: |config, value| {
            config.listen.origins = value.list("URLs", |text| Some(text.to_owned()))?;
            Ok(())
        },
    },
    Key {
        name: "listen.connections_max",
        default: "10000",
        values: "1 to 1000000",
        meaning: "Connections open at once; further ones wait. Never so many that fewer than 128 \
                  file descriptors are left for everything else.",
        set: |config, value| {
            config.listen.connections_max = value.count(&(1..=1_000_000))?;
            Ok(())
        },
    },
    Key {
        name: "tls.certificate_file",
        default: "none",
        values: "path",
        meaning: "Certificate chain, PEM, leaf first. Required, with its key, unless the service \
                  listens on loopback.",
        set: |config, value| {
            tls(config).certificate_file = value.path()?;
            Ok(())
        },
    },
    Key {
        name: "tls.key_file",
        default: "none",
        values: "path",
        meaning: "Private key of the certificate, PEM.",
        set: |config, value| {
            tls(config).key_file = value.path()?;
            Ok(())
        },
    },
    Key {
        name: "store.directory",
        default: "countersign-data",
        values: "path",
        meaning: "Directory of the database, made at first start with mode 0700.",
        set: |config, value| {
            config.store.directory = value.path()?;
            Ok(())
        },
    },
    Key {
        name: "store.key_file",
        default: "`store.directory` with `.key` appended",
        values: "path",
        meaning: "The key that encrypts the service's keys: 32 bytes, base64url. Made at first \
                  start with mode 0600. Must lie outside of `store.directory`.",
        set: |config, value| {
            config.store.key_file = Some(value.path()?);
            Ok(())
        },
    },
    Key {
        name: "store.cache_mib",
        default: "64",
        values: "1 to 65536",
        meaning: "Memory for the database's cache, in MiB.",
        set: |config, value| {
            config.store.cache_mib = value.count(&(1..=65_536))?;
            Ok(())
        },
    },
    Key {
        name: "admin.socket",
        default: "`admin.sock` in `store.directory`",
        values: "path",
        meaning: "Unix socket of the admin services, mode 0600.",
        set: |config, value| {
            config.admin.socket = Some(value.path()?);
            Ok(())
        },
    },
    Key {
        name: "admin.allowed_uids",
        default: "root and the service's own",
        values: "list of numbers",
        meaning: "Accounts that may use the admin socket, by number. Its mode lets in root and the \
                  service's own account, so a list can only leave out one of the two.",
        set: |config, value| {
            config.admin.allowed_uids = value.list("account numbers", |text| text.parse().ok())?;
            Ok(())
        },
    },
    Key {
        name: "tokens.access_token_secs",
        default: "300",
        values: "1 to 900",
        meaning: "Lifetime of access tokens for resources that name none of their own.",
        set: |config, value| {
            config.tokens.access_token = value.secs(&(1..=900))?;
            Ok(())
        },
    },
    Key {
        name: "tokens.authorization_code_secs",
        default: "60",
        values: "1 to 60",
        meaning: "Lifetime of authorization codes.",
        set: |config, value| {
            config.tokens.authorization_code = value.secs(&(1..=60))?;
            Ok(())
        },
    },
    Key {
        name: "tokens.authorization_request_secs",
        default: "600",
        values: "1 to 600",
        meaning: "How long a person has to decide a pushed authorization request.",
        set: |config, value| {
            config.tokens.authorization_request = value.secs(&(1..=600))?;
            Ok(())
        },
    },
    Key {
        name: "tokens.refresh_idle_secs",
        default: "604800",
        values: "1 to 31536000",
        meaning: "A refresh token that is not used for so long is dead.",
        set: |config, value| {
            config.tokens.refresh_idle = value.secs(&(1..=31_536_000))?;
            Ok(())
        },
    },
    Key {
        name: "tokens.refresh_absolute_secs",
        default: "2592000",
        values: "1 to 31536000",
        meaning: "How long refresh tokens can be rotated in all.",
        set: |config, value| {
            config.tokens.refresh_absolute = value.secs(&(1..=31_536_000))?;
            Ok(())
        },
    },
    Key {
        name: "tokens.refresh_retry_secs",
        default: "10",
        values: "0 to 60",
        meaning: "How long after a rotation the same refresh token gets the same successor again.",
        set: |config, value| {
            config.tokens.refresh_retry = value.secs(&(0..=60))?;
            Ok(())
        },
    },
    Key {
        name: "proofs.age_secs",
        default: "60",
        values: "1 to 300",
        meaning: "How old a DPoP proof may be.",
        set: |config, value| {
            config.proofs.age = value.secs(&(1..=300))?;
            Ok(())
        },
    },
    Key {
        name: "proofs.skew_secs",
        default: "10",
        values: "0 to 60",
        meaning: "How far ahead of the service's clock a DPoP proof may be.",
        set: |config, value| {
            config.proofs.skew = value.secs(&(0..=60))?;
            Ok(())
        },
    },
    Key {
        name: "proofs.algorithms",
        default: "ES256, Ed25519",
        values: "of ES256, Ed25519, ES384, PS256, RS256",
        meaning: "Algorithms that proofs may be signed with.",
        set: |config, value| {
            let expected = "at least one of ES256, Ed25519, ES384, PS256, RS256";
            config.proofs.algorithms = value.list(expected, Algorithm::parse)?;
            if config.proofs.algorithms.is_empty() {
                return Err(format!("a list of {expected}"));
            }
            Ok(())
        },
    },
    Key {
        name: "proofs.nonce",
        default: "when-needed",
        values: "`when-needed` or `always`",
        meaning: "When a proof must carry a nonce of the service: after a start and when the \
                  client's clock is off, or always.",
        set: |config, value| {
            config.proofs.nonce_always = value.one_of(&["when-needed", "always"])? == 1;
            Ok(())
        },
    },
    Key {
        name: "proofs.remembered_max",
        default: "1000000",
        values: "1000 to 100000000",
        meaning: "Spent proofs remembered at once, 28 bytes each. When full, calls are refused.",
        set: |config, value| {
            config.proofs.remembered_max = value.count(&(1_000..=100_000_000))?;
            Ok(())
        },
    },
    Key {
        name: "keys.max_age_secs",
        default: "300",
        values: "1 to 86400",
        meaning: "How long others may keep the key set before they ask again.",
        set: |config, value| {
            config.key_set_max_age = value.secs(&(1..=86_400))?;
            Ok(())
        },
    },
    Key {
        name: "stop.notice_secs",
        default: "0",
        values: "0 to 300",
        meaning: "At a stop, how long NOT_SERVING is reported before new connections are refused, \
                  so that a balancer notices.",
        set: |config, value| {
            config.stop.notice = value.secs(&(0..=300))?;
            Ok(())
        },
    },
    Key {
        name: "stop.drain_secs",
        default: "10",
        values: "0 to 3600",
        meaning: "At a stop, how long calls in flight are waited for.",
        set: |config, value| {
            config.stop.drain = value.secs(&(0..=3_600))?;
            Ok(())
        },
    },
    Key {
        name: "telemetry.otlp_endpoint",
        default: "none",
        values: "URL",
        meaning: "Collector that traces are sent to, OTLP over gRPC, as in http://127.0.0.1:4317.",
        set: |config, value| {
            let url: url::Url = value.parsed("a URL, as in http://127.0.0.1:4317")?;
            config.telemetry.otlp_endpoint = Some(url.to_string());
            Ok(())
        },
    },
    Key {
        name: "telemetry.sample_ratio",
        default: "1",
        values: "0 to 1",
        meaning: "Part of the traces begun here that is recorded.",
        set: |config, value| {
            config.telemetry.sample_ratio = value.ratio()?;
            Ok(())
        },
    },
    Key {
        name: "telemetry.log_filter",
        default: "info",
        values: "as in RUST_LOG",
        meaning: "What is logged.",
        set: |config, value| {
            config.telemetry.log_filter = value.text()?;
            Ok(())
        },
    },
    Key {
        name: "telemetry.log_format",
        default: "pretty",
        values: "`pretty` or `json`",
        meaning: "Text for people, or one JSON object a line.",
        set: |config, value| {
            config.telemetry.log_json = value.one_of(&["pretty", "json"])? == 1;
            Ok(())
        },
    },
];

fn tls(config: &mut Config) -> &mut Tls {
    config.tls.get_or_insert_with(|| Tls {
        certificate_file: PathBuf::new(),
        key_file: PathBuf::new(),
    })
}
