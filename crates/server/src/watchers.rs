//! How many watch at once, and how many of them one caller may be.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use countersign_issuer::model::ClientId;
use parking_lot::Mutex;

use crate::config::Limits;
use crate::refused::Refused;

/// A guard that finds no place goes by lists until it asks again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Watches of one connection. A process has a guard or two for each service it serves, and all of
/// its guards may share a connection.
const OF_A_CONNECTION: usize = 32;

/// Those who watch keys or revocations: they stay, so they are counted apart from calls.
pub(crate) struct Watchers(Mutex<Places>);

struct Places {
    max: usize,
    /// Of a client, or of an address.
    of_a_caller: usize,
    taken: usize,
    taken_by: HashMap<Sharer, usize>,
}

/// The place of one of them, given back when it is dropped.
pub(crate) struct Watcher {
    watchers: Arc<Watchers>,
    sharers: Vec<Sharer>,
}

/// Whose share of the places a watch takes from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sharer {
    /// Those of one connection, by the peer's address and port.
    Connection(SocketAddr),
    /// Those from one address.
    Address(IpAddr),
    /// Those of one client.
    Client(ClientId),
}

impl Watchers {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Places {
            max: limits.watchers_max as usize,
            of_a_caller: limits.watchers_of_a_caller(),
            taken: 0,
            taken_by: HashMap::new(),
        })))
    }

    /// So many from now on. Those who are here stay.
    pub(crate) fn replace(&self, limits: &Limits) {
        let mut places = self.0.lock();
        places.max = limits.watchers_max as usize;
        places.of_a_caller = limits.watchers_of_a_caller();
    }

    /// One more, if there is a place, and one left of the share of each of these.
    ///
    /// # Errors
    /// [`Refused::Overloaded`] where all places are taken, [`Refused::WatchesTaken`] where one of
    /// these has taken its share.
    pub(crate) fn enter(self: &Arc<Self>, sharers: Vec<Sharer>) -> Result<Watcher, Refused> {
        self.0.lock().take(&sharers)?;
        Ok(Watcher {
            watchers: Arc::clone(self),
            sharers,
        })
    }
}

impl Places {
    fn take(&mut self, sharers: &[Sharer]) -> Result<(), Refused> {
        if self.taken >= self.max {
            return Err(Refused::Overloaded {
                retry_after: RETRY_AFTER,
            });
        }
        for sharer in sharers {
            let most = match sharer {
                Sharer::Connection(_) => OF_A_CONNECTION,
                Sharer::Address(_) | Sharer::Client(_) => self.of_a_caller,
            };
            if self
                .taken_by
                .get(sharer)
                .is_some_and(|taken| *taken >= most)
            {
                return Err(Refused::WatchesTaken { by: sharer.label() });
            }
        }
        self.taken += 1;
        for sharer in sharers {
            *self.taken_by.entry(sharer.clone()).or_default() += 1;
        }
        Ok(())
    }

    fn give_back(&mut self, sharers: &[Sharer]) {
        self.taken -= 1;
        for sharer in sharers {
            if let Some(taken) = self.taken_by.get_mut(sharer) {
                *taken -= 1;
                if *taken == 0 {
                    self.taken_by.remove(sharer);
                }
            }
        }
    }
}

impl Sharer {
    /// Those of a peer that nobody knows. Operators have no address, and share with nobody.
    pub(crate) fn of_peer(peer: Option<SocketAddr>) -> Vec<Self> {
        peer.map_or_else(Vec::new, |peer| {
            vec![Self::Connection(peer), Self::Address(network(peer.ip()))]
        })
    }

    const fn label(&self) -> &'static str {
        match self {
            Self::Connection(_) => "connection",
            Self::Address(_) => "address",
            Self::Client(_) => "client",
        }
    }
}

