//! The answer to a question of lineage: nodes, edges, and how much of the world it can know of.
//!
//! An answer always states its coverage. "No consumers" is never said where "none recorded" is meant: consumers come to be known
//! through five channels, and a channel that nobody has used yet is as good as blind.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::names::Names;
use super::walk::{Certainty, Direction, Reached, Step, Walk};
use crate::catalog::{EdgeKind, EdgeMethod, EdgeRow, MethodSince, NodeKey, NodeKind, NodeRow, UsageRow};
use crate::model::EventTime;

/// A node of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerNode {
    /// What it is known by.
    pub key: NodeKey,
    /// The text that stands for it alone.
    pub reference: String,
    /// Its bare name.
    pub name: String,
    /// True if it is known to be gone: a dropped group, a dataset that was announced as dropped.
    pub is_deleted: bool,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Which way it lies; none is the start, and what lies both ways.
    pub direction: Option<Direction>,
    /// Fewest edges on the way.
    pub depth: u32,
    /// How surely it is reached.
    pub certainty: Certainty,
}

/// An edge of an answer. `source` and `target` are positions of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerEdge {
    /// Where data comes from.
    pub source: usize,
    /// Where it goes.
    pub target: usize,
    /// How.
    pub kind: EdgeKind,
    /// OpenLineage's subtype; empty if nobody said.
    pub transform: String,
    /// True where values only decide which rows there are.
    pub indirect: bool,
    /// Who says so.
    pub method: EdgeMethod,
    /// The group is used; whether this feature is, nobody said.
    pub column_unknown: bool,
    /// The latest run that showed it.
    pub run: Option<Uuid>,
    /// Since when it holds.
    pub since: EventTime,
    /// Until when it held.
    pub until: Option<EventTime>,
}

/// A way by which consumers come to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What it is called.
    pub name: &'static str,
    /// Since when it has told anything; none is never.
    pub since: Option<EventTime>,
}

/// How much of the world an answer can know of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// The channels.
    pub channels: Vec<Channel>,
    /// Edges of the answer that are only inferred.
    pub inferred: usize,
    /// Edges of the answer where the column is not known.
    pub column_unknown: usize,
}

impl Coverage {
    /// Puts together what is known through which channel.
    pub fn new(since: &[MethodSince], reads_since: Option<EventTime>) -> Self {
        let first = |wanted: &dyn Fn(&MethodSince) -> bool| since.iter().filter(|known| wanted(known)).map(|known| known.since).min();
        let observed =
            |kinds: &'static [EdgeKind]| move |known: &MethodSince| known.method == EdgeMethod::Observed && kinds.contains(&known.kind);
        let channels = vec![
            Channel { name: "loads", since: first(&observed(&[EdgeKind::Loads])) },
            Channel { name: "builds", since: first(&observed(&[EdgeKind::Derives])) },
            Channel { name: "reads", since: reads_since },
            Channel { name: "declared", since: first(&|known| known.method == EdgeMethod::Declared) },
            Channel { name: "imported", since: first(&|known| matches!(known.method, EdgeMethod::Imported | EdgeMethod::Inferred)) },
        ];
        Self { channels, inferred: 0, column_unknown: 0 }
    }

    /// The channels that have told something.
    pub fn known(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter().filter(|channel| channel.since.is_some())
    }

    /// What is known and what is not, in one line.
    pub fn sentence(&self) -> String {
        let (known, silent): (Vec<_>, Vec<_>) = self.channels.iter().partition(|channel| channel.since.is_some());
        let names = |channels: &[&Channel]| channels.iter().map(|channel| channel.name).collect::<Vec<_>>().join(", ");
        let mut parts = vec![match known.len() {
            0 => format!("nothing is recorded yet in any of {} channels ({})", self.channels.len(), names(&silent)),
            count => format!("known from {count} of {} channels ({})", self.channels.len(), names(&known)),
        }];
        if !silent.is_empty() && !known.is_empty() {
            parts.push(format!("nothing yet from {}", names(&silent)));
        }
        if let Some(since) = self.channels.iter().find(|channel| channel.name == "reads").and_then(|channel| channel.since) {
            parts.push(format!("reads counted since {}", since.to_iso8601().chars().take(10).collect::<String>()));
        }
        let counted = |count: usize| format!("{count} edge{}", if count == 1 { "" } else { "s" });
        if self.inferred > 0 {
            parts.push(format!("{} inferred", counted(self.inferred)));
        }
        if self.column_unknown > 0 {
            parts.push(format!("{} with the column unknown", counted(self.column_unknown)));
        }
        parts.join("; ")
    }
}

/// The answer to a question of lineage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The nodes; the first is the one that was asked for.
    pub nodes: Vec<AnswerNode>,
    /// The edges.
    pub edges: Vec<AnswerEdge>,
    /// Who read the group or feature that was asked for, of late.
    pub readers: Vec<UsageRow>,
    /// How much of the world this can know of.
    pub coverage: Coverage,
}

