//! What other systems say: OpenLineage events, one, an array or a line each.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::journal::Line;
use crate::catalog::{LineageNote, NodeKey, NodeKind, Noted};
use crate::lineage::names::FILE;
use crate::lineage::openlineage::{Event, Intake};
use crate::model::group::GLUE_DATABASE;
use crate::model::{Error, EventTime, FeatureGroup, Result};
use crate::store::FeatureStore;

/// What became of events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// Events there were.
    pub received: u64,
    /// Taken in.
    pub taken: u64,
    /// Taken in before.
    pub known: u64,
    /// Refused: number of the event, from 1, and why.
    pub refused: Vec<(u64, String)>,
    /// Nodes that were not known.
    pub nodes: u64,
    /// Edges that were not known.
    pub edges: u64,
    /// Edges that ended.
    pub ended: u64,
}

/// What outside names stand for in this store.
struct Places {
    /// Training datasets by the path of their file: version by version, oldest first.
    datasets: HashMap<String, Vec<(EventTime, NodeKey)>>,
    groups: Vec<Place>,
    names: crate::lineage::Names,
    glue: String,
}

/// A group, and where its data is known.
struct Place {
    folded: String,
    key: NodeKey,
    glue_table: String,
    data: Option<String>,
}

impl FeatureStore {
    /// Takes in OpenLineage events: one, a JSON array, or one a line. A faulty one stops no other.
    pub async fn import_lineage(&self, text: &str) -> Result<ImportReport> {
        self.check_writable()?;
        self.inner.catalog.forget_old_events(self.now()).await?;
        let places = self.places().await?;
        let mut report = ImportReport::default();
        let mut lines = Vec::new();
        for event in parted(text)? {
            report.received += 1;
            match self.take_in(&event, &places).await {
                Ok(None) => report.known += 1,
                Ok(Some(noted)) => {
                    report.taken += 1;
                    report.nodes += noted.nodes;
                    report.edges += noted.edges;
                    report.ended += noted.ended;
                    // On one line, however it came.
                    let event = serde_json::from_str::<serde_json::Value>(&event).map_or(event, |value| value.to_string());
                    let event = RawValue::from_string(event).map_err(|error| Error::internal("an event is no JSON").source(error))?;
                    lines.push(Line { event: Some(event), ..Line::at(self.now()) });
                }
                Err(error) if error.kind() == crate::model::ErrorKind::Invalid => report.refused.push((report.received, error.to_string())),
                Err(error) => {
                    self.write_journal(&lines)?;
                    return Err(error);
                }
            }
        }
        self.write_journal(&lines)?;
        Ok(report)
    }

    /// Takes in one event of the journal.
    pub(super) async fn take_in_event(&self, text: &str) -> Result<Option<Noted>> {
        let places = self.places().await?;
        self.take_in(text, &places).await
    }

    async fn take_in(&self, text: &str, places: &Places) -> Result<Option<Noted>> {
        let event = Event::parse(text)?;
        let resolve = |key: NodeKey, at: EventTime| places.resolve(key, at);
        let mut intake = Intake::of(&event, text, &places.names, &resolve)?;
        self.identify_groups(&mut intake.note).await?;
        let job = intake.job.as_ref().map(|(job, statement)| (job, *statement));
        self.inner.catalog.take_in_event(intake.digest, &intake.note, job, &intake.gone, (intake.at, self.now())).await
    }

    /// Notes which incarnations of groups are meant.
    pub(super) async fn identify_groups(&self, note: &mut LineageNote) -> Result<()> {
        let names = self.lineage_names();
        let keys = note.edges.iter().flat_map(|edge| [&edge.source, &edge.target]).chain(&note.nodes);
        let wanted: std::collections::BTreeSet<(String, String, String)> = keys
            .filter_map(|key| Some((key.namespace.clone(), key.name.clone(), names.group_name(key)?.to_owned())))
            .filter(|(namespace, name, _)| !note.groups.contains_key(&(namespace.clone(), name.clone())))
            .collect();
        for (namespace, name, group) in wanted {
            if let Some(group) = self.inner.catalog.group(&group).await? {
                note.groups.insert((namespace, name), group.id);
            }
        }
        Ok(())
    }

