//! `larder plan`: what applying definition files would change.

use clap::Args;

use super::super::console::Console;
use super::super::exit::{Exit, Verdict};
use super::super::place::Place;
use super::{read_arguments, refuse, view};
use crate::model::ErrorKind;
use crate::store::{FeatureStore, OpenOptions};
use crate::sync::definitions::plan;

/// Show what definition files would change, and whom it reaches
#[derive(Args, Debug)]
#[command(after_help = "\
+ create, ~ in place, ~ metadata; ✖ needs replacement and ! impossible refuse the whole. Nothing is changed.

Examples:
  larder plan features/
  larder plan features/ --check                      exit code 4 if something would change
  larder plan trips.larder.yaml --json | jq '.groups[].changes'")]
pub(crate) struct Plan {
    /// Definition files, folders of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// End with exit code 4 if something would change
    #[arg(long)]
    check: bool,
}

impl Plan {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let reading = read_arguments(self.paths).await?;
        if !reading.faults.is_empty() {
            return refuse(console, &reading.faults);
        }
        let store = match place.open().await {
            // A plan of a store that is yet to be made: an empty one stands for it and is gone afterwards.
            Err(error) if error.kind() == ErrorKind::NotFound => return empty(console, &reading.definitions, self.check).await,
            opened => opened?,
        };
        let planned = plan(&store, &reading.definitions).await?;
        show(console, &planned, self.check)
    }
}

async fn empty(console: &mut Console, definitions: &[crate::sync::definitions::Definition], check: bool) -> Verdict {
    let folder = Scratch::new()?;
    let store = FeatureStore::open(&folder.0, OpenOptions { create: true, ..OpenOptions::default() }).await?;
    let planned = plan(&store, definitions).await?;
    store.close().await?;
    show(console, &planned, check)
}

fn show(console: &mut Console, planned: &crate::sync::definitions::Plan, check: bool) -> Verdict {
    if console.json() {
        console.document(&view::document(planned, false, None))?;
    } else {
        view::write(console, planned)?;
    }
    if check && planned.is_pending() {
        console.complain(format!("changes are pending in {} groups; `larder apply` makes them", planned.groups.len()));
        return Ok(Exit::CheckSaysNo);
    }
    Ok(Exit::Done)
}

/// A folder that goes when it is dropped.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> crate::model::Result<Self> {
        let folder = std::env::temp_dir().join(format!("larder-plan-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).map_err(|error| crate::model::Error::io("can't make a temporary folder", error))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays lies among temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
