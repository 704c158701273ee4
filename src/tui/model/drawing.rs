//! A graph as a drawing in layers: what comes before stands to the left of what follows from it.
//!
//! The layer of a node is the longest way to it, so that every edge goes to the right; one that would go back (a cycle) is left out and
//! counted. An edge over several layers passes through the ones between. Within a layer nodes stand near their neighbours: a few
//! sweeps of barycentres, as everybody draws such graphs. Pure and deterministic: the same graph is always the same drawing.

use super::lineage::Graph;

/// Nodes that are drawn at most; a larger graph is a list.
pub(crate) const MOST_NODES: usize = 300;
/// Sweeps over the layers, to the right and back.
const SWEEPS: usize = 6;

/// What stands in a row of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A node.
    Node(usize),
    /// An edge on its way to a later layer.
    Pass(usize),
}

/// A piece of an edge between a layer and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// The layer it begins in.
    pub(crate) layer: usize,
    /// Its row there.
    pub(crate) from: usize,
    /// Its row in the next layer.
    pub(crate) to: usize,
    /// The edge it is a piece of.
    pub(crate) edge: usize,
    /// It ends at a node, not on the way.
    pub(crate) ends: bool,
}

/// A graph in layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// Each layer with its spots and their rows, from the top.
    pub(crate) layers: Vec<Vec<(usize, Spot)>>,
    /// All pieces of edges.
    pub(crate) links: Vec<Link>,
    /// Edges that would go back, and are left out.
    pub(crate) left_out: usize,
    /// Rows of the highest layer.
    pub(crate) rows: usize,
}

impl Drawing {
    /// Draws a graph; nothing of one that is too large.
    pub(crate) fn of(graph: &Graph) -> Self {
        if graph.nodes.is_empty() || graph.nodes.len() > MOST_NODES {
            return Self::default();
        }
        let (layers, forward) = layered(graph);
        let left_out = graph.edges.len() - forward.len();
        let mut order: Vec<Vec<Spot>> = vec![Vec::new(); layers.iter().copied().max().unwrap_or(0) + 1];
        for (node, layer) in layers.iter().enumerate() {
            order[*layer].push(Spot::Node(node));
        }
        for edge in &forward {
            let (from, to) = (layers[graph.edges[*edge].source], layers[graph.edges[*edge].target]);
            for between in &mut order[from + 1..to] {
                between.push(Spot::Pass(*edge));
            }
        }
        for sweep in 0..SWEEPS {
            sweep_over(graph, &forward, &layers, &mut order, sweep % 2 == 0);
        }
        let layers_with_rows = placed(graph, &forward, &layers, &order);
        let links = links(graph, &forward, &layers, &layers_with_rows);
        let rows = layers_with_rows.iter().flatten().map(|(row, _)| row + 1).max().unwrap_or(0);
        Self { layers: layers_with_rows, links, left_out, rows }
    }

    /// Layer and row of a node.
    pub(crate) fn place(&self, node: usize) -> Option<(usize, usize)> {
        let find = |(layer, spots): (usize, &Vec<(usize, Spot)>)| {
            spots.iter().find(|(_, spot)| *spot == Spot::Node(node)).map(|(row, _)| (layer, *row))
        };
        self.layers.iter().enumerate().find_map(find)
    }

    /// The next node below or above in the same layer.
    pub(crate) fn across(&self, node: usize, down: bool) -> Option<usize> {
        let (layer, _) = self.place(node)?;
        let nodes = self.layers[layer].iter().filter_map(|(_, spot)| if let Spot::Node(node) = spot { Some(*node) } else { None });
        let nodes: Vec<usize> = nodes.collect();
        let at = nodes.iter().position(|known| *known == node)?;
        if down { nodes.get(at + 1).copied() } else { at.checked_sub(1).and_then(|before| nodes.get(before).copied()) }
    }

    /// The nearest neighbour along an edge, towards the uses or the sources.
    pub(crate) fn along(&self, graph: &Graph, node: usize, forward: bool) -> Option<usize> {
        let (_, row) = self.place(node)?;
        let next = |edge: &super::lineage::Edge| match forward {
            true => (edge.source == node).then_some(edge.target),
            false => (edge.target == node).then_some(edge.source),
        };
        graph.edges.iter().filter_map(next).filter(|next| *next != node).min_by_key(|next| {
            let place = self.place(*next).map_or(usize::MAX, |(_, there)| there.abs_diff(row));
            (place, *next)
        })
    }
}