impl Answer {
    /// An answer of a node alone, of which nothing is recorded.
    pub fn alone(start: AnswerNode, coverage: Coverage) -> Self {
        Self { nodes: vec![start], edges: Vec::new(), readers: Vec::new(), coverage }
    }

    /// The node that was asked for.
    pub fn start(&self) -> Option<&AnswerNode> {
        self.nodes.first()
    }

    /// Puts an answer together from walks of one start and the details of what they reached.
    pub fn new(names: &Names, walks: &[(Direction, Walk)], start: i64, nodes: &[NodeRow], edges: &[EdgeRow], coverage: Coverage) -> Self {
        let rows: HashMap<i64, &NodeRow> = nodes.iter().map(|row| (row.id, row)).collect();
        let mut found: HashMap<i64, (Option<Direction>, Reached)> = HashMap::new();
        for (direction, walk) in walks {
            for (node, reached) in walk.reached() {
                let direction = (*node != start).then_some(*direction);
                // What lies both ways, in a cycle, is told of the way that is shorter; a feature with a source and a reader of both.
                let known = found.entry(*node).or_insert((direction, *reached));
                match reached.depth.cmp(&known.1.depth) {
                    Ordering::Less => *known = (direction, *reached),
                    Ordering::Equal if known.0 != direction => known.0 = None,
                    _ => {}
                }
            }
        }
        let way = |direction: Option<Direction>| match direction {
            None => 0,
            Some(Direction::Up) => 1,
            Some(Direction::Down) => 2,
        };
        let mut order: Vec<(i64, Option<Direction>, Reached)> = found
            .into_iter()
            .filter(|(node, _)| rows.contains_key(node))
            .map(|(node, (direction, reached))| (node, direction, reached))
            .collect();
        order.sort_by(|one, two| {
            let key = |entry: &(i64, Option<Direction>, Reached)| (way(entry.1), entry.2.depth);
            key(one).cmp(&key(two)).then_with(|| rows[&one.0].key.cmp(&rows[&two.0].key))
        });
        let positions: HashMap<i64, usize> = order.iter().enumerate().map(|(position, (node, ..))| (*node, position)).collect();
        let nodes = order.iter().map(|(node, direction, reached)| answer_node(names, rows[node], *direction, *reached)).collect();
        let details: HashMap<i64, &EdgeRow> = edges.iter().map(|row| (row.id, row)).collect();
        let mut taken: HashSet<Step> = HashSet::new();
        let steps = walks.iter().flat_map(|(_, walk)| walk.steps()).filter(|step| taken.insert(**step));
        let mut edges: Vec<AnswerEdge> = steps.filter_map(|step| answer_edge(step, details.get(&step.edge)?, &positions)).collect();
        edges.sort_by_key(|edge| (edge.source, edge.target, edge.kind, edge.since));
        let mut coverage = coverage;
        coverage.inferred = edges.iter().filter(|edge| edge.method == EdgeMethod::Inferred).count();
        coverage.column_unknown = edges.iter().filter(|edge| edge.column_unknown).count();
        Self { nodes, edges, readers: Vec::new(), coverage }
    }
}

fn answer_node(names: &Names, row: &NodeRow, direction: Option<Direction>, reached: Reached) -> AnswerNode {
    AnswerNode {
        reference: names.reference(&row.key),
        name: names.bare(&row.key),
        is_deleted: row.is_deleted,
        owner: row.owner.clone(),
        direction,
        depth: reached.depth,
        certainty: reached.certainty,
        key: row.key.clone(),
    }
}

fn answer_edge(step: &Step, row: &EdgeRow, positions: &HashMap<i64, usize>) -> Option<AnswerEdge> {
    Some(AnswerEdge {
        source: *positions.get(&step.source)?,
        target: *positions.get(&step.target)?,
        kind: row.kind,
        transform: row.transform.clone(),
        indirect: row.indirect,
        method: row.method,
        column_unknown: step.column_unknown,
        run: row.run,
        since: row.valid_from,
        until: row.valid_to,
    })
}

/// Whether a change of data has an effect on it: what only carries values on has not.
pub(super) fn is_consumer(kind: NodeKind) -> bool {
    !matches!(kind, NodeKind::Feature | NodeKind::Group | NodeKind::Column | NodeKind::Source)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn coverage_says_what_is_not_known() {
        let since = EventTime::from_unix_seconds(1_780_000_000).unwrap();
        let nothing = Coverage::new(&[], None).sentence();
        assert!(nothing.starts_with("nothing is recorded yet in any of 5 channels"), "{nothing}");
        let known = |kind, method| MethodSince { kind, method, since };
        let some =
            Coverage::new(&[known(EdgeKind::Derives, EdgeMethod::Observed), known(EdgeKind::Trains, EdgeMethod::Declared)], Some(since));
        let text = Coverage { inferred: 2, ..some }.sentence();
        assert!(text.starts_with("known from 3 of 5 channels (builds, reads, declared)"), "{text}");
        assert!(text.contains("nothing yet from loads, imported") && text.contains("reads counted since 2026-05-28"), "{text}");
        assert!(text.ends_with("2 edges inferred"), "{text}");
    }
}
