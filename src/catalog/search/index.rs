//! Keeps the search index right: what is in it, and when it is brought up to date.
//!
//! Triggers of the catalog note every group and dataset that changes, whichever statement changed it; [`refresh`] runs before
//! each commit and works off what they noted. So a committed catalog never has an index that is behind, several processes cannot
//! disagree about it, and a reader needs no right to write. An update compares hashes and writes the changed rows only.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::words::{folded_words, parts};
use crate::catalog::group_rows;
use crate::model::{FeatureGroup, GroupId};

type SqlResult<T> = Result<T, sqlx::Error>;

/// Position of what has none: a group or a dataset.
const NO_POSITION: i64 = -1;

/// A row of `search_documents` without its owner, in the order of the statement that writes it.
#[derive(serde::Serialize)]
struct Document {
    kind: &'static str,
    position: i64,
    name: String,
    folded_name: String,
    parts: String,
    group_name: String,
    description: String,
    tags: String,
    owner: String,
    entity: String,
    value_type: String,
    labels: String,
    deprecated: bool,
}

/// Takes what has changed in this transaction into the index.
pub(in crate::catalog) async fn refresh(connection: &mut SqliteConnection) -> SqlResult<()> {
    let stale: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT kind, owner_key FROM search_stale").fetch_all(&mut *connection).await?;
    if stale.is_empty() {
        return Ok(());
    }
    for (kind, key) in &stale {
        let documents = match kind.as_str() {
            "group" => group_documents(connection, key).await?,
            _ => dataset_document(connection, key).await?,
        };
        write(connection, kind == "group", key, &documents).await?;
    }
    sqlx::query("DELETE FROM search_stale").execute(connection).await?;
    Ok(())
}

/// True if something waits to be taken in: only after a change made by another program.
pub(super) async fn is_stale(connection: &mut SqliteConnection) -> SqlResult<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM search_stale)").fetch_one(connection).await
}

async fn group_documents(connection: &mut SqliteConnection, key: &[u8]) -> SqlResult<Vec<Document>> {
    let Ok(id) = Uuid::from_slice(key) else { return Ok(Vec::new()) };
    let Some(group) = group_rows::select_by_id(connection, &GroupId(id)).await? else { return Ok(Vec::new()) };
    let entity = entity(&group);
    let owner = group.owner.clone().unwrap_or_default();
    let document = |kind, position, name: &str, description: &Option<String>, labels: Vec<(&String, &String)>, value_type| Document {
        kind,
        position,
        name: name.to_owned(),
        folded_name: name.to_ascii_lowercase(),
        parts: parts(name),
        group_name: group.name.to_string(),
        description: description.clone().unwrap_or_default(),
        tags: labels.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]).collect::<Vec<_>>().join(" "),
        owner: owner.clone(),
        entity: entity.clone(),
        value_type,
        deprecated: labels.iter().any(|(key, value)| is_deprecation(key, value)),
        labels: json_object(&labels),
    };
    let mut documents = Vec::with_capacity(group.schema.len() + 1);
    documents.push(document("group", NO_POSITION, group.name.as_str(), &group.description, group.tags.iter().collect(), String::new()));
    for (position, feature) in group.schema.features().iter().enumerate() {
        // What is said of the feature itself stands before what is said of its group.
        let of_group = group.tags.iter().filter(|(key, _)| !feature.parameters.contains_key(*key));
        let labels = feature.parameters.iter().chain(of_group).collect();
        let mut document = document("feature", position as i64, feature.name.as_str(), &feature.description, labels, feature.type_text());
        // Who knows it by a former name finds it, too.
        for former in &feature.former_names {
            document.tags.push_str(&format!(" formerly {former} {}", parts(former.as_str())));
        }
        documents.push(document);
    }
    Ok(documents)
}

async fn dataset_document(connection: &mut SqliteConnection, key: &[u8]) -> SqlResult<Vec<Document>> {
    let row =
        sqlx::query("SELECT name, description, format FROM datasets WHERE folded_name = CAST(?1 AS TEXT) ORDER BY version DESC LIMIT 1")
            .bind(key)
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let name: String = row.try_get(0)?;
    Ok(vec![Document {
        kind: "dataset",
        position: NO_POSITION,
        folded_name: name.to_ascii_lowercase(),
        parts: parts(&name),
        name,
        group_name: String::new(),
        description: row.try_get::<Option<String>, _>(1)?.unwrap_or_default(),
        tags: String::new(),
        owner: String::new(),
        entity: String::new(),
        value_type: row.try_get(2)?,
        labels: "{}".to_owned(),
        deprecated: false,
    }])
}

