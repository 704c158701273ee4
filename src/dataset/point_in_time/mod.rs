//! The point-in-time join: for each row of a spine the features of several groups as they were at the row's time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::scan::GroupScan;
use crate::model::{EventTime, Result, Ttl};

/// The rows that labels come from, batch by batch.
pub struct Spine {
    /// Its columns; the dataset has them too, with their types.
    pub schema: SchemaRef,
    /// Position of the time of each row.
    pub time: usize,
    /// The rows.
    pub batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
}

/// A column of the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinFeature {
    /// Name of the feature in its group.
    pub feature: String,
    /// Name of the column in the dataset.
    pub column: String,
}

/// One use of a group.
pub struct JoinGroup {
    /// Snapshot of the group.
    pub scan: GroupScan,
    /// What this use of it is called.
    pub alias: String,
    /// Position in the spine of the group's identifiers.
    pub spine_id: usize,
    /// The columns it brings.
    pub features: Vec<JoinFeature>,
    /// How old a record may be at a row's time, both ends inclusive.
    pub ttl: Option<Ttl>,
}

/// How a join is to run.
#[derive(Debug, Clone)]
pub struct JoinOptions {
    /// Only records written by then count.
    pub as_of: Option<EventTime>,
    /// Only records written by the row's own time count: what was known then.
    pub known_then: bool,
    /// Bytes it may hold; beyond them it spills.
    pub memory: usize,
    /// Threads it uses.
    pub parallelism: usize,
    /// Where it spills; none is the system's folder for temporary files.
    pub spill_folder: Option<PathBuf>,
}

/// How far a join came; whoever watches may also stop it.
#[derive(Debug, Clone, Default)]
pub struct JoinWatch {
    /// Set to stop: the join ends with `Interrupted`.
    pub cancel: Arc<AtomicBool>,
    /// Rows of the groups' files that were looked at.
    pub rows_read: Arc<AtomicU64>,
    /// Rows of the groups' files to look at.
    pub rows_to_read: Arc<AtomicU64>,
    /// Rows of the dataset handed on.
    pub rows_written: Arc<AtomicU64>,
}

/// The dataset, batch by batch, in the order of the spine.
pub struct JoinedRows {
    /// Its columns.
    pub schema: SchemaRef,
    /// Rows that found a record, by group, in the order of the request; complete once the last batch was taken.
    pub matched: Vec<u64>,
}
