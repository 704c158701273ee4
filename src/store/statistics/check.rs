//! What is expected of a group against what it holds: one question to the query engine a group, so that the answer is of
//! every acknowledged record, flushed or not.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use futures::StreamExt;

use crate::model::{Error, FeatureDefinition, FeatureGroup, FeatureType, Result, Rule};
use crate::store::FeatureStore;
use crate::store::queries::quoted;

/// Names of columns of the question; no feature is called so.
const ROWS: &str = "__rows";

/// One expectation and how many rows break it.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedRule {
    /// The group.
    pub group: String,
    /// The feature; none for an expectation of the group as a whole.
    pub feature: Option<String>,
    /// The rule as it is written.
    pub rule: String,
    /// Rows that were looked at.
    pub rows: u64,
    /// Those that break it.
    pub broken: u64,
    /// True if it holds.
    pub holds: bool,
    /// More of it in words.
    pub detail: Option<String>,
}

/// Expectations of some groups.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckReport {
    /// All of them, in the order of their groups and features.
    pub rules: Vec<CheckedRule>,
    /// Groups of which nothing is expected.
    pub without: Vec<String>,
}

impl CheckReport {
    /// True if every expectation holds.
    pub fn holds(&self) -> bool {
        self.rules.iter().all(|rule| rule.holds)
    }
}

impl FeatureStore {
    /// Checks what is expected of groups; of all that keep a history if none is named.
    pub async fn check_expectations(&self, groups: &[String]) -> Result<CheckReport> {
        let mut chosen = Vec::new();
        for name in groups {
            let group = self.group(name).await?;
            if group.offline.is_none() {
                return Err(Error::invalid(format!("'{}' has no history to check", group.name)).remedy("leave it out"));
            }
            chosen.push(group.as_ref().clone());
        }
        if groups.is_empty() {
            chosen.extend(self.list_groups().await?.into_iter().filter(|group| group.offline.is_some()));
        }
        let mut report = CheckReport::default();
        for group in &chosen {
            let before = report.rules.len();
            self.check_rows(group, &mut report.rules).await?;
            self.check_whole(group, &mut report.rules).await?;
            if report.rules.len() == before {
                report.without.push(group.name.to_string());
            }
        }
        Ok(report)
    }

    /// Rules about single values: counted in one pass.
    async fn check_rows(&self, group: &FeatureGroup, checked: &mut Vec<CheckedRule>) -> Result<()> {
        let rules: Vec<(&FeatureDefinition, &Rule)> = group
            .schema
            .features()
            .iter()
            .flat_map(|feature| feature.expectations.iter().map(move |expectation| (feature, &expectation.rule)))
            .collect();
        if rules.is_empty() {
            return Ok(());
        }
        let counts = rules
            .iter()
            .enumerate()
            .map(|(number, (feature, rule))| format!(", count(*) FILTER (WHERE {}) AS c{number}", broken_where(feature, rule)));
        // A delete marker has no values, and none are expected of it.
        let live = if group.is_external() { "" } else { " WHERE is_deleted IS NOT TRUE" };
        let sql = format!("SELECT count(*) AS \"{ROWS}\"{} FROM {}{live}", counts.collect::<String>(), quoted(group.name.as_str()));
        let counts = self.numbers(&sql).await?;
        let rows = counts.first().copied().unwrap_or(0);
        for ((feature, rule), broken) in rules.into_iter().zip(counts.into_iter().skip(1)) {
            let holds = match rule {
                Rule::NotNull { at_least } => rows == 0 || (rows - broken.min(rows)) as f64 >= at_least.get() * rows as f64,
                _ => broken == 0,
            };
            checked.push(CheckedRule {
                group: group.name.to_string(),
                feature: Some(feature.name.to_string()),
                rule: rule.to_string(),
                rows,
                broken,
                holds,
                detail: None,
            });
        }
        Ok(())
    }

