//! Explaining one cell of a dataset: which record it comes from and which lost, or why it is null.
//!
//! This is a second, independent reading of the rule in the design (point in time): every record of the identifier is read
//! from every file and the outbox ([`records`]), sorted, and judged one by one ([`verdict`]). It shares nothing with the
//! join but the files, is slow and obvious on purpose, and a test holds the two against each other.

mod records;
mod verdict;

use arrow::array::{ArrayRef, RecordBatch};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use serde::Serialize;
use serde_json::Value as Json;

pub use verdict::{Candidate, NullReason, Outcome, RecordSource, Verdict};

use self::records::{Basis, Identifier, instant_at};
use super::build::{check_rereadable, with_absolute_spine};
use super::cells::text;
use super::files::DatasetFile;
use super::manifest::{Manifest, ManifestInput};
use super::plan::{ColumnOrigin, DatasetInput, DatasetPlan, PlanOptions};
use crate::dataset::request::{DatasetRequest, FeatureSelection, TtlOverride};
use crate::model::suggest::suggest;
use crate::model::{Error, EventTime, FeatureGroup, Result, Ttl};
use crate::store::FeatureStore;

/// Candidates that are listed; the winner and those next to it come first.
const MAX_CANDIDATES: usize = 50;

/// Why a cell is what it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The group.
    pub group: String,
    /// The feature.
    pub feature: String,
    /// Its column in the dataset, where a dataset is asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Number of the row, where a dataset is asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The row's identifier; none if it has none.
    pub identifier: Option<String>,
    /// The row's time; none if it has none.
    pub time: Option<EventTime>,
    /// How old a record may be.
    pub ttl: Option<Ttl>,
    /// Only records written by then count.
    pub as_of: Option<EventTime>,
    /// True if only records written by the row's time count.
    pub known_then: bool,
    /// The answer.
    pub outcome: Outcome,
    /// Number of the winning record among the candidates.
    pub winner: Option<usize>,
    /// Records of the identifier, newest first.
    pub candidates: Vec<Candidate>,
    /// Records of the identifier that are not listed.
    pub left_out: u64,
    /// True where the records are those written by the time of the build, because the version it read is gone.
    pub by_write_time: bool,
}

/// A cell that is asked about without a dataset.
#[derive(Debug, Clone)]
pub struct CellQuestion {
    /// The group, its alias and one feature of it.
    pub selection: FeatureSelection,
    /// The row's identifier.
    pub identifier: String,
    /// The row's time.
    pub time: EventTime,
    /// Ttls that differ from that of the group.
    pub ttls: Vec<TtlOverride>,
    /// Only records written by then count.
    pub as_of: Option<EventTime>,
    /// Only records written by the row's time count.
    pub known_then: bool,
}

/// One use of a group, as explaining needs it.
struct Asked {
    group: FeatureGroup,
    feature: String,
    column: Option<String>,
    ttl: Option<Ttl>,
    as_of: Option<EventTime>,
    known_then: bool,
    basis: Basis,
}

/// Identifier and time of a row.
struct Row {
    number: Option<u64>,
    identifier: Option<String>,
    micros: Option<i64>,
}

