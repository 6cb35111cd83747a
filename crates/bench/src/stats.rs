//! Medians, spreads and percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A value with its spread over the repeats.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Spread {
    /// The value in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// A quarter is below it.
    pub lower: f64,
    /// A quarter is above it.
    pub upper: f64,
}

impl Spread {
    /// Of nothing that could be measured: reaches no goal.
    pub const NONE: Self = Self {
        median: f64::NAN,
        min: f64::NAN,
        max: f64::NAN,
        lower: f64::NAN,
        upper: f64::NAN,
    };

    /// Of all these; `None` where there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        };
        let quarter = (sorted.len() - 1) / 4;
        Some(Self {
            median,
            min,
            max,
            lower: sorted[quarter],
            upper: sorted[sorted.len() - 1 - quarter],
        })
    }

    /// The ratio floor ÷ ours, repeat by repeat: the two sides of one repeat
    /// were measured one after the other, those of two repeats were not.
    pub fn of_ratios(floor: &[f64], ours: &[f64]) -> Option<Self> {
        let pairs = floor.iter().zip(ours);
        Self::of(pairs.map(|(floor, ours)| floor / ours))
    }

    /// What ours has more than the floor, repeat by repeat, for the same reason.
    pub fn of_differences(floor: &[f64], ours: &[f64]) -> Option<Self> {
        let pairs = floor.iter().zip(ours);
        Self::of(pairs.map(|(floor, ours)| ours - floor))
    }
}

/// How long calls took, to three digits.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        // It grows as it must; only more than five digits are refused.
        Self(Histogram::new(3).expect("three digits are not too many"))
    }
}

impl Latencies {
    /// Counts one call.
    pub fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // It grows as it must, up to any number.
        let _ = self.0.record(nanos);
    }

    /// Counts the calls of `other` too.
    pub fn add(&mut self, other: &Self) {
        // Refused only for what a histogram of fixed size cannot hold.
        let _ = self.0.add(&other.0);
    }

    /// How many calls there were.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time, in µs, within which this part of the calls was over; not a number
    /// where there were none, which reaches no goal.
    pub fn micros_at(&self, quantile: f64) -> f64 {
        self.of_any(self.0.value_at_quantile(quantile))
    }

    /// The longest, in µs; not a number where there were none.
    pub fn micros_max(&self) -> f64 {
        self.of_any(self.0.max())
    }

    /// The time, in µs, within which this part of `made` calls was over, all others of them
    /// having taken for ever; not a number where so many were never over.
    pub fn micros_at_of(&self, quantile: f64, made: u64) -> f64 {
        let due = (quantile * made as f64).ceil();
        let over = self.count() as f64;
        match due <= over {
            true => self.micros_at(due / over),
            false => f64::NAN,
        }
    }

    fn of_any(&self, nanos: u64) -> f64 {
        match self.count() {
            0 => f64::NAN,
            _ => nanos as f64 / 1e3,
        }
    }
}

/// When calls are due in an open loop: evenly, whatever became of the earlier
/// ones.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Schedule {
    per_sec: f64,
}

impl Schedule {
    /// So many calls a second; `None` unless it is a positive number.
    pub fn per_sec(rate: f64) -> Option<Self> {
        (rate.is_finite() && rate > 0.0).then_some(Self { per_sec: rate })
    }

    /// When the `nth` call is due, from the start on; the first is number 0.
    pub fn due(self, nth: usize) -> Duration {
        Duration::from_secs_f64(nth as f64 / self.per_sec)
    }

    /// How many calls are due within a span from the start on.
    pub fn calls_within(self, span: Duration) -> usize {
        (span.as_secs_f64() * self.per_sec).ceil() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let check = |values: &[f64], expected: Option<(f64, f64, f64)>| {
            let spread = Spread::of(values.iter().copied());
            let spread = spread.map(|spread| (spread.median, spread.min, spread.max));
            assert_eq!(spread, expected, "{values:?}");
        };
        check(&[], None);
        check(&[3.0], Some((3.0, 3.0, 3.0)));
        check(&[9.0, 1.0], Some((5.0, 1.0, 9.0)));
        check(&[9.0, 1.0, 2.0], Some((2.0, 1.0, 9.0)));
        check(&[4.0, 3.0, 2.0, 1.0], Some((2.5, 1.0, 4.0)));
    }

    #[test]
    fn half_of_the_values_are_between_the_quartiles() {
        let quartiles = |values: &[f64]| {
            let spread = Spread::of(values.iter().copied()).expect("some");
            (spread.lower, spread.upper)
        };
        assert_eq!(quartiles(&[3.0]), (3.0, 3.0));
        assert_eq!(quartiles(&[5.0, 4.0, 3.0, 2.0, 1.0]), (2.0, 4.0));
        assert_eq!(
            quartiles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 99.0]),
            (2.0, 7.0)
        );
    }

    #[test]
    fn ratios_are_those_of_one_repeat() {
        let ratios = Spread::of_ratios(&[50.0, 60.0, 100.0], &[100.0, 60.0, 125.0]);
        let ratios = ratios.expect("three repeats");
        assert_eq!((ratios.median, ratios.min, ratios.max), (0.8, 0.5, 1.0));
        let added = Spread::of_differences(&[50.0, 60.0, 100.0], &[100.0, 60.0, 125.0]);
        let added = added.expect("three repeats");
        assert_eq!((added.median, added.min, added.max), (25.0, 0.0, 50.0));
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let mut latencies = Latencies::default();
        for micros in 1..=1000 {
            latencies.record(Duration::from_micros(micros));
        }
        let check = |quantile, expected: f64| {
            let found = latencies.micros_at(quantile);
            assert!((found / expected - 1.0).abs() < 2e-3, "{found} {expected}");
        };
        check(0.5, 500.0);
        check(0.99, 990.0);
        check(0.999, 999.0);
        assert_eq!(latencies.count(), 1000);
    }

    #[test]
    fn nothing_answered_is_no_time_at_all() {
        let none = Latencies::default();
        assert!(none.micros_at(0.5).is_nan());
        assert!(none.micros_max().is_nan());
        assert!(none.micros_at_of(0.99, 0).is_nan());
    }

    #[test]
    fn calls_that_are_never_over_count_as_the_slowest() {
        let mut latencies = Latencies::default();
        (0..98).for_each(|_| latencies.record(Duration::from_micros(10)));
        latencies.record(Duration::from_micros(1_000));
        let at = |quantile, made| latencies.micros_at_of(quantile, made);
        assert!(at(0.98, 100) < 11.0);
        assert!(at(0.99, 100) > 990.0);
        assert!(at(0.99, 101).is_nan());
    }

    #[test]
    fn latencies_of_rounds_are_counted_together() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        one.record(Duration::from_micros(10));
        other.record(Duration::from_secs(100));
        one.add(&other);
        assert_eq!(one.count(), 2);
        assert!(one.micros_max() > 99e6);
    }

    #[test]
    fn calls_are_due_evenly() {
        let schedule = Schedule::per_sec(4_000.0).expect("a rate");
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_micros(250));
        assert_eq!(schedule.due(4_000), Duration::from_secs(1));
        assert_eq!(schedule.calls_within(Duration::from_millis(500)), 2_000);
        assert_eq!(Schedule::per_sec(0.0), None);
        assert_eq!(Schedule::per_sec(f64::NAN), None);
    }
}
