//! Who changed feature groups: what the catalog noted with each change.

use super::FeatureStore;
pub use crate::catalog::{Actor, AuditFilter, AuditRow, AuditedChange, AuditedField, acting_as};
use crate::model::Result;

impl FeatureStore {
    /// Changes of feature groups made through this store, newest first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
        self.inner.catalog.audit(filter).await
    }
}
