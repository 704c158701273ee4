//! Training datasets: which were built, under which name and version, and where their columns come from.
//!
//! A name keeps every version that was ever built under it. The number of a new one is given out inside the transaction
//! that inserts it, and what belongs to it outside the catalog (files appearing under their names) happens there as
//! well, as the last thing before the commit: so a dataset is known, numbered and on disk, or nothing of it is.

use std::fmt;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, Sqlite, Transaction};
use uuid::Uuid;

use super::{Catalog, LineageNote, RunCounts, RunId, RunState, from_sql, group_rows, lineage, to_sql};
use crate::model::{DatasetName, Error, ErrorKind, EventTime, GroupId, Result};

/// Identity of a dataset that was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetId(pub Uuid);

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A dataset that was built, without its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetRow {
    /// Its identity.
    pub id: DatasetId,
    /// What it is called.
    pub name: DatasetName,
    /// Which of its name: 1, 2, …
    pub version: u64,
    /// When it was built.
    pub created: EventTime,
    /// The run that built it; runs are forgotten after some time.
    pub run: Option<RunId>,
    /// Where its rows were written.
    pub path: String,
    /// In which format.
    pub format: String,
    /// What it is for.
    pub description: Option<String>,
    /// The spine in words.
    pub spine: String,
    /// Number of rows.
    pub rows: u64,
    /// Hash of its rows.
    pub content_hash: String,
    /// The larder that built it.
    pub larder_version: String,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetColumn {
    /// Its name.
    pub name: String,
    /// Its type, as arrow writes it.
    pub data_type: String,
    /// Where it comes from; none is the spine.
    pub origin: Option<ColumnSource>,
}

/// The feature that a column of a dataset was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSource {
    /// The group, as it was then.
    pub group: GroupId,
    /// Its name then.
    pub group_name: String,
    /// The feature.
    pub feature: String,
}

/// The columns of [`decode`], in its order.
macro_rules! select_datasets {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, version, created, run_id, path, format, description, spine, row_count, content_hash, larder_version
             FROM datasets ",
            $rest
        )
    };
}

