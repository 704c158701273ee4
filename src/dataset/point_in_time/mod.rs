//! The point-in-time join: for each row of a spine the features of several groups as they were at the row's time.
//!
//! ```text
//! spine ──────────────┬─ identifiers, times ─> [`resolve`] one use of a group ─> chunks of features   (in memory)
//!   held, or spilled  │                    └─> [`spill`]  the same part by part, by hash of identifier (beyond it)
//!                     └─────────────────────────────────────────────> [`pieces`] rows in the spine's order
//! ```
//!
//! What it means is said in the design (semantics): among the records of the row's identifier whose event time is not
//! after the row's, not older than the ttl and, if asked, written by then, the greatest (event time, api invocation time,
//! write time, commit order) counts; if it is a tombstone the features are null. Times count in whole microseconds.
//! What must stay true: exactly one row out for each row in, in the same order, whatever the files, the number of threads
//! and the memory; the same rows give the same bytes.
//!
//! The kernel is [`slots`]; it knows neither files nor threads. Everything here blocks and belongs on a thread that may;
//! only the fetching of bytes is handed to a runtime.

#[cfg(feature = "cluster")]
mod division;
mod extent;
pub(super) mod file;
mod identifiers;
pub(super) mod operator;
pub(super) mod parallel;
mod pieces;
mod records;
mod resolve;
mod selection;
mod slots;
mod spill;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use tokio::runtime::Handle;

#[cfg(feature = "cluster")]
pub use division::Division;
pub use pieces::{JoinedBatches, JoinedRows, Piece};

use self::records::KeyColumns;
use self::resolve::{GroupPlan, Works};
use self::slots::Admission;
use super::instants::{holds_instants, instants};
use super::scan::{GroupScan, SharedScan};
use crate::model::suggest::suggest;
use crate::model::{Error, EventTime, Result, Ttl};

/// Least memory a join can work in.
pub const MIN_MEMORY: usize = 64 << 20;

/// A column of the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinFeature {
    /// Name of the feature in its group.
    pub feature: String,
    /// Name of the column in the dataset.
    pub column: String,
}

/// One use of a group.
#[derive(Debug, Clone)]
pub struct JoinGroup {
    /// Snapshot of the group.
    pub scan: GroupScan,
    /// Position in the spine of the group's identifiers.
    pub spine_id: usize,
    /// The columns it brings.
    pub features: Vec<JoinFeature>,
    /// How old a record may be at a row's time, both ends inclusive.
    pub ttl: Option<Ttl>,
    /// Only records written by then count.
    pub as_of: Option<EventTime>,
}

/// How a join is to run.
#[derive(Debug, Clone)]
pub struct JoinOptions {
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
    /// Records that were looked at.
    pub rows_read: Arc<AtomicU64>,
    /// Records to look at, as far as is known.
    pub rows_to_read: Arc<AtomicU64>,
    /// Rows of the dataset handed on.
    pub rows_written: Arc<AtomicU64>,
    /// Rows of the dataset, once the spine was read.
    pub rows_to_write: Arc<AtomicU64>,
}

impl JoinWatch {
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) { Err(Error::interrupted("the work was stopped")) } else { Ok(()) }
    }
}

/// A join, checked and ready to run.
#[derive(Debug)]
pub struct PointInTimeJoin {
    spine: SchemaRef,
    time: usize,
    groups: Vec<GroupPlan>,
    schema: SchemaRef,
    options: JoinOptions,
}

