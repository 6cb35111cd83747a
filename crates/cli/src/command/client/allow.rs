//! What a client may ask for, on one word of the command line.

use std::str::FromStr;

use countersign::admin::v1::Permission;

/// `RESOURCE=SCOPE,SCOPE`, or the same with spaces between, for the rare
/// resource with `=` in it or scope with a comma. In the same way types of
/// authorization details are named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Allow {
    resource: String,
    names: Vec<String>,
}

/// What a client may ask for: scopes and types of authorization details, by resource.
pub(crate) fn permissions(scopes: &[Allow], details_types: &[Allow]) -> Vec<Permission> {
    let mut permissions: Vec<Permission> = scopes
        .iter()
        .map(|allow| Permission {
            resource: allow.resource.clone(),
            scopes: allow.names.clone(),
            details_types: Vec::new(),
        })
        .collect();
    for Allow { resource, names } in details_types {
        let known = permissions
            .iter_mut()
            .find(|permission| permission.resource == *resource);
        match known {
            Some(permission) => permission.details_types.extend(names.iter().cloned()),
            None => permissions.push(Permission {
                resource: resource.clone(),
                scopes: Vec::new(),
                details_types: names.clone(),
            }),
        }
    }
    permissions
}

impl FromStr for Allow {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (resource, names): (&str, Vec<&str>) = match words.as_slice() {
            [resource, names @ ..] if !names.is_empty() => (resource, names.to_vec()),
            [word] => {
                let (resource, names) = word.split_once('=').ok_or(HOW)?;
                (resource, names.split(',').collect())
            }
            _ => return Err(HOW),
        };
        if resource.is_empty() || names.iter().any(|name| name.is_empty()) {
            return Err(HOW);
        }
        Ok(Self {
            resource: resource.to_owned(),
            names: names.into_iter().map(str::to_owned).collect(),
        })
    }
}

const HOW: &str = "write RESOURCE=NAME,NAME, as in https://orders.internal:8443=orders.read";

#[cfg(test)]
mod tests;
