//! Keys and answers of the lineage: walking the tree, putting another node in the middle, what breaks.

use std::collections::HashSet;

use super::forms::subject;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::drawing::Drawing;
use crate::tui::model::lineage::{Answer, CHANGES, Graph, Question, Row, Way};
use crate::tui::model::list::{List, Move};
use crate::tui::model::remote::Remote;
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::msg::{Effect, Request, Slot};

/// Deepest a walk can be asked for; beyond it, all.
const DEEPEST: u32 = 12;
/// Least terminal that a graph is drawn in; on a smaller one it is a tree.
const DRAWN_FROM: (u16, u16) = (100, 18);
/// Most rows of the tree: beyond this nobody reads, they narrow.
const MOST_ROWS: usize = 2_000;

/// Shown: asks for the graph around what was under the cursor.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let from_page = model.screen == Screen::Group;
    let wanted = match (from_page, model.back.last()) {
        (true, _) => reference(model, Screen::Group),
        // The screen was switched already: what was under the cursor of the one before is meant.
        (false, Some(before)) => reference(model, *before),
        (false, None) => None,
    };
    match wanted {
        Some(node) if node != model.lineage.node => center(model, node, false),
        None if model.lineage.node.is_empty() => {
            let first = model.groups.value().and_then(|groups| groups.first()).map(|group| group.name.to_string());
            first.map_or_else(Vec::new, |node| center(model, node, false))
        }
        _ if matches!(model.lineage.graph, Remote::Idle) => refresh(model),
        _ => Vec::new(),
    }
}

fn reference(model: &Model, of: Screen) -> Option<String> {
    let (group, feature) = match of {
        Screen::Groups => (model.group_under_cursor()?.clone(), None),
        Screen::Catalog => {
            let (group, _) = model.feature_under_cursor()?;
            (group.clone(), super::catalog::named_under_cursor(model).map(|(_, feature)| feature))
        }
        Screen::Datasets => return super::datasets::reference(model).map(|reference| format!("dataset:{reference}")),
        Screen::Group => {
            let (group, _) = subject(model).or_else(|| Some((model.open_group()?.clone(), None)))?;
            (group, model.group_screen.feature.clone())
        }
        _ => return None,
    };
    Some(feature.map_or_else(|| group.name.to_string(), |feature| format!("{}.{feature}", group.name)))
}

