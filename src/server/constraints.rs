//! Checks requests against the wire model, with AWS's wording.
//!
//! `wire_model.json` holds the shapes of the requests that this server takes: members, enumerations, bounds, patterns, cut from
//! botocore's service models (Apache-2.0). Clients check types, required members and minimums, never maximums, patterns
//! and enumerations, so these reach the server first. A request is checked as a whole before anything is done.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value as Json;

/// Most violations that one answer names.
const MAX_NAMED: usize = 10;

#[derive(Deserialize)]
struct Service {
    operations: HashMap<String, String>,
    shapes: HashMap<String, Shape>,
}

#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
    #[serde(default)]
    members: BTreeMap<String, String>,
    member: Option<String>,
    key: Option<String>,
    value: Option<String>,
    /// The pattern, to match the whole text.
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

/// Why a request is not what its model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Violation {
    /// A member has another type: `SerializationException`.
    Type(String),
    /// Constraints are broken: the message names them all.
    Constraint(String),
}

/// Which model a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// The control plane.
    SageMaker,
    /// The data plane.
    Runtime,
}

fn service(model: Model) -> Option<&'static Service> {
    static SERVICES: OnceLock<HashMap<String, Service>> = OnceLock::new();
    let services = SERVICES.get_or_init(|| serde_json::from_str(include_str!("wire_model.json")).unwrap_or_default());
    services.get(match model {
        Model::SageMaker => "sagemaker",
        Model::Runtime => "runtime",
    })
}

/// Checks the request of an operation.
pub(super) fn check(model: Model, operation: &str, request: &Json) -> Result<(), Violation> {
    let Some(service) = service(model) else { return Ok(()) };
    let Some(shape) = service.operations.get(operation) else { return Ok(()) };
    let mut found = Found { service, broken: Vec::new() };
    found.check(shape, "", request)?;
    match found.broken.len() {
        0 => Ok(()),
        count => {
            let noun = if count == 1 { "validation error" } else { "validation errors" };
            found.broken.truncate(MAX_NAMED);
            Err(Violation::Constraint(format!("{count} {noun} detected: {}", found.broken.join("; "))))
        }
    }
}

struct Found {
    service: &'static Service,
    broken: Vec<String>,
}

