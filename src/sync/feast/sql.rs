//! Feast's SQL registry in an SQLite file: a table for each kind of object, a row with a message for each object.
//!
//! It is read in one transaction, so that it is of one moment. A row that can't be decoded, or whose message is not of the name it
//! is filed under, is a fault of that object; its neighbours are taken. Tables of newer kinds are missing in older registries.

use std::path::Path;

use prost::Message;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use super::proto::{Entity, FeatureService, FeatureView, LabelView, OnDemandFeatureView, Registry, SavedDataset, StreamFeatureView};
use super::registry::{Broken, Objects, chosen};
use super::storage::DataSource;
use crate::model::{Error, Result};

/// The first bytes of an SQLite file.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// Reads the objects of one project.
pub(super) async fn of_database(path: &Path, project: Option<&str>) -> Result<(String, Objects)> {
    let place = path.display().to_string();
    let fault = |error: sqlx::Error| {
        Error::corrupt(format!("the Feast registry {place} can't be read"))
            .source(error)
            .remedy("check that it is whole: `sqlite3 FILE 'PRAGMA integrity_check'`")
    };
    let options = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(fault)?;
    let read = read(&mut connection, &place, project).await.map_err(|error| match error {
        Trouble::Sql(error) => fault(error),
        Trouble::Ours(error) => error,
    });
    let closed = connection.close().await.map_err(fault);
    let read = read?;
    closed?;
    Ok(read)
}

enum Trouble {
    Sql(sqlx::Error),
    Ours(Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

async fn read(connection: &mut SqliteConnection, place: &str, project: Option<&str>) -> std::result::Result<(String, Objects), Trouble> {
    let mut transaction = connection.begin().await?;
    // A file that was cut answers for the tables whose pages are still there.
    let whole: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *transaction).await?;
    if whole != "ok" {
        let error = Error::corrupt(format!("the Feast registry {place} is damaged")).why(whole).remedy("restore it from a backup");
        return Err(Trouble::Ours(error));
    }
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut *transaction).await?;
    let has = |table: &str| tables.iter().any(|known| known == table);
    if !["entities", "feature_views", "data_sources", "feature_services"].into_iter().all(has) {
        let error = Error::corrupt(format!("{place} is no Feast registry"))
            .why("it lacks the tables of one")
            .remedy("name the database of `registry_type: sql`, or the registry.db of a file registry");
        return Err(Trouble::Ours(error));
    }
    let known: Vec<String> = sqlx::query_scalar(
        "SELECT project_id FROM entities UNION SELECT project_id FROM feature_views UNION SELECT project_id FROM data_sources
         UNION SELECT project_id FROM feature_services ORDER BY 1",
    )
    .fetch_all(&mut *transaction)
    .await?;
    let mut known: Vec<String> = known;
    if has("projects") {
        known.extend(sqlx::query_scalar::<_, String>("SELECT project_id FROM projects").fetch_all(&mut *transaction).await?);
    }
    known.sort();
    known.dedup();
    let project = chosen(&known, project, place).map_err(Trouble::Ours)?;
    let mut objects = Objects::default();
    for table in TABLES.iter().filter(|table| has(table.name)) {
        // Names of tables and columns are ours, of the list below.
        let statement = format!("SELECT {}, {} FROM {} WHERE project_id = ?1 ORDER BY 1", table.key, table.message, table.name);
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(&project).fetch_all(&mut *transaction).await?;
        for row in rows {
            let (name, bytes): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
            if let Err(error) = (table.take)(&mut objects.registry, &name, &bytes) {
                let what = format!("{} '{}' can't be decoded", table.word, name.escape_debug());
                let error =
                    Error::corrupt(what).why(error).remedy("run `feast apply` again; MySQL tables of old versions cut messages at 64 KiB");
                objects.broken.push(Broken { native_id: format!("{}/{name}", table.word), name, error });
            }
        }
    }
    transaction.rollback().await?;
    Ok((project, objects))
}

