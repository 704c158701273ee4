//! The events, as they are written and read: our own structures, because the one client crate knows run events only and brings an
//! HTTP stack of its own. Unknown members and facets are skipped on reading, never refused.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{Error, EventTime, Result, TimeMode};

/// Version of the schema.
pub const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json";

/// Who produces our events and facets: a name for this version of this program, no place on the network.
pub fn producer() -> String {
    format!("urn:larder:{}", env!("CARGO_PKG_VERSION"))
}

/// Facets by their key.
pub type Facets = Map<String, Value>;

/// A run, job or dataset event; which of them is told by what it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// START, RUNNING, COMPLETE, ABORT, FAIL, OTHER; run events only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// When it happened.
    pub event_time: String,
    /// The run; run events only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The job; run and job events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// The dataset; dataset events only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Dataset>,
    /// What the job reads.
    #[serde(default, deserialize_with = "none_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Dataset>,
    /// What the job writes.
    #[serde(default, deserialize_with = "none_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Dataset>,
    /// Who says so. Required by the schema; senders of old forgot it.
    #[serde(default)]
    pub producer: String,
    /// Which schema it follows.
    #[serde(default, rename = "schemaURL")]
    pub schema_url: String,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its identity: a UUID, as the schema has it. Others are taken for what they are.
    pub run_id: String,
    /// What else is said of it.
    #[serde(default, deserialize_with = "none_is_empty", skip_serializing_if = "Map::is_empty")]
    pub facets: Facets,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Where its name means something.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// What else is said of it.
    #[serde(default, deserialize_with = "none_is_empty", skip_serializing_if = "Map::is_empty")]
    pub facets: Facets,
}

/// A dataset, as input, as output or by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    /// Where its name means something.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// What else is said of it.
    #[serde(default, deserialize_with = "none_is_empty", skip_serializing_if = "Map::is_empty")]
    pub facets: Facets,
    /// What is said of this reading of it.
    #[serde(default, deserialize_with = "none_is_empty", skip_serializing_if = "Map::is_empty")]
    pub input_facets: Facets,
    /// What is said of this writing of it.
    #[serde(default, deserialize_with = "none_is_empty", skip_serializing_if = "Map::is_empty")]
    pub output_facets: Facets,
}

impl Dataset {
    /// A dataset of which nothing else is said.
    pub fn new((namespace, name): (String, String)) -> Self {
        Self { namespace, name, facets: Facets::new(), input_facets: Facets::new(), output_facets: Facets::new() }
    }
}

/// Clients write `null` for what they have none of.
fn none_is_empty<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Event {
    /// Reads one event.
    ///
    /// # Errors
    /// `Invalid` for what is none: no time, neither job nor dataset, a dataset without a name.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: String| Err(Error::invalid("this is no OpenLineage event").why(why));
        let event: Event = match serde_json::from_str(text) {
            Ok(event) => event,
            Err(error) => return refuse(error.to_string()),
        };
        event.time()?;
        match (&event.job, &event.dataset, &event.run) {
            (None, None, _) => return refuse("it has neither a job nor a dataset".to_owned()),
            (None, _, Some(_)) => return refuse("it has a run without a job".to_owned()),
            _ => {}
        }
        let datasets = event.inputs.iter().chain(&event.outputs).chain(&event.dataset);
        let names = datasets.map(|dataset| (&dataset.namespace, &dataset.name));
        let names = names.chain(event.job.as_ref().map(|job| (&job.namespace, &job.name)));
        for (namespace, name) in names {
            if namespace.is_empty() || name.is_empty() {
                return refuse("a job or dataset has no name".to_owned());
            }
        }
        Ok(event)
    }

    /// When it happened.
    pub fn time(&self) -> Result<EventTime> {
        EventTime::parse_text(&self.event_time, TimeMode::Lenient).map_err(|error| error.within("eventTime"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_event_is_refused_with_its_reason() {
        let refused = [
            ("[]", "no OpenLineage event"),
            (r#"{"job":{"namespace":"a","name":"b"}}"#, "eventTime"),
            (r#"{"eventTime":"yesterday","job":{"namespace":"a","name":"b"}}"#, "eventTime"),
            (r#"{"eventTime":"2026-01-01T00:00:00Z"}"#, "neither a job nor a dataset"),
            (r#"{"eventTime":"2026-01-01T00:00:00Z","run":{"runId":"x"},"dataset":{"namespace":"a","name":"b"}}"#, "without a job"),
            (r#"{"eventTime":"2026-01-01T00:00:00Z","job":{"namespace":"a","name":""}}"#, "no name"),
        ];
        for (text, why) in refused {
            let error = Event::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let sparse = r#"{"eventTime":"2026-01-01T00:00:00+02:00","job":{"namespace":"a","name":"b","facets":null},"inputs":null,"x":1}"#;
        assert!(Event::parse(sparse).unwrap().inputs.is_empty());
    }
}
