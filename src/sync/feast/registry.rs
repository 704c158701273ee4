//! A registry as a whole, from any of its three forms, and what is told of it.
//!
//! Feast rewrites its registry file in place and protobuf has no end mark: a file that was cut between two objects decodes as a smaller one.
//! So a file counts as whole only if it has what Feast always writes: the version of its schema, when it was last updated, and the
//! project (written after nearly everything else) that its objects belong to. Anything less is a fault of the source.

use prost::Message;
use serde::Deserialize;

use super::super::observed::ObservedGroup;
use super::super::source::{Listed, SourceError, Trouble};
use super::objects;
use super::proto::{DataSource, Entity, FeatureService, Registry, SavedDataset};
use super::translate::{Context, DUMMY, View};
use crate::model::{Error, Result};

/// Versions of the registry's schema that are known.
const SCHEMA_VERSION: &str = "1";

/// A row of a registry that could not be decoded.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) native_id: String,
    pub(super) name: String,
    pub(super) error: Error,
}

/// The objects of one project.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) registry: Registry,
    pub(super) broken: Vec<Broken>,
}

/// One of them: as it is listed, and what is told of it.
pub(super) type Item = (Listed, std::result::Result<ObservedGroup, SourceError>);

/// Decodes a registry file and leaves the objects of one project in it.
pub(super) fn of_file(bytes: &[u8], place: &str, project: Option<&str>) -> Result<(String, Objects)> {
    let cut = |why: &str| {
        Error::corrupt(format!("{place} is no whole Feast registry"))
            .why(why)
            .remedy("run `feast apply` again, or wait until the one that writes it is done")
    };
    if bytes.is_empty() {
        return Err(cut("it is empty"));
    }
    let mut registry = Registry::decode(bytes).map_err(|error| cut(&error.to_string()))?;
    if registry.registry_schema_version.is_empty() || registry.last_updated.is_none() {
        return Err(cut("its schema version or the time of its last update is missing"));
    }
    if registry.registry_schema_version != SCHEMA_VERSION {
        return Err(Error::corrupt(format!("{place} can't be read"))
            .why(format!("its schema has version '{}', known is {SCHEMA_VERSION}", registry.registry_schema_version.escape_debug()))
            .remedy("upgrade larder, or sync the JSON of `feast registry-dump`"));
    }
    let mut known: Vec<String> = registry.projects.iter().filter_map(|project| Some(project.spec.as_ref()?.name.clone())).collect();
    known.extend(registry.project_metadata.iter().map(|metadata| metadata.project.clone()));
    if let Some(orphan) = projects(&registry).find(|name| !known.iter().any(|known| known == name)) {
        return Err(cut(&format!(
            "it has objects of project '{}' but not the project itself, which stands near the end",
            orphan.escape_debug()
        )));
    }
    known.sort();
    known.dedup();
    let project = chosen(&known, project, place)?;
    retain_project(&mut registry, &project);
    Ok((project, Objects { registry, broken: Vec::new() }))
}

/// Reads the JSON of `feast registry-dump`, which is of one project.
pub(super) fn of_dump(text: &str, place: &str, project: Option<&str>) -> Result<(String, Objects)> {
    #[derive(Deserialize)]
    struct Dump {
        project: String,
    }
    let fault = |error| {
        Error::corrupt(format!("{place} is no whole dump of a Feast registry"))
            .source(error)
            .remedy("write it again: `feast registry-dump > FILE.json`")
    };
    // Older versions print a warning first.
    let start = if text.starts_with('{') { 0 } else { text.find("\n{").map_or(0, |at| at + 1) };
    let text = &text[start..];
    let dump: Dump = serde_json::from_str(text).map_err(fault)?;
    let registry: Registry = serde_json::from_str(text).map_err(fault)?;
    let project = chosen(&[dump.project], project, place)?;
    Ok((project, Objects { registry, broken: Vec::new() }))
}

/// The project that was asked for, or the only one.
pub(super) fn chosen(known: &[String], asked: Option<&str>, place: &str) -> Result<String> {
    let names = known.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
    match (asked, known) {
        (Some(asked), known) if known.iter().any(|name| name == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(Error::not_found(format!("{place} has no project '{}'", asked.escape_debug()))
            .remedy(if names.is_empty() { "run `feast apply` first".to_owned() } else { format!("it has {names}") })),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Error::corrupt(format!("{place} has no project")).remedy("run `feast apply` first")),
        (None, _) => {
            Err(Error::usage(format!("{place} has several projects: {names}")).remedy("add a source for each, with --option project=NAME"))
        }
    }
}

fn projects(registry: &Registry) -> impl Iterator<Item = &str> {
    let entities = registry.entities.iter().filter_map(|entity| Some(entity.spec.as_ref()?.project.as_str()));
    let services = registry.feature_services.iter().filter_map(|service| Some(service.spec.as_ref()?.project.as_str()));
    let datasets = registry.saved_datasets.iter().filter_map(|dataset| Some(dataset.spec.as_ref()?.project.as_str()));
    let sources = registry.data_sources.iter().map(|source| source.project.as_str());
    let views = views(registry).into_iter().map(|view| view.project);
    entities.chain(services).chain(datasets).chain(sources).chain(views).filter(|name| !name.is_empty())
}

