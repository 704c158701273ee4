//! What a Feast registry holds besides views: entities, services, data sources and saved datasets, in the form of groups.

use super::super::observed::{ObservedFeature, ObservedFlow, ObservedGroup, ObservedKind, ObservedNode};
use super::places;
use super::proto::{DataSource, Entity, Feature, FeatureService, FileOptions, Projection, SavedDataset};
use super::translate::{Context, created, instant, modified, said};
use super::types;
use crate::catalog::{EdgeKind, NodeKind};

/// An entity: its join key is its only feature.
pub(super) fn entity(entity: &Entity, context: &Context) -> Option<ObservedGroup> {
    let spec = entity.spec.as_ref()?;
    let key = context.entities.get(&spec.name).cloned().unwrap_or_else(|| Feature { name: spec.join_key.clone(), ..Feature::default() });
    Some(ObservedGroup {
        kind: ObservedKind::Entity,
        name: spec.name.clone(),
        description: said(&spec.description),
        owner: said(&spec.owner),
        tags: Some(spec.tags.clone()),
        features: vec![types::observed(&key)],
        record_identifier: said(&spec.join_key),
        created: entity.meta.as_ref().and_then(created),
        modified: entity.meta.as_ref().and_then(modified),
        ..ObservedGroup::default()
    })
}

/// A feature service: a selection of features, each as `view:feature`.
pub(super) fn service(service: &FeatureService, context: &Context) -> Option<ObservedGroup> {
    let spec = service.spec.as_ref()?;
    let to = view_node(&spec.name, context);
    Some(ObservedGroup {
        kind: ObservedKind::Service,
        name: spec.name.clone(),
        native_kind: Some("FeatureService".to_owned()),
        description: said(&spec.description),
        owner: said(&spec.owner),
        tags: Some(spec.tags.clone()),
        features: spec.features.iter().flat_map(selected).collect(),
        created: service.meta.as_ref().and_then(created),
        modified: service.meta.as_ref().and_then(modified),
        flows: spec.features.iter().map(|view| selection(&view.feature_view_name, feature_names(view), &to)).collect(),
        ..ObservedGroup::default()
    })
}

/// A saved dataset: the features it was made of, and where it lies.
pub(super) fn dataset(dataset: &SavedDataset, context: &Context) -> Option<ObservedGroup> {
    let spec = dataset.spec.as_ref()?;
    let to = ObservedNode::outside(NodeKind::Dataset, &context.project, &spec.name);
    let mut flows: Vec<ObservedFlow> = Vec::new();
    for (view, feature) in spec.features.iter().filter_map(|name| name.split_once(':')) {
        match flows.iter_mut().find(|flow| flow.from.name == view) {
            Some(flow) => flow.fields.push((feature.to_owned(), String::new())),
            None => flows.push(selection(view, vec![feature.to_owned()], &to)),
        }
    }
    if !spec.feature_service_name.is_empty() {
        let from = view_node(&spec.feature_service_name, context);
        flows.push(ObservedFlow { from, to, kind: EdgeKind::Selects.as_str().to_owned(), ..ObservedFlow::default() });
    }
    let file = spec.storage.as_ref().and_then(|storage| storage.file_storage.clone());
    Some(ObservedGroup {
        kind: ObservedKind::Dataset,
        name: spec.name.clone(),
        native_kind: Some("SavedDataset".to_owned()),
        description: said(&spec.description),
        tags: Some(spec.tags.clone()),
        features: spec.features.iter().map(|name| ObservedFeature { name: name.clone(), ..ObservedFeature::default() }).collect(),
        location: file.and_then(|file| of_file(file, context)),
        created: dataset.meta.as_ref().and_then(created),
        modified: dataset.meta.as_ref().and_then(modified),
        flows,
        ..ObservedGroup::default()
    })
}

