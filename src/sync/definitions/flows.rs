//! Declared lineage of definitions: what the catalog does not know yet, and noting it.
//!
//! Files add lineage and never take it back: others declare it, too, and a file does not know of them. `larder lineage remove` does.

use std::collections::BTreeSet;

use super::definition::{Definition, Flow};
use crate::model::{FeatureGroup, FeatureName, Result};
use crate::store::FeatureStore;
use crate::store::lineage::Declaration;

/// Flows of a definition that nobody declared yet.
pub(super) async fn missing(store: &FeatureStore, group: Option<&FeatureGroup>, definition: &Definition) -> Result<Vec<Flow>> {
    if definition.flows.is_empty() {
        return Ok(Vec::new());
    }
    let known: BTreeSet<(String, String)> = match group {
        Some(group) => {
            // What was declared of a feature goes with it when it is renamed.
            let renamed = |reference: String| {
                let is_it = |(_, old): &&(FeatureName, String)| reference.eq_ignore_ascii_case(&format!("{}.{old}", group.name));
                let found = definition.renamed.iter().find(is_it).map(|(new, _)| format!("{}.{new}", group.name));
                found.unwrap_or(reference)
            };
            store.declared_of_group(group).await?.into_iter().map(|(from, to)| (renamed(from), renamed(to))).collect()
        }
        None => BTreeSet::new(),
    };
    Ok(definition.flows.iter().filter(|flow| !known.contains(&(flow.from.clone(), flow.to.clone()))).cloned().collect())
}

/// Declares flows; those that are known stay as they are.
pub(super) async fn declare(store: &FeatureStore, flows: &[Flow]) -> Result<()> {
    for flow in flows {
        let declaration = Declaration { from: flow.from.clone(), to: flow.to.clone(), kind: None, since: None, owner: None };
        store.declare_lineage(&declaration).await?;
    }
    Ok(())
}