impl Catalog {
    /// Inserts a dataset as the next version of its name, ends the run that built it, and returns the version.
    ///
    /// The row's own version is the least it may get. `publish` is called with the version inside the transaction, once
    /// everything else has succeeded, and returns the manifest and what the dataset derives from; if it fails, nothing has changed. If the commit fails
    /// after it, the caller undoes what it did.
    ///
    /// # Errors
    /// `Conflict` if this process holds the run no longer; whatever `publish` answers.
    pub async fn insert_dataset(
        &self,
        dataset: &DatasetRow,
        columns: &[DatasetColumn],
        publish: impl FnOnce(u64) -> Result<(String, LineageNote)>,
    ) -> Result<u64> {
        let what = "note a training dataset";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM datasets WHERE folded_name = ?1")
            .bind(dataset.name.folded())
            .fetch_one(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        let version = (newest.map_or(0, from_sql) + 1).max(dataset.version);
        self.insert_dataset_row(&mut transaction, &DatasetRow { version, ..dataset.clone() }, columns, "{}", what).await?;
        if let Some(run) = dataset.run {
            let counts = RunCounts { rows: dataset.rows, accepted: dataset.rows, rejected: 0 };
            let message = format!("built {}@{version}", dataset.name);
            self.end(&mut transaction, (run, RunState::Done, Some(&message)), counts, dataset.created, what).await?;
        }
        let (manifest, lineage) = publish(version)?;
        sqlx::query("UPDATE datasets SET manifest = ?2 WHERE id = ?1")
            .bind(dataset.id.0.as_bytes().as_slice())
            .bind(manifest)
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        lineage::note_edges(&mut transaction, &lineage, dataset.created).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(version)
    }

    /// Takes in a dataset whose manifest was found on disk; false if its name has that version already.
    pub async fn take_in_dataset(
        &self,
        dataset: &DatasetRow,
        columns: &[DatasetColumn],
        manifest: &str,
        lineage: &LineageNote,
    ) -> Result<bool> {
        let what = "take in a training dataset";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM datasets WHERE (folded_name = ?1 AND version = ?2) OR id = ?3")
            .bind(dataset.name.folded())
            .bind(to_sql(dataset.version))
            .bind(dataset.id.0.as_bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        if known.is_some() {
            return Ok(false);
        }
        self.insert_dataset_row(&mut transaction, dataset, columns, manifest, what).await?;
        lineage::note_edges(&mut transaction, lineage, dataset.created).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(true)
    }

    async fn insert_dataset_row(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        dataset: &DatasetRow,
        columns: &[DatasetColumn],
        manifest: &str,
        what: &str,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO datasets (id, name, folded_name, version, created, run_id, path, format, description, spine, row_count,
                                   content_hash, larder_version, manifest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )
        .bind(dataset.id.0.as_bytes().as_slice())
        .bind(dataset.name.as_str())
        .bind(dataset.name.folded())
        .bind(to_sql(dataset.version))
        .bind(dataset.created.unix_micros())
        .bind(dataset.run.as_ref().map(|run| run.0.as_bytes().as_slice()))
        .bind(&dataset.path)
        .bind(&dataset.format)
        .bind(dataset.description.as_deref())
        .bind(&dataset.spine)
        .bind(to_sql(dataset.rows))
        .bind(&dataset.content_hash)
        .bind(&dataset.larder_version)
        .bind(manifest)
        .execute(&mut **transaction)
        .await
        .map_err(self.fault(what))?;
        insert_columns(transaction, dataset.id, columns).await.map_err(self.fault(what))
    }

    /// Returns the datasets, newest version first, names in order ignoring case.
    pub async fn datasets(&self) -> Result<Vec<DatasetRow>> {
        let what = "read the training datasets";
        let mut reader = self.reader.lock().await;
        let rows =
            sqlx::query(select_datasets!("ORDER BY folded_name, version DESC")).fetch_all(&mut *reader).await.map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Returns the dataset of that name, ignoring case, in a version or the newest.
    pub async fn dataset(&self, name: &str, version: Option<u64>) -> Result<Option<DatasetRow>> {
        let what = "read a training dataset";
        let mut reader = self.reader.lock().await;
        let row = sqlx::query(select_datasets!("WHERE folded_name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version DESC LIMIT 1"))
            .bind(name.to_ascii_lowercase())
            .bind(version.map(to_sql))
            .fetch_optional(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        row.as_ref().map(decode).transpose().map_err(self.fault(what))
    }

    /// Returns the manifest of a dataset.
    pub async fn dataset_manifest(&self, id: DatasetId) -> Result<String> {
        let mut reader = self.reader.lock().await;
        let manifest: Option<String> = sqlx::query_scalar("SELECT manifest FROM datasets WHERE id = ?1")
            .bind(id.0.as_bytes().as_slice())
            .fetch_optional(&mut *reader)
            .await
            .map_err(self.fault("read the manifest of a training dataset"))?;
        manifest.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no training dataset {id}")))
    }

    /// Returns the columns of a dataset, in order.
    pub async fn dataset_columns(&self, id: DatasetId) -> Result<Vec<DatasetColumn>> {
        let what = "read the columns of a training dataset";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT name, data_type, group_id, group_name, feature FROM dataset_columns WHERE dataset_id = ?1 ORDER BY position",
        )
        .bind(id.0.as_bytes().as_slice())
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(decode_column).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Returns the datasets that have features of a group, newest first.
    pub async fn datasets_of_group(&self, group: &GroupId) -> Result<Vec<DatasetRow>> {
        let what = "look for training datasets of a group";
        let mut reader = self.reader.lock().await;
        let rows =
            sqlx::query(select_datasets!("WHERE id IN (SELECT dataset_id FROM dataset_columns WHERE group_id = ?1) ORDER BY id DESC"))
                .bind(group.bytes().as_slice())
                .fetch_all(&mut *reader)
                .await
                .map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }
}

/// One statement for all columns: a dataset may have thousands.
async fn insert_columns(
    connection: &mut SqliteConnection,
    id: DatasetId,
    columns: &[DatasetColumn],
) -> std::result::Result<(), sqlx::Error> {
    let cells: Vec<_> = columns
        .iter()
        .map(|column| {
            let origin = column.origin.as_ref();
            let group = origin.map(|origin| origin.group.0.simple().to_string());
            (&column.name, &column.data_type, group, origin.map(|origin| &origin.group_name), origin.map(|origin| &origin.feature))
        })
        .collect();
    let cells = serde_json::to_string(&cells).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(
        "INSERT INTO dataset_columns (dataset_id, position, name, data_type, group_id, group_name, feature)
         SELECT ?1, key, value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4 FROM json_each(?2)",
    )
    .bind(id.0.as_bytes().as_slice())
    .bind(cells)
    .execute(connection)
    .await?;
    Ok(())
}

fn uuid(bytes: &[u8]) -> std::result::Result<Uuid, sqlx::Error> {
    Uuid::from_slice(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn decode(row: &SqliteRow) -> std::result::Result<DatasetRow, sqlx::Error> {
    Ok(DatasetRow {
        id: DatasetId(uuid(row.try_get(0)?)?),
        name: DatasetName::parse(row.try_get(1)?).map_err(|error| sqlx::Error::Decode(error.into()))?,
        version: from_sql(row.try_get(2)?),
        created: group_rows::instant(row.try_get(3)?)?,
        run: row.try_get::<Option<&[u8]>, _>(4)?.map(uuid).transpose()?.map(RunId),
        path: row.try_get(5)?,
        format: row.try_get(6)?,
        description: row.try_get(7)?,
        spine: row.try_get(8)?,
        rows: from_sql(row.try_get(9)?),
        content_hash: row.try_get(10)?,
        larder_version: row.try_get(11)?,
    })
}

fn decode_column(row: &SqliteRow) -> std::result::Result<DatasetColumn, sqlx::Error> {
    let group = row.try_get::<Option<&[u8]>, _>(2)?.map(uuid).transpose()?.map(GroupId);
    let origin = match (group, row.try_get::<Option<String>, _>(3)?, row.try_get::<Option<String>, _>(4)?) {
        (Some(group), Some(group_name), Some(feature)) => Some(ColumnSource { group, group_name, feature }),
        _ => None,
    };
    Ok(DatasetColumn { name: row.try_get(0)?, data_type: row.try_get(1)?, origin })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::group_rows::samples::{catalog, group};
    use super::*;
    use crate::catalog::{NewRun, RunKind};

    fn at(seconds: i64) -> EventTime {
        EventTime::from_unix_seconds(1_700_000_000 + seconds).unwrap()
    }

    fn dataset(name: &str, run: Option<RunId>) -> DatasetRow {
        DatasetRow {
            id: DatasetId(Uuid::now_v7()),
            name: DatasetName::parse(name).unwrap(),
            version: 1,
            created: at(9),
            run,
            path: "/data/churn.parquet".into(),
            format: "parquet".into(),
            description: Some("who leaves, \"and why\"".into()),
            spine: "labels.parquet".into(),
            rows: 28_638,
            content_hash: "xxh3:00".into(),
            larder_version: "0.1.0".into(),
        }
    }

    fn columns(group: GroupId) -> Vec<DatasetColumn> {
        let origin = ColumnSource { group, group_name: "clicks".into(), feature: "Score".into() };
        vec![
            DatasetColumn { name: "a \"b\"".into(), data_type: "Int64".into(), origin: None },
            DatasetColumn { name: "Score".into(), data_type: "Float64".into(), origin: Some(origin) },
        ]
    }

    #[tokio::test]
    async fn a_name_built_again_gets_its_next_version_and_keeps_the_old_one() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        let run = catalog.start_run(&NewRun { kind: RunKind::Build, group: None, fingerprint: None, started: at(0) }).await.unwrap();
        let first = dataset("churn", Some(run.id));
        let mut asked = 0;
        let publish = |version| {
            asked = version;
            Ok(("{\"n\":1}".to_owned(), LineageNote::default()))
        };
        assert_eq!(catalog.insert_dataset(&first, &columns(clicks.id), publish).await.unwrap(), 1);
        assert_eq!(asked, 1);
        let ended = catalog.run(run.id).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.counts.accepted, ended.finished), (RunState::Done, 28_638, Some(at(9))));

        let second = dataset("Churn", None);
        assert_eq!(catalog.insert_dataset(&second, &[], |_| Ok(("{}".into(), LineageNote::default()))).await.unwrap(), 2);
        let far = DatasetRow { version: 7, ..dataset("CHURN", None) };
        assert_eq!(catalog.insert_dataset(&far, &[], |_| Ok(("{}".into(), LineageNote::default()))).await.unwrap(), 7);
        assert_eq!(catalog.dataset("churn", Some(1)).await.unwrap().unwrap(), first);
        assert_eq!(catalog.dataset("CHURN", None).await.unwrap().unwrap().id, far.id);
        assert_eq!(catalog.dataset("churn", Some(3)).await.unwrap(), None);
        assert_eq!(catalog.dataset_manifest(first.id).await.unwrap(), "{\"n\":1}");
        assert_eq!(catalog.dataset_columns(first.id).await.unwrap(), columns(clicks.id));
        assert_eq!(catalog.datasets().await.unwrap().iter().map(|found| found.version).collect::<Vec<_>>(), [7, 2, 1]);
        assert_eq!(catalog.datasets_of_group(&clicks.id).await.unwrap(), [first]);
        assert!(catalog.datasets_of_group(&GroupId(Uuid::now_v7())).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_published_is_not_known() {
        let (_folder, catalog) = catalog().await;
        let run = catalog.start_run(&NewRun { kind: RunKind::Build, group: None, fingerprint: None, started: at(0) }).await.unwrap();
        let refuse = |_| Err(Error::invalid("no room"));
        let error = catalog.insert_dataset(&dataset("churn", Some(run.id)), &[], refuse).await.unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        assert!(catalog.datasets().await.unwrap().is_empty());
        assert_eq!(catalog.run(run.id).await.unwrap().unwrap().state, RunState::Running);
        let error =
            catalog.insert_dataset(&dataset("churn", None), &[], |_| Ok(("not json".into(), LineageNote::default()))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert!(catalog.datasets().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_manifest_that_was_found_is_taken_in_once() {
        let (_folder, catalog) = catalog().await;
        let found = DatasetRow { version: 3, ..dataset("churn", None) };
        assert!(catalog.take_in_dataset(&found, &columns(GroupId(Uuid::now_v7())), "{}", &LineageNote::default()).await.unwrap());
        assert!(!catalog.take_in_dataset(&found, &[], "{}", &LineageNote::default()).await.unwrap());
        assert!(
            !catalog
                .take_in_dataset(&DatasetRow { id: DatasetId(Uuid::now_v7()), ..found.clone() }, &[], "{}", &LineageNote::default())
                .await
                .unwrap()
        );
        assert_eq!(catalog.datasets().await.unwrap(), [found]);
    }
}
