//! A check, and the naive variant that it must find fault with.

use std::sync::Arc;

use countersign_testkit::Problem;
use countersign_testkit::work::in_a_runtime;
use futures_util::{StreamExt as _, stream};

use crate::counts;
use crate::naive::Writes;
use crate::stage::Stage;

/// Races that are under way at once: two cores are busy, and nobody waits long.
const AT_ONCE: usize = 8;

/// What must not be, in words; nothing when all is as it must be.
pub(super) type Faults = Vec<String>;

/// Runs the check `count` times, without a fault; and then `control` times on a
/// naive store, where it must find one. What goes by the name of `what` is
/// counted, `each` of them a time.
pub(super) fn shown<F>(
    (what, each): (&'static str, usize),
    check: impl Fn(Arc<Stage>, usize) -> F,
    count: usize,
    control: usize,
) -> Result<(), String>
where
    F: Future<Output = Result<Faults, Problem>>,
{
    in_a_runtime(async {
        let stage = Arc::new(Stage::open(Writes::Conditional).await?);
        if let Some(fault) = check(stage, count).await?.first() {
            return Err(fault.clone().into());
        }
        counts::add(what, count * each);
        let naive = Arc::new(Stage::open(Writes::Naive).await?);
        if check(naive, control).await?.is_empty() {
            return Err(
                "the same check finds no fault with a store that reads, then writes".into(),
            );
        }
        Ok(())
    })
}

/// Runs `race` so often, some at once, and collects the faults.
pub(super) async fn many<F>(count: usize, race: impl Fn(usize) -> F) -> Result<Faults, Problem>
where
    F: Future<Output = Result<Faults, Problem>>,
{
    let mut races = stream::iter((0..count).map(race)).buffer_unordered(AT_ONCE);
    let mut faults = Faults::new();
    while let Some(found) = races.next().await {
        faults.extend(found?);
    }
    Ok(faults)
}

/// A fault unless exactly one of so many was done.
pub(super) fn exactly_one(what: &str, done: usize, of: usize) -> Faults {
    match done {
        1 => Faults::new(),
        done => vec![format!("{what}: {done} of {of} were done")],
    }
}
