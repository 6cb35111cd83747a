//! A guarded call whose token was seen before, against its floor: the same
//! exchange with the same signature verified by hand, and nothing else. And a
//! message of a guarded stream, against the same without a guard.
//!
//! Each server runs on a thread of its own with a current-thread runtime, and
//! what is measured is that thread's processor time, so that neither the client
//! nor the machine's other work counts. Two take turns within one run; only
//! their ratio means something on another machine.
//!
//! ```text
//! cargo bench -p countersign-guard --bench guarded_call                   # all
//! cargo bench -p countersign-guard --bench guarded_call -- guarded_call   # calls
//! cargo bench -p countersign-guard --bench guarded_call -- stream_message # streams
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made has failed, and its figures are its answer"
)]

mod caller;
mod collector;
mod guards;
mod measured;
mod orders;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use tokio::runtime::{self, Runtime};

use self::caller::Caller;
use self::collector::Collector;
use self::guards::Knows;
use self::measured::{Measured, Serves};

/// With fewer, system calls hide what the server does.
const STREAMS: usize = 64;
/// About a second a round.
const CALLS_PER_ROUND: usize = 64 * 100;
const ROUNDS: usize = 9;

fn main() {
    let callers = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let caller = Arc::new(Caller::new());
    if asked_for("stream_message") {
        let bare = Measured::start(&callers, Serves::Bare);
        let issuer = caller.issuer.public().clone();
        let guarded = Measured::start(&callers, Serves::Guarded(issuer, Knows::Keys));
        streams::message(&callers, &caller, &bare, &guarded);
    }
    if asked_for("guarded_call") {
        calls(&callers, &caller);
    }
}

/// Without a name, everything is.
fn asked_for(what: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    names.next().is_none_or(|name| what.contains(&name))
}

fn calls(callers: &Runtime, caller: &Arc<Caller>) {
    let issuer = || caller.issuer.public().clone();
    let floor = Measured::start(callers, Serves::ByHand(caller.public()));
    let by = |knows| Measured::start(callers, Serves::Guarded(issuer(), knows));
    let against_floor = |what: &str, server| ratio(what, callers, caller, &floor, server);

    let guarded = by(Knows::Keys);
    against_floor("guarded call", &guarded);
    let watching = by(Knows::Revocations);
    against_floor(
        "guarded call, 1,000,000 tokens revoked and 100 more every second",
        &watching,
    );
    let asking = by(Knows::RevocationsAndRules);
    against_floor(
        "the same, and the rule asks for scopes, any_scopes, acr_values, max_age and resource",
        &asking,
    );
    // Last: once one thread is traced, spans cost the others a look at their own.
    let (collector, url) = Collector::start(callers);
    let knows = Knows::RevocationsAndRules;
    let traced = Measured::start(callers, Serves::Traced(issuer(), knows, url));
    against_floor("the same, and one trace in a hundred is recorded", &traced);
    let spans = collector.spans(callers);
    println!("{spans} spans had come when the first of them had");

    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("guarded_call");
    for (name, server) in [
        ("floor", &floor),
        ("guard, token seen before", &guarded),
        ("guard, a million revoked", &watching),
        ("guard, a million revoked, a full rule", &asking),
        ("guard, a million revoked, a full rule, traced", &traced),
    ] {
        group.bench_function(name, |bench| {
            bench.iter_custom(|calls| {
                let calls = usize::try_from(calls).unwrap();
                server.measure(callers, caller, calls)
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Takes turns, so that what else the machine does falls on both.
fn ratio(
    what: &str,
    callers: &Runtime,
    caller: &Arc<Caller>,
    floor: &Measured,
    guarded: &Measured,
) {
    let micros = |server: &Measured| {
        let time = server.measure(callers, caller, CALLS_PER_ROUND);
        time.as_secs_f64() * 1e6 / CALLS_PER_ROUND as f64
    };
    let (_, _) = (micros(floor), micros(guarded));
    let mut rounds: Vec<(f64, f64, f64)> = (0..ROUNDS)
        .map(|_| (micros(floor), micros(guarded)))
        .map(|(floor, guarded)| (floor / guarded, floor, guarded))
        .collect();
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, floor, guarded) = rounds[ROUNDS / 2];
    println!(
        "{what}, {STREAMS} streams, processor time of the server's thread, median of {ROUNDS}: \
         floor {floor:.1} µs, guard {guarded:.1} µs, floor ÷ ours {ratio:.3} \
         (from {:.3} to {:.3})",
        rounds[0].0,
        rounds[ROUNDS - 1].0
    );
}
