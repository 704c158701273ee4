//! `larder describe`: everything known about one group.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::group_view;
use super::place::{Place, now};
use crate::model::ErrorKind;
use crate::sync::{disagreements, synced_groups};

/// Show a group: its stores, figures and features
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder describe customer-features
  larder describe customer-features --json | jq -r '.features[].name'")]
pub(crate) struct Describe {
    /// Name of the group
    group: String,
}

impl Describe {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let group = match store.group(&self.group).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(synced) = synced_groups(&store, Some(&self.group)).await?.into_iter().next() else { return Err(error.into()) };
                if console.json() {
                    console.document(&group_view::synced(&synced, true))?;
                } else {
                    group_view::write_synced_page(console, &synced, now())?;
                }
                return Ok(Exit::Done);
            }
            group => group?,
        };
        let summary = store.group_summary(&group).await?;
        let location = group_view::location(&store, &group)?;
        let disagreements = disagreements(&store, group.name.as_str()).await?;
        if console.json() {
            console.document(&group_view::page(&group, &summary, location, &disagreements))?;
        } else {
            group_view::write_page(console, &group, &summary, location.as_deref(), now())?;
            group_view::write_disagreements(console, &disagreements)?;
        }
        Ok(Exit::Done)
    }
}
