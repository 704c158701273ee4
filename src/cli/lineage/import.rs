//! `larder lineage import`: takes in OpenLineage events.

use clap::Args;
use serde::Serialize;

use crate::cli::console::Console;
use crate::cli::exit::{Exit, Verdict};
use crate::cli::place::Place;
use crate::cli::read_text;
use crate::cli::text::counted;

/// Refused events that are told one by one.
const TOLD: usize = 10;

/// Take in OpenLineage events: run, job and dataset events with column lineage
#[derive(Args, Debug)]
#[command(after_help = "\
One event, a JSON array, or one event a line. An event that was taken in before adds nothing; a faulty one stops no other and makes
the exit code 3.

Examples:
  larder lineage import events.ndjson
  curl -s https://marquez/events | larder lineage import -")]
pub(super) struct Import {
    /// File of events; '-' reads standard input
    file: String,
}

/// The document of `lineage import --json`.
#[derive(Serialize)]
struct Imported<'a> {
    received: u64,
    successful: u64,
    known: u64,
    failed: u64,
    nodes: u64,
    edges: u64,
    ended: u64,
    errors: Vec<Refused<'a>>,
}

#[derive(Serialize)]
struct Refused<'a> {
    event: u64,
    error: &'a str,
}

impl Import {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let text = read_text(&self.file).await?;
        let store = place.open().await?;
        let report = store.import_lineage(&text).await?;
        store.close().await?;
        let mut line = format!("took in {} of {}", report.taken, counted(report.received, "event"));
        if report.known > 0 {
            line += &format!(", {} known", report.known);
        }
        line += &format!(": {} and {} new", counted(report.nodes, "node"), counted(report.edges, "edge"));
        if report.ended > 0 {
            line += &format!(", {} ended", counted(report.ended, "edge"));
        }
        let errors = report.refused.iter().map(|(event, error)| Refused { event: *event, error });
        let document = Imported {
            received: report.received,
            successful: report.taken,
            known: report.known,
            failed: report.refused.len() as u64,
            nodes: report.nodes,
            edges: report.edges,
            ended: report.ended,
            errors: errors.collect(),
        };
        console.confirm(line, &document)?;
        for (event, error) in report.refused.iter().take(TOLD) {
            console.complain(format!("event {event}: {error}"));
        }
        if report.refused.len() > TOLD {
            console.complain(format!("{} more were refused", report.refused.len() - TOLD));
        }
        Ok(match report.refused.is_empty() {
            true => Exit::Done,
            false if report.taken + report.known == 0 => Exit::Failed,
            false => Exit::Partly,
        })
    }
}
