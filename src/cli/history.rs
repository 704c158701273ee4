//! `larder history`: every version of one record.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::Place;
use super::record_view;

/// Show every version of a record, newest first; exit code 4 if there is none
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder history customer-features C0042
  larder history customer-features C0042 --limit 5 --feature loyalty_score
  larder history customer-features C0042 --json | jq '.[0].features'")]
pub(crate) struct History {
    /// Name of the group
    group: String,
    /// Record identifier
    #[arg(allow_negative_numbers = true)]
    id: String,
    /// Show at most this many versions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show only this feature, repeatable
    #[arg(long = "feature", value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
}

impl History {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let group = store.group(&self.group).await?;
        let mut positions = Vec::with_capacity(self.features.len());
        for name in &self.features {
            positions.push(group.schema.feature(name)?.0);
        }
        let chosen = !positions.is_empty();
        if !chosen {
            positions.extend(0..group.schema.len());
        }
        let limit = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let rows = store.history(group.name.as_str(), &self.id, limit).await?;
        if console.json() {
            let versions: Vec<_> = rows.iter().map(|row| record_view::version_entry(&group.schema, &positions, row)).collect();
            console.document(&versions)?;
        } else {
            if !chosen {
                // Every row has them, and its event time leads it.
                positions.retain(|position| ![group.schema.identifier_position(), group.schema.event_time_position()].contains(position));
            }
            record_view::write_history(console, &group.schema, &positions, &rows)?;
        }
        if rows.is_empty() {
            console.complain(format!("there is no version of record '{}' in '{}'", self.id, group.name));
            return Ok(Exit::CheckSaysNo);
        }
        Ok(Exit::Done)
    }
}
