//! From the footers of a group's files to the group: columns of all files together, rows, nulls and ranges summed up.
//!
//! A file whose column has another type than in the files before it (by path) is a fault of that file; it is left out of the sums.
//! Which column identifies a record, and which says when, no footer tells: a definition beside the files does, or the options of the
//! source; else both stay open.

use std::cmp::Ordering;

use super::super::observed::{ObservedFeature, ObservedGroup, ObservedHistory};
use super::folders::Folder;
use super::footer::{Column, Footer};
use crate::backend::offline::Bound;
use crate::model::name::RESERVED_FEATURES;
use crate::model::{Error, EventTime, FeatureGroup, TimeMode};

/// The column of event times that larder keeps for pruning.
const EVENT_TIMES: &str = "__event_time";

/// Names of columns that the options of a source say.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    pub(super) identifier: Option<String>,
    pub(super) event_time: Option<String>,
}

/// Footers of a group's files, summed up.
#[derive(Debug, Default)]
pub(super) struct Sum {
    columns: Vec<(Column, String)>,
    history: ObservedHistory,
}

impl Sum {
    /// Adds a file; the error says why it does not fit.
    pub(super) fn add(&mut self, shown: &str, footer: &Footer) -> Result<(), Error> {
        for column in &footer.columns {
            if let Some((known, first)) = self.find(&column.name).filter(|(known, _)| known.native != column.native) {
                return Err(Error::invalid(format!("{shown}: column '{}' is {}", column.name.escape_debug(), column.native))
                    .why(format!("it is {} in {first}", known.native))
                    .remedy("write the file again with the type of the others"));
            }
        }
        for column in &footer.columns {
            let earlier_rows = self.history.rows;
            match self.columns.iter_mut().find(|(known, _)| known.name == column.name) {
                None => {
                    // In the files before it, every row lacks it.
                    let nulls = column.nulls.map(|nulls| nulls + earlier_rows);
                    self.columns.push((Column { nulls, ..column.clone() }, shown.to_owned()));
                }
                Some((known, _)) => widen(known, column),
            }
        }
        for (known, _) in &mut self.columns {
            if !footer.columns.iter().any(|column| column.name == known.name) {
                known.nulls = known.nulls.map(|nulls| nulls + footer.rows);
            }
        }
        self.history.files += 1;
        self.history.rows += footer.rows;
        self.history.bytes += footer.bytes;
        Ok(())
    }

    fn find(&self, name: &str) -> Option<&(Column, String)> {
        self.columns.iter().find(|(known, _)| known.name == name)
    }

    /// The group of these files; `defined` is what a definition beside them says.
    pub(super) fn group(mut self, folder: &Folder, defined: Option<&FeatureGroup>, keys: &Keys) -> ObservedGroup {
        let is_sagemaker = !folder.incarnation.is_empty();
        if let Some(defined) = defined {
            // A feature that was renamed has the column it always had.
            let names = &defined.schema;
            self.columns.iter_mut().for_each(|(column, _)| column.name = names.name_of_column(&column.name).to_owned());
        }
        let mut group = match defined {
            Some(defined) => ObservedGroup { name: folder.name.clone(), status: None, ..ObservedGroup::from(defined) },
            None => self.inferred(folder, is_sagemaker, keys),
        };
        for feature in &mut group.features {
            if let Some(Ok((_, defined))) = defined.map(|defined| defined.schema.feature(&feature.name)) {
                let column = defined.column().as_str();
                feature.column = (column != feature.name).then(|| column.to_owned());
            }
            if let Some((column, _)) = self.columns.iter().find(|(column, _)| column.name.eq_ignore_ascii_case(&feature.name)) {
                feature.nulls = column.nulls;
                feature.min = column.min.as_ref().and_then(shown);
                feature.max = column.max.as_ref().and_then(shown);
            }
        }
        let times = [Some(EVENT_TIMES), group.event_time.as_deref()];
        let times =
            times.into_iter().flatten().find_map(|name| self.columns.iter().find(|(column, _)| column.name.eq_ignore_ascii_case(name)));
        if let Some((column, _)) = times {
            self.history.oldest_event_time = column.min.as_ref().and_then(event_time);
            self.history.newest_event_time = column.max.as_ref().and_then(event_time);
        }
        group.history = Some(self.history);
        group
    }

    fn inferred(&self, folder: &Folder, is_sagemaker: bool, keys: &Keys) -> ObservedGroup {
        let is_plumbing = |name: &str| is_sagemaker && RESERVED_FEATURES.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
        let columns: Vec<&Column> = self.columns.iter().map(|(column, _)| column).filter(|column| !is_plumbing(&column.name)).collect();
        let named = |wanted: &Option<String>| {
            let wanted = wanted.as_deref()?;
            columns.iter().find(|column| column.name.eq_ignore_ascii_case(wanted)).map(|column| column.name.clone())
        };
        let created = folder.incarnation.parse().ok().and_then(EventTime::from_unix_seconds);
        ObservedGroup {
            name: folder.name.clone(),
            features: columns.iter().map(|column| feature(column)).collect(),
            record_identifier: named(&keys.identifier),
            event_time: named(&keys.event_time),
            offline: Some(true),
            created: created.map(EventTime::to_iso8601),
            inferred: true,
            ..ObservedGroup::default()
        }
    }
}

