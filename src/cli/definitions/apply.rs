//! `larder apply`: makes the store what definition files say.

use clap::Args;

use super::super::console::Console;
use super::super::exit::{Exit, Verdict};
use super::super::place::Place;
use super::{read_arguments, refuse, view};
use crate::sync::definitions::apply;

/// Make the store what definition files say: all of it, or nothing
#[derive(Args, Debug)]
#[command(after_help = "\
Does what `larder plan` shows, without a question. Groups that no file names are not touched; doing it twice changes nothing.

Examples:
  larder apply features/
  larder apply trips.larder.yaml --json
  larder export definitions features && larder apply features/")]
pub(crate) struct Apply {
    /// Definition files, folders of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
}

impl Apply {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let reading = read_arguments(self.paths).await?;
        if !reading.faults.is_empty() {
            return refuse(console, &reading.faults);
        }
        let store = place.open_or_make().await?;
        let applied = apply(&store, &reading.definitions).await?;
        let done = applied.refused.is_none() && applied.plan.is_pending();
        if console.json() {
            console.document(&view::document(&applied.plan, done, applied.refused.as_ref().map(ToString::to_string)))?;
        } else if !console.quiet() || applied.refused.is_some() {
            view::write(console, &applied.plan)?;
        }
        if let Some(refused) = applied.refused {
            console.complain(refused.to_string());
            return Ok(Exit::Failed);
        }
        if done {
            console.hint("applied");
        }
        store.close().await?;
        Ok(Exit::Done)
    }
}
