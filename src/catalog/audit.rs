//! Who changed what exists: one row for each change of a feature group.
//!
//! The row is written in the transaction of the change, so that none stands without the other. Who asked is known at the edge and needed
//! here; it travels as a task local ([`acting_as`]), since every method between would carry it only to pass it on. Where nothing was said,
//! the user of the system did it.
//!
//! What is kept is bounded: rows by [`KEPT`], fields of a row by [`MAX_FIELDS`], texts of a field by [`MAX_TEXT`].

use std::future::Future;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Catalog, group_rows, process};
use crate::model::{EventTime, FeatureGroup, GroupId, Result};

type SqlResult<T> = std::result::Result<T, sqlx::Error>;

/// Rows that are kept; the oldest go first.
const KEPT: i64 = 100_000;
/// Rows after which the oldest are looked for.
const SWEEP_EVERY: i64 = 512;
/// Fields of one change that are told one by one.
const MAX_FIELDS: usize = 500;
/// Characters of a value.
const MAX_TEXT: usize = 1_000;
/// Members that change with every change, or never.
const LEFT_OUT: [&str; 5] = ["id", "name", "created", "modified", "status"];

/// Who asks for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// An access key, or the user of the system.
    pub principal: String,
    /// Operation and id of the request; none for a program on the machine.
    pub request: Option<(String, String)>,
}

tokio::task_local! {
    static ACTOR: Actor;
}

/// Does some work in the name of somebody; tasks that it spawns are not part of it.
pub async fn acting_as<Work: Future>(actor: Actor, work: Work) -> Work::Output {
    ACTOR.scope(actor, work).await
}

fn actor() -> Actor {
    ACTOR.try_with(Clone::clone).unwrap_or_else(|_| Actor { principal: process::principal(), request: None })
}

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditedChange {
    /// It is there.
    Created,
    /// Its definition is another.
    Changed,
    /// It goes, and can be reached no more.
    Deleted,
}

impl AuditedChange {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }

    fn parse(text: &str) -> SqlResult<Self> {
        [Self::Created, Self::Changed, Self::Deleted]
            .into_iter()
            .find(|change| change.as_str() == text)
            .ok_or_else(|| sqlx::Error::Decode(format!("'{text}' is no change").into()))
    }
}

/// One member of a definition that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditedField {
    /// Where, with dots: `schema.features.score.description`.
    pub path: String,
    /// What it was; null for nothing.
    pub old: Json,
    /// What it is; null for nothing.
    pub new: Json,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    /// Grows with time.
    pub position: i64,
    /// When.
    pub at: EventTime,
    /// Identity of the group.
    #[serde(skip)]
    pub group: GroupId,
    /// Its name.
    #[serde(rename = "group")]
    pub group_name: String,
    /// What became of it.
    pub change: AuditedChange,
    /// Who did it.
    pub principal: String,
    /// Operation of the request; none where a program on the machine did it.
    pub operation: Option<String>,
    /// Id of that request, as the client was told and the access log has it.
    pub request_id: Option<String>,
    /// What differs, for a change.
    pub fields: Vec<AuditedField>,
}

/// Which changes to read.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Those of the groups that have or had this name, ignoring case.
    pub group: Option<String>,
    /// From this instant on.
    pub since: Option<EventTime>,
    /// Before this position, for the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Catalog {
    /// Changes of feature groups, newest first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
        let what = "read who changed what";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT position, at, group_id, group_name, change, principal, operation, request_id, fields FROM audit
             WHERE (?1 IS NULL OR lower(group_name) = ?1) AND at >= ?2 AND position < ?3 ORDER BY position DESC LIMIT ?4",
        )
        .bind(filter.group.as_deref().map(str::to_ascii_lowercase))
        .bind(filter.since.map_or(i64::MIN, |since| since.unix_micros()))
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.limit)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<SqlResult<_>>().map_err(self.fault(what))
    }
}

