//! `larder demo`: a sample store to look around in.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::ingest::interrupted;
use super::interrupt::{Begun, Stopped, stopping_on_signal};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::table::{Side, Table};
use super::text::{counted, full_count, took};
use super::{Browse, Ending};
use crate::store::demo::{DemoOptions, DemoProgress, DemoReport, FilledDataset, FilledGroup};

/// Fill the store with sample groups, then open the browser
#[derive(Args, Debug)]
#[command(after_help = "\
The same seed makes the same groups; their history ends now. Groups that are there already are left as they are.

Examples:
  larder demo
  larder demo --no-tui
  larder --store /tmp/demo demo --no-tui --seed 7")]
pub(crate) struct Demo {
    /// Print what was made instead of opening the browser
    #[arg(long)]
    no_tui: bool,
    /// Make the data from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// The document of `demo --json`.
#[derive(Serialize)]
struct Made {
    groups: Vec<MadeGroup>,
    dataset: MadeDataset,
    features: usize,
    rows: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct MadeDataset {
    name: String,
    rows: u64,
    columns: usize,
    was_there: bool,
}

#[derive(Serialize)]
struct MadeGroup {
    name: String,
    features: usize,
    rows: u64,
    late: u64,
    deleted: u64,
    was_there: bool,
}

impl Demo {
    pub(crate) async fn run(&self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open_or_make().await?;
        let before = store.list_groups().await?.len();
        let latest = Arc::new(Mutex::new(None));
        let teller = latest.clone();
        let on_progress = Arc::new(move |progress: DemoProgress| *teller.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress));
        let cancel = Arc::new(AtomicBool::new(false));
        let options = DemoOptions { seed: self.seed, cancel: cancel.clone(), ..DemoOptions::default() };
        let mut progress = Progress::new(console);
        let stand = || latest.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(stand);
        let filling = progress.during_showing(store.fill_demo(&options, on_progress), stand);
        let stop = || {
            cancel.store(true, Ordering::Relaxed);
            Begun::Yes
        };
        let stopped = stopping_on_signal(filling, stop).await;
        progress.clear();
        let report = match stopped {
            Stopped::No(filled) => filled?,
            Stopped::Before(number) => return Err(Failure::Signal(number)),
            Stopped::Amid(Ok(report), _) => report,
            Stopped::Amid(Err(error), number) => return interrupted(console, error, number),
        };
        store.close().await?;
        self.tell(&report, before, place, console)
    }

    fn tell(&self, report: &DemoReport, before: usize, place: &Place, console: &mut Console) -> Verdict {
        let (features, rows) = (report.features(), report.rows());
        if console.json() {
            let groups = report.groups.iter().map(made_group).collect();
            let FilledDataset { name, was_there, rows: labels, columns } = report.dataset.clone();
            let dataset = MadeDataset { name, rows: labels, columns, was_there };
            console.document(&Made { groups, dataset, features, rows, seconds: report.seconds })?;
            return Ok(Exit::Done);
        }
        if console.quiet() {
            return Ok(Exit::Done);
        }
        let there = report.groups.iter().filter(|group| group.was_there).count();
        let mut table = Table::new(&[
            ("GROUP", Side::Left),
            ("FEATURES", Side::Right),
            ("ROWS", Side::Right),
            ("LATE", Side::Right),
            ("DELETED", Side::Right),
            ("", Side::Left),
        ]);
        for group in &report.groups {
            let figure = |number: u64| if group.was_there { String::new() } else { full_count(number) };
            let note = if group.was_there { "was there, left as it is" } else { "" };
            table.row([&group.name, &group.features.to_string(), &figure(group.rows), &figure(group.late), &figure(group.deleted), note]);
        }
        console.table(&table)?;
        console.line("")?;
        let dataset = &report.dataset;
        if there == report.groups.len() && dataset.was_there {
            console.line("the demo was here already; nothing has changed")?;
        } else {
            let made = counted((report.groups.len() - there) as u64, "group");
            let spent = took(Duration::from_secs_f64(report.seconds.max(0.0)));
            let built = if dataset.was_there {
                String::new()
            } else {
                format!(
                    ", and the training dataset {} of {} with {}",
                    dataset.name,
                    counted(dataset.rows, "label"),
                    counted(dataset.columns as u64, "column")
                )
            };
            console.line(format!("made {made}, {}{built} in {spent}", counted(rows, "row")))?;
        }
        if before > there {
            let others = before - there;
            let are = if others == 1 { "is" } else { "are" };
            console.hint(format!("{} of the store {are} not the demo's, and untouched", counted(others as u64, "group")));
        }
        if self.no_tui {
            let larder = place.command();
            console.hint(format!(
                "\ntry  {larder} list\n     {larder} describe customer-features\n     {larder} get customer-features C0042\n     \
                 {larder} history customer-features C0042 --feature loyalty_score\n     \
                 {larder} query 'select preferred_category, avg(loyalty_score) from \"customer-features$latest\" group by 1'\n     \
                 {larder} dataset show churn-training\n     \
                 {larder} dataset explain-row churn-training --row 7 --feature loyalty_score\n     \
                 {larder} lineage customer-features.loyalty_score --down\n     \
                 {larder} impact customer-features.loyalty_score --change meaning\n     \
                 {larder}                                   the browser"
            ));
        }
        Ok(Exit::Done)
    }

    /// Goes on to the browser where there is somebody to browse.
    pub(crate) fn ending(&self, verdict: Verdict, place: &Place, console: &mut Console) -> Ending {
        let exit = console.finish(verdict);
        let wants_browser = !self.no_tui && !console.json() && io::stdin().is_terminal() && io::stdout().is_terminal();
        match place.folder() {
            Ok(store) if wants_browser && exit == Exit::Done => {
                Ending::Browse(Browse { store, object_store: place.object_store(), ..Browse::default() })
            }
            _ => Ending::Exit(exit.code()),
        }
    }
}

fn made_group(group: &FilledGroup) -> MadeGroup {
    MadeGroup {
        name: group.name.clone(),
        features: group.features,
        rows: group.rows,
        late: group.late,
        deleted: group.deleted,
        was_there: group.was_there,
    }
}

fn stand(progress: &DemoProgress) -> Stand {
    Stand { words: format!("filling {}", progress.group), note: String::new(), rows: 0, done: progress.done, total: Some(progress.total) }
}
