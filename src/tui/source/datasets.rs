//! Asks the store about training datasets.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::store::datasets::{DatasetSummary, manifest};
use crate::tui::jobs::Voice;
use crate::tui::model::datasets::{Answer, Dataset, Input, Manifest, Question};
use crate::tui::model::remote::ErrorText;

/// What the browser asks.
#[async_trait]
pub(crate) trait DatasetsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_datasets(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl DatasetsSource for FeatureStore {
    async fn answer_datasets(&self, question: Question, _voice: &Voice) -> Answer {
        match question {
            Question::List => {
                let found = self.list_datasets(true).await.map(|found| found.iter().map(dataset).collect());
                Answer::List(found.map_err(|error| ErrorText::from(&error)))
            }
            Question::Manifest(reference) => {
                let found = self.find_dataset(&reference).await.map(|found| told(&found));
                Answer::Manifest(reference, found.map_err(|error| ErrorText::from(&error)))
            }
        }
    }
}

fn dataset(summary: &DatasetSummary) -> Dataset {
    Dataset {
        reference: format!("{}@{}", summary.name, summary.version),
        name: summary.name.to_string(),
        version: summary.version,
        rows: summary.rows,
        built: summary.created.unix_micros(),
        description: summary.description.clone(),
        path: summary.path.clone(),
        hash: summary.content_hash.clone(),
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
    Manifest {
        spine: manifest.spine_files.iter().map(|file| file.path.clone()).collect(),
        inputs: manifest.inputs.iter().map(input).collect(),
        columns: manifest.columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect(),
        seconds: manifest.seconds,
        bytes: manifest.output.bytes,
    }
}
