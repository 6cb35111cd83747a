//! A disk that refuses: by injected errors, and by being full.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use countersign_testkit::service::{Ended, Service, Terms, run};
use countersign_testkit::work::in_a_runtime;
use countersign_testkit::{Problem, parts};
use libtest_mimic::Trial;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::dice::Dice;
use crate::shim::Shim;
use crate::traffic::{CONFIGURATION, Traffic};
use crate::{counts, scale};

/// The exit code of a data directory that cannot be used.
const DATA: i32 = 4;

const EIO: (i32, &str) = (5, "Input/output error");
const ENOSPC: (i32, &str) = (28, "No space left on device");

/// What fails, with which error, and whether the short form has it.
const FAILURES: [(&str, (i32, &str), bool); 10] = [
    ("pwrite64 /database/db", ENOSPC, true),
    ("pwrite64 /database/db", EIO, false),
    ("sync_file_range /database/db", EIO, true),
    ("sync_file_range /database/db", ENOSPC, false),
    ("fdatasync /database/db", EIO, true),
    ("fdatasync /database/db", ENOSPC, false),
    ("fsync /mark.new", EIO, true),
    ("fsync /mark.new", ENOSPC, false),
    ("write /mark.new", ENOSPC, false),
    ("rename /mark.new", EIO, false),
];

/// How long what was sent before an error may take to be counted as sent after
/// it: both clocks count whole milliseconds.
const MILLIS_APART: u64 = 2;

/// How long after the mark could not be written something may still be
/// acknowledged: another thread writes it, which has to be heard first.
const MARK_MILLIS_MAX: u64 = 1000;

/// From the moment on that the disk refuses a write or a sync, of the database
/// or of the mark, nothing is acknowledged; health says so, the process ends
/// with its exit code and the reason, and a restart has all that was
/// acknowledged.
pub(crate) fn nothing_is_acknowledged_after_a_failed_write(cc: &Path) -> Result<(), String> {
    let mut dice = Dice::new("errors");
    let shim = Shim::compile(cc)?;
    let terms = shim.terms(CONFIGURATION);
    let mut service = Service::start(&terms)?;
    let full = scale::of(0, 1) == 1;
    in_a_runtime(async {
        let traffic = Traffic::begin(&service).await?;
        for (call, (error, said), short) in FAILURES {
            if !short && !full {
                continue;
            }
            for _ in 0..scale::of(1, 10) {
                let millis = dice.between(10, 400);
                let refuse = || shim.order(&format!("{error} {call} 1\n"));
                let ended = fails(&mut service, &traffic, millis, refuse).await;
                let ended = ended.map_err(|error| format!("{call} fails: {error}"))?;
                let done = shim.done()?;
                let first = done.first().ok_or_else(|| format!("no {call} was met"))?;
                if !ended.said.contains(said) {
                    return Err(format!("{call} fails, without {said}: {ended:?}").into());
                }
                no_later_than(&traffic, first.at_millis, call)?;
                service.restart(&terms)?;
                let held = traffic.holds().await;
                held.map_err(|error| format!("{call} failed: {error}"))?;
                counts::add("injected EIO and ENOSPC", 1);
            }
        }
        traffic.all_holds().await
    })
}

/// The test of a real disk that is full, for whoever may mount one.
pub(crate) fn full() -> Trial {
    let name = "disk::a_full_file_system_loses_nothing";
    match Small::mount() {
        Ok(small) => Trial::test(name, move || {
            a_full_file_system_loses_nothing(&small).map_err(Into::into)
        }),
        Err(error) => {
            let missing = format!("a file system of its own cannot be mounted: {error}");
            parts::without("mount", name, missing)
        }
    }
}

/// The same on a file system that is really full.
fn a_full_file_system_loses_nothing(small: &Small) -> Result<(), String> {
    let terms = Terms {
        configuration: CONFIGURATION.to_owned(),
        data: Some(small.path().join("data")),
        ..Terms::default()
    };
    let mut service = Service::start(&terms)?;
    in_a_runtime(async {
        let traffic = Traffic::begin(&service).await?;
        for _ in 0..scale::of(1, 10) {
            let ended = fails(&mut service, &traffic, 200, || small.fill()).await?;
            if !ended.said.contains(ENOSPC.1) {
                return Err(format!("full, and it does not say so: {ended:?}").into());
            }
            small.make_room()?;
            service.restart(&terms)?;
            traffic.holds().await?;
            counts::add("full file systems", 1);
        }
        traffic.all_holds().await
    })
}

/// Traffic, then `refuse`, and the service ends as it must.
async fn fails(
    service: &mut Service,
    traffic: &Traffic,
    millis: u64,
    mut refuse: impl FnMut() -> Result<(), String>,
) -> Result<Ended, Problem> {
    let channel = Endpoint::from_shared(service.url())?.connect().await?;
    let mut health = HealthClient::new(channel)
        .watch(HealthCheckRequest::default())
        .await?
        .into_inner();
    let watch = tokio::spawn(async move {
        let mut last = None;
        while let Ok(Some(answer)) = health.message().await {
            last = Some(answer.status());
        }
        last
    });
    let ended = async {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        refuse()?;
        tokio::task::block_in_place(|| service.ended())
    };
    let (ended, _) = traffic.until(ended).await?;
    let last = watch.await?;
    if last != Some(ServingStatus::NotServing) {
        return Err(format!("health said {last:?} at last; {ended:?}").into());
    }
    if ended.code != Some(DATA) || !ended.said.contains("the store failed") {
        return Err(format!("it ended with {ended:?}").into());
    }
    Ok(ended)
}

fn no_later_than(traffic: &Traffic, failed_at_millis: u64, call: &str) -> Result<(), Problem> {
    let apart = if call.contains("mark") {
        MARK_MILLIS_MAX
    } else {
        MILLIS_APART
    };
    match traffic.acknowledged_after(failed_at_millis + apart) {
        0 => Ok(()),
        later => Err(format!("{later} writes were acknowledged after {call} had failed").into()),
    }
}

/// A file system in memory, of a size of its own. Gone when dropped.
struct Small(PathBuf);

impl Small {
    /// Room for a database of some segments of 8 MiB.
    const OPTIONS: &str = "size=48m,mode=0700";

    fn mount() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", Self::OPTIONS, "tmpfs"]);
        run(mount.arg(folder.path()))?;
        Ok(Self(folder.keep()))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// Until nothing more fits.
    fn fill(&self) -> Result<(), String> {
        let mut ballast = File::create(self.ballast()).map_err(|error| error.to_string())?;
        // By pages in the end, so that not one is left.
        for bytes in [1024 * 1024, 4096] {
            while ballast.write_all(&vec![1; bytes]).is_ok() {}
        }
        Ok(())
    }

    fn make_room(&self) -> Result<(), String> {
        fs::remove_file(self.ballast()).map_err(|error| error.to_string())
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What cannot be unmounted now goes with the machine.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}
