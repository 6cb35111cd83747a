//! Pauses between wrong passwords, which double: for each account and for each address.
//!
//! An attempt is charged before the password is looked at, and given back when it was right, so
//! that of many at once no more are let in than of as many in a row. An account that does not exist
//! has pauses as any other.
//!
//! Both tables have a fixed number of places, found by a hash that nobody outside can work out:
//! a stranger who tries many names fills no memory and drives nobody's count out. Two that share a
//! place share its pauses.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use parking_lot::Mutex;

use crate::address::Address;

/// Places in each table: 24 bytes each.
const PLACES: usize = 1 << 16;

/// Wrong passwords before the first pause: fingers slip.
const FREE: u32 = 3;

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause of an account. Whoever knows a name can hold up its owner for so long, and no
/// longer; he himself gets to try 288 passwords a day.
const ACCOUNT_MAX: Duration = Duration::from_secs(300);

/// An address may stand for a household or a company: its owner has more free attempts, and then
/// longer pauses.
const ADDRESS_FREE: u32 = 20;
const ADDRESS_MAX: Duration = Duration::from_secs(900);

/// What is forgotten after so long without another attempt.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// Who had how many wrong passwords.
pub(crate) struct Throttle {
    accounts: Table,
    addresses: Table,
}

struct Table {
    state: RandomState,
    places: Mutex<Box<[Place]>>,
    free: u32,
    longest: Duration,
}

/// Wrong attempts in a row, and when the last one was, by a clock that never jumps.
#[derive(Copy, Clone, Default)]
struct Place {
    failures: u32,
    last: Duration,
}

/// An attempt, charged as a wrong one.
#[must_use = "an attempt that was right is given back"]
pub(crate) struct Attempt {
    account: usize,
    address: usize,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            accounts: Table::new(FREE, ACCOUNT_MAX),
            addresses: Table::new(ADDRESS_FREE, ADDRESS_MAX),
        }
    }

    /// Lets one password be looked at, or says how long to wait. `account` is what was typed, in
    /// small letters: it need not be the name of an account.
    pub(crate) fn attempt(
        &self,
        account: &str,
        address: Address,
        now: Duration,
    ) -> Result<Attempt, Duration> {
        let attempt = Attempt {
            account: self.accounts.place_of(account),
            address: self.addresses.place_of(address),
        };
        // The lock of one table is held while the other is asked: who is let in is charged in both.
        let mut accounts = self.accounts.places.lock();
        let mut addresses = self.addresses.places.lock();
        let wait = self
            .accounts
            .wait(accounts[attempt.account], now)
            .max(self.addresses.wait(addresses[attempt.address], now));
        if !wait.is_zero() {
            return Err(wait);
        }
        accounts[attempt.account].charge(now);
        addresses[attempt.address].charge(now);
        Ok(attempt)
    }

    /// The password was right: the account begins anew. The address only gets back what it was
    /// charged, or an attacker's own account would wipe out what he does to others.
    pub(crate) fn right(&self, attempt: &Attempt) {
        self.accounts.places.lock()[attempt.account].failures = 0;
        self.give_back_address(attempt);
    }

    /// The password was not looked at.
    pub(crate) fn give_back(&self, attempt: &Attempt) {
        let failures = &mut self.accounts.places.lock()[attempt.account].failures;
        *failures = failures.saturating_sub(1);
        self.give_back_address(attempt);
    }

    fn give_back_address(&self, attempt: &Attempt) {
        let failures = &mut self.addresses.places.lock()[attempt.address].failures;
        *failures = failures.saturating_sub(1);
    }
}

impl Table {
    fn new(free: u32, longest: Duration) -> Self {
        Self {
            state: RandomState::new(),
            places: Mutex::new(vec![Place::default(); PLACES].into_boxed_slice()),
            free,
            longest,
        }
    }

    fn place_of(&self, key: impl Hash) -> usize {
        let hash = self.state.hash_one(key) % PLACES as u64;
        // Below 65536.
        usize::try_from(hash).unwrap_or_default()
    }

