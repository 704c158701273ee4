//! What is captured without asking: loads and builds, as edges of the catalog and as OpenLineage run events.
//!
//! A build's edges are noted in the transaction that makes the dataset known. A load's are noted once it is done; that they can't be
//! is told in the log and is no failure of the load. The files of our own spool are no source anybody knows.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::catalog::{EdgeKind, EdgeMethod, LineageNote, NewEdge, NodeKey, NodeKind};
use crate::dataset::QueryOptions;
use crate::dataset::column_lineage::{GroupColumn, StatementLineage};
use crate::dataset::request::SpineSource;
use crate::ingest::files::Input;
use crate::lineage::Names;
use crate::lineage::names::{FILE, LARDER};
use crate::lineage::openlineage::event::Dataset;
use crate::lineage::openlineage::facets::{self, InputField};
use crate::lineage::openlineage::outgoing::{OurRun, Standing, group_dataset};
use crate::model::group::GLUE_DATABASE;
use crate::model::{Error, ErrorKind, FeatureGroup, Result};
use crate::store::FeatureStore;
use crate::store::datasets::Manifest;
use crate::store::loads::LoadReport;

/// A load whose beginning was told.
pub(in crate::store) struct LoadTold {
    run: OurRun,
    sources: Vec<(NodeKey, u64)>,
}

/// A build whose beginning was told.
pub(in crate::store) struct BuildTold {
    run: OurRun,
    /// Where the columns of the spine come from, if SQL made it.
    spine: Option<StatementLineage>,
}

impl BuildTold {
    /// Where the columns of the spine come from, if SQL made it.
    pub(in crate::store) fn spine(&self) -> Option<&StatementLineage> {
        self.spine.as_ref()
    }
}

impl FeatureStore {
    /// Tells that a load begins.
    pub(in crate::store) fn tell_load(&self, group: &FeatureGroup, inputs: &[Input]) -> LoadTold {
        let spool = self.inner.folder.join("spool");
        let own = std::path::absolute(&spool).unwrap_or(spool);
        let names = self.lineage_names();
        let source = |input: &Input| {
            if input.name == "stdin" {
                return Some((NodeKey::new(NodeKind::Source, LARDER, "stdin"), input.bytes));
            }
            let path = std::path::absolute(&input.path).ok().filter(|path| !path.starts_with(&own))?;
            Some((names.file(&path.display().to_string()), input.bytes))
        };
        let told = LoadTold {
            run: self.our_run(Uuid::now_v7(), format!("load.{}", group.name), "LOAD"),
            sources: inputs.iter().filter_map(source).collect(),
        };
        self.emit_load(&told, group, &Standing::Start, None);
        told
    }

    /// Tells how a load ended, and notes its edges.
    pub(in crate::store) async fn note_load(&self, told: &LoadTold, group: &FeatureGroup, loaded: &Result<LoadReport>) {
        let report = loaded.as_ref().ok();
        self.emit_load(told, group, &standing(loaded), report);
        if report.is_none_or(|report| report.accepted == 0) || told.sources.is_empty() {
            return;
        }
        let names = self.lineage_names();
        let target = names.group(group.name.as_str());
        let edge = |(source, _): &(NodeKey, u64)| NewEdge::new(source.clone(), target.clone(), EdgeKind::Loads, EdgeMethod::Observed);
        let note = LineageNote {
            edges: told.sources.iter().map(edge).collect(),
            groups: BTreeMap::from([((target.namespace.clone(), target.name.clone()), group.id)]),
            run: Some(told.run.run),
            ..LineageNote::default()
        };
        if let Err(error) = self.inner.catalog.note_lineage(&note, self.now()).await {
            tracing::warn!(%error, group = %group.name, "the lineage of a load could not be noted");
        }
    }

    fn emit_load(&self, told: &LoadTold, group: &FeatureGroup, standing: &Standing, report: Option<&LoadReport>) {
        if !self.inner.emitter.is_on() {
            return;
        }
        let names = self.lineage_names();
        let input = |(source, bytes): &(NodeKey, u64)| {
            let mut dataset = Dataset::new(names.in_event(source));
            dataset.input_facets.insert("inputStatistics".to_owned(), facets::input_statistics(*bytes));
            dataset
        };
        let mut output = group_dataset(&names, group, &self.other_names(group));
        if let Some(report) = report {
            output
                .output_facets
                .insert("outputStatistics".to_owned(), facets::output_statistics(report.accepted, None, Some(report.files)));
        }
        let inputs = told.sources.iter().map(input).collect();
        self.inner.emitter.emit(&told.run.event(standing, self.now(), inputs, vec![output]));
    }

