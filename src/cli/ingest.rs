//! `larder ingest`: whole files into a group.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::put::Stores;

/// What to do with a row that cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// End the load; nothing of it becomes visible
    Stop,
    /// Leave the row out and go on
    Skip,
}

/// Load Parquet, CSV or JSON lines files into a group
#[derive(Args, Debug)]
#[command(after_help = "\
Files may be compressed (.gz, .zst), globs and folders; '-' reads standard input. Ctrl-C leaves a mark: the same
command goes on where it stopped. Rows left out with --on-error skip make the exit code 3.

Examples:
  larder ingest trips green_tripdata_2020-04.csv
  larder ingest trips 'trips/*.parquet' --to offline
  larder ingest trips trips.csv --on-error skip --rejects rejects.jsonl
  zcat trips.csv.gz | larder ingest trips - --json")]
pub(crate) struct Ingest {
    /// Name of the group
    group: String,
    /// Files, folders or globs; '-' reads standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Write only these stores of the group [default: all it has]
    #[arg(long, value_name = "STORES", value_enum)]
    to: Option<Stores>,
    /// What to do with a row that cannot be stored
    #[arg(long, value_name = "HOW", value_enum, default_value = "stop")]
    on_error: OnError,
    /// Write each row left out, with file, line, field and reason, to this file
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

impl Ingest {
    pub(crate) async fn run(self, _: &super::place::Place, _: &mut super::console::Console) -> super::exit::Verdict {
        Err(crate::model::Error::internal("being written").into())
    }
}
