//! Where Feast's data sources lie, in the words of OpenLineage where Feast says enough, else by Feast's own names.
//!
//! A file is known to other systems by its path or URL, a BigQuery table by its name, a topic by its broker; those names meet what others say
//! of the same thing. Redshift, Snowflake and the like have accounts and hosts in their names that a registry does not hold: they stay
//! `<project>/<name of the source>`, which is what Feast's own OpenLineage events call them.

use std::path::Path;

use super::super::observed::ObservedNode;
use super::proto::DataSource;
use super::storage::SchemaTableOptions;
use super::translate::{Context, said};
use crate::catalog::NodeKind;
use crate::lineage::names::FILE;

/// Where it lies, as people write it.
pub(super) fn location(source: &DataSource, context: &Context) -> Option<String> {
    if let Some(uri) = uri(source) {
        return Some(absolute(uri, context).unwrap_or_else(|| uri.to_owned()));
    }
    if let Some(kafka) = &source.kafka_options {
        return said(&joined("/", &[&kafka.kafka_bootstrap_servers, &kafka.topic]));
    }
    if let Some(kinesis) = &source.kinesis_options {
        return said(&joined("/", &[&kinesis.region, &kinesis.stream_name]));
    }
    table(source)
}

/// Its table, if it is one.
pub(super) fn table(source: &DataSource) -> Option<String> {
    let in_schema = |options: &SchemaTableOptions| joined(".", &[&options.database, &options.schema, &options.table]);
    let names = [
        source.bigquery_options.as_ref().map(|options| options.table.clone()),
        source.trino_options.as_ref().map(|options| options.table.clone()),
        source.redshift_options.as_ref().map(in_schema),
        source.snowflake_options.as_ref().map(in_schema),
        source.athena_options.as_ref().map(|options| joined(".", &[&options.database, &options.table])),
        source.spark_options.as_ref().map(|options| options.table.clone()),
    ];
    names.into_iter().flatten().find_map(|name| said(&name))
}

/// Its node in lineage.
pub(super) fn node(source: &DataSource, context: &Context) -> ObservedNode {
    let (namespace, name) = outside_name(source, context).unwrap_or_else(|| (context.project.clone(), source.name.clone()));
    ObservedNode::outside(NodeKind::Source, namespace, name)
}

fn outside_name(source: &DataSource, context: &Context) -> Option<(String, String)> {
    if let Some(uri) = uri(source) {
        return of_uri(&absolute(uri, context)?);
    }
    if let Some(options) = &source.bigquery_options
        && options.table.split('.').count() == 3
    {
        return Some(("bigquery".to_owned(), options.table.clone()));
    }
    let kafka = source.kafka_options.as_ref()?;
    let broker = kafka.kafka_bootstrap_servers.split(',').next()?.trim();
    (!broker.is_empty() && !kafka.topic.is_empty()).then(|| (format!("kafka://{broker}"), kafka.topic.clone()))
}

/// Namespace and name of a file.
pub(super) fn of_uri(uri: &str) -> Option<(String, String)> {
    match uri.split_once("://") {
        None => Some((FILE.to_owned(), uri.to_owned())),
        Some(("file", path)) => Some((FILE.to_owned(), path.to_owned())),
        Some((scheme, rest)) => {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            (!bucket.is_empty()).then(|| (format!("{scheme}://{bucket}"), key.trim_end_matches('/').to_owned()))
        }
    }
}

fn uri(source: &DataSource) -> Option<&str> {
    let file = source.file_options.as_ref().map(|options| options.uri.as_str());
    let spark = source.spark_options.as_ref().map(|options| options.path.as_str());
    [file, spark].into_iter().flatten().find(|uri| !uri.is_empty())
}

/// A URL as it is, a path made absolute; none for a relative path whose start is not known.
fn absolute(uri: &str, context: &Context) -> Option<String> {
    if uri.contains("://") || Path::new(uri).is_absolute() {
        return Some(uri.to_owned());
    }
    context.repository.as_ref()?.join(uri.trim_start_matches("./")).to_str().map(str::to_owned)
}

fn joined(separator: &str, parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::feast::storage::{KafkaOptions, TableOptions};

    fn named(name: &str) -> DataSource {
        DataSource { name: name.into(), ..DataSource::default() }
    }

    #[test]
    fn names_meet_those_of_other_systems_where_feast_says_enough() {
        let context = Context { project: "shop".into(), ..Context::default() };
        let of = |source: &DataSource| {
            let node = node(source, &context);
            (node.namespace, node.name)
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let file = |uri: &str| DataSource { file_options: Some(crate::sync::feast::proto::FileOptions { uri: uri.into() }), ..named("f") };
        assert_eq!(of(&file("/data/a.parquet")), pair("file", "/data/a.parquet"));
        assert_eq!(of(&file("s3://lake/x/y/")), pair("s3://lake", "x/y"));
        assert_eq!(of(&file("data/a.parquet")), pair("shop", "f"), "nobody knows where that path starts");
        let query = |table: &str| DataSource { bigquery_options: Some(TableOptions { table: table.into() }), ..named("b") };
        assert_eq!(of(&query("p.d.t")), pair("bigquery", "p.d.t"));
        assert_eq!(of(&query("d.t")), pair("shop", "b"));
        let kafka = KafkaOptions { kafka_bootstrap_servers: "k1:9092,k2:9092".into(), topic: "clicks".into() };
        assert_eq!(of(&DataSource { kafka_options: Some(kafka), ..named("k") }), pair("kafka://k1:9092", "clicks"));
        let snowflake = SchemaTableOptions { table: "T".into(), schema: "S".into(), database: "D".into() };
        let snowflake = DataSource { snowflake_options: Some(snowflake), ..named("s") };
        assert_eq!((of(&snowflake), table(&snowflake).as_deref()), (pair("shop", "s"), Some("D.S.T")));
    }
}