impl PointInTimeJoin {
    /// Checks a join: `spine` are the columns of the spine, of which the one at `time` says when each row is.
    ///
    /// # Errors
    /// `Invalid` for a column of times or identifiers whose type can't hold them, `NotFound` for a feature that no file
    /// of the group has, `Usage` for too little memory.
    pub fn new(spine: SchemaRef, time: usize, groups: Vec<JoinGroup>, options: JoinOptions) -> Result<Self> {
        if options.memory < MIN_MEMORY {
            return Err(Error::usage(format!("{} bytes of memory are too few for a point-in-time join", options.memory))
                .remedy(format!("give it {} MiB or more", MIN_MEMORY >> 20)));
        }
        let times = spine.field(time);
        if !holds_instants(times.data_type()) {
            return Err(Error::invalid(format!("column '{}' of the spine holds no times", times.name()))
                .why(format!("it is {}", times.data_type()))
                .remedy("name a column of timestamps, ISO-8601 text or Unix seconds"));
        }
        let mut fields: Vec<Arc<Field>> = spine.fields().to_vec();
        let mut plans = Vec::with_capacity(groups.len());
        for group in groups {
            let (plan, columns) = plan_group(&spine, group, options.known_then)?;
            fields.extend(columns);
            plans.push(plan);
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), spine, time, groups: plans, options })
    }

    /// Columns of the dataset: those of the spine, then the features in the order of the request.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What is read of each use of a group, in the order of the request.
    pub fn snapshots(&self) -> impl Iterator<Item = &GroupScan> {
        self.groups.iter().map(|group| group.scan.snapshot())
    }

    /// Columns of the spine, and the position of the one of times.
    #[cfg(feature = "cluster")]
    pub(in crate::dataset) fn spine(&self) -> (&SchemaRef, usize) {
        (&self.spine, self.time)
    }

    /// How it is to run.
    #[cfg(feature = "cluster")]
    pub(in crate::dataset) fn options(&self) -> &JoinOptions {
        &self.options
    }

    /// The uses of groups it was made of.
    #[cfg(feature = "cluster")]
    pub(in crate::dataset) fn groups(&self) -> Vec<JoinGroup> {
        let mut columns = self.schema.fields()[self.spine.fields().len()..].iter();
        let uses = self.groups.iter().map(|group| JoinGroup {
            scan: group.scan.snapshot().clone(),
            spine_id: group.spine_id,
            features: group
                .features
                .iter()
                .zip(columns.by_ref())
                .map(|(feature, column)| JoinFeature { feature: feature.name().clone(), column: column.name().clone() })
                .collect(),
            ttl: group.asked_ttl,
            as_of: group.admission.as_of.and_then(EventTime::from_unix_micros),
        });
        uses.collect()
    }

    /// Reads the spine's times for nothing but their faults: `first` is the number of the batch's first row.
    ///
    /// # Errors
    /// `Invalid` for a time that can't be read, naming the row.
    #[cfg(feature = "cluster")]
    pub fn check_times(&self, batch: &RecordBatch, first: u64) -> Result<()> {
        self.times(batch, first).map(drop)
    }

    /// Reads the spine and finds the record of each of its rows. Blocks; the features come in the spine's order as the
    /// result is read.
    ///
    /// # Errors
    /// `Interrupted`, `Invalid` for a time that can't be read (naming the row), errors of reading and of spilling.
    pub fn run(&self, spine: impl Iterator<Item = Result<RecordBatch>>, runtime: &Handle, watch: &JoinWatch) -> Result<JoinedRows> {
        let works = Works { options: &self.options, runtime, watch };
        pieces::join(self, spine, works)
    }

    /// The instants of a batch of the spine, whose first row is number `first`.
    fn times(&self, batch: &RecordBatch, first: u64) -> Result<Int64Array> {
        let column = batch.column(self.time);
        let name = self.spine.field(self.time).name();
        let found =
            instants(column).map_err(|error| Error::invalid(format!("column '{name}' of the spine holds no times")).source(error))?;
        match found.unreadable {
            None => Ok(found.micros),
            Some(row) => {
                let value = array_value_to_string(column, row).unwrap_or_default();
                let shown: String = value.chars().take(60).collect();
                Err(Error::invalid(format!("row {} of the spine: '{}' is not a time", first + row as u64, shown.escape_debug()))
                    .why(format!("column '{name}' says when each row is"))
                    .remedy("write it like 2026-11-23T09:30:00Z, or leave it empty for a row without features"))
            }
        }
    }
}

/// Checks one use of a group; also returns its columns of the dataset.
fn plan_group(spine: &SchemaRef, group: JoinGroup, known_then: bool) -> Result<(GroupPlan, Vec<Arc<Field>>)> {
    let scan = SharedScan::new(group.scan)?;
    let keys = KeyColumns::of(&scan)?;
    let identifiers = spine.field(group.spine_id);
    if !keys.kind.accepts(identifiers.data_type()) {
        return Err(Error::invalid(format!("column '{}' of the spine can't be looked up in '{}'", identifiers.name(), scan.group().name))
            .why(format!(
                "it is {}, and the group's identifiers ('{}') are {}",
                identifiers.data_type(),
                keys.identifier,
                keys.kind.describe()
            ))
            .remedy("convert the column, or name another"));
    }
    let mut features = Vec::with_capacity(group.features.len());
    let mut columns = Vec::with_capacity(group.features.len());
    for JoinFeature { feature, column } in group.features {
        let Some(position) = scan.position(&feature) else {
            let error = Error::not_found(format!("'{}' has no feature '{}'", scan.group().name, feature.escape_debug()));
            let names: Vec<String> = scan.column_names().collect();
            return Err(match suggest(&feature, names.iter().map(String::as_str)) {
                Some(near) => error.remedy(format!("did you mean '{near}'?")),
                None => error.remedy(format!("`larder describe {}` shows its features", scan.group().name)),
            });
        };
        let field = scan.visible().fields()[position].clone();
        columns.push(Arc::new(Field::new(column, field.data_type().clone(), true)));
        features.push(field);
    }
    let asked_ttl = group.ttl;
    let ttl = asked_ttl.map(|ttl| i64::try_from(ttl.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000));
    let admission = Admission { as_of: group.as_of.map(EventTime::unix_micros), known_then };
    let plan = GroupPlan {
        scan,
        keys,
        features,
        spine_id: group.spine_id,
        #[cfg(feature = "cluster")]
        asked_ttl,
        ttl,
        admission,
    };
    Ok((plan, columns))
}
