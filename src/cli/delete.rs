//! `larder delete`: a record goes as of a time.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::Place;
use super::text::visible;
use crate::store::{DeleteOptions, OnlineEffect};

/// Delete a record as of a time; its history stays
#[derive(Args, Debug)]
#[command(after_help = "\
A delete older than the record leaves it in place and marks the history; with --hard it is refused.

Examples:
  larder delete customer-features C0042 --event-time 2026-11-23T10:00:00Z
  larder delete customer-features C0042 --event-time 2026-11-23T10:00:00Z --hard")]
pub(crate) struct Delete {
    /// Name of the group
    group: String,
    /// Record identifier
    #[arg(allow_negative_numbers = true)]
    id: String,
    /// When the record ceased to be true
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    event_time: String,
    /// Forget the record online instead of marking it deleted, so that any event time is accepted again
    #[arg(long)]
    hard: bool,
}

impl Delete {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let receipt =
            store.delete(&self.group, &self.id, &self.event_time, DeleteOptions { hard: self.hard, ..DeleteOptions::default() }).await?;
        store.close().await?;
        let late = receipt.online == OnlineEffect::Late;
        let queued = receipt.online == OnlineEffect::Queued;
        console.confirm(
            format!("deleted {} from {} as of {}", visible(&self.id), self.group, visible(&self.event_time)),
            &serde_json::json!({"group": self.group, "record_identifier": self.id, "hard": self.hard, "late": late, "queued": queued}),
        )?;
        if late {
            console.hint("the record online is newer and stays; the history has the mark");
        }
        if queued {
            console.hint("the online store does not answer and gets the mark later");
        }
        Ok(Exit::Done)
    }
}
