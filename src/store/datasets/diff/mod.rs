//! What differs between two datasets: columns, rows, cells, and the writes that made the difference.
//!
//! ```text
//! rows of each: its file, if that still holds them, else built again      [`table`]
//! -> rows that are one, by the spine's identifier and time                [`pairing`]
//! -> columns that both have, cell by cell, one column in memory at a time
//! -> for the rows that differ, when the record they see now was written   [`writes`]
//! ```

mod pairing;
mod table;
mod writes;

use std::fmt;

use serde::Serialize;

use self::pairing::Pairing;
use self::table::Table;
use super::cells::{differing, text};
use super::manifest::{Manifest, ManifestInput};
use super::output::write_output;
use super::plan::PlanOptions;
use super::verify::{FileState, file_state};
use crate::dataset::OutputFormat;
use crate::dataset::point_in_time::JoinWatch;
use crate::model::{Error, EventTime, Result, Ttl};
use crate::store::FeatureStore;

/// Examples that are given of each kind of difference.
const EXAMPLES: usize = 3;

/// One of the two.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffSide {
    /// `name@version`.
    pub dataset: String,
    /// When it was built.
    pub created: EventTime,
    /// Number of rows.
    pub rows: u64,
    /// Number of columns.
    pub columns: usize,
    /// Hash of its rows.
    pub content_hash: String,
}

/// A column that only one has, or that has another type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnChange {
    /// Its name.
    pub column: String,
    /// Its type in the first; none if it isn't there.
    pub from: Option<String>,
    /// Its type in the second; none if it isn't there.
    pub to: Option<String>,
}

/// A group that was read otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputChange {
    /// The group.
    pub group: String,
    /// What that use of it is called.
    pub alias: String,
    /// How the first read it; none if it didn't.
    pub from: Option<InputState>,
    /// How the second read it; none if it didn't.
    pub to: Option<InputState>,
}

impl fmt::Display for InputChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, alias, from, to } = self;
        let name = if group == alias { group.clone() } else { format!("{group} as {alias}") };
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (None, _) => return write!(out, "{name} is read now"),
            (_, None) => return write!(out, "{name} is not read any more"),
        };
        let mut parts = Vec::new();
        let version = |state: &InputState| state.delta_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        if from.delta_version != to.delta_version {
            parts.push(format!("version {} → {}", version(from), version(to)));
        }
        if from.fingerprint != to.fingerprint {
            parts.push("its files changed".to_owned());
        }
        if from.ttl != to.ttl {
            let ttl = |state: &InputState| state.ttl.map_or_else(|| "none".to_owned(), |ttl| ttl.to_string());
            parts.push(format!("ttl {} → {}", ttl(from), ttl(to)));
        }
        if let (Some(before), Some(after)) = (from.newest_write, to.newest_write)
            && before != after
        {
            parts.push(format!("newest write {before} → {after}"));
        }
        write!(out, "{name}: {}", parts.join(", "))
    }
}

/// How a group was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputState {
    /// Version of its Delta table.
    pub delta_version: Option<u64>,
    /// The newest write time among its rows.
    pub newest_write: Option<EventTime>,
    /// Of an external group: tells its files from others.
    pub fingerprint: Option<String>,
    /// The ttl in force.
    pub ttl: Option<Ttl>,
}

/// A row, by what the spine says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowKey {
    /// Its number in the dataset it is in; where it is in both, in the second.
    pub row: u64,
    /// Its identifier.
    pub identifier: Option<String>,
    /// Its time.
    pub time: Option<String>,
}

/// Rows that came, went or moved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RowChanges {
    /// Rows in both.
    pub kept: u64,
    /// Rows of the second alone.
    pub added: u64,
    /// Rows of the first alone.
    pub removed: u64,
    /// Rows in both that changed places with others.
    pub moved: u64,
    /// Some that were added.
    pub added_examples: Vec<RowKey>,
    /// Some that were removed.
    pub removed_examples: Vec<RowKey>,
}

/// Cells of one column that differ, in rows that are in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellChanges {
    /// The column.
    pub column: String,
    /// The group it comes from; none is the spine.
    pub group: Option<String>,
    /// How many.
    pub differing: u64,
    /// Some of them.
    pub examples: Vec<CellExample>,
}

/// A cell that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellExample {
    /// Its row.
    #[serde(flatten)]
    pub key: RowKey,
    /// In the first; none is null.
    pub from: Option<String>,
    /// In the second; none is null.
    pub to: Option<String>,
}

/// Rows that differ because of records that were written at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WriteShare {
    /// The group.
    pub group: String,
    /// What that use of it is called.
    pub alias: String,
    /// When the record that these rows see in the second was written; none if they see none.
    pub written: Option<EventTime>,
    /// True if that was after everything the first had seen.
    pub is_new: bool,
    /// Rows.
    pub rows: u64,
}

