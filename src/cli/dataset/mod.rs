//! `larder dataset`: training datasets, one file per verb; here what they share.

mod build;
mod diff;
mod explain_row;
mod leaks;
mod list;
mod request;
mod show;
mod verify;

use std::future::Future;
use std::sync::atomic::Ordering;

use clap::{Args, Subcommand};

use super::console::Console;
use super::exit::{Failure, Verdict};
use super::interrupt::{Begun, Stopped, stopping_on_signal, until_signal};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::{on_all_cores, on_one_core};
use crate::model::{ErrorKind, Result};
use crate::store::datasets::JoinWatch;

/// Build training datasets: features as they were at the time of each row
#[derive(Args, Debug)]
#[command(
    subcommand_help_heading = "Verbs",
    subcommand_value_name = "VERB",
    after_help = "\
Examples:
  larder dataset build --spine labels.parquet --spine-id customer_id --spine-time at --features customer-features -o train.parquet
  larder dataset list
  larder dataset verify train
  larder dataset explain-row train --row 17 --feature loyalty_score"
)]
pub(crate) struct Dataset {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Build(build::Build),
    List(list::List),
    Show(show::Show),
    Verify(verify::Verify),
    Diff(diff::Diff),
    ExplainRow(explain_row::ExplainRow),
    Leaks(leaks::Leaks),
}

impl Dataset {
    /// Runs the verb on a runtime that fits it.
    pub(crate) fn act(self, place: &Place, console: &mut Console) -> Verdict {
        match self.verb {
            Verb::Build(build) => on_all_cores(build.run(place, console)),
            Verb::List(list) => on_one_core(list.run(place, console)),
            Verb::Show(show) => on_one_core(show.run(place, console)),
            Verb::Verify(verify) => on_all_cores(verify.run(place, console)),
            Verb::Diff(diff) => on_all_cores(diff.run(place, console)),
            Verb::ExplainRow(explain_row) => on_all_cores(until_signal(explain_row.run(place, console))),
            Verb::Leaks(leaks) => on_all_cores(leaks.run(place, console)),
        }
    }
}

/// Runs work that a join does, shows how far it is, and stops it on a signal.
///
/// `waits` says that it may wait for its input without end before it begins.
async fn watched<T>(
    console: &mut Console,
    watch: &JoinWatch,
    waits: bool,
    work: impl Future<Output = Result<T>>,
) -> std::result::Result<T, Failure> {
    let mut progress = Progress::new(console);
    let shown = progress.during_showing(work, || Some(stand(watch)));
    let stop = || {
        watch.cancel.store(true, Ordering::Relaxed);
        let has_begun = watch.rows_to_write.load(Ordering::Relaxed) > 0 || watch.rows_to_read.load(Ordering::Relaxed) > 0;
        if waits && !has_begun { Begun::No } else { Begun::Yes }
    };
    let stopped = stopping_on_signal(shown, stop).await;
    progress.clear();
    match stopped {
        Stopped::No(done) => Ok(done?),
        Stopped::Before(number) => Err(Failure::Signal(number)),
        Stopped::Amid(Ok(done), _) => Ok(done),
        Stopped::Amid(Err(error), number) if error.kind() == ErrorKind::Interrupted => {
            console.complain(error.to_string());
            Err(Failure::Signal(number))
        }
        Stopped::Amid(Err(error), _) => Err(error.into()),
    }
}

fn stand(watch: &JoinWatch) -> Stand {
    let [read, to_read, written, to_write] =
        [&watch.rows_read, &watch.rows_to_read, &watch.rows_written, &watch.rows_to_write].map(|count| count.load(Ordering::Relaxed));
    let stand = |words: &str, rows, total| Stand { words: words.to_owned(), note: String::new(), rows, done: rows, total };
    match (to_write, written) {
        (0, _) => stand("reading the spine", 0, None),
        (_, 0) => stand("finding records", read, Some(to_read)),
        (total, written) => stand("writing", written, Some(total)),
    }
}

/// A part of a whole, in percent: `100 %`, `99.9 %`, `0.03 %`, never rounded up to all or down to nothing.
fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".to_owned();
    }
    if part >= whole {
        return "100 %".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        p if p < 0.01 => "< 0.01 %".to_owned(),
        p if p < 9.995 => format!("{p:.2} %"),
        p => format!("{:.1} %", p.min(99.9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_rounded_to_all_or_nothing() {
        let shown: Vec<String> =
            [(0, 9), (9, 9), (1, 0), (999_999, 1_000_000), (1, 1_000_000), (1, 3), (1, 300)].map(|(part, whole)| share(part, whole)).into();
        assert_eq!(shown, ["0 %", "100 %", "0 %", "99.9 %", "< 0.01 %", "33.3 %", "0.33 %"]);
    }
}
