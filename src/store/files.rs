//! The files in which a group's history lies, as its log tells of them.

use crate::backend::offline::{Bound, DataFile, TableSnapshot};
use crate::model::{Error, ErrorKind, FeatureGroup, Result};

use super::FeatureStore;

/// A Parquet file of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct FileLine {
    /// Relative to the group's data folder; of an external group its path.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows, if the log says.
    pub rows: Option<u64>,
    /// Earliest and latest event time in microseconds since 1970, if the log says.
    pub event_time: Option<(i64, i64)>,
    /// Least and greatest record identifier, if the log says; long ones are shortened.
    pub identifiers: Option<(String, String)>,
    /// The version of the table that added it, if the last commits say.
    pub version: Option<u64>,
    /// When it was written, in microseconds since 1970.
    pub written: Option<i64>,
}

/// The files of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupFiles {
    /// Version of the table; none where no table is kept.
    pub version: Option<u64>,
    /// The files in the order in which their rows were committed.
    pub files: Vec<FileLine>,
    /// Rows of the outbox, in no file yet.
    pub waiting: u64,
    /// Files that a compaction by hand would merge.
    pub to_compact: usize,
}

impl FeatureStore {
    /// The files of a group's history.
    ///
    /// # Errors
    /// `Invalid` for a group without a history.
    pub async fn files(&self, group: &str) -> Result<GroupFiles> {
        let group = self.group(group).await?;
        if group.offline.is_none() {
            return Err(Error::invalid(format!("'{}' keeps no history", group.name)).why("it has no offline store"));
        }
        if group.is_external() {
            return self.files_in_place(&group).await;
        }
        let waiting = self.inner.online.counts(group.id)?.outbox_rows;
        let snapshot = match self.inner.offline.snapshot(&group).await {
            Ok(snapshot) => snapshot,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(GroupFiles { version: None, files: Vec::new(), waiting, to_compact: 0 });
            }
            Err(error) => return Err(error),
        };
        let added = self.inner.offline.additions(&snapshot).await?;
        let line = |file: &std::sync::Arc<DataFile>| line_of(&snapshot, file, added.get(&file.path).copied());
        Ok(GroupFiles {
            version: Some(snapshot.version()),
            files: snapshot.files().iter().map(line).collect(),
            waiting,
            to_compact: self.files_to_compact(&group).await?,
        })
    }

    async fn files_in_place(&self, group: &FeatureGroup) -> Result<GroupFiles> {
        let external = self.inner.offline.external(group).await?;
        let (identifier, event_time) = (group.schema.identifier().name.as_str(), group.schema.event_time().name.as_str());
        let files = external.files().iter().map(|file| {
            let bounds = file.statistics.columns.get(identifier);
            FileLine {
                name: file.path.display().to_string(),
                bytes: file.object.size,
                rows: Some(file.statistics.rows),
                event_time: file.micros(event_time),
                identifiers: bounds.and_then(|bounds| Some((told(bounds.min.as_ref()?), told(bounds.max.as_ref()?)))),
                version: None,
                written: Some(file.object.last_modified.timestamp_micros()),
            }
        });
        Ok(GroupFiles { version: None, files: files.collect(), waiting: 0, to_compact: 0 })
    }
}

fn line_of(snapshot: &TableSnapshot, file: &DataFile, version: Option<u64>) -> FileLine {
    FileLine {
        name: file.path.clone(),
        bytes: file.size,
        rows: file.rows(),
        event_time: file.event_time(),
        identifiers: snapshot.identifier_range(file).map(|(least, greatest)| (told(&least), told(&greatest))),
        version,
        written: file.committed().checked_mul(1_000),
    }
}

fn told(bound: &Bound) -> String {
    match bound {
        Bound::Int(value) => value.to_string(),
        Bound::Float(value) => value.to_string(),
        Bound::Text(text) => text.clone(),
        Bound::Bool(value) => value.to_string(),
        Bound::Micros(micros) => {
            crate::model::EventTime::from_unix_micros(*micros).map_or_else(|| micros.to_string(), |time| time.to_iso8601())
        }
    }
}