impl Found {
    fn check(&mut self, shape: &str, path: &str, value: &Json) -> Result<(), Violation> {
        let Some(shape) = self.service.shapes.get(shape) else { return Ok(()) };
        let wrong =
            |expected: &str| Err(Violation::Type(format!("'{}' is not {expected}", if path.is_empty() { "request" } else { path })));
        match (shape.kind.as_str(), value) {
            ("structure", Json::Object(members)) => {
                for name in &shape.required {
                    if members.get(name).is_none_or(Json::is_null) {
                        self.broken
                            .push(format!("Value null at '{}' failed to satisfy constraint: Member must not be null", join(path, name)));
                    }
                }
                for (name, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                    if let Some(member_shape) = shape.members.get(name) {
                        self.check(member_shape, &join(path, name), member)?;
                    }
                }
            }
            ("structure", _) => return wrong("a structure"),
            ("list", Json::Array(items)) => {
                self.bounds(shape, path, "length", items.len() as i64, || format!("[{} items]", items.len()));
                for (place, item) in items.iter().enumerate() {
                    let path = format!("{path}.{}.member", place + 1);
                    if let Some(member) = &shape.member {
                        self.check(member, &path, item)?;
                    }
                }
            }
            ("list", _) => return wrong("a list"),
            ("map", Json::Object(entries)) => {
                self.bounds(shape, path, "length", entries.len() as i64, || format!("[{} entries]", entries.len()));
                for (name, value) in entries {
                    if let Some(key) = &shape.key {
                        self.check(key, &format!("{path}.{name}.key"), &Json::String(name.clone()))?;
                    }
                    if let Some(member) = &shape.value {
                        self.check(member, &format!("{path}.{name}.member"), value)?;
                    }
                }
            }
            ("map", _) => return wrong("a map"),
            ("string", Json::String(text)) => self.text(shape, path, text),
            ("string", _) => return wrong("a string"),
            ("integer" | "long", Json::Number(number)) => match number.as_i64() {
                Some(number) => self.bounds(shape, path, "value", number, || number.to_string()),
                None => return wrong("an integer"),
            },
            ("integer" | "long", _) => return wrong("an integer"),
            ("boolean", Json::Bool(_)) => {}
            ("boolean", _) => return wrong("a boolean"),
            ("timestamp", Json::Number(_) | Json::String(_)) => {}
            ("timestamp", _) => return wrong("a timestamp"),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, shape: &Shape, path: &str, text: &str) {
        let mut broken = |constraint: String| self.broken.push(violated(&shown(text), path, &constraint));
        if !shape.values.is_empty() {
            if !shape.values.iter().any(|value| value == text) {
                broken(format!("Member must satisfy enum value set: [{}]", shape.values.join(", ")));
            }
            return;
        }
        if let Some(pattern) = &shape.pattern {
            let compiled = shape.compiled.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
            if compiled.as_ref().is_some_and(|compiled| !compiled.is_match(text)) {
                broken(format!("Member must satisfy regular expression pattern: {pattern}"));
            }
        }
        self.bounds(shape, path, "length", text.chars().count() as i64, || shown(text));
    }

    fn bounds(&mut self, shape: &Shape, path: &str, what: &str, size: i64, show: impl Fn() -> String) {
        if let Some(max) = shape.max.filter(|max| size > *max) {
            self.broken.push(violated(&show(), path, &format!("Member must have {what} less than or equal to {max}")));
        }
        if let Some(min) = shape.min.filter(|min| size < *min) {
            self.broken.push(violated(&show(), path, &format!("Member must have {what} greater than or equal to {min}")));
        }
    }
}

/// One broken constraint in AWS's words.
pub(super) fn violated(value: &str, path: &str, constraint: &str) -> String {
    format!("Value '{value}' at '{path}' failed to satisfy constraint: {constraint}")
}

fn shown(text: &str) -> String {
    if text.chars().count() <= 300 { text.to_owned() } else { text.chars().take(300).chain("...".chars()).collect() }
}

/// The path of a member, as AWS writes it: `featureDefinitions.1.member.featureName`.
fn join(path: &str, name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    let separator = if path.is_empty() { "" } else { "." };
    [path, separator].concat().chars().chain(first).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    fn message(operation: &str, request: &Json) -> String {
        match check(Model::SageMaker, operation, request) {
            Err(Violation::Constraint(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_pattern_of_the_model_compiles() {
        for model in [Model::SageMaker, Model::Runtime] {
            let service = service(model).unwrap();
            assert!(!service.operations.is_empty());
            for (name, shape) in &service.shapes {
                if let Some(pattern) = &shape.pattern {
                    assert!(Regex::new(pattern).is_ok(), "{name}: {pattern}");
                }
                for member in shape.members.values().chain(&shape.member).chain(&shape.key).chain(&shape.value) {
                    assert!(service.shapes.contains_key(member), "{name}: {member}");
                }
            }
        }
    }

    #[test]
    fn broken_constraints_are_told_as_aws_tells_them() {
        assert_eq!(
            message("DescribeFeatureMetadata", &json!({"FeatureGroupName": "a", "FeatureName": "bad_"})),
            "1 validation error detected: Value 'bad_' at 'featureName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,63}"
        );
        assert_eq!(
            message("ListFeatureGroups", &json!({"MaxResults": 101, "SortOrder": "Up"})),
            "2 validation errors detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal \
             to 100; Value 'Up' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [Ascending, Descending]"
        );
        let nested =
            message("AddTags", &json!({"ResourceArn": "arn:aws:sagemaker:eu-west-1:000000000000:feature-group/a", "Tags": [{"Key": "k"}]}));
        assert_eq!(
            nested,
            "1 validation error detected: Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn another_type_is_no_constraint() {
        for request in [json!([]), json!({"FeatureGroupName": 1}), json!({"FeatureGroupName": ["a"]})] {
            assert!(matches!(check(Model::SageMaker, "DeleteFeatureGroup", &request), Err(Violation::Type(_))), "{request}");
        }
        assert_eq!(check(Model::SageMaker, "ListFeatureGroups", &json!({"NextToken": null})), Ok(()));
    }
}
