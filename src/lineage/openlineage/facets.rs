//! The facets that we write, each with the version of its schema.

use serde_json::{Map, Value, json};

use super::event::producer;

/// A facet with what every facet needs.
fn facet(schema: &str, members: Value) -> Value {
    let mut facet = Map::new();
    facet.insert("_producer".to_owned(), producer().into());
    facet.insert("_schemaURL".to_owned(), format!("https://openlineage.io/spec/facets/{schema}").into());
    if let Value::Object(members) = members {
        facet.extend(members);
    }
    Value::Object(facet)
}

/// `schema`: name, type and description of each field.
pub fn schema<'a>(fields: impl IntoIterator<Item = (&'a str, String, Option<&'a str>)>) -> Value {
    let field = |(name, type_text, description): (&str, String, Option<&str>)| {
        let mut field = json!({"name": name, "type": type_text});
        if let (Some(description), Some(members)) = (description, field.as_object_mut()) {
            members.insert("description".to_owned(), description.into());
        }
        field
    };
    let fields: Vec<Value> = fields.into_iter().map(field).collect();
    facet("1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet", json!({ "fields": fields }))
}

/// Where values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputField {
    /// Namespace and name of the dataset.
    pub dataset: (String, String),
    /// Its field.
    pub field: String,
    /// DIRECT or INDIRECT.
    pub direct: bool,
    /// IDENTITY, JOIN, …; empty if nobody said.
    pub subtype: String,
}

impl InputField {
    fn to_json(&self) -> Value {
        let mut transformation = json!({"type": if self.direct { "DIRECT" } else { "INDIRECT" }, "masking": false});
        if let (false, Some(members)) = (self.subtype.is_empty(), transformation.as_object_mut()) {
            members.insert("subtype".to_owned(), self.subtype.clone().into());
        }
        json!({"namespace": self.dataset.0, "name": self.dataset.1, "field": self.field, "transformations": [transformation]})
    }
}

/// `columnLineage`: of each output column its inputs, and the inputs that bear on all of them.
pub fn column_lineage(columns: &[(String, Vec<InputField>)], whole: &[InputField]) -> Value {
    let fields: Map<String, Value> = columns
        .iter()
        .map(|(name, inputs)| (name.clone(), json!({"inputFields": inputs.iter().map(InputField::to_json).collect::<Vec<_>>()})))
        .collect();
    let whole: Vec<Value> = whole.iter().map(InputField::to_json).collect();
    let mut members = json!({ "fields": fields });
    if let (false, Some(object)) = (whole.is_empty(), members.as_object_mut()) {
        object.insert("dataset".to_owned(), whole.into());
    }
    facet("1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet", members)
}

/// `version`.
pub fn version(version: &str) -> Value {
    facet("1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet", json!({ "datasetVersion": version }))
}

/// `symlinks`: other names of the same thing.
pub fn symlinks(identifiers: &[(String, String, &str)]) -> Value {
    let identifiers: Vec<Value> =
        identifiers.iter().map(|(namespace, name, kind)| json!({"namespace": namespace, "name": name, "type": kind})).collect();
    facet("1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet", json!({ "identifiers": identifiers }))
}

/// `documentation` of a dataset.
pub fn documentation(description: &str) -> Value {
    facet("1-1-0/DocumentationDatasetFacet.json#/$defs/DocumentationDatasetFacet", json!({ "description": description }))
}

/// `ownership` of a dataset.
pub fn ownership(owner: &str) -> Value {
    facet("1-0-1/OwnershipDatasetFacet.json#/$defs/OwnershipDatasetFacet", json!({ "owners": [{"name": owner, "type": "OWNER"}] }))
}

/// `outputStatistics`.
pub fn output_statistics(rows: u64, bytes: Option<u64>, files: Option<u64>) -> Value {
    let mut members = json!({ "rowCount": rows });
    if let Some(object) = members.as_object_mut() {
        object.extend(bytes.map(|bytes| ("size".to_owned(), bytes.into())));
        object.extend(files.map(|files| ("fileCount".to_owned(), files.into())));
    }
    facet("1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet", members)
}

/// `inputStatistics`: bytes of what was read.
pub fn input_statistics(bytes: u64) -> Value {
    facet("1-0-0/InputStatisticsInputDatasetFacet.json#/$defs/InputStatisticsInputDatasetFacet", json!({"size": bytes, "fileCount": 1}))
}

/// `processing_engine`.
pub fn processing_engine() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    facet("1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet", json!({"version": version, "name": "larder"}))
}

/// `errorMessage`.
pub fn error_message(message: &str) -> Value {
    let members = json!({"message": message, "programmingLanguage": "RUST"});
    facet("1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet", members)
}

/// `jobType`.
pub fn job_type(kind: &str) -> Value {
    let members = json!({"processingType": "BATCH", "integration": "LARDER", "jobType": kind});
    facet("2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", members)
}

/// `sql`.
pub fn sql(query: &str) -> Value {
    facet("1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet", json!({ "query": query }))
}
