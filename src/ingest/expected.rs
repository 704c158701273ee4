//! Rows against what is expected of their values, before they are stored.
//!
//! Rules are compiled once a load or put, and checked column by column. A share of nulls below 1 is a rule over all rows and
//! is left to `larder check`; everything else is decided for each row by itself.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use crate::model::expectation::compiled;
use crate::model::{FeatureValue, OnViolation, Result, Rule, Scalar, Schema};

/// A row that breaks a rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Violation {
    /// Its number in the batch.
    pub(crate) row: usize,
    /// Position of the feature.
    pub(crate) feature: usize,
    /// What is wrong with its value.
    pub(crate) reason: String,
    /// What is to happen.
    pub(crate) then: OnViolation,
}

/// The rules of a schema, ready to be checked.
pub(crate) struct Expected {
    rules: Vec<(usize, Test, OnViolation)>,
}

/// A rule for single values.
enum Test {
    NotNull,
    Between { min: f64, max: f64, text: String },
    OneOf { values: BTreeSet<String>, numbers: Vec<f64> },
    Matches { pattern: regex::Regex },
}

impl Expected {
    /// Compiles the rules of a schema.
    pub(crate) fn of(schema: &Schema) -> Result<Self> {
        let mut rules = Vec::new();
        for (position, feature) in schema.features().iter().enumerate() {
            for expectation in &feature.expectations {
                let test = match &expectation.rule {
                    Rule::NotNull { at_least } if at_least.get() >= 1.0 => Test::NotNull,
                    Rule::NotNull { .. } => continue,
                    Rule::Between { min, max } => Test::Between {
                        min: min.map_or(f64::NEG_INFINITY, f64::from),
                        max: max.map_or(f64::INFINITY, f64::from),
                        text: expectation.rule.to_string(),
                    },
                    Rule::OneOf { values } => {
                        Test::OneOf { values: values.clone(), numbers: values.iter().filter_map(|value| value.parse().ok()).collect() }
                    }
                    Rule::Matches { pattern } => Test::Matches { pattern: compiled(pattern)? },
                };
                rules.push((position, test, expectation.on_violation));
            }
        }
        Ok(Self { rules })
    }

    /// True if nothing is expected.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The violations in columns of a batch, by position in the schema.
    pub(crate) fn violations(&self, columns: &[ArrayRef]) -> Vec<Violation> {
        let mut found = Vec::new();
        for (feature, test, then) in &self.rules {
            let Some(column) = columns.get(*feature) else { continue };
            let nulls = column.logical_nulls();
            for row in 0..column.len() {
                let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                let reason = if is_null { test.of_null() } else { test.of_cell(column.as_ref(), row) };
                if let Some(reason) = reason {
                    found.push(Violation { row, feature: *feature, reason, then: *then });
                }
            }
        }
        found
    }

    /// The violations of one record.
    pub(crate) fn violations_of(&self, values: &[Option<FeatureValue>]) -> Vec<Violation> {
        let mut found = Vec::new();
        for (feature, test, then) in &self.rules {
            let reason = match values.get(*feature).and_then(Option::as_ref) {
                None => test.of_null(),
                Some(FeatureValue::Scalar(scalar)) => test.of_scalar(scalar),
                Some(FeatureValue::Collection(scalars)) => scalars.iter().find_map(|scalar| test.of_scalar(scalar)),
            };
            if let Some(reason) = reason {
                found.push(Violation { row: 0, feature: *feature, reason, then: *then });
            }
        }
        found
    }
}

impl Test {
    fn of_null(&self) -> Option<String> {
        matches!(self, Self::NotNull).then(|| "it has no value, and one is expected".to_owned())
    }

    fn of_cell(&self, column: &dyn Array, row: usize) -> Option<String> {
        match column.data_type() {
            DataType::Int64 => {
                let value = column.as_primitive::<Int64Type>().value(row);
                self.of_number(value as f64, &|| value.to_string())
            }
            DataType::Float64 => {
                let value = column.as_primitive::<Float64Type>().value(row);
                self.of_number(value, &|| value.to_string())
            }
            DataType::Utf8 => self.of_text(column.as_string::<i32>().value(row)),
            DataType::List(_) => {
                let elements = column.as_list::<i32>().value(row);
                (0..elements.len())
                    .filter(|element| elements.is_valid(*element))
                    .find_map(|element| self.of_cell(elements.as_ref(), element))
            }
            _ => None,
        }
    }

    fn of_scalar(&self, scalar: &Scalar) -> Option<String> {
        match scalar {
            Scalar::Integral { value, .. } => self.of_number(*value as f64, &|| value.to_string()),
            Scalar::Fractional { value, .. } => self.of_number(*value, &|| value.to_string()),
            Scalar::String(text) => self.of_text(text),
        }
    }

    fn of_number(&self, value: f64, written: &dyn Fn() -> String) -> Option<String> {
        match self {
            Self::NotNull => None,
            Self::Between { min, max, text } => (value < *min || value > *max).then(|| format!("{} is not {text}", written())),
            Self::OneOf { values, numbers } => {
                let is_known = numbers.contains(&value) || values.contains(&written());
                (!is_known).then(|| format!("{} is not among the expected values", written()))
            }
            Self::Matches { pattern } => (!pattern.is_match(&written())).then(|| format!("{} does not match {pattern}", written())),
        }
    }

    fn of_text(&self, text: &str) -> Option<String> {
        let shown = || text.chars().take(64).collect::<String>().escape_debug().to_string();
        match self {
            Self::NotNull => None,
            Self::Between { min, max, text: rule } => match text.trim().parse::<f64>() {
                Ok(value) if value >= *min && value <= *max => None,
                _ => Some(format!("'{}' is not {rule}", shown())),
            },
            Self::OneOf { values, .. } => (!values.contains(text)).then(|| format!("'{}' is not among the expected values", shown())),
            Self::Matches { pattern } => (!pattern.is_match(text)).then(|| format!("'{}' does not match {pattern}", shown())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;
    use crate::model::{Expectation, FeatureDefinition, FeatureName, FeatureType};

    fn schema(rules: &[(&str, FeatureType, &[&str])]) -> Schema {
        let features = rules.iter().map(|(name, kind, rules)| FeatureDefinition {
            expectations: rules.iter().map(|rule| Expectation { rule: rule.parse().unwrap(), on_violation: OnViolation::Warn }).collect(),
            ..FeatureDefinition::new(FeatureName::parse(name).unwrap(), *kind)
        });
        Schema::new(features.collect(), "id", "at").unwrap()
    }

    #[test]
    fn each_rule_finds_the_rows_that_break_it() {
        let schema = schema(&[
            ("id", FeatureType::Integral, &["one_of 1,2.0,3"]),
            ("at", FeatureType::String, &["matches ^2026-"]),
            ("score", FeatureType::Fractional, &["not_null", "between 0 1"]),
            ("few", FeatureType::Fractional, &["not_null 0.5"]),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
            Arc::new(StringArray::from(vec!["2026-01-01", "2026-01-02", "2025-01-01", "x2026-"])),
            Arc::new(Float64Array::from(vec![Some(0.0), None, Some(1.0), Some(1.000001)])),
            Arc::new(Float64Array::from(vec![None, None, None, None])),
        ];
        let expected = Expected::of(&schema).unwrap();
        let found: BTreeSet<(usize, usize)> = expected.violations(&columns).into_iter().map(|found| (found.feature, found.row)).collect();
        assert_eq!(found, BTreeSet::from([(0, 3), (1, 2), (1, 3), (2, 1), (2, 3)]));
    }
}
