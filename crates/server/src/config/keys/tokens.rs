//! Keys that say how long things live: tokens, proofs, the service's own keys, the logs of events.

use std::time::Duration;

use countersign_jose::Algorithm;

use super::{Key, TakesEffect};
use crate::config::value::Value;

pub(super) const KEYS: &[Key] = &[
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
        name: "device.code_secs",
        default: "600",
        values: "60 to 1800",
        meaning: "Lifetime of device codes and user codes: how long a person has to find a browser, \
                  log in and decide.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.device.code = value.secs(&(60..=1_800))?;
            Ok(())
        },
        copy: |to, from| to.device.code = from.device.code,
    },
    Key {
        name: "device.interval_secs",
        default: "5",
        values: "1 to 60",
        meaning: "How long a device waits between two questions, to begin with; one that asks sooner \
                  waits 5 s more from then on.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.device.interval = value.secs(&(1..=60))?;
            Ok(())
        },
        copy: |to, from| to.device.interval = from.device.interval,
    },
    Key {
        name: "device.verification_uri",
        default: "`/device` below the issuer",
        values: "URL",
        meaning: "Where people type user codes: a page of the login application.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.device.verification_uri = Some(value.text()?);
            Ok(())
        },
        copy: |to, from| {
            let said = &from.device.verification_uri;
            to.device.verification_uri.clone_from(said);
        },
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
];

/// A retention; 0 is none.
fn days(value: &Value<'_>) -> Result<Option<Duration>, String> {
    let days: u64 = value.count(&(0..=36_500))?;
    Ok((days > 0).then(|| Duration::from_secs(days * 86_400)))
}
