//! `larder ingest`: whole files into a group.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::interrupt::{Begun, Stopped, stopping_on_signal};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::put::Stores;
use super::text::{counted, short_count, took, visible};
use crate::model::{Error, ErrorKind};
use crate::store::{IngestOptions, LoadPhase, LoadProgress, LoadReport, OnError, Targets};

/// What to do with a row that cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BadRows {
    Stop,
    Skip,
}

/// Load Parquet, CSV or JSON lines files into a group
#[derive(Args, Debug)]
#[command(after_help = "\
Files may be compressed (.gz, .zst), globs and folders. Columns that the group has no feature for are left out. \
After Ctrl-C the same command goes on where it stopped. Rows left out with --on-error skip make the exit code 3.

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
    /// Stop at a row that cannot be stored, so that nothing becomes visible, or skip it
    #[arg(long, value_name = "HOW", value_enum, default_value = "stop")]
    on_error: BadRows,
    /// Leave a column of the files out, repeatable
    #[arg(long, value_name = "COL")]
    drop: Vec<String>,
    /// Write each row left out, with file, line, field and reason, to this file
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// The document of `ingest --json`.
#[derive(Serialize)]
struct Loaded {
    rows: u64,
    accepted: u64,
    rejected: u64,
    seconds: f64,
    online_rows: u64,
    files: u64,
    resumed: bool,
}

impl Ingest {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let group = store.group(&self.group).await?;
        let options = IngestOptions {
            files: self.files,
            drop: self.drop,
            targets: self.to.map(Targets::from),
            on_error: match self.on_error {
                BadRows::Stop => OnError::Stop,
                BadRows::Skip => OnError::Skip,
            },
            rejects: self.rejects.clone(),
        };
        let latest = Arc::new(Mutex::new(None));
        let teller = latest.clone();
        let on_progress = Arc::new(move |progress: LoadProgress| *teller.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress));
        let cancel = Arc::new(AtomicBool::new(false));
        let mut progress = Progress::new(console);
        let load = store.ingest(group.name.as_str(), options, on_progress, cancel.clone());
        let shown = progress.during_showing(load, || latest.lock().unwrap_or_else(PoisonError::into_inner).map(stand));
        let stop = || {
            cancel.store(true, Ordering::Relaxed);
            // Before its first progress the load waits for its input, from standard input perhaps without end.
            if latest.lock().unwrap_or_else(PoisonError::into_inner).is_some() { Begun::Yes } else { Begun::No }
        };
        let stopped = stopping_on_signal(shown, stop).await;
        progress.clear();
        let report = match stopped {
            Stopped::No(loaded) => loaded?,
            Stopped::Before(number) => return Err(Failure::Signal(number)),
            Stopped::Amid(Ok(report), _) => report,
            Stopped::Amid(Err(error), number) => return interrupted(console, error, number),
        };
        store.close().await?;
        for note in &report.notes {
            console.hint(visible(note));
        }
        let line = summary(group.name.as_str(), &report);
        let loaded = Loaded {
            rows: report.rows,
            accepted: report.accepted,
            rejected: report.rejected,
            seconds: report.seconds,
            online_rows: report.online_rows,
            files: report.files,
            resumed: report.resumed,
        };
        console.confirm(line, &loaded)?;
        if report.rejected == 0 {
            return Ok(Exit::Done);
        }
        let place = match &self.rejects {
            Some(file) => format!("see {}", file.display()),
            None => "--rejects FILE writes them down".to_owned(),
        };
        let were = if report.rejected == 1 { "was" } else { "were" };
        console.complain(format!("{} {were} left out; {place}", counted(report.rejected, "row")));
        Ok(Exit::Partly)
    }
}

/// Says what was interrupted; another error is not the signal's.
pub(crate) fn interrupted(console: &mut Console, error: Error, number: u8) -> Verdict {
    if error.kind() != ErrorKind::Interrupted {
        return Err(error.into());
    }
    console.complain(error.to_string());
    Ok(Exit::Signal(number))
}

fn summary(group: &str, report: &LoadReport) -> String {
    let resumed = if report.resumed { ", taken up where it had stopped" } else { "" };
    let took = took(Duration::from_secs_f64(report.seconds.max(0.0)));
    // The speed of a short load is the cost of its commit, that of a resumed one counts rows of before.
    let speed = if report.seconds >= 1.0 && !report.resumed {
        format!(" ({} rows/s)", short_count((report.rows as f64 / report.seconds) as u64))
    } else {
        String::new()
    };
    format!("loaded {} into {group} in {took}{speed}{resumed}", counted(report.accepted, "row"))
}

fn stand(progress: LoadProgress) -> Stand {
    let rejected = if progress.rejected > 0 { format!("  {} left out", short_count(progress.rejected)) } else { String::new() };
    let (words, done, total) = match progress.phase {
        LoadPhase::Reading => ("reading".to_owned(), progress.bytes, Some(progress.total_bytes)),
        LoadPhase::Committing => ("committing".to_owned(), 0, None),
        LoadPhase::Online => ("filling the online store".to_owned(), progress.rows, progress.total_rows),
    };
    Stand { words, note: rejected, rows: progress.rows, done, total }
}
