//! How an answer of lineage looks: as a tree, as a document.

use serde::Serialize;

use crate::cli::console::Console;
use crate::cli::exit::Failure;
use crate::cli::text::{harmless_json, harmless_lines, visible};
use crate::model::EventTime;
use crate::store::lineage::{Answer, Coverage, Direction, UsageRow, format};

/// The document of `lineage --json`.
#[derive(Serialize)]
pub(in crate::cli) struct Document<'a> {
    node: &'a str,
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge<'a>>,
    readers: Vec<Reader<'a>>,
    coverage: CoverageView<'a>,
}

#[derive(Serialize)]
struct Node<'a> {
    kind: &'a str,
    name: &'a str,
    #[serde(rename = "ref")]
    reference: &'a str,
    namespace: &'a str,
    direction: Option<&'a str>,
    depth: u32,
    certainty: &'a str,
    deleted: bool,
    owner: Option<&'a str>,
}

#[derive(Serialize)]
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    kind: &'a str,
    method: &'a str,
    transform: Option<&'a str>,
    indirect: bool,
    column_unknown: bool,
    run: Option<String>,
    since: String,
    until: Option<String>,
}

/// Somebody who reads records.
#[derive(Serialize)]
pub(in crate::cli) struct Reader<'a> {
    principal: &'a str,
    operation: &'a str,
    reads: u64,
    last_day: String,
}

/// How much an answer can know of.
#[derive(Serialize)]
pub(in crate::cli) struct CoverageView<'a> {
    summary: String,
    channels: Vec<ChannelView<'a>>,
    inferred: usize,
    column_unknown: usize,
}

#[derive(Serialize)]
struct ChannelView<'a> {
    name: &'a str,
    known: bool,
    since: Option<String>,
}

/// Returns the coverage as a document has it.
pub(in crate::cli) fn coverage(coverage: &Coverage) -> CoverageView<'_> {
    let channels = coverage.channels.iter().map(|channel| ChannelView {
        name: channel.name,
        known: channel.since.is_some(),
        since: channel.since.map(|since| since.to_iso8601()),
    });
    CoverageView {
        summary: coverage.sentence(),
        channels: channels.collect(),
        inferred: coverage.inferred,
        column_unknown: coverage.column_unknown,
    }
}

/// Returns an answer as a document.
pub(super) fn document(answer: &Answer) -> Document<'_> {
    let reference = |position: usize| answer.nodes.get(position).map_or("", |node| node.reference.as_str());
    let way = |direction: Direction| if direction == Direction::Up { "up" } else { "down" };
    let nodes = answer.nodes.iter().map(|node| Node {
        kind: node.key.kind.as_str(),
        name: &node.name,
        reference: &node.reference,
        namespace: &node.key.namespace,
        direction: node.direction.map(way),
        depth: node.depth,
        certainty: node.certainty.as_str(),
        deleted: node.is_deleted,
        owner: node.owner.as_deref(),
    });
    let edges = answer.edges.iter().map(|edge| Edge {
        from: reference(edge.source),
        to: reference(edge.target),
        kind: edge.kind.as_str(),
        method: edge.method.as_str(),
        transform: (!edge.transform.is_empty()).then_some(edge.transform.as_str()),
        indirect: edge.indirect,
        column_unknown: edge.column_unknown,
        run: edge.run.map(|run| run.to_string()),
        since: edge.since.to_iso8601(),
        until: edge.until.map(|until| until.to_iso8601()),
    });
    Document {
        node: reference(0),
        nodes: nodes.collect(),
        edges: edges.collect(),
        readers: answer.readers.iter().map(reader).collect(),
        coverage: coverage(&answer.coverage),
    }
}

fn reader(row: &UsageRow) -> Reader<'_> {
    Reader { principal: &row.principal, operation: &row.operation, reads: row.reads, last_day: day(row.last_day) }
}

/// A day since 1970 as a date.
fn day(day: i64) -> String {
    let midnight = EventTime::from_unix_seconds(day.saturating_mul(86_400));
    midnight.map(|midnight| midnight.to_iso8601().chars().take(10).collect()).unwrap_or_default()
}

/// Writes text of another format; what could steer a terminal is made harmless on one.
pub(super) fn write_text(console: &mut Console, text: &str) -> Result<(), Failure> {
    let shown = match (console.page().is_terminal(), text.starts_with('{')) {
        (false, _) => text.into(),
        (true, true) => harmless_json(text),
        (true, false) => harmless_lines(text),
    };
    console.line(shown.trim_end())
}

/// Writes an answer as a tree for people.
pub(super) fn write_tree(console: &mut Console, answer: &Answer, asked: &[Direction]) -> Result<(), Failure> {
    let style = console.style();
    if let Some(start) = answer.start() {
        let gone = if start.is_deleted { "  deleted" } else { "" };
        console.line(format!("{}  {}{gone}", style.strong(&visible(&start.reference)), style.muted(start.key.kind.as_str())))?;
    }
    for (direction, heading, none) in [
        (Direction::Up, "comes from", "nothing recorded that it comes from"),
        (Direction::Down, "goes to", "nothing recorded that it goes to"),
    ] {
        if !asked.is_empty() && !asked.contains(&direction) {
            continue;
        }
        let lines = format::tree(answer, direction);
        console.line("")?;
        if lines.is_empty() {
            console.line(style.muted(none))?;
            continue;
        }
        console.line(style.muted(heading))?;
        for line in lines {
            console.line(format!("{}{}  {}", style.muted(&line.branches), visible(&line.node), style.muted(&visible(&line.note))))?;
        }
    }
    if !answer.readers.is_empty() {
        console.line("")?;
        console.line(style.muted("read in the last 30 days by"))?;
        for reader in &answer.readers {
            console.line(format!(
                "   {}  {} {}, last on {}",
                visible(&reader.principal),
                reader.reads,
                reader.operation,
                day(reader.last_day)
            ))?;
        }
    }
    console.line("")?;
    console.line(style.muted(&visible(&answer.coverage.sentence())))
}
