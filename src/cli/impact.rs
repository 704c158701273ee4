//! `larder impact`: what a change of a feature does to whom.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::lineage::{CoverageView, coverage};
use super::place::Place;
use super::table::{Side, Table};
use super::text::{counted, visible};
use crate::store::lineage::{Change, Effect};

/// Show what a change of a feature would break; exit code 4 if something is affected
#[derive(Args, Debug)]
#[command(after_help = "\
remove and type break whoever uses the feature; ttl (made shorter) leaves gaps in datasets and breaks those who read online; meaning
asks for a model to be trained again; add is safe. The answer ends with what it can know of.

Examples:
  larder impact customer-features.loyalty_score --change remove
  larder impact customer-features --change ttl
  larder impact customer-features.loyalty_score --change meaning --json | jq -r '.affected[].ref'")]
pub(crate) struct Impact {
    /// The feature as group.feature, or a group
    feature: String,
    /// What is to be changed: remove, type, ttl, meaning or add
    #[arg(long, value_name = "WHAT", default_value = "remove")]
    change: String,
}

/// The document of `impact --json`.
#[derive(Serialize)]
struct Document<'a> {
    node: &'a str,
    change: &'a str,
    worst: &'a str,
    affected: Vec<Entry<'a>>,
    coverage: CoverageView<'a>,
}

#[derive(Serialize)]
struct Entry<'a> {
    kind: &'a str,
    name: &'a str,
    #[serde(rename = "ref")]
    reference: &'a str,
    effect: &'a str,
    certainty: &'a str,
    depth: u32,
    owner: Option<&'a str>,
    reads: Option<u64>,
}

impl Impact {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let change: Change = self.change.parse()?;
        let impact = place.open().await?.impact(&self.feature, change).await?;
        let exit = if impact.worst() > Effect::Safe { Exit::CheckSaysNo } else { Exit::Done };
        if console.json() {
            let entries = impact.affected.iter().map(|affected| Entry {
                kind: affected.kind,
                name: &affected.name,
                reference: &affected.reference,
                effect: affected.effect.as_str(),
                certainty: affected.certainty.as_str(),
                depth: affected.depth,
                owner: affected.owner.as_deref(),
                reads: affected.reads,
            });
            console.document(&Document {
                node: &impact.node.reference,
                change: change.as_str(),
                worst: impact.worst().as_str(),
                affected: entries.collect(),
                coverage: coverage(&impact.coverage),
            })?;
        } else {
            let style = console.style();
            if impact.affected.is_empty() {
                console.line(format!("nothing recorded is affected by change '{change}' of {}", visible(&impact.node.reference)))?;
            } else {
                let mut table = Table::new(&[
                    ("EFFECT", Side::Left),
                    ("KIND", Side::Left),
                    ("NAME", Side::Left),
                    ("HOW SURE", Side::Left),
                    ("OWNER", Side::Left),
                    ("READS", Side::Right),
                ]);
                for affected in &impact.affected {
                    let reads = affected.reads.map(|reads| reads.to_string()).unwrap_or_default();
                    let owner = affected.owner.as_deref().unwrap_or_default();
                    table.row([affected.effect.as_str(), affected.kind, &affected.name, affected.certainty.as_str(), owner, &reads]);
                }
                console.table(&table)?;
            }
            console.line("")?;
            console.line(style.muted(&visible(&impact.coverage.sentence())))?;
        }
        if exit == Exit::CheckSaysNo {
            let many = counted(impact.affected.len() as u64, "consumer");
            console.complain(format!(
                "change '{change}' of {} affects {many}; the worst: {}",
                impact.node.reference,
                impact.worst().as_str()
            ));
        }
        Ok(exit)
    }
}
