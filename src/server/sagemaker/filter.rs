//! Search expressions: conditions over the properties of a document.
//!
//! A property is a path of members; a list on the way means any of its elements, unless nested filters bind several
//! conditions to one element. `Tags.<key>` and `Parameters.<key>` look into lists of key-value pairs. A document that
//! lacks a property differs from every value (`NotEquals`), as AWS's own idiom for offline-only groups needs it.

use serde::Deserialize;
use serde_json::Value as Json;

use super::super::wire::Fault;
use super::faults;
use super::list::micros;

/// Most conditions of one search.
const MAX_CONDITIONS: usize = 50;
/// Deepest nest of expressions.
const MAX_DEPTH: usize = 20;

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    GreaterThan,
    GreaterThanOrEqualTo,
    LessThan,
    LessThanOrEqualTo,
    Contains,
    Exists,
    NotExists,
    In,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    name: String,
    operator: Option<Operator>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NestedFilters {
    nested_property_name: String,
    filters: Vec<Filter>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
enum Connective {
    #[default]
    And,
    Or,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Expression {
    filters: Option<Vec<Filter>>,
    nested_filters: Option<Vec<NestedFilters>>,
    sub_expressions: Option<Vec<Expression>>,
    operator: Option<Connective>,
}

impl Expression {
    /// Checks names, values and bounds; `is_known` says whether documents can have a property.
    pub(super) fn check(&self, is_known: &dyn Fn(&str) -> bool) -> Result<(), Fault> {
        let mut conditions = 0;
        self.check_at(is_known, 0, &mut conditions)?;
        if conditions > MAX_CONDITIONS {
            return Err(faults::validation(format!(
                "Validation Error: a search has at most {MAX_CONDITIONS} conditions, not {conditions}."
            )));
        }
        Ok(())
    }

    fn check_at(&self, is_known: &dyn Fn(&str) -> bool, depth: usize, conditions: &mut usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(faults::validation("Validation Error: the sub-expressions are nested too deeply."));
        }
        for filter in self.filters.iter().flatten() {
            *conditions += 1;
            filter.check(is_known)?;
        }
        for nested in self.nested_filters.iter().flatten() {
            *conditions += nested.filters.len();
            if !is_known(&nested.nested_property_name) {
                return Err(unknown(&nested.nested_property_name));
            }
            for filter in &nested.filters {
                filter.check(is_known)?;
                if !filter.name.starts_with(&format!("{}.", nested.nested_property_name)) {
                    return Err(faults::validation(format!(
                        "Validation Error: nested filter {} is not within {}.",
                        filter.name, nested.nested_property_name
                    )));
                }
            }
        }
        for expression in self.sub_expressions.iter().flatten() {
            expression.check_at(is_known, depth + 1, conditions)?;
        }
        Ok(())
    }

    /// The one group that all accepted documents are of, if the conditions say so at once.
    pub(super) fn group(&self) -> Option<&str> {
        let equals = |filter: &&Filter| filter.name == "FeatureGroupName" && filter.operator() == Operator::Equals;
        match self.operator.unwrap_or_default() {
            Connective::And => self.filters.iter().flatten().find(equals)?.value.as_deref(),
            Connective::Or => None,
        }
    }

    /// True if a document satisfies it; one without conditions is satisfied by all.
    pub(super) fn accepts(&self, document: &Json) -> bool {
        let filters = self.filters.iter().flatten().map(|filter| filter.accepts(document));
        let nested = self.nested_filters.iter().flatten().map(|nested| nested.accepts(document));
        let inner = self.sub_expressions.iter().flatten().map(|expression| expression.accepts(document));
        let mut all = filters.chain(nested).chain(inner).peekable();
        match self.operator.unwrap_or_default() {
            Connective::And => all.all(|accepted| accepted),
            Connective::Or => all.peek().is_none() || all.any(|accepted| accepted),
        }
    }
}

impl NestedFilters {
    fn accepts(&self, document: &Json) -> bool {
        let mut elements = Vec::new();
        collect(document, &self.nested_property_name, &mut elements);
        elements.into_iter().any(|element| {
            self.filters.iter().all(|filter| {
                let rest = filter.name.get(self.nested_property_name.len() + 1..).unwrap_or_default();
                filter.accepts_values(&values(element, rest))
            })
        })
    }
}

fn unknown(name: &str) -> Fault {
    faults::validation(format!("Unknown property name: {name}"))
}

impl Filter {
    fn operator(&self) -> Operator {
        self.operator.unwrap_or(Operator::Equals)
    }

    fn check(&self, is_known: &dyn Fn(&str) -> bool) -> Result<(), Fault> {
        if !is_known(&self.name) {
            return Err(unknown(&self.name));
        }
        let needs_value = !matches!(self.operator(), Operator::Exists | Operator::NotExists);
        match (&self.value, needs_value) {
            (None, true) => Err(faults::validation(format!("Validation Error: the filter on {} needs a Value.", self.name))),
            (Some(_), false) => Err(faults::validation(format!("Validation Error: the filter on {} takes no Value.", self.name))),
            _ => Ok(()),
        }
    }

    fn accepts(&self, document: &Json) -> bool {
        self.accepts_values(&values(document, &self.name))
    }

    fn accepts_values(&self, found: &[&Json]) -> bool {
        let wanted = self.value.as_deref().unwrap_or_default();
        let any = |test: &dyn Fn(&Json) -> bool| found.iter().any(|value| test(value));
        match self.operator() {
            Operator::Exists => !found.is_empty(),
            Operator::NotExists => found.is_empty(),
            Operator::Equals => any(&|value| equals(value, wanted)),
            Operator::NotEquals => !any(&|value| equals(value, wanted)),
            Operator::Contains => any(&|value| text_of(value).to_lowercase().contains(&wanted.to_lowercase())),
            Operator::In => wanted.split(',').any(|one| any(&|value| equals(value, one.trim()))),
            operator => any(&|value| {
                let Some((value, wanted)) = numbers(value, wanted) else { return false };
                match operator {
                    Operator::GreaterThan => value > wanted,
                    Operator::GreaterThanOrEqualTo => value >= wanted,
                    Operator::LessThan => value < wanted,
                    _ => value <= wanted,
                }
            }),
        }
    }
}

fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn equals(value: &Json, wanted: &str) -> bool {
    match (value, numbers(value, wanted)) {
        (Json::Number(_), Some((value, wanted))) => value == wanted,
        _ => text_of(value) == wanted,
    }
}

/// Both sides as numbers: instants as seconds since 1970.
fn numbers(value: &Json, wanted: &str) -> Option<(f64, f64)> {
    Some((value.as_f64()?, wanted.parse().ok().or_else(|| instant(wanted))?))
}

/// Reads `YYYY-mm-dd'T'HH:MM:SS`, in UTC unless it says otherwise.
fn instant(text: &str) -> Option<f64> {
    let zoned = micros(&Json::from(text)).or_else(|| micros(&Json::from(format!("{text}Z"))));
    zoned.or_else(|| micros(&Json::from(format!("{text}T00:00:00Z")))).map(|micros| micros as f64 / 1e6)
}

/// Values of a property of a document.
pub(super) fn values<'a>(document: &'a Json, path: &str) -> Vec<&'a Json> {
    let mut found = Vec::new();
    match path {
        "AllTags" => pairs(document, "Tags", None, &mut found),
        "AllParameters" => pairs(document, "Parameters", None, &mut found),
        _ => match path.split_once('.') {
            Some((list @ ("Tags" | "Parameters"), key)) => pairs(document, list, Some(key), &mut found),
            _ => collect(document, path, &mut found),
        },
    }
    found
}