    async fn places(&self) -> Result<Places> {
        let names = self.lineage_names();
        let mut datasets: HashMap<String, Vec<(EventTime, NodeKey)>> = HashMap::new();
        for row in self.inner.catalog.datasets().await? {
            let key = names.dataset(&format!("{}@{}", row.name, row.version));
            datasets.entry(row.path.clone()).or_default().push((row.created, key));
        }
        datasets.values_mut().for_each(|versions| versions.sort());
        let data = |group: &FeatureGroup| match group.keeps_history() {
            true => self.inner.offline.folder(group).ok().map(|folder| folder.data_key()),
            false => None,
        };
        let place = |group: &FeatureGroup| Place {
            folded: group.name.folded(),
            key: names.group(group.name.as_str()),
            glue_table: group.glue_table(),
            data: data(group),
        };
        let groups = self.inner.catalog.groups().await?.iter().map(place).collect();
        let settings = &self.inner.settings;
        Ok(Places { datasets, groups, names, glue: format!("arn:aws:glue:{}:{}", settings.region, settings.account) })
    }
}

impl Places {
    fn resolve(&self, key: NodeKey, at: EventTime) -> NodeKey {
        let found = |wanted: &dyn Fn(&Place) -> bool| self.groups.iter().find(|place| wanted(place)).map(|place| place.key.clone());
        let other = match key.kind {
            NodeKind::Group => {
                let folded = self.names.group_name(&key).unwrap_or_default().to_ascii_lowercase();
                found(&|place| place.folded == folded)
            }
            NodeKind::Source if key.namespace == FILE => self.dataset_in(&key.name, at),
            NodeKind::Source if key.namespace == self.glue => {
                let table = key.name.strip_prefix("table/").and_then(|name| name.strip_prefix(GLUE_DATABASE)?.strip_prefix('/'));
                table.and_then(|table| found(&|place| place.glue_table == table))
            }
            NodeKind::Source => key.namespace.strip_prefix("s3://").and_then(|bucket| {
                let object = format!("{bucket}/{}", key.name.trim_matches('/'));
                let within = |folder: &str| object.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                found(&|place| {
                    place
                        .data
                        .as_deref()
                        .is_some_and(|data| within(data) || data.strip_suffix("/data").is_some_and(|whole| whole == object))
                })
            }),
            _ => None,
        };
        other.unwrap_or(key)
    }

    /// The dataset that a file was at a time; its first version if the time is before all of them.
    fn dataset_in(&self, path: &str, at: EventTime) -> Option<NodeKey> {
        let versions = self.datasets.get(path)?;
        let newest = versions.iter().rev().find(|(created, _)| *created <= at).or_else(|| versions.first());
        newest.map(|(_, key)| key.clone())
    }
}

/// The texts of the events in a text.
fn parted(text: &str) -> Result<Vec<String>> {
    let whole = text.trim_start();
    if whole.starts_with('[') {
        let events: Vec<Box<RawValue>> = serde_json::from_str(whole).map_err(|error| {
            Error::invalid("this is no array of OpenLineage events").source(error).remedy("write one event a line, or a JSON array")
        })?;
        return Ok(events.iter().map(|event| event.get().to_owned()).collect());
    }
    // One value after the other: on lines of their own, or spread over many.
    let mut events = Vec::new();
    let mut values = serde_json::Deserializer::from_str(whole).into_iter::<Box<RawValue>>();
    for value in &mut values {
        match value {
            Ok(value) => events.push(value.get().to_owned()),
            Err(error) => {
                return Err(Error::invalid(format!("event {} is no JSON", events.len() + 1))
                    .source(error)
                    .remedy("write one event a line, or a JSON array"));
            }
        }
    }
    Ok(events)
}
