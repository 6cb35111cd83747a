//! Kills between two steps of a commit.

use std::path::Path;

use countersign_testkit::service::Service;
use countersign_testkit::work::in_a_runtime;

use crate::dice::Dice;
use crate::shim::Shim;
use crate::traffic::{CONFIGURATION, Traffic};
use crate::{counts, scale};

/// Where it is killed, as orders for the shim, and from how many of these
/// moments one is drawn.
const POINTS: [(&str, &str, u64); 7] = [
    (
        "before a commit is written",
        "kill-before pwrite64 /database/db",
        40,
    ),
    (
        "after a part of it is written",
        "kill-after pwrite64 /database/db",
        40,
    ),
    (
        "before it is handed to the disk",
        "kill-before sync_file_range /database/db",
        40,
    ),
    (
        "before it is synced",
        "kill-before fdatasync /database/db",
        40,
    ),
    (
        "after it is synced",
        "kill-after fdatasync /database/db",
        40,
    ),
    ("before an answer is sent", "kill-before send socket:", 40),
    // Twice a second.
    (
        "before the mark is exchanged",
        "kill-before rename /mark.new",
        2,
    ),
];

/// Killed at every step from the first byte of a commit to its answer, nothing
/// acknowledged is lost and nothing is in between.
pub(crate) fn killed_between_two_steps_it_keeps_its_word(cc: &Path) -> Result<(), String> {
    let mut dice = Dice::new("fail points");
    let shim = Shim::compile(cc)?;
    let terms = shim.terms(CONFIGURATION);
    let mut service = Service::start(&terms)?;
    in_a_runtime(async {
        let traffic = Traffic::begin(&service).await?;
        for (point, orders, most) in POINTS {
            for _ in 0..scale::of(1, 30) {
                let moment = dice.between(1, most);
                let ended = async {
                    shim.order(&format!("{orders} {moment}\n"))?;
                    tokio::task::block_in_place(|| service.ended())
                };
                let (ended, _) = traffic.until(ended).await?;
                // Several threads may come to it before the kill.
                if shim.done()?.is_empty() || ended.code.is_some() {
                    return Err(format!("{point}: not killed there: {ended:?}").into());
                }
                service.restart(&terms)?;
                let held = traffic.holds().await;
                held.map_err(|error| format!("killed {point} ({moment}): {error}"))?;
                counts::add("kills at a fail point", 1);
            }
        }
        traffic.all_holds().await
    })
}
