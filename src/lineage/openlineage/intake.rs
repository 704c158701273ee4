//! An event of another system, as edges.
//!
//! ```text
//! inputs -> job -> outputs        reads, writes. What was written from what is said by a facet of the output, or not at all:
//!   lineage facet                 of the job or the output: the newest form, whole and by column
//!   columnLineage facet           by column; the older form
//!   neither                       that an input reaches this output is inferred, and the edge says so
//! dataset event                   the same facets without a job
//! lifecycleStateChange            DROP: the node is gone; RENAME: the new one derives from the old
//! ```
//!
//! Facts add up over the events of a run; what a run that completes has said replaces what earlier runs of its job had.

use serde_json::Value;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::event::{Dataset, Event, Facets};
use crate::catalog::{EdgeKind, EdgeMethod, LineageNote, NewEdge, NodeKey, NodeKind, Statement};
use crate::lineage::names::Names;
use crate::model::{EventTime, Result};

/// Finds out what an outside name stands for in the store: a file that is a training dataset, a table that is a group.
pub type Resolve<'a> = &'a dyn Fn(NodeKey, EventTime) -> NodeKey;

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub struct Intake {
    /// Edges and nodes.
    pub note: LineageNote,
    /// Whose event it is, and whether it is all there is to say.
    pub job: Option<(NodeKey, Statement)>,
    /// What is gone.
    pub gone: Vec<NodeKey>,
    /// When it happened.
    pub at: EventTime,
    /// Digest of the event.
    pub digest: u128,
}

impl Intake {
    /// Reads what an event says. `text` is the event as it came.
    pub fn of(event: &Event, text: &str, names: &Names, resolve: Resolve<'_>) -> Result<Self> {
        let at = event.time()?;
        let digest = digest(text);
        let job = event.job.as_ref().map(|job| NodeKey::new(NodeKind::Job, &job.namespace, &job.name));
        let reader = Reader { names, resolve, at, job: job.clone() };
        let mut intake = Self { note: LineageNote::default(), job: None, gone: Vec::new(), at, digest };
        intake.note.run = Some(match &event.run {
            // One that is no UUID gets one made of it, always the same.
            Some(run) => Uuid::try_parse(&run.run_id).unwrap_or_else(|_| Uuid::from_u128(xxh3_128(run.run_id.as_bytes()))),
            None => Uuid::from_u128(digest),
        });
        if let Some(key) = &job {
            intake.note.nodes.push(key.clone());
            let statement = match (&event.run, event.event_type.as_deref()) {
                (None, _) | (Some(_), Some("COMPLETE")) => Statement::Complete,
                _ => Statement::Partial,
            };
            intake.job = Some((key.clone(), statement));
            reader.job_edges(event, key, &mut intake);
        }
        for dataset in event.outputs.iter().chain(&event.inputs).chain(&event.dataset) {
            reader.about_dataset(dataset, &mut intake);
        }
        let mut seen = std::collections::HashSet::new();
        intake.note.edges.retain(|edge| edge.source != edge.target && seen.insert(format!("{edge:?}")));
        Ok(intake)
    }
}

/// Equal for events that say the same in the same order of members; how it is spaced doesn't matter.
fn digest(text: &str) -> u128 {
    match serde_json::from_str::<Value>(text).and_then(|value| serde_json::to_string(&value)) {
        Ok(compact) => xxh3_128(compact.as_bytes()),
        Err(_) => xxh3_128(text.as_bytes()),
    }
}

struct Reader<'a> {
    names: &'a Names,
    resolve: Resolve<'a>,
    at: EventTime,
    job: Option<NodeKey>,
}

