//! What we say to other systems: runs of ours as run events, an answer of lineage as dataset and job events.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::event::{Dataset, Event, Job, Run, SCHEMA, producer};
use super::facets::{self, InputField};
use crate::catalog::{EdgeKind, NodeKind};
use crate::lineage::answer::{Answer, AnswerEdge};
use crate::lineage::names::Names;
use crate::model::{EventTime, FeatureGroup};

/// A run of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurRun {
    /// Its identity, the same in all its events.
    pub run: Uuid,
    /// Namespace of the job.
    pub namespace: String,
    /// Name of the job: `load.customer-features`, `dataset.churn`.
    pub job: String,
    /// LOAD, DATASET.
    pub kind: &'static str,
    /// The query that is its definition, if there is one.
    pub sql: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has begun.
    Start,
    /// It ended well.
    Complete,
    /// It was stopped.
    Abort,
    /// It failed, for this reason.
    Fail(String),
}

impl OurRun {
    /// An event of the run.
    pub fn event(&self, standing: &Standing, at: EventTime, inputs: Vec<Dataset>, outputs: Vec<Dataset>) -> Event {
        let mut run_facets = serde_json::Map::new();
        run_facets.insert("processing_engine".to_owned(), facets::processing_engine());
        let event_type = match standing {
            Standing::Start => "START",
            Standing::Complete => "COMPLETE",
            Standing::Abort => "ABORT",
            Standing::Fail(message) => {
                run_facets.insert("errorMessage".to_owned(), facets::error_message(message));
                "FAIL"
            }
        };
        let mut job_facets = serde_json::Map::new();
        job_facets.insert("jobType".to_owned(), facets::job_type(self.kind));
        if let Some(sql) = &self.sql {
            job_facets.insert("sql".to_owned(), facets::sql(sql));
        }
        Event {
            event_type: Some(event_type.to_owned()),
            run: Some(Run { run_id: self.run.to_string(), facets: run_facets }),
            job: Some(Job { namespace: self.namespace.clone(), name: self.job.clone(), facets: job_facets }),
            inputs,
            outputs,
            ..blank("RunEvent", at)
        }
    }
}

fn blank(definition: &str, at: EventTime) -> Event {
    Event {
        event_type: None,
        event_time: at.to_iso8601(),
        run: None,
        job: None,
        dataset: None,
        inputs: Vec::new(),
        outputs: Vec::new(),
        producer: producer(),
        schema_url: format!("{SCHEMA}#/$defs/{definition}"),
    }
}

/// A group as a dataset: its schema, its owner, and where else it is known (`places`: namespace, name, kind).
pub fn group_dataset(names: &Names, group: &FeatureGroup, places: &[(String, String, &str)]) -> Dataset {
    let mut dataset = Dataset::new(names.in_event(&names.group(group.name.as_str())));
    let fields = group.schema.features().iter().map(|feature| (feature.name.as_str(), feature.type_text(), feature.description.as_deref()));
    dataset.facets.insert("schema".to_owned(), facets::schema(fields));
    if let Some(owner) = &group.owner {
        dataset.facets.insert("ownership".to_owned(), facets::ownership(owner));
    }
    if let Some(description) = &group.description {
        dataset.facets.insert("documentation".to_owned(), facets::documentation(description));
    }
    if !places.is_empty() {
        dataset.facets.insert("symlinks".to_owned(), facets::symlinks(places));
    }
    dataset
}

/// An answer as events: one for each dataset, with what it derives from, one for each job and consumer. Column lineage of a
/// training dataset goes by the names of its features.
pub fn answer_events(names: &Names, answer: &Answer, at: EventTime) -> Vec<Event> {
    let mut events = Vec::new();
    for (position, node) in answer.nodes.iter().enumerate() {
        match node.key.kind {
            NodeKind::Feature | NodeKind::Column => {}
            NodeKind::Group | NodeKind::Source | NodeKind::Dataset | NodeKind::View => {
                events.push(Event { dataset: Some(answer_dataset(names, answer, position)), ..blank("DatasetEvent", at) });
            }
            kind => {
                let (namespace, name) = names.in_event(&node.key);
                let mut job_facets = serde_json::Map::new();
                job_facets.insert("jobType".to_owned(), facets::job_type(&kind.as_str().to_uppercase()));
                let ends = |edges: Vec<usize>| edges.into_iter().filter_map(|end| whole_of(names, answer, end)).collect::<BTreeMap<_, _>>();
                let inputs = ends(answer.edges.iter().filter(|edge| edge.target == position).map(|edge| edge.source).collect());
                let outputs = ends(answer.edges.iter().filter(|edge| edge.source == position).map(|edge| edge.target).collect());
                events.push(Event {
                    job: Some(Job { namespace, name, facets: job_facets }),
                    inputs: inputs.into_values().collect(),
                    outputs: outputs.into_values().collect(),
                    ..blank("JobEvent", at)
                });
            }
        }
    }
    events
}

