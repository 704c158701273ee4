//! `larder dataset diff`: what differs between two datasets, and through which writes.

use clap::Args;

use super::request::memory;
use super::{share, watched};
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Verdict};
use crate::cli::place::Place;
use crate::cli::table::{Side, Table};
use crate::cli::text::{NULL, counted, full_count, visible};
use crate::store::datasets::diff::RowKey;
use crate::store::datasets::{DatasetDiff, JoinWatch};

/// Compare two training datasets: columns, rows, cells, and the writes that made the difference
#[derive(Args, Debug)]
#[command(after_help = "\
Rows are one where the spine's identifier and time are. A dataset whose file is not there any more is built again for this.

Examples:
  larder dataset diff train@1 train@2
  larder dataset diff old/train.parquet train --json")]
pub(super) struct Diff {
    /// The first: name, name@version, or the path of its file or manifest
    a: String,
    /// The second
    b: String,
    /// Hold at most this much in memory where one has to be built again [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

impl Diff {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let memory = memory(self.memory.as_deref())?;
        let store = place.open().await?;
        let (a, b) = (store.find_dataset(&self.a).await?, store.find_dataset(&self.b).await?);
        let watch = JoinWatch::default();
        let diff = watched(console, &watch, false, store.diff_datasets(&a, &b, memory, &watch)).await?;
        store.close().await?;
        if console.json() {
            console.document(&diff)?;
        } else {
            write(console, &diff)?;
        }
        for note in &diff.notes {
            console.hint(visible(note));
        }
        Ok(Exit::Done)
    }
}

fn write(console: &mut Console, diff: &DatasetDiff) -> Result<(), Failure> {
    let style = console.style();
    let title = format!("{} → {}", diff.a.dataset, diff.b.dataset);
    console.line(style.strong(&visible(&title)))?;
    if diff.is_same {
        return console.line(format!("the same {}, {}", counted(diff.a.rows, "row"), diff.a.content_hash));
    }
    console.line("")?;
    write_inputs(console, diff)?;
    write_columns(console, diff)?;
    write_rows(console, diff)?;
    write_cells(console, diff)?;
    write_writes(console, diff)
}

fn write_inputs(console: &mut Console, diff: &DatasetDiff) -> Result<(), Failure> {
    for change in &diff.inputs {
        console.line(format!("  {}", visible(&change.to_string())))?;
    }
    if diff.inputs.is_empty() { Ok(()) } else { console.line("") }
}

fn write_columns(console: &mut Console, diff: &DatasetDiff) -> Result<(), Failure> {
    for change in &diff.columns {
        let line = match (&change.from, &change.to) {
            (Some(from), Some(to)) => format!("~ column {}: {from} → {to}", change.column),
            (None, Some(to)) => format!("+ column {} ({to})", change.column),
            (_, None) => format!("− column {}", change.column),
        };
        console.line(format!("  {}", visible(&line)))?;
    }
    if diff.columns.is_empty() { Ok(()) } else { console.line("") }
}

fn write_rows(console: &mut Console, diff: &DatasetDiff) -> Result<(), Failure> {
    let rows = &diff.rows;
    let mut parts = vec![format!("{} in both", counted(rows.kept, "row"))];
    for (count, what) in [(rows.added, "added"), (rows.removed, "removed"), (rows.moved, "moved")] {
        if count > 0 {
            parts.push(format!("{} {what}", full_count(count)));
        }
    }
    console.line(format!("  {}", parts.join(", ")))?;
    for (sign, examples) in [("+", &rows.added_examples), ("−", &rows.removed_examples)] {
        for example in examples {
            console.line(format!("    {sign} {}", visible(&key(example))))?;
        }
    }
    Ok(())
}

fn key(key: &RowKey) -> String {
    format!("{} at {} (row {})", key.identifier.as_deref().unwrap_or(NULL), key.time.as_deref().unwrap_or(NULL), key.row)
}

fn write_cells(console: &mut Console, diff: &DatasetDiff) -> Result<(), Failure> {
    if diff.cells.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let mut table = Table::new(&[
        ("COLUMN", Side::Left),
        ("FROM", Side::Left),
        ("DIFFER", Side::Right),
        ("SHARE", Side::Right),
        ("EXAMPLE", Side::Left),
    ]);
    for column in &diff.cells {
        for (number, example) in column.examples.iter().enumerate() {
            let (from, to) = (example.from.as_deref().unwrap_or(NULL), example.to.as_deref().unwrap_or(NULL));
            let shown = format!("{from} → {to}  {}", key(&example.key));
            let head = [
                column.column.clone(),
                column.group.clone().unwrap_or_else(|| "spine".to_owned()),
                full_count(column.differing),
                share(column.differing, diff.rows.kept),
            ];
            // What is said once for the column is not repeated for its examples.
            let head = if number == 0 { head } else { [const { String::new() }; 4] };
            table.row(head.into_iter().chain([shown]));
        }
    }
    console.table(&table)
}

fn write_writes(console: &mut Console, diff: &DatasetDiff) -> Result<(), Failure> {
    if diff.writes.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let mut table = Table::new(&[("THROUGH", Side::Left), ("WRITTEN", Side::Left), ("ROWS", Side::Right), ("", Side::Left)]);
    for share in &diff.writes {
        let written = share.written.map_or_else(|| "no record now".to_owned(), |written| written.to_iso8601());
        let note = match (share.written, share.is_new) {
            (Some(_), false) => "was there before",
            _ => "",
        };
        table.row([share.alias.as_str(), &written, &full_count(share.rows), note]);
    }
    console.table(&table)
}
