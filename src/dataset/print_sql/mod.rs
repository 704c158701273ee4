//! The question of a training dataset in the SQL of another engine, which then reads the same tables without us.
//!
//! ```text
//! WITH spine_rows AS (the spine; of each row the instant and the identifiers)
//!      records_1  AS (a group's records of these identifiers, numbered from the oldest to the newest)
//!      seen_1     AS (by identifier and instant: the number of the newest record that is not later)
//!      …              two of these for each use of a group
//! SELECT … FROM spine_rows LEFT JOIN seen_1 … LEFT JOIN records_1 … that is no tombstone and within the ttl
//! ```
//!
//! One shape for all dialects; [`dialect`] has their words, [`keys`] how identifiers and instants are read, [`sources`]
//! where rows come from. What must stay true: the answer is ours, cell by cell. So the files are those of one snapshot, in
//! the order of their commits, and where nothing else tells which of two records is newer the place in its file does,
//! wherever the engine tells it. No number of a row joins anything: an engine may work a WITH out twice, and number its
//! rows otherwise each time.

mod dialect;
mod keys;
mod sources;

pub use dialect::SqlDialect;
pub use sources::{Source, SourceFile, stored_columns};

use arrow::datatypes::DataType;

use self::keys::{identifier, instant};
use self::sources::Arm;
use crate::backend::offline::columns::{API_INVOCATION_TIME, IS_DELETED, WRITE_TIME};
use crate::model::{Error, EventTime, FeatureType, Result, Ttl};

/// A ttl of more seconds than this reaches back beyond the first year there is.
const WHOLE_CALENDAR: u64 = 315_600_000_000;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The rows of the spine.
    pub spine: Source,
    /// Its columns, in the order of the dataset.
    pub columns: Vec<String>,
    /// The one with the times.
    pub time: String,
    /// The uses of groups, in the order of the dataset.
    pub uses: Vec<GroupUse>,
    /// Only records written by then count.
    pub as_of: Option<EventTime>,
}

/// One use of a group.
#[derive(Debug, Clone)]
pub struct GroupUse {
    /// What it is called.
    pub alias: String,
    /// Its records.
    pub source: Source,
    /// What its identifiers are.
    pub kind: FeatureType,
    /// Column of the identifiers.
    pub identifier: String,
    /// Column of the event times.
    pub event_time: String,
    /// True for a table of ours, which knows write times and tombstones.
    pub knows_arrivals: bool,
    /// Column of the spine with the identifiers that are looked up.
    pub spine_id: String,
    /// Features: name in the group, type, column of the dataset.
    pub features: Vec<(String, DataType, String)>,
    /// How old a record may be.
    pub ttl: Option<Ttl>,
}

/// Prints a question.
///
/// # Errors
/// Invalid for names and types that the engine can't be told.
pub fn print_sql(question: &Question, dialect: SqlDialect) -> Result<String> {
    check_names(question)?;
    let printer = Printer { question, dialect, mark: free_mark(&question.columns) };
    let mut parts = vec![printer.spine()?];
    for number in 0..question.uses.len() {
        parts.push(printer.records(number)?);
        parts.push(printer.seen(number));
    }
    Ok(format!("WITH\n{}\n{}\n", parts.join(",\n"), printer.select()))
}

/// Text that would mean something else on a terminal or in a comment is not printed.
fn check_names(question: &Question) -> Result<()> {
    let features = question.uses.iter().flat_map(|one| one.features.iter().map(|(_, _, column)| column));
    match question.columns.iter().chain(features).find(|name| name.contains(char::is_control)) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!("the column '{}' can't stand in SQL", name.escape_debug()))
            .remedy("rename it without control characters")),
    }
}

/// What our own columns begin with, so that no column of the spine does. Features begin with a letter or a digit.
fn free_mark(columns: &[String]) -> String {
    let mut mark = "__".to_owned();
    while columns.iter().any(|column| column.starts_with(&mark)) {
        mark.push('_');
    }
    mark
}

struct Printer<'a> {
    question: &'a Question,
    dialect: SqlDialect,
    mark: String,
}

