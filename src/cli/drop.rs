//! `larder drop`: a group goes, after a question.

use std::io::{self, IsTerminal, Write};

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::Place;
use super::text::counted;
use crate::model::{Error, Result};

/// Remove a group from the store
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder drop trips
  larder drop trips --yes")]
pub(crate) struct Drop {
    /// Name of the group
    group: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Drop {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        if !(self.yes || io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(Error::usage(format!("'{}' is not dropped without a question, and there is no terminal to ask on", self.group))
                .remedy("add --yes")
                .into());
        }
        let store = place.open().await?;
        let group = store.group(&self.group).await?;
        if !self.yes {
            let summary = store.group_summary(&group).await?;
            let question = format!("Drop {} with {}, for good? [y/N] ", group.name, counted(summary.records, "record"));
            if !confirmed(&question)? {
                console.complain(format!("{} stays (the question was not answered with yes)", group.name));
                return Ok(Exit::Failed);
            }
        }
        store.drop_group(group.name.as_str()).await?;
        console.confirm(format!("dropped {}", group.name), &serde_json::json!({"group": group.name.as_str(), "dropped": true}))?;
        Ok(Exit::Done)
    }
}

/// Asks on standard error, so that a redirected standard output does not hide the question.
fn confirmed(question: &str) -> Result<bool> {
    let unasked = |error| Error::io("the question can't be asked", error);
    let mut notes = io::stderr();
    notes.write_all(question.as_bytes()).and_then(|()| notes.flush()).map_err(unasked)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(unasked)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
