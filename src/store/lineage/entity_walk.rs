//! QueryLineage: a walk of the graph, told in entities.
//!
//! Clients know no features and columns, so these fold into their group, dataset or file: an edge of a part is an edge of the
//! whole, and the way from one part of a thing to another is no way at all. Distance is counted between wholes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::entities::MAX_ASSOCIATIONS;
use super::question::LineageQuestion;
use crate::catalog::{EdgeKind, EntityId, EntityRow, NodeKey, NodeKind};
use crate::lineage::{Answer, Direction};
use crate::model::Result;
use crate::store::FeatureStore;

/// Edges of the graph for one between wholes, at most: in at a part, out at another.
const STEPS: u32 = 3;

/// An edge between entities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntityEdge {
    /// Where it goes out.
    pub source: EntityId,
    /// Where it comes in.
    pub destination: EntityId,
    /// `ContributedTo`, `DerivedFrom`, ….
    pub association_type: Option<String>,
}

/// What surrounds an entity.
#[derive(Debug, Clone, Default)]
pub struct EntityGraph {
    /// The entities that are reached, nearest first; the start is not among them.
    pub vertices: Vec<EntityRow>,
    /// The edges between them and the start.
    pub edges: Vec<EntityEdge>,
}

impl FeatureStore {
    /// Walks from an entity, so many steps far.
    ///
    /// # Errors
    /// `NotFound` for an entity that is not there.
    pub async fn entity_lineage(&self, start: &EntityId, directions: &[Direction], depth: u32) -> Result<EntityGraph> {
        let (entity, key) = self.entity_and_node(start).await?;
        let question = LineageQuestion {
            directions: directions.to_vec(),
            depth: Some(depth.saturating_mul(STEPS)),
            ..LineageQuestion::about(self.lineage_names().reference(&key))
        };
        let answer = self.lineage_around(key.clone(), &question).await?;
        let folded = Folded::of(&answer, &key);
        let near = folded.within(directions, depth);
        let wholes: Vec<NodeKey> = near.iter().map(|place| folded.wholes[*place].clone()).collect();
        let entities = self.entities_of(&wholes, (&key, entity)).await?;
        let of_place: HashMap<usize, &Vec<EntityRow>> = near.iter().zip(&entities).map(|(place, found)| (*place, found)).collect();

        let all: Vec<EntityId> = entities.iter().flatten().map(|entity| entity.id.clone()).collect();
        let said = self.inner.catalog.associations_among(&all).await?;
        let said: Vec<_> = said.into_iter().take(MAX_ASSOCIATIONS as usize).collect();
        let mut edges: BTreeSet<EntityEdge> = said
            .iter()
            .map(|row| EntityEdge {
                source: row.source.clone(),
                destination: row.destination.clone(),
                association_type: row.association_type.clone(),
            })
            .collect();
        for ((from, to), kind) in &folded.edges {
            let (Some(sources), Some(destinations)) = (of_place.get(from), of_place.get(to)) else { continue };
            let is_said = edges.iter().any(|edge| {
                sources.iter().any(|entity| entity.id == edge.source) && destinations.iter().any(|entity| entity.id == edge.destination)
            });
            if let (false, Some(source), Some(destination)) = (is_said, sources.first(), destinations.first()) {
                let association_type = Some(association_type(*kind).to_owned());
                edges.insert(EntityEdge { source: source.id.clone(), destination: destination.id.clone(), association_type });
            }
        }
        let vertices = entities.into_iter().flatten().filter(|entity| entity.id != *start).collect();
        Ok(EntityGraph { vertices, edges: edges.into_iter().collect() })
    }

