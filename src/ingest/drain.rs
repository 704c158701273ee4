//! The drain: records of the outbox become Parquet files of the history.
//!
//! ```text
//! read outbox (mark, hi] in order of arrival → one sorted Parquet file, durable, not yet visible
//!   → one Delta commit { the file, txn(this store) = hi } → trim the outbox up to hi
//! ```
//! The commit publishes rows and mark at once, so a crash anywhere replays without a loss or a double: before
//! the commit the file is an orphan and the rows are still in the outbox; after it the mark says they are in.
//! Two drains of one range race for one commit; the loser reads the winner's mark and starts over. A lease keeps
//! them from racing, to save the work; nothing depends on it.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::captured::{Captured, profile_or_none};
use crate::backend::offline::columns::{OfflineRow, rows_to_batch};
use crate::backend::offline::{CommitOutcome, Mark, OfflineStore};
use crate::backend::online::{OnlineStore, RowView};
use crate::model::{Arrival, Error, ErrorKind, FeatureGroup, FeatureValue, GroupId, RawValue, Result, Schema};

/// Most records of one file.
const MAX_ROWS: usize = 250_000;
/// Most bytes of their outbox entries.
const MAX_BYTES: usize = 96 << 20;
/// Times a drain starts over because somebody else committed.
const MAX_TRIES: usize = 20;

/// What a drain did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// Records it moved into files.
    pub rows: u64,
    /// Files it added.
    pub files: u64,
}

/// Name of this store's mark in the Delta logs.
pub fn drain_mark_name(online: &dyn OnlineStore) -> String {
    format!("larder-{}", online.store_id())
}

/// Drains the outbox of a group until it is empty. The statistics of what it moves are added to `captured`.
///
/// # Errors
/// `Conflict` if the group's definition is older than its records, or others kept committing first.
pub async fn drain(
    online: &Arc<dyn OnlineStore>,
    offline: &OfflineStore,
    group: &FeatureGroup,
    captured: &mut Captured,
) -> Result<DrainReport> {
    let mut report = DrainReport::default();
    let app_id = drain_mark_name(online.as_ref());
    let mut tries = 0;
    loop {
        // Settled: a mark may be acted upon, that is the outbox trimmed, only once it is on the disk.
        let after = offline.settled_snapshot(group).await?.mark(&app_id);
        let from = Arrival(after.unwrap_or(0));
        if online.trim_mark(group.id)? < from {
            trim(online, group.id, from).await?;
        }
        let (reader, definition) = (online.clone(), group.clone());
        let batch = tokio::task::spawn_blocking(move || {
            let rows = read_outbox(reader.as_ref(), &definition, from)?;
            let Some(last) = rows.last().map(|row| row.arrival) else { return Result::Ok(None) };
            let batch = rows_to_batch(&definition.schema, &rows)?;
            let profile = profile_or_none(&definition.schema, &batch);
            Ok(Some((batch, profile, last)))
        });
        let Some((batch, profile, last)) = batch.await.map_err(|error| Error::internal("the drain stopped").source(error))?? else {
            return Ok(report);
        };
        let rows = batch.num_rows() as u64;
        let staged = [offline.stage(group, vec![batch]).await?];
        let mark = Mark { app_id: app_id.clone(), after, upto: last.0 };
        match offline.commit(group, &staged, Some(&mark)).await {
            Ok(outcome) => {
                if let CommitOutcome::Committed { .. } = outcome {
                    report.rows += rows;
                    report.files += 1;
                    if let (Some(profile), [file]) = (profile, &staged) {
                        captured.add(&file.path, &profile);
                    }
                } else {
                    offline.discard(group, &staged).await?;
                }
                tries = 0;
            }
            Err(error) if error.kind() == ErrorKind::Conflict && tries < MAX_TRIES => {
                // Another drain moved the mark into our range: read again from there.
                offline.discard(group, &staged).await?;
                tries += 1;
                continue;
            }
            Err(error) => return Err(error),
        }
        trim(online, group.id, last).await?;
    }
}

/// Trimming waits for the disk, hence not on a thread of the runtime.
async fn trim(online: &Arc<dyn OnlineStore>, group: GroupId, up_to: Arrival) -> Result<u64> {
    let online = online.clone();
    let trimmed = tokio::task::spawn_blocking(move || online.trim_outbox(group, up_to));
    trimmed.await.map_err(|error| Error::internal("the drain stopped").source(error))?
}

fn read_outbox(online: &dyn OnlineStore, group: &FeatureGroup, after: Arrival) -> Result<Vec<OfflineRow>> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    online.outbox_to_drain(group.id, after, &mut |row| {
        let row = offline_row(&group.schema, row)?;
        bytes += row.values.iter().flatten().map(size).sum::<usize>();
        rows.push(row);
        Ok(if rows.len() < MAX_ROWS && bytes < MAX_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(rows)
}

fn size(value: &FeatureValue) -> usize {
    match value {
        FeatureValue::Scalar(scalar) => scalar.text().len(),
        FeatureValue::Collection(scalars) => scalars.iter().map(|scalar| scalar.text().len()).sum(),
    }
}

/// Turns an outbox entry into a row of the history.
///
/// # Errors
/// `Conflict` if it knows more features than the schema: the group was changed meanwhile.
pub fn offline_row(schema: &Schema, row: RowView<'_>) -> Result<OfflineRow> {
    if row.width() > schema.len() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("record '{}' has more features than its group", row.identifier().escape_debug()),
        )
        .why("features were added meanwhile")
        .remedy("run the command again"));
    }
    let mut values = Vec::with_capacity(schema.len());
    for (position, definition) in schema.features().iter().enumerate() {
        let value: Option<RawValue> = row.value(position);
        values.push(value.map(|raw| FeatureValue::parse(definition, raw)).transpose()?);
    }
    Ok(OfflineRow {
        identifier: row.identifier().to_owned(),
        event_time: row.event_time(),
        values,
        arrival: row.arrival(),
        is_deleted: row.is_tombstone(),
    })
}

/// All outbox entries of a group above a mark, in order of arrival, for readers that see unflushed records too.
pub fn unflushed(online: &dyn OnlineStore, group: &FeatureGroup, after: Arrival) -> Result<Vec<OfflineRow>> {
    let mut rows = Vec::new();
    online.outbox(group.id, after, &mut |row| {
        rows.push(offline_row(&group.schema, row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}
