//! The manifest of a training dataset: everything that is needed to say what it is, and to build it again.
//!
//! A JSON object with `manifest_version` first. It lies in the store (`datasets/<name>/<version>.json`, from which a lost
//! catalog is filled again), beside the file it describes (`<file>.manifest.json`, so that the file can travel), and in the
//! catalog. Fields may be added, with a default, and never change their meaning; a greater version is refused.
//!
//! What a request left open (all features of a group, the group's own ttl) is written down as it was decided, so that
//! building again means the same although groups have changed since: see [`Manifest::pinned_request`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::plan::{ColumnOrigin, DatasetInput, DatasetPlan};
use crate::catalog::{ColumnSource, DatasetColumn, DatasetId, DatasetRow, RunId};
use crate::dataset::request::{DatasetRequest, FeatureSelection, SelectedFeature, TtlOverride};
use crate::model::{DatasetName, Error, ErrorKind, EventTime, FeatureGroup, GroupId, Result, Ttl};

/// Version of the format. Readers refuse a greater one.
const VERSION: u64 = 1;

/// What stands behind the name of a file that a manifest describes.
pub(super) const SIDECAR: &str = ".manifest.json";

/// Most files of one external group that are listed one by one; beyond it they are told from others as a whole only.
pub(super) const MAX_LISTED: usize = 1_000;

/// What a training dataset is and how it came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Identity of the dataset.
    pub id: Uuid,
    /// What it is called.
    pub name: DatasetName,
    /// Which of its name; none if the store could not be written, so that it was not recorded there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was built.
    pub created: EventTime,
    /// How long that took.
    pub seconds: f64,
    /// The larder that built it.
    pub larder: String,
    /// What was asked for.
    pub request: DatasetRequest,
    /// The files the spine was read from; empty for SQL.
    #[serde(default)]
    pub spine_files: Vec<SpineFile>,
    /// What was read of which group, in the order of the request.
    pub inputs: Vec<ManifestInput>,
    /// Its columns, in order.
    pub columns: Vec<ManifestColumn>,
    /// Number of rows.
    pub rows: u64,
    /// Hash of its rows: see [`crate::dataset::content_hash`].
    pub content_hash: String,
    /// Where it was written to.
    pub output: ManifestOutput,
}

/// A file of the spine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpineFile {
    /// Where it lies; `stdin` for standard input.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Hash of its bytes; none for standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// What was read of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestInput {
    /// Name of the group.
    pub group: String,
    /// Identity of that group.
    pub id: GroupId,
    /// When that group was made.
    pub created: EventTime,
    /// What this use of it is called.
    pub alias: String,
    /// Column of the spine with its identifiers.
    pub spine_id: String,
    /// Its record identifier and event time.
    pub keys: [InputColumn; 2],
    /// The features that were taken, in the order of their columns.
    pub features: Vec<InputColumn>,
    /// The ttl that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
    /// Version of its Delta table; none for an external group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_version: Option<u64>,
    /// Rows that were read from the outbox, in no version of the table yet.
    #[serde(default)]
    pub unflushed: u64,
    /// The newest write time among the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_write: Option<EventTime>,
    /// Of an external group: tells its files from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Of an external group: its files, unless they are very many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ExternalFileNote>,
    /// Rows of the dataset that found a record.
    pub matched: u64,
}

/// A feature that was read, with its type then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputColumn {
    /// Its name in the group.
    pub name: String,
    /// Its type, as `describe` shows it.
    #[serde(rename = "type")]
    pub type_text: String,
    /// Its column in the dataset, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// A file of an external group as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalFileNote {
    /// Where it lies.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it last changed, in microseconds since 1970.
    pub modified: i64,
}

/// A column of the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestColumn {
    /// Its name.
    pub name: String,
    /// Its type, as arrow writes it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Hash of its type and values.
    pub hash: String,
    /// Position among the inputs of the group it comes from; none is the spine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<usize>,
    /// The feature it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
}