impl FeatureStore {
    /// Explains a cell that is asked about by identifier and time.
    ///
    /// # Errors
    /// `NotFound` for a group or feature that isn't there, `Invalid` for an identifier that the group can't have.
    pub async fn explain_cell(&self, question: &CellQuestion) -> Result<Explanation> {
        let group = self.group(&question.selection.group).await?;
        let feature = match question.selection.features.as_deref() {
            Some([one]) => one.name.clone(),
            _ => {
                return Err(Error::usage("one feature can be explained at a time")
                    .remedy(format!("name it: --features '{}:FEATURE'", question.selection.group)));
            }
        };
        let of = |error: Error| error.within(format_args!("'{}'", group.name));
        let feature = group.schema.feature(&feature).map_err(of)?.1.name.to_string();
        let is_for = |ttl: &&TtlOverride| {
            ttl.group.as_deref().is_none_or(|name| {
                name.eq_ignore_ascii_case(question.selection.alias()) || name.eq_ignore_ascii_case(&question.selection.group)
            })
        };
        // One for the group comes before one for all.
        let ttl = question.ttls.iter().filter(is_for).max_by_key(|ttl| ttl.group.is_some());
        let asked = Asked {
            feature,
            column: None,
            ttl: ttl.map_or_else(|| group.ttl(), |ttl| ttl.ttl),
            as_of: question.as_of,
            known_then: question.known_then,
            basis: Basis::Newest,
            group: group.as_ref().clone(),
        };
        // Told here, where it is the user's own: in a dataset it is a row without a match.
        Identifier::parse(&asked.group, &question.identifier)?;
        let row = Row { number: None, identifier: Some(question.identifier.clone()), micros: Some(question.time.unix_micros()) };
        self.explained(asked, row).await
    }

