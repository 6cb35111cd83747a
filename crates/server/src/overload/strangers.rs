//! How many requests people and devices are asked to decide in the name of clients that show nothing:
//! everybody knows their names, and each request is a record that waits for ten minutes.
//!
//! Counted is by where they come from. By client they are not: whoever lodged many in a client's name
//! would keep out everybody who uses it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use countersign_login::Address;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::spread::{Spread, wait};
use crate::refused::Refused;

/// So few addresses are not worth looking through.
const SWEEP_FROM: usize = 64;

/// What was lodged by strangers.
pub(crate) struct Strangers {
    /// None: any number.
    each: ArcSwapOption<Bucket>,
    had: Mutex<Had>,
    spread: Spread,
}

/// Until when each address has to earn what it had.
struct Had {
    until: HashMap<Address, Instant>,
    /// With so many, those who have earned everything are forgotten.
    sweep_at: usize,
}

/// Somebody who may turn out to be one.
pub(crate) struct Visitor<'a> {
    strangers: &'a Strangers,
    from: Address,
    /// A decision that lost a race is made again.
    charged: AtomicBool,
}

impl Strangers {
    /// `per_min` requests a minute from one address; 0: any number.
    pub(super) fn new(per_min: u32) -> Self {
        let strangers = Self {
            each: ArcSwapOption::empty(),
            had: Mutex::new(Had {
                until: HashMap::new(),
                sweep_at: SWEEP_FROM,
            }),
            spread: Spread::default(),
        };
        strangers.replace(per_min);
        strangers
    }

    /// Another number from now on.
    pub(super) fn replace(&self, per_min: u32) {
        let each = (per_min > 0).then(|| Bucket::per_min(per_min).into());
        self.each.store(each);
    }

    /// Somebody comes from there.
    pub(crate) fn visitor(&self, from: Address) -> Visitor<'_> {
        Visitor {
            strangers: self,
            from,
            charged: AtomicBool::new(false),
        }
    }

    fn charge(&self, from: Address) -> Result<(), Refused> {
        let Some(each) = self.each.load().as_deref().copied() else {
            return Ok(());
        };
        let now = Instant::now();
        let mut had = self.had.lock();
        let until = had.until.get(&from).copied();
        let late = each.late(until, now);
        if !late.is_zero() {
            return Err(Refused::Crowd {
                retry_after: wait(self.spread.next(), late),
            });
        }
        had.until.insert(from, each.charged(until, now));
        if had.until.len() >= had.sweep_at {
            had.until.retain(|_, until| *until > now);
            had.sweep_at = (2 * had.until.len()).max(SWEEP_FROM);
        }
        Ok(())
    }
}

impl Visitor<'_> {
    /// It has shown nothing, and is about to have a request written down. Charged before that is
    /// waited for: who takes it back pays for it, too.
    ///
    /// # Errors
    /// When there were too many from there.
    pub(crate) fn lodges(&self) -> Result<(), Refused> {
        if self.charged.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.strangers.charge(self.from)?;
        self.charged.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn from(number: u32) -> Address {
        Address::of(IpAddr::V4(Ipv4Addr::from(number)))
    }

    /// How many of so many requests are let in.
    fn let_in(strangers: &Strangers, number: u32, of: usize) -> usize {
        let one = |_: &usize| strangers.visitor(from(number)).lodges().is_ok();
        (0..of).filter(one).count()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_number_and_earns_it_again() {
        let strangers = Strangers::new(60);
        assert_eq!(let_in(&strangers, 1, 1_000), 60);
        assert_eq!(let_in(&strangers, 2, 1_000), 60, "from elsewhere");
        advance(Duration::from_secs(10)).await;
        assert_eq!(let_in(&strangers, 1, 1_000), 10);
        let Err(Refused::Crowd { retry_after }) = strangers.visitor(from(1)).lodges() else {
            panic!("let in");
        };
        assert!(retry_after >= Duration::from_secs(1), "{retry_after:?}");
        advance(Duration::from_secs(600)).await;
        assert_eq!(let_in(&strangers, 1, 1_000), 60);
        strangers.replace(0);
        assert_eq!(let_in(&strangers, 1, 1_000), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_decided_again_is_charged_once() {
        let strangers = Strangers::new(2);
        let visitor = strangers.visitor(from(1));
        for _ in 0..8 {
            visitor.lodges().expect("the same");
        }
        assert_eq!(let_in(&strangers, 1, 8), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_have_earned_everything_are_forgotten() {
        let strangers = Strangers::new(600);
        for number in 0..10_000 {
            strangers.visitor(from(number)).lodges().expect("one each");
            advance(Duration::from_millis(10)).await;
        }
        assert!(strangers.had.lock().until.len() <= 2 * SWEEP_FROM);
    }
}
