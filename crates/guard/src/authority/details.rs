//! The authorization details of a token (RFC 9396 §9.1).

use countersign_jose::json::{self, Object, Value};

use crate::refusal::TokenRefusal;

/// What one authorization detail allows (RFC 9396 §2).
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    kind: Box<str>,
    identifier: Option<Box<str>>,
    /// `None`: at every resource of the token.
    locations: Option<Box<[Box<str>]>>,
    members: serde_json::Map<String, serde_json::Value>,
}

impl Detail {
    /// What kind it is of: `type`, which says what its members mean.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The one thing that it is about: `identifier` (RFC 9396 §2.2).
    pub fn identifier(&self) -> Option<&str> {
        self.identifier.as_deref()
    }

    /// Whether it allows this action: `actions` (RFC 9396 §2.2) names it.
    pub fn allows(&self, action: &str) -> bool {
        self.member("actions")
            .and_then(serde_json::Value::as_array)
            .is_some_and(|actions| actions.iter().any(|allowed| allowed == action))
    }

    /// Any member of it.
    pub fn member(&self, name: &str) -> Option<&serde_json::Value> {
        self.members.get(name)
    }

    /// Whether it counts at this resource: `locations` names it, or nothing
    /// (RFC 9396 §2.2, §9).
    pub(crate) fn is_for(&self, resource: &str) -> bool {
        self.locations
            .as_ref()
            .is_none_or(|locations| locations.iter().any(|location| **location == *resource))
    }

    fn read(object: &Object<'_>) -> Result<Self, TokenRefusal> {
        let text = |name: &str| match object.member(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(Box::from(text.as_ref()))),
            Some(_) => Err(TokenRefusal::ClaimMalformed),
        };
        let locations = match object.member("locations") {
            None => None,
            Some(Value::List(values)) => Some(
                values
                    .iter()
                    .map(|value| value.text().map(Into::into))
                    .collect::<Option<_>>()
                    .ok_or(TokenRefusal::ClaimMalformed)?,
            ),
            Some(_) => return Err(TokenRefusal::ClaimMalformed),
        };
        Ok(Self {
            // RFC 9396 §2: the one member that there must be.
            kind: text("type")?.ok_or(TokenRefusal::ClaimMalformed)?,
            identifier: text("identifier")?,
            locations,
            members: object.clone().into_map(),
        })
    }
}

/// RFC 9396 §9.1: an array of objects. What is not understood might have been
/// a limit, so nothing is left out.
pub(super) fn details(payload: &Object<'_>) -> Result<Box<[Detail]>, TokenRefusal> {
    match payload.member("authorization_details") {
        None => Ok(Box::default()),
        Some(Value::List(values)) => listed(values),
        Some(_) => Err(TokenRefusal::ClaimMalformed),
    }
}

/// The same as an introspection has it (RFC 9396 §9.2): as text, which is read as strictly as a
/// claim. An empty one is none.
pub(super) fn told(text: &str) -> Result<Box<[Detail]>, TokenRefusal> {
    if text.is_empty() {
        return Ok(Box::default());
    }
    let values = json::array(text.as_bytes()).map_err(|_| TokenRefusal::ClaimMalformed)?;
    listed(&values)
}

fn listed(values: &[Value<'_>]) -> Result<Box<[Detail]>, TokenRefusal> {
    let detail = |value: &Value<'_>| match value {
        Value::Object(object) => Detail::read(object),
        _ => Err(TokenRefusal::ClaimMalformed),
    };
    values.iter().map(detail).collect()
}
