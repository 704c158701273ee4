//! Which column of a file feeds which feature.
//!
//! Columns and features are matched by name, ignoring case as schemas do. A column that no feature takes is left
//! out and told, as `create --drop` meant it; but in a file that lacks a column for some feature it is an error,
//! since then the header was changed, and leaving both out would lose what somebody meant to load. All files of
//! one load must have the same columns, in any order. Columns that can't be features at all (the index that
//! pandas writes, our own columns in an exported file) count for nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::suggest::suggest;
use crate::model::{Error, FeatureName, Result, Schema};

/// For each feature of a schema the position of its column in a file, if the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// By feature position.
    pub columns: Vec<Option<usize>>,
    /// Columns that no feature takes, apart from those dropped by name.
    pub left_out: Vec<String>,
}

/// Names of columns to leave out, compared ignoring case.
#[derive(Debug, Clone, Default)]
pub struct Dropped(BTreeSet<String>);

impl Dropped {
    /// From names as they were given.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_lowercase()).collect())
    }

    /// True if a column of that name is to be left out.
    pub fn contains(&self, column: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&column.to_lowercase())
    }

    /// Names that are no column of a file: most likely misspelt.
    pub fn check(&self, columns: &BTreeSet<String>) -> Result<()> {
        for name in &self.0 {
            if !columns.contains(name) {
                let error = Error::invalid(format!("no file has a column '{}' to drop", name.escape_debug()));
                return Err(match suggest(name, columns.iter().map(String::as_str)) {
                    Some(near) => error.remedy(format!("did you mean '{near}'?")),
                    None => error.remedy(format!("the columns are {}", listed(columns.iter().map(String::as_str)))),
                });
            }
        }
        Ok(())
    }
}

impl Mapping {
    /// Matches the columns of a file with the features of a schema.
    ///
    /// # Errors
    /// The identifier's or the event time's column is missing; a column is no feature though a feature lacks its
    /// column; two columns differ only in case.
    pub fn new(schema: &Schema, columns: &[String], dropped: &Dropped, file: &str) -> Result<Self> {
        check_unique(columns, dropped, file)?;
        let mut mapping = vec![None; schema.features().len()];
        let mut left_out = Vec::new();
        for (position, column) in columns.iter().enumerate() {
            if dropped.contains(column) {
                continue;
            }
            match schema.position(column) {
                Some(feature) => mapping[feature] = Some(position),
                None => left_out.push(column.clone()),
            }
        }
        let absent: Vec<&str> = schema
            .features()
            .iter()
            .zip(&mapping)
            .filter(|(_, column)| column.is_none())
            .map(|(feature, _)| feature.name.as_str())
            .collect();
        if let Some(error) = left_out.iter().filter(|column| may_be_feature(column)).find_map(|column| renamed(column, &absent, file)) {
            return Err(error);
        }
        for (position, role) in [(schema.identifier_position(), "record identifier"), (schema.event_time_position(), "event time")] {
            if mapping[position].is_none() {
                let feature = schema.features()[position].name.as_str();
                let error = Error::invalid(format!("{file}: column '{feature}' is missing")).why(format!("it is the {role}"));
                return Err(match suggest(feature, columns.iter().map(String::as_str)) {
                    Some(near) => error.remedy(format!("rename column '{near}' if that is it")),
                    None => error.remedy(format!("the file has {}", listed(columns.iter().map(String::as_str)))),
                });
            }
        }
        Ok(Self { columns: mapping, left_out })
    }

    /// Features that the file has no column for: they will be null.
    pub fn absent<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = &'a str> {
        schema.features().iter().zip(&self.columns).filter(|(_, column)| column.is_none()).map(|(feature, _)| feature.name.as_str())
    }
}

/// False for names that no feature can have.
pub(super) fn may_be_feature(column: &str) -> bool {
    FeatureName::parse(column).is_ok_and(|name| !name.is_reserved())
}

/// The error for a column that no feature takes in a file that lacks the columns of some: one was renamed.
fn renamed(column: &str, absent: &[&str], file: &str) -> Option<Error> {
    let shown = column.escape_debug();
    let first = absent.first()?;
    let error = Error::invalid(format!("{file}: column '{shown}' is no feature of the group, and '{first}' has no column"));
    let error = error.why("the header was changed");
    Some(match suggest(column, absent.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean '{near}'? rename the column, or leave it out with --drop '{shown}'")),
        None => error.remedy(format!("rename the column, or leave it out with --drop '{shown}'")),
    })
}

