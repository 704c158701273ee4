//! `larder list`: every group on one line.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::group_view;
use super::place::{Place, now};
use crate::model::{Error, ErrorKind};
use crate::sync::synced_groups;

/// List the groups of the store
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder list
  larder list --json | jq -r '.[].name'")]
pub(crate) struct List {}

impl List {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let mut synced = Vec::new();
        let groups: Vec<_> = match place.open().await {
            Ok(store) => {
                let groups = store.list_groups().await?;
                synced = synced_groups(&store, None).await?;
                let mut summaries = store.group_summaries(&groups).await?;
                groups
                    .into_iter()
                    .map(|group| {
                        let summary = summaries.remove(&group.id).unwrap_or_default();
                        (group, summary)
                    })
                    .collect()
            }
            // A store that nobody has made yet has no groups.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        if console.json() {
            let own = groups.iter().map(|(group, summary)| serde_json::to_value(group_view::entry(group, summary)));
            let mut entries = own.collect::<Result<Vec<_>, _>>().map_err(|error| Error::internal("a group is no JSON").source(error))?;
            entries.extend(synced.iter().map(|synced| group_view::synced(synced, false)));
            console.document(&entries)?;
            return Ok(Exit::Done);
        }
        if groups.is_empty() && synced.is_empty() {
            console.hint("nothing on the shelf yet: `larder create NAME --from FILE --id COL --event-time COL` makes a group, `larder demo` a sample store");
            return Ok(Exit::Done);
        }
        if !groups.is_empty() {
            group_view::write_list(console, &groups, now())?;
        }
        if !synced.is_empty() {
            if !groups.is_empty() {
                console.line("")?;
            }
            group_view::write_synced(console, &synced, now())?;
        }
        Ok(Exit::Done)
    }
}
