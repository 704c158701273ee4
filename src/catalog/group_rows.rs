//! Feature groups as rows, and back.
//!
//! One group comes back as one row: its features and tags are joined into texts by SQL. sqlx hands rows from its
//! worker thread one by one, so that 50,000 feature rows would take longer than parsing the same features from
//! 1,000 texts. Writing takes one statement for all features of a group, for the same reason.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use crate::model::{Error, EventTime, FeatureDefinition, FeatureGroup, GroupId, GroupName, RemovedFeature, Schema};

type SqlResult<T> = Result<T, sqlx::Error>;

/// The columns of [`decode`], in its order; `concat!` needs literals, hence a macro.
macro_rules! select_groups {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.name, g.status, g.failure_reason, g.identifier_feature, g.event_time_feature, g.online_settings,
                    g.offline_settings, g.description, g.owner, g.created, g.modified,
                    (SELECT group_concat(f.definition, ',' ORDER BY f.position) FROM features f WHERE f.group_id = g.id),
                    (SELECT json_group_object(t.key, t.value) FROM tags t WHERE t.group_id = g.id), g.expectations,
                    (SELECT group_concat(r.removal, ',' ORDER BY r.slot) FROM removed_features r WHERE r.group_id = g.id)
             FROM feature_groups g ",
            $rest
        )
    };
}

/// All groups by folded name.
pub(super) async fn select_all(connection: &mut SqliteConnection) -> SqlResult<Vec<FeatureGroup>> {
    let rows = sqlx::query(select_groups!("ORDER BY g.folded_name")).fetch_all(connection).await?;
    rows.iter().map(decode).collect()
}

/// Sends the rows of all groups by folded name, to be decoded elsewhere; stops where nobody takes them any more.
pub(super) async fn send_all(connection: &mut SqliteConnection, to: Sender<SqliteRow>) -> SqlResult<()> {
    let mut rows = sqlx::query(select_groups!("ORDER BY g.folded_name")).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        if to.send(row).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The group of that name, ignoring case.
pub(super) async fn select_by_name(connection: &mut SqliteConnection, name: &str) -> SqlResult<Option<FeatureGroup>> {
    let row = sqlx::query(select_groups!("WHERE g.folded_name = ?1")).bind(name.to_ascii_lowercase()).fetch_optional(connection).await?;
    row.as_ref().map(decode).transpose()
}

/// The group of that id.
pub(super) async fn select_by_id(connection: &mut SqliteConnection, id: &GroupId) -> SqlResult<Option<FeatureGroup>> {
    let row = sqlx::query(select_groups!("WHERE g.id = ?1")).bind(id.bytes().as_slice()).fetch_optional(connection).await?;
    row.as_ref().map(decode).transpose()
}

/// Inserts a group with everything it has.
pub(super) async fn insert(connection: &mut SqliteConnection, group: &FeatureGroup) -> SqlResult<()> {
    sqlx::query(
        "INSERT INTO feature_groups (id, name, folded_name, status, failure_reason, identifier_feature, event_time_feature,
                                     online_settings, offline_settings, description, owner, created, modified, expectations)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )
    .bind(group.id.bytes().as_slice())
    .bind(group.name.as_str())
    .bind(group.name.folded())
    .bind(group.status.as_str())
    .bind(group.failure_reason.as_deref())
    .bind(group.schema.identifier().name.as_str())
    .bind(group.schema.event_time().name.as_str())
    .bind(group.online.as_ref().map(to_json).transpose()?)
    .bind(group.offline.as_ref().map(to_json).transpose()?)
    .bind(group.description.as_deref())
    .bind(group.owner.as_deref())
    .bind(group.created.unix_micros())
    .bind(group.modified.unix_micros())
    .bind(expectations_of(group)?)
    .execute(&mut *connection)
    .await?;
    insert_features(connection, &group.id, 0, group.schema.features()).await?;
    insert_removed(connection, &group.id, group.schema.removed()).await?;
    insert_tags(connection, &group.id, &group.tags).await
}

