//! The rest of Feast's messages: where data lies. See [`super::proto`].

use std::collections::BTreeMap;

use prost::Message;
use serde::Deserialize;

use super::json;
use super::proto::Feature;

type Texts = BTreeMap<String, String>;

/// `feast.core.SavedDatasetStorage`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SavedDatasetStorage {
    #[prost(message, optional, tag = "4")]
    pub(crate) file_storage: Option<FileOptions>,
}

/// `feast.core.DataSource`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DataSource {
    #[prost(int32, tag = "1")]
    #[serde(rename = "type", deserialize_with = "json::source_type")]
    pub(crate) source_type: i32,
    /// From column to feature.
    #[prost(btree_map = "string, string", tag = "2")]
    pub(crate) field_mapping: Texts,
    #[prost(string, tag = "3")]
    pub(crate) timestamp_field: String,
    #[prost(message, optional, tag = "11")]
    pub(crate) file_options: Option<FileOptions>,
    #[prost(message, optional, tag = "12")]
    pub(crate) bigquery_options: Option<TableOptions>,
    #[prost(message, optional, tag = "13")]
    pub(crate) kafka_options: Option<KafkaOptions>,
    #[prost(message, optional, tag = "14")]
    pub(crate) kinesis_options: Option<KinesisOptions>,
    #[prost(message, optional, tag = "15")]
    pub(crate) redshift_options: Option<SchemaTableOptions>,
    #[prost(message, optional, tag = "18")]
    pub(crate) request_data_options: Option<RequestDataOptions>,
    #[prost(message, optional, tag = "19")]
    pub(crate) snowflake_options: Option<SchemaTableOptions>,
    #[prost(string, tag = "20")]
    pub(crate) name: String,
    #[prost(string, tag = "21")]
    pub(crate) project: String,
    #[prost(string, tag = "23")]
    pub(crate) description: String,
    #[prost(btree_map = "string, string", tag = "24")]
    pub(crate) tags: Texts,
    #[prost(string, tag = "25")]
    pub(crate) owner: String,
    #[prost(message, optional, boxed, tag = "26")]
    pub(crate) batch_source: Option<Box<DataSource>>,
    #[prost(message, optional, tag = "27")]
    pub(crate) spark_options: Option<SparkOptions>,
    #[prost(message, optional, tag = "30")]
    pub(crate) trino_options: Option<TableOptions>,
    #[prost(message, optional, tag = "35")]
    pub(crate) athena_options: Option<AthenaOptions>,
    #[prost(message, optional, tag = "50")]
    pub(crate) meta: Option<SourceMeta>,
}

/// `feast.core.DataSource.SourceMeta`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SourceMeta {
    #[prost(message, optional, tag = "3")]
    pub(crate) created_timestamp: Option<Timestamp>,
    #[prost(message, optional, tag = "4")]
    pub(crate) last_updated_timestamp: Option<Timestamp>,
}

/// `feast.core.DataSource.FileOptions`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FileOptions {
    #[prost(string, tag = "2")]
    pub(crate) uri: String,
}

/// Options of BigQuery and Trino.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TableOptions {
    #[prost(string, tag = "1")]
    pub(crate) table: String,
}

/// Options of Redshift and Snowflake.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SchemaTableOptions {
    #[prost(string, tag = "1")]
    pub(crate) table: String,
    #[prost(string, tag = "3")]
    pub(crate) schema: String,
    #[prost(string, tag = "4")]
    pub(crate) database: String,
}

/// `feast.core.DataSource.AthenaOptions`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AthenaOptions {
    #[prost(string, tag = "1")]
    pub(crate) table: String,
    #[prost(string, tag = "3")]
    pub(crate) database: String,
}

/// `feast.core.DataSource.SparkOptions`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SparkOptions {
    #[prost(string, tag = "1")]
    pub(crate) table: String,
    #[prost(string, tag = "3")]
    pub(crate) path: String,
}

/// `feast.core.DataSource.KafkaOptions`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct KafkaOptions {
    #[prost(string, tag = "1")]
    pub(crate) kafka_bootstrap_servers: String,
    #[prost(string, tag = "2")]
    pub(crate) topic: String,
}

/// `feast.core.DataSource.KinesisOptions`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct KinesisOptions {
    #[prost(string, tag = "1")]
    pub(crate) region: String,
    #[prost(string, tag = "2")]
    pub(crate) stream_name: String,
}

/// `feast.core.DataSource.RequestDataOptions`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RequestDataOptions {
    #[prost(message, repeated, tag = "3")]
    pub(crate) schema: Vec<Feature>,
}

/// `google.protobuf.Timestamp`
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

/// `google.protobuf.Duration`
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Duration {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}