/// The dataset that an end of an edge is or belongs to.
fn whole_of(names: &Names, answer: &Answer, end: usize) -> Option<((String, String), Dataset)> {
    let name = names.in_event(&answer.nodes.get(end)?.key);
    Some((name.clone(), Dataset::new(name)))
}

fn answer_dataset(names: &Names, answer: &Answer, position: usize) -> Dataset {
    let node = &answer.nodes[position];
    let mut dataset = Dataset::new(names.in_event(&node.key));
    if let Some(owner) = &node.owner {
        dataset.facets.insert("ownership".to_owned(), facets::ownership(owner));
    }
    let is_part = |end: usize| {
        answer.nodes.get(end).is_some_and(|other| other.key.namespace == node.key.namespace && other.key.name == node.key.name)
    };
    let mut columns: BTreeMap<String, Vec<InputField>> = BTreeMap::new();
    let (mut whole, mut from_wholes) = (Vec::new(), Vec::new());
    let made_of = |edge: &&AnswerEdge| is_part(edge.target) && matches!(edge.kind, EdgeKind::Derives | EdgeKind::Loads);
    for edge in answer.edges.iter().filter(made_of) {
        let (Some(source), Some(target)) = (answer.nodes.get(edge.source), answer.nodes.get(edge.target)) else { continue };
        let input = InputField {
            dataset: names.in_event(&source.key),
            field: source.key.field.clone(),
            direct: !edge.indirect,
            subtype: edge.transform.clone(),
        };
        match (source.key.field.is_empty(), target.key.field.is_empty(), edge.indirect) {
            (true, ..) => from_wholes.push(input.dataset),
            (false, false, _) => columns.entry(target.key.field.clone()).or_default().push(input),
            (false, true, false) => columns.entry(source.key.field.clone()).or_default().push(input),
            (false, true, true) => whole.push(input),
        }
    }
    if !columns.is_empty() || !whole.is_empty() {
        let columns: Vec<_> = columns.into_iter().collect();
        dataset.facets.insert("columnLineage".to_owned(), facets::column_lineage(&columns, &whole));
    }
    if !from_wholes.is_empty() {
        let inputs: Vec<_> =
            from_wholes.into_iter().map(|(namespace, name)| json!({"namespace": namespace, "name": name, "type": "DATASET"})).collect();
        let mut facet = serde_json::Map::new();
        facet.insert("_producer".to_owned(), producer().into());
        facet.insert("_schemaURL".to_owned(), "https://openlineage.io/spec/facets/1-0-0/LineageDatasetFacet.json".into());
        facet.insert("inputs".to_owned(), inputs.into());
        // A reader takes this facet alone where it is there, so it has the columns as well.
        if let Some(fields) =
            dataset.facets.get("columnLineage").and_then(|facet| facet.get("fields")).and_then(|fields| fields.as_object())
        {
            let fields: serde_json::Map<_, _> = fields.iter().map(|(name, told)| (name.clone(), lineage_inputs(told))).collect();
            facet.insert("fields".to_owned(), fields.into());
        }
        dataset.facets.insert("lineage".to_owned(), facet.into());
    }
    dataset
}

/// Inputs of a field in the words of the newer facet.
fn lineage_inputs(told: &serde_json::Value) -> serde_json::Value {
    let inputs = told.get("inputFields").and_then(|inputs| inputs.as_array()).into_iter().flatten();
    let typed = inputs.map(|input| {
        let mut input = input.clone();
        if let Some(members) = input.as_object_mut() {
            members.insert("type".to_owned(), "DATASET".into());
        }
        input
    });
    json!({ "inputs": typed.collect::<Vec<_>>() })
}
