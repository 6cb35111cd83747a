//! A thousand clients and a token service that is away, by the rules alone: numbers are drawn from
//! a seed and time is counted, so that each run is the same.

use tonic::Status;

use super::*;
use crate::source::token::renewed_after;

const CLIENTS: usize = 1_000;
const SEEDS: std::ops::Range<u64> = 0..8;
const LIFE: Duration = Duration::from_secs(300);
const BEGUN: UnixTime = UnixTime::from_secs(1_760_000_000);

/// What is drawn (SplitMix64).
struct Drawn(u64);

impl Drawn {
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn away() -> TokenError {
    TokenError::Unavailable(Status::unavailable("away"))
}

/// When each client asks, whose tokens were all issued at the beginning, until it is answered: the
/// token service is away until `back`, and calls are made without a pause. Seconds since the
/// beginning, of the answers.
fn returns(seed: u64, back: Duration) -> Vec<f64> {
    let mut drawn = Drawn(seed);
    let (back, ends_at) = (BEGUN.plus(back), BEGUN.plus(LIFE));
    let returns = (0..CLIENTS).map(|_| {
        let mut pauses = Pauses::default();
        let mut now = BEGUN.plus(renewed_after(LIFE, drawn.fraction()));
        while now < back {
            pauses.failed(&away(), now, ends_at, drawn.fraction());
            // Renewed while it is good; from then on callers ask, unless they are told to wait.
            now = if pauses.renewal_at < ends_at {
                pauses.renewal_at
            } else {
                let told = pauses.told_to_wait.as_ref().map(|(_, until)| *until);
                let asks = told.unwrap_or_default().max(ends_at);
                asks.max(now.plus(Duration::from_millis(1)))
            };
        }
        now.since(BEGUN).as_secs_f64()
    });
    let mut returns = Vec::from_iter(returns);
    returns.sort_by(f64::total_cmp);
    returns
}

/// The most within any second, wherever it begins.
fn most_in_a_second(times: &[f64]) -> usize {
    let within = |from: usize| {
        times[from..]
            .iter()
            .take_while(move |time| **time < times[from] + 1.0)
    };
    (0..times.len())
        .map(|from| within(from).count())
        .max()
        .unwrap_or(0)
}

/// How far the times are from being distributed so, at most (Kolmogorov and Smirnov).
fn apart(times: &[f64], until: impl Fn(f64) -> f64) -> f64 {
    let all = times.len() as f64;
    let apart = times.iter().enumerate().map(|(before, time)| {
        let (expected, before) = (until(*time), before as f64);
        (expected - before / all)
            .abs()
            .max((expected - (before + 1.0) / all).abs())
    });
    apart.fold(0.0, f64::max)
}

/// Of a thousand times, one in a hundred thousand samples is further from its distribution.
const APART_MAX: f64 = 2.47 / 31.62;

/// Of what comes after pauses of `shortest` to twice as long, seen from anywhere between: the part
/// that came within so many seconds.
fn after_pauses(shortest: f64, within: f64) -> f64 {
    let mean = 1.5 * shortest;
    let certain = within.min(shortest);
    let rest = (within.min(2.0 * shortest) - shortest).max(0.0);
    (certain + rest - rest * rest / (2.0 * shortest)) / mean
}

#[test]
fn renewals_are_spread_evenly_over_a_fifth_of_a_life() {
    for seed in SEEDS {
        let times = returns(seed, Duration::ZERO);
        assert!(times[0] >= 90.0 && times[CLIENTS - 1] < 150.0);
        let most = most_in_a_second(&times);
        assert!(most <= 40, "{most} in a second, seed {seed}");
        let apart = apart(&times, |time| (time - 90.0) / 60.0);
        assert!(apart < APART_MAX, "{apart}, seed {seed}");
    }
}

#[test]
fn whoever_has_a_token_still_comes_back_within_half_a_minute_and_evenly() {
    for seed in SEEDS {
        for back in [230, 250, 265] {
            let times = returns(seed, Duration::from_secs(back));
            assert!(times[CLIENTS - 1] <= back as f64 + 30.0);
            let most = most_in_a_second(&times);
            assert!(most <= 80, "{most} in a second after {back} s, seed {seed}");
            let apart = apart(&times, |time| after_pauses(15.0, time - back as f64));
            assert!(apart < APART_MAX, "{apart} after {back} s, seed {seed}");
        }
    }
}

/// At whatever moment: also that in which all tokens end, since they were issued together.
#[test]
fn whoever_has_none_comes_back_within_five_seconds_and_no_third_in_one() {
    for seed in SEEDS {
        for back in [295, 299, 300, 301, 303, 310, 400, 1_000] {
            let times = returns(seed, Duration::from_secs(back));
            assert!(times[CLIENTS - 1] <= back as f64 + 5.0);
            let most = most_in_a_second(&times);
            assert!(
                most <= 333,
                "{most} in a second after {back} s, seed {seed}"
            );
        }
        // Long after, nothing is left of how it began.
        let times = returns(seed, Duration::from_secs(1_000));
        let apart = apart(&times, |time| after_pauses(2.5, time - 1_000.0));
        assert!(apart < APART_MAX, "{apart}, seed {seed}");
    }
}
