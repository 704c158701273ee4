//! How the operators of this crate travel, in protobuf like the engine's own.
//!
//! A snapshot travels as what it is: the group as it was defined, the names of the files with the bounds that pruning needs,
//! the rows that were in no file. Machines of one cluster run one version of this program, so tags may change between versions.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::datasource::listing::PartitionedFile;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use prost::Message;

use crate::backend::offline::bounds::{Bound, ColumnBounds, FileStatistics};
use crate::backend::offline::columns::{EVENT_TIME, WRITE_TIME};
use crate::dataset::point_in_time::{JoinFeature, JoinGroup};
use crate::dataset::scan::{GroupScan, ScanFile};
use crate::model::{Error, EventTime, FeatureGroup, Result};

/// One of our operators; its inputs travel beside it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorMessage {
    #[prost(oneof = "Operator", tags = "1, 2, 3, 4")]
    pub(super) operator: Option<Operator>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Operator {
    #[prost(message, tag = "1")]
    PointInTime(PointInTimeMessage),
    #[prost(message, tag = "2")]
    WholeLatest(WholeLatestMessage),
    #[prost(message, tag = "3")]
    Numbered(NumberedMessage),
    #[prost(message, tag = "4")]
    RowWriter(RowWriterMessage),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RowWriterMessage {
    /// Where the folder lies among the objects of the store.
    #[prost(string, tag = "1")]
    pub(super) folder: String,
    #[prost(uint64, tag = "2")]
    pub(super) block_rows: u64,
    #[prost(uint64, optional, tag = "3")]
    pub(super) number: Option<u64>,
    #[prost(uint64, tag = "4")]
    pub(super) counts: u64,
    #[prost(bool, tag = "5")]
    pub(super) is_one: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NumberedMessage {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WholeLatestMessage {
    #[prost(message, required, tag = "1")]
    pub(super) scan: SnapshotMessage,
    #[prost(uint64, repeated, tag = "2")]
    pub(super) wanted: Vec<u64>,
    #[prost(int64, optional, tag = "3")]
    pub(super) oldest: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PointInTimeMessage {
    /// The spine's columns: an Arrow stream without rows.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) spine: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(super) time: u64,
    #[prost(message, repeated, tag = "3")]
    pub(super) groups: Vec<UseMessage>,
    #[prost(bool, tag = "4")]
    pub(super) known_then: bool,
    #[prost(bool, tag = "5")]
    pub(super) by_identifier: bool,
    #[prost(bool, tag = "6")]
    pub(super) counts: bool,
}

/// One use of a group.
#[derive(Clone, PartialEq, Message)]
pub(super) struct UseMessage {
    #[prost(message, required, tag = "1")]
    scan: SnapshotMessage,
    #[prost(uint64, tag = "2")]
    spine_id: u64,
    /// Names of features, each followed by that of its column.
    #[prost(string, repeated, tag = "3")]
    features: Vec<String>,
    #[prost(string, optional, tag = "4")]
    ttl: Option<String>,
    #[prost(int64, optional, tag = "5")]
    as_of: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SnapshotMessage {
    /// The definition, in JSON as beside the data.
    #[prost(bytes = "vec", tag = "1")]
    group: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    files: Vec<FileMessage>,
    /// Rows that were in no file: an Arrow stream, whose schema is that of the files.
    #[prost(bytes = "vec", tag = "3")]
    unflushed: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct FileMessage {
    #[prost(string, tag = "1")]
    location: String,
    #[prost(uint64, tag = "2")]
    size: u64,
    /// Microseconds since 1970.
    #[prost(int64, tag = "3")]
    modified: i64,
    #[prost(string, optional, tag = "4")]
    e_tag: Option<String>,
    /// None if nothing is known of its rows.
    #[prost(uint64, optional, tag = "5")]
    rows: Option<u64>,
    #[prost(message, repeated, tag = "6")]
    columns: Vec<ColumnMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ColumnMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    min: Option<BoundMessage>,
    #[prost(message, optional, tag = "3")]
    max: Option<BoundMessage>,
    #[prost(uint64, optional, tag = "4")]
    nulls: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct BoundMessage {
    #[prost(oneof = "BoundValue", tags = "1, 2, 3, 4, 5")]
    value: Option<BoundValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum BoundValue {
    #[prost(sint64, tag = "1")]
    Int(i64),
    #[prost(double, tag = "2")]
    Float(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
    #[prost(sint64, tag = "5")]
    Micros(i64),
}

impl From<&Bound> for BoundMessage {
    fn from(bound: &Bound) -> Self {
        let value = match bound {
            Bound::Int(value) => BoundValue::Int(*value),
            Bound::Float(value) => BoundValue::Float(*value),
            Bound::Text(text) => BoundValue::Text(text.clone()),
            Bound::Bool(value) => BoundValue::Bool(*value),
            Bound::Micros(micros) => BoundValue::Micros(*micros),
        };
        Self { value: Some(value) }
    }
}

impl BoundMessage {
    fn bound(self) -> Option<Bound> {
        Some(match self.value? {
            BoundValue::Int(value) => Bound::Int(value),
            BoundValue::Float(value) => Bound::Float(value),
            BoundValue::Text(text) => Bound::Text(text),
            BoundValue::Bool(value) => Bound::Bool(value),
            BoundValue::Micros(micros) => Bound::Micros(micros),
        })
    }
}

impl SnapshotMessage {
    /// A snapshot, with the bounds of the columns that a join or a choice of the newest prunes by.
    pub(super) fn of(scan: &GroupScan) -> Result<Self> {
        let schema = &scan.group.schema;
        let pruned = [schema.identifier().name.as_str(), schema.event_time().name.as_str(), WRITE_TIME, EVENT_TIME];
        let group = serde_json::to_vec(&scan.group).map_err(|error| Error::internal("can't encode a definition").source(error))?;
        let files = scan.files.iter().map(|file| FileMessage::of(file, &pruned)).collect();
        Ok(Self { group, files, unflushed: rows_to_stream(&scan.unflushed)? })
    }

    /// The group it is of.
    pub(super) fn group(&self) -> Result<FeatureGroup> {
        serde_json::from_slice(&self.group).map_err(|error| unreadable("a definition", error))
    }

    /// The snapshot of that group, whose files lie there.
    pub(super) fn scan(self, group: FeatureGroup, store: Arc<dyn ObjectStore>) -> Result<GroupScan> {
        let unflushed = stream_to_rows(&self.unflushed)?;
        let files = self.files.into_iter().map(FileMessage::file).collect::<Result<_>>()?;
        Ok(GroupScan { group, schema: unflushed.schema(), store, files, unflushed })
    }
}

impl FileMessage {
    fn of(file: &ScanFile, pruned: &[&str]) -> Self {
        let ObjectMeta { location, size, last_modified, e_tag, .. } = file.object();
        let known = file.statistics();
        let columns = known.into_iter().flat_map(|known| &known.columns).filter(|(name, _)| pruned.contains(&name.as_str()));
        Self {
            location: location.to_string(),
            size: *size,
            modified: last_modified.timestamp_micros(),
            e_tag: e_tag.clone(),
            rows: known.map(|known| known.rows),
            columns: columns
                .map(|(name, bounds)| ColumnMessage {
                    name: name.clone(),
                    min: bounds.min.as_ref().map(BoundMessage::from),
                    max: bounds.max.as_ref().map(BoundMessage::from),
                    nulls: bounds.nulls,
                })
                .collect(),
        }
    }

    fn file(self) -> Result<ScanFile> {
        let location = Path::parse(&self.location).map_err(|error| unreadable("the name of a file", error))?;
        let mut object = PartitionedFile::new("", self.size).object_meta;
        if let Ok(modified) = jiff::Timestamp::from_microsecond(self.modified) {
            object.last_modified = std::time::SystemTime::from(modified).into();
        }
        let column = |column: ColumnMessage| {
            let min = column.min.and_then(BoundMessage::bound);
            let max = column.max.and_then(BoundMessage::bound);
            (column.name, ColumnBounds { min, max, nulls: column.nulls })
        };
        let columns: BTreeMap<String, ColumnBounds> = self.columns.into_iter().map(column).collect();
        let object = ObjectMeta { location, e_tag: self.e_tag, ..object };
        Ok(ScanFile::new(object, self.rows.map(|rows| FileStatistics { rows, columns })))
    }
}

impl UseMessage {
    pub(super) fn of(group: &JoinGroup) -> Result<Self> {
        Ok(Self {
            scan: SnapshotMessage::of(&group.scan)?,
            spine_id: group.spine_id as u64,
            features: group.features.iter().flat_map(|feature| [feature.feature.clone(), feature.column.clone()]).collect(),
            ttl: group.ttl.map(|ttl| ttl.to_string()),
            as_of: group.as_of.map(EventTime::unix_micros),
        })
    }

    /// The use of the group; `store` tells where the files of a group lie.
    pub(super) fn group(self, store: impl Fn(&FeatureGroup) -> Result<Arc<dyn ObjectStore>>) -> Result<JoinGroup> {
        let group = self.scan.group()?;
        let store = store(&group)?;
        let feature = |pair: &[String]| match pair {
            [feature, column] => Some(JoinFeature { feature: feature.clone(), column: column.clone() }),
            _ => None,
        };
        Ok(JoinGroup {
            scan: self.scan.scan(group, store)?,
            spine_id: self.spine_id as usize,
            features: self.features.chunks(2).filter_map(feature).collect(),
            ttl: self.ttl.map(|ttl| ttl.parse()).transpose()?,
            as_of: self.as_of.and_then(EventTime::from_unix_micros),
        })
    }
}

fn unreadable(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("{what} in a plan can't be read")).source(error).remedy("run one version of larder on all machines of a cluster")
}

/// Rows as an Arrow stream, which tells their columns even where there are none.
pub(super) fn rows_to_stream(rows: &RecordBatch) -> Result<Vec<u8>> {
    let write = || {
        let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema())?;
        if rows.num_rows() > 0 {
            writer.write(rows)?;
        }
        writer.into_inner()
    };
    write().map_err(|error: ArrowError| Error::internal("rows can't be sent").source(error))
}

/// The rows of such a stream.
pub(super) fn stream_to_rows(stream: &[u8]) -> Result<RecordBatch> {
    let read = || {
        let reader = StreamReader::try_new(Cursor::new(stream), None)?;
        let schema: SchemaRef = reader.schema();
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>()?;
        concat_batches(&schema, &batches)
    };
    read().map_err(|error: ArrowError| unreadable("rows", error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bounds_come_back_as_they_were_to_the_last_bit() {
        for bound in [
            Bound::Int(i64::MIN),
            Bound::Float(0.1 + 0.2),
            Bound::Float(-0.0),
            Bound::Text("ä\u{10ffff}".into()),
            Bound::Bool(false),
            Bound::Micros(-1),
        ] {
            let bytes = BoundMessage::from(&bound).encode_to_vec();
            let back = BoundMessage::decode(bytes.as_slice()).unwrap().bound().unwrap();
            assert_eq!(format!("{back:?}"), format!("{bound:?}"));
        }
    }

    #[test]
    fn a_file_comes_back_with_what_pruning_needs() {
        let object =
            ObjectMeta { location: Path::from("a b/ä.parquet"), e_tag: Some("7".into()), ..PartitionedFile::new("", 12).object_meta };
        let bounds = ColumnBounds { min: Some(Bound::Text("a".into())), max: None, nulls: Some(3) };
        let columns = BTreeMap::from([("id".to_owned(), bounds.clone()), ("other".to_owned(), ColumnBounds::default())]);
        let file = ScanFile::new(object, Some(FileStatistics { rows: 9, columns }));
        let back = FileMessage::decode(FileMessage::of(&file, &["id"]).encode_to_vec().as_slice()).unwrap().file().unwrap();
        assert_eq!(back.object(), file.object());
        assert_eq!(back.statistics().unwrap(), &FileStatistics { rows: 9, columns: BTreeMap::from([("id".to_owned(), bounds)]) });
    }
}