/// The file of a dataset, or the folder of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestOutput {
    /// Where it was written: a file, a folder of this machine, or the URL of one in a bucket.
    pub path: String,
    /// In which format: parquet, csv, json or jsonl.
    pub format: String,
    /// Its size, or that of all files.
    pub bytes: u64,
    /// The files of a folder, in the order of their rows; empty for a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<OutputPart>,
}

/// One of several files of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPart {
    /// Its name in the folder.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    manifest_version: u64,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

/// Read first, because a newer version may hold what this program can't read.
#[derive(Deserialize)]
struct Stamp {
    manifest_version: u64,
}

impl Manifest {
    /// The text of a manifest's file.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(&Written { manifest_version: VERSION, manifest: self })
            .map(|text| text + "\n")
            .map_err(|error| Error::internal("can't encode a manifest").source(error))
    }

    /// Reads the text of a manifest's file; `place` is named in errors.
    ///
    /// # Errors
    /// `NewerFormat` for a version this program doesn't know, `Corrupt` for what is no manifest.
    pub fn from_json(text: &str, place: &str) -> Result<Self> {
        let damaged = |error: serde_json::Error| {
            Error::corrupt(format!("'{place}' is not the manifest of a training dataset"))
                .source(error)
                .remedy("name another file, or build it anew")
        };
        let stamp: Stamp = serde_json::from_str(text).map_err(damaged)?;
        if stamp.manifest_version > VERSION {
            return Err(Error::new(ErrorKind::NewerFormat, format!("the manifest '{place}' has version {}", stamp.manifest_version))
                .remedy("upgrade larder: a newer one built this dataset"));
        }
        serde_json::from_str(text).map_err(damaged)
    }

    /// Reads a manifest's file.
    pub fn read(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(format!("can't read '{place}'"), error))?;
        Self::from_json(&text, &place)
    }

    /// `name@version`, or the name alone where it has no version.
    pub fn label(&self) -> String {
        match self.version {
            Some(version) => format!("{}@{version}", self.name),
            None => self.name.to_string(),
        }
    }

    /// Rows that found a record, by alias, in the order of the request.
    pub fn matched(&self) -> Vec<(&str, u64)> {
        let mut matched: Vec<(&str, u64)> = Vec::new();
        for input in &self.inputs {
            if !matched.iter().any(|(alias, _)| *alias == input.alias) {
                matched.push((&input.alias, input.matched));
            }
        }
        matched
    }

    /// The request with everything written out that it left open: features, columns and ttls as they were decided.
    pub fn pinned_request(&self) -> DatasetRequest {
        let selection = |(input, number): (&ManifestInput, usize)| FeatureSelection {
            group: input.group.clone(),
            spine_id: Some(input.spine_id.clone()),
            // A name of its own for each use, so that each has its own ttl.
            alias: Some(pinned_alias(number)),
            features: Some(
                input
                    .features
                    .iter()
                    .map(|feature| SelectedFeature { name: feature.name.clone(), column: feature.column.clone() })
                    .collect(),
            ),
        };
        let ttl = |(input, number): (&ManifestInput, usize)| TtlOverride { group: Some(pinned_alias(number)), ttl: input.ttl };
        DatasetRequest {
            features: self.inputs.iter().zip(0..).map(selection).collect(),
            ttls: self.inputs.iter().zip(0..).map(ttl).collect(),
            ..self.request.clone()
        }
    }

    /// What a use of a group is called that [`Self::pinned_request`] calls something else.
    pub(super) fn alias_of<'a>(&'a self, pinned: &'a str) -> &'a str {
        let mut inputs = self.inputs.iter().zip(0..);
        inputs.find(|(_, number)| pinned_alias(*number) == pinned).map_or(pinned, |(input, _)| &input.alias)
    }

    /// The catalog's row of it.
    pub(super) fn to_row(&self, run: Option<RunId>) -> DatasetRow {
        DatasetRow {
            id: DatasetId(self.id),
            name: self.name.clone(),
            version: self.version.unwrap_or(1),
            created: self.created,
            run,
            path: self.output.path.clone(),
            format: self.output.format.clone(),
            description: self.description.clone(),
            spine: self.request.spine.to_string(),
            rows: self.rows,
            content_hash: self.content_hash.clone(),
            larder_version: self.larder.clone(),
        }
    }

    /// The catalog's rows of its columns.
    pub(super) fn to_columns(&self) -> Vec<DatasetColumn> {
        let column = |column: &ManifestColumn| {
            let input = column.input.and_then(|input| self.inputs.get(input));
            let origin = input.zip(column.feature.clone()).map(|(input, feature)| ColumnSource {
                group: input.id,
                group_name: input.group.clone(),
                feature,
            });
            DatasetColumn { name: column.name.clone(), data_type: column.data_type.clone(), origin }
        };
        self.columns.iter().map(column).collect()
    }

    /// The columns that were carried through from the spine.
    pub(super) fn spine_columns(&self) -> impl Iterator<Item = &ManifestColumn> {
        self.columns.iter().filter(|column| column.input.is_none())
    }
}

