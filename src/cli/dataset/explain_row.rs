//! `larder dataset explain-row`: why a cell is what it is.

use std::ops::Range;

use clap::Args;

use super::request::{RequestFlags, time};
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Verdict};
use crate::cli::place::Place;
use crate::cli::table::{Side, Table};
use crate::cli::text::{NULL, UNKNOWN, counted, short_age, visible};
use crate::model::{Error, EventTime, Result};
use crate::store::FeatureStore;
use crate::store::datasets::explain::{self, Candidate, Outcome, RecordSource};
use crate::store::datasets::{CellQuestion, Explanation, FeatureSelection};

/// Records that are listed unless more are asked for.
const LISTED: usize = 7;

/// Explain one cell: the record it comes from and those that lost, or why it is null
#[derive(Args, Debug)]
#[command(after_help = "\
Rows count from 0. The cell is in a dataset that was built, in one that could be (--spine …), or asked about directly by \
identifier and time.

Examples:
  larder dataset explain-row train --row 17 --feature loyalty_score
  larder dataset explain-row --spine labels.csv --spine-id customer_id --spine-time at --features customer-features \\
      --row 17 --feature loyalty_score
  larder dataset explain-row --features customer-features:loyalty_score --id C0042 --time 2026-11-20")]
pub(super) struct ExplainRow {
    /// A dataset that was built: name, name@version, or the path of its file or manifest
    #[arg(value_name = "DATASET")]
    dataset: Option<String>,
    /// Number of the row, from 0
    #[arg(long, value_name = "N", conflicts_with_all = ["id", "time"])]
    row: Option<u64>,
    /// Column of the dataset, or feature of a group: FEATURE, GROUP:FEATURE
    #[arg(long, value_name = "FEATURE")]
    feature: Option<String>,
    /// Identifier to ask about, instead of a row
    #[arg(long, value_name = "ID", allow_negative_numbers = true, requires = "time")]
    id: Option<String>,
    /// Time to ask about, instead of a row
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, requires = "id")]
    time: Option<String>,
    /// Count only what was written by the row's time
    #[arg(long)]
    known_then: bool,
    /// List at most this many records, those next to the row's time [default: 7; with --json as many as 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=50))]
    candidates: Option<u64>,
    #[command(flatten)]
    request: RequestFlags,
}

impl ExplainRow {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let explanation = self.explained(&store).await?;
        if console.json() {
            console.document(&explanation)?;
        } else {
            let listed = self.candidates.and_then(|count| usize::try_from(count).ok()).unwrap_or(LISTED);
            write(console, &explanation, listed)?;
        }
        if explanation.by_write_time {
            console.hint("told from the records that were written by the time of the build: the version it read is gone");
        }
        Ok(Exit::Done)
    }

    async fn explained(&self, store: &FeatureStore) -> Result<Explanation> {
        if let (Some(id), Some(moment)) = (&self.id, &self.time) {
            if self.dataset.is_some() || self.request.spine.is_some() || self.request.spine_sql.is_some() {
                return Err(Error::usage("a dataset and --id with --time ask two questions").remedy("leave one of them out"));
            }
            let question = CellQuestion {
                selection: self.selection()?,
                identifier: id.clone(),
                time: time("--time", moment)?,
                ttls: self.request.ttls()?,
                as_of: self.request.as_of()?,
                known_then: self.known_then,
            };
            return store.explain_cell(&question).await;
        }
        let missing = |flag: &str, what: &str| Error::usage(format!("{what} is not said")).remedy(format!("add {flag}"));
        let row = self.row.ok_or_else(|| missing("--row N, or --id ID with --time TIME", "which row is meant"))?;
        let feature = self.feature.as_deref().ok_or_else(|| missing("--feature FEATURE", "which column is meant"))?;
        match &self.dataset {
            Some(_) if !self.request.is_empty() => {
                Err(Error::usage("a dataset is named, and flags say what another is to be").remedy("leave one of them out"))
            }
            Some(dataset) => {
                let manifest = store.find_dataset(dataset).await?;
                store.explain_dataset_row(&manifest, row, feature, self.known_then).await
            }
            None => store.explain_request_row(&self.request.request()?, row, feature, self.known_then).await,
        }
    }

    /// The one feature that is asked about by identifier: `--features group:feature`, or `--feature` of `--features group`.
    fn selection(&self) -> Result<FeatureSelection> {
        let [text] = self.request.features.as_slice() else {
            return Err(Error::usage("one feature of one group can be explained at a time").remedy("name it: --features 'group:feature'"));
        };
        let mut selection = FeatureSelection::parse(text)?;
        if let Some(feature) = &self.feature {
            let named = crate::store::datasets::SelectedFeature { name: feature.clone(), column: None };
            let is_chosen =
                selection.features.as_ref().is_none_or(|features| features.iter().any(|known| known.name.eq_ignore_ascii_case(feature)));
            if !is_chosen {
                return Err(Error::usage(format!("'{feature}' is not among the features of '{text}'")).remedy("leave --feature out"));
            }
            selection.features = Some(vec![named]);
        }
        Ok(selection)
    }
}