    /// Rules about a group as a whole.
    async fn check_whole(&self, group: &FeatureGroup, checked: &mut Vec<CheckedRule>) -> Result<()> {
        let expected = &group.expectations;
        let mut add = |rule: String, rows, broken, holds, detail| {
            checked.push(CheckedRule { group: group.name.to_string(), feature: None, rule, rows, broken, holds, detail });
        };
        let table = quoted(group.name.as_str());
        if expected.unique {
            let keys = [group.schema.identifier(), group.schema.event_time()].map(|feature| quoted(feature.name.as_str()));
            let keys = keys.join(", ");
            let live = if group.is_external() { "" } else { " WHERE is_deleted IS NOT TRUE" };
            let sql = format!(
                "SELECT CAST(coalesce(sum(n), 0) AS BIGINT), CAST(coalesce(sum(n - 1), 0) AS BIGINT)
                 FROM (SELECT count(*) AS n FROM {table}{live} GROUP BY {keys})"
            );
            let counts = self.numbers(&sql).await?;
            let (rows, broken) = (counts.first().copied().unwrap_or(0), counts.get(1).copied().unwrap_or(0));
            add("unique".to_owned(), rows, broken, broken == 0, None);
        }
        if let Some(min_rows) = expected.min_rows {
            let rows = self.numbers(&format!("SELECT count(*) FROM {table}")).await?.first().copied().unwrap_or(0);
            add(format!("rows {min_rows}"), rows, min_rows.saturating_sub(rows), rows >= min_rows, None);
        }
        if let Some(max_age) = expected.max_age {
            let summary = self.group_summary(group).await?;
            let age = summary.newest_event_time.map(|newest| self.now().seconds_since(newest));
            let holds = age.is_some_and(|age| age <= max_age.seconds() as f64);
            let detail = age.map_or_else(|| "it has no record".to_owned(), |age| format!("the newest record is {:.0} s old", age.max(0.0)));
            add(format!("max_age {max_age}"), summary.records, u64::from(!holds), holds, Some(detail));
        }
        Ok(())
    }

    /// The numbers of a question that answers one row of them.
    async fn numbers(&self, sql: &str) -> Result<Vec<u64>> {
        let mut stream = self.query(sql, None).await?;
        let mut numbers = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            for column in batch.columns() {
                let column = cast(column, &DataType::Int64).map_err(|error| Error::internal("a count is no number").source(error))?;
                numbers.push(u64::try_from(column.as_primitive::<Int64Type>().value(0)).unwrap_or(0));
            }
        }
        Ok(numbers)
    }
}

/// The condition that is true of a row which breaks a rule.
fn broken_where(feature: &FeatureDefinition, rule: &Rule) -> String {
    let name = quoted(feature.name.as_str());
    match rule {
        Rule::NotNull { .. } => format!("{name} IS NULL"),
        _ if feature.collection.is_some() => of_elements(&name, feature, rule),
        _ => format!("{name} IS NOT NULL AND {}", of_value(&name, feature, rule)),
    }
}

/// A collection breaks a rule where one of its elements does.
fn of_elements(name: &str, feature: &FeatureDefinition, rule: &Rule) -> String {
    match rule {
        Rule::Between { min, max } => {
            let low = min.map(|min| format!("array_min({name}) < {min:?}", min = min.get()));
            let high = max.map(|max| format!("array_max({name}) > {max:?}", max = max.get()));
            let ends: Vec<String> = low.into_iter().chain(high).collect();
            format!("{name} IS NOT NULL AND ({})", ends.join(" OR "))
        }
        Rule::OneOf { values } => {
            let known = literals(feature, values).join(", ");
            format!("{name} IS NOT NULL AND cardinality(array_except({name}, make_array({known}))) > 0")
        }
        Rule::NotNull { .. } | Rule::Matches { .. } => format!("{name} IS NOT NULL AND FALSE"),
    }
}

fn of_value(name: &str, feature: &FeatureDefinition, rule: &Rule) -> String {
    match rule {
        Rule::NotNull { .. } => format!("{name} IS NULL"),
        Rule::Between { min, max } => {
            let number = match feature.feature_type {
                FeatureType::String => format!("TRY_CAST({name} AS DOUBLE)"),
                _ => name.to_owned(),
            };
            let low = min.map(|min| format!("{number} >= {:?}", min.get()));
            let high = max.map(|max| format!("{number} <= {:?}", max.get()));
            let ends: Vec<String> = low.into_iter().chain(high).collect();
            // A text that is no number lies between none.
            format!("NOT coalesce({}, FALSE)", ends.join(" AND "))
        }
        Rule::OneOf { values } => {
            let known = literals(feature, values);
            if known.is_empty() { "TRUE".to_owned() } else { format!("{name} NOT IN ({})", known.join(", ")) }
        }
        Rule::Matches { pattern } => format!("NOT regexp_like(CAST({name} AS VARCHAR), {})", text_literal(pattern)),
    }
}

/// The values of a set as SQL; one that is no number is left out, since no number equals it.
fn literals(feature: &FeatureDefinition, values: &std::collections::BTreeSet<String>) -> Vec<String> {
    let literal = |value: &String| match feature.feature_type {
        FeatureType::String => Some(text_literal(value)),
        _ => value.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| format!("{value:?}")),
    };
    values.iter().filter_map(literal).collect()
}

fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