    /// Tells that a build begins.
    pub(in crate::store) async fn tell_build(&self, run: Option<Uuid>, name: &str, spine: &SpineSource) -> BuildTold {
        let sql = match spine {
            SpineSource::Sql(sql) => Some(sql.clone()),
            SpineSource::File(_) => None,
        };
        let spine = match &sql {
            Some(sql) => match self.statement_lineage(sql).await {
                Ok(lineage) => Some(lineage),
                Err(error) => {
                    tracing::debug!(%error, "the columns of a spine can't be followed");
                    None
                }
            },
            None => None,
        };
        let run = OurRun { sql, ..self.our_run(run.unwrap_or_else(Uuid::now_v7), format!("dataset.{name}"), "DATASET") };
        if self.inner.emitter.is_on() {
            self.inner.emitter.emit(&run.event(&Standing::Start, self.now(), Vec::new(), Vec::new()));
        }
        BuildTold { run, spine }
    }

    /// Tells how a build ended.
    pub(in crate::store) fn tell_built(
        &self,
        told: &BuildTold,
        groups: &BTreeMap<crate::model::GroupId, FeatureGroup>,
        built: &Result<&Manifest>,
    ) {
        if !self.inner.emitter.is_on() {
            return;
        }
        let standing = standing(built);
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        if let Ok(manifest) = built {
            let names = self.lineage_names();
            let mut seen = std::collections::BTreeSet::new();
            for input in manifest.inputs.iter().filter(|input| seen.insert(input.id)) {
                let Some(group) = groups.get(&input.id) else { continue };
                let mut dataset = group_dataset(&names, group, &self.other_names(group));
                if let Some(version) = input.delta_version {
                    dataset.facets.insert("version".to_owned(), facets::version(&version.to_string()));
                }
                inputs.push(dataset);
            }
            inputs.extend(manifest.spine_files.iter().map(|file| Dataset::new(names.in_event(&spine_node(&names, &file.path)))));
            outputs.push(built_dataset(&names, manifest));
        }
        self.inner.emitter.emit(&told.run.event(&standing, self.now(), inputs, outputs));
    }

    /// The edges of a dataset.
    pub(in crate::store) fn lineage_of(&self, manifest: &Manifest, spine: Option<&StatementLineage>, run: Option<Uuid>) -> LineageNote {
        let names = self.lineage_names();
        let target = names.dataset(&manifest.label());
        let mut note = LineageNote { nodes: vec![target.clone()], run, ..LineageNote::default() };
        let mut seen = std::collections::BTreeSet::new();
        let mut add = |source: NodeKey, transform: &str, indirect: bool| {
            if seen.insert((source.clone(), transform.to_owned())) {
                let edge = NewEdge::new(source, target.clone(), EdgeKind::Derives, EdgeMethod::Observed);
                note.edges.push(NewEdge { transform: transform.to_owned(), indirect, ..edge });
            }
        };
        for input in &manifest.inputs {
            let group = names.group(&input.group);
            input.keys.iter().for_each(|key| add(group.field(&key.name), "JOIN", true));
            input.features.iter().for_each(|feature| add(group.field(&feature.name), "IDENTITY", false));
            note.groups.insert((group.namespace, group.name), input.id);
        }
        for file in &manifest.spine_files {
            add(spine_node(&names, &file.path), "", false);
        }
        if let Some(spine) = spine {
            for (column, transform, indirect) in of_statement(spine) {
                match column {
                    Ok(column) => add(names.feature(&column.group, &column.column), transform, indirect),
                    Err(group) => add(names.group(group), transform, indirect),
                }
            }
        }
        note
    }

    /// Where the columns of a statement's answer come from; runs nothing.
    pub async fn statement_lineage(&self, sql: &str) -> Result<StatementLineage> {
        let options = QueryOptions { now: self.now(), max_rows: None };
        self.query_engine()?.lineage(sql, self.group_source(), &options).await
    }

    fn our_run(&self, run: Uuid, job: String, kind: &'static str) -> OurRun {
        OurRun { run, namespace: self.inner.settings.openlineage.namespace.clone(), job, kind, sql: None }
    }

    /// Where else a group is known: its folder in S3, its table in Glue. Spark and Athena speak of these.
    fn other_names(&self, group: &FeatureGroup) -> Vec<(String, String, &'static str)> {
        let settings = &self.inner.settings;
        let mut names = Vec::new();
        if group.keeps_history()
            && let Ok(folder) = self.inner.offline.folder(group)
            && let Some((bucket, key)) = folder.data_key().split_once('/')
        {
            names.push((format!("s3://{bucket}"), key.to_owned(), "LOCATION"));
        }
        if group.offline.is_some() {
            let namespace = format!("arn:aws:glue:{}:{}", settings.region, settings.account);
            names.push((namespace, format!("table/{GLUE_DATABASE}/{}", group.glue_table()), "TABLE"));
        }
        names
    }
}

