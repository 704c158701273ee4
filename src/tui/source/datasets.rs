//! Asks the store about training datasets: lists, manifests, rows, why a cell is what it is.

use async_trait::async_trait;

use super::explained::explained;
use super::reports::{compared, verified};
use super::rows::stretch;
use super::watched::watched;
use crate::model::Result;
use crate::store::FeatureStore;
use crate::store::datasets::{DatasetSummary, manifest};
use crate::tui::jobs::Voice;
use crate::tui::model::datasets::{Answer, Column, Dataset, Input, Manifest, Question};
use crate::tui::model::grid::Stretch;
use crate::tui::model::remote::ErrorText;
use crate::tui::msg::News;

/// What the browser asks.
#[async_trait]
pub(crate) trait DatasetsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_datasets(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl DatasetsSource for FeatureStore {
    async fn answer_datasets(&self, question: Question, voice: &Voice) -> Answer {
        let reading = |read, of| News::Datasets(Answer::Reading(read, of));
        let text = |error: crate::model::Error| ErrorText::from(&error);
        match question {
            Question::List => {
                let found = self.list_datasets(true).await;
                Answer::List(found.map(|found| found.iter().map(|summary| dataset(summary, Vec::new())).collect()).map_err(text))
            }
            Question::Using { group, feature } => {
                let found = self.datasets_using(&group, feature.as_deref()).await;
                let each = |(summary, columns): (DatasetSummary, Vec<String>)| dataset(&summary, columns);
                Answer::List(found.map(|found| found.into_iter().map(each).collect()).map_err(text))
            }
            Question::Manifest(reference) => {
                let found = self.find_dataset(&reference).await.map(|found| told(&found));
                Answer::Manifest(reference, found.map_err(text))
            }
            Question::Rows { reference, from, limit } => {
                let found = rows(self, &reference, from, limit).await;
                Answer::Rows(reference, found.map_err(text))
            }
            Question::Explain { reference, row, column } => {
                let found = async {
                    let manifest = self.find_dataset(&reference).await?;
                    self.explain_dataset_row(&manifest, row, &column, false).await
                };
                Answer::Explained(found.await.map(|found| explained(&found, &column)).map_err(text))
            }
            Question::Verify(reference) => {
                let work = |watch| async move {
                    let manifest = self.find_dataset(&reference).await?;
                    self.verify_dataset(&manifest, None, &watch).await
                };
                Answer::Report(watched(voice, reading, work).await.map(|found| verified(&found)).map_err(text))
            }
            Question::Compare(one, other) => {
                let work = |watch| async move {
                    let (one, other) = (self.find_dataset(&one).await?, self.find_dataset(&other).await?);
                    self.diff_datasets(&one, &other, None, &watch).await
                };
                Answer::Report(watched(voice, reading, work).await.map(|found| compared(&found)).map_err(text))
            }
        }
    }
}

/// Rows of a dataset with the keys of its spine first.
async fn rows(store: &FeatureStore, reference: &str, from: u64, limit: u64) -> Result<Stretch> {
    let manifest = store.find_dataset(reference).await?;
    let found = store.dataset_rows(&manifest, from, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    let mut keys: Vec<&str> = Vec::new();
    for key in manifest.inputs.iter().map(|input| input.spine_id.as_str()).chain([manifest.request.spine_time.as_str()]) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let is_of_spine = |name: &str| manifest.columns.iter().any(|column| column.name == name && column.feature.is_none());
    stretch(&found, &keys, is_of_spine, from, limit)
}

fn dataset(summary: &DatasetSummary, columns: Vec<String>) -> Dataset {
    Dataset {
        reference: format!("{}@{}", summary.name, summary.version),
        name: summary.name.to_string(),
        version: summary.version,
        rows: summary.rows,
        built: summary.created.unix_micros(),
        description: summary.description.clone(),
        path: summary.path.clone(),
        hash: summary.content_hash.clone(),
        columns,
    }
}

fn told(manifest: &manifest::Manifest) -> Manifest {
    let input = |input: &manifest::ManifestInput| Input {
        name: if input.alias == input.group { input.group.clone() } else { format!("{} as {}", input.group, input.alias) },
        features: input.features.len(),
        matched: input.matched,
        version: input.delta_version,
        ttl: input.ttl.map(|ttl| ttl.to_string()),
    };
    let column = |column: &manifest::ManifestColumn| Column {
        name: column.name.clone(),
        kind: column.data_type.clone(),
        origin: column.input.and_then(|input| Some(format!("{}.{}", manifest.inputs.get(input)?.group, column.feature.as_ref()?))),
    };
    Manifest {
        spine: manifest.spine_files.iter().map(|file| file.path.clone()).collect(),
        inputs: manifest.inputs.iter().map(input).collect(),
        columns: manifest.columns.iter().map(column).collect(),
        seconds: manifest.seconds,
        files: manifest.output.files.len(),
        bytes: manifest.output.bytes,
    }
}