/// What one peer has of addresses: of IPv6, a network of 64 bits (RFC 6177 §2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watchers.0.lock().give_back(&self.sharers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn limits(watchers_max: u32, caller_watchers_max: u32) -> Limits {
        Limits {
            watchers_max,
            caller_watchers_max,
            ..Config::default().limits
        }
    }

    fn peer(address: &str) -> Vec<Sharer> {
        Sharer::of_peer(Some(address.parse().expect("an address and a port")))
    }

    fn client(name: &str) -> Vec<Sharer> {
        vec![Sharer::Client(ClientId::parse(name).expect("a name"))]
    }

    /// How many find a place before somebody is refused, and why that one is.
    fn fill(watchers: &Arc<Watchers>, sharers: &[Sharer]) -> (Vec<Watcher>, &'static str) {
        let mut here = Vec::new();
        loop {
            match watchers.enter(sharers.to_vec()) {
                Ok(watcher) => here.push(watcher),
                Err(Refused::WatchesTaken { by }) => return (here, by),
                Err(refused) => return (here, refused.label()),
            }
        }
    }

    #[test]
    fn places_are_given_back() {
        let watchers = Watchers::new(&limits(2, 0));
        let first = watchers.enter(client("a")).expect("a place");
        let _second = watchers.enter(client("b")).expect("a place");
        let refused = watchers.enter(client("c"));
        assert!(matches!(refused, Err(Refused::Overloaded { .. })));
        let refused = watchers.enter(client("c"));
        assert!(refused.is_err(), "who was refused holds no place");
        drop(first);
        let _third = watchers.enter(client("c")).expect("its place");
        watchers.replace(&limits(3, 0));
        watchers.enter(client("d")).expect("one more");
    }

    #[test]
    fn a_caller_has_its_share_and_no_other_callers() {
        let watchers = Watchers::new(&limits(100, 7));
        let (mut of_a, why) = fill(&watchers, &client("a"));
        assert_eq!((of_a.len(), why), (7, "client"));
        let (of_b, why) = fill(&watchers, &client("b"));
        assert_eq!((of_b.len(), why), (7, "client"));
        of_a.truncate(4);
        let (again, _) = fill(&watchers, &client("a"));
        assert_eq!(again.len(), 3, "what it gave back");
        watchers.replace(&limits(100, 9));
        let (more, _) = fill(&watchers, &client("a"));
        assert_eq!(more.len(), 2);
        drop((of_a, of_b, again, more));
        let places = watchers.0.lock();
        assert_eq!(
            (places.taken, places.taken_by.len()),
            (0, 0),
            "nothing is left"
        );
    }

    #[test]
    fn strangers_take_their_share_and_leave_the_rest() {
        let watchers = Watchers::new(&limits(10_000, 0));
        let (_one, why) = fill(&watchers, &peer("192.0.2.1:1"));
        assert_eq!((_one.len(), why), (OF_A_CONNECTION, "connection"));
        let (mut all, mut ports) = (Vec::new(), 2..);
        let why = loop {
            let port = ports.next().expect("a port");
            let (here, why) = fill(&watchers, &peer(&format!("192.0.2.1:{port}")));
            all.extend(here);
            if why != "connection" {
                break why;
            }
        };
        assert_eq!((OF_A_CONNECTION + all.len(), why), (1_000, "address"));
        watchers.enter(peer("192.0.2.2:1")).expect("somebody else");
        let operator = Sharer::of_peer(None);
        let (operators, why) = fill(&watchers, &operator);
        assert_eq!((operators.len(), why), (9_000, "overloaded"));
    }

    #[test]
    fn one_peer_is_one_however_it_writes_its_address() {
        for (row, one, other, alike) in [
            ("another port", "192.0.2.1:1", "192.0.2.1:2", true),
            ("mapped", "192.0.2.1:1", "[::ffff:192.0.2.1]:2", true),
            ("another address", "192.0.2.1:1", "192.0.2.2:1", false),
            (
                "the same network",
                "[2001:db8::1]:1",
                "[2001:db8::ffff:2]:1",
                true,
            ),
            (
                "another network",
                "[2001:db8:0:1::1]:1",
                "[2001:db8:0:2::1]:1",
                false,
            ),
        ] {
            let address = |peer: &str| Sharer::of_peer(peer.parse().ok()).pop();
            assert_eq!(address(one) == address(other), alike, "{row}");
        }
    }
}