/// A data source: where features come from.
pub(super) fn source(source: &DataSource, context: &Context) -> Option<ObservedGroup> {
    let meta = source.meta.as_ref();
    let schema = source.request_data_options.iter().flat_map(|options| &options.schema);
    let behind = source.batch_source.as_deref();
    let flow = |behind: &DataSource| ObservedFlow {
        from: places::node(behind, context),
        to: places::node(source, context),
        kind: EdgeKind::Derives.as_str().to_owned(),
        ..ObservedFlow::default()
    };
    let place = places::location(source, context).or_else(|| behind.and_then(|behind| places::location(behind, context)));
    (!source.name.is_empty()).then(|| ObservedGroup {
        kind: ObservedKind::Source,
        name: source.name.clone(),
        native_kind: types::source_type_name(source.source_type).map(str::to_owned),
        description: said(&source.description),
        owner: said(&source.owner),
        tags: Some(source.tags.clone()),
        features: schema.map(types::observed).collect(),
        event_time: said(&source.timestamp_field),
        table: places::table(source),
        location: place,
        created: meta.and_then(|meta| meta.created_timestamp.as_ref()).and_then(instant),
        modified: meta.and_then(|meta| meta.last_updated_timestamp.as_ref()).and_then(instant),
        flows: behind.map(flow).into_iter().collect(),
        ..ObservedGroup::default()
    })
}

fn view_node(service: &str, context: &Context) -> ObservedNode {
    ObservedNode::outside(NodeKind::View, &context.project, service)
}

fn feature_names(view: &Projection) -> Vec<String> {
    view.feature_columns.iter().map(|feature| feature.name.clone()).collect()
}

fn selection(view: &str, features: Vec<String>, to: &ObservedNode) -> ObservedFlow {
    ObservedFlow {
        from: ObservedNode::group(view),
        to: to.clone(),
        kind: EdgeKind::Selects.as_str().to_owned(),
        transform: String::new(),
        fields: features.into_iter().map(|feature| (feature, String::new())).collect(),
    }
}

fn selected(view: &Projection) -> Vec<ObservedFeature> {
    let named =
        |feature: &Feature| ObservedFeature { name: format!("{}:{}", view.feature_view_name, feature.name), ..types::observed(feature) };
    view.feature_columns.iter().map(named).collect()
}

fn of_file(file: FileOptions, context: &Context) -> Option<String> {
    places::location(&DataSource { file_options: Some(file), ..DataSource::default() }, context)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sync::feast::proto::{FeatureServiceSpec, SavedDatasetSpec};

    #[test]
    fn services_and_datasets_select_features_of_views() {
        let context = Context { project: "shop".into(), ..Context::default() };
        let rate = Feature { name: "rate".into(), value_type: 6, ..Feature::default() };
        let projection = Projection { feature_view_name: "stats".into(), feature_columns: vec![rate] };
        let spec = FeatureServiceSpec { name: "v1".into(), features: vec![projection], ..FeatureServiceSpec::default() };
        let made = service(&FeatureService { spec: Some(spec), meta: None }, &context).unwrap();
        assert_eq!((made.kind, made.features[0].name.as_str()), (ObservedKind::Service, "stats:rate"));
        let fields = [("rate".to_owned(), String::new())];
        assert_eq!((made.flows[0].to.clone(), &made.flows[0].fields[..]), (view_node("v1", &context), &fields[..]));

        let features = ["stats:rate", "stats:trips", "plus:rate"].map(str::to_owned).to_vec();
        let spec = SavedDatasetSpec { name: "d".into(), features, feature_service_name: "v1".into(), ..SavedDatasetSpec::default() };
        let made = dataset(&SavedDataset { spec: Some(spec), meta: None }, &context).unwrap();
        let from: Vec<(&str, usize)> = made.flows.iter().map(|flow| (flow.from.name.as_str(), flow.fields.len())).collect();
        assert_eq!(from, [("stats", 2), ("plus", 1), ("v1", 0)]);
    }
}
