//! `larder compact`: many files of a history become few sorted ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::interrupt::{Begun, Stopped, stopping_on_signal};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::table::{Side, Table};
use super::text::{counted, full_count, short_bytes, took};
use crate::model::{Error, ErrorKind, Result};
use crate::store::{CompactionProgress, CompactionReport, CompactionStatus};

/// Merge the files of a history into few sorted ones
#[derive(Args, Debug)]
#[command(after_help = "\
Rows, delete markers and duplicates stay as they are, and readers are not disturbed: replaced files are deleted after \
compact.grace_seconds (an hour) by the next drain or compaction. Small files are also merged without being asked, once \
there are more than compact.min_files. Ctrl-C changes nothing.

Examples:
  larder compact
  larder compact customer-features trips --json")]
pub(crate) struct Compact {
    /// Groups to compact [default: all that keep a history]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
}

/// The document of `compact --json`.
#[derive(Serialize)]
struct Compacted<'a> {
    groups: Vec<CompactedGroup<'a>>,
    seconds: f64,
}

/// A group's history: files and bytes before and after, rows as they are.
#[derive(Serialize)]
struct CompactedGroup<'a> {
    group: &'a str,
    status: &'static str,
    files_before: u64,
    files_after: u64,
    rows: u64,
    bytes_before: u64,
    bytes_after: u64,
    removed_files: u64,
}

type Reports = Vec<(String, Result<CompactionReport>)>;

impl Compact {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let started = Instant::now();
        let latest = Arc::new(Mutex::new(None));
        let teller = latest.clone();
        let on_progress =
            Arc::new(move |progress: CompactionProgress| *teller.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress));
        let cancel = Arc::new(AtomicBool::new(false));
        let mut progress = Progress::new(console);
        let stand = || latest.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(stand);
        let compacting = progress.during_showing(store.compact(&self.groups, on_progress, cancel.clone()), stand);
        let stop = || {
            cancel.store(true, Ordering::Relaxed);
            Begun::Yes
        };
        let stopped = stopping_on_signal(compacting, stop).await;
        progress.clear();
        let (reports, signal) = match stopped {
            Stopped::No(reports) => (reports?, None),
            Stopped::Before(number) => return Err(Failure::Signal(number)),
            Stopped::Amid(reports, number) => (reports?, Some(number)),
        };
        store.close().await?;
        tell(reports, signal, started.elapsed(), console)
    }
}

fn tell(mut reports: Reports, signal: Option<u8>, spent: std::time::Duration, console: &mut Console) -> Verdict {
    // One that was stopped has changed nothing; those before it are done.
    if let (Some(number), Some((group, Err(error)))) = (signal, reports.last())
        && error.kind() == ErrorKind::Interrupted
    {
        console.complain(format!("'{group}': {error}"));
        return Ok(Exit::Signal(number));
    }
    if let [(_, Err(_))] = reports.as_slice()
        && let Some((_, Err(error))) = reports.pop()
    {
        return Err(error.into());
    }
    write_answer(&reports, spent, console)?;
    write_notes(&reports, console);
    Ok(exit_of(&reports))
}

fn write_answer(reports: &Reports, spent: std::time::Duration, console: &mut Console) -> std::result::Result<(), Failure> {
    if console.json() {
        let groups = reports.iter().map(|(group, report)| described(group, report)).collect();
        return console.document(&Compacted { groups, seconds: spent.as_secs_f64() });
    }
    if console.quiet() {
        return Ok(());
    }
    let done = reports.iter().filter(|(_, report)| has_status(report, CompactionStatus::Compacted)).count() as u64;
    if done > 0 {
        let columns = [("GROUP", Side::Left), ("FILES", Side::Right), ("SIZE", Side::Right), ("ROWS", Side::Right), ("STATUS", Side::Left)];
        let mut table = Table::new(&columns);
        for (group, report) in reports {
            let CompactedGroup { status, files_before, files_after, rows, bytes_before, bytes_after, .. } = described(group, report);
            table.row([
                group.clone(),
                changed(files_before, files_after, full_count),
                changed(bytes_before, bytes_after, short_bytes),
                full_count(rows),
                status.to_owned(),
            ]);
        }
        console.table(&table)?;
        console.line("")?;
    }
    let removed: u64 = reports.iter().filter_map(|(_, report)| report.as_ref().ok()).map(|report| report.removed_files).sum();
    let mut line = match done {
        0 => "there was nothing to compact".to_owned(),
        _ => format!("compacted {} in {}", counted(done, "group"), took(spent)),
    };
    if removed > 0 {
        line.push_str(&format!(", deleted {} replaced earlier", counted(removed, "file")));
    }
    console.line(line)
}