fn write(console: &mut Console, explanation: &Explanation, listed: usize) -> std::result::Result<(), Failure> {
    let style = console.style();
    let cell = match &explanation.column {
        Some(column) if *column != explanation.feature => format!("{column} ({}.{})", explanation.group, explanation.feature),
        _ => format!("{} of {}", explanation.feature, explanation.group),
    };
    let who = explanation.identifier.as_deref().unwrap_or(NULL);
    let when = explanation.time.map_or_else(|| NULL.to_owned(), EventTime::to_iso8601);
    let row = explanation.row.map(|row| format!("row {row}: ")).unwrap_or_default();
    console.line(format!(
        "{}  {}",
        style.strong(&visible(&cell)),
        style.muted(&visible(&format!("{row}{who} at {when}{}", bounds(explanation))))
    ))?;
    console.line("")?;
    match (&explanation.outcome, explanation.winning()) {
        (Outcome::Value { text, .. }, Some(winner)) => {
            console.line(visible(text))?;
            console.line(style.muted(&visible(&origin(winner))))?;
        }
        (Outcome::Value { text, .. }, None) => console.line(visible(text))?,
        (Outcome::Null { reason }, _) => console.line(format!("{NULL}  {}", reason.as_str()))?,
    }
    if explanation.candidates.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let shown = nearest(explanation, listed);
    let left_out = explanation.left_out + (explanation.candidates.len() - shown.len()) as u64;
    console.table(&candidates(explanation, shown))?;
    if left_out > 0 {
        let are = if left_out == 1 { "is" } else { "are" };
        console.hint(format!("{} of this identifier {are} not listed; --candidates N lists more", counted(left_out, "other record")));
    }
    Ok(())
}

/// The candidates next to the winner, or to where it would stand; most of them older.
fn nearest(explanation: &Explanation, listed: usize) -> Range<usize> {
    let later = |candidate: &&Candidate| candidate.verdict == explain::Verdict::LaterEvent;
    let centre = explanation.winner.unwrap_or_else(|| explanation.candidates.iter().take_while(later).count());
    let total = explanation.candidates.len();
    let first = centre.saturating_sub(listed / 3).min(total.saturating_sub(listed));
    first..(first + listed).min(total)
}

/// Limits that the question has besides the row's time.
fn bounds(explanation: &Explanation) -> String {
    let mut bounds = String::new();
    if let Some(ttl) = explanation.ttl {
        bounds.push_str(&format!(", ttl {ttl}"));
    }
    if let Some(as_of) = explanation.as_of {
        bounds.push_str(&format!(", written by {as_of}"));
    }
    if explanation.known_then {
        bounds.push_str(", known then");
    }
    bounds
}

fn origin(winner: &Candidate) -> String {
    let event = winner.event_time.map_or_else(|| UNKNOWN.to_owned(), EventTime::to_iso8601);
    let written = winner.write_time.map(|written| format!(", written {written}")).unwrap_or_default();
    let place = match &winner.source {
        RecordSource::File { file, position } => format!(", row {position} of {file}"),
        RecordSource::Outbox => ", waiting in the outbox".to_owned(),
    };
    format!("from the record of {event}, {} before the row{written}{place}", age(winner))
}

fn age(candidate: &Candidate) -> String {
    candidate.age_seconds.map_or_else(String::new, |seconds| short_age(seconds.abs() as u64))
}

fn candidates(explanation: &Explanation, shown: Range<usize>) -> Table {
    let mut table = Table::new(&[
        ("", Side::Left),
        ("EVENT TIME", Side::Left),
        ("BEFORE", Side::Right),
        ("WRITTEN", Side::Left),
        ("VALUE", Side::Left),
        ("VERDICT", Side::Left),
        ("FILE", Side::Left),
    ]);
    for (number, candidate) in explanation.candidates.iter().enumerate().skip(shown.start).take(shown.len()) {
        let is_winner = explanation.winner == Some(number);
        let is_later = candidate.age_seconds.is_some_and(|seconds| seconds < 0.0);
        let value = if candidate.is_deleted { "deleted" } else { candidate.value.as_deref().unwrap_or(NULL) };
        let file = match &candidate.source {
            // The folders before it are told once, of the winner.
            RecordSource::File { file, .. } => file.rsplit('/').next().unwrap_or(file),
            RecordSource::Outbox => "outbox",
        };
        table.row([
            if is_winner { "●" } else { "" },
            &candidate.event_time.map_or_else(|| UNKNOWN.to_owned(), EventTime::to_iso8601),
            &format!("{}{}", if is_later { "−" } else { "" }, age(candidate)),
            &candidate.write_time.map_or_else(|| UNKNOWN.to_owned(), EventTime::to_iso8601),
            value,
            candidate.verdict.as_str(),
            file,
        ]);
    }
    table
}