fn retain_project(registry: &mut Registry, project: &str) {
    let is = |name: Option<&str>| name.is_none_or(|name| name.is_empty() || name == project);
    registry.entities.retain(|entity| is(entity.spec.as_ref().map(|spec| spec.project.as_str())));
    registry.feature_views.retain(|view| is(view.spec.as_ref().map(|spec| spec.project.as_str())));
    registry.stream_feature_views.retain(|view| is(view.spec.as_ref().map(|spec| spec.project.as_str())));
    registry.on_demand_feature_views.retain(|view| is(view.spec.as_ref().map(|spec| spec.project.as_str())));
    registry.label_views.retain(|view| is(view.spec.as_ref().map(|spec| spec.project.as_str())));
    registry.feature_services.retain(|service| is(service.spec.as_ref().map(|spec| spec.project.as_str())));
    registry.saved_datasets.retain(|dataset| is(dataset.spec.as_ref().map(|spec| spec.project.as_str())));
    registry.data_sources.retain(|source| is(Some(&source.project)));
}

/// All views, those that others are computed from first.
fn views(registry: &Registry) -> Vec<View<'_>> {
    let batch = registry.feature_views.iter().filter_map(View::batch);
    let stream = registry.stream_feature_views.iter().filter_map(View::stream);
    let label = registry.label_views.iter().filter_map(View::label);
    let on_demand = registry.on_demand_feature_views.iter().filter_map(View::on_demand);
    batch.chain(stream).chain(label).chain(on_demand).collect()
}

impl Objects {
    /// All objects with what is told of them.
    pub(super) fn items(self, mut context: Context) -> Result<Vec<Item>> {
        let registry = &self.registry;
        registry.entities.iter().for_each(|entity| context.take_entity(entity));
        let views = views(registry);
        views.iter().for_each(|view| context.take_keys(view));
        let context = &context;
        let entities = registry.entities.iter().filter(|entity| entity.spec.as_ref().is_none_or(|spec| spec.name != DUMMY));
        let mut told: Vec<(&str, ObservedGroup)> = Vec::new();
        told.extend(entities.filter_map(|entity: &Entity| objects::entity(entity, context)).map(|group| ("entity", group)));
        told.extend(views.iter().map(|view| ("view", view.observed(context))));
        let services = registry.feature_services.iter().filter_map(|service: &FeatureService| objects::service(service, context));
        told.extend(services.map(|group| ("service", group)));
        let sources = registry.data_sources.iter().filter_map(|source: &DataSource| objects::source(source, context));
        told.extend(sources.map(|group| ("source", group)));
        let datasets = registry.saved_datasets.iter().filter_map(|dataset: &SavedDataset| objects::dataset(dataset, context));
        told.extend(datasets.map(|group| ("dataset", group)));
        let mut items = told.into_iter().map(|(word, group)| item(word, context, group)).collect::<Result<Vec<Item>>>()?;
        items.extend(self.broken.into_iter().map(|broken| broken_item(context, broken)));
        Ok(items)
    }
}

fn item(word: &str, context: &Context, group: ObservedGroup) -> Result<Item> {
    let (_, hash) = group.stored()?;
    let listed = Listed {
        native_id: native_id(&context.project, word, &group.name),
        // Feast keeps it as long as the object exists.
        incarnation: group.created.clone().unwrap_or_default(),
        name: group.name.clone(),
        token: Some(hash),
    };
    Ok((listed, Ok(group)))
}

/// What an object is called: a name is of one view only, whatever kind it is.
fn native_id(project: &str, word: &str, name: &str) -> String {
    format!("{project}/{word}/{name}")
}

fn broken_item(context: &Context, broken: Broken) -> Item {
    let listed = Listed {
        native_id: format!("{}/{}", context.project, broken.native_id),
        incarnation: String::new(),
        name: broken.name,
        token: None,
    };
    (listed, Err(SourceError::new(Trouble::Corrupt, broken.error)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sync::feast::proto::{EntitySpec, FeatureView, FeatureViewSpec, Project, ProjectSpec, Timestamp};

    fn whole() -> Registry {
        let entity = |name: &str| {
            let spec = EntitySpec { name: name.into(), join_key: format!("{name}_id"), project: "shop".into(), ..EntitySpec::default() };
            Entity { spec: Some(spec), meta: None }
        };
        let view = |name: &str| {
            let spec = FeatureViewSpec { name: name.into(), project: "shop".into(), ..FeatureViewSpec::default() };
            FeatureView { spec: Some(spec), meta: None }
        };
        Registry {
            entities: vec![entity("a"), entity("__dummy")],
            registry_schema_version: "1".into(),
            last_updated: Some(Timestamp { seconds: 1, nanos: 0 }),
            feature_views: vec![view("one"), view("two")],
            projects: vec![Project { spec: Some(ProjectSpec { name: "shop".into() }) }],
            ..Registry::default()
        }
    }

    #[test]
    fn no_part_of_a_registry_passes_for_a_registry() {
        let bytes = whole().encode_to_vec();
        let (project, objects) = of_file(&bytes, "r", None).unwrap();
        assert_eq!((project.as_str(), objects.items(Context::default()).unwrap().len()), ("shop", 3));
        for end in 0..bytes.len() {
            assert!(of_file(&bytes[..end], "r", None).is_err(), "cut at byte {end} of {}", bytes.len());
        }
    }

    #[test]
    fn other_versions_and_other_files_are_told() {
        let newer = Registry { registry_schema_version: "2".into(), ..whole() };
        assert!(of_file(&newer.encode_to_vec(), "r", None).unwrap_err().to_string().contains("upgrade larder"));
        assert!(of_file(b"PAR1 something else", "r", None).is_err());
        assert!(of_dump("{\"entities\": []}", "r", None).unwrap_err().to_string().contains("project"));
        assert!(of_dump("nothing", "r", None).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = of_file(&bytes, "r", None);
            let _ = of_dump(&String::from_utf8_lossy(&bytes), "r", None);
        }
    }
}
