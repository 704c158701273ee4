//! Checks a tree against a JSON Schema and says everything that is wrong with it, each fault with its place.
//!
//! It knows the words of JSON Schema that the generated schema uses and no others; a test fails if the schema has another one.

use std::collections::HashMap;

use regex::Regex;
use serde_json::Value as Json;

use super::format::Flaw;
use super::tree::{Node, Value};
use crate::model::suggest::suggest;

/// Words that are checked, or that only explain.
#[cfg(test)]
const KNOWN_WORDS: [&str; 22] = [
    "anyOf",
    "oneOf",
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "maxProperties",
    "items",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "title",
    "description",
    "format",
    "default",
    "$comment",
];

/// A schema, its patterns compiled.
pub(super) struct Shape {
    schema: &'static Json,
    patterns: HashMap<&'static str, Regex>,
}

impl Shape {
    pub(super) fn new(schema: &'static Json) -> Self {
        let mut shape = Self { schema, patterns: HashMap::new() };
        shape.take_patterns(schema);
        shape
    }

    fn take_patterns(&mut self, schema: &'static Json) {
        match schema {
            Json::Object(members) => {
                if let Some(pattern) = members.get("pattern").and_then(Json::as_str)
                    && let Ok(regex) = Regex::new(pattern)
                {
                    self.patterns.insert(pattern, regex);
                }
                members.values().for_each(|member| self.take_patterns(member));
            }
            Json::Array(items) => items.iter().for_each(|item| self.take_patterns(item)),
            _ => {}
        }
    }

    /// Everything that is wrong with a document.
    pub(super) fn check(&self, node: &Node) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        self.node(node, self.schema, "", &mut flaws);
        flaws
    }

    fn node(&self, node: &Node, schema: &Json, name: &str, flaws: &mut Vec<Flaw>) {
        if let Some(words) = choices(schema) {
            if matches!(node.value, Value::Null) && is_nullable(schema) {
                return;
            }
            return choice(node, &words, name, flaws);
        }
        if let Some(branches) = schema.get("anyOf").and_then(Json::as_array) {
            return match branches.iter().find(|branch| fits(node, branch)) {
                Some(branch) => self.node(node, branch, name, flaws),
                None => flaws.push((node.at, wrong_type(node, name, &branches.iter().flat_map(types).collect::<Vec<_>>()))),
            };
        }
        if !fits(node, schema) {
            flaws.push((node.at, wrong_type(node, name, &types(schema))));
            return;
        }
        match &node.value {
            Value::Map(entries) => self.map(node, entries, schema, name, flaws),
            Value::List(items) => {
                self.bounds(node, schema, ["minItems", "maxItems"], items.len() as f64, &format!("{} items", items.len()), name, flaws);
                if let Some(of_items) = schema.get("items") {
                    items.iter().for_each(|item| self.node(item, of_items, name, flaws));
                }
            }
            Value::Text(text) => {
                let length = text.chars().count();
                self.bounds(node, schema, ["minLength", "maxLength"], length as f64, &format!("{length} characters"), name, flaws);
                if let Some(pattern) = schema.get("pattern").and_then(Json::as_str)
                    && self.patterns.get(pattern).is_some_and(|regex| !regex.is_match(text))
                {
                    flaws.push((node.at, format!("'{}' is no {} (it does not match {pattern})", shown(text), called(name))));
                }
            }
            Value::Integer(number) => {
                self.bounds(node, schema, ["minimum", "maximum"], *number as f64, &number.to_string(), name, flaws);
            }
            Value::Number(number) => self.bounds(node, schema, ["minimum", "maximum"], *number, &number.to_string(), name, flaws),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn map(&self, node: &Node, entries: &[(super::tree::Key, Node)], schema: &Json, name: &str, flaws: &mut Vec<Flaw>) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let others = schema.get("additionalProperties");
        if let Some(most) = schema.get("maxProperties").and_then(Json::as_u64)
            && entries.len() as u64 > most
        {
            flaws.push((node.at, format!("{} has {} entries; keep at most {most}", called(name), entries.len())));
        }
        for (place, (key, value)) in entries.iter().enumerate() {
            if entries[..place].iter().any(|(earlier, _)| earlier.name == key.name) {
                flaws.push((key.at, format!("'{}' stands twice; keep one", shown(&key.name))));
                continue;
            }
            match (properties.and_then(|properties| properties.get(&key.name)), others) {
                (Some(of_value), _) => self.node(value, of_value, &key.name, flaws),
                (None, Some(Json::Object(_))) => self.node(value, others.unwrap_or(&Json::Null), &key.name, flaws),
                (None, _) => flaws.push((key.at, unknown_key(&key.name, properties.into_iter().flat_map(|known| known.keys())))),
            }
        }
        for required in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if !entries.iter().any(|(key, _)| key.name == required) {
                let whole = if name.is_empty() { "the document".to_owned() } else { called(name) };
                flaws.push((node.at, format!("'{required}' is missing; {whole} needs it")));
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn bounds(&self, node: &Node, schema: &Json, words: [&str; 2], size: f64, told: &str, name: &str, flaws: &mut Vec<Flaw>) {
        let bound = |word: &str| schema.get(word).and_then(Json::as_f64);
        if let Some(least) = bound(words[0]).filter(|least| size < *least) {
            flaws.push((node.at, format!("{} has {told}; the least is {least}", called(name))));
        }
        if let Some(most) = bound(words[1]).filter(|most| size > *most) {
            flaws.push((node.at, format!("{} has {told}; the most is {most}", called(name))));
        }
    }
}

fn called(name: &str) -> String {
    if name.is_empty() { "document".to_owned() } else { format!("'{}'", shown(name)) }
}

/// A text of a file, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    short.escape_debug().to_string()
}

fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a String> + Clone) -> String {
    let what = format!("there is no '{}' here", shown(key));
    match suggest(key, known.clone().map(String::as_str)) {
        Some(near) => format!("{what}; did you mean '{near}'?"),
        None => {
            let known: Vec<&str> = known.map(String::as_str).collect();
            if known.is_empty() { what } else { format!("{what}; known are {}", known.join(", ")) }
        }
    }
}

