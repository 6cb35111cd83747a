//! Clocks that jump, ahead and back and back and ahead, while the service is
//! called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use countersign::token::v1::ClientAuthentication;
use countersign_client::clock::Clock as _;
use countersign_client::{Code, Countersign, GuardedChannel, Secret, random};
use countersign_testkit::Problem;
use countersign_testkit::work::in_a_runtime;
use tonic::transport::Channel;

use crate::counts;
use crate::naive::Writes;
use crate::stage::Stage;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A second longer than a code, an access token and an unused refresh token live.
const CODE: Duration = Duration::from_secs(61);
const ACCESS_TOKEN: Duration = Duration::from_secs(301);
const REFRESH_TOKEN: Duration = Duration::from_secs(7 * 24 * 3600 + 1);

const JUMPS: [Duration; 4] = [SECOND.saturating_mul(10), HOUR, DAY, YEAR];

/// What has expired or was spent stays so, whichever way the clock jumps and
/// whether it comes back.
pub(crate) fn a_jump_brings_nothing_back() -> Result<(), String> {
    in_a_runtime(async {
        for by in JUMPS {
            // It jumps back first: what had expired would have time again.
            jumps(by, &[Jump::Back, Jump::Ahead]).await?;
            // It comes back from the time in which everything has expired.
            jumps(by, &[Jump::Ahead, Jump::Back, Jump::Back, Jump::Ahead]).await?;
        }
        Ok(())
    })
}

/// A call takes milliseconds, on the busiest machine seconds.
const FIRST_CALL_SECS_MAX: Duration = Duration::from_secs(30);

#[derive(Copy, Clone, Debug)]
enum Jump {
    Ahead,
    Back,
}

/// What must not be accepted any more.
struct Dead {
    expired: Expired,
    spent: Spent,
}

/// What had its time.
struct Expired {
    shop: Countersign,
    access_token: Secret,
    code: Code,
    refresh_token: Secret,
}

/// What was accepted once, a moment ago.
struct Spent {
    /// Whoever signs, and what was signed.
    assertion: (GuardedChannel, ClientAuthentication),
    proof: (Channel, String),
}

async fn jumps(by: Duration, jumps: &[Jump]) -> Result<(), Problem> {
    let stage = Arc::new(Stage::open(Writes::Conditional).await?);
    let clock = stage.platform.clock();
    // All of it expires within the last second: the smallest jump back would bring it in time.
    let expired = Expired::make(&stage).await?;
    // By its time it would be good for another minute.
    let spent = Spent::make(&stage).await?;
    let dead = Dead { expired, spent };
    let traffic = Traffic::start(&stage).await?;
    // Callers are served, and told that it is dead.
    if stage.is_active(&dead.expired.access_token).await? {
        return Err("the access token did not expire".into());
    }
    dead.is_dead(&stage, "before any jump").await?;
    traffic.flows().await?;
    for (index, jump) in jumps.iter().enumerate() {
        match jump {
            Jump::Ahead => clock.advance(by),
            Jump::Back => clock.turn_back(by),
        }
        let when = format!("{by:?}, {:?}", &jumps[..=index]);
        dead.is_dead(&stage, &when).await?;
        counts::add("jumps of the clock", 1);
    }
    traffic.stop();
    Ok(())
}

impl Expired {
    async fn make(stage: &Stage) -> Result<Self, Problem> {
        let clock = stage.platform.clock();
        let shop = stage.shop(random::bytes()?).await?;
        let refresh_token = stage.sign_in(&shop).await?;
        clock.advance(REFRESH_TOKEN - ACCESS_TOKEN);
        let (access_token, lives) = stage.issued().await?;
        if lives >= ACCESS_TOKEN || !stage.is_active(&access_token).await? {
            return Err("the access token is not one that is to expire".into());
        }
        clock.advance(ACCESS_TOKEN - CODE);
        let code = stage.code(&shop).await?;
        clock.advance(CODE);
        Ok(Self {
            shop,
            access_token,
            code,
            refresh_token,
        })
    }
}

impl Spent {
    async fn make(stage: &Stage) -> Result<Self, Problem> {
        let signing = stage.signing().await?.token_service();
        let now = stage.platform.clock().now();
        let assertion = signing.client().authentication(now)?;
        stage.issue_to(signing.channel(), assertion.clone()).await?;
        let (channel, proof) = stage.proof().await?;
        stage.issue_with(channel.clone(), &proof).await?;
        Ok(Self {
            assertion: (signing.channel(), assertion),
            proof: (channel, proof),
        })
    }
}

impl Dead {
    async fn is_dead(&self, stage: &Stage, when: &str) -> Result<(), Problem> {
        let Self { expired, spent } = self;
        let tokens = expired.shop.token_service();
        // Callers may be kept out altogether until the clock has caught up:
        // that accepts nothing either.
        let active = stage.is_active(&expired.access_token).await;
        let (signs, assertion) = &spent.assertion;
        let (channel, proof) = &spent.proof;
        for (what, accepted) in [
            ("an expired access token", active.is_ok_and(|active| active)),
            (
                "an expired code",
                tokens.redeem(&expired.code, &[], &[]).await.is_ok(),
            ),
            (
                "an expired refresh token",
                tokens
                    .rotate(&expired.refresh_token, &[], &[])
                    .await
                    .is_ok(),
            ),
            (
                "a spent assertion",
                stage
                    .issue_to(signs.clone(), assertion.clone())
                    .await
                    .is_ok(),
            ),
            (
                "a spent proof",
                stage.issue_with(channel.clone(), proof).await.is_ok(),
            ),
        ] {
            if accepted {
                return Err(format!("{what} was accepted ({when})").into());
            }
        }
        Ok(())
    }
}

/// Calls all the while.
struct Traffic {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
}

impl Traffic {
    async fn start(stage: &Arc<Stage>) -> Result<Self, Problem> {
        let traffic = Self {
            stop: Arc::default(),
            acknowledged: Arc::default(),
        };
        let shop = stage.shop(random::bytes()?).await?;
        let mut token = stage.sign_in(&shop).await?;
        let (stop, acknowledged) = (traffic.stop.clone(), traffic.acknowledged.clone());
        tokio::spawn(async move {
            let tokens = shop.token_service();
            while !stop.load(Ordering::SeqCst) {
                // Refused while the clock is behind what was seen.
                if let Ok(issued) = tokens.rotate(&token, &[], &[]).await {
                    token = issued.refresh_token.unwrap_or(token);
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Ok(traffic)
    }

    /// Waits until somebody was served.
    async fn flows(&self) -> Result<(), Problem> {
        let flows = async {
            while self.acknowledged() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let flows = tokio::time::timeout(FIRST_CALL_SECS_MAX, flows).await;
        Ok(flows.map_err(|_| "nobody was served before the jumps")?)
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        counts::add("rotations while the clock jumped", self.acknowledged());
    }
}
