//! `larder dataset leaks`: what a dataset knows that was not known then.

use clap::Args;

use super::request::{RequestFlags, memory};
use super::{share, watched};
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Verdict};
use crate::cli::place::Place;
use crate::cli::table::{Side, Table};
use crate::cli::text::{counted, full_count, visible};
use crate::model::Error;
use crate::store::datasets::{Basis, JoinWatch, LeakReport};

/// Count the cells that differ between what was known at each row's time and what is known now
#[derive(Args, Debug)]
#[command(after_help = "\
A record that was written after a row's time could not have been seen then, although its event time is earlier. A model that is \
trained on it expects what it will not get. Loads of old data into a new store make every cell such a one.

Examples:
  larder dataset leaks train
  larder dataset leaks --spine labels.parquet --spine-id customer_id --spine-time at --features customer-features --json")]
pub(super) struct Leaks {
    /// A dataset that was built: name, name@version, or the path of its file or manifest
    #[arg(value_name = "DATASET")]
    dataset: Option<String>,
    #[command(flatten)]
    request: RequestFlags,
    /// Hold at most this much in memory, such as 512MiB [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

impl Leaks {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let memory = memory(self.memory.as_deref())?;
        let watch = JoinWatch::default();
        let report = match &self.dataset {
            Some(_) if !self.request.is_empty() => {
                return Err(Error::usage("a dataset is named, and flags say what another is to be").remedy("leave one of them out").into());
            }
            Some(dataset) => {
                let store = place.open().await?;
                let manifest = store.find_dataset(dataset).await?;
                let (report, basis) = watched(console, &watch, false, store.dataset_leaks(&manifest, memory, &watch)).await?;
                store.close().await?;
                if let Basis::Writes(why) = basis {
                    console.hint(visible(&format!("counted over the records that were written by the time of the build: {why}")));
                }
                report
            }
            None => {
                let request = self.request.request()?;
                let store = place.open().await?;
                let report = watched(console, &watch, self.request.waits(), store.leaks(&request, memory, &watch)).await?;
                store.close().await?;
                report
            }
        };
        if console.json() {
            console.document(&report)?;
        } else {
            write(console, &report)?;
        }
        for group in &report.without_write_times {
            console.hint(format!("the files of {} don't say when a record was written, so nothing can be said of it", visible(group)));
        }
        Ok(Exit::Done)
    }
}

fn write(console: &mut Console, report: &LeakReport) -> Result<(), Failure> {
    let rows = counted(report.rows, "row");
    if report.differing_rows == 0 {
        return console.line(format!("all {rows} were known at their time"));
    }
    let mut table = Table::new(&[
        ("COLUMN", Side::Left),
        ("GROUP", Side::Left),
        ("DIFFER", Side::Right),
        ("SHARE", Side::Right),
        ("NULL THEN", Side::Right),
        ("OTHER THEN", Side::Right),
        ("NULL NOW", Side::Right),
    ]);
    for leak in &report.features {
        let figure = |count: u64| if count == 0 { String::new() } else { full_count(count) };
        table.row([
            leak.column.as_str(),
            &leak.alias,
            &full_count(leak.differing),
            &share(leak.differing, report.rows),
            &figure(leak.unknown_then),
            &figure(leak.changed),
            &figure(leak.gone),
        ]);
    }
    console.table(&table)?;
    console.line("")?;
    let share = share(report.differing_rows, report.rows);
    console.line(format!("{} of {rows} ({share}) hold something that was not known at their time", full_count(report.differing_rows)))
}
