//! What people declare: that a model was trained on a dataset, that a dashboard reads a feature, that a job fills a group.

use super::journal::{Line, WrittenEdge, WrittenNode};
use crate::catalog::{EdgeKind, EdgeMethod, LineageNote, NewEdge, NodeKey, NodeKind};
use crate::model::{Error, EventTime, Result};
use crate::store::FeatureStore;

/// Something somebody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Where data comes from, as people type it.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// How; none is what fits the two.
    pub kind: Option<EdgeKind>,
    /// Since when, say when the model was trained; none is now.
    pub since: Option<EventTime>,
    /// Who answers for the target.
    pub owner: Option<String>,
}

/// A declaration that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Where data comes from.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// How.
    pub kind: EdgeKind,
    /// False if it was known.
    pub is_new: bool,
}

impl FeatureStore {
    /// Notes a declaration. Models, jobs, dashboards and the like need not exist before; groups, features and datasets must.
    pub async fn declare_lineage(&self, declaration: &Declaration) -> Result<Declared> {
        self.check_writable()?;
        let source = self.node_to_declare(&declaration.from).await?;
        let target = self.node_to_declare(&declaration.to).await?;
        if source == target {
            return Err(Error::usage(format!("'{}' can't flow into itself", declaration.from.escape_debug())));
        }
        let kind = declaration.kind.unwrap_or_else(|| fitting(source.kind, target.kind));
        let since = declaration.since.unwrap_or_else(|| self.now());
        let names = self.lineage_names();
        let is_new = self.note_declared(source.clone(), target.clone(), kind, since, declaration.owner.as_deref()).await?;
        if is_new || declaration.owner.is_some() {
            let written = WrittenEdge {
                source: WrittenNode::of(&source),
                target: WrittenNode::of(&target),
                kind: kind.as_str().to_owned(),
                since,
                owner: declaration.owner.clone(),
            };
            self.write_journal(&[Line { declared: Some(written), ..Line::at(self.now()) }])?;
        }
        Ok(Declared { from: names.reference(&source), to: names.reference(&target), kind, is_new })
    }

    /// Takes a declaration back: it holds no longer from now on. False if nothing of the kind was declared.
    pub async fn end_declared_lineage(&self, from: &str, to: &str) -> Result<bool> {
        self.check_writable()?;
        let (source, target) = (self.lineage_node(from).await?, self.lineage_node(to).await?);
        let ended = self.inner.catalog.end_lineage(&source, &target, self.now()).await?;
        if ended > 0 {
            let (source, target) = (WrittenNode::of(&source), WrittenNode::of(&target));
            let written = WrittenEdge { source, target, kind: EdgeKind::Derives.as_str().to_owned(), since: self.now(), owner: None };
            self.write_journal(&[Line { ended: Some(written), ..Line::at(self.now()) }])?;
        }
        Ok(ended > 0)
    }

    /// What was declared of a group and its features: pairs of where data comes from and where it goes, as people type them.
    pub async fn declared_of_group(&self, group: &crate::model::FeatureGroup) -> Result<Vec<(String, String)>> {
        let names = self.lineage_names();
        let edges = self.inner.catalog.declared_edges(&names.group(group.name.as_str())).await?;
        Ok(edges.iter().map(|(from, to)| (names.reference(from), names.reference(to))).collect())
    }

    pub(super) async fn note_declared(
        &self,
        source: NodeKey,
        target: NodeKey,
        kind: EdgeKind,
        since: EventTime,
        owner: Option<&str>,
    ) -> Result<bool> {
        let mut note = LineageNote::default();
        note.owners.extend(owner.map(|owner| (target.clone(), owner.to_owned())));
        note.edges.push(NewEdge::new(source, target, kind, EdgeMethod::Declared));
        self.identify_groups(&mut note).await?;
        Ok(self.inner.catalog.note_lineage(&note, since).await?.edges > 0)
    }
}

/// The kind of edge that fits what is joined.
pub(crate) fn fitting(source: NodeKind, target: NodeKind) -> EdgeKind {
    match (source, target) {
        (NodeKind::Job, _) => EdgeKind::Writes,
        (NodeKind::Model, NodeKind::Endpoint | NodeKind::Service) => EdgeKind::Serves,
        (_, NodeKind::Model) => EdgeKind::Trains,
        (_, NodeKind::View) => EdgeKind::Selects,
        (_, NodeKind::Job | NodeKind::Endpoint | NodeKind::Dashboard | NodeKind::Notebook | NodeKind::Service | NodeKind::Consumer) => {
            EdgeKind::Reads
        }
        _ => EdgeKind::Derives,
    }
}
