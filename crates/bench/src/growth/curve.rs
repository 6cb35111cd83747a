//! Curves as data: what a call costs at each size, against what it costs at the smallest.

use std::fmt;

use serde::Serialize;

use crate::goal::Goal;
use crate::stats::Spread;

/// What a call may cost at the largest size, in what it costs at the smallest.
pub const GROWTH_MAX: f64 = 1.2;

/// What grows, and what there is to know of its sizes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Axis {
    /// The call and what grows, as in `rotate, by families`.
    pub name: &'static str,
    /// The size that others are measured against. Below it calls come otherwise than above, and
    /// what they cost is shown but not judged.
    pub judged_from: u64,
    /// What the sizes do not say.
    pub note: Option<&'static str>,
}

impl From<&'static str> for Axis {
    fn from(name: &'static str) -> Self {
        Self {
            name,
            judged_from: 0,
            note: None,
        }
    }
}

/// How the cost of one kind of call grows with one thing that there is more and more of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// What grows.
    pub axis: Axis,
    /// By size, smallest first.
    pub points: Vec<Point>,
}

/// One size.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// How many there were.
    pub size: u64,
    /// The server's processor time for one call, in µs: the median of the rounds.
    pub cost_us: f64,
    /// Whether it is compared with the others.
    pub judged: bool,
    /// Cost ÷ cost at the smallest size that is judged, in the same round: the median of the
    /// rounds, so that a machine that gets slower or faster meanwhile counts for nothing.
    pub growth: f64,
    /// The least of these ratios.
    pub growth_least: f64,
    /// The greatest of them.
    pub growth_most: f64,
}

impl Curve {
    /// The curve of some rounds, each of which measured every size once: the cost in µs for each
    /// of `sizes`, in their order, smallest first.
    pub fn of(axis: impl Into<Axis>, sizes: &[u64], rounds: &[Vec<f64>]) -> Self {
        let axis = axis.into();
        let judged = |size: &u64| *size >= axis.judged_from;
        let reference = sizes.iter().position(judged).unwrap_or(0);
        let points = sizes
            .iter()
            .enumerate()
            .filter_map(|(at, size)| point(*size, judged(size), [at, reference], rounds))
            .collect();
        Self { axis, points }
    }

    /// The sizes that are compared.
    pub fn judged(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| point.judged)
    }

    /// The growth at the size, other than the smallest, where it is worst.
    pub fn worst(&self) -> Option<&Point> {
        let larger = self.judged().skip(1);
        larger.max_by(|a, b| a.growth.total_cmp(&b.growth))
    }

    /// Whether it stays below [`GROWTH_MAX`].
    pub fn goal(&self) -> Goal {
        let (first, worst) = (self.judged().next(), self.worst());
        let (from, to) = match (first, worst) {
            (Some(first), Some(worst)) => (first.size, worst.size),
            _ => (0, 0),
        };
        let growth = worst.map_or(f64::NAN, |worst| worst.growth);
        let name = format!("{}, {} → {}", self.axis.name, counted(from), counted(to));
        Goal::at_most(name, growth, GROWTH_MAX, "×")
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<24}", self.axis.name)?;
        for point in &self.points {
            let Point {
                cost_us, growth, ..
            } = point;
            let size = counted(point.size);
            match point.judged {
                true => write!(f, "  {size:>9}: {cost_us:.1} µs {growth:.2} ×")?,
                false => write!(f, "  {size:>9}: {cost_us:.1} µs (not judged)")?,
            }
        }
        match self.axis.note {
            Some(note) => write!(f, "\n{:<26}{note}", ""),
            None => Ok(()),
        }
    }
}

/// A number with its thousands apart: `1,000,000`.
pub(crate) fn counted(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn point(
    size: u64,
    judged: bool,
    [at, reference]: [usize; 2],
    rounds: &[Vec<f64>],
) -> Option<Point> {
    let costs = rounds.iter().filter_map(|round| round.get(at).copied());
    let growths = rounds
        .iter()
        .filter_map(|round| Some(round.get(at)? / round.get(reference)?));
    let growth = Spread::of(growths)?;
    Some(Point {
        size,
        judged,
        cost_us: Spread::of(costs)?.median,
        growth: growth.median,
        growth_least: growth.min,
        growth_most: growth.max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_a_ratio_within_a_round() {
        // The machine became half as fast after the first round.
        let rounds = [vec![10.0, 11.0], vec![20.0, 22.0], vec![20.0, 24.0]];
        let curve = Curve::of("rotate, families", &[1, 100], &rounds);
        let [smallest, largest] = curve.points[..] else {
            panic!("{curve:?}");
        };
        assert!((smallest.growth - 1.0).abs() < 1e-9);
        assert!((largest.growth - 1.1).abs() < 1e-9);
        assert!((largest.growth_most - 1.2).abs() < 1e-9);
        assert!((largest.cost_us - 22.0).abs() < 1e-9);
    }

    #[test]
    fn the_worst_size_decides_even_where_it_is_not_the_largest() {
        let rounds = [vec![10.0, 13.0, 11.0]];
        let goal = Curve::of("rotate, families", &[1, 100, 10_000], &rounds).goal();
        assert!(!goal.met());
        assert_eq!(goal.name, "rotate, families, 1 → 100");
    }

    #[test]
    fn what_gets_cheaper_has_a_growth_below_one() {
        let goal = Curve::of("issue, clients", &[1, 10], &[vec![10.0, 9.0]]).goal();
        assert!(goal.met());
        assert_eq!(goal.name, "issue, clients, 1 → 10");
    }

    #[test]
    fn what_comes_otherwise_is_shown_and_not_judged() {
        let axis = Axis {
            name: "issue, by connections",
            judged_from: 64,
            note: Some("1: all calls in few packets"),
        };
        let curve = Curve::of(axis, &[1, 64, 1_000], &[vec![5.0, 10.0, 11.0]]);
        assert_eq!(curve.goal().name, "issue, by connections, 64 → 1,000");
        assert!(curve.goal().met());
        let text = curve.to_string();
        assert!(text.contains("1: 5.0 µs (not judged)"), "{text}");
        assert!(text.contains("1,000: 11.0 µs 1.10 ×"), "{text}");
        assert!(text.ends_with("all calls in few packets"), "{text}");
    }

    #[test]
    fn a_curve_without_rounds_reaches_no_goal() {
        assert!(!Curve::of("issue, clients", &[1, 10], &[]).goal().met());
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(counted(0), "0");
        assert_eq!(counted(999), "999");
        assert_eq!(counted(1_000), "1,000");
        assert_eq!(counted(1_000_000), "1,000,000");
    }
}
