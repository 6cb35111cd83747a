//! Which sizes are measured, and how often.

/// Tokens that a guard remembers at most, as `countersign_guard` has it.
pub(super) const REMEMBERED_MAX: u64 = 32_768;

/// Sizes, smallest first, and how often each is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Families in the store.
    pub families: Vec<u64>,
    /// Clients in the store.
    pub clients: Vec<u64>,
    /// Spent proofs in a guard's ledger, besides those that the calls spend.
    pub spent: Vec<u64>,
    /// Tokens that a guard has seen.
    pub tokens: Vec<u64>,
    /// Connections, all of them with calls.
    pub connections: Vec<u64>,
    /// Rounds; each measures every size once.
    pub rounds: usize,
    /// Calls of one stream in a round.
    pub calls: usize,
    /// How often the start with the most families is timed.
    pub starts: usize,
    /// The janitor at work.
    pub sweep: Sweep,
}

/// Rotations while the janitor sweeps.
#[derive(Copy, Clone, Debug)]
pub struct Sweep {
    /// Expired families that it finds.
    pub expired: u64,
    /// Rotations a second, timed from when they were due: some part of what the service can do.
    pub per_sec: f64,
    /// For so many seconds.
    pub secs: u64,
    /// With and without, so often.
    pub rounds: usize,
}

impl Plan {
    /// Up to the sizes that the goals name.
    pub fn full() -> Self {
        Self {
            families: vec![1, 100, 10_000, 1_000_000],
            clients: vec![1, 100, 10_000],
            spent: vec![1, 10_000, 1_000_000],
            tokens: vec![1, 64, 10_000, REMEMBERED_MAX, 1_000_000],
            connections: vec![1, 64, 1_000, 5_000],
            rounds: 7,
            calls: 100,
            starts: 3,
            sweep: Sweep {
                expired: 300_000,
                per_sec: 1_000.0,
                secs: 10,
                rounds: 3,
            },
        }
    }

    /// To see that it works.
    pub fn quick() -> Self {
        Self {
            families: vec![1, 100, 10_000],
            clients: vec![1, 100],
            spent: vec![1, 10_000],
            tokens: vec![1, 64, 1_000],
            connections: vec![1, 64, 200],
            rounds: 3,
            calls: 20,
            starts: 1,
            sweep: Sweep {
                expired: 5_000,
                per_sec: 200.0,
                secs: 2,
                rounds: 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_begins_at_one() {
        for plan in [Plan::full(), Plan::quick()] {
            for sizes in [
                &plan.families,
                &plan.clients,
                &plan.spent,
                &plan.tokens,
                &plan.connections,
            ] {
                assert_eq!(sizes.first(), Some(&1));
                assert!(sizes.is_sorted());
            }
        }
    }
}
