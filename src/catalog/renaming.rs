//! What the catalog knows of features that were renamed: statistics, drift, reads, datasets and lineage go with the new name, in the
//! transaction of the renaming.

use sqlx::sqlite::SqliteConnection;

use crate::model::FeatureGroup;

/// What refers to a feature by its name. ?1 is the group, ?2 the old name, ?3 the new one. A lineage node of the new name may be there:
/// somebody spoke of it before it was; then the old one stays, as history.
const BY_NAME: [&str; 6] = [
    "UPDATE OR REPLACE profile_columns SET feature = ?3 WHERE feature = ?2 AND profile_id IN (SELECT id FROM profiles WHERE group_id = ?1)",
    "UPDATE OR REPLACE profile_sketches SET feature = ?3 WHERE feature = ?2 AND profile_id IN (SELECT id FROM profiles WHERE group_id = ?1)",
    "UPDATE OR REPLACE drift_results SET feature = ?3 WHERE feature = ?2 AND group_id = ?1",
    "UPDATE OR IGNORE usage_days SET feature = ?3 WHERE feature = ?2 AND group_id = ?1",
    "UPDATE dataset_columns SET feature = ?3 WHERE feature = ?2 AND group_id = ?1",
    "UPDATE OR IGNORE lineage_nodes SET field = ?3 WHERE field = ?2 AND kind = 'feature' AND group_id = ?1",
];

/// Takes what is known under the old names of a group's features to the new ones.
pub(super) async fn follow(connection: &mut SqliteConnection, old: &FeatureGroup, new: &FeatureGroup) -> Result<(), sqlx::Error> {
    for (from, to) in new.schema.renamed_since(&old.schema) {
        for statement in BY_NAME {
            sqlx::query(statement).bind(new.id.bytes().as_slice()).bind(from.as_str()).bind(to.as_str()).execute(&mut *connection).await?;
        }
    }
    Ok(())
}