    /// Explains a cell of a dataset that was built, from the records it was built from.
    ///
    /// # Errors
    /// `NotFound` for a row or column that it doesn't have, or if neither its file nor its spine is there any more.
    pub async fn explain_dataset_row(&self, manifest: &Manifest, row: u64, column: &str, known_then: bool) -> Result<Explanation> {
        let found = manifest.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column));
        let (number, feature) = match found {
            Some(found) => match (found.input, &found.feature) {
                (Some(input), Some(feature)) => (input, feature.clone()),
                _ => return Err(carried_through(&found.name)),
            },
            None => {
                let inputs = manifest.inputs.iter().map(|input| {
                    (
                        input.alias.as_str(),
                        input.group.as_str(),
                        input.features.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>(),
                    )
                });
                find_feature(column, &inputs.collect::<Vec<_>>(), manifest.columns.iter().map(|column| column.name.as_str()))?
            }
        };
        if row >= manifest.rows {
            return Err(no_such_row(row, manifest.rows));
        }
        let input = &manifest.inputs[number];
        let group = self.group_of_input(input).await?;
        let past = self.basis_of(&group, input).await?;
        let asked = Asked {
            group,
            column: input.features.iter().find(|known| known.name == feature).and_then(|known| known.column.clone()),
            feature,
            ttl: input.ttl,
            as_of: manifest.request.as_of,
            known_then,
            basis: past,
        };
        let batch = match self.row_of_output(manifest, row).await? {
            Some(batch) => batch,
            None => self.row_of_spine(&manifest.pinned_request(), row).await?,
        };
        let row = row_of(&batch, row, &input.spine_id, &manifest.request.spine_time)?;
        self.explained(asked, row).await
    }

    /// Explains a cell of a dataset that could be built.
    ///
    /// # Errors
    /// What planning refuses; `NotFound` for a row or column that it wouldn't have.
    pub async fn explain_request_row(&self, request: &DatasetRequest, row: u64, column: &str, known_then: bool) -> Result<Explanation> {
        check_rereadable(request)?;
        let request = with_absolute_spine(request)?;
        let plan = self.plan_dataset(&request, &PlanOptions::default()).await?;
        let (input, feature) = column_of_plan(&plan, column)?;
        let group = self.group(&input.group).await?.as_ref().clone();
        let asked = Asked {
            group,
            column: input.features.iter().find(|known| known.name == feature).map(|known| known.column.clone()),
            feature,
            ttl: input.ttl,
            as_of: request.as_of,
            known_then,
            basis: Basis::Newest,
        };
        let spine_id = input.spine_id.clone();
        drop(plan);
        let batch = self.row_of_spine(&request, row).await?;
        self.explained(asked, row_of(&batch, row, &spine_id, &request.spine_time)?).await
    }

    async fn explained(&self, asked: Asked, row: Row) -> Result<Explanation> {
        let time = row.micros.and_then(EventTime::from_unix_micros);
        let rule = verdict::Rule {
            time: row.micros,
            ttl: asked.ttl.map(|ttl| i64::try_from(ttl.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000)),
            as_of: asked.as_of.map(EventTime::unix_micros),
            known_then: asked.known_then,
        };
        let wanted = row.identifier.as_deref().and_then(|text| Identifier::parse(&asked.group, text).ok());
        let records = match (&wanted, time) {
            (Some(identifier), Some(_)) => self.records_of(&asked.group, &asked.feature, identifier, &asked.basis).await?,
            _ => Vec::new(),
        };
        let found = records.len();
        let decided = verdict::decide(&rule, row.identifier.is_some(), records, MAX_CANDIDATES);
        Ok(Explanation {
            group: asked.group.name.to_string(),
            feature: asked.feature,
            column: asked.column,
            row: row.number,
            identifier: row.identifier,
            time,
            ttl: asked.ttl,
            as_of: asked.as_of,
            known_then: asked.known_then,
            outcome: decided.outcome,
            winner: decided.winner,
            left_out: (found - decided.candidates.len()) as u64,
            candidates: decided.candidates,
            by_write_time: matches!(asked.basis, Basis::WrittenBy(_)),
        })
    }

    /// The records an input was read from.
    async fn basis_of(&self, group: &FeatureGroup, input: &ManifestInput) -> Result<Basis> {
        if group.is_external() {
            return Ok(Basis::Newest);
        }
        let past = self.past_records(group, input).await?;
        Ok(match (past.snapshot, past.cut) {
            (Some(snapshot), None) => Basis::Version(snapshot),
            (_, cut) => Basis::WrittenBy(cut.unwrap_or(EventTime::MAX)),
        })
    }

    /// A row of a dataset's own file; none if that is not there as it was written, or is no Parquet.
    async fn row_of_output(&self, manifest: &Manifest, row: u64) -> Result<Option<RecordBatch>> {
        let is_parquet = manifest.output.format == crate::dataset::OutputFormat::Parquet.as_str();
        let files = self.files_of(&manifest.output);
        let read = tokio::task::spawn_blocking(move || {
            let mut before = 0;
            for file in files {
                // One of a single file is told by the manifest's own number of rows.
                let end = file.rows().map_or(u64::MAX, |rows| before + rows);
                if row < end {
                    return if is_parquet && file.is_there() { row_of_parquet(&file, row - before).map(Some) } else { Ok(None) };
                }
                before = end;
            }
            Ok(None)
        });
        read.await.map_err(|error| Error::internal("reading a row stopped").source(error))?
    }

    /// A row of the spine.
    async fn row_of_spine(&self, request: &DatasetRequest, row: u64) -> Result<RecordBatch> {
        let mut groups = Vec::with_capacity(request.features.len());
        for selection in &request.features {
            groups.push(self.group(&selection.group).await?);
        }
        let spine = self.open_spine(request, &groups).await?;
        // Within the runtime, which a spine from SQL runs on.
        let batches = spine.batches();
        let read = tokio::task::spawn_blocking(move || {
            let mut before = 0;
            for batch in batches {
                let batch = batch?;
                let rows = batch.num_rows() as u64;
                if row < before + rows {
                    return Ok(batch.slice((row - before) as usize, 1));
                }
                before += rows;
            }
            Err(no_such_row(row, before))
        });
        read.await.map_err(|error| Error::internal("reading the spine stopped").source(error))?
    }
}

fn no_such_row(row: u64, rows: u64) -> Error {
    let last = rows.saturating_sub(1);
    Error::not_found(format!("there is no row {row}"))
        .why(format!("there are {rows}, counted from 0"))
        .remedy(format!("the last is {last}"))
}

fn carried_through(column: &str) -> Error {
    Error::usage(format!("'{column}' is a column of the spine")).why("it is carried through as it is").remedy("name a feature")
}

