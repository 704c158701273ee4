//! What a source of sync tells of lineage: edges in its words, made the note that is written with what it tells of groups.

use crate::catalog::{EdgeMethod, LineageNote, NewEdge, sync_job};
use crate::model::Result;
use crate::store::FeatureStore;

impl FeatureStore {
    /// The note of all edges that a source tells.
    pub(crate) async fn told_lineage(&self, source: &str, edges: Vec<NewEdge>) -> Result<LineageNote> {
        let job = sync_job(source);
        let told = |edge: NewEdge| NewEdge { method: EdgeMethod::Imported, job: Some(job.clone()), ..edge };
        let mut note = LineageNote { edges: edges.into_iter().map(told).collect(), ..LineageNote::default() };
        self.identify_groups(&mut note).await?;
        Ok(note)
    }
}
