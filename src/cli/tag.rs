//! `larder tag`: labels of a group.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::pairs::parse_pair;
use super::place::Place;
use super::table::{Side, Table};
use crate::store::GroupUpdate;

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
        let group = if only_shows {
            store.group(&self.group).await?
        } else {
            let change = GroupUpdate {
                add_tags: self.tags.into_iter().collect(),
                remove_tags: self.remove.into_iter().collect(),
                ..GroupUpdate::default()
            };
            store.update_group(&self.group, &change).await?
        };
        if console.json() {
            console.document(&group.tags)?;
        } else if group.tags.is_empty() {
            console.hint(format!("{} has no tags", group.name));
        } else if only_shows || !console.quiet() {
            let mut table = Table::new(&[("TAG", Side::Left), ("VALUE", Side::Left)]);
            for (key, value) in &group.tags {
                table.row([key, value]);
            }
            console.table(&table)?;
        }
        Ok(Exit::Done)
    }
}