/// No group can have this name, so it stands for nothing else.
fn pinned_alias(number: usize) -> String {
    format!("input {number}")
}

/// Where the manifest of a file lies: beside it.
pub fn sidecar(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(SIDECAR);
    PathBuf::from(name)
}

/// What a plan reads, before it has run: inputs without their matches, columns without their hashes.
pub(super) fn of_plan(plan: &DatasetPlan, groups: &BTreeMap<GroupId, FeatureGroup>) -> Result<(Vec<ManifestInput>, Vec<ManifestColumn>)> {
    let inputs = plan.inputs().iter().map(|input| of_input(input, groups)).collect::<Result<_>>()?;
    let column = |(field, origin): (&arrow::datatypes::FieldRef, &ColumnOrigin)| {
        let (input, feature) = match origin {
            ColumnOrigin::Spine => (None, None),
            ColumnOrigin::Feature { input, feature } => (Some(*input), Some(feature.clone())),
        };
        ManifestColumn { name: field.name().clone(), data_type: field.data_type().to_string(), hash: String::new(), input, feature }
    };
    let columns = plan.schema().fields().iter().zip(plan.origins()).map(column).collect();
    Ok((inputs, columns))
}

fn of_input(input: &DatasetInput, groups: &BTreeMap<GroupId, FeatureGroup>) -> Result<ManifestInput> {
    let group = groups.get(&input.id).ok_or_else(|| Error::internal(format!("a plan reads '{}', which was not asked for", input.group)))?;
    let key = |feature: &crate::model::FeatureDefinition| InputColumn {
        name: feature.name.to_string(),
        type_text: feature.type_text(),
        column: None,
    };
    let feature = |feature: &super::plan::InputFeature| InputColumn {
        name: feature.name.clone(),
        type_text: feature.type_text.clone(),
        column: Some(feature.column.clone()),
    };
    Ok(ManifestInput {
        group: input.group.clone(),
        id: input.id,
        created: input.created,
        alias: input.alias.clone(),
        spine_id: input.spine_id.clone(),
        keys: [key(group.schema.identifier()), key(group.schema.event_time())],
        features: input.features.iter().map(feature).collect(),
        ttl: input.ttl,
        delta_version: input.version,
        unflushed: input.unflushed,
        newest_write: input.newest_write,
        fingerprint: input.fingerprint.clone(),
        files: Vec::new(),
        matched: 0,
    })
}

#[cfg(test)]
pub(super) mod samples {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dataset::request::SpineSource;