/// The layer of each node, and the edges that go to the right.
fn layered(graph: &Graph) -> (Vec<usize>, Vec<usize>) {
    let count = graph.nodes.len();
    let mut open: Vec<usize> = (0..graph.edges.len()).filter(|edge| graph.edges[*edge].source != graph.edges[*edge].target).collect();
    let mut layers = vec![0; count];
    let (mut done, mut order, mut forward) = (vec![false; count], Vec::with_capacity(count), Vec::new());
    while order.len() < count {
        let is_free = |node: &usize| !done[*node] && open.iter().all(|edge| graph.edges[*edge].target != *node);
        // In a cycle the first that is left begins, and the edges into it would go back.
        let Some(node) = (0..count).find(is_free).or_else(|| (0..count).find(|node| !done[*node])) else { break };
        done[node] = true;
        order.push(node);
        open.retain(|edge| graph.edges[*edge].target != node);
        for edge in open.iter().filter(|edge| graph.edges[**edge].source == node) {
            let target = graph.edges[*edge].target;
            layers[target] = layers[target].max(layers[node] + 1);
            forward.push(*edge);
        }
        open.retain(|edge| graph.edges[*edge].source != node);
    }
    forward.sort_unstable();
    // What nothing leads to stands beside what follows from it.
    for node in order.into_iter().rev() {
        if !forward.iter().any(|edge| graph.edges[*edge].target == node) {
            let nearest =
                forward.iter().filter(|edge| graph.edges[**edge].source == node).map(|edge| layers[graph.edges[*edge].target]).min();
            layers[node] = nearest.map_or(layers[node], |nearest: usize| nearest.saturating_sub(1));
        }
    }
    let least = layers.iter().copied().min().unwrap_or(0);
    layers.iter_mut().for_each(|layer| *layer -= least);
    (layers, forward)
}

/// The spot through which an edge is seen in a layer.
fn spot_of(graph: &Graph, layers: &[usize], edge: usize, layer: usize) -> Spot {
    let edge_ends = &graph.edges[edge];
    if layers[edge_ends.source] == layer {
        Spot::Node(edge_ends.source)
    } else if layers[edge_ends.target] == layer {
        Spot::Node(edge_ends.target)
    } else {
        Spot::Pass(edge)
    }
}

/// Rows of the neighbours of a spot in the layer beside it.
fn beside(
    graph: &Graph,
    forward: &[usize],
    layers: &[usize],
    rows: &[(usize, Spot)],
    spot: Spot,
    layer: usize,
    other: usize,
) -> Vec<usize> {
    let reaches = |edge: &&usize| {
        let (from, to) = (layers[graph.edges[**edge].source], layers[graph.edges[**edge].target]);
        from <= layer.min(other) && to >= layer.max(other) && spot_of(graph, layers, **edge, layer) == spot
    };
    let row_of = |edge: &usize| {
        let there = spot_of(graph, layers, *edge, other);
        rows.iter().find(|(_, known)| *known == there).map(|(row, _)| *row)
    };
    forward.iter().filter(reaches).filter_map(row_of).collect()
}

/// Orders each layer by the mean place of its neighbours in the layer before it.
fn sweep_over(graph: &Graph, forward: &[usize], layers: &[usize], order: &mut [Vec<Spot>], rightwards: bool) {
    let steps: Vec<(usize, usize)> = match rightwards {
        true => (1..order.len()).map(|layer| (layer, layer - 1)).collect(),
        false => (0..order.len().saturating_sub(1)).rev().map(|layer| (layer, layer + 1)).collect(),
    };
    for (layer, other) in steps {
        let rows: Vec<(usize, Spot)> = order[other].iter().copied().enumerate().collect();
        let mean = |(place, spot): (usize, &Spot)| {
            let near = beside(graph, forward, layers, &rows, *spot, layer, other);
            if near.is_empty() { place as f64 } else { near.iter().sum::<usize>() as f64 / near.len() as f64 }
        };
        let mut weighed: Vec<(f64, Spot)> = order[layer].iter().enumerate().map(|(place, spot)| (mean((place, spot)), *spot)).collect();
        weighed.sort_by(|one, other| one.0.total_cmp(&other.0));
        order[layer] = weighed.into_iter().map(|(_, spot)| spot).collect();
    }
}

