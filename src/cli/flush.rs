//! `larder flush`: records waiting in the outbox become files now.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::Place;
use super::text::counted;

/// Write records that wait in the outbox to Parquet files
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing depends on it: queries see waiting records, and they survive a crash. Other programs that read the files \
see them after a flush.

Examples:
  larder flush
  larder flush customer-features trips --json")]
pub(crate) struct Flush {
    /// Groups to flush [default: all]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
}

/// The document of `flush --json`.
#[derive(Serialize)]
struct Flushed {
    rows: u64,
    files: u64,
    groups: Vec<FlushedGroup>,
}

#[derive(Serialize)]
struct FlushedGroup {
    group: String,
    rows: u64,
    files: u64,
}

impl Flush {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let waiting = store.send_waiting().await?;
        if waiting > 0 {
            console.hint(format!("{} not yet in the online store, which does not answer", counted(waiting, "write")));
        }
        let reports = store.flush(&self.groups).await?;
        let groups: Vec<FlushedGroup> =
            reports.into_iter().map(|(group, report)| FlushedGroup { group, rows: report.rows, files: report.files }).collect();
        let rows = groups.iter().map(|group| group.rows).sum();
        let files = groups.iter().map(|group| group.files).sum();
        let line = if rows == 0 {
            "nothing was waiting".to_owned()
        } else {
            format!("wrote {} to {}", counted(rows, "record"), counted(files, "file"))
        };
        console.confirm(line, &Flushed { rows, files, groups })?;
        store.close().await?;
        Ok(Exit::Done)
    }
}