/// What differs between two datasets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetDiff {
    /// The first.
    pub a: DiffSide,
    /// The second.
    pub b: DiffSide,
    /// True if their rows are the same.
    pub is_same: bool,
    /// Columns that came, went or have another type.
    pub columns: Vec<ColumnChange>,
    /// Groups that were read otherwise.
    pub inputs: Vec<InputChange>,
    /// Rows that came, went or moved.
    pub rows: RowChanges,
    /// Columns with cells that differ.
    pub cells: Vec<CellChanges>,
    /// Through which writes, most rows first within each group.
    pub writes: Vec<WriteShare>,
    /// What else is to be known, such as that a dataset had to be built again.
    pub notes: Vec<String>,
}

/// Rows of B that differ, by the input they differ through.
struct DifferingRows {
    by_input: Vec<Vec<bool>>,
}

impl FeatureStore {
    /// Compares two datasets.
    ///
    /// # Errors
    /// Where one of them has to be built again, what [`FeatureStore::verify_dataset`] fails with.
    pub async fn diff_datasets(&self, a: &Manifest, b: &Manifest, memory: Option<u64>, watch: &JoinWatch) -> Result<DatasetDiff> {
        let mut diff = DatasetDiff {
            a: side(a),
            b: side(b),
            is_same: a.content_hash == b.content_hash,
            columns: column_changes(a, b),
            inputs: input_changes(a, b),
            rows: RowChanges { kept: a.rows.min(b.rows), ..RowChanges::default() },
            cells: Vec::new(),
            writes: Vec::new(),
            notes: Vec::new(),
        };
        if diff.is_same {
            return Ok(diff);
        }
        let options = PlanOptions { memory, watch: watch.clone(), ..PlanOptions::default() };
        let one = self.rows_of(a, &options, &mut diff.notes).await?;
        let two = self.rows_of(b, &options, &mut diff.notes).await?;
        let (first, second, tables) = (a.clone(), b.clone(), (one, two));
        let compared = tokio::task::spawn_blocking(move || {
            let found = compare(&first, &second, &tables.0, &tables.1)?;
            Ok::<_, Error>((found, tables.1))
        });
        let ((rows, cells, differing), two) =
            compared.await.map_err(|error| Error::internal("comparing the datasets stopped").source(error))??;
        diff.rows = rows;
        diff.cells = cells;
        for (input, rows) in b.inputs.iter().zip(&differing.by_input) {
            // Files of others don't say when a row was written.
            if input.fingerprint.is_none() && rows.contains(&true) {
                let before = a.inputs.iter().find(|other| is_same_use(other, input)).map(ManifestInput::cut);
                diff.writes.extend(self.write_shares(b, input, &two, rows, before, &options).await?);
            }
        }
        Ok(diff)
    }

    /// The rows of a dataset, as a Parquet file.
    async fn rows_of(&self, manifest: &Manifest, options: &PlanOptions, notes: &mut Vec<String>) -> Result<Table> {
        let stopped = |error| Error::internal("reading a training dataset stopped").source(error);
        let (files, block_rows) = (self.files_of(&manifest.output), self.inner.block_rows);
        let folder = if self.is_read_only() { std::env::temp_dir() } else { self.inner.folder.join("spill") };
        let (output, expected, copies) = (manifest.output.clone(), manifest.content_hash.clone(), folder.clone());
        let found = tokio::task::spawn_blocking(move || {
            let state = file_state(&files, &output, &expected, block_rows)?;
            let kept = (state == FileState::Same).then(|| Table::of_files(&files, &copies)).transpose()?;
            Ok::<_, Error>((state, kept))
        });
        let (state, kept) = found.await.map_err(stopped)??;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let why = match state {
            FileState::Gone => format!("{} is gone", manifest.output.path),
            FileState::Changed => format!("{} was changed", manifest.output.path),
            FileState::Same | FileState::SameSize => format!("{} is no Parquet file", manifest.output.path),
        };
        let changed = self.changed_sources(manifest).await?;
        let (plan, _) = self.plan_rebuild(manifest, options).await?;
        let joined = plan.run().await?;
        let built = tokio::task::spawn_blocking(move || {
            let (table, path) = Table::temporary(&folder)?;
            let file = std::fs::File::create(&path);
            let file = file.map_err(|error| Error::io(format!("can't write '{}'", path.display()), error))?;
            let hash = write_output(joined, OutputFormat::Parquet, std::io::BufWriter::new(file), block_rows)?;
            Ok::<_, Error>((table, hash))
        });
        let (table, hash) = built.await.map_err(stopped)??;
        let mut note = format!("{why}, so '{}' was built again for this", manifest.label());
        if hash.whole != manifest.content_hash {
            note.push_str(", and is not what it was");
            if !changed.is_empty() {
                note.push_str(&format!(" ({})", changed.join("; ")));
            }
        }
        notes.push(note);
        Ok(table)
    }
}

fn side(manifest: &Manifest) -> DiffSide {
    DiffSide {
        dataset: manifest.label(),
        created: manifest.created,
        rows: manifest.rows,
        columns: manifest.columns.len(),
        content_hash: manifest.content_hash.clone(),
    }
}

