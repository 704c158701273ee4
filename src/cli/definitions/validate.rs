//! `larder validate`: whether definition files are right, without a store.

use clap::Args;

use super::super::console::Console;
use super::super::exit::{Exit, Verdict};
use super::super::text::counted;
use super::{read_arguments, refuse, view};

/// Check definition files without a store
#[derive(Args, Debug)]
#[command(after_help = "\
Every fault of every file is told as file:line:column; exit code 1 if there is one.

Examples:
  larder validate features/
  larder validate features/ --json | jq '.faults[].message'")]
pub(crate) struct Validate {
    /// Definition files, folders of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
}

impl Validate {
    pub(crate) async fn run(self, console: &mut Console) -> Verdict {
        let reading = read_arguments(self.paths).await?;
        if !reading.faults.is_empty() {
            return refuse(console, &reading.faults);
        }
        let groups: Vec<&str> = reading.definitions.iter().map(|definition| definition.name.as_str()).collect();
        let document = serde_json::json!({ "faults": view::faults(&[]), "groups": groups });
        console.confirm(format!("{} without a fault", counted(groups.len() as u64, "definition")), &document)?;
        Ok(Exit::Done)
    }
}