/// Two columns of one name, ignoring case, can't both be kept.
pub(super) fn check_unique(columns: &[String], dropped: &Dropped, file: &str) -> Result<()> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for column in columns.iter().filter(|column| !dropped.contains(column)) {
        if let Some(first) = seen.insert(column.to_lowercase(), column) {
            let (first, second) = (first.escape_debug(), column.escape_debug());
            return Err(if first.to_string() == second.to_string() {
                Error::invalid(format!("{file}: column '{first}' appears twice")).remedy("rename one of them in the file")
            } else {
                Error::invalid(format!("{file}: columns '{first}' and '{second}' differ only in case"))
                    .why("names of features are compared ignoring case")
                    .remedy("rename one of them in the file")
            });
        }
    }
    Ok(())
}

/// All files of a load must have the columns of the first.
pub(super) fn check_same(first: (&str, &[String]), other: (&str, &[String]), dropped: &Dropped) -> Result<()> {
    let folded = |columns: &[String]| {
        let kept = columns.iter().filter(|column| !dropped.contains(column) && may_be_feature(column));
        kept.map(|column| column.to_lowercase()).collect::<BTreeSet<_>>()
    };
    let (expected, found) = (folded(first.1), folded(other.1));
    let complain = |what: String| {
        Err(Error::invalid(what)
            .why("all files of one load must have the same columns")
            .remedy("load files of another shape by a command of their own, or leave the column out with --drop"))
    };
    if let Some(column) = found.difference(&expected).next() {
        return complain(format!("{}: column '{}' is not in '{}'", other.0, column.escape_debug(), first.0));
    }
    if let Some(column) = expected.difference(&found).next() {
        return complain(format!("{}: column '{}' of '{}' is missing", other.0, column.escape_debug(), first.0));
    }
    Ok(())
}

/// Names for a message: the first few in quotes.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<String> = names.map(|name| format!("'{}'", name.escape_debug())).collect();
    if all.len() <= 8 { all.join(", ") } else { format!("{} and {} more", all[..8].join(", "), all.len() - 8) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::{FeatureDefinition, FeatureType};

    fn schema() -> Schema {
        let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
        let features =
            vec![feature("id", FeatureType::Integral), feature("time", FeatureType::String), feature("price", FeatureType::Fractional)];
        Schema::new(features, "id", "time").unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn map(columns: &[&str], drop: &[&str]) -> Result<Mapping> {
        Mapping::new(&schema(), &names(columns), &Dropped::new(&names(drop)), "a.csv")
    }

    #[test]
    fn matches_by_name_ignoring_case_and_order() {
        assert_eq!(map(&["Price", "TIME", "id"], &[]).unwrap().columns, [Some(2), Some(1), Some(0)]);
        let partial = map(&["time", "x", "id"], &["X"]).unwrap();
        assert_eq!(partial.columns, [Some(2), Some(0), None]);
        assert_eq!(partial.absent(&schema()).collect::<Vec<_>>(), ["price"]);
    }

    #[test]
    fn more_columns_than_features_are_left_out_and_told() {
        let wider = map(&["id", "extra", "time", "price", "__index_level_0__"], &[]).unwrap();
        assert_eq!((wider.columns, wider.left_out), (vec![Some(0), Some(2), Some(3)], names(&["extra", "__index_level_0__"])));
        let error = map(&["id", "time", "cost"], &[]).unwrap_err().to_string();
        assert!(error.contains("'cost' is no feature") && error.contains("'price' has no column"), "{error}");
        assert!(map(&["id", "time", "write_time"], &[]).is_ok(), "our own columns are no renamed feature");
    }

    #[test]
    fn names_the_column_that_does_not_fit() {
        let error = map(&["id", "time", "prize"], &[]).unwrap_err().to_string();
        assert!(error.contains("'prize'") && error.contains("did you mean 'price'") && error.contains("--drop"), "{error}");
        let error = map(&["id", "price"], &[]).unwrap_err().to_string();
        assert!(error.contains("'time' is missing") && error.contains("event time"), "{error}");
        let error = map(&["id", "ID", "time"], &[]).unwrap_err().to_string();
        assert!(error.contains("differ only in case"), "{error}");
        let dropped = Dropped::new(&names(&["prise"]));
        let error = dropped.check(&BTreeSet::from(["price".to_owned()])).unwrap_err().to_string();
        assert!(error.contains("did you mean 'price'"), "{error}");
    }

    #[test]
    fn a_changed_header_is_told_by_column() {
        let (first, other) = (names(&["id", "time", "a"]), names(&["time", "id", "b"]));
        let error = check_same(("1.csv", &first), ("2.csv", &other), &Dropped::default()).unwrap_err().to_string();
        assert!(error.starts_with("2.csv: column 'b' is not in '1.csv'"), "{error}");
        let error = check_same(("1.csv", &first), ("2.csv", &other[..2]), &Dropped::default()).unwrap_err().to_string();
        assert!(error.starts_with("2.csv: column 'a' of '1.csv' is missing"), "{error}");
        assert!(check_same(("1.csv", &first), ("2.csv", &names(&["A", "TIME", "ID"])), &Dropped::default()).is_ok());
    }
}
