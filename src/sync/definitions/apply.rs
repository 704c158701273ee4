//! Does exactly what a plan says: groups in one transaction, declared lineage after it. Doing it twice changes nothing.

use super::definition::Definition;
use super::flows::declare;
use super::plan::{Plan, plan, refusal};
use crate::model::{Error, Result};
use crate::store::FeatureStore;

/// What was done, or why nothing was.
#[derive(Debug)]
pub struct Applied {
    /// What was to be done.
    pub plan: Plan,
    /// Why it was refused: a change that the store can't make. Nothing was changed then.
    pub refused: Option<Error>,
}

/// Makes the store what definitions say. Groups that they don't name are not touched.
///
/// # Errors
/// Those of [`FeatureStore::change_groups`]. A group that another process changed between plan and change is a `Conflict`; nothing was
/// changed then.
pub async fn apply(store: &FeatureStore, definitions: &[Definition]) -> Result<Applied> {
    let plan = plan(store, definitions).await?;
    if let Some(refused) = refusal(&plan) {
        return Ok(Applied { plan, refused: Some(refused) });
    }
    let made: Vec<_> = plan.groups.iter().filter_map(|group| group.made.clone()).collect();
    let changed: Vec<_> = plan.groups.iter().filter_map(|group| group.changed.clone()).collect();
    if !made.is_empty() || !changed.is_empty() {
        store.change_groups(made, changed).await?;
    }
    // What a disk that failed left undone the last time.
    let changed = |definition: &&Definition| plan.groups.iter().any(|group| group.name == definition.name);
    let others: Vec<_> = definitions.iter().filter(|definition| !changed(definition)).map(|definition| definition.name.clone()).collect();
    store.mend_definitions(&others).await?;
    for group in &plan.groups {
        let told = |error: Error| error.within("the groups are as they were defined, yet not all lineage is declared");
        declare(store, &group.flows).await.map_err(told)?;
    }
    Ok(Applied { plan, refused: None })
}
