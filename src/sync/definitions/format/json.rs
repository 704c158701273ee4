//! JSON: one document in a text, or a list of them.
//!
//! The library gives each value as the slice of the text that it stands in, so the place of a value is where its slice begins.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::toml::Lines;
use super::{Flaw, MAX_DEPTH, one_line};
use crate::sync::definitions::tree::{Key, Node, Position, Value};

pub(super) fn parse(text: &str) -> (Vec<Node>, Vec<Flaw>) {
    let raw = match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => raw,
        Err(error) => {
            let at = Position { line: (error.line() as u64).max(1), column: (error.column() as u64).max(1) };
            let message = one_line(&error.to_string());
            let message = message.rfind(" at line ").map_or(message.as_str(), |end| &message[..end]);
            return (Vec::new(), vec![(at, message.to_owned())]);
        }
    };
    let mut reading = Reading { text, lines: Lines::of(text), flaws: Vec::new() };
    let root = reading.node(raw, 1);
    let nodes = match root.value {
        Value::List(items) => items,
        value => vec![Node { at: root.at, value }],
    };
    if reading.flaws.is_empty() { (nodes, Vec::new()) } else { (Vec::new(), reading.flaws) }
}

struct Reading<'a> {
    text: &'a str,
    lines: Lines,
    flaws: Vec<Flaw>,
}

impl<'a> Reading<'a> {
    fn offset(&self, raw: &RawValue) -> usize {
        (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    fn node(&mut self, raw: &'a RawValue, depth: usize) -> Node {
        let offset = self.offset(raw);
        let at = self.lines.position(self.text, offset);
        if depth > MAX_DEPTH {
            self.flaws.push((at, "this is nested too deeply".to_owned()));
            return Node { at, value: Value::Null };
        }
        let text = raw.get();
        let value = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str::<Members<'a>>(text).map(|members| self.map(members, depth)),
            Some(b'[') => serde_json::from_str::<Vec<&'a RawValue>>(text)
                .map(|items| Value::List(items.into_iter().map(|item| self.node(item, depth + 1)).collect())),
            _ => serde_json::from_str::<serde_json::Value>(text).map(scalar),
        };
        let value = value.unwrap_or_else(|error| {
            self.flaws.push((at, one_line(&error.to_string())));
            Value::Null
        });
        Node { at, value }
    }

    fn map(&mut self, members: Members<'a>, depth: usize) -> Value {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        for (name, raw) in members.0 {
            let at = self.lines.position(self.text, self.key_offset(self.offset(raw)));
            let node = self.node(raw, depth + 1);
            entries.push((Key { at, name }, node));
        }
        Value::Map(entries)
    }

    /// Where the key before a value begins.
    fn key_offset(&self, value: usize) -> usize {
        let before = self.text.get(..value).unwrap_or_default();
        let Some(closing) = before.trim_end().strip_suffix(':').map(|before| before.trim_end().len()).and_then(|end| end.checked_sub(1))
        else {
            return value;
        };
        let quoted = |at: usize| self.text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        self.text[..closing].match_indices('"').rev().map(|(at, _)| at).find(|at| !quoted(*at)).unwrap_or(value)
    }
}

fn scalar(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::Integer(integer),
            (None, Some(number)) => Value::Number(number),
            (None, None) => Value::Null,
        },
        _ => Value::Null,
    }
}

/// Keys and values in the order of the text, repeated ones included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = access.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
                Ok(Vec::new())
            }
        }
        deserializer.deserialize_map(Pairs).map(Members)
    }
}
