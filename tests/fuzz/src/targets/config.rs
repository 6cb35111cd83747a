//! `server`: the configuration file.

use countersign_dpop::Origin;
use countersign_server::config::{KEYS, Sources};
use countersign_server::{Config, fuzz};

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match fuzz::config(text) {
        Ok(config) => safe(&config),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    by_variables(text);
}

/// Lines of `KEY=value`, as the environment has them.
fn by_variables(text: &str) {
    let variables: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter_map(|(name, value)| {
            let key = KEYS.iter().find(|key| key.name == name.trim())?;
            Some((key.variable(), value.trim().trim_matches('"').to_owned()))
        })
        .collect();
    if variables.is_empty() {
        return;
    }
    let sources = Sources {
        variables,
        ..Sources::default()
    };
    if let Ok(config) = Config::read(sources) {
        safe(&config);
    }
}

/// Whatever is written in it, an accepted configuration keeps to these.
fn safe(config: &Config) {
    assert_eq!(config.check(), Ok(()));
    assert!(
        config.tls.is_some() || config.listen.address.ip().is_loopback(),
        "in the clear to others"
    );
    for uri in config.issuer.iter().chain(&config.listen.origins) {
        assert!(Origin::parse(uri).is_ok(), "{uri}");
        assert!(countersign_issuer::IssuerName::parse(uri).is_ok(), "{uri}");
    }
    assert!(config.tokens.access_token.as_secs() <= 900);
    assert!(config.tokens.refresh_idle <= config.tokens.refresh_absolute);
    assert!(config.proofs.skew.as_secs() <= 60);
    assert!(!config.proofs.algorithms.is_empty());
    assert!((0.0..=1.0).contains(&config.telemetry.sample_ratio));
}
