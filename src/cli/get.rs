//! `larder get`: the latest record of one identifier.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::{Place, now};
use super::record_view;

/// Look up the latest record of an identifier; exit code 4 if there is none
#[derive(Args, Debug)]
#[command(after_help = "\
A record that does not exist, was deleted or has expired answers with exit code 4, a message on standard error and \
nothing on standard output, with --json too.

Examples:
  larder get customer-features C0042
  larder get customer-features C0042 --feature loyalty_score --feature return_rate
  larder get customer-features C0042 --json | jq .features.loyalty_score")]
pub(crate) struct Get {
    /// Name of the group
    group: String,
    /// Record identifier
    #[arg(allow_negative_numbers = true)]
    id: String,
    /// Read only this feature, repeatable
    #[arg(long = "feature", value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
}

impl Get {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let group = store.group(&self.group).await?;
        let features = (!self.features.is_empty()).then_some(self.features.as_slice());
        let Some(record) = store.get(group.name.as_str(), &self.id, features).await? else {
            console.complain(format!(
                "there is no record '{}' in '{}' (never stored, deleted or expired); `larder history` shows what was",
                self.id, group.name
            ));
            return Ok(Exit::CheckSaysNo);
        };
        if console.json() {
            console.document(&record_view::record_entry(group.name.as_str(), &record))?;
        } else {
            record_view::write_record(console, group.name.as_str(), &record, now())?;
        }
        Ok(Exit::Done)
    }
}