/// Takes a message into a registry; the error says why it can't be.
type Take = fn(&mut Registry, &str, &[u8]) -> std::result::Result<(), String>;

struct Table {
    name: &'static str,
    key: &'static str,
    message: &'static str,
    word: &'static str,
    take: Take,
}

const TABLES: [Table; 8] = [
    Table {
        name: "entities",
        key: "entity_name",
        message: "entity_proto",
        word: "entity",
        take: |registry, name, bytes| {
            registry.entities.push(decoded(bytes, name, |entity: &Entity| Some((&entity.spec.as_ref()?.name, entity.meta.is_some())))?);
            Ok(())
        },
    },
    Table {
        name: "feature_views",
        key: "feature_view_name",
        message: "feature_view_proto",
        word: "view",
        take: |registry, name, bytes| {
            registry.feature_views.push(decoded(bytes, name, |view: &FeatureView| Some((&view.spec.as_ref()?.name, view.meta.is_some())))?);
            Ok(())
        },
    },
    Table {
        name: "stream_feature_views",
        key: "feature_view_name",
        message: "feature_view_proto",
        word: "view",
        take: |registry, name, bytes| {
            let view = decoded(bytes, name, |view: &StreamFeatureView| Some((&view.spec.as_ref()?.name, view.meta.is_some())))?;
            registry.stream_feature_views.push(view);
            Ok(())
        },
    },
    Table {
        name: "on_demand_feature_views",
        key: "feature_view_name",
        message: "feature_view_proto",
        word: "view",
        take: |registry, name, bytes| {
            let view = decoded(bytes, name, |view: &OnDemandFeatureView| Some((&view.spec.as_ref()?.name, view.meta.is_some())))?;
            registry.on_demand_feature_views.push(view);
            Ok(())
        },
    },
    Table {
        name: "label_views",
        key: "feature_view_name",
        message: "feature_view_proto",
        word: "view",
        take: |registry, name, bytes| {
            registry.label_views.push(decoded(bytes, name, |view: &LabelView| Some((&view.spec.as_ref()?.name, view.meta.is_some())))?);
            Ok(())
        },
    },
    Table {
        name: "feature_services",
        key: "feature_service_name",
        message: "feature_service_proto",
        word: "service",
        take: |registry, name, bytes| {
            let service = decoded(bytes, name, |service: &FeatureService| Some((&service.spec.as_ref()?.name, service.meta.is_some())))?;
            registry.feature_services.push(service);
            Ok(())
        },
    },
    Table {
        name: "data_sources",
        key: "data_source_name",
        message: "data_source_proto",
        word: "source",
        take: |registry, name, bytes| {
            // Its times stand within; older versions have none.
            registry.data_sources.push(decoded(bytes, name, |source: &DataSource| Some((&source.name, true)))?);
            Ok(())
        },
    },
    Table {
        name: "saved_datasets",
        key: "saved_dataset_name",
        message: "saved_dataset_proto",
        word: "dataset",
        take: |registry, name, bytes| {
            let dataset = decoded(bytes, name, |dataset: &SavedDataset| Some((&dataset.spec.as_ref()?.name, dataset.meta.is_some())))?;
            registry.saved_datasets.push(dataset);
            Ok(())
        },
    },
];

/// Decodes a message. Its times are written last: without them it was cut.
fn decoded<M: Message + Default>(
    bytes: &[u8],
    name: &str,
    parts: impl Fn(&M) -> Option<(&String, bool)>,
) -> std::result::Result<M, String> {
    let message = M::decode(bytes).map_err(|error| error.to_string())?;
    match parts(&message) {
        Some((found, true)) if found == name => Ok(message),
        Some((found, true)) => Err(format!("its message is of '{}'", found.escape_debug())),
        Some((_, false)) | None => Err("its message was cut".to_owned()),
    }
}
