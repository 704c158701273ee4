//! `larder dataset list`: the datasets that were built.

use clap::Args;
use serde::Serialize;

use crate::cli::console::Console;
use crate::cli::exit::{Exit, Verdict};
use crate::cli::place::{Place, now};
use crate::cli::table::{Side, Table};
use crate::cli::text::{relative_time, short_count};
use crate::model::ErrorKind;
use crate::store::datasets::DatasetSummary;

/// List the training datasets that were built
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder dataset list
  larder dataset list --all
  larder dataset list --json | jq -r '.[].name'")]
pub(super) struct List {
    /// Show every version of each name, not only the newest
    #[arg(long)]
    all: bool,
}

/// An entry of `dataset list --json`.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    version: u64,
    versions: u64,
    created: String,
    description: Option<&'a str>,
    rows: u64,
    content_hash: &'a str,
    spine: &'a str,
    output: &'a str,
    format: &'a str,
}

impl List {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let datasets = match place.open().await {
            Ok(store) => store.list_datasets(self.all).await?,
            // A store that nobody has made yet has no datasets.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        if console.json() {
            console.document(&datasets.iter().map(entry).collect::<Vec<_>>())?;
            return Ok(Exit::Done);
        }
        if datasets.is_empty() {
            console.hint("no training dataset was built yet: see `larder dataset build --help`");
            return Ok(Exit::Done);
        }
        let mut table = Table::new(&[
            ("DATASET", Side::Left),
            ("ROWS", Side::Right),
            ("BUILT", Side::Right),
            ("FILE", Side::Left),
            ("DESCRIPTION", Side::Left),
        ]);
        for dataset in &datasets {
            table.row([
                format!("{}@{}", dataset.name, dataset.version),
                short_count(dataset.rows),
                relative_time(dataset.created.unix_micros(), now()),
                dataset.path.clone(),
                dataset.description.clone().unwrap_or_default(),
            ]);
        }
        console.table(&table)?;
        Ok(Exit::Done)
    }
}

fn entry(dataset: &DatasetSummary) -> Entry<'_> {
    Entry {
        name: dataset.name.as_str(),
        version: dataset.version,
        versions: dataset.versions,
        created: dataset.created.to_iso8601(),
        description: dataset.description.as_deref(),
        rows: dataset.rows,
        content_hash: &dataset.content_hash,
        spine: &dataset.spine,
        output: &dataset.path,
        format: &dataset.format,
    }
}