fn spine_node(names: &Names, path: &str) -> NodeKey {
    if path == "stdin" { NodeKey::new(NodeKind::Source, LARDER, path) } else { names.file(path) }
}

fn standing<T>(outcome: &Result<T>) -> Standing {
    match outcome {
        Ok(_) => Standing::Complete,
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Terminated) => Standing::Abort,
        Err(error) => Standing::Fail(error.to_string()),
    }
}

/// What an SQL spine takes: columns of groups; where they can't be followed, the groups as a whole.
fn of_statement(spine: &StatementLineage) -> Vec<(std::result::Result<&GroupColumn, &str>, &'static str, bool)> {
    let Some(columns) = &spine.columns else {
        return spine.groups.iter().map(|group| (Err(group.as_str()), "", false)).collect();
    };
    let is_plumbing = |column: &GroupColumn| crate::model::name::RESERVED_FEATURES.contains(&column.column.as_str());
    let made = columns.iter().flat_map(|column| column.made_of.iter().map(|(origin, making)| (origin, making.as_str(), false)));
    let chosen = columns.iter().flat_map(|column| column.chosen_by.iter().map(|origin| (origin, "CONDITIONAL", true)));
    let whole = spine.whole.iter().map(|(origin, bearing)| (origin, bearing.as_str(), true));
    let all = made.chain(chosen).chain(whole).filter(|(origin, ..)| !is_plumbing(origin));
    all.map(|(origin, transform, indirect)| (Ok(origin), transform, indirect)).collect()
}

/// A dataset that was built, as the file or folder it is.
fn built_dataset(names: &Names, manifest: &Manifest) -> Dataset {
    let path = &manifest.output.path;
    let place = match path.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) {
        Some((bucket, key)) => (format!("s3://{bucket}"), key.to_owned()),
        None => (FILE.to_owned(), path.clone()),
    };
    let mut dataset = Dataset::new(place);
    let fields = manifest.columns.iter().map(|column| (column.name.as_str(), column.data_type.clone(), None));
    dataset.facets.insert("schema".to_owned(), facets::schema(fields));
    dataset.facets.insert("version".to_owned(), facets::version(&manifest.label()));
    let (namespace, name) = names.in_event(&names.dataset(&manifest.label()));
    dataset.facets.insert("symlinks".to_owned(), facets::symlinks(&[(namespace, name, "DATASET")]));
    if let Some(description) = &manifest.description {
        dataset.facets.insert("documentation".to_owned(), facets::documentation(description));
    }
    let field = |dataset: (String, String), field: &str, direct: bool, subtype: &str| InputField {
        dataset,
        field: field.to_owned(),
        direct,
        subtype: subtype.to_owned(),
    };
    let mut columns: Vec<(String, Vec<InputField>)> = Vec::new();
    for column in &manifest.columns {
        let input = column.input.and_then(|input| manifest.inputs.get(input)).zip(column.feature.as_deref());
        let inputs = match input {
            Some((input, feature)) => vec![field(names.in_event(&names.group(&input.group)), feature, true, "IDENTITY")],
            None => {
                let files = manifest.spine_files.iter().map(|file| names.in_event(&spine_node(names, &file.path)));
                files.map(|file| field(file, &column.name, true, "IDENTITY")).collect()
            }
        };
        columns.push((column.name.clone(), inputs));
    }
    let mut keys = Vec::new();
    for input in &manifest.inputs {
        let group = names.in_event(&names.group(&input.group));
        keys.extend(input.keys.iter().map(|key| field(group.clone(), &key.name, false, "JOIN")));
    }
    keys.dedup();
    dataset.facets.insert("columnLineage".to_owned(), facets::column_lineage(&columns, &keys));
    let statistics = facets::output_statistics(manifest.rows, Some(manifest.output.bytes), Some(manifest.output.files.len().max(1) as u64));
    dataset.output_facets.insert("outputStatistics".to_owned(), statistics);
    dataset
}

/// What a build answers for its own events, without taking its result apart.
pub(in crate::store) fn outcome<T>(built: &Result<T>, manifest: impl Fn(&T) -> &Manifest) -> Result<&Manifest> {
    match built {
        Ok(built) => Ok(manifest(built)),
        Err(error) => Err(Error::repeated(error)),
    }
}
