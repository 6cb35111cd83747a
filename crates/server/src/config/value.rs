//! A value from the file or from a variable, read as what its key wants. The error says what would
//! have been right.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A value as it was said.
pub(super) enum Value<'a> {
    /// In the file.
    Toml(&'a toml::Value),
    /// In a variable. Lists are separated by commas.
    Text(String),
}

impl Value<'_> {
    pub(super) fn text(&self) -> Result<String, String> {
        match self {
            Self::Toml(value) => value.as_str().map(str::to_owned),
            Self::Text(text) => Some(text.clone()),
        }
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| "a text that is not empty".to_owned())
    }

    pub(super) fn path(&self) -> Result<PathBuf, String> {
        self.text()
            .map(PathBuf::from)
            .map_err(|_| "a path".to_owned())
    }

    /// A text that `T` can be parsed from; `expected` says what that is.
    pub(super) fn parsed<T: FromStr>(&self, expected: &str) -> Result<T, String> {
        self.text()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| expected.to_owned())
    }

    pub(super) fn count<T>(&self, range: &RangeInclusive<T>) -> Result<T, String>
    where
        T: TryFrom<i64> + FromStr + PartialOrd + Display,
    {
        match self {
            Self::Toml(value) => value.as_integer().and_then(|n| T::try_from(n).ok()),
            Self::Text(text) => text.trim().parse().ok(),
        }
        .filter(|n| range.contains(n))
        .ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
    }

    pub(super) fn secs(&self, range: &RangeInclusive<u64>) -> Result<Duration, String> {
        self.count(range).map(Duration::from_secs).map_err(|_| {
            format!(
                "a whole number of seconds from {} to {}",
                range.start(),
                range.end()
            )
        })
    }

    pub(super) fn ratio(&self) -> Result<f64, String> {
        match self {
            Self::Toml(toml::Value::Integer(0)) => Some(0.0),
            Self::Toml(toml::Value::Integer(1)) => Some(1.0),
            Self::Toml(value) => value.as_float(),
            Self::Text(text) => text.trim().parse().ok(),
        }
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "a number from 0 to 1".to_owned())
    }

    /// One of `words`, by its place. A file may say `no` and `yes` as TOML does.
    pub(super) fn one_of(&self, words: &[&str]) -> Result<usize, String> {
        let said = match self {
            Self::Toml(toml::Value::Boolean(false)) => Ok("no".to_owned()),
            Self::Toml(toml::Value::Boolean(true)) => Ok("yes".to_owned()),
            _ => self.text(),
        };
        said.ok()
            .and_then(|text| words.iter().position(|word| *word == text))
            .ok_or_else(|| {
                let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                quoted.join(" or ")
            })
    }

    /// A list whose every element `parse` accepts; `expected` says what they must be.
    pub(super) fn list<T>(
        &self,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, String> {
        let words: Option<Vec<String>> = match self {
            Self::Toml(value) => value.as_array().and_then(|values| {
                values
                    .iter()
                    .map(|value| match value {
                        toml::Value::String(text) => Some(text.clone()),
                        toml::Value::Integer(n) => Some(n.to_string()),
                        _ => None,
                    })
                    .collect()
            }),
            Self::Text(text) => Some(
                text.split(',')
                    .map(|word| word.trim().to_owned())
                    .filter(|word| !word.is_empty())
                    .collect(),
            ),
        };
        words
            .and_then(|words| words.iter().map(|word| parse(word)).collect())
            .ok_or_else(|| format!("a list of {expected}"))
    }
}