fn row_of_parquet(file: &DatasetFile, row: u64) -> Result<RecordBatch> {
    let selection = RowSelection::from(vec![RowSelector::skip(usize::try_from(row).unwrap_or(usize::MAX)), RowSelector::select(1)]);
    let mut reader = file.parquet()?.with_row_selection(selection).build().map_err(|error| file.damaged(error))?;
    match reader.next() {
        Some(batch) => batch.map_err(|error| file.damaged(error)),
        None => Err(no_such_row(row, row)),
    }
}

/// Identifier and time of a row of the spine, a batch of one row.
fn row_of(batch: &RecordBatch, number: u64, spine_id: &str, spine_time: &str) -> Result<Row> {
    let column = |name: &str| -> Result<&ArrayRef> {
        let fields = batch.schema_ref().fields();
        let found = fields.iter().position(|field| field.name() == name);
        let found = found.or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name)));
        found
            .map(|position| batch.column(position))
            .ok_or_else(|| Error::invalid(format!("the spine has no column '{}'", name.escape_debug())))
    };
    Ok(Row { number: Some(number), identifier: text(column(spine_id)?, 0), micros: instant_at(column(spine_time)?, 0) })
}

fn column_of_plan<'a>(plan: &'a DatasetPlan, column: &str) -> Result<(&'a DatasetInput, String)> {
    let schema = plan.schema();
    let found = schema.fields().iter().zip(plan.origins()).find(|(field, _)| field.name().eq_ignore_ascii_case(column));
    match found {
        Some((_, ColumnOrigin::Feature { input, feature })) => Ok((&plan.inputs()[*input], feature.clone())),
        Some((field, ColumnOrigin::Spine)) => Err(carried_through(field.name())),
        None => {
            let inputs = plan.inputs().iter().map(|input| {
                (input.alias.as_str(), input.group.as_str(), input.features.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>())
            });
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let (number, feature) = find_feature(column, &inputs.collect::<Vec<_>>(), names)?;
            Ok((&plan.inputs()[number], feature))
        }
    }
}

/// Finds a feature that is named otherwise than by its column: `alias:feature`, `group:feature`, or alone.
fn find_feature<'a>(
    wanted: &str,
    inputs: &[(&'a str, &'a str, Vec<&'a str>)],
    columns: impl Iterator<Item = &'a str>,
) -> Result<(usize, String)> {
    let (of, feature) = wanted.split_once([':', '.']).map_or((None, wanted), |(of, feature)| (Some(of), feature));
    let mut found = Vec::new();
    for (number, (alias, group, features)) in inputs.iter().enumerate() {
        if of.is_none_or(|of| of.eq_ignore_ascii_case(alias) || of.eq_ignore_ascii_case(group)) {
            found.extend(features.iter().filter(|name| name.eq_ignore_ascii_case(feature)).map(|name| (number, (*name).to_owned())));
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let error = Error::not_found(format!("the dataset has no column '{}'", wanted.escape_debug()));
            let columns: Vec<&str> = columns.collect();
            Err(match suggest(wanted, columns.iter().copied()) {
                Some(near) => error.remedy(format!("did you mean '{near}'?")),
                None => error.remedy(format!("its columns are {}", columns.join(", "))),
            })
        }
        [(one, name), ..] => Err(Error::usage(format!("'{}' is in several groups", wanted.escape_debug()))
            .remedy(format!("say which: '{}:{name}'", inputs[*one].0))),
    }
}

impl Explanation {
    /// The winning record.
    pub fn winning(&self) -> Option<&Candidate> {
        self.winner.and_then(|winner| self.candidates.get(winner))
    }

    /// The value, as people read it; none if it is null.
    pub fn value(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Value { text, .. } => Some(text),
            Outcome::Null { .. } => None,
        }
    }

    /// The value with its type.
    pub fn json(&self) -> Json {
        match &self.outcome {
            Outcome::Value { value, .. } => value.clone(),
            Outcome::Null { .. } => Json::Null,
        }
    }
}
