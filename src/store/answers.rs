//! Answers to statements as files in a folder of the store, written here or by the workers of a cluster.
//!
//! Unlike a training dataset an answer is not recorded: whoever asked is told where it lies, and its manifest tells everybody else
//! what was asked. Nothing ever removes it but its owner.

use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use serde::Serialize;
use uuid::Uuid;

use super::FeatureStore;
use super::cluster::ClusterOptions;
use super::new_folder::{NewFolder, RowKind};
use crate::dataset::OutputFormat;
use crate::dataset::row_files::{RowFile, RowFilesWriter, RowFolder};
use crate::model::{DatasetName, Error, EventTime, Result};

/// Version of the manifest's format.
const VERSION: u64 = 1;

/// An answer that lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Where its files lie: a folder of this machine, or a URL.
    pub path: String,
    /// The files: in the order of their names they hold the rows in order, if the statement asks for one.
    pub files: Vec<RowFile>,
}

impl StoredAnswer {
    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// What lies beside the files.
#[derive(Serialize)]
struct AnswerManifest<'a> {
    manifest_version: u64,
    statement: &'a str,
    created: EventTime,
    rows: u64,
    bytes: u64,
    files: Vec<AnswerFile<'a>>,
}

#[derive(Serialize)]
struct AnswerFile<'a> {
    name: &'a str,
    rows: u64,
    bytes: u64,
}

impl FeatureStore {
    /// Runs a statement and keeps its answer as Parquet files in a new folder of the store, below this name; on a cluster the
    /// workers write them. An answer without rows has one file without rows, which tells its columns.
    ///
    /// # Errors
    /// As [`Self::query`] and [`Self::query_on`]; `ReadOnly`; `Usage` for another format than Parquet. Nothing is left then.
    pub async fn query_into(
        &self,
        cluster: Option<&ClusterOptions>,
        sql: &str,
        name: &DatasetName,
        format: OutputFormat,
    ) -> Result<StoredAnswer> {
        let mut new = NewFolder::create(self, RowKind::Answer, name, Uuid::now_v7(), format).await?;
        let filled = async {
            let (schema, mut files) = match cluster {
                Some(cluster) => super::cluster::query_into(self, cluster, sql, (&new.folder, self.inner.block_rows)).await?,
                None => self.answer_here(sql, &new.folder).await?,
            };
            if files.is_empty() {
                files.push(new.folder.file(&schema, 0, false)?.finish().await?);
            }
            Ok(StoredAnswer { path: new.close(&files).await?, files })
        };
        let filled = filled.await;
        let answer: StoredAnswer = new.unless_failed(filled).await?;
        let mut new = new.describe(self.answer_manifest(sql, &answer)?).await?;
        new.keep();
        Ok(answer)
    }

    async fn answer_here(&self, sql: &str, folder: &RowFolder) -> Result<(SchemaRef, Vec<RowFile>)> {
        let mut rows = self.query(sql, None).await?;
        let schema = rows.schema();
        let mut writer = RowFilesWriter::new(folder.clone(), schema.clone(), self.inner.block_rows, false);
        while let Some(batch) = rows.next().await {
            writer.add(&batch?).await?;
        }
        Ok((schema, writer.finish().await?))
    }

    fn answer_manifest(&self, sql: &str, answer: &StoredAnswer) -> Result<String> {
        let manifest = AnswerManifest {
            manifest_version: VERSION,
            statement: sql,
            created: EventTime::from_unix_micros(self.now().unix_micros()).unwrap_or(EventTime::MAX),
            rows: answer.rows(),
            bytes: answer.bytes(),
            files: answer.files.iter().map(|file| AnswerFile { name: &file.name, rows: file.rows, bytes: file.bytes }).collect(),
        };
        serde_json::to_string_pretty(&manifest)
            .map(|text| text + "\n")
            .map_err(|error| Error::internal("can't encode the manifest of an answer").source(error))
    }
}