/// Keys and values of a list of pairs, or the value of one key.
fn pairs<'a>(document: &'a Json, list: &str, key: Option<&str>, found: &mut Vec<&'a Json>) {
    for pair in document.get(list).and_then(Json::as_array).into_iter().flatten() {
        match key {
            None => found.extend([pair.get("Key"), pair.get("Value")].into_iter().flatten()),
            Some(key) if pair.get("Key").and_then(Json::as_str) == Some(key) => found.extend(pair.get("Value")),
            Some(_) => {}
        }
    }
}

fn collect<'a>(document: &'a Json, path: &str, found: &mut Vec<&'a Json>) {
    match document {
        Json::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        _ if path.is_empty() => found.push(document),
        Json::Object(members) => {
            let (name, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(member) = members.get(name) {
                collect(member, rest, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn document() -> Json {
        json!({
            "FeatureGroupName": "Orders",
            "CreationTime": 1_700_000_000.5,
            "FeatureDefinitions": [
                { "FeatureName": "id", "FeatureType": "String" },
                { "FeatureName": "total", "FeatureType": "Fractional" },
            ],
            "OfflineStoreConfig": { "S3StorageConfig": { "S3Uri": "s3://a/b" } },
            "Tags": [{ "Key": "team", "Value": "growth" }],
        })
    }

    fn accepts(expression: Json) -> bool {
        let expression: Expression = serde_json::from_value(expression).unwrap();
        expression.accepts(&document())
    }

    fn filter(name: &str, operator: &str, value: &str) -> Json {
        if value.is_empty() {
            json!({ "Name": name, "Operator": operator })
        } else {
            json!({ "Name": name, "Operator": operator, "Value": value })
        }
    }

    #[test]
    fn every_operator_says_yes_and_no() {
        for (name, operator, yes, no) in [
            ("FeatureGroupName", "Equals", "Orders", "orders"),
            ("FeatureGroupName", "NotEquals", "orders", "Orders"),
            ("FeatureGroupName", "Contains", "rder", "x"),
            ("FeatureGroupName", "In", "a, Orders", "a,b"),
            ("CreationTime", "GreaterThan", "2023-11-14T22:13:20", "2023-11-14T22:13:21"),
            ("CreationTime", "GreaterThanOrEqualTo", "1700000000.5", "1700000000.6"),
            ("CreationTime", "LessThan", "2023-11-14T22:13:21", "2023-11-14T22:13:20"),
            ("CreationTime", "LessThanOrEqualTo", "1700000000.5", "1700000000.4"),
            ("Tags.team", "Equals", "growth", "team"),
            ("AllTags", "Contains", "team", "other"),
            ("FeatureDefinitions.FeatureName", "Equals", "total", "sum"),
        ] {
            assert!(accepts(json!({ "Filters": [filter(name, operator, yes)] })), "{name} {operator} {yes}");
            assert!(!accepts(json!({ "Filters": [filter(name, operator, no)] })), "{name} {operator} {no}");
        }
        assert!(accepts(json!({ "Filters": [filter("OfflineStoreConfig.S3StorageConfig.S3Uri", "Exists", "")] })));
        assert!(accepts(json!({ "Filters": [filter("Description", "NotExists", "")] })));
        assert!(!accepts(json!({ "Filters": [filter("Description", "Exists", "")] })));
        assert!(accepts(json!({ "Filters": [filter("OnlineStoreConfig.EnableOnlineStore", "NotEquals", "true")] })), "lacks it");
    }

    #[test]
    fn nested_filters_bind_to_one_element() {
        let both = |name: &str, kind: &str| {
            json!({ "NestedFilters": [{ "NestedPropertyName": "FeatureDefinitions", "Filters": [
                filter("FeatureDefinitions.FeatureName", "Equals", name), filter("FeatureDefinitions.FeatureType", "Equals", kind)] }] })
        };
        assert!(accepts(both("total", "Fractional")));
        assert!(!accepts(both("total", "String")), "each is there, not in one element");
    }

    #[test]
    fn expressions_join_by_and_or_or() {
        let (yes, no) = (filter("FeatureGroupName", "Equals", "Orders"), filter("FeatureGroupName", "Equals", "x"));
        assert!(!accepts(json!({ "Filters": [yes, no] })));
        assert!(accepts(json!({ "Filters": [yes, no], "Operator": "Or" })));
        assert!(accepts(json!({ "Filters": [yes], "SubExpressions": [{ "Filters": [yes, no], "Operator": "Or" }] })));
        assert!(!accepts(json!({ "Filters": [yes], "SubExpressions": [{ "Filters": [yes, no] }] })));
    }

    #[test]
    fn what_no_document_has_is_refused() {
        let check = |expression: Json| serde_json::from_value::<Expression>(expression).unwrap().check(&|name| name == "FeatureGroupName");
        assert_eq!(
            check(json!({ "Filters": [filter("Nonsense", "Equals", "x")] })).unwrap_err().message,
            "Unknown property name: Nonsense"
        );
        assert!(check(json!({ "Filters": [filter("FeatureGroupName", "Equals", "")] })).is_err(), "no value");
        let many: Vec<Json> = (0..51).map(|_| filter("FeatureGroupName", "Equals", "x")).collect();
        assert!(check(json!({ "Filters": many })).is_err());
    }
}