    /// How long it is until the next may be tried.
    fn wait(&self, place: Place, now: Duration) -> Duration {
        let since = now.saturating_sub(place.last);
        if since >= FORGOTTEN_AFTER {
            return Duration::ZERO;
        }
        self.pause(place.failures).saturating_sub(since)
    }

    fn pause(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free) else {
            return Duration::ZERO;
        };
        let times = 1u32.checked_shl(doublings.min(31)).unwrap_or(u32::MAX);
        FIRST.saturating_mul(times).min(self.longest)
    }
}

impl Place {
    fn charge(&mut self, now: Duration) {
        if now.saturating_sub(self.last) >= FORGOTTEN_AFTER {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Address {
        Address::of(text.parse().unwrap())
    }

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn the_pauses_of_an_account_double_up_to_the_longest() {
        let throttle = Throttle::new();
        let mut now = DAY;
        for _ in 0..FREE {
            assert!(throttle.attempt("ann", from("192.0.2.1"), now).is_ok());
        }
        for secs in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            // From another address every time.
            let address = from(&format!("198.51.100.{}", secs % 255));
            let pause = Duration::from_secs(secs);
            assert_eq!(throttle.attempt("ann", address, now).err(), Some(pause));
            let early = now + pause - Duration::from_millis(1);
            assert!(throttle.attempt("ann", address, early).is_err());
            now += pause;
            assert!(throttle.attempt("ann", address, now).is_ok(), "{secs}");
        }
        assert!(throttle.attempt("bob", from("192.0.2.1"), now).is_ok());
        assert!(
            throttle
                .attempt("ann", from("192.0.2.1"), now + FORGOTTEN_AFTER)
                .is_ok()
        );
        // From the beginning.
        assert!(
            throttle
                .attempt("ann", from("192.0.2.1"), now + FORGOTTEN_AFTER)
                .is_ok()
        );
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed_down() {
        let throttle = Throttle::new();
        let tried = (0..1_000)
            .filter(|at| {
                let name = format!("name{at}");
                throttle.attempt(&name, from("192.0.2.1"), DAY).is_ok()
            })
            .count();
        assert_eq!(tried, ADDRESS_FREE as usize);
        // One prefix of IPv6 is one address.
        let tried = (0..1_000)
            .filter(|at| {
                let name = format!("other{at}");
                throttle
                    .attempt(&name, from(&format!("2001:db8::{at}")), DAY)
                    .is_ok()
            })
            .count();
        assert_eq!(tried, ADDRESS_FREE as usize);
    }

    #[test]
    fn a_right_password_clears_the_account_and_not_the_address() {
        let throttle = Throttle::new();
        for at in 0..ADDRESS_FREE - 1 {
            let _wrong = throttle.attempt(&format!("n{at}"), from("192.0.2.1"), DAY);
        }
        // The attacker's own account, as often as he likes.
        for _ in 0..100 {
            let own = throttle.attempt("eve", from("192.0.2.1"), DAY).unwrap();
            throttle.right(&own);
        }
        assert!(throttle.attempt("ann", from("192.0.2.1"), DAY).is_ok());
        assert!(throttle.attempt("ann", from("192.0.2.1"), DAY).is_err());
    }

    #[test]
    fn many_at_once_are_no_more_than_in_a_row() {
        let throttle = Throttle::new();
        let let_in: Vec<_> = (0..100)
            .filter_map(|at| {
                let address = from(&format!("203.0.113.{at}"));
                throttle.attempt("ann", address, DAY).ok()
            })
            .collect();
        assert_eq!(let_in.len(), FREE as usize);
        throttle.give_back(&let_in[0]);
        assert!(throttle.attempt("ann", from("192.0.2.9"), DAY).is_ok());
        assert!(throttle.attempt("ann", from("192.0.2.9"), DAY).is_err());
    }
}