/// Gives rows to spots: each as near to its neighbours before it as the order allows.
fn placed(graph: &Graph, forward: &[usize], layers: &[usize], order: &[Vec<Spot>]) -> Vec<Vec<(usize, Spot)>> {
    // The largest layer stands first, from the top; the others lean on the one beside them.
    let largest = (0..order.len()).max_by_key(|layer| (order[*layer].len(), usize::MAX - layer)).unwrap_or(0);
    let mut placed: Vec<Vec<(usize, Spot)>> = vec![Vec::new(); order.len()];
    placed[largest] = order[largest].iter().copied().enumerate().collect();
    let rightwards = (largest + 1..order.len()).map(|layer| (layer, layer - 1));
    let leftwards = (0..largest).rev().map(|layer| (layer, layer + 1));
    let height = order[largest].len();
    for (layer, other) in rightwards.chain(leftwards) {
        let mut next = 0;
        let count = order[layer].len();
        for (place, spot) in order[layer].iter().enumerate() {
            let near = beside(graph, forward, layers, &placed[other], *spot, layer, other);
            let wish = if near.is_empty() { next } else { near.iter().sum::<usize>() / near.len() };
            // Those that follow need their rows too.
            let row = wish.clamp(next, (height - (count - place)).max(next));
            placed[layer].push((row, *spot));
            next = row + 1;
        }
    }
    placed
}

fn links(graph: &Graph, forward: &[usize], layers: &[usize], placed: &[Vec<(usize, Spot)>]) -> Vec<Link> {
    let row = |layer: usize, spot: Spot| placed[layer].iter().find(|(_, known)| *known == spot).map(|(row, _)| *row);
    let mut links = Vec::new();
    for edge in forward {
        let (from, to) = (layers[graph.edges[*edge].source], layers[graph.edges[*edge].target]);
        for layer in from..to {
            let ends = (row(layer, spot_of(graph, layers, *edge, layer)), row(layer + 1, spot_of(graph, layers, *edge, layer + 1)));
            if let (Some(from), Some(there)) = ends {
                links.push(Link { layer, from, to: there, edge: *edge, ends: layer + 1 == to });
            }
        }
    }
    links.sort_by_key(|link| (link.layer, link.from, link.to));
    links
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
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

    #[test]
    fn every_edge_goes_to_the_next_layer_and_no_two_spots_share_a_row() {
        let shapes: [&[(usize, usize)]; 5] = [
            &[(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)],
            &[(1, 0), (2, 0), (3, 2), (0, 4), (1, 4), (4, 5), (3, 5)],
            &[(0, 1), (1, 2), (2, 0), (2, 3)],
            &[(0, 0), (0, 1)],
            &[(0, 1), (2, 1), (3, 1), (4, 1), (5, 1), (1, 6), (0, 6)],
        ];
        for edges in shapes {
            let graph = graph(edges);
            let drawing = Drawing::of(&graph);
            for spots in &drawing.layers {
                assert!(spots.windows(2).all(|pair| pair[0].0 < pair[1].0), "{edges:?}: {spots:?}");
            }
            for (number, edge) in graph.edges.iter().enumerate() {
                let pieces = drawing.links.iter().filter(|link| link.edge == number).count();
                let (from, to) = (drawing.place(edge.source).map(|place| place.0), drawing.place(edge.target).map(|place| place.0));
                let (Some(from), Some(to)) = (from, to) else { panic!("{edges:?}: a node is missing") };
                assert_eq!(pieces, to.saturating_sub(from), "{edges:?}: edge {number}");
            }
        }
        assert_eq!(Drawing::of(&graph(&[(0, 1), (1, 2), (2, 0), (2, 3)])).left_out, 1, "a cycle is cut once");
    }

    #[test]
    fn neighbours_are_found_along_and_across() {
        let graph = graph(&[(0, 1), (0, 2), (1, 3), (2, 3)]);
        let drawing = Drawing::of(&graph);
        assert_eq!(drawing.along(&graph, 3, false), Some(1));
        assert_eq!((drawing.across(1, true), drawing.across(2, true), drawing.across(2, false)), (Some(2), None, Some(1)));
        assert_eq!(drawing.along(&graph, 3, true), None);
    }
}
