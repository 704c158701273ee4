//! `larder lineage add`: says what only people know.

use clap::Args;
use serde::Serialize;

use super::time;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Verdict};
use crate::cli::place::Place;
use crate::cli::text::visible;
use crate::model::Error;
use crate::model::suggest::suggest;
use crate::store::lineage::{Declaration, Declared, EdgeKind};

/// Declare that data flows from one node to another
#[derive(Args, Debug)]
#[command(after_help = "\
Models, jobs, endpoints, dashboards, notebooks, services, consumers and sources need not exist before.

Examples:
  larder lineage add --from churn-training@1 --to model:churn --at 2026-08-01T12:00:00Z
  larder lineage add --from customer-features.loyalty_score --to dashboard:loyalty --owner team:growth
  larder lineage add --from model:churn --to endpoint:churn-prod
  larder lineage add --from source:postgres/shop.orders --to job:nightly-features
  larder lineage add --from job:nightly-features --to customer-features")]
pub(super) struct Add {
    /// Where data comes from
    #[arg(long, value_name = "NODE")]
    from: String,
    /// Where it goes
    #[arg(long, value_name = "NODE")]
    to: String,
    /// How: reads, writes, derives, selects, trains or serves [default: what fits the two]
    #[arg(long)]
    kind: Option<String>,
    /// Since when, say when the model was trained [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Who answers for the node it goes to
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
}

/// The document of `lineage add --json`.
#[derive(Serialize)]
struct Added<'a> {
    from: &'a str,
    to: &'a str,
    kind: &'a str,
    new: bool,
}

impl Add {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let declaration = Declaration {
            kind: self.kind.as_deref().map(kind).transpose()?,
            since: time(self.at.as_deref(), "--at")?,
            from: self.from,
            to: self.to,
            owner: self.owner,
        };
        let store = place.open().await?;
        let declared = store.declare_lineage(&declaration).await?;
        store.close().await?;
        confirm(console, &declared)
    }
}

/// Confirms a declaration.
pub(super) fn confirm(console: &mut Console, declared: &Declared) -> Verdict {
    let Declared { from, to, kind, is_new } = declared;
    let known = if *is_new { "" } else { " (was known)" };
    let line = format!("{} → {}: {kind}{known}", visible(from), visible(to));
    console.confirm(line, &Added { from, to, kind: kind.as_str(), new: *is_new })?;
    Ok(Exit::Done)
}

fn kind(text: &str) -> crate::model::Result<EdgeKind> {
    // A field is a part by definition; nobody declares it.
    let known = || EdgeKind::ALL.iter().filter(|kind| **kind != EdgeKind::Contains).map(|kind| kind.as_str());
    EdgeKind::parse(text).filter(|kind| *kind != EdgeKind::Contains).ok_or_else(|| {
        let error = Error::usage(format!("'{}' is no kind of edge", text.escape_debug()));
        match suggest(text, known()) {
            Some(near) => error.remedy(format!("did you mean '{near}'?")),
            None => error.remedy(format!("use one of {}", known().collect::<Vec<_>>().join(", "))),
        }
    })
}