    /// The entities of each node; those of the start begin with itself.
    async fn entities_of(&self, wholes: &[NodeKey], start: (&NodeKey, EntityRow)) -> Result<Vec<Vec<EntityRow>>> {
        let names = self.lineage_names();
        let mut found: HashMap<NodeKey, (Vec<EntityRow>, i64)> = HashMap::new();
        for (key, entity, number) in self.inner.catalog.entities_of_nodes(wholes).await? {
            let (entities, at) = found.entry(key).or_default();
            entities.extend(entity);
            *at = number;
        }
        let mut all = Vec::with_capacity(wholes.len());
        for key in wholes {
            let (mut entities, number) = found.remove(key).unwrap_or_default();
            if key.kind == NodeKind::Group
                && let Some(name) = names.group_name(key)
                && let Some(group) = self.inner.catalog.group(name).await?
            {
                // The version first: that is the context to which data flows.
                let [pipeline, version] = self.group_contexts(&group);
                entities.extend([version, pipeline]);
            }
            if key == start.0 {
                entities.retain(|entity| entity.id != start.1.id);
                entities.insert(0, start.1.clone());
            }
            if entities.is_empty() {
                let rows = self.inner.catalog.lineage_node_rows(&[number]).await?;
                entities.extend(rows.into_iter().map(|row| self.node_entity(number, &row.key, row.seen)));
            }
            all.push(entities);
        }
        Ok(all)
    }
}

/// An answer whose parts are folded into their wholes. The first whole is the start.
struct Folded {
    wholes: Vec<NodeKey>,
    /// By source and target, both positions of wholes.
    edges: BTreeMap<(usize, usize), EdgeKind>,
}

impl Folded {
    fn of(answer: &Answer, start: &NodeKey) -> Self {
        let known: BTreeSet<&NodeKey> = answer.nodes.iter().map(|node| &node.key).collect();
        let mut wholes = vec![start.clone()];
        let mut places: HashMap<NodeKey, usize> = HashMap::from([(start.clone(), 0)]);
        let of_node: Vec<usize> = answer
            .nodes
            .iter()
            .map(|node| {
                let whole = whole_of(&node.key, &known);
                *places.entry(whole.clone()).or_insert_with(|| {
                    wholes.push(whole);
                    wholes.len() - 1
                })
            })
            .collect();
        let mut edges = BTreeMap::new();
        for edge in &answer.edges {
            let ends = (of_node[edge.source], of_node[edge.target]);
            if ends.0 != ends.1 {
                edges.entry(ends).or_insert(edge.kind);
            }
        }
        Self { wholes, edges }
    }

    /// Positions of the wholes that are so near, the start first.
    fn within(&self, directions: &[Direction], depth: u32) -> Vec<usize> {
        let mut order = vec![0];
        for direction in directions {
            let mut reached = BTreeSet::from([0]);
            let mut queue = VecDeque::from([(0, 0)]);
            while let Some((place, distance)) = queue.pop_front() {
                if distance == depth {
                    continue;
                }
                for (source, target) in self.edges.keys() {
                    let (near, far) = if *direction == Direction::Up { (target, source) } else { (source, target) };
                    if *near == place && reached.insert(*far) {
                        queue.push_back((*far, distance + 1));
                        order.push(*far);
                    }
                }
            }
        }
        let mut seen = BTreeSet::new();
        order.retain(|place| seen.insert(*place));
        order
    }
}

fn whole_of(key: &NodeKey, known: &BTreeSet<&NodeKey>) -> NodeKey {
    let whole = |kind| NodeKey::new(kind, key.namespace.clone(), key.name.clone());
    match key.kind {
        NodeKind::Feature => whole(NodeKind::Group),
        NodeKind::Column if known.contains(&whole(NodeKind::Dataset)) => whole(NodeKind::Dataset),
        NodeKind::Column => whole(NodeKind::Source),
        _ => key.clone(),
    }
}

/// How SageMaker calls an edge of the graph.
fn association_type(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Reads | EdgeKind::Loads | EdgeKind::Trains | EdgeKind::Selects => "ContributedTo",
        EdgeKind::Writes => "Produced",
        EdgeKind::Derives => "DerivedFrom",
        EdgeKind::Contains | EdgeKind::Serves => "AssociatedWith",
    }
}