fn decode(row: &SqliteRow) -> SqlResult<AuditRow> {
    let id = uuid::Uuid::from_slice(row.try_get(2)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(AuditRow {
        position: row.try_get(0)?,
        at: group_rows::instant(row.try_get(1)?)?,
        group: GroupId(id),
        group_name: row.try_get(3)?,
        change: AuditedChange::parse(row.try_get(4)?)?,
        principal: row.try_get(5)?,
        operation: row.try_get(6)?,
        request_id: row.try_get(7)?,
        fields: serde_json::from_str(row.try_get(8)?).map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}

/// Notes a group that is made.
pub(super) async fn created(connection: &mut SqliteConnection, group: &FeatureGroup) -> SqlResult<()> {
    note(connection, group, AuditedChange::Created, group.created, &[]).await
}

/// Notes a group that goes.
pub(super) async fn deleted(connection: &mut SqliteConnection, group: &FeatureGroup) -> SqlResult<()> {
    note(connection, group, AuditedChange::Deleted, group.modified, &[]).await
}

/// Notes what differs between two states of a group, if anything does.
pub(super) async fn changed(connection: &mut SqliteConnection, old: &FeatureGroup, new: &FeatureGroup) -> SqlResult<()> {
    let fields = differences(old, new)?;
    if fields.is_empty() {
        return Ok(());
    }
    note(connection, new, AuditedChange::Changed, new.modified, &fields).await
}

async fn note(
    connection: &mut SqliteConnection,
    group: &FeatureGroup,
    change: AuditedChange,
    at: EventTime,
    fields: &[AuditedField],
) -> SqlResult<()> {
    let Actor { principal, request } = actor();
    let (operation, request_id) = request.unzip();
    let fields = serde_json::to_string(fields).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let noted = sqlx::query(
        "INSERT INTO audit (at, group_id, group_name, change, principal, operation, request_id, fields)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(at.unix_micros())
    .bind(group.id.bytes().as_slice())
    .bind(group.name.as_str())
    .bind(change.as_str())
    .bind(principal)
    .bind(operation)
    .bind(request_id)
    .bind(fields)
    .execute(&mut *connection)
    .await?;
    let position = noted.last_insert_rowid();
    if position % SWEEP_EVERY == 0 {
        sqlx::query("DELETE FROM audit WHERE position <= ?1").bind(position - KEPT).execute(connection).await?;
    }
    Ok(())
}

fn differences(old: &FeatureGroup, new: &FeatureGroup) -> SqlResult<Vec<AuditedField>> {
    let mut fields = Vec::new();
    compare("", &definition_of(old)?, &definition_of(new)?, &mut fields);
    let more = fields.len().saturating_sub(MAX_FIELDS);
    if more > 0 {
        fields.truncate(MAX_FIELDS);
        fields.push(AuditedField { path: "…".to_owned(), old: Json::Null, new: format!("{more} more").into() });
    }
    Ok(fields)
}

/// A definition with its features by name: their places say nothing to a reader.
fn definition_of(group: &FeatureGroup) -> SqlResult<Json> {
    let mut definition = serde_json::to_value(group).map_err(|error| sqlx::Error::Encode(error.into()))?;
    if let Some(members) = definition.as_object_mut() {
        LEFT_OUT.iter().for_each(|name| drop(members.shift_remove(*name)));
    }
    if let Some(features) = definition.pointer_mut("/schema/features")
        && let Json::Array(listed) = features.take()
    {
        let named = listed.into_iter().filter_map(|feature| Some((feature.get("name")?.as_str()?.to_owned(), feature)));
        *features = Json::Object(named.collect());
    }
    Ok(definition)
}

fn compare(path: &str, old: &Json, new: &Json, fields: &mut Vec<AuditedField>) {
    if old == new {
        return;
    }
    let (Json::Object(before), Json::Object(after)) = (old, new) else {
        fields.push(AuditedField { path: path.to_owned(), old: shortened(old), new: shortened(new) });
        return;
    };
    let of = |members: &Map<String, Json>, name: &str| members.get(name).cloned().unwrap_or(Json::Null);
    for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        compare(&inner, &of(before, name), &of(after, name), fields);
    }
}

/// A value, or the beginning of its text where that is long.
fn shortened(value: &Json) -> Json {
    let text = value.to_string();
    if text.chars().nth(MAX_TEXT).is_none() { value.clone() } else { text.chars().take(MAX_TEXT).chain(['…']).collect::<String>().into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::GroupUpdate;
    use super::super::group_rows::samples::{catalog, feature, group};
    use super::*;
    use crate::model::{FeatureType, GroupStatus};

    fn at(seconds: i64) -> EventTime {
        EventTime::from_unix_seconds(1_900_000_000 + seconds).unwrap()
    }

    fn newest(limit: u32) -> AuditFilter {
        AuditFilter { limit, ..AuditFilter::default() }
    }

    #[tokio::test]
    async fn changes_are_told_with_who_and_what() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("Clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let update = GroupUpdate {
            description: Some(Some("new".into())),
            add_features: vec![feature("late", FeatureType::Integral)],
            ..GroupUpdate::default()
        };
        let ada = Actor { principal: "AKIDADA".into(), request: Some(("UpdateFeatureGroup".into(), "r-1".into())) };
        acting_as(ada, catalog.update_group(&clicks.id, &update, at(1))).await.unwrap();
        catalog.update_group(&clicks.id, &GroupUpdate::default(), at(2)).await.unwrap();
        catalog.set_status(&clicks.id, GroupStatus::Deleting, None, at(3)).await.unwrap();
        catalog.remove_group(&clicks.id).await.unwrap();

        let rows = catalog.audit(&newest(10)).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.change, row.group_name.as_str(), row.operation.as_deref())).collect();
        assert_eq!(
            told,
            [
                (AuditedChange::Deleted, "Clicks", None),
                (AuditedChange::Changed, "Clicks", Some("UpdateFeatureGroup")),
                (AuditedChange::Created, "Clicks", None)
            ],
            "an update that changes nothing leaves no row"
        );
        let changed = &rows[1];
        assert_eq!((changed.principal.as_str(), changed.request_id.as_deref(), changed.at), ("AKIDADA", Some("r-1"), at(1)));
        let paths: Vec<_> = changed.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["description", "schema.features.late"]);
        assert_eq!((&changed.fields[0].new, &changed.fields[1].old), (&Json::from("new"), &Json::Null));
        assert_eq!(rows[0].principal, process::principal());
    }

    #[tokio::test]
    async fn a_change_that_fails_leaves_no_row() {
        let (_folder, catalog) = catalog().await;
        catalog.insert_group(&group("clicks")).await.unwrap();
        catalog.insert_groups(&[group("other"), group("CLICKS")]).await.unwrap_err();
        let rows = catalog.audit(&newest(10)).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.group_name.as_str()).collect::<Vec<_>>(), ["clicks"]);
    }

    #[tokio::test]
    async fn rows_are_found_by_group_and_time_and_page_by_page() {
        let (_folder, catalog) = catalog().await;
        let groups = [group("a"), group("b")];
        catalog.insert_groups(&groups).await.unwrap();
        for (second, one) in (0..6).zip(groups.iter().cycle()) {
            let update = GroupUpdate { owner: Some(Some(format!("owner {second}"))), ..GroupUpdate::default() };
            catalog.update_group(&one.id, &update, at(second)).await.unwrap();
        }
        let of_b = catalog.audit(&AuditFilter { group: Some("B".into()), since: Some(at(2)), ..newest(9) }).await.unwrap();
        assert_eq!(of_b.iter().map(|row| row.at).collect::<Vec<_>>(), [at(5), at(3)]);
        let first = catalog.audit(&newest(3)).await.unwrap();
        let second = catalog.audit(&AuditFilter { before: Some(first[2].position), ..newest(3) }).await.unwrap();
        assert_eq!(second.iter().map(|row| row.at).collect::<Vec<_>>(), [at(2), at(1), at(0)]);
    }

    #[tokio::test]
    async fn the_oldest_rows_go() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let mut writer = catalog.writer("test").await.unwrap();
        sqlx::query("UPDATE audit SET position = ?1").bind(SWEEP_EVERY * 1_000 - 1).execute(&mut *writer).await.unwrap();
        sqlx::query("INSERT INTO audit SELECT 7, at, group_id, 'old', change, principal, operation, request_id, fields FROM audit")
            .execute(&mut *writer)
            .await
            .unwrap();
        drop(writer);
        let update = GroupUpdate { owner: Some(Some("new".into())), ..GroupUpdate::default() };
        catalog.update_group(&clicks.id, &update, at(0)).await.unwrap();
        let names: Vec<_> = catalog.audit(&newest(10)).await.unwrap().into_iter().map(|row| row.group_name).collect();
        assert_eq!(names, ["clicks", "clicks"]);
    }

    #[test]
    fn long_texts_are_cut() {
        let (before, mut after) = (group("clicks"), group("clicks"));
        after.description = Some("ä".repeat(5_000));
        let fields = differences(&before, &after).unwrap();
        assert_eq!(fields[0].path, "description");
        assert_eq!(fields[0].new.as_str().unwrap().chars().count(), MAX_TEXT + 1);
    }
}
