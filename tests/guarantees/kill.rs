//! `kill -9` at any instant.

use std::time::Duration;

use countersign_testkit::service::{Service, Terms};
use countersign_testkit::work::in_a_runtime;

use crate::dice::Dice;
use crate::traffic::{CONFIGURATION, Traffic};
use crate::{counts, scale};

/// The first acknowledgements come after some milliseconds, and a group of
/// commits takes a few.
const MILLIS: (u64, u64) = (10, 400);

/// Rotations, revocations and registrations all at once, and a kill in the
/// middle of them, over and over: everything acknowledged holds after every
/// restart, and nothing is in between. The audit log tells of all of it, and of
/// no registration that is not there, and its chain is whole.
pub(crate) fn what_was_acknowledged_survives_kill_at_any_instant() -> Result<(), String> {
    let mut dice = Dice::new("kill");
    let terms = Terms {
        configuration: CONFIGURATION.to_owned(),
        ..Terms::default()
    };
    let mut service = Service::start(&terms)?;
    in_a_runtime(async {
        let traffic = Traffic::begin(&service).await?;
        let mut acknowledged = 0;
        for round in 0..scale::of(5, 200) {
            let millis = dice.between(MILLIS.0, MILLIS.1);
            let kill = async {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                service.kill()
            };
            let ((), writes) = traffic.until(kill).await?;
            acknowledged += writes;
            service.restart(&terms)?;
            let held = traffic.holds().await;
            let about = |error| format!("round {round}, killed after {millis} ms: {error}");
            held.map_err(about)?;
            traffic.is_told().await.map_err(about)?;
            service.admin(&["audit", "verify"])?;
            counts::add("kills at a random instant", 1);
        }
        if acknowledged == 0 {
            return Err("nothing was acknowledged before the kills".into());
        }
        traffic.all_holds().await
    })
}
