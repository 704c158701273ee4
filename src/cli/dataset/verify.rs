//! `larder dataset verify`: is a dataset still what it was?

use clap::Args;

use super::request::memory;
use super::watched;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Verdict};
use crate::cli::place::Place;
use crate::cli::text::{counted, visible};
use crate::store::datasets::{FileState, JoinWatch, Verification};

/// Build a training dataset again from its manifest and compare; exit code 4 if it differs
#[derive(Args, Debug)]
#[command(after_help = "\
Groups are read at the versions that were recorded, so records that came later change nothing.

Examples:
  larder dataset verify train
  larder dataset verify train@2
  larder dataset verify train.parquet --json")]
pub(super) struct Verify {
    /// Name, name@version, or the path of its file or manifest
    dataset: String,
    /// Hold at most this much in memory, such as 512MiB [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

impl Verify {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let memory = memory(self.memory.as_deref())?;
        let store = place.open().await?;
        let manifest = store.find_dataset(&self.dataset).await?;
        let watch = JoinWatch::default();
        let verified = watched(console, &watch, false, store.verify_dataset(&manifest, memory, &watch)).await?;
        store.close().await?;
        if console.json() {
            console.document(&verified)?;
        } else {
            for (is_good, line) in told(&verified) {
                let style = console.style();
                let mark = if is_good { style.good("✓") } else { style.bad("✖") };
                console.line(format!("{mark} {}", visible(&line)))?;
            }
        }
        if let Some(why) = &verified.by_write_time {
            console.hint(visible(&format!("built from the records that were written by then, not from the recorded versions: {why}")));
        }
        let is_same = verified.matches && verified.file != FileState::Changed;
        if !is_same {
            console.complain(format!("{} is not what it was", verified.dataset));
        }
        Ok(if is_same { Exit::Done } else { Exit::CheckSaysNo })
    }
}

/// What was found, each with whether it is well.
fn told(verified: &Verification) -> Vec<(bool, String)> {
    let mut told: Vec<(bool, String)> = verified.changed_sources.iter().map(|what| (false, what.clone())).collect();
    if verified.matches {
        told.push((
            true,
            format!("built again, {} is the same: {}, {}", verified.dataset, counted(verified.rows, "row"), verified.content_hash),
        ));
    } else {
        if verified.rows != verified.rebuilt_rows {
            told.push((false, format!("built again, it has {} instead of {}", counted(verified.rebuilt_rows, "row"), verified.rows)));
        }
        if !verified.differing_columns.is_empty() {
            told.push((false, format!("built again, it differs in {}", verified.differing_columns.join(", "))));
        }
        told.push((false, format!("its hash is {} instead of {}", verified.rebuilt_hash, verified.content_hash)));
    }
    told.push(match verified.file {
        FileState::Same => (true, format!("{} holds it", verified.path)),
        FileState::SameSize => (true, format!("{} has its size; what it holds is compared for Parquet only", verified.path)),
        FileState::Changed => (false, format!("{} holds something else", verified.path)),
        FileState::Gone => (true, format!("{} is not there any more", verified.path)),
    });
    told
}