/// The words of an enumeration, if the schema is one.
fn choices(schema: &Json) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const") {
        return Some(vec![word.as_str()?]);
    }
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        return words.iter().all(|word| word.is_string() || word.is_null()).then(|| words.iter().filter_map(Json::as_str).collect());
    }
    let branches = schema.get("anyOf").or(schema.get("oneOf")).and_then(Json::as_array)?;
    let is_null = |branch: &Json| branch.get("type").and_then(Json::as_str) == Some("null");
    let words: Option<Vec<Vec<&str>>> = branches.iter().filter(|branch| !is_null(branch)).map(choices).collect();
    words.map(|words| words.concat())
}

/// True if a schema lets a value be nothing.
fn is_nullable(schema: &Json) -> bool {
    let branches = schema.get("anyOf").and_then(Json::as_array);
    types(schema).contains(&"null") || branches.is_some_and(|branches| branches.iter().any(is_nullable))
}

fn choice(node: &Node, words: &[&str], name: &str, flaws: &mut Vec<Flaw>) {
    let text = match &node.value {
        Value::Text(text) if words.contains(&text.as_str()) => return,
        Value::Text(text) => text,
        _ => return flaws.push((node.at, wrong_type(node, name, &["string"]))),
    };
    let remedy = match suggest(text, words.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("use {}", words.join(", ")),
    };
    flaws.push((node.at, format!("'{}' is no {name}; {remedy}", shown(text))));
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(word)) => vec![word],
        Some(Json::Array(words)) => words.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn fits(node: &Node, schema: &Json) -> bool {
    let types = types(schema);
    let of_branches =
        || schema.get("anyOf").and_then(Json::as_array).is_none_or(|branches| branches.iter().any(|branch| fits(node, branch)));
    if types.is_empty() {
        return of_branches();
    }
    types.iter().any(|word| {
        matches!(
            (*word, &node.value),
            ("null", Value::Null)
                | ("boolean", Value::Bool(_))
                | ("integer", Value::Integer(_))
                | ("number", Value::Integer(_) | Value::Number(_))
                | ("string", Value::Text(_))
                | ("array", Value::List(_))
                | ("object", Value::Map(_))
        )
    })
}

fn wrong_type(node: &Node, name: &str, types: &[&str]) -> String {
    let word = |word: &&str| match *word {
        "boolean" => Some("true or false"),
        "integer" => Some("a whole number"),
        "number" => Some("a number"),
        "string" => Some("a text"),
        "array" => Some("a list"),
        "object" => Some("a mapping"),
        _ => None,
    };
    let mut wanted: Vec<&str> = types.iter().filter_map(word).collect();
    wanted.dedup();
    let quote = match &node.value {
        Value::Integer(_) | Value::Number(_) | Value::Bool(_) if wanted.contains(&"a text") => "; put it in quotes",
        _ => "",
    };
    format!("{} is {}, not {}{quote}", called(name), node.value.kind(), wanted.join(" or "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sync::definitions::schema::schemas;

    fn words(schema: &Json, is_schema: bool, found: &mut Vec<String>) {
        match schema {
            Json::Object(members) => {
                for (word, member) in members {
                    if is_schema {
                        found.push(word.clone());
                    }
                    words(member, !is_schema || word != "properties", found);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| words(item, true, found)),
            _ => {}
        }
    }

    #[test]
    fn every_word_of_the_schema_is_checked_or_only_explains() {
        for schema in [&schemas().group, &schemas().defaults] {
            let mut found = Vec::new();
            words(schema, true, &mut found);
            assert!(found.len() > 20);
            for word in found {
                assert!(KNOWN_WORDS.contains(&word.as_str()), "{word}");
            }
        }
    }
}
