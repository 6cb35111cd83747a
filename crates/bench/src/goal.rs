//! Figures that have a goal, and whether they reach it.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

/// Where a figure should be.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Bound {
    /// Below it, or there.
    AtMost(f64),
    /// Above it, or there.
    AtLeast(f64),
}

impl Bound {
    /// The figure that is just where it should be.
    pub fn value(self) -> f64 {
        match self {
            Self::AtMost(bound) | Self::AtLeast(bound) => bound,
        }
    }
}

/// A figure and its goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What was measured.
    pub name: String,
    /// What came out; not a number where nothing could be measured, which reaches no goal.
    pub figure: f64,
    /// What both figures are in: `×`, `ms`, `%`.
    pub unit: &'static str,
    /// Where it should be.
    pub bound: Bound,
}

impl Goal {
    /// A figure that should not be above `most`.
    pub fn at_most(name: impl Into<String>, figure: f64, most: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            figure,
            unit,
            bound: Bound::AtMost(most),
        }
    }

    /// A figure that should not be below `least`.
    pub fn at_least(name: impl Into<String>, figure: f64, least: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            figure,
            unit,
            bound: Bound::AtLeast(least),
        }
    }

    /// Whether the figure is where it should be.
    pub fn met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.figure <= most,
            Bound::AtLeast(least) => self.figure >= least,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, bound) = match self.bound {
            Bound::AtMost(bound) => ("at most", bound),
            Bound::AtLeast(bound) => ("at least", bound),
        };
        let met = if self.met() { "met" } else { "MISSED" };
        let Self {
            name, figure, unit, ..
        } = self;
        write!(
            f,
            "{met:<6}  {name}: {figure:.2} {unit} (goal: {word} {bound} {unit})"
        )
    }
}

impl Serialize for Goal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Goal", 6)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("figure", &self.figure)?;
        fields.serialize_field("unit", self.unit)?;
        let (at_most, at_least) = match self.bound {
            Bound::AtMost(bound) => (Some(bound), None),
            Bound::AtLeast(bound) => (None, Some(bound)),
        };
        fields.serialize_field("at_most", &at_most)?;
        fields.serialize_field("at_least", &at_least)?;
        fields.serialize_field("met", &self.met())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_on_its_own_side_of_the_bound() {
        for (goal, met) in [
            (Goal::at_most("a", 1.2, 1.2, "×"), true),
            (Goal::at_most("a", 1.201, 1.2, "×"), false),
            (Goal::at_least("a", 80.0, 80.0, "%"), true),
            (Goal::at_least("a", 79.9, 80.0, "%"), false),
        ] {
            assert_eq!(goal.met(), met, "{goal}");
        }
    }

    #[test]
    fn what_could_not_be_measured_reaches_no_goal() {
        assert!(!Goal::at_most("a", f64::NAN, 1.0, "×").met());
        assert!(!Goal::at_least("a", f64::NAN, 1.0, "×").met());
    }

    #[test]
    fn a_missed_goal_says_so() {
        let goal = Goal::at_most("growth", 1.5, 1.2, "×");
        assert_eq!(
            goal.to_string(),
            "MISSED  growth: 1.50 × (goal: at most 1.2 ×)"
        );
    }
}