/// Writes what differs between two states of a group; identity, name and existing types never do. What is known of a feature that has
/// another name now goes with it.
pub(super) async fn update(connection: &mut SqliteConnection, old: &FeatureGroup, new: &FeatureGroup) -> SqlResult<()> {
    sqlx::query(
        "UPDATE feature_groups
         SET status = ?2, failure_reason = ?3, online_settings = ?4, offline_settings = ?5, description = ?6, owner = ?7, modified = ?8,
             expectations = ?9, identifier_feature = ?10, event_time_feature = ?11
         WHERE id = ?1",
    )
    .bind(new.id.bytes().as_slice())
    .bind(new.status.as_str())
    .bind(new.failure_reason.as_deref())
    .bind(new.online.as_ref().map(to_json).transpose()?)
    .bind(new.offline.as_ref().map(to_json).transpose()?)
    .bind(new.description.as_deref())
    .bind(new.owner.as_deref())
    .bind(new.modified.unix_micros())
    .bind(expectations_of(new)?)
    .bind(new.schema.identifier().name.as_str())
    .bind(new.schema.event_time().name.as_str())
    .execute(&mut *connection)
    .await?;
    update_features(connection, &old.schema, new).await?;
    super::renaming::follow(connection, old, new).await?;
    if old.tags != new.tags {
        sqlx::query("DELETE FROM tags WHERE group_id = ?1").bind(new.id.bytes().as_slice()).execute(&mut *connection).await?;
        insert_tags(connection, &new.id, &new.tags).await?;
    }
    Ok(())
}

async fn update_features(connection: &mut SqliteConnection, old: &Schema, new: &FeatureGroup) -> SqlResult<()> {
    let names = |schema: &Schema| schema.features().iter().map(|feature| feature.name.clone()).collect::<Vec<_>>();
    let known = old.len();
    if old.removed() != new.schema.removed() || !names(&new.schema).starts_with(&names(old)) {
        for statement in ["DELETE FROM features WHERE group_id = ?1", "DELETE FROM removed_features WHERE group_id = ?1"] {
            sqlx::query(statement).bind(new.id.bytes().as_slice()).execute(&mut *connection).await?;
        }
        insert_features(connection, &new.id, 0, new.schema.features()).await?;
        return insert_removed(connection, &new.id, new.schema.removed()).await;
    }
    for (position, (before, after)) in old.features().iter().zip(new.schema.features()).enumerate() {
        if before != after {
            sqlx::query("UPDATE features SET definition = ?3 WHERE group_id = ?1 AND position = ?2")
                .bind(new.id.bytes().as_slice())
                .bind(super::to_sql(position as u64))
                .bind(to_json(after)?)
                .execute(&mut *connection)
                .await?;
        }
    }
    insert_features(connection, &new.id, known, &new.schema.features()[known..]).await
}

