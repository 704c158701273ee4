//! `larder sync status` and `larder sync show`: what earlier runs brought.

use clap::Args;
use serde_json::{Value, json};

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::{Place, now};
use super::sync::{named, sign, write_fields};
use super::table::{Side, Table};
use super::text::{relative_time, visible};
use crate::model::{Error, EventTime};
use crate::sync::{FieldChange, disagreements, sync_run, sync_status};

/// Show how each source stands
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder sync status
  larder sync status --json | jq -r '.[] | select(.report.status != \"complete\").name'")]
pub(crate) struct Status {}

/// Show what one run brought
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder sync show latest
  larder sync show 019ab2 --json")]
pub(crate) struct Show {
    /// Id of the run, the beginning of it, or 'latest'
    #[arg(value_name = "RUN")]
    run: String,
}

impl Status {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let states = sync_status(&store).await?;
        if console.json() {
            let document = |state: &crate::sync::SourceState| {
                json!({"name": state.source.name, "kind": state.source.kind, "location": state.source.location,
                       "seen": state.source.seen.map(EventTime::to_iso8601), "run_id": state.run, "report": state.report})
            };
            console.document(&states.iter().map(document).collect::<Vec<_>>())?;
        } else if states.is_empty() {
            console.hint("there is no source: `larder source add NAME KIND LOCATION` adds one");
        } else {
            let columns = [("SOURCE", Side::Left), ("KIND", Side::Left), ("STATUS", Side::Left), ("READ", Side::Left)];
            let counts = [("LISTED", Side::Right), ("FAULTY", Side::Right), ("WITHHELD", Side::Right), ("TOOK", Side::Right)];
            let mut table = Table::new(&[&columns[..], &counts[..], &[("TROUBLE", Side::Left)]].concat());
            for state in &states {
                let text = |field: &str| state.report.as_ref().map(|report| plain(&report[field])).unwrap_or_default();
                let took = state.report.as_ref().and_then(|report| report["duration_ms"].as_f64());
                let trouble = state.report.as_ref().map(|report| plain(&report["errors"][0]["message"])).unwrap_or_default();
                let seen = state.source.seen.map_or_else(|| "never".to_owned(), |seen| relative_time(seen.unix_micros(), now()));
                let status = if state.report.is_some() { text("status") } else { "not synced".to_owned() };
                let took = took.map(|milliseconds| format!("{:.1} s", milliseconds / 1e3)).unwrap_or_default();
                let row = [&state.source.name, &state.source.kind, &status, &seen];
                let counts = [text("listed"), text("faulty"), text("withheld"), took, trouble];
                table.row(row.into_iter().cloned().chain(counts));
            }
            console.table(&table)?;
        }
        Ok(Exit::Done)
    }
}

impl Show {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let found = sync_run(&store, &self.run).await?;
        let mut changes = Vec::with_capacity(found.changes.len());
        for change in &found.changes {
            let fields: Vec<FieldChange> = serde_json::from_str(&change.fields)
                .map_err(|error| Error::corrupt("a change in the catalog can't be read").source(error))?;
            changes.push((change, fields));
        }
        let mut disagree = Vec::new();
        let names: std::collections::BTreeSet<&str> =
            found.changes.iter().filter(|change| change.kind == "group").map(|change| change.name.as_str()).collect();
        for name in names {
            disagree.extend(disagreements(&store, name).await?.into_iter().map(|one| (name, one)));
        }
        let (run, finished) = (&found.run, found.run.finished.map(EventTime::to_iso8601));
        if console.json() {
            let changes: Vec<Value> = changes
                .iter()
                .map(|(row, fields)| json!({"op": row.operation, "source": row.source, "id": row.name, "fields": fields}))
                .collect();
            console.document(&json!({"run_id": run.id.to_string(), "status": run.state.as_str(), "started": run.started.to_iso8601(),
                "finished": finished, "sources": found.sources, "changes": changes,
                "disagreements": disagree.iter().map(|(name, one)| json!({"id": name, "path": one.path, "said": one.said})).collect::<Vec<_>>()}))?;
            return Ok(Exit::Done);
        }
        console.line(format!(
            "{}  {}  {} to {}",
            run.id,
            run.state.as_str(),
            run.started.to_iso8601(),
            finished.as_deref().unwrap_or("now")
        ))?;
        for source in &found.sources {
            let count = |field: &str| plain(&source[field]);
            console.line(visible(&format!(
                "{}: {}, {} created, {} updated, {} deleted, {} unchanged, {} withheld, {} faulty",
                count("name"),
                count("status"),
                count("created"),
                count("updated"),
                count("deleted"),
                count("unchanged"),
                count("withheld"),
                count("faulty")
            )))?;
            for error in source["errors"].as_array().into_iter().flatten() {
                let message = plain(&error["message"]);
                // A message that names the place itself need not be told it twice.
                let object = error["object"].as_str().filter(|object| !message.starts_with(object));
                let object = object.map(|object| format!("{object}: ")).unwrap_or_default();
                console.line(visible(&format!("    ? {object}{message}")))?;
            }
        }
        for (change, fields) in &changes {
            console.line(format!("{} {} ({})", sign(&change.operation), named(&change.kind, &change.name), visible(&change.source)))?;
            write_fields(console, fields)?;
        }
        for (name, one) in &disagree {
            console.line(visible(&format!("≠ {name}  {}", one.to_line())))?;
        }
        Ok(Exit::Done)
    }
}

/// A value without the quotation marks of JSON; nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