/// Puts a node in the middle.
fn center(model: &mut Model, node: String, remember: bool) -> Vec<Effect> {
    let screen = &mut model.lineage;
    let before = std::mem::replace(&mut screen.node, node);
    if remember && !before.is_empty() {
        screen.before.push(before);
    }
    screen.graph = Remote::Idle;
    screen.at = 0;
    screen.seen = Default::default();
    screen.drawing = Drawing::default();
    screen.rows = Vec::new();
    screen.list = List::default();
    screen.breaks = Remote::Idle;
    refresh(model)
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    model.lineage.graph.ask(now);
    let screen = &model.lineage;
    let question = Question::Graph { node: screen.node.clone(), only: screen.only, depth: screen.depth };
    vec![model.ask(Slot::Lineage, Request::Lineage(question))]
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Deeper => depth(model, |depth| if depth >= DEEPEST { None } else { Some(depth + 1) }),
        Action::Shallower => depth(model, |depth| Some(depth.saturating_sub(1).max(1))),
        Action::UpOnly => only(model, Way::Up),
        Action::DownOnly => only(model, Way::Down),
        Action::WhatBreaks => what_breaks(model),
        // A double click opens elsewhere; here it is what Enter does.
        Action::Center | Action::Open => match node_under_cursor(model).map(|node| node.reference.clone()) {
            Some(node) if node != model.lineage.node => center(model, node, true),
            _ => Vec::new(),
        },
        Action::Recenter => match model.lineage.before.pop() {
            Some(node) => center(model, node, false),
            None => Vec::new(),
        },
        Action::OpenNode => open_node(model),
        Action::AlongBack => along(model, false),
        Action::AlongOn => along(model, true),
        Action::DrawOrList => {
            show_otherwise(model);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn depth(model: &mut Model, change: impl FnOnce(u32) -> Option<u32>) -> Vec<Effect> {
    model.lineage.depth = change(model.lineage.depth.unwrap_or(DEEPEST));
    refresh(model)
}

fn only(model: &mut Model, way: Way) -> Vec<Effect> {
    model.lineage.only = if model.lineage.only == Some(way) { None } else { Some(way) };
    refresh(model)
}

/// What each change of the middle breaks, one after the other, then none.
fn what_breaks(model: &mut Model) -> Vec<Effect> {
    let screen = &mut model.lineage;
    screen.change = match screen.breaks {
        Remote::Idle => 0,
        _ => screen.change + 1,
    };
    let Some((change, _)) = CHANGES.get(screen.change) else {
        screen.breaks = Remote::Idle;
        model.forget(Slot::Breaks);
        return Vec::new();
    };
    screen.breaks = Remote::Loading(model.now);
    let node = model.lineage.node.clone();
    vec![model.ask(Slot::Breaks, Request::Lineage(Question::Breaks { node, change }))]
}

/// Opens the page of the group or feature under the cursor.
fn open_node(model: &mut Model) -> Vec<Effect> {
    let Some(node) = node_under_cursor(model) else { return Vec::new() };
    let reference = node.reference.clone();
    let (group, feature) = reference.split_once('.').map_or((reference.as_str(), None), |(group, feature)| (group, Some(feature)));
    if model.group_named(group).is_none() {
        super::tell(model, "only groups and features of this store have a page".to_owned());
        return Vec::new();
    }
    let feature = feature.map(str::to_owned);
    let effects = super::group::open(model, group, Tab::Overview, feature.clone());
    model.group_screen.feature = feature;
    effects
}

/// True where the graph is drawn in layers rather than listed as a tree.
pub(crate) fn is_drawn(model: &Model) -> bool {
    let (columns, rows) = model.size;
    !model.lineage.as_tree && columns >= DRAWN_FROM.0 && rows >= DRAWN_FROM.1 && !model.lineage.drawing.layers.is_empty()
}

/// Draws what was listed, or lists what was drawn; the cursor stays on its node.
fn show_otherwise(model: &mut Model) {
    let screen = &mut model.lineage;
    screen.as_tree = !screen.as_tree;
    if screen.as_tree {
        let at = screen.at;
        let row = screen.rows.iter().position(|row| matches!(row, Row::Node { node, .. } if *node == at));
        screen.list.at = row.unwrap_or(screen.list.at);
    } else if let Some(Row::Node { node, .. }) = screen.rows.get(screen.list.at) {
        screen.at = *node;
    }
}

/// To a neighbour along an edge: towards the uses, or back towards the sources.
fn along(model: &mut Model, forward: bool) -> Vec<Effect> {
    if is_drawn(model) {
        let screen = &mut model.lineage;
        if let Some(graph) = screen.graph.value() {
            screen.at = screen.drawing.along(graph, screen.at, forward).unwrap_or(screen.at);
        }
        return Vec::new();
    }
    // In the tree the node an edge leads from stands above with a shorter branch.
    let screen = &mut model.lineage;
    let depth = |row: &Row| if let Row::Node { branch, .. } = row { Some(branch.chars().count()) } else { None };
    let Some(here) = screen.rows.get(screen.list.at).and_then(depth) else { return Vec::new() };
    let found = match forward {
        true => Some(screen.list.at + 1).filter(|next| screen.rows.get(*next).and_then(depth).is_some_and(|there| there > here)),
        false => (0..screen.list.at).rev().find(|before| screen.rows.get(*before).and_then(depth).is_some_and(|there| there < here)),
    };
    screen.list.at = found.unwrap_or(screen.list.at);
    Vec::new()
}

/// Puts the cursor on a node of the drawing.
pub(super) fn point_at(model: &mut Model, node: usize) {
    model.lineage.at = node;
}

/// The node under the cursor.
pub(crate) fn node_under_cursor(model: &Model) -> Option<&crate::tui::model::lineage::Node> {
    if is_drawn(model) {
        return model.lineage.graph.value()?.nodes.get(model.lineage.at);
    }
    match model.lineage.rows.get(model.lineage.list.at)? {
        Row::Node { node, .. } => model.lineage.graph.value()?.nodes.get(*node),
        Row::Heading(_) => None,
    }
}

/// Moves the cursor: in the drawing within its layer, in the tree from row to row, passing over headings.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    if is_drawn(model) {
        let down = matches!(to, Move::Down | Move::PageDown | Move::HalfDown | Move::Last);
        let steps = if matches!(to, Move::Down | Move::Up) { 1 } else { usize::MAX };
        let screen = &mut model.lineage;
        for _ in 0..steps {
            let Some(next) = screen.drawing.across(screen.at, down) else { break };
            screen.at = next;
        }
        return Vec::new();
    }
    let screen = &mut model.lineage;
    let before = screen.list.at;
    screen.list.go(to, screen.rows.len());
    if matches!(screen.rows.get(screen.list.at), Some(Row::Heading(_))) {
        let step = if screen.list.at < before && screen.list.at > 0 { Move::Up } else { Move::Down };
        screen.list.go(step, screen.rows.len());
    }
    Vec::new()
}