async fn insert_removed(connection: &mut SqliteConnection, id: &GroupId, removed: &[RemovedFeature]) -> SqlResult<()> {
    for gone in removed {
        sqlx::query("INSERT INTO removed_features (group_id, slot, removal) VALUES (?1, ?2, ?3)")
            .bind(id.bytes().as_slice())
            .bind(super::to_sql(gone.slot as u64))
            .bind(to_json(gone)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn expectations_of(group: &FeatureGroup) -> SqlResult<Option<String>> {
    (!group.expectations.is_empty()).then(|| to_json(&group.expectations)).transpose()
}

async fn insert_features(connection: &mut SqliteConnection, id: &GroupId, first: usize, features: &[FeatureDefinition]) -> SqlResult<()> {
    if features.is_empty() {
        return Ok(());
    }
    let pairs = features.iter().map(|feature| Ok((feature.name.folded(), to_json(feature)?))).collect::<SqlResult<Vec<_>>>()?;
    // The key of json_each is the place in the array; `->>` gives the definition's text back as it went in.
    sqlx::query(
        "INSERT INTO features (group_id, position, folded_name, definition)
         SELECT ?1, ?2 + key, value ->> 0, value ->> 1 FROM json_each(?3)",
    )
    .bind(id.bytes().as_slice())
    .bind(super::to_sql(first as u64))
    .bind(to_json(&pairs)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_tags(connection: &mut SqliteConnection, id: &GroupId, tags: &BTreeMap<String, String>) -> SqlResult<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let pairs: Vec<(&String, &String)> = tags.iter().collect();
    // Pairs rather than an object: a key with a dot or a quote would be a path to json_each.
    sqlx::query("INSERT INTO tags (group_id, key, value) SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2)")
        .bind(id.bytes().as_slice())
        .bind(to_json(&pairs)?)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn decode(row: &SqliteRow) -> SqlResult<FeatureGroup> {
    let id = Uuid::from_slice(row.try_get::<&[u8], _>(0)?).map_err(broken)?;
    let features: Option<&str> = row.try_get(12)?;
    let features: Vec<FeatureDefinition> = from_json(&format!("[{}]", features.unwrap_or_default()))?;
    let removed: Option<&str> = row.try_get(15)?;
    let removed: Vec<RemovedFeature> = removed.map(|removed| from_json(&format!("[{removed}]"))).transpose()?.unwrap_or_default();
    Ok(FeatureGroup {
        id: GroupId(id),
        name: GroupName::parse(row.try_get(1)?).map_err(broken)?,
        description: row.try_get(8)?,
        owner: row.try_get(9)?,
        tags: from_json(row.try_get(13)?)?,
        schema: Schema::with_history(features, removed, row.try_get(4)?, row.try_get(5)?).map_err(broken)?,
        online: row.try_get::<Option<&str>, _>(6)?.map(from_json).transpose()?,
        offline: row.try_get::<Option<&str>, _>(7)?.map(from_json).transpose()?,
        status: row.try_get::<&str, _>(2)?.parse().map_err(|error: Error| broken(error))?,
        failure_reason: row.try_get(3)?,
        expectations: row.try_get::<Option<&str>, _>(14)?.map(from_json).transpose()?.unwrap_or_default(),
        created: instant(row.try_get(10)?)?,
        modified: instant(row.try_get(11)?)?,
    })
}

/// An instant of the catalog; one outside years 0–9999 was never written.
pub(super) fn instant(micros: i64) -> SqlResult<EventTime> {
    EventTime::from_unix_micros(micros).ok_or_else(|| broken(Error::corrupt(format!("{micros} µs is no instant"))))
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn to_json(value: &impl serde::Serialize) -> SqlResult<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> SqlResult<T> {
    serde_json::from_str(text).map_err(broken)
}

/// Groups for the tests of this folder.
#[cfg(test)]
pub(super) mod samples {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::{Catalog, CatalogOptions};
    use crate::model::{Collection, FeatureName, FeatureType, GroupStatus, OfflineSettings, OnlineSettings};

    pub(in crate::catalog) async fn catalog() -> (tempfile::TempDir, Catalog) {
        let folder = tempfile::tempdir().unwrap();
        let options = CatalogOptions { create: true, ..CatalogOptions::default() };
        let catalog = Catalog::open(folder.path().join("catalog.db"), options).await.unwrap();
        (folder, catalog)
    }

    pub(in crate::catalog) fn feature(name: &str, feature_type: FeatureType) -> FeatureDefinition {
        FeatureDefinition::new(FeatureName::parse(name).unwrap(), feature_type)
    }

    /// A group that uses every field, with texts that JSON has to escape.
    pub(in crate::catalog) fn group(name: &str) -> FeatureGroup {
        let mut score = feature("Score", FeatureType::Fractional);
        score.description = Some("0 to 1, \"quoted\", with a\nline break and a comma".into());
        score.parameters = BTreeMap::from([("unit".into(), "ratio".into()), ("pii".into(), "no".into())]);
        let mut embedding = feature("embedding", FeatureType::Fractional);
        embedding.collection = Some(Collection::Vector { dimension: 3 });
        let features = vec![feature("id", FeatureType::String), feature("at", FeatureType::String), score, embedding];
        FeatureGroup {
            id: GroupId(Uuid::now_v7()),
            name: GroupName::parse(name).unwrap(),
            description: Some("what a sample is".into()),
            owner: Some("team:growth".into()),
            tags: BTreeMap::from([("a.b".into(), "x = y".into()), ("stage".into(), String::new())]),
            schema: Schema::new(features, "id", "at").unwrap(),
            online: Some(OnlineSettings { ttl: Some("7d".parse().unwrap()), ..OnlineSettings::default() }),
            offline: Some(OfflineSettings { s3_uri: "s3://larder".into(), external: None, ..OfflineSettings::default() }),
            status: GroupStatus::Creating,
            failure_reason: None,
            expectations: crate::model::GroupExpectations::default(),
            created: EventTime::from_unix_micros(1_700_000_000_000_001).unwrap(),
            modified: EventTime::from_unix_micros(1_700_000_000_000_002).unwrap(),
        }
    }
}
