//! `json_extract_scalar(json, path)`: one text, number or truth value out of a JSON text.
//!
//! As in Trino, JSON that can't be parsed, a path that leads nowhere and a value that is an object, an array or null
//! give null. A path is `$`, then `.name`, `["name"]` or `[0]` as often as needed; any other is an error.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::ScalarUDF;
use serde_json::Value;

use super::kernel::{Faults, Kernel, as_text};
use crate::dataset::failure::into_engine;
use crate::model::error::{Error, Result};

/// The functions of this file.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let extract = Kernel {
        name: "json_extract_scalar",
        arguments: "json, path",
        takes: |types| match types {
            [json, path] => Some(vec![as_text(json)?, as_text(path)?]),
            _ => None,
        },
        gives: |_| DataType::Utf8,
        run: json_extract_scalar,
    };
    vec![extract.total()]
}

fn json_extract_scalar(arguments: &[ArrayRef], _faults: Faults) -> EngineResult<ArrayRef> {
    let (texts, paths) = (arguments[0].as_string::<i32>(), arguments[1].as_string::<i32>());
    let mut found = StringBuilder::new();
    let mut last: Option<(&str, Vec<Step>)> = None;
    for row in 0..texts.len() {
        if texts.is_null(row) || paths.is_null(row) {
            found.append_null();
            continue;
        }
        let path = paths.value(row);
        if last.as_ref().is_none_or(|(known, _)| *known != path) {
            last = Some((path, steps(path).map_err(into_engine)?));
        }
        let steps = last.as_ref().map_or(&[][..], |(_, steps)| steps);
        found.append_option(scalar_at(texts.value(row), steps));
    }
    Ok(Arc::new(found.finish()))
}

/// One step of a path: a name, or a place if what is there is an array.
#[derive(Debug, PartialEq)]
struct Step {
    name: String,
    place: Option<usize>,
}

fn scalar_at(text: &str, steps: &[Step]) -> Option<String> {
    let json: Value = serde_json::from_str(text).ok()?;
    let mut value = &json;
    for step in steps {
        value = match value {
            Value::Object(members) => members.get(&step.name)?,
            Value::Array(elements) => elements.get(step.place?)?,
            _ => return None,
        };
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn steps(path: &str) -> Result<Vec<Step>> {
    let unknown = || {
        let shown: String = path.chars().take(60).collect();
        Error::usage(format!("'{}' is not a JSON path", shown.escape_debug())).remedy("write it like $.name, $[\"a name\"] or $.names[0]")
    };
    let mut rest = path.trim().strip_prefix('$').ok_or_else(unknown)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let name;
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (name, rest) = after.split_at(end);
        } else if let Some((quote, after)) = rest.strip_prefix('[').and_then(|after| Some((after.chars().next()?, after))) {
            let closing = if quote == '"' || quote == '\'' { format!("{quote}]") } else { "]".to_owned() };
            let after = if closing.len() == 2 { &after[1..] } else { after };
            (name, rest) = after.split_once(&closing).ok_or_else(unknown)?;
        } else {
            return Err(unknown());
        }
        if name.is_empty() {
            return Err(unknown());
        }
        steps.push(Step { name: name.to_owned(), place: name.parse().ok() });
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scalars_are_found_and_nothing_else() {
        let json = r#"{"a": {"b c": [1.5, "x", true, null, {"n": 7}]}, "0": "zero"}"#;
        let at = |path: &str| scalar_at(json, &steps(path).unwrap());
        for (path, found) in [
            ("$.a[\"b c\"][0]", Some("1.5")),
            ("$['a']['b c'][1]", Some("x")),
            ("$.a.b c[2]", Some("true")),
            ("$.a[\"b c\"][3]", None),
            ("$.a[\"b c\"][4].n", Some("7")),
            ("$.a[\"b c\"][9]", None),
            ("$.a[\"b c\"].x", None),
            ("$.a", None),
            ("$.nothing.at.all", None),
            ("$[0]", Some("zero")),
        ] {
            assert_eq!(at(path).as_deref(), found, "{path}");
        }
        assert_eq!(scalar_at("\"alone\"", &steps("$").unwrap()).as_deref(), Some("alone"));
        assert_eq!(scalar_at("{broken", &steps("$.a").unwrap()), None);
    }

    #[test]
    fn a_wrong_path_is_an_error() {
        for path in ["", "a", "$a", "$.", "$[", "$[]", "$[\"a]", "$..a", "$[\"a\"x"] {
            assert!(steps(path).is_err(), "{path}");
        }
    }
}