async fn write(connection: &mut SqliteConnection, is_group: bool, key: &[u8], documents: &[Document]) -> SqlResult<()> {
    // The kinds of one owner; a group's id and a dataset's name are told apart by them.
    let kinds = if is_group { ["group", "feature"] } else { ["dataset", "dataset"] };
    let known: Vec<(i64, i64)> = sqlx::query_as("SELECT position, digest FROM search_documents WHERE owner_key = ?1 AND kind IN (?2, ?3)")
        .bind(key)
        .bind(kinds[0])
        .bind(kinds[1])
        .fetch_all(&mut *connection)
        .await?;
    let known: std::collections::HashMap<i64, i64> = known.into_iter().collect();
    let mut changed = Vec::new();
    for document in documents {
        let text = serde_json::to_string(document).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let digest = xxh3_64(text.as_bytes()) as i64;
        if known.get(&document.position) != Some(&digest) {
            changed.push((document, digest));
        }
    }
    if known.len() > documents.len() {
        // Positions are those of features, without gaps: what is beyond them is gone, and without a group all is.
        let least = documents.len() as i64 - 1;
        sqlx::query("DELETE FROM search_documents WHERE owner_key = ?1 AND kind IN (?2, ?3) AND position >= ?4")
            .bind(key)
            .bind(kinds[0])
            .bind(kinds[1])
            .bind(least)
            .execute(&mut *connection)
            .await?;
    }
    if changed.is_empty() {
        return Ok(());
    }
    let changed = serde_json::to_string(&changed).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO search_documents (kind, owner_key, position, name, folded_name, parts, group_name, description, tags, owner,
                                       entity, value_type, labels, deprecated, digest)
         SELECT value ->> '$[0].kind', ?1, value ->> '$[0].position', value ->> '$[0].name', value ->> '$[0].folded_name',
                value ->> '$[0].parts', value ->> '$[0].group_name', value ->> '$[0].description', value ->> '$[0].tags',
                value ->> '$[0].owner', value ->> '$[0].entity', value ->> '$[0].value_type', value ->> '$[0].labels',
                value ->> '$[0].deprecated', value ->> '$[1]'
         FROM json_each(?2) WHERE true
         ON CONFLICT (kind, owner_key, position) DO UPDATE SET
             name = excluded.name, folded_name = excluded.folded_name, parts = excluded.parts, group_name = excluded.group_name,
             description = excluded.description, tags = excluded.tags, owner = excluded.owner, entity = excluded.entity,
             value_type = excluded.value_type, labels = excluded.labels, deprecated = excluded.deprecated, digest = excluded.digest",
    )
    .bind(key)
    .bind(changed)
    .execute(connection)
    .await?;
    Ok(())
}

/// What the records of a group are about: its tag `entity`, else its identifier without the `id` at the end.
pub fn entity(group: &FeatureGroup) -> String {
    if let Some(named) = group.tags.iter().find(|(key, _)| key.eq_ignore_ascii_case("entity")).map(|(_, value)| value) {
        return named.to_lowercase();
    }
    let mut words = folded_words(group.schema.identifier().name.as_str());
    if words.len() > 1 && words.last().is_some_and(|last| last == "id" || last == "key") {
        words.pop();
    }
    words.join("-")
}

fn is_deprecation(key: &str, value: &str) -> bool {
    let denied = ["", "no", "false", "0"].iter().any(|no| value.eq_ignore_ascii_case(no));
    value.eq_ignore_ascii_case("deprecated") || key.eq_ignore_ascii_case("deprecated") && !denied
}

fn json_object(labels: &[(&String, &String)]) -> String {
    let object: serde_json::Map<String, serde_json::Value> =
        labels.iter().map(|(key, value)| ((*key).clone(), (*value).clone().into())).collect();
    serde_json::Value::Object(object).to_string()
}