/// Text to copy and what to call it.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    let node = node_under_cursor(model)?;
    Some((node.reference.clone(), node.reference.clone()))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Graph(answer) => {
            model.lineage.graph.answer(answer);
            let rows = model.lineage.graph.value().map(rows).unwrap_or_default();
            let middle = rows.iter().position(|row| matches!(row, Row::Node { node: 0, .. })).unwrap_or(0);
            model.lineage.drawing = model.lineage.graph.value().map(Drawing::of).unwrap_or_default();
            model.lineage.at = model.lineage.at.min(model.lineage.graph.value().map_or(0, |graph| graph.nodes.len().saturating_sub(1)));
            let fresh = model.lineage.rows.is_empty();
            model.lineage.rows = rows;
            if fresh || model.lineage.list.at >= model.lineage.rows.len() {
                model.lineage.list.go(Move::To(middle), model.lineage.rows.len());
            }
        }
        Answer::Breaks(answer) => model.lineage.breaks.answer(answer),
        Answer::Failed(error) => model.lineage.graph.answer(Err(error)),
    }
    Vec::new()
}

/// The tree: what comes before the middle, the middle, what follows from it. A node that is reached twice is spelt out once.
fn rows(graph: &Graph) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut seen = HashSet::from([0]);
    let mut before = Vec::new();
    grow(graph, 0, Way::Up, "", &mut seen, &mut before);
    if !before.is_empty() {
        rows.push(Row::Heading("COMES FROM"));
        rows.append(&mut before);
    }
    rows.push(Row::Heading("THIS"));
    rows.push(Row::Node { node: 0, edge: None, branch: String::new(), again: false });
    let mut after = Vec::new();
    let mut seen = HashSet::from([0]);
    grow(graph, 0, Way::Down, "", &mut seen, &mut after);
    if !after.is_empty() {
        rows.push(Row::Heading("GOES INTO"));
        rows.append(&mut after);
    }
    rows
}

fn grow(graph: &Graph, from: usize, way: Way, indent: &str, seen: &mut HashSet<usize>, rows: &mut Vec<Row>) {
    let next = |edge: &crate::tui::model::lineage::Edge| match way {
        Way::Up => (edge.target == from).then_some(edge.source),
        Way::Down => (edge.source == from).then_some(edge.target),
    };
    let mut found: Vec<(usize, usize)> = graph.edges.iter().enumerate().filter_map(|(place, edge)| Some((place, next(edge)?))).collect();
    // A cycle comes back to the middle, which is spelt out in any case.
    found.retain(|(_, node)| *node != 0);
    found.sort_by_key(|(place, node)| (*node, *place));
    found.dedup_by_key(|(_, node)| *node);
    let last = found.len().saturating_sub(1);
    for (place, (edge, node)) in found.into_iter().enumerate() {
        if rows.len() >= MOST_ROWS {
            return;
        }
        let again = !seen.insert(node);
        let (turn, rest) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        rows.push(Row::Node { node, edge: Some(edge), branch: format!("{indent}{turn}"), again });
        // A chain of hundreds would leave the screen at the right; its end is reached by putting its middle in the middle.
        if !again && indent.chars().count() < 60 {
            grow(graph, node, way, &format!("{indent}{rest}"), seen, rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::model::lineage::{Edge, Node};

    fn graph(edges: &[(usize, usize)]) -> Graph {
        let count = edges.iter().flat_map(|(source, target)| [*source, *target]).max().unwrap_or(0) + 1;
        let node =
            |place: usize| Node { reference: format!("n{place}"), name: format!("n{place}"), kind: "group", owner: None, gone: false };
        let edge =
            |(source, target): &(usize, usize)| Edge { source: *source, target: *target, kind: "loads", method: "observed", since: 0 };
        Graph { nodes: (0..count).map(node).collect(), edges: edges.iter().map(edge).collect(), known: (1, 1) }
    }

    fn told(rows: &[Row]) -> Vec<String> {
        rows.iter()
            .map(|row| match row {
                Row::Heading(title) => (*title).to_owned(),
                Row::Node { node, branch, again, .. } => format!("{branch}n{node}{}", if *again { " again" } else { "" }),
            })
            .collect()
    }

    #[test]
    fn a_diamond_is_spelt_out_once() {
        let rows = rows(&graph(&[(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]));
        assert_eq!(told(&rows), ["THIS", "n0", "GOES INTO", "├─ n1", "│  └─ n3", "│     └─ n4", "└─ n2", "   └─ n3 again"]);
    }

    #[test]
    fn a_cycle_ends() {
        let rows = rows(&graph(&[(1, 0), (0, 1)]));
        assert_eq!(told(&rows), ["COMES FROM", "└─ n1", "THIS", "n0", "GOES INTO", "└─ n1"].map(str::to_owned).to_vec());
        let chain: Vec<(usize, usize)> = (0..500).map(|place| (place, place + 1)).collect();
        assert!(told(&super::rows(&graph(&chain))).len() < 40, "a chain stops where the screen ends");
    }
}
