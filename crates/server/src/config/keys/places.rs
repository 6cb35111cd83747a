//! Keys that say where the service is: its name, its listeners, its files.

use std::path::PathBuf;

use super::{Key, TakesEffect};
use crate::config::Config;
use crate::config::Tls;
use crate::config::http::{HttpPlace, is_acr_value, is_origin};

pub(super) const KEYS: &[Key] = &[
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
        name: "http.address",
        default: "shared",
        values: "`shared`, `none`, or IP address and port",
        meaning: "Where the HTTP endpoints are: `shared` with gRPC at `listen.address`, told apart \
                  by content type; at an address of their own; or nowhere. See http.md.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let said = value.text().ok();
            config.http.place = said
                .and_then(|text| HttpPlace::parse(&text))
                .ok_or_else(|| {
                    "`shared`, `none`, or an IP address and a port, as in 127.0.0.1:8443".to_owned()
                })?;
            Ok(())
        },
        copy: |to, from| to.http.place = from.http.place,
    },
    Key {
        name: "http.cors_origins",
        default: "none",
        values: "list of origins, or `*`",
        meaning: "Origins whose scripts in browsers may use the HTTP endpoints for tokens, pushed \
                  requests, revocation, metadata and keys.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let expected = "origins as browsers write them, as in https://app.example.com, or *";
            config.http.cors_origins =
                value.list(expected, |text| is_origin(text).then(|| text.to_owned()))?;
            Ok(())
        },
        copy: |to, from| to.http.cors_origins.clone_from(&from.http.cors_origins),
    },
    Key {
        name: "http.login_url",
        default: "`/login` below the issuer with `login.serve`, else none",
        values: "URL",
        meaning: "The login application that `/authorize` sends browsers to. Without it there is no \
                  `/authorize`.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.http.login_url = Some(value.text()?);
            Ok(())
        },
        copy: |to, from| to.http.login_url.clone_from(&from.http.login_url),
    },
    Key {
        name: "http.login_acr_values",
        default: "none",
        values: "list of texts",
        meaning: "How people can log in at `http.login_url`, in the words of `acr_values`: what the \
                  metadata say (RFC 9470 §7). The application that `login.serve` serves has `pwd`.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let expected = "texts of at most 255 bytes without spaces";
            config.http.login_acr_values =
                value.list(expected, |text| is_acr_value(text).then(|| text.to_owned()))?;
            Ok(())
        },
        copy: |to, from| {
            let values = &from.http.login_acr_values;
            to.http.login_acr_values.clone_from(values);
        },
    },
    Key {
        name: "http.list_scopes",
        default: "no",
        values: "`no` or `yes`",
        meaning: "Whether the metadata list the scopes of all resources (`scopes_supported`, RFC \
                  8414), for anybody to read. Those of the service's own interface are never listed.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.http.list_scopes = value.one_of(&["no", "yes"])? == 1;
            Ok(())
        },
        copy: |to, from| to.http.list_scopes = from.http.list_scopes,
    },
    Key {
        name: "http.only_pushed",
        default: "no",
        values: "`no` or `yes`",
        meaning: "Whether `/authorize` takes only requests that were pushed (RFC 9126), of all \
                  clients; otherwise it is as each of them is registered.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.http.only_pushed = value.one_of(&["no", "yes"])? == 1;
            Ok(())
        },
        copy: |to, from| to.http.only_pushed = from.http.only_pushed,
    },
    Key {
        name: "login.serve",
        default: "no",
        values: "`no` or `yes`",
        meaning: "Serve the login application too, below the issuer at `/login`. See login.md.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.login.serve = value.one_of(&["no", "yes"])? == 1;
            Ok(())
        },
        copy: |to, from| to.login.serve = from.login.serve,
    },
    Key {
        name: "login.behind_proxy",
        default: "no",
        values: "`no` or `yes`",
        meaning: "A proxy stands in front and ends `X-Forwarded-For` with the address that it was \
                  connected to from: wrong passwords are counted by that, and over HTTP what \
                  limits.public_requests_per_min bounds. Not at mtls.address, where a proxy cannot \
                  read what is sent.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.login.behind_proxy = value.one_of(&["no", "yes"])? == 1;
            Ok(())
        },
        copy: |to, from| to.login.behind_proxy = from.login.behind_proxy,
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
        name: "tls.client_authorities_file",
        default: "none",
        values: "path",
        meaning: "Certificate authorities, PEM, whose certificates clients may authenticate by at \
                  `mtls.address` (`tls_client_auth`). Without it, only certificates that clients \
                  are registered with count. See mtls.md.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            tls(config).client_authorities_file = Some(value.path()?);
            Ok(())
        },
        copy: |to, from| match (&mut to.tls, &from.tls) {
            (Some(to), Some(from)) => to
                .client_authorities_file
                .clone_from(&from.client_authorities_file),
            (to, from) => to.clone_from(from),
        },
    },
    Key {
        name: "mtls.address",
        default: "none",
        values: "IP address and port",
        meaning: "Where clients are asked for certificates (RFC 8705), over gRPC and HTTP: an address \
                  of its own, so that browsers never are. What they go to (`/authorize`, `/device`, \
                  `/login`, keys and metadata) is not there. Needs TLS. Without it nobody is asked. \
                  See mtls.md.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let expected = "an IP address and a port, as in 127.0.0.1:7444";
            config.mtls.address = Some(value.parsed(expected)?);
            Ok(())
        },
        copy: |to, from| to.mtls.address = from.mtls.address,
    },
    Key {
        name: "mtls.url",
        default: "https:// and `mtls.address`",
        values: "URL without path",
        meaning: "The URL that clients reach `mtls.address` by: that of the endpoints in \
                  `mtls_endpoint_aliases`, and what a proof names. Required unless the address is a \
                  loopback address.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.mtls.url = Some(value.text()?);
            Ok(())
        },
        copy: |to, from| to.mtls.url.clone_from(&from.mtls.url),
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
];

fn tls(config: &mut Config) -> &mut Tls {
    config.tls.get_or_insert_with(|| Tls {
        certificate_file: PathBuf::new(),
        key_file: PathBuf::new(),
        client_authorities_file: None,
    })
}
