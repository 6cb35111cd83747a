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
mod bucket;
mod guesses;
mod lane;
mod queue;
mod share;
mod shed;
mod spread;
mod strangers;
mod taken;
mod tally;
mod waiting;

use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};

use crate::config::Limits;
use answers::Answers;
pub(crate) use guesses::Guesses;
pub(crate) use lane::is_limitable;
use lane::path_of;
pub(crate) use share::{Share, Visit};
pub(crate) use shed::Seen;
use shed::ShedLayer;
use strangers::Strangers;
pub(crate) use strangers::Visitor;
use taken::Taken;
use tally::Tally;
use waiting::Waiting;

/// Access tokens that a client may revoke one by one, a second. Each is remembered by every guard
/// for sixteen minutes at most, so a client takes up 96,000 of the 4,000,000 places that a guard
/// has. A guard that has none left refuses everybody.
const TOKENS_REVOKED_PER_SEC: u32 = 100;

/// What all edges and workers of a process share.
pub(crate) struct Overload {
    rules: ArcSwap<Rules>,
    taken: Taken,
    waiting: Waiting,
    answers: Answers,
    tally: Tally,
    /// Calls of clients, but for introspection.
    pub(crate) tokens: Share,
    /// Introspection: a busy resource asks for every call that it takes.
    pub(crate) introspections: Share,
    /// Access tokens that clients revoke one by one.
    pub(crate) revoked_tokens: Share,
    /// User codes that were wrong.
    pub(crate) guesses: Guesses,
    /// Requests of clients that show nothing.
    pub(crate) strangers: Strangers,
}

/// What is configured.
struct Rules {
    waiting_max: usize,
    in_flight_max: usize,
    methods: Arc<Methods>,
}

/// What each method may have.
struct Methods {
    calls_per_sec: Vec<(String, u32)>,
    limiters: Vec<(&'static str, DefaultDirectRateLimiter)>,
}

impl Overload {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            rules: ArcSwap::from_pointee(Rules::new(limits, Arc::new(Methods::new(limits)))),
            taken: Taken::default(),
            waiting: Waiting::default(),
            answers: Answers::prepare(),
            tally: Tally::default(),
            tokens: Share::new(limits.client_calls_per_sec),
            introspections: Share::new(limits.client_calls_per_sec),
            revoked_tokens: Share::new(TOKENS_REVOKED_PER_SEC),
            guesses: Guesses::new(limits.wrong_user_codes_per_min),
            strangers: Strangers::new(limits.public_requests_per_min),
        })
    }

    /// Goes by other limits from now on. Where the limits of clients, or those of methods, changed,
    /// they begin anew.
    pub(crate) fn replace(&self, limits: &Limits) {
        let before = Arc::clone(&self.rules.load().methods);
        let methods = match before.calls_per_sec == limits.method_calls_per_sec {
            true => before,
            false => Arc::new(Methods::new(limits)),
        };
        self.rules.store(Arc::new(Rules::new(limits, methods)));
        self.tokens.replace(limits.client_calls_per_sec);
        self.introspections.replace(limits.client_calls_per_sec);
        self.guesses.replace(limits.wrong_user_codes_per_min);
        self.strangers.replace(limits.public_requests_per_min);
    }

    /// The layer that sheds calls of a protocol: of what `seen` sees of those that it takes on. It
    /// belongs outside of everything that costs something.
    pub(crate) fn layer(self: &Arc<Self>, seen: Seen) -> ShedLayer {
        ShedLayer {
            overload: Arc::clone(self),
            seen,
        }
    }
}

impl Rules {
    fn new(limits: &Limits, methods: Arc<Methods>) -> Self {
        Self {
            waiting_max: limits.waiting_max as usize,
            in_flight_max: limits.in_flight_max as usize,
            methods,
        }
    }
}

impl Methods {
    fn new(limits: &Limits) -> Self {
        let calls_per_sec = limits.method_calls_per_sec.iter();
        Self {
            limiters: calls_per_sec
                .filter_map(|(name, calls)| {
                    let quota = Quota::per_second(NonZeroU32::new(*calls)?);
                    Some((path_of(name)?, DefaultDirectRateLimiter::direct(quota)))
                })
                .collect(),
            calls_per_sec: limits.method_calls_per_sec.clone(),
        }
    }

    /// Whether the method has had its share. A method without a limit has not.
    fn is_limited(&self, path: &str) -> bool {
        self.limiters
            .iter()
            .find(|(limited, _)| *limited == path)
            .is_some_and(|(_, limiter)| limiter.check().is_err())
    }
}
