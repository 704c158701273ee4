//! TOML 1.0: one document in a text.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Flaw, MAX_DEPTH, one_line};
use crate::sync::definitions::tree::{Key, Node, Position, Value};

pub(super) fn parse(text: &str) -> (Vec<Node>, Vec<Flaw>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let flaw = |error: &toml::de::Error| {
            let at = error.span().map_or(Position::START, |span| Position::of_offset(text, span.start));
            (at, one_line(error.message()))
        };
        return (Vec::new(), errors.iter().map(flaw).collect());
    }
    let mut reading = Reading { text, lines: Lines::of(text), flaws: Vec::new() };
    let root = Node { at: Position::START, value: reading.table(table.get_ref(), 1) };
    (vec![root], reading.flaws)
}

struct Reading<'a> {
    text: &'a str,
    lines: Lines,
    flaws: Vec<Flaw>,
}

impl Reading<'_> {
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Value {
        let mut entries = Vec::new();
        for (key, value) in table {
            let key = Key { at: self.lines.position(self.text, key.span().start), name: key.get_ref().to_string() };
            let node = self.node(value, depth);
            entries.push((key, node));
        }
        // The library orders by name; people read from the top.
        entries.sort_by_key(|(key, _)| key.at);
        Value::Map(entries)
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Node {
        let at = self.lines.position(self.text, value.span().start);
        if depth > MAX_DEPTH {
            self.flaws.push((at, "this is nested too deeply".to_owned()));
            return Node { at, value: Value::Null };
        }
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => {
                let digits = integer.as_str().replace('_', "");
                i64::from_str_radix(&digits, integer.radix()).map_or_else(
                    |_| {
                        self.flaws.push((at, "a whole number beyond 64 bits".to_owned()));
                        Value::Null
                    },
                    Value::Integer,
                )
            }
            DeValue::Float(number) => match number.as_str().replace('_', "").parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Number(number),
                _ => {
                    self.flaws.push((at, "a number that is not finite".to_owned()));
                    Value::Null
                }
            },
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(time) => Value::Text(time.to_string()),
            DeValue::Array(items) => Value::List(items.iter().map(|item| self.node(item, depth + 1)).collect()),
            DeValue::Table(table) => self.table(table, depth + 1),
        };
        Node { at, value }
    }
}

/// Where the lines of a text begin: a place for each of many nodes without reading the text again for each.
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Self { starts: starts.collect() }
    }

    pub(super) fn position(&self, text: &str, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(0, |before| before.chars().count());
        Position { line: line as u64, column: column as u64 + 1 }
    }
}