    /// A manifest that uses every field.
    pub(in crate::store::datasets) fn manifest() -> Manifest {
        let feature = |name: &str, column: Option<&str>| InputColumn {
            name: name.into(),
            type_text: "String".into(),
            column: column.map(str::to_owned),
        };
        let input = |alias: &str, delta_version: Option<u64>| ManifestInput {
            group: "zip".into(),
            id: GroupId(Uuid::now_v7()),
            created: EventTime::from_unix_seconds(1_600_000_000).unwrap(),
            alias: alias.into(),
            spine_id: "zipcode".into(),
            keys: [feature("zipcode", None), feature("event_timestamp", None)],
            features: vec![feature("city", Some(&format!("{alias}_city")))],
            ttl: delta_version.map(|_| "7d".parse().unwrap()),
            delta_version,
            unflushed: 2,
            newest_write: EventTime::from_unix_micros(1_700_000_000_000_001),
            fingerprint: delta_version.is_none().then(|| "00ff".into()),
            files: vec![ExternalFileNote { path: "/data/zip.parquet".into(), bytes: 7, modified: -1 }],
            matched: 3,
        };
        let column = |name: &str, input: Option<usize>| ManifestColumn {
            name: name.into(),
            data_type: "Utf8".into(),
            hash: "xxh3:1".into(),
            input,
            feature: input.map(|_| "city".into()),
        };
        Manifest {
            id: Uuid::now_v7(),
            name: DatasetName::parse("loans").unwrap(),
            version: Some(2),
            description: Some("for the \"risk\" model".into()),
            created: EventTime::from_unix_micros(1_700_000_000_000_001).unwrap(),
            seconds: 0.25,
            larder: "0.1.0".into(),
            request: DatasetRequest {
                spine: SpineSource::File("/data/loans.parquet".into()),
                spine_id: "zipcode".into(),
                spine_time: "event_timestamp".into(),
                features: vec![FeatureSelection::parse("zip").unwrap(), FeatureSelection::parse("zip as other:city").unwrap()],
                ttls: vec!["other=none".parse().unwrap()],
                as_of: None,
            },
            spine_files: vec![SpineFile { path: "/data/loans.parquet".into(), bytes: 9, hash: Some("xxh3:2".into()) }],
            inputs: vec![input("zip", Some(3)), input("other", None)],
            columns: vec![column("zipcode", None), column("zip_city", Some(0)), column("other_city", Some(1))],
            rows: 4,
            content_hash: "xxh3:3".into(),
            output: ManifestOutput {
                path: "/data/out".into(),
                format: "parquet".into(),
                bytes: 99,
                files: vec![OutputPart { name: "00000-1.parquet".into(), rows: 3, bytes: 99 }],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_manifest_survives_its_file_and_newer_ones_are_refused() {
        let manifest = samples::manifest();
        let text = manifest.to_json().unwrap();
        assert!(text.starts_with("{\n  \"manifest_version\": 1,"), "{text}");
        assert_eq!(Manifest::from_json(&text, "m").unwrap(), manifest);
        let newer = text.replacen("\"manifest_version\": 1", "\"manifest_version\": 2", 1);
        assert_eq!(Manifest::from_json(&newer, "m").unwrap_err().kind(), ErrorKind::NewerFormat);
        for bad in ["", "{}", "[1]", "{\"manifest_version\": 1}"] {
            let error = Manifest::from_json(bad, "m.json").unwrap_err();
            assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("m.json"), "{error}");
        }
    }

    #[test]
    fn what_was_left_open_is_pinned() {
        let manifest = samples::manifest();
        let pinned = manifest.pinned_request();
        assert_eq!(pinned.features[0].features.as_ref().unwrap()[0].column(), "zip_city");
        let ttls: Vec<Option<Ttl>> = pinned.ttls.iter().map(|ttl| ttl.ttl).collect();
        assert_eq!(ttls, [Some("7d".parse().unwrap()), None]);
        let aliases: Vec<&str> = pinned.features.iter().map(FeatureSelection::alias).collect();
        let told: Vec<&str> = pinned.ttls.iter().filter_map(|ttl| ttl.group.as_deref()).collect();
        assert_eq!(aliases, told);
        assert_eq!(pinned.spine, manifest.request.spine);
        let columns = manifest.to_columns();
        assert_eq!(columns[0].origin, None);
        assert_eq!(columns[2].origin.as_ref().map(|origin| origin.group), Some(manifest.inputs[1].id));
    }
}
