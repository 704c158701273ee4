//! Asks the store about the graph around a node, and what a change of it breaks.

use async_trait::async_trait;

use crate::model::Result;
use crate::store::FeatureStore;
use crate::store::lineage::{Change, Direction, Effect, LineageQuestion};
use crate::tui::jobs::Voice;
use crate::tui::model::lineage::{Answer, Broken, Edge, Graph, Node, Question, Way};
use crate::tui::model::remote::ErrorText;

/// What the browser asks.
#[async_trait]
pub(crate) trait LineageSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_lineage(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl LineageSource for FeatureStore {
    async fn answer_lineage(&self, question: Question, _voice: &Voice) -> Answer {
        match question {
            Question::Graph { node, only, depth } => {
                Answer::Graph(graph(self, node, only, depth).await.map_err(|error| ErrorText::from(&error)))
            }
            Question::Breaks { node, change } => Answer::Breaks(breaks(self, &node, change).await.map_err(|error| ErrorText::from(&error))),
        }
    }
}

async fn graph(store: &FeatureStore, node: String, only: Option<Way>, depth: Option<u32>) -> Result<Graph> {
    let directions = match only {
        None => Vec::new(),
        Some(Way::Up) => vec![Direction::Up],
        Some(Way::Down) => vec![Direction::Down],
    };
    let answer = store.lineage(&LineageQuestion { directions, depth, ..LineageQuestion::about(node) }).await?;
    let node = |node: &crate::store::lineage::AnswerNode| Node {
        reference: node.reference.clone(),
        name: node.name.clone(),
        kind: node.key.kind.as_str(),
        owner: node.owner.clone(),
        gone: node.is_deleted,
    };
    let edge = |edge: &crate::store::lineage::AnswerEdge| Edge {
        source: edge.source,
        target: edge.target,
        kind: edge.kind.as_str(),
        method: edge.method.as_str(),
        since: edge.since.unix_micros(),
    };
    let channels = &answer.coverage.channels;
    Ok(Graph {
        nodes: answer.nodes.iter().map(node).collect(),
        edges: answer.edges.iter().map(edge).collect(),
        known: (channels.iter().filter(|channel| channel.since.is_some()).count(), channels.len()),
    })
}

async fn breaks(store: &FeatureStore, node: &str, change: &str) -> Result<Vec<Broken>> {
    let impact = store.impact(node, change.parse::<Change>()?).await?;
    let broken = |affected: &crate::store::lineage::Affected| Broken {
        reference: affected.reference.clone(),
        kind: affected.kind,
        name: affected.name.clone(),
        effect: affected.effect.as_str(),
        weight: match affected.effect {
            Effect::Breaks | Effect::ReviewNow => 2,
            Effect::Retrain | Effect::Gaps => 1,
            Effect::Review | Effect::Safe => 0,
        },
    };
    Ok(impact.affected.iter().map(broken).collect())
}
