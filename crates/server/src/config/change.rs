//! What a configuration that is read again changes while the service runs.

use super::{Config, KEYS, TakesEffect};

/// From the configuration in use to another one.
#[derive(Debug)]
pub(crate) struct Change {
    /// What holds when the change is made: the keys that need a restart are as they were.
    pub(crate) config: Config,
    /// The keys that it changes.
    pub(crate) applied: Vec<&'static str>,
    /// The keys that differ and need a restart.
    pub(crate) waiting: Vec<&'static str>,
}

impl Change {
    /// From what is `in_use` to what was `read`.
    pub(crate) fn between(in_use: &Config, read: &Config) -> Self {
        let mut change = Self {
            config: in_use.clone(),
            applied: Vec::new(),
            waiting: Vec::new(),
        };
        // With or without TLS, a listener is another one.
        let other_listener = in_use.tls.is_some() != read.tls.is_some();
        for key in KEYS {
            let mut changed = in_use.clone();
            (key.copy)(&mut changed, read);
            if changed == *in_use {
                continue;
            }
            match key.takes_effect {
                TakesEffect::Reload if !(other_listener && key.name.starts_with("tls.")) => {
                    (key.copy)(&mut change.config, read);
                    change.applied.push(key.name);
                }
                TakesEffect::Reload | TakesEffect::Restart => change.waiting.push(key.name),
            }
        }
        change
    }
}
