//! What is not taken on, so that what is taken on stays fast.
//!
//! A call that arrives when too many wait, or too many are under way, is *shed*: answered at once,
//! with an answer that was prepared beforehand, before anything is verified for it. A method or a
//! client that has had its share of calls a second is *limited*.
//!
//! Health, keys and introspection have lanes of their own: a flood of one kind of call sheds none of
//! another.

mod answers;
mod arrival;
mod lane;
mod load;
mod queue;
mod share;
mod shed;
mod spread;
mod tally;
mod workers;

use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};

use crate::config::Limits;
use answers::Answers;
pub(crate) use lane::is_limitable;
use lane::path_of;
use load::Load;
use share::Share;
pub(crate) use shed::ShedLayer;
use tally::Tally;
use workers::Workers;

/// What all edges and workers of a process share.
pub(crate) struct Overload {
    rules: ArcSwap<Rules>,
    load: Load,
    workers: Workers,
    answers: Answers,
    tally: Tally,
    /// Calls of clients, but for introspection.
    pub(crate) tokens: Share,
    /// Introspection: a busy resource asks for every call that it takes.
    pub(crate) introspections: Share,
}

/// What is configured.
struct Rules {
    waiting_max: usize,
    in_flight_max: usize,
    methods: Vec<(&'static str, DefaultDirectRateLimiter)>,
}

impl Overload {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            rules: ArcSwap::from_pointee(Rules::new(limits)),
            load: Load::default(),
            workers: Workers::default(),
            answers: Answers::prepare(),
            tally: Tally::default(),
            tokens: Share::new(limits.client_calls_per_sec),
            introspections: Share::new(limits.client_calls_per_sec),
        })
    }

    /// Goes by other limits from now on. Shares begin anew where their size changed.
    pub(crate) fn replace(&self, limits: &Limits) {
        self.rules.store(Arc::new(Rules::new(limits)));
        self.tokens.replace(limits.client_calls_per_sec);
        self.introspections.replace(limits.client_calls_per_sec);
    }

    /// The layer that sheds. It belongs outside of everything that costs something.
    pub(crate) fn layer(self: &Arc<Self>) -> ShedLayer {
        ShedLayer(Arc::clone(self))
    }
}

impl Rules {
    fn new(limits: &Limits) -> Self {
        let methods = limits.method_calls_per_sec.iter();
        Self {
            waiting_max: limits.waiting_max as usize,
            in_flight_max: limits.in_flight_max as usize,
            methods: methods
                .filter_map(|(name, calls)| {
                    let quota = Quota::per_second(NonZeroU32::new(*calls)?);
                    Some((path_of(name)?, DefaultDirectRateLimiter::direct(quota)))
                })
                .collect(),
        }
    }

    /// Whether the method has had its share. A method without a limit has not.
    fn is_limited(&self, path: &str) -> bool {
        self.methods
            .iter()
            .find(|(limited, _)| *limited == path)
            .is_some_and(|(_, limiter)| limiter.check().is_err())
    }
}
