//! Writes rows of a statement or a history, or a list of the screen, into a file; its name says in which form.
//!
//! The file is there whole or not at all: a job that is dropped leaves nothing.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use futures::StreamExt;

use crate::model::{Error, EventTime, FeatureGroup, Result};
use crate::store::output_file::OutputFile;
use crate::store::{FeatureStore, OutputFormat, QueryStream, RowQuery, result_writer};
use crate::tui::model::catalog::Line;
use crate::tui::model::data::Summary;
use crate::tui::model::export::{Cells, Exported, FeatureList, Sheet};
use crate::tui::model::statistics::Level;

/// More rows than any history has, and a limit that every dialect takes.
const ALL_ROWS: u64 = i64::MAX as u64;

/// Writes it; returns the number of rows, and the path.
pub(super) async fn export(store: &FeatureStore, what: Exported, path: String) -> Result<(u64, String)> {
    let format = OutputFormat::from_file_name(&path).ok_or_else(|| {
        Error::usage(format!("the name '{path}' does not say in which form to write")).remedy("end it in .csv, .json or .parquet")
    })?;
    match what {
        Exported::Statement(sql) => write_rows(store.query(&sql, None).await?, format, path).await,
        Exported::Rows { group, condition, order } => {
            let condition = Some(condition).filter(|condition| !condition.trim().is_empty());
            let rows = store.rows_where(&group, &RowQuery { condition, order }, ALL_ROWS).await?;
            write_rows(rows, format, path).await
        }
        list => tokio::task::spawn_blocking(move || write_list(&list, format, path))
            .await
            .map_err(|error| Error::internal("the list could not be written").source(error))?,
    }
}

async fn write_rows(mut stream: QueryStream, format: OutputFormat, path: String) -> Result<(u64, String)> {
    let mut file = OutputFile::create(Path::new(&path))?;
    let mut rows = 0;
    {
        let mut writer = result_writer(format, &stream.schema(), None, file.writer())?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            writer.write(&batch)?;
        }
        writer.finish()?;
    }
    file.finish()?;
    Ok((rows, path))
}

fn write_list(list: &Exported, format: OutputFormat, path: String) -> Result<(u64, String)> {
    let batch = match list {
        Exported::Features(list) => features(list),
        Exported::Groups(groups) => group_rows(groups),
        Exported::Sheet(sheet) => cells(sheet),
        Exported::Statement(_) | Exported::Rows { .. } => return Err(Error::internal("a statement is no list")),
    }
    .map_err(|error| Error::internal("the list can't be put into columns").source(error))?;
    let mut file = OutputFile::create(Path::new(&path))?;
    {
        let mut writer = result_writer(format, &batch.schema(), None, file.writer())?;
        writer.write(&batch)?;
        writer.finish()?;
    }
    file.finish()?;
    Ok((batch.num_rows() as u64, path))
}

fn cells(sheet: &Sheet) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let column = |(name, cells): &(String, Cells)| {
        let values: ArrayRef = match cells {
            Cells::Texts(cells) => Arc::new(cells.iter().map(Option::as_deref).collect::<StringArray>()),
            Cells::Counts(cells) => Arc::new(cells.iter().copied().collect::<UInt64Array>()),
            Cells::Numbers(cells) => Arc::new(cells.iter().copied().collect::<Float64Array>()),
        };
        (name.clone(), values, true)
    };
    RecordBatch::try_from_iter_with_nullable(sheet.columns.iter().map(column))
}

fn features(list: &FeatureList) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let listing = list.shelf.listing();
    let listed: Vec<_> = list
        .rows
        .iter()
        .filter_map(|row| {
            let (group, _) = listing.place(*row)?;
            let feature = listing.feature(*row)?;
            let known = list.evidence.as_ref().and_then(|evidence| evidence.of(group, feature.name.as_str()));
            Some((&**group, feature, known))
        })
        .collect();
    let null_rate = |known: Option<&Line>| known.and_then(|known| known.nulls).map(|(nulls, rows)| nulls as f64 / rows as f64);
    let level = |known: Option<&Line>| {
        known.and_then(|known| known.drift).map(|level| match level {
            Level::Few => "few",
            Level::Ok => "ok",
            Level::Watch => "watch",
            Level::Alert => "alert",
        })
    };
    RecordBatch::try_from_iter_with_nullable([
        ("group", texts(listed.iter().map(|(group, ..)| Some(group.name.as_str()))), false),
        ("feature", texts(listed.iter().map(|(_, feature, _)| Some(feature.name.as_str()))), false),
        ("type", texts(listed.iter().map(|(_, feature, _)| Some(feature.type_text()))), false),
        ("description", texts(listed.iter().map(|(_, feature, _)| feature.description.as_deref())), true),
        ("parameters", texts(listed.iter().map(|(_, feature, _)| pairs(&feature.parameters))), true),
        ("owner", texts(listed.iter().map(|(group, ..)| group.owner.as_deref())), true),
        ("null_rate", Arc::new(listed.iter().map(|(.., known)| null_rate(*known)).collect::<Float64Array>()), true),
        ("drift", texts(listed.iter().map(|(.., known)| level(*known))), true),
        ("readers", Arc::new(listed.iter().map(|(.., known)| known.and_then(|known| known.readers)).collect::<UInt64Array>()), true),
    ])
}

fn group_rows(groups: &[(Arc<FeatureGroup>, Option<Summary>)]) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let number = |read: fn(&Summary) -> u64| -> ArrayRef {
        Arc::new(groups.iter().map(|(_, summary)| summary.as_ref().map(read)).collect::<UInt64Array>())
    };
    let yes = |read: fn(&FeatureGroup) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from(groups.iter().map(|(group, _)| read(group)).collect::<Vec<_>>()))
    };
    let newest = |summary: &Option<Summary>| {
        let newest = summary.as_ref().and_then(|summary| summary.newest)?;
        EventTime::from_unix_micros(newest).map(|time| time.to_string())
    };
    // Copies, so that the groups of a large list don't keep what was read of them.
    let schemas = || groups.iter().map(|(group, _)| group.schema.clone());
    let wide = groups.iter().map(|(group, _)| Some(group.schema.len() as u64)).collect::<UInt64Array>();
    RecordBatch::try_from_iter_with_nullable([
        ("group", texts(groups.iter().map(|(group, _)| Some(group.name.as_str()))), false),
        ("status", texts(groups.iter().map(|(group, _)| Some(group.status.to_string()))), false),
        ("description", texts(groups.iter().map(|(group, _)| group.description.as_deref())), true),
        ("owner", texts(groups.iter().map(|(group, _)| group.owner.as_deref())), true),
        ("tags", texts(groups.iter().map(|(group, _)| pairs(&group.tags))), true),
        ("record_identifier", texts(schemas().map(|schema| Some(schema.identifier().name.to_string()))), false),
        ("event_time", texts(schemas().map(|schema| Some(schema.event_time().name.to_string()))), false),
        ("features", Arc::new(wide), false),
        ("online", yes(|group| group.online.is_some()), false),
        ("offline", yes(|group| group.offline.is_some()), false),
        ("records", number(|summary| summary.records), true),
        ("files", number(|summary| summary.files), true),
        ("bytes", number(|summary| summary.bytes), true),
        ("newest_event_time", texts(groups.iter().map(|(_, summary)| newest(summary))), true),
    ])
}

fn texts<T: AsRef<str>>(texts: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}

/// `key=value, key=value`; none without any.
fn pairs(of: &std::collections::BTreeMap<String, String>) -> Option<String> {
    (!of.is_empty()).then(|| of.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", "))
}
