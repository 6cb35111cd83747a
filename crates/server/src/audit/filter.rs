//! Which events somebody wants to see.

#[cfg(test)]
mod tests;

use countersign_jose::UnixTime;

use super::{Told, ToldOutcome};

/// What an event must be like. What is empty or none is not asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// One of these.
    pub events: Vec<String>,
    /// Of this client.
    pub client: String,
    /// Done by this actor.
    pub actor: String,
    /// Done to this object.
    pub object: String,
    /// For this reason.
    pub reason: String,
    /// With this outcome.
    pub outcome: Option<ToldOutcome>,
    /// Not before.
    pub since: Option<UnixTime>,
    /// Before.
    pub until: Option<UnixTime>,
}

impl Filter {
    /// Whether the event is one of those.
    pub fn admits(&self, told: &Told) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        (self.events.is_empty() || self.events.contains(&told.event))
            && is(&self.client, &told.client)
            && is(&self.actor, &told.actor)
            && is(&self.object, &told.object)
            && is(&self.reason, &told.reason)
            && self
                .outcome
                .is_none_or(|wanted| told.outcome == Some(wanted))
            && self.since.is_none_or(|since| told.latest() >= since)
            && self.until.is_none_or(|until| told.at < until)
    }
}