fn write_notes(reports: &Reports, console: &mut Console) {
    for (group, report) in reports {
        match report {
            Err(error) => console.complain(error.to_string()),
            Ok(report) if report.status == CompactionStatus::Busy => console.complain(busy(group).to_string()),
            Ok(report) if report.status == CompactionStatus::Overtaken => {
                console.hint(format!("somebody else compacted {group} at the same time; nothing was changed here"));
            }
            Ok(_) => {}
        }
        if let Ok(report) = report
            && report.spared_files > 0
        {
            let files = counted(report.spared_files, "file");
            console.hint(format!("{files} of {group} stay as they are: a load that is not finished needs them"));
        }
    }
}

fn busy(group: &str) -> Error {
    Error::new(ErrorKind::Locked, format!("another process is compacting '{group}'")).remedy("wait for it to end")
}

fn has_status(report: &Result<CompactionReport>, status: CompactionStatus) -> bool {
    report.as_ref().is_ok_and(|report| report.status == status)
}

fn exit_of(reports: &Reports) -> Exit {
    let failed = reports.iter().filter(|(_, report)| report.is_err()).count();
    let busy = reports.iter().filter(|(_, report)| has_status(report, CompactionStatus::Busy)).count();
    match (failed, busy) {
        (0, 0) => Exit::Done,
        _ if failed + busy < reports.len() => Exit::Partly,
        (0, _) => Exit::Locked,
        _ => Exit::Failed,
    }
}

fn described<'a>(group: &'a str, report: &Result<CompactionReport>) -> CompactedGroup<'a> {
    let (status, files, bytes, rows, removed_files) = match report {
        Ok(report) => (report.status.as_str(), report.files, report.bytes, report.rows, report.removed_files),
        Err(_) => ("failed", (0, 0), (0, 0), 0, 0),
    };
    CompactedGroup {
        group,
        status,
        files_before: files.0,
        files_after: files.1,
        rows,
        bytes_before: bytes.0,
        bytes_after: bytes.1,
        removed_files,
    }
}

/// `33 → 1`, or the figure alone if it stayed.
fn changed(before: u64, after: u64, shown: impl Fn(u64) -> String) -> String {
    if before == after { shown(after) } else { format!("{} → {}", shown(before), shown(after)) }
}

fn stand(progress: &CompactionProgress) -> Stand {
    Stand {
        words: format!("compacting {}", progress.group),
        note: String::new(),
        rows: progress.rows,
        done: progress.rows,
        total: Some(progress.total_rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: CompactionStatus) -> (String, Result<CompactionReport>) {
        let report = CompactionReport { status, files: (9, 1), bytes: (9, 1), rows: 9, removed_files: 0, spared_files: 0 };
        ("g".into(), Ok(report))
    }

    #[test]
    fn the_exit_code_tells_whole_from_half_and_busy_from_failed() {
        use CompactionStatus::{Busy, Compacted, Overtaken, Unchanged};
        let failed = || ("g".to_owned(), Err(Error::internal("x")));
        assert_eq!(exit_of(&vec![]), Exit::Done);
        assert_eq!(exit_of(&vec![report(Compacted), report(Unchanged), report(Overtaken)]), Exit::Done);
        assert_eq!(exit_of(&vec![report(Busy), report(Busy)]), Exit::Locked);
        assert_eq!(exit_of(&vec![report(Unchanged), report(Busy)]), Exit::Partly);
        assert_eq!(exit_of(&vec![report(Compacted), failed()]), Exit::Partly);
        assert_eq!(exit_of(&vec![failed(), report(Busy)]), Exit::Failed);
    }

    #[test]
    fn a_figure_that_stayed_is_told_once() {
        assert_eq!(changed(33, 1, full_count), "33 → 1");
        assert_eq!(changed(1_000, 1_000, full_count), full_count(1_000));
    }
}