impl Printer<'_> {
    /// A column of ours.
    fn own(&self, name: &str) -> String {
        self.dialect.name(&format!("{}{name}", self.mark))
    }

    fn own_id(&self, number: usize) -> String {
        self.own(&format!("id_{}", number + 1))
    }

    fn part(name: &str, body: &str, comment: &str) -> String {
        let comment = if comment.is_empty() { String::new() } else { format!("  -- {comment}") };
        let body: Vec<String> = body.lines().map(|line| format!("    {line}")).collect();
        format!("  {name} AS ({comment}\n{}\n  )", body.join("\n"))
    }

    fn spine(&self) -> Result<String> {
        let Question { spine, columns, time, uses, .. } = self.question;
        let arm = |arm: &Arm<'_>| {
            let mut items = Vec::new();
            if let Some((file, row)) = arm.place(self.dialect) {
                items.push(format!("{file} AS {}", self.own("file")));
                items.push(format!("{row} AS {}", self.own("row")));
            }
            items.push(format!("{} AS {}", instant(self.dialect, arm, time)?, self.own("time")));
            for (number, group) in uses.iter().enumerate() {
                items.push(format!("{} AS {}", identifier(self.dialect, group.kind, arm, &group.spine_id)?, self.own_id(number)));
            }
            items.extend(columns.iter().map(|column| self.dialect.name(column)));
            Ok(format!("SELECT {}\nFROM {}", items.join(", "), arm.from(self.dialect)))
        };
        Ok(Self::part("spine_rows", &spine.arms(arm)?, ""))
    }

    fn records(&self, number: usize) -> Result<String> {
        let group = &self.question.uses[number];
        let dialect = self.dialect;
        let mut features: Vec<&(String, DataType, String)> = Vec::new();
        for feature in &group.features {
            if features.iter().all(|known| known.0 != feature.0) {
                features.push(feature);
            }
        }
        let has_places = dialect.tells_places();
        let arm = |arm: &Arm<'_>| {
            let mut items = Vec::new();
            if let Some((file, row)) = arm.place(dialect) {
                items.push(format!("{file} AS {}", self.own("file")));
                items.push(format!("{row} AS {}", self.own("row")));
            }
            items.push(format!("{} AS {}", identifier(dialect, group.kind, arm, &group.identifier)?, self.own("id")));
            items.push(format!("{} AS {}", instant(dialect, arm, &group.event_time)?, self.own("time")));
            if group.knows_arrivals {
                items.push(format!("{} AS {}", arm.plumbing(dialect, API_INVOCATION_TIME, "CAST(NULL AS TIMESTAMP)"), self.own("invoked")));
                items.push(format!("{} AS {}", arm.plumbing(dialect, WRITE_TIME, "CAST(NULL AS TIMESTAMP)"), self.own("written")));
                items.push(format!("coalesce({}, false) AS {}", arm.plumbing(dialect, IS_DELETED, "false"), self.own("deleted")));
            }
            items.extend(features.iter().map(|(name, data_type, _)| arm.column_or_null(dialect, name, data_type)));
            Ok(format!("SELECT {}\nFROM {}", items.join(", "), arm.from(dialect)))
        };
        let every = group.source.arms(arm)?;
        let mut newest = vec![self.own("time")];
        if group.knows_arrivals {
            newest.extend(["invoked", "written"].map(|name| format!("{} NULLS FIRST", self.own(name))));
        }
        if has_places {
            newest.extend(["file", "row"].map(|name| self.own(name)));
        }
        let (id, time) = (self.own("id"), self.own("time"));
        let mut kept = vec![id.clone(), time.clone()];
        if group.knows_arrivals {
            kept.push(self.own("deleted"));
        }
        kept.extend(features.iter().map(|(name, ..)| dialect.name(name)));
        let mut conditions = vec![format!("{id} IN (SELECT {} FROM spine_rows)", self.own_id(number)), format!("{time} IS NOT NULL")];
        if let Some(as_of) = self.question.as_of.filter(|_| group.knows_arrivals) {
            let written = self.own("written");
            conditions.push(format!("({written} IS NULL OR {written} <= {})", dialect.timestamp(as_of)));
        }
        let body = format!(
            "SELECT {},\n  row_number() OVER (PARTITION BY {id} ORDER BY {}) AS {}\nFROM (\n{}\n) AS every_record\nWHERE {}",
            kept.join(", "),
            newest.join(", "),
            self.own("number"),
            every.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"),
            conditions.join("\n  AND ")
        );
        Ok(Self::part(&format!("records_{}", number + 1), &body, &group.alias))
    }

    /// For each identifier and instant of the spine the number of the record that is seen then: the greatest so far.
    fn seen(&self, number: usize) -> String {
        let (id, time, asked, count) = (self.own("id"), self.own("time"), self.own("asked"), self.own("number"));
        let (own_id, name) = (self.own_id(number), number + 1);
        let body = format!(
            "SELECT {id}, {time}, {count}\nFROM (\n  SELECT {id}, {time}, {asked},\n    \
             max({count}) OVER (PARTITION BY {id} ORDER BY {time}, {asked} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS {count}\n  \
             FROM (\n    SELECT {id}, {time}, 0 AS {asked}, {count} FROM records_{name}\n    UNION ALL\n    \
             SELECT DISTINCT {own_id} AS {id}, {time}, 1 AS {asked}, CAST(NULL AS BIGINT) AS {count}\n    \
             FROM spine_rows WHERE {own_id} IS NOT NULL AND {time} IS NOT NULL\n  ) AS both_kinds\n) AS so_far\nWHERE {asked} = 1"
        );
        Self::part(&format!("seen_{name}"), &body, "")
    }

    fn select(&self) -> String {
        let Question { columns, uses, .. } = self.question;
        let dialect = self.dialect;
        let mut items: Vec<String> = columns.iter().map(|column| format!("spine_rows.{}", dialect.name(column))).collect();
        let mut joins = String::new();
        let (id, time, count) = (self.own("id"), self.own("time"), self.own("number"));
        for (index, group) in uses.iter().enumerate() {
            let number = index + 1;
            let named = |(feature, _, column): &(String, DataType, String)| {
                format!("records_{number}.{} AS {}", dialect.name(feature), dialect.name(column))
            };
            items.extend(group.features.iter().map(named));
            joins.push_str(&format!(
                "LEFT JOIN seen_{number} ON seen_{number}.{id} = spine_rows.{} AND seen_{number}.{time} = spine_rows.{time}\n\
                 LEFT JOIN records_{number} ON records_{number}.{id} = seen_{number}.{id} AND records_{number}.{count} = seen_{number}.{count}",
                self.own_id(index)
            ));
            if group.knows_arrivals {
                joins.push_str(&format!("\n  AND NOT records_{number}.{}", self.own("deleted")));
            }
            if let Some(seconds) = group.ttl.map(Ttl::seconds).filter(|seconds| *seconds < WHOLE_CALENDAR) {
                let oldest = dialect.earlier(&format!("spine_rows.{time}"), seconds);
                joins.push_str(&format!("\n  AND records_{number}.{time} >= {oldest}"));
            }
            joins.push('\n');
        }
        let order = match dialect.tells_places() {
            true => format!("ORDER BY spine_rows.{}, spine_rows.{}", self.own("file"), self.own("row")),
            false => String::new(),
        };
        format!("SELECT {}\nFROM spine_rows\n{joins}{order}", items.join(",\n  ")).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::{Field, Schema, TimeUnit};

    use super::*;

    fn question(columns: &[&str]) -> Question {
        let schema = |fields: Vec<(&str, DataType)>| {
            Arc::new(Schema::new(fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect::<Vec<_>>()))
        };
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let of_spine = columns.iter().map(|name| (*name, if *name == "at" { utc.clone() } else { DataType::Utf8 })).collect();
        let of_group = vec![("id", DataType::Utf8), ("x", DataType::Int64), ("__event_time", utc)];
        Question {
            spine: Source::Files(vec![SourceFile { location: "/s.parquet".into(), columns: schema(of_spine) }]),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            time: "at".into(),
            uses: vec![GroupUse {
                alias: "readings".into(),
                source: Source::Files(vec![SourceFile { location: "/r.parquet".into(), columns: schema(of_group) }]),
                kind: FeatureType::String,
                identifier: "id".into(),
                event_time: "__event_time".into(),
                knows_arrivals: true,
                spine_id: "who".into(),
                features: vec![("x".into(), DataType::Int64, "x".into()), ("late".into(), DataType::Utf8, "late".into())],
                ttl: Some("7d".parse().unwrap()),
            }],
            as_of: None,
        }
    }

    #[test]
    fn columns_of_ours_never_meet_those_of_a_spine() {
        let sql = print_sql(&question(&["who", "at", "__time", "a\"b"]), SqlDialect::DuckDb).unwrap();
        assert!(sql.contains("AS \"___time\"") && sql.contains("spine_rows.\"__time\"") && sql.contains("spine_rows.\"a\"\"b\""), "{sql}");
        assert!(print_sql(&question(&["who", "at", "a\nb"]), SqlDialect::Spark).is_err());
    }

    #[test]
    fn a_feature_that_a_file_lacks_is_null_there() {
        let sql = print_sql(&question(&["who", "at"]), SqlDialect::Spark).unwrap();
        assert!(sql.contains("CAST(NULL AS STRING) AS `late`") && sql.contains("- 604800000000"), "{sql}");
        let mut empty = question(&["who", "at"]);
        empty.uses[0].source = Source::Files(Vec::new());
        let sql = print_sql(&empty, SqlDialect::DuckDb).unwrap();
        assert!(sql.contains("CAST(NULL AS BIGINT) AS \"x\"") && sql.contains("WHERE 1 = 0"), "{sql}");
        assert!(!sql.contains("\"write_time\""), "no file has it: {sql}");
    }
}
