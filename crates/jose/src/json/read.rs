//! From bytes to [`Value`], on `serde_json`'s tokenizer.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{DEPTH_MAX, JsonError, Number, Object, Value};

pub(super) fn value(bytes: &[u8]) -> Result<Value<'_>, JsonError> {
    // serde's errors carry text alone; the cell carries which of our own rules was broken, so
    // that no message has to be read back.
    let broken = Cell::new(JsonError::Malformed);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Read {
        broken: &broken,
        depth_left: DEPTH_MAX,
    }
    .deserialize(&mut json)
    .map_err(|_| broken.get())?;
    json.end().map_err(|_| JsonError::Malformed)?;
    Ok(value)
}

#[derive(Copy, Clone)]
struct Read<'r> {
    broken: &'r Cell<JsonError>,
    depth_left: usize,
}

impl Read<'_> {
    fn refuse<E: Error>(self, rule: JsonError) -> E {
        self.broken.set(rule);
        E::custom(rule)
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.refuse(JsonError::TooDeep)),
        }
    }

    fn owned_text<'de, E: Error>(self, text: String) -> Result<Cow<'de, str>, E> {
        // Only an escaped string can hold a NUL: raw control characters are not JSON.
        if text.contains('\0') {
            return Err(self.refuse(JsonError::Nul));
        }
        Ok(Cow::Owned(text))
    }
}

impl<'de> DeserializeSeed<'de> for Read<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Read<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Whole(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Negative(number)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Float(number)))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        self.owned_text(text.to_owned()).map(Value::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let deeper = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value<'de>, A::Error> {
        let deeper = self.deeper()?;
        // Claims and headers have a handful of members; eight spare the regrowing. Within them
        // only as much as is there: a list of empty objects must not cost more than its text.
        let mut members = match self.depth_left {
            DEPTH_MAX => Vec::with_capacity(8),
            _ => Vec::new(),
        };
        while let Some(name) = entries.next_key_seed(Name(self))? {
            members.push((name, entries.next_value_seed(deeper)?));
        }
        if has_duplicate(&members) {
            return Err(self.refuse(JsonError::DuplicateMember));
        }
        Ok(Value::Object(Object(members)))
    }
}

fn has_duplicate(members: &[(Cow<'_, str>, Value<'_>)]) -> bool {
    // Pairwise is fastest for few and quadratic for many, which an attacker would send.
    const FEW: usize = 16;
    if members.len() <= FEW {
        return members
            .iter()
            .enumerate()
            .any(|(at, (name, _))| members[..at].iter().any(|(earlier, _)| earlier == name));
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

struct Name<'r>(Read<'r>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        self.0.owned_text(name.to_owned())
    }
}

#[cfg(test)]
mod tests;
