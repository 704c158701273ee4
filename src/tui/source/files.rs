//! Asks the store in which files a history lies.

use async_trait::async_trait;

use crate::store::{FeatureStore, FileLine, GroupFiles};
use crate::tui::model::files::{Answer, File, Files, Question};
use crate::tui::model::remote::ErrorText;

/// What the browser asks.
#[async_trait]
pub(crate) trait FilesSource: Send + Sync + 'static {
    /// Answers.
    async fn answer_files(&self, question: Question) -> Answer;
}

#[async_trait]
impl FilesSource for FeatureStore {
    async fn answer_files(&self, question: Question) -> Answer {
        let Question::Of(group) = question;
        let found = self.files(&group).await;
        Answer::Of(found.map(files).map_err(|error| ErrorText::from(&error)))
    }
}

fn files(found: GroupFiles) -> Files {
    let file = |(place, line): (usize, FileLine)| File {
        place,
        name: line.name,
        bytes: line.bytes,
        rows: line.rows,
        times: line.event_time,
        identifiers: line.identifiers,
        version: line.version,
        written: line.written,
    };
    Files {
        version: found.version,
        files: found.files.into_iter().enumerate().map(file).collect(),
        waiting: found.waiting,
        to_compact: found.to_compact,
    }
}
