//! From what a source says of data flowing to edges of lineage.
//!
//! All that a source tells is one statement: the edges of every group it still tells of, those of groups that could not be read lately
//! included. So it is worked out anew from the stored observations whenever one of them changes, and what is missing from it has ended.

use super::observed::{ObservedFlow, ObservedGroup, ObservedNode};
use crate::catalog::{EdgeKind, EdgeMethod, NewEdge, NodeKey, NodeKind};
use crate::lineage::Names;

/// The edges that observations tell; what has a word that is not known is left out.
pub(super) fn edges_of<'a>(groups: impl Iterator<Item = &'a ObservedGroup>, names: &Names) -> Vec<NewEdge> {
    let mut edges = Vec::new();
    for flow in groups.flat_map(|group| &group.flows) {
        let (Some(from), Some(to), Some(kind)) = (node(&flow.from, names), node(&flow.to, names), EdgeKind::parse(&flow.kind)) else {
            continue;
        };
        edges.extend(edges_of_flow(flow, &from, &to, kind));
    }
    edges
}

fn edges_of_flow(flow: &ObservedFlow, from: &NodeKey, to: &NodeKey, kind: EdgeKind) -> Vec<NewEdge> {
    let edge =
        |from: NodeKey, to: NodeKey| NewEdge { transform: flow.transform.clone(), ..NewEdge::new(from, to, kind, EdgeMethod::Imported) };
    if flow.fields.is_empty() {
        return vec![edge(from.clone(), to.clone())];
    }
    let end = |whole: &NodeKey, field: &str| if field.is_empty() { whole.clone() } else { whole.field(field) };
    flow.fields.iter().map(|(source, target)| edge(end(from, source), end(to, target))).collect()
}

fn node(node: &ObservedNode, names: &Names) -> Option<NodeKey> {
    match NodeKind::parse(&node.kind)? {
        NodeKind::Group => Some(names.group(&node.name)),
        NodeKind::Feature | NodeKind::Column => None,
        kind => Some(NodeKey::new(kind, &node.namespace, &node.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_edges_of_their_own_and_unknown_words_none() {
        let flow = ObservedFlow {
            from: ObservedNode::outside(NodeKind::Source, "file", "/data/a.parquet"),
            to: ObservedNode::group("trips"),
            kind: "derives".into(),
            transform: "IDENTITY".into(),
            fields: vec![("cost".into(), "fare".into()), (String::new(), "at".into())],
        };
        let odd = ObservedFlow { kind: "haunts".into(), ..flow.clone() };
        let group = ObservedGroup { flows: vec![flow, odd], ..ObservedGroup::default() };
        let names = Names::new("eu-west-1", "111122223333");
        let edges = edges_of([&group].into_iter(), &names);
        let file = names.file("/data/a.parquet");
        let ends: Vec<_> = edges.iter().map(|edge| (edge.source.clone(), edge.target.clone())).collect();
        assert_eq!(ends, [(file.field("cost"), names.feature("trips", "fare")), (file, names.feature("trips", "at"))]);
    }
}
