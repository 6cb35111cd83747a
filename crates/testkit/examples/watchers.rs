//! What it costs the token service that many watch revocations: the processor
//! time of its workers, for the signs of life and for each revocation. Service
//! and watchers are one process, over real sockets; the watchers' own time is not
//! counted.
//!
//! ```text
//! cargo run --release -p countersign-testkit --example watchers [WATCHERS]
//! ```

#![expect(clippy::print_stdout, reason = "its figures are its answer")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign::admin::v1::RevokeTokensRequest;
use countersign::admin::v1::revocation_service_client::RevocationServiceClient as AdminClient;
use countersign::admin::v1::revoke_tokens_request::Target;
use countersign::revocation::v1::WatchRevocationsRequest;
use countersign::revocation::v1::revocation_service_client::RevocationServiceClient;
use countersign_testkit::{Platform, Problem, service_client};
use futures_util::future::try_join_all;
use tokio::time::sleep;

/// As many streams as a client opens on one connection.
const STREAMS: usize = 100;

const REVOCATIONS: usize = 20;
const SILENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let watchers: usize = std::env::args()
        .nth(1)
        .map_or(Ok(10_000), |count| count.parse())?;
    let platform = Platform::start_with(|config| {
        config.limits.watchers_max = u32::try_from(watchers).unwrap_or(u32::MAX);
        config.limits.caller_watchers_max = config.limits.watchers_max;
        config.limits.client_calls_per_sec = 0;
    })
    .await?;
    let issuer = platform.issuer().to_owned();
    let watcher = service_client("watcher", &issuer, &["revocations.watch"]);
    let watcher = platform.register(watcher).await?;
    let watcher = platform.client(&watcher).connect().await?;

    let (before, begun) = (service_time()?, Instant::now());
    let told = Arc::<AtomicUsize>::default();
    for _ in 0..watchers.div_ceil(STREAMS) {
        let channel = watcher
            .channel(&issuer)
            .scopes(["revocations.watch"])
            .connect()
            .await?;
        let opened = (0..STREAMS).map(|_| {
            let mut revocations = RevocationServiceClient::new(channel.clone());
            async move {
                let request = WatchRevocationsRequest::default();
                revocations.watch_revocations(request).await
            }
        });
        for stream in try_join_all(opened).await? {
            let (mut stream, told) = (stream.into_inner(), Arc::clone(&told));
            tokio::spawn(async move {
                while let Ok(Some(word)) = stream.message().await {
                    told.fetch_add(word.revocations.len(), Ordering::Relaxed);
                }
            });
        }
    }
    let opening = service_time()? - before;
    println!(
        "{watchers} watchers: opened in {:.1} s, {:.0} µs of the service each",
        begun.elapsed().as_secs_f64(),
        micros(opening, watchers)
    );

    let before = service_time()?;
    sleep(SILENCE).await;
    let silence = (service_time()? - before).as_secs_f64() / SILENCE.as_secs_f64();
    println!("signs of life: {:.1} % of a core", silence * 100.0);

    let mut admin = AdminClient::new(platform.admin().await?);
    let (before, mut took) = (service_time()?, Vec::new());
    for number in 1..=REVOCATIONS {
        let begun = Instant::now();
        let target = Some(Target::Subject(format!("subject-{number}")));
        admin.revoke_tokens(RevokeTokensRequest { target }).await?;
        while told.load(Ordering::Relaxed) < number * watchers {
            sleep(Duration::from_millis(1)).await;
        }
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let told = service_time()? - before;
    println!(
        "a revocation: all are told after {:.0} ms (median of {REVOCATIONS}, at most {:.0}), \
         {:.1} µs of the service for each watcher",
        took[REVOCATIONS / 2].as_secs_f64() * 1e3,
        took[REVOCATIONS - 1].as_secs_f64() * 1e3,
        micros(told, watchers * REVOCATIONS)
    );
    Ok(())
}

fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// The processor time of the service's workers so far, by their names: to the
/// hundredth of a second.
fn service_time() -> Result<Duration, Problem> {
    let mut ticks = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else {
            continue;
        };
        // `pid (comm) state …`; the 14th and 15th are user and system time.
        let (head, tail) = stat.rsplit_once(')').ok_or("not a stat line")?;
        if head.contains("(worker-") {
            let fields: Vec<&str> = tail.split_whitespace().collect();
            ticks += fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        }
    }
    Ok(Duration::from_millis(ticks * 10))
}
