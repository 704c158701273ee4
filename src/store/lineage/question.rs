//! Questions: the walk from a node, and what a change of a feature does.

use std::collections::HashMap;

use crate::catalog::{EdgeKind, EdgeMethod, EdgeRow, EdgesWanted, Link, LinkSide, NodeKey, NodeKind, NodeRow};
use crate::lineage::walk::{Direction, Needs, Walk};
use crate::lineage::{Answer, AnswerNode, Certainty, Change, Coverage, Impact};
use crate::model::{Error, EventTime, FeatureGroup, Result};
use crate::store::FeatureStore;

use super::usage::DAY_MICROS;

/// How far a walk goes unless it is told: a graph that is deeper than this is a chain somebody made by mistake.
const MAX_DEPTH: u32 = 64;
/// Days of which readers are told.
const READER_DAYS: i64 = 30;
/// Stands for a feature that no edge names yet: it hangs on its group all the same.
const UNNAMED: i64 = -1;

/// A question of lineage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageQuestion {
    /// The node, as people type it.
    pub node: String,
    /// Which ways; both if none is named.
    pub directions: Vec<Direction>,
    /// How many edges far.
    pub depth: Option<u32>,
    /// As of when; none is now.
    pub at: Option<EventTime>,
}

impl LineageQuestion {
    /// Everything there is about a node.
    pub fn about(node: impl Into<String>) -> Self {
        Self { node: node.into(), directions: Vec::new(), depth: None, at: None }
    }
}

impl FeatureStore {
    /// Answers a question of lineage.
    ///
    /// # Errors
    /// `NotFound` for a node that nobody knows, with a suggestion.
    pub async fn lineage(&self, question: &LineageQuestion) -> Result<Answer> {
        let key = self.lineage_node(&question.node).await?;
        self.lineage_around(key, question).await
    }

    /// Answers a question about a node that was found already.
    pub(super) async fn lineage_around(&self, key: NodeKey, question: &LineageQuestion) -> Result<Answer> {
        self.fold_usage().await?;
        let names = self.lineage_names();
        let coverage = self.lineage_coverage().await?;
        let start = self.lineage_start(&key).await?;
        let mut answer = match &start {
            None => Answer::alone(
                AnswerNode {
                    reference: names.reference(&key),
                    name: names.bare(&key),
                    is_deleted: false,
                    owner: None,
                    direction: None,
                    depth: 0,
                    certainty: Certainty::Direct,
                    key: key.clone(),
                },
                coverage,
            ),
            Some(start) => self.walked(&key, start, question, coverage).await?,
        };
        self.mark_groups(&mut answer).await?;
        if let Some(group) = names.group_name(&key)
            && let Some(group) = self.inner.catalog.group(group).await?
        {
            let since = self.now().unix_micros().div_euclid(DAY_MICROS) - READER_DAYS;
            let feature = (!key.field.is_empty()).then_some(key.field.as_str());
            answer.readers = self.inner.catalog.usage_of(&group.id, feature, since).await?;
        }
        Ok(answer)
    }

    /// Works out what a change of a feature or group does to whom.
    pub async fn impact(&self, node: &str, change: Change) -> Result<Impact> {
        let question = LineageQuestion { directions: vec![Direction::Down], ..LineageQuestion::about(node) };
        let key = self.lineage_node(node).await?;
        if !matches!(key.kind, NodeKind::Feature | NodeKind::Group) {
            return Err(Error::usage(format!("'{}' is a {}", node.escape_debug(), key.kind))
                .remedy("name a feature as group.feature, or a group; `larder lineage NODE --down` shows what follows from others"));
        }
        let answer = self.lineage(&question).await?;
        Impact::of(&answer, change).ok_or_else(|| Error::internal("an answer of lineage has no start"))
    }

    /// How much lineage can know of.
    async fn lineage_coverage(&self) -> Result<Coverage> {
        let since = self.inner.catalog.lineage_since().await?;
        let reads = self.inner.catalog.usage_since().await?.and_then(|day| EventTime::from_unix_micros(day.saturating_mul(DAY_MICROS)));
        Ok(Coverage::new(&since, reads))
    }

    async fn lineage_start(&self, key: &NodeKey) -> Result<Option<Start>> {
        if let Some(id) = self.inner.catalog.lineage_node(key).await? {
            return Ok(Some(Start { id, whole: None }));
        }
        if key.kind != NodeKind::Feature {
            return Ok(None);
        }
        let whole = NodeKey { kind: NodeKind::Group, field: String::new(), ..key.clone() };
        Ok(self.inner.catalog.lineage_node(&whole).await?.map(|whole| Start { id: UNNAMED, whole: Some(whole) }))
    }