fn feature(column: &Column) -> ObservedFeature {
    let (feature_type, collection, dimension) = column.kind.clone();
    ObservedFeature {
        name: column.name.clone(),
        feature_type,
        native_type: Some(column.native.clone()),
        collection,
        dimension,
        ..ObservedFeature::default()
    }
}

/// Takes in the same column of another file: a range that is not known there is not known at all, unless the column is all null there.
fn widen(known: &mut Column, other: &Column) {
    known.nulls = known.nulls.zip(other.nulls).map(|(one, two)| one + two);
    known.min = outer(known.min.take(), other.min.as_ref(), Ordering::Less);
    known.max = outer(known.max.take(), other.max.as_ref(), Ordering::Greater);
}

fn outer(known: Option<Bound>, other: Option<&Bound>, outward: Ordering) -> Option<Bound> {
    match (known, other) {
        (Some(known), Some(other)) if other.compare(&known) == Some(outward) => Some(other.clone()),
        (Some(known), _) => Some(known),
        (None, other) => other.cloned(),
    }
}

fn shown(bound: &Bound) -> Option<String> {
    match bound {
        Bound::Int(value) => Some(value.to_string()),
        Bound::Float(value) => Some(value.to_string()),
        Bound::Text(text) => Some(text.clone()),
        Bound::Bool(value) => Some(u8::from(*value).to_string()),
        Bound::Micros(micros) => EventTime::from_unix_micros(*micros).map(EventTime::to_iso8601),
    }
}

fn event_time(bound: &Bound) -> Option<String> {
    let time = match bound {
        Bound::Micros(micros) => EventTime::from_unix_micros(*micros),
        Bound::Float(seconds) => EventTime::from_unix_float(*seconds, TimeMode::Lenient),
        Bound::Int(seconds) => EventTime::from_unix_float(*seconds as f64, TimeMode::Lenient),
        Bound::Text(text) => EventTime::parse_text(text, TimeMode::Lenient).ok(),
        Bound::Bool(_) => None,
    };
    time.map(EventTime::to_iso8601)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn column(name: &str, native: &str, nulls: u64, min: i64, max: i64) -> Column {
        let kind = (Some("Integral".to_owned()), None, None);
        Column {
            name: name.into(),
            native: native.into(),
            kind,
            nulls: Some(nulls),
            min: Some(Bound::Int(min)),
            max: Some(Bound::Int(max)),
        }
    }

    fn footer(rows: u64, columns: Vec<Column>) -> Footer {
        Footer { rows, bytes: 100, columns }
    }

    #[test]
    fn files_are_summed_up_and_one_of_another_type_is_left_out() {
        let mut sum = Sum::default();
        sum.add("a", &footer(10, vec![column("id", "Int64", 0, 1, 9), column("at", "Int64", 0, 1_700_000_000, 1_700_000_001)])).unwrap();
        sum.add("b", &footer(5, vec![column("id", "Int64", 1, -3, 4), column("new", "Int64", 2, 0, 0)])).unwrap();
        let error = sum.add("c", &footer(1, vec![column("id", "Utf8", 0, 0, 0)])).unwrap_err().to_string();
        assert!(error.contains("c: column 'id' is Utf8 (it is Int64 in a)"), "{error}");
        let keys = Keys { identifier: Some("ID".into()), event_time: Some("at".into()) };
        let folder = Folder { name: "g".into(), ..Folder::default() };
        let group = sum.group(&folder, None, &keys);
        assert_eq!((group.record_identifier.as_deref(), group.event_time.as_deref(), group.inferred), (Some("id"), Some("at"), true));
        let facts: Vec<_> = group.features.iter().map(|feature| (feature.name.as_str(), feature.nulls)).collect();
        assert_eq!(facts, [("id", Some(1)), ("at", Some(5)), ("new", Some(12))], "a column that a file lacks is null there");
        assert_eq!((group.features[0].min.as_deref(), group.features[0].max.as_deref()), (Some("-3"), Some("9")));
        let history = group.history.unwrap();
        assert_eq!((history.files, history.rows, history.bytes), (2, 15, 200));
        assert_eq!(history.newest_event_time.as_deref(), Some("2023-11-14T22:13:21Z"));
    }

    #[test]
    fn keys_that_no_column_bears_stay_open_and_plumbing_is_no_feature() {
        let columns = ["id", "write_time", "is_deleted"].map(|name| column(name, "Int64", 0, 0, 1));
        let mut sum = Sum::default();
        sum.add("a", &footer(1, columns.to_vec())).unwrap();
        let folder = Folder { name: "g".into(), incarnation: "1700000000".into(), ..Folder::default() };
        let group = sum.group(&folder, None, &Keys { identifier: Some("customer".into()), event_time: None });
        assert_eq!((group.record_identifier, group.event_time, group.features.len()), (None, None, 1));
        assert_eq!(group.created.as_deref(), Some("2023-11-14T22:13:20Z"));
    }
}
