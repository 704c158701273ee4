//! `larder batch-get`: the latest records of many identifiers.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::Place;
use super::read_text;
use super::record_view::{self, RecordEntry};
use crate::model::ErrorKind;
use crate::store::OnlineRecord;
use crate::sync::look_up;

/// Look up the latest records of many identifiers; exit code 4 if none is there
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder batch-get customer-features C0001 C0002 C0003
  larder batch-get customer-features C0001 C0002 --json
  cut -d, -f1 ids.csv | larder batch-get customer-features - --feature loyalty_score --json")]
pub(crate) struct BatchGet {
    /// Name of the group
    group: String,
    /// Record identifiers; '-' reads them from standard input, one a line
    #[arg(value_name = "ID", required = true, allow_negative_numbers = true)]
    ids: Vec<String>,
    /// Read only this feature, repeatable
    #[arg(long = "feature", value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
}

/// The document of `batch-get --json`.
#[derive(Serialize)]
struct Found<'a> {
    records: Vec<RecordEntry<'a>>,
    missing: Vec<&'a str>,
}

impl BatchGet {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let mut ids = Vec::with_capacity(self.ids.len());
        for id in self.ids {
            match id.as_str() {
                "-" => ids.extend(
                    read_text("-")
                        .await?
                        .lines()
                        .map(|line| line.trim_end_matches('\r'))
                        .filter(|line| !line.is_empty())
                        .map(str::to_owned),
                ),
                _ => ids.push(id),
            }
        }
        let store = place.open().await?;
        let features = (!self.features.is_empty()).then_some(self.features.as_slice());
        let (name, answers) = match store.group(&self.group).await {
            Err(missing) if missing.kind() == ErrorKind::NotFound => match look_up(&store, &self.group, &ids, features).await? {
                Some(found) => (found.group, found.records),
                None => return Err(missing.into()),
            },
            group => {
                let name = group?.name.as_str().to_owned();
                let answers = store.batch_get(&name, &ids, features).await?;
                (name, answers)
            }
        };
        let records: Vec<&OnlineRecord> = answers.iter().flatten().collect();
        let missing: Vec<&str> = ids.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).map(|(id, _)| id.as_str()).collect();
        if console.json() {
            let entries = records.iter().map(|record| record_view::record_entry(&name, record)).collect();
            console.document(&Found { records: entries, missing: missing.clone() })?;
        } else {
            record_view::write_records(console, &records)?;
        }
        if !missing.is_empty() && !console.json() || records.is_empty() {
            let shown = missing.iter().take(10).copied().collect::<Vec<_>>().join(", ");
            let rest = missing.len().saturating_sub(10);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            console.complain(format!("no record in '{name}' for {shown}{more}"));
        }
        Ok(if records.is_empty() { Exit::CheckSaysNo } else { Exit::Done })
    }
}
