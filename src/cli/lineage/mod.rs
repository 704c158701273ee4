//! `larder lineage`: where a node comes from and where it goes; and, below, the verbs that tell lineage more.

mod add;
mod import;
mod link;
mod remove;
mod view;

use clap::{Args, Subcommand, ValueEnum};

pub(super) use view::{CoverageView, coverage};

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::Place;
use crate::model::{Error, EventTime, TimeMode};
use crate::store::lineage::{Direction, LineageQuestion, format};

/// Show where a feature, group, dataset or model comes from, and where it goes
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Verbs",
    subcommand_value_name = "VERB",
    after_help = "\
NODE is a group, group.feature, dataset, dataset@version, or kind:name (model, endpoint, dashboard, job, source, …). A node whose name
is that of a verb is reached with its kind: `larder lineage group:add`. The answer ends with what it can know of.

Examples:
  larder lineage customer-features.loyalty_score --down
  larder lineage model:churn --up --json
  larder lineage churn-training --format mermaid
  larder lineage add --from churn-training --to model:churn
  larder lineage import events.ndjson"
)]
pub(crate) struct Lineage {
    #[command(subcommand)]
    verb: Option<LineageVerb>,
    /// What to ask about: group, group.feature, dataset[@version] or kind:name
    #[arg(required = true)]
    node: Option<String>,
    /// Only where it comes from
    #[arg(long)]
    up: bool,
    /// Only where it goes
    #[arg(long)]
    down: bool,
    /// Go at most this many edges far
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,
    /// Follow the edges that held at this time
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Write it in this format [default: tree, or json with --json]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Subcommand, Debug)]
enum LineageVerb {
    Add(add::Add),
    Link(link::LinkModel),
    Remove(remove::Remove),
    Import(import::Import),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Tree,
    Json,
    Dot,
    Mermaid,
    Openlineage,
}

impl Lineage {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        match self.verb {
            Some(LineageVerb::Add(add)) => return add.run(place, console).await,
            Some(LineageVerb::Link(link)) => return link.run(place, console).await,
            Some(LineageVerb::Remove(remove)) => return remove.run(place, console).await,
            Some(LineageVerb::Import(import)) => return import.run(place, console).await,
            None => {}
        }
        let Some(node) = self.node else { return Err(Error::usage("no node is named").remedy("see 'larder lineage --help'").into()) };
        let mut directions = Vec::new();
        if self.up {
            directions.push(Direction::Up);
        }
        if self.down {
            directions.push(Direction::Down);
        }
        let question = LineageQuestion { node, directions, depth: self.depth, at: time(self.at.as_deref(), "--at")? };
        let store = place.open().await?;
        let answer = store.lineage(&question).await?;
        let format = match (self.format, console.json()) {
            (None | Some(Format::Json), true) | (Some(Format::Json), false) => Format::Json,
            (None, false) => Format::Tree,
            (Some(_), true) => return Err(Error::usage("--json and another --format exclude each other").remedy("leave one out").into()),
            (Some(format), false) => format,
        };
        match format {
            Format::Json => console.document(&view::document(&answer))?,
            Format::Tree => view::write_tree(console, &answer, &question.directions)?,
            Format::Dot => view::write_text(console, &format::dot(&answer))?,
            Format::Mermaid => view::write_text(console, &format::mermaid(&answer))?,
            Format::Openlineage => {
                for event in store.lineage_events(&answer) {
                    let line = serde_json::to_string(&event).map_err(|error| Error::internal("can't encode an event").source(error))?;
                    view::write_text(console, &line)?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// Reads a time that a flag gave.
fn time(text: Option<&str>, flag: &str) -> crate::model::Result<Option<EventTime>> {
    let parse = |text: &str| EventTime::parse_text(text, TimeMode::Lenient).map_err(|error| Error::usage(error.to_string()).within(flag));
    text.map(parse).transpose()
}