fn column_changes(a: &Manifest, b: &Manifest) -> Vec<ColumnChange> {
    let type_in =
        |manifest: &Manifest, name: &str| manifest.columns.iter().find(|column| column.name == name).map(|column| column.data_type.clone());
    let mut changes = Vec::new();
    for column in &a.columns {
        let to = type_in(b, &column.name);
        if to.as_ref() != Some(&column.data_type) {
            changes.push(ColumnChange { column: column.name.clone(), from: Some(column.data_type.clone()), to });
        }
    }
    for column in b.columns.iter().filter(|column| type_in(a, &column.name).is_none()) {
        changes.push(ColumnChange { column: column.name.clone(), from: None, to: Some(column.data_type.clone()) });
    }
    changes
}

fn is_same_use(one: &ManifestInput, other: &ManifestInput) -> bool {
    one.alias.eq_ignore_ascii_case(&other.alias) && one.id == other.id
}

fn input_changes(a: &Manifest, b: &Manifest) -> Vec<InputChange> {
    let state = |input: &ManifestInput| InputState {
        delta_version: input.delta_version,
        newest_write: input.newest_write,
        fingerprint: input.fingerprint.clone(),
        ttl: input.ttl,
    };
    let mut changes: Vec<InputChange> = Vec::new();
    let change = |input: &ManifestInput, from: Option<InputState>, to: Option<InputState>| InputChange {
        group: input.group.clone(),
        alias: input.alias.clone(),
        from,
        to,
    };
    for input in &a.inputs {
        let (from, to) = (state(input), b.inputs.iter().find(|other| is_same_use(other, input)).map(state));
        if to.as_ref() != Some(&from) {
            changes.push(change(input, Some(from), to));
        }
    }
    for input in b.inputs.iter().filter(|input| !a.inputs.iter().any(|other| is_same_use(other, input))) {
        changes.push(change(input, None, Some(state(input))));
    }
    changes.dedup();
    changes
}

/// Compares rows and cells. Blocks.
fn compare(a: &Manifest, b: &Manifest, one: &Table, two: &Table) -> Result<(RowChanges, Vec<CellChanges>, DifferingRows)> {
    let key_columns = |manifest: &Manifest| [manifest.request.spine_id.clone(), manifest.request.spine_time.clone()];
    let hash_of = |manifest: &Manifest, name: &str| {
        let column = manifest.spine_columns().find(|column| column.name.eq_ignore_ascii_case(name));
        column.map(|column| column.hash.clone())
    };
    // Where both have the same spine in the same order, each row is where it was.
    let is_aligned = a.rows == b.rows
        && key_columns(a).iter().zip(&key_columns(b)).all(|(one, two)| {
            let hash = hash_of(a, one);
            hash.is_some() && hash == hash_of(b, two)
        });
    let [id, time] = key_columns(b);
    let keys = [two.column(&id)?, two.column(&time)?];
    let key = |keys: &[arrow::array::ArrayRef; 2], row: u64| RowKey {
        row,
        identifier: text(&keys[0], row as usize),
        time: text(&keys[1], row as usize),
    };
    let mut changes = RowChanges::default();
    let pairing = if is_aligned {
        Pairing::Aligned(b.rows)
    } else {
        let [id, time] = key_columns(a);
        let before = [one.column(&id)?, one.column(&time)?];
        let (pairing, removed, added) = pairing::pair(&before, &keys)?;
        changes.removed = removed.len() as u64;
        changes.added = added.len() as u64;
        changes.removed_examples = removed.iter().take(EXAMPLES).map(|row| key(&before, u64::from(*row))).collect();
        changes.added_examples = added.iter().take(EXAMPLES).map(|row| key(&keys, u64::from(*row))).collect();
        pairing
    };
    changes.kept = pairing.len();
    changes.moved = pairing.moved();

    let mut cells = Vec::new();
    let mut rows = DifferingRows { by_input: vec![Vec::new(); b.inputs.len()] };
    for after in &b.columns {
        let Some(before) = a.columns.iter().find(|column| column.name == after.name) else { continue };
        if is_aligned && before.hash == after.hash {
            continue;
        }
        let (left, right) = (pairing.of_first(&one.column(&before.name)?)?, pairing.of_second(&two.column(&after.name)?)?);
        let differ = differing(&left, &right)?;
        let count = differ.iter().filter(|differs| **differs).count() as u64;
        if count == 0 {
            continue;
        }
        let row_in_b = |pair: usize| pairing.second(pair);
        let mut examples = Vec::new();
        for (pair, _) in differ.iter().enumerate().filter(|(_, differs)| **differs) {
            if examples.len() < EXAMPLES {
                examples.push(CellExample { key: key(&keys, row_in_b(pair)), from: text(&left, pair), to: text(&right, pair) });
            }
            if let Some(input) = after.input {
                let marks = &mut rows.by_input[input];
                marks.resize(b.rows as usize, false);
                marks[row_in_b(pair) as usize] = true;
            }
        }
        let group = after.input.and_then(|input| b.inputs.get(input)).map(|input| input.group.clone());
        cells.push(CellChanges { column: after.name.clone(), group, differing: count, examples });
    }
    Ok((changes, cells, rows))
}
