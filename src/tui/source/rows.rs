//! Asks the store for rows of a history: by their place, or those a condition leaves.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::StreamExt;

use super::sql::{MOST_CELL, push};
use crate::model::{Error, FeatureGroup, Result};
use crate::store::{FeatureStore, RowQuery, RowStretch};
use crate::tui::jobs::Voice;
use crate::tui::model::grid::{Head, Row, Stretch};
use crate::tui::model::remote::ErrorText;
use crate::tui::model::rows::{Answer, MOST_FOUND, Question};

/// Bytes of an answer that are kept: rows may be very wide.
const MOST_BYTES: usize = 64 << 20;
/// Characters of a page, about: of very wide rows each cell shows only how it begins.
const PAGE_CHARACTERS: usize = 4 << 20;

/// What the browser asks.
#[async_trait]
pub(crate) trait RowsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_rows(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl RowsSource for FeatureStore {
    async fn answer_rows(&self, question: Question, _voice: &Voice) -> Answer {
        match question {
            Question::At { group, from, limit } => Answer::At(at(self, &group, from, limit).await.map_err(|error| (&error).into())),
            Question::Where { group, condition, order } => {
                let condition = Some(condition).filter(|condition| !condition.trim().is_empty());
                let found = found(self, &group, &RowQuery { condition, order }).await;
                Answer::Where(found.map_err(|error| ErrorText::from(&error)))
            }
        }
    }
}

async fn at(store: &FeatureStore, group: &str, from: u64, limit: u64) -> Result<Stretch> {
    let definition = store.group(group).await?;
    let found = store.rows_at(group, from, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    stretch(&found, &keys(&definition), |name| is_added(&definition, name), from, limit)
}

/// Rows as texts, with these columns first; `added` tells those that are no features.
pub(super) fn stretch(found: &RowStretch, keys: &[&str], added: impl Fn(&str) -> bool, from: u64, limit: u64) -> Result<Stretch> {
    let order = order(&found.schema, keys);
    let mut rows = Vec::new();
    let cells = order.len().max(1).saturating_mul(usize::try_from(limit).unwrap_or(usize::MAX).max(1));
    let most = (PAGE_CHARACTERS / cells).clamp(64, MOST_CELL);
    for batch in &found.batches {
        push(&mut rows, &arranged(batch, &order)?, most)?;
    }
    let columns = heads(&found.schema, added, &order);
    Ok(Stretch { columns, from, rows, total: found.total, cut: false, edition: found.edition })
}

fn keys(group: &FeatureGroup) -> [&str; 2] {
    [group.schema.identifier().name.as_str(), group.schema.event_time().name.as_str()]
}

/// True for a column that the store adds to the features.
fn is_added(group: &FeatureGroup, name: &str) -> bool {
    !group.schema.features().iter().any(|feature| feature.name.as_str().eq_ignore_ascii_case(name))
}

async fn found(store: &FeatureStore, group: &str, query: &RowQuery) -> Result<Stretch> {
    let definition = store.group(group).await?;
    // One more than is shown tells whether there are more.
    let mut stream = store.rows_where(group, query, MOST_FOUND + 1).await?;
    let schema = stream.schema();
    let order = order(&schema, &keys(&definition));
    let mut rows: Vec<Row> = Vec::new();
    let (mut bytes, mut cut) = (0, false);
    while let Some(batch) = stream.next().await {
        bytes += push(&mut rows, &arranged(&batch?, &order)?, MOST_CELL)?;
        if bytes > MOST_BYTES {
            cut = true;
            break;
        }
    }
    cut |= rows.len() as u64 > MOST_FOUND;
    rows.truncate(usize::try_from(MOST_FOUND).unwrap_or(usize::MAX));
    let columns = heads(&schema, |name| is_added(&definition, name), &order);
    Ok(Stretch { columns, from: 0, total: rows.len() as u64, rows, cut, edition: 0 })
}

/// Places of the columns in the order in which they are shown: the keys first.
fn order(schema: &SchemaRef, keys: &[&str]) -> Vec<usize> {
    let fields = schema.fields();
    let place = |name: &&str| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name));
    let first: Vec<usize> = keys.iter().filter_map(place).collect();
    let rest = (0..fields.len()).filter(|place| !first.contains(place));
    first.iter().copied().chain(rest).collect()
}

fn arranged(batch: &RecordBatch, order: &[usize]) -> Result<RecordBatch> {
    batch.project(order).map_err(|error| Error::internal("rows can't be arranged").source(error))
}

fn heads(schema: &SchemaRef, added: impl Fn(&str) -> bool, order: &[usize]) -> Vec<Head> {
    let head = |place: &usize| {
        let field = schema.field(*place);
        Head { name: field.name().clone(), right: field.data_type().is_numeric(), added: added(field.name()) }
    };
    order.iter().map(head).collect()
}
