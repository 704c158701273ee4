//! `larder get`: the latest record of one identifier.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::{Place, now};
use super::record_view;
use super::text::visible;
use crate::model::{Error, ErrorKind};
use crate::store::{FeatureStore, OnlineRecord};
use crate::sync::look_up;

/// Look up the latest record of an identifier; exit code 4 if there is none
#[derive(Args, Debug)]
#[command(after_help = "\
A record that does not exist, was deleted or has expired answers with exit code 4, a message on standard error and \
nothing on standard output, with --json too. A group that a source told of is looked up there, if it serves records.

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
        let features = (!self.features.is_empty()).then_some(self.features.as_slice());
        let group = match store.group(&self.group).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return self.elsewhere(&store, features, console, error).await,
            found => found?,
        };
        let Some(record) = store.get(group.name.as_str(), &self.id, features).await? else {
            console.complain(format!(
                "there is no record '{}' in '{}' (never stored, deleted or expired); `larder history` shows what was",
                self.id, group.name
            ));
            return Ok(Exit::CheckSaysNo);
        };
        show(console, group.name.as_str(), &record)
    }

    /// Looks up a group that this store has not at the source that told of it; `missing` is what to say if none did.
    async fn elsewhere(&self, store: &FeatureStore, features: Option<&[String]>, console: &mut Console, missing: Error) -> Verdict {
        let identifiers = std::slice::from_ref(&self.id);
        let Some(found) = look_up(store, &self.group, identifiers, features).await? else { return Err(missing.into()) };
        let Some(record) = found.records.iter().flatten().next() else {
            console.complain(visible(&format!(
                "there is no record '{}' in '{}' of source '{}' (never stored, deleted or expired)",
                self.id, found.group, found.source
            )));
            return Ok(Exit::CheckSaysNo);
        };
        show(console, &found.group, record)
    }
}

fn show(console: &mut Console, group: &str, record: &OnlineRecord) -> Verdict {
    if console.json() {
        console.document(&record_view::record_entry(group, record))?;
    } else {
        record_view::write_record(console, group, record, now())?;
    }
    Ok(Exit::Done)
}