impl Reader<'_> {
    fn key(&self, namespace: &str, name: &str) -> NodeKey {
        (self.resolve)(self.names.of_event(namespace, name), self.at)
    }

    /// The node of a dataset: what it is called, or another name of it that is known here.
    fn dataset(&self, dataset: &Dataset) -> NodeKey {
        let key = self.key(&dataset.namespace, &dataset.name);
        if key.kind != NodeKind::Source {
            return key;
        }
        let identifiers = members(&dataset.facets, "symlinks", "identifiers");
        let other = identifiers.filter_map(|other| Some(self.key(text(other, "namespace")?, text(other, "name")?)));
        other.into_iter().find(|other| other.kind != NodeKind::Source).unwrap_or(key)
    }

    fn job_edges(&self, event: &Event, job: &NodeKey, intake: &mut Intake) {
        let entries = event.job.as_ref().map(|job| job_entries(&job.facets)).unwrap_or_default();
        for input in &event.inputs {
            intake.note.edges.push(NewEdge::new(self.dataset(input), job.clone(), EdgeKind::Reads, EdgeMethod::Imported));
        }
        for output in &event.outputs {
            let is_told = is_told(&output.facets) || entries.iter().any(|entry| names_it(entry, output));
            let method = if is_told || event.inputs.is_empty() { EdgeMethod::Imported } else { EdgeMethod::Inferred };
            intake.note.edges.push(NewEdge::new(job.clone(), self.dataset(output), EdgeKind::Writes, method));
        }
        for entry in entries {
            let (Some(namespace), Some(name)) = (text(entry, "namespace"), text(entry, "name")) else { continue };
            let target = match text(entry, "type") {
                Some("JOB") => NodeKey::new(NodeKind::Job, namespace, name),
                _ => self.key(namespace, name),
            };
            self.lineage_entry(&target, entry, intake);
        }
    }

    /// What the facets of a dataset say of it.
    fn about_dataset(&self, dataset: &Dataset, intake: &mut Intake) {
        let key = self.dataset(dataset);
        intake.note.nodes.push(key.clone());
        if let Some(owner) = members(&dataset.facets, "ownership", "owners").find_map(|owner| text(owner, "name")) {
            intake.note.owners.insert(key.clone(), owner.to_owned());
        }
        match dataset.facets.get("lineage").filter(|facet| !is_deleted(facet)) {
            Some(lineage) => self.lineage_entry(&key, lineage, intake),
            None => self.column_lineage(&key, dataset, intake),
        }
        let Some(change) = dataset.facets.get("lifecycleStateChange") else { return };
        match text(change, "lifecycleStateChange") {
            Some("DROP") => intake.gone.push(key),
            Some("RENAME") => {
                let Some(previous) = change.get("previousIdentifier") else { return };
                let (Some(namespace), Some(name)) = (text(previous, "namespace"), text(previous, "name")) else { return };
                let previous = self.key(namespace, name);
                intake.gone.push(previous.clone());
                intake.note.edges.push(self.derives(previous, key, Some("IDENTITY"), false, false));
            }
            _ => {}
        }
    }

    /// The lineage facet: inputs of the whole, inputs of each field.
    fn lineage_entry(&self, target: &NodeKey, entry: &Value, intake: &mut Intake) {
        for input in array(entry.get("inputs")) {
            // A field as input of the whole is one that decides which rows there are.
            let is_field = text(input, "field").is_some();
            self.input(input, target, is_field, intake);
        }
        let Some(fields) = entry.get("fields").and_then(Value::as_object) else { return };
        for (field, told) in fields {
            for input in array(told.get("inputs")) {
                self.input(input, &target.field(field), false, intake);
            }
        }
    }

    /// The older facet: fields of each output field, and those that bear on all of them.
    fn column_lineage(&self, target: &NodeKey, dataset: &Dataset, intake: &mut Intake) {
        let Some(facet) = dataset.facets.get("columnLineage").filter(|facet| !is_deleted(facet)) else { return };
        if let Some(fields) = facet.get("fields").and_then(Value::as_object) {
            for (field, told) in fields {
                for input in array(told.get("inputFields")) {
                    self.input(input, &target.field(field), false, intake);
                }
            }
        }
        for input in array(facet.get("dataset")) {
            self.input(input, target, true, intake);
        }
    }

    fn input(&self, input: &Value, target: &NodeKey, indirect: bool, intake: &mut Intake) {
        let (Some(namespace), Some(name)) = (text(input, "namespace"), text(input, "name")) else { return };
        if text(input, "type") == Some("JOB") {
            let job = NodeKey::new(NodeKind::Job, namespace, name);
            intake.note.edges.push(NewEdge::new(job, target.clone(), EdgeKind::Writes, EdgeMethod::Imported));
            return;
        }
        let mut source = self.key(namespace, name);
        if let Some(field) = text(input, "field") {
            source = source.field(field);
        }
        let mut transformations = array(input.get("transformations")).peekable();
        if transformations.peek().is_none() {
            intake.note.edges.push(self.derives(source, target.clone(), None, indirect, false));
            return;
        }
        for transformation in transformations {
            let indirect = indirect || text(transformation, "type") == Some("INDIRECT");
            let masking = transformation.get("masking").and_then(Value::as_bool).unwrap_or(false);
            intake.note.edges.push(self.derives(source.clone(), target.clone(), text(transformation, "subtype"), indirect, masking));
        }
    }

    fn derives(&self, source: NodeKey, target: NodeKey, transform: Option<&str>, indirect: bool, masking: bool) -> NewEdge {
        NewEdge {
            transform: transform.unwrap_or_default().to_owned(),
            indirect,
            masking,
            job: self.job.clone(),
            ..NewEdge::new(source, target, EdgeKind::Derives, EdgeMethod::Imported)
        }
    }
}

/// Entries of the job's lineage facet.
fn job_entries(facets: &Facets) -> Vec<&Value> {
    let Some(facet) = facets.get("lineage").filter(|facet| !is_deleted(facet)) else { return Vec::new() };
    array(facet.get("lineage")).chain(array(facet.get("entries"))).collect()
}

fn names_it(entry: &Value, dataset: &Dataset) -> bool {
    text(entry, "namespace") == Some(dataset.namespace.as_str()) && text(entry, "name") == Some(dataset.name.as_str())
}

/// Whether a facet of an output says what it was made of.
fn is_told(facets: &Facets) -> bool {
    ["lineage", "columnLineage"].iter().any(|key| facets.get(*key).is_some_and(|facet| !is_deleted(facet)))
}

fn is_deleted(facet: &Value) -> bool {
    facet.get("_deleted").and_then(Value::as_bool).unwrap_or(false)
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn array(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn members<'a>(facets: &'a Facets, facet: &str, member: &str) -> impl Iterator<Item = &'a Value> {
    array(facets.get(facet).and_then(|facet| facet.get(member)))
}
