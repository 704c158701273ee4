//! `larder online`: the store that holds the latest records, where it is another than the folder.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::text::{counted, visible};

/// Look after the online store: fill it from the history, or ask Redis how it is
#[derive(Args, Debug)]
#[command(after_help = "\
The latest records lie in the store's folder, or in Redis where online.url names one in larder.toml (or LARDER_ONLINE_URL).

Examples:
  larder online status
  larder online rebuild
  larder online rebuild customer-features --json")]
pub(crate) struct Online {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    Status(Status),
    Rebuild(Rebuild),
}

/// Say where the latest records lie, and whether that place answers; exit code 1 if it does not
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder online status
  larder online status --json | jq .waiting")]
struct Status {}

/// Fill the online store from the history; what stands there and is newer stays
#[derive(Args, Debug)]
#[command(after_help = "\
For a Redis that is new or has lost what it held. It may be stopped and run again, and while others read and write. \
A record that expires by a ttl of its own expires by its group's afterwards, and one that was written to one store only is as the \
history has it.

Examples:
  larder online rebuild
  larder online rebuild customer-features orders")]
struct Rebuild {
    /// Groups to fill [default: all that have both stores]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
}

/// The document of `online status --json`.
#[derive(Serialize)]
struct Answer<'a> {
    place: &'static str,
    url: Option<&'a str>,
    servers: Option<&'a str>,
    answers: bool,
    waiting: u64,
    evicting: &'a [String],
}

#[derive(Serialize)]
struct Rebuilt {
    group: String,
    rows: u64,
    restored: u64,
}

impl Online {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        match self.action {
            Action::Status(_) => status(place, console).await,
            Action::Rebuild(rebuild) => rebuild.run(place, console).await,
        }
    }
}

async fn status(place: &Place, console: &mut Console) -> Verdict {
    let store = place.open().await?;
    let status = store.redis_status().await?;
    store.close().await?;
    let Some(status) = status else {
        let line = format!("the latest records lie in {}", store.folder().join("online").display());
        console.confirm(line, &Answer { place: "folder", url: None, servers: None, answers: true, waiting: 0, evicting: &[] })?;
        return Ok(Exit::Done);
    };
    let answers = status.why.is_none();
    let said = match (&status.why, &status.shape) {
        (Some(why), _) => format!("does not answer: {why}"),
        (None, shape) => format!("answers, {}", shape.as_deref().unwrap_or("one server")),
    };
    let document = Answer {
        place: "redis",
        url: Some(&status.url),
        servers: status.shape.as_deref(),
        answers,
        waiting: status.waiting,
        evicting: &status.evicting,
    };
    console.confirm(format!("{} {}", visible(&status.url), visible(&said)), &document)?;
    if status.waiting > 0 {
        console.hint(format!("{} in the outbox not yet there; sent when it answers", counted(status.waiting, "write")));
    }
    for server in &status.evicting {
        console.hint(format!("{} may throw records away when memory runs short; set maxmemory-policy noeviction", visible(server)));
    }
    Ok(if answers { Exit::Done } else { Exit::Failed })
}

impl Rebuild {
    async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let mut progress = Progress::new(console);
        let reading = || Some(Stand { words: "reading the history".to_owned(), note: String::new(), rows: 0, done: 0, total: None });
        let reports = progress.during_showing(store.rebuild_online(&self.groups), reading).await?;
        progress.clear();
        store.close().await?;
        let groups: Vec<Rebuilt> =
            reports.into_iter().map(|report| Rebuilt { group: report.group, rows: report.rows, restored: report.restored }).collect();
        if console.json() {
            console.document(&groups)?;
            return Ok(Exit::Done);
        }
        for group in &groups {
            let read = counted(group.rows, "row");
            console.confirm(format!("{}: {} from {read} of history", visible(&group.group), counted(group.restored, "record")), &())?;
        }
        if groups.is_empty() {
            console.hint("no group has both an online store and a history");
        }
        Ok(Exit::Done)
    }
}