    async fn walked(&self, key: &NodeKey, start: &Start, question: &LineageQuestion, coverage: Coverage) -> Result<Answer> {
        let directions = match question.directions.as_slice() {
            [] => vec![Direction::Up, Direction::Down],
            asked => asked.to_vec(),
        };
        let at = question.at.map(|at| at.unix_micros());
        let depth = question.depth.unwrap_or(MAX_DEPTH);
        let mut walks = Vec::with_capacity(directions.len());
        for direction in directions {
            let mut walk = Walk::new((start.id, key.kind), direction, at, depth);
            loop {
                let needs = walk.needs();
                if needs.is_empty() {
                    break;
                }
                // Going up, time goes back: edges that have ended may have held then.
                let ended = at.is_some() || direction == Direction::Up;
                let out = self.links(&needs.out, LinkSide::Out, ended, start).await?;
                let into = self.links(&needs.into, LinkSide::Into, ended, start).await?;
                walk.learn(&Needs { out: needs.out, into: needs.into }, out, into);
            }
            walks.push((direction, walk));
        }
        let mut ids: Vec<i64> = walks.iter().flat_map(|(_, walk)| walk.reached().keys().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut nodes = self.inner.catalog.lineage_node_rows(&ids).await?;
        let mut edges: Vec<i64> = walks.iter().flat_map(|(_, walk)| walk.steps().iter().map(|step| step.edge)).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut edges = self.inner.catalog.lineage_edge_rows(&edges).await?;
        if let Some(whole) = start.whole {
            let now = self.now();
            nodes.push(NodeRow { id: UNNAMED, key: key.clone(), group: None, is_deleted: false, owner: None, seen: (now, now) });
            edges.push(unnamed_edge(whole, now));
        }
        Ok(Answer::new(&self.lineage_names(), &walks, start.id, &nodes, &edges, coverage))
    }

    async fn links(&self, nodes: &[i64], side: LinkSide, ended: bool, start: &Start) -> Result<Vec<Link>> {
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        let mut links = self.inner.catalog.lineage_links(EdgesWanted { nodes, side, ended }).await?;
        if let Some(whole) = start.whole
            && side == LinkSide::Into
            && nodes.contains(&UNNAMED)
        {
            links.push(Link {
                id: UNNAMED,
                source: whole,
                target: UNNAMED,
                contains: true,
                indirect: false,
                inferred: false,
                job: 0,
                valid_from: i64::MIN,
                valid_to: None,
                far_kind: NodeKind::Group,
            });
        }
        Ok(links)
    }

    /// What the catalog says of the groups and features of an answer: who answers for them, and which are gone.
    /// What a source tells of a group that is not of this store.
    async fn told_of(&self, name: &str) -> Result<Option<Told>> {
        let rows = self.inner.catalog.sync_groups(Some(name)).await?;
        Ok(rows.first().and_then(|row| serde_json::from_str(&row.content).ok()))
    }

    async fn mark_groups(&self, answer: &mut Answer) -> Result<()> {
        let names = self.lineage_names();
        let mut groups: HashMap<String, Option<FeatureGroup>> = HashMap::new();
        for node in &mut answer.nodes {
            let Some(name) = names.group_name(&node.key) else { continue };
            if !groups.contains_key(name) {
                groups.insert(name.to_owned(), self.inner.catalog.group(name).await?);
            }
            match groups.get(name).and_then(Option::as_ref) {
                None => {
                    let told = self.told_of(name).await?;
                    node.is_deleted = !told.as_ref().is_some_and(|told| told.has(&node.key.field));
                    node.owner = node.owner.take().or(told.and_then(|told| told.owner));
                }
                Some(group) => {
                    node.is_deleted = !node.key.field.is_empty() && group.schema.position(&node.key.field).is_none();
                    node.owner = node.owner.take().or_else(|| group.owner.clone());
                }
            }
        }
        Ok(())
    }
}

/// What lineage has to know of a group that a source of sync tells of.
#[derive(serde::Deserialize)]
struct Told {
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    features: Vec<ToldFeature>,
}

#[derive(serde::Deserialize)]
struct ToldFeature {
    name: String,
}

impl Told {
    fn has(&self, feature: &str) -> bool {
        feature.is_empty() || self.features.iter().any(|known| known.name.eq_ignore_ascii_case(feature))
    }
}

/// Where a walk starts.
struct Start {
    id: i64,
    /// The group of a feature that no edge names yet.
    whole: Option<i64>,
}

fn unnamed_edge(whole: i64, now: EventTime) -> EdgeRow {
    EdgeRow {
        id: UNNAMED,
        ends: (whole, UNNAMED),
        kind: EdgeKind::Contains,
        transform: String::new(),
        indirect: false,
        masking: false,
        method: EdgeMethod::Observed,
        job: None,
        run: None,
        valid_from: now,
        valid_to: None,
        seen: 1,
    }
}
