//! Runs statements: the first rows as texts, or all of them into a file. A job that is dropped stops reading.

use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use futures::StreamExt;

use super::export::export;
use crate::model::{Error, Result};
use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::remote::ErrorText;
use crate::tui::model::sql::{Answer, Question, Table};
use crate::tui::msg::News;

/// Rows that are shown at most.
pub(crate) const MOST_ROWS: u64 = 10_000;
/// Characters of a cell that are kept.
pub(super) const MOST_CELL: usize = 10_000;
/// Bytes of a result that are kept: rows may be very wide.
const MOST_BYTES: usize = 64 << 20;

/// What the browser asks.
#[async_trait]
pub(crate) trait SqlSource: Send + Sync + 'static {
    /// Answers; says before how many rows have arrived.
    async fn answer_sql(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl SqlSource for FeatureStore {
    async fn answer_sql(&self, question: Question, voice: &Voice) -> Answer {
        match question {
            Question::Run(sql) => Answer::Rows(run(self, &sql, voice).await.map_err(|error| ErrorText::from(&error))),
            Question::Export { what, path } => Answer::Exported(export(self, what, path).await.map_err(|error| ErrorText::from(&error))),
        }
    }
}

async fn run(store: &FeatureStore, sql: &str, voice: &Voice) -> Result<Table> {
    let started = Instant::now();
    // One more than is shown tells whether there are more.
    let mut stream = store.query(sql, Some(MOST_ROWS + 1)).await?;
    let schema = stream.schema();
    let columns = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().is_numeric())).collect();
    let mut table = Table { columns, ..Table::default() };
    let mut bytes = 0;
    while let Some(batch) = stream.next().await {
        bytes += push(&mut table.rows, &batch?, MOST_CELL)?;
        if bytes > MOST_BYTES {
            table.cut = true;
            break;
        }
        voice.mention(News::Sql(Answer::Arrived(table.rows.len() as u64)));
    }
    table.cut |= table.rows.len() as u64 > MOST_ROWS;
    table.rows.truncate(usize::try_from(MOST_ROWS).unwrap_or(usize::MAX));
    table.took = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
    Ok(table)
}

/// Adds the rows of a batch as texts, longer ones cut to so many characters; returns their bytes.
pub(super) fn push(rows: &mut Vec<Vec<Option<String>>>, batch: &RecordBatch, most: usize) -> Result<usize> {
    let fault = |error| Error::internal("a result can't be shown as text").source(error);
    let options = FormatOptions::default();
    let formatters = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(fault)?;
    let mut bytes = 0;
    for row in 0..batch.num_rows() {
        let cell = |(column, formatter): (&arrow::array::ArrayRef, &ArrayFormatter<'_>)| {
            if column.is_null(row) {
                return Ok(None);
            }
            let text = formatter.value(row).try_to_string()?;
            Ok(Some(if text.len() > most { text.chars().take(most).chain(['…']).collect() } else { text }))
        };
        let cells = batch.columns().iter().zip(&formatters).map(cell).collect::<std::result::Result<Vec<_>, arrow::error::ArrowError>>();
        let cells = cells.map_err(fault)?;
        bytes += cells.iter().map(|cell| size_of::<Option<String>>() + cell.as_ref().map_or(0, String::len)).sum::<usize>();
        rows.push(cells);
    }
    Ok(bytes)
}
