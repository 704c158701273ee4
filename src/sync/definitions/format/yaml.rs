//! YAML 1.2, several documents in a text. `no` is a text, a key stands once, aliases are few: a bomb of them is refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::{Flaw, MAX_DEPTH, one_line};
use crate::sync::definitions::tree::{Key, Node, Position, Value};

/// Most values that aliases may add to a text.
const MAX_REPLAYED: usize = 100_000;
/// Most values in a text.
const MAX_NODES: usize = 1_000_000;

pub(super) fn parse(text: &str) -> (Vec<Node>, Vec<Flaw>) {
    let (mut nodes, mut flaws) = (Vec::new(), Vec::new());
    let mut reader = text.as_bytes();
    for document in serde_saphyr::read_with_options::<_, Node>(&mut reader, options()) {
        match document {
            Ok(node) => nodes.push(node),
            Err(error) => {
                let at = error.location().map_or(Position::START, position);
                flaws.push((at, message(&error)));
            }
        }
    }
    (nodes, flaws)
}

fn options() -> serde_saphyr::Options {
    let aliases = {
        let mut limits = serde_saphyr::options::AliasLimits::default();
        limits.max_total_replayed_events = MAX_REPLAYED;
        limits.max_replay_stack_depth = MAX_DEPTH;
        limits
    };
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: 1_000,
            max_documents: 4_096,
        },
        alias_limits: aliases,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn position(location: Location) -> Position {
    if location == Location::UNKNOWN {
        return Position::START;
    }
    Position { line: location.line().max(1), column: location.column().max(1) }
}

/// What the library says, without the place that stands before it already.
fn message(error: &serde_saphyr::Error) -> String {
    let text = one_line(&error.without_snippet().to_string());
    match text.find(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { at: position(spanned.referenced), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Number(value as f64), Value::Integer))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if value.is_finite() { Ok(Value::Number(value)) } else { Err(E::custom("a number that is not finite")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Node>()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Node>()? {
            let name = match key.value {
                Value::Text(name) => name,
                Value::Bool(value) => value.to_string(),
                Value::Integer(value) => value.to_string(),
                Value::Number(value) => value.to_string(),
                Value::Null => "null".to_owned(),
                Value::List(_) | Value::Map(_) => return Err(A::Error::custom("a key that is no text")),
            };
            entries.push((Key { at: key.at, name }, access.next_value::<Node>()?));
        }
        Ok(Value::Map(entries))
    }
}
