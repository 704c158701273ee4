//! The tree: what comes before above, what comes after below, each node once with what lies beyond it.

use std::collections::HashSet;

use super::label;
use crate::lineage::answer::{Answer, AnswerEdge};
use crate::lineage::walk::Direction;

/// A line of the tree; the face decides how each part is dressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// Branches that lead to the node.
    pub branches: String,
    /// The node.
    pub node: String,
    /// How it is reached; empty for the start.
    pub note: String,
}

/// The lines of the branch in one direction, without the start itself.
pub fn tree(answer: &Answer, direction: Direction) -> Vec<TreeLine> {
    let mut lines = Vec::new();
    let mut shown = HashSet::from([0]);
    // A path without end would need a stack without end; this one is as long as the deepest branch.
    let mut stack: Vec<(usize, String, std::vec::IntoIter<&AnswerEdge>)> =
        vec![(0, String::new(), beyond(answer, direction, 0).into_iter())];
    while let Some((node, indent, edges)) = stack.last_mut() {
        let Some(edge) = edges.next() else {
            stack.pop();
            continue;
        };
        let (node, indent) = (*node, indent.clone());
        let is_last = edges.len() == 0;
        let to = if direction == Direction::Down { edge.target } else { edge.source };
        let (to, is_turned) =
            if to == node { (if direction == Direction::Down { edge.source } else { edge.target }, true) } else { (to, false) };
        let Some(reached) = answer.nodes.get(to) else { continue };
        let is_new = shown.insert(to);
        let deeper = beyond(answer, direction, to);
        let again = if is_new || deeper.is_empty() { "" } else { " · see above" };
        let gone = if reached.is_deleted { " · deleted" } else { "" };
        let note = if is_turned { "has".to_owned() } else { label(edge) };
        lines.push(TreeLine {
            branches: format!("{indent}{}", if is_last { "└─ " } else { "├─ " }),
            node: reached.reference.clone(),
            note: format!("{note}{gone}{again}"),
        });
        if is_new {
            let indent = format!("{indent}{}", if is_last { "   " } else { "│  " });
            stack.push((to, indent, deeper.into_iter()));
        }
    }
    lines
}

/// The edges that lead on from a node, in the order of the answer.
fn beyond(answer: &Answer, direction: Direction, node: usize) -> Vec<&AnswerEdge> {
    let lies_there = |position: usize| answer.nodes.get(position).is_some_and(|node| node.direction.is_none_or(|way| way == direction));
    let edges = answer.edges.iter().filter(|edge| lies_there(edge.source) && lies_there(edge.target));
    edges
        .filter(|edge| match direction {
            Direction::Down => edge.source == node,
            // A whole that was taken as a whole leads up through its fields, against the edge.
            Direction::Up => edge.target == node || (edge.source == node && leads_up_through(answer, edge)),
        })
        .collect()
}

/// True for the edge of a whole to a field by which the walk went up.
fn leads_up_through(answer: &Answer, edge: &AnswerEdge) -> bool {
    let is_contained = edge.kind == crate::catalog::EdgeKind::Contains;
    let depth = |position: usize| answer.nodes.get(position).map(|node| node.depth);
    is_contained && depth(edge.source) <= depth(edge.target) && {
        let beyond = |of: fn(&AnswerEdge) -> usize| {
            answer.edges.iter().any(|other| of(other) == edge.target && other.kind != crate::catalog::EdgeKind::Contains)
        };
        // A field of the start may have a source and a reader; others that are used were reached from below.
        let lies_both_ways = answer.nodes.get(edge.target).is_some_and(|node| node.direction.is_none());
        beyond(|other| other.target) && (lies_both_ways || !beyond(|other| other.source))
    }
}
