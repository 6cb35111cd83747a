//! What a client may ask for, on one word of the command line.

use std::str::FromStr;

use countersign::admin::v1::Permission;

/// `RESOURCE=SCOPE,SCOPE`, or the same with spaces between, for the rare
/// resource with `=` in it or scope with a comma.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Allow {
    resource: String,
    scopes: Vec<String>,
}

impl From<Allow> for Permission {
    fn from(allow: Allow) -> Self {
        Self {
            resource: allow.resource,
            scopes: allow.scopes,
        }
    }
}

impl FromStr for Allow {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (resource, scopes): (&str, Vec<&str>) = match words.as_slice() {
            [resource, scopes @ ..] if !scopes.is_empty() => (resource, scopes.to_vec()),
            [word] => {
                let (resource, scopes) = word.split_once('=').ok_or(HOW)?;
                (resource, scopes.split(',').collect())
            }
            _ => return Err(HOW),
        };
        if resource.is_empty() || scopes.iter().any(|scope| scope.is_empty()) {
            return Err(HOW);
        }
        Ok(Self {
            resource: resource.to_owned(),
            scopes: scopes.into_iter().map(str::to_owned).collect(),
        })
    }
}

const HOW: &str = "write RESOURCE=SCOPE,SCOPE, as in https://orders.internal:8443=orders.read";

#[cfg(test)]
mod tests;
