//! State of the lineage: the graph around a node, drawn in layers where there is room, else as a tree; and what is asked of the store for
//! it. Both are walked by one cursor: a node of the drawing, or the row of the tree that stands for it.

use std::cell::Cell;

use super::drawing::Drawing;
use super::list::List;
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct LineageScreen {
    /// The node in the middle, as people type it.
    pub(crate) node: String,
    /// Only what comes before it, or after it; none is both.
    pub(crate) only: Option<Way>,
    /// Edges that are followed; none is all.
    pub(crate) depth: Option<u32>,
    /// The graph.
    pub(crate) graph: Remote<Graph>,
    /// The graph in layers.
    pub(crate) drawing: Drawing,
    /// The node under the cursor of the drawing.
    pub(crate) at: usize,
    /// First column and row of the drawing that the last frame showed.
    pub(crate) seen: Cell<(usize, usize)>,
    /// A tree is wanted though there is room for a drawing.
    pub(crate) as_tree: bool,
    /// The rows of the tree.
    pub(crate) rows: Vec<Row>,
    /// The row under the cursor.
    pub(crate) list: List,
    /// Nodes that were in the middle before, latest last.
    pub(crate) before: Vec<String>,
    /// What a change of the node in the middle breaks; shown while it is here.
    pub(crate) breaks: Remote<Vec<Broken>>,
    /// The change: a place in [`CHANGES`].
    pub(crate) change: usize,
}

/// Changes of which one can ask what they break: the word, and the question in words.
pub(crate) const CHANGES: [(&str, &str); 4] = [
    ("remove", "if it were removed"),
    ("type", "if its type changed"),
    ("ttl", "if its ttl became shorter"),
    ("meaning", "if it meant something else"),
];

/// Which way from the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Way {
    Up,
    Down,
}

/// The graph around a node.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Graph {
    /// The nodes; the first is the one in the middle.
    pub(crate) nodes: Vec<Node>,
    /// The edges; ends are places of nodes.
    pub(crate) edges: Vec<Edge>,
    /// Channels that have told anything, of all there are.
    pub(crate) known: (usize, usize),
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// What stands for it alone.
    pub(crate) reference: String,
    /// Its bare name.
    pub(crate) name: String,
    /// Its kind, as people read it.
    pub(crate) kind: &'static str,
    /// Who answers for it.
    pub(crate) owner: Option<String>,
    /// It is known to be gone.
    pub(crate) gone: bool,
}

/// An edge.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edge {
    /// Where data comes from.
    pub(crate) source: usize,
    /// Where it goes.
    pub(crate) target: usize,
    /// What it says, as a word.
    pub(crate) kind: &'static str,
    /// Who says so: observed, declared, imported, inferred.
    pub(crate) method: &'static str,
    /// Since when.
    pub(crate) since: Micros,
}

/// What happens to a consumer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Broken {
    /// What stands for it alone.
    pub(crate) reference: String,
    /// Its kind.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// What happens, in words.
    pub(crate) effect: &'static str,
    /// How bad: 0 look at it, 1 learn anew, 2 it breaks.
    pub(crate) weight: u8,
}

/// A row of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    /// A heading.
    Heading(&'static str),
    /// A node.
    Node {
        /// Its place.
        node: usize,
        /// The edge that leads to it from the row above it in the tree; none for the middle.
        edge: Option<usize>,
        /// Lines of the tree before it.
        branch: String,
        /// It stands further up already, with all that follows from it.
        again: bool,
    },
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The graph around a node.
    Graph {
        /// The node.
        node: String,
        /// Only this way.
        only: Option<Way>,
        /// So many edges far.
        depth: Option<u32>,
    },
    /// What a change of a node breaks.
    Breaks {
        /// The node.
        node: String,
        /// The word for the change.
        change: &'static str,
    },
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The graph.
    Graph(Result<Graph, ErrorText>),
    /// Whom it reaches, worst first.
    Breaks(Result<Vec<Broken>, ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}
