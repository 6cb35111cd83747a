//! What a scope allows, on one word of the command line.

use std::str::FromStr;

use countersign::admin::v1::ScopeDescription;

/// `SCOPE=WORDS`. The scope ends at the first `=`: words may have others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Described {
    scope: String,
    words: String,
}

impl FromStr for Described {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((scope, words)) if !scope.is_empty() && !words.is_empty() => Ok(Self {
                scope: scope.to_owned(),
                words: words.to_owned(),
            }),
            _ => Err("write SCOPE=WORDS, as in orders.read='See your orders'"),
        }
    }
}

impl From<Described> for ScopeDescription {
    fn from(Described { scope, words }: Described) -> Self {
        Self {
            scope,
            description: words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_divides() {
        let read = |text: &str| text.parse::<Described>();
        let described = Described {
            scope: "pay".to_owned(),
            words: "Pay (fee = 0)".to_owned(),
        };
        assert_eq!(read("pay=Pay (fee = 0)"), Ok(described));
        for wrong in ["pay", "=Pay", "pay=", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
