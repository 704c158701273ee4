//! Several groups at once: made and changed in one transaction, all of them or none.
//!
//! A change says what it was worked out from. If the group is not that any more, somebody else was faster and nothing happens.

use super::groups::name_is_taken;
use super::{Catalog, audit, fault, group_rows};
use crate::model::{Error, ErrorKind, FeatureGroup, Result};

impl Catalog {
    /// Takes in groups and puts changed ones in place of what they were.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that is taken, `Conflict` for a group that is not what the change was worked out from, `Invalid` for a
    /// change of what can't change: identity, name, keys, features there are.
    pub async fn change_groups(&self, made: &[FeatureGroup], changed: &[(FeatureGroup, FeatureGroup)]) -> Result<()> {
        let what = "change feature groups";
        made.iter().chain(changed.iter().map(|(_, after)| after)).try_for_each(FeatureGroup::check)?;
        changed.iter().try_for_each(|(before, after)| check_successor(before, after))?;
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        for group in made {
            if let Some(holder) = group_rows::select_by_name(&mut transaction, group.name.as_str()).await.map_err(self.fault(what))? {
                return Err(name_is_taken(&holder));
            }
            group_rows::insert(&mut transaction, group).await.map_err(|error| fault::explain(what, &self.path, error))?;
            audit::created(&mut transaction, group).await.map_err(self.fault(what))?;
        }
        for (before, after) in changed {
            let now = group_rows::select_by_id(&mut transaction, &before.id).await.map_err(self.fault(what))?;
            if now.as_ref() != Some(before) {
                return Err(Error::new(ErrorKind::Conflict, format!("'{}' was changed meanwhile", before.name))
                    .remedy("run the command again: it works out anew what is to be done"));
            }
            group_rows::update(&mut transaction, before, after).await.map_err(self.fault(what))?;
            audit::changed(&mut transaction, before, after).await.map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }
}

/// Rows refer to features by slot, files by column, objects to the group by name and creation: none of these may change.
fn check_successor(before: &FeatureGroup, after: &FeatureGroup) -> Result<()> {
    let (old, new) = (&before.schema, &after.schema);
    let identity =
        |group: &FeatureGroup| (group.id, group.name.clone(), group.created, group.status, group.online.is_some(), group.offline.is_some());
    let names = |schema: &crate::model::Schema| schema.features().iter().map(|feature| feature.name.clone()).collect::<Vec<_>>();
    let same = identity(before) == identity(after) && new.continues(old) && (names(old) == names(new) || !before.is_external());
    if same { Ok(()) } else { Err(Error::invalid(format!("'{}' can't be changed in this way", before.name)).remedy("make another group")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::group_rows::samples::{catalog, feature, group};
    use super::*;
    use crate::model::{FeatureType, Schema};

    #[tokio::test]
    async fn all_or_nothing() {
        let (_folder, catalog) = catalog().await;
        let known = group("known");
        catalog.insert_group(&known).await.unwrap();
        let mut after = known.clone();
        after.owner = Some("team:other".into());
        after.schema = known.schema.with_added(vec![feature("late", FeatureType::Integral)]).unwrap();

        let twin = group("KNOWN");
        let error = catalog.change_groups(&[group("first"), twin], &[(known.clone(), after.clone())]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let mut stale = known.clone();
        stale.description = None;
        let error = catalog.change_groups(&[group("first")], &[(stale, after.clone())]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(catalog.groups().await.unwrap(), std::slice::from_ref(&known));

        let first = group("first");
        catalog.change_groups(std::slice::from_ref(&first), &[(known, after.clone())]).await.unwrap();
        assert_eq!(catalog.groups().await.unwrap(), [first, after]);
    }

    #[tokio::test]
    async fn what_rows_refer_to_stays() {
        let (_folder, catalog) = catalog().await;
        let known = group("known");
        catalog.insert_group(&known).await.unwrap();
        let with = |schema: Schema| FeatureGroup { schema, ..known.clone() };
        let features = known.schema.features();
        let fewer = with(Schema::new(features[..3].to_vec(), "id", "at").unwrap());
        let mut retyped = features.to_vec();
        retyped[2].feature_type = FeatureType::String;
        let retyped = with(Schema::new(retyped, "id", "at").unwrap());
        let other_key = with(Schema::new(features.to_vec(), "Score", "at").unwrap());
        let offline = FeatureGroup { online: None, ..known.clone() };
        for after in [fewer, retyped, other_key, offline] {
            assert_eq!(catalog.change_groups(&[], &[(known.clone(), after)]).await.unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
}
