//! `larder tag`: labels of a group.

use std::collections::BTreeMap;

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::pairs::parse_pair;
use super::place::Place;
use super::table::{Side, Table};
use crate::model::ErrorKind;
use crate::store::GroupUpdate;
use crate::sync::{annotate, synced_groups};

/// Set, remove or show the tags of a group
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder tag trips
  larder tag trips team=mobility pii=no
  larder tag trips --remove pii")]
pub(crate) struct Tag {
    /// Name of the group
    group: String,
    /// Tags to set
    #[arg(value_name = "KEY=VALUE", value_parser = parse_pair)]
    tags: Vec<(String, String)>,
    /// Remove this tag, repeatable
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
}

impl Tag {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let only_shows = self.tags.is_empty() && self.remove.is_empty();
        let change = GroupUpdate {
            add_tags: self.tags.into_iter().collect(),
            remove_tags: self.remove.into_iter().collect(),
            ..GroupUpdate::default()
        };
        let own = if only_shows { store.group(&self.group).await } else { store.update_group(&self.group, &change).await };
        let group = match own {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(synced) = synced_groups(&store, Some(&self.group)).await?.into_iter().next() else { return Err(error.into()) };
                let synced = if only_shows { synced } else { annotate(&store, &self.group, &change, None).await? };
                return show(console, &synced.group.name, &synced.group.tags.unwrap_or_default(), only_shows);
            }
            own => own?,
        };
        show(console, group.name.as_str(), &group.tags, only_shows)
    }
}

fn show(console: &mut Console, name: &str, tags: &BTreeMap<String, String>, only_shows: bool) -> Verdict {
    if console.json() {
        console.document(tags)?;
    } else if tags.is_empty() {
        console.hint(format!("{name} has no tags"));
    } else if only_shows || !console.quiet() {
        let mut table = Table::new(&[("TAG", Side::Left), ("VALUE", Side::Left)]);
        for (key, value) in tags {
            table.row([key, value]);
        }
        console.table(&table)?;
    }
    Ok(Exit::Done)
}
