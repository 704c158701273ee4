//! From Feast's views to feature groups.
//!
//! A view's entity columns and the time column of its source are features here, as a group has its identifier and event time among them.
//! Several entities make one identifier, their columns joined with `|`. Every kind of view is a group; what it is made of becomes
//! flows: columns of its data source one by one where Feast copies them, as a whole where code stands between.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::observed::{ObservedFeature, ObservedFlow, ObservedGroup, ObservedNode};
use super::places;
use super::proto::{
    DataSource, Duration, Entity, Feature, FeatureView, LabelView, Meta, OnDemandFeatureView, OnDemandSource, StreamFeatureView, Timestamp,
};
use super::types;
use crate::catalog::EdgeKind;
use crate::model::ttl::TtlUnit;
use crate::model::{EventTime, Ttl};

/// The column of views without entities.
const NO_ENTITY: &str = "__dummy_id";
/// The entity of views without entities.
pub(super) const DUMMY: &str = "__dummy";
const SEPARATOR: &str = "|";

/// What has to be known of a registry to translate one of its objects.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The project, which is also the namespace of its lineage, as Feast itself has it in OpenLineage.
    pub(super) project: String,
    /// The folder that relative paths start from, if it is known.
    pub(super) repository: Option<PathBuf>,
    /// Join keys of entities, by the entities' names.
    pub(super) entities: BTreeMap<String, Feature>,
    /// Join keys of views, by the views' names.
    pub(super) keys: BTreeMap<String, Vec<Feature>>,
}

impl Context {
    /// Notes an entity.
    pub(super) fn take_entity(&mut self, entity: &Entity) {
        let Some(spec) = &entity.spec else { return };
        let key = Feature { name: spec.join_key.clone(), value_type: spec.value_type, ..Feature::default() };
        self.entities.insert(spec.name.clone(), key);
    }

    /// Notes a view's join keys.
    pub(super) fn take_keys(&mut self, view: &View<'_>) {
        let keys = self.keys_of(view);
        self.keys.insert(view.name.to_owned(), keys);
    }

    /// The join keys of a view: its entity columns, which bear their types; else those of its entities; else those of the views it is
    /// made of.
    fn keys_of(&self, view: &View<'_>) -> Vec<Feature> {
        let mut keys: Vec<Feature> = view.entity_columns.iter().filter(|column| column.name != NO_ENTITY).cloned().collect();
        if keys.is_empty() {
            let entities = view.entities.iter().filter(|name| *name != DUMMY);
            keys.extend(entities.filter_map(|name| self.entities.get(name).cloned()));
        }
        for key in &mut keys {
            if key.value_type == 0
                && let Some(known) = self.entities.values().find(|known| known.name == key.name)
            {
                key.value_type = known.value_type;
            }
        }
        if keys.is_empty() {
            for key in view.made_of.iter().filter_map(|(name, _)| self.keys.get(name)).flatten() {
                if !keys.iter().any(|known| known.name == key.name) {
                    keys.push(key.clone());
                }
            }
        }
        keys
    }
}

/// A view of any kind.
#[derive(Debug, Default)]
pub(super) struct View<'a> {
    native_kind: &'static str,
    pub(super) name: &'a str,
    pub(super) project: &'a str,
    entities: &'a [String],
    entity_columns: &'a [Feature],
    features: &'a [Feature],
    tags: Option<&'a BTreeMap<String, String>>,
    description: &'a str,
    owner: &'a str,
    ttl: Option<&'a Duration>,
    online: bool,
    disabled: bool,
    batch: Option<&'a DataSource>,
    stream: Option<&'a DataSource>,
    /// Views and features of them that this one is computed from.
    made_of: Vec<(String, Vec<String>)>,
    requests: Vec<&'a DataSource>,
    /// Columns of its source that it sums up over time.
    aggregated: Vec<&'a str>,
    is_transformed: bool,
    pub(super) meta: Option<&'a Meta>,
}

impl<'a> View<'a> {
    pub(super) fn batch(view: &'a FeatureView) -> Option<Self> {
        let spec = view.spec.as_ref()?;
        Some(Self {
            native_kind: "FeatureView",
            name: &spec.name,
            project: &spec.project,
            entities: &spec.entities,
            entity_columns: &spec.entity_columns,
            features: &spec.features,
            tags: Some(&spec.tags),
            description: &spec.description,
            owner: &spec.owner,
            ttl: spec.ttl.as_ref(),
            online: spec.online,
            disabled: spec.disabled,
            batch: spec.batch_source.as_ref(),
            stream: spec.stream_source.as_ref(),
            made_of: spec.source_views.iter().map(|source| (source.name.clone(), names(&source.features))).collect(),
            is_transformed: spec.feature_transformation.is_some(),
            meta: view.meta.as_ref(),
            ..Self::default()
        })
    }

    pub(super) fn stream(view: &'a StreamFeatureView) -> Option<Self> {
        let spec = view.spec.as_ref()?;
        Some(Self {
            native_kind: "StreamFeatureView",
            name: &spec.name,
            project: &spec.project,
            entities: &spec.entities,
            entity_columns: &spec.entity_columns,
            features: &spec.features,
            tags: Some(&spec.tags),
            description: &spec.description,
            owner: &spec.owner,
            ttl: spec.ttl.as_ref(),
            online: spec.online,
            disabled: spec.disabled,
            batch: spec.batch_source.as_ref(),
            stream: spec.stream_source.as_ref(),
            aggregated: spec.aggregations.iter().map(|aggregation| aggregation.column.as_str()).collect(),
            is_transformed: spec.feature_transformation.is_some(),
            meta: view.meta.as_ref(),
            ..Self::default()
        })
    }

    pub(super) fn on_demand(view: &'a OnDemandFeatureView) -> Option<Self> {
        let spec = view.spec.as_ref()?;
        Some(Self {
            native_kind: "OnDemandFeatureView",
            name: &spec.name,
            project: &spec.project,
            entities: &spec.entities,
            entity_columns: &spec.entity_columns,
            features: &spec.features,
            tags: Some(&spec.tags),
            description: &spec.description,
            owner: &spec.owner,
            online: spec.write_to_online_store,
            disabled: spec.disabled,
            made_of: spec.sources.values().filter_map(source_view).collect(),
            requests: spec.sources.values().filter_map(|source| source.request_data_source.as_ref()).collect(),
            is_transformed: true,
            meta: view.meta.as_ref(),
            ..Self::default()
        })
    }

    pub(super) fn label(view: &'a LabelView) -> Option<Self> {
        let spec = view.spec.as_ref()?;
        let source = spec.source.as_ref();
        let behind = source.and_then(|source| source.batch_source.as_deref());
        Some(Self {
            native_kind: "LabelView",
            name: &spec.name,
            project: &spec.project,
            entities: &spec.entities,
            entity_columns: &spec.entity_columns,
            features: &spec.features,
            tags: Some(&spec.tags),
            description: &spec.description,
            owner: &spec.owner,
            ttl: spec.ttl.as_ref(),
            online: spec.online,
            batch: behind.or(source),
            stream: behind.and(source),
            meta: view.meta.as_ref(),
            ..Self::default()
        })
    }

    /// The group that it is.
    pub(super) fn observed(&self, context: &Context) -> ObservedGroup {
        let keys = context.keys_of(self);
        let time = self.time_column();
        let mut features: Vec<ObservedFeature> = keys.iter().map(types::observed).collect();
        features.extend(time.filter(|time| !self.features.iter().any(|feature| feature.name == *time)).map(time_feature));
        features.extend(self.features.iter().map(types::observed));
        let place = self.batch.and_then(|source| places::location(source, context));
        let identifier: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        ObservedGroup {
            name: self.name.to_owned(),
            native_kind: Some(self.native_kind.to_owned()),
            description: said(self.description),
            owner: said(self.owner),
            entity: entity(self.entities),
            tags: self.tags.cloned(),
            features,
            record_identifier: said(&identifier.join(SEPARATOR)),
            event_time: time.map(str::to_owned),
            ttl: self.ttl.and_then(ttl),
            online: Some(self.online),
            offline: Some(self.batch.is_some()),
            s3_uri: place.filter(|place| place.starts_with("s3://")),
            table: self.batch.and_then(places::table),
            status: self.disabled.then(|| "disabled".to_owned()),
            created: self.meta.and_then(created),
            modified: self.meta.and_then(modified),
            flows: self.flows(context, &keys),
            ..ObservedGroup::default()
        }
    }

    fn time_column(&self) -> Option<&'a str> {
        let of = |source: &'a DataSource| Some(source.timestamp_field.as_str()).filter(|field| !field.is_empty());
        self.batch.and_then(of).or_else(|| self.stream.and_then(of))
    }

    fn flows(&self, context: &Context, keys: &[Feature]) -> Vec<ObservedFlow> {
        let to = ObservedNode::group(self.name);
        let flow = |from: ObservedNode, transform: &str, fields: Vec<(String, String)>| ObservedFlow {
            from,
            to: to.clone(),
            kind: EdgeKind::Derives.as_str().to_owned(),
            transform: transform.to_owned(),
            fields,
        };
        let mut flows = Vec::new();
        for source in self.batch.into_iter().chain(self.stream) {
            let (transform, fields) = self.columns(source, keys);
            flows.push(flow(places::node(source, context), transform, fields));
        }
        for source in &self.requests {
            let columns = source.request_data_options.iter().flat_map(|options| &options.schema);
            flows.push(flow(places::node(source, context), "TRANSFORMATION", columns.map(to_whole).collect()));
        }
        for (view, features) in &self.made_of {
            let fields = features.iter().map(|feature| (feature.clone(), String::new())).collect();
            flows.push(flow(ObservedNode::group(view.as_str()), "TRANSFORMATION", fields));
        }
        flows
    }

    /// Which columns of a source become which features, and how.
    fn columns(&self, source: &DataSource, keys: &[Feature]) -> (&'static str, Vec<(String, String)>) {
        if !self.aggregated.is_empty() {
            let column = |column: &&str| ((*column).to_owned(), String::new());
            return ("AGGREGATION", self.aggregated.iter().map(column).collect());
        }
        if self.is_transformed {
            return ("TRANSFORMATION", Vec::new());
        }
        let column_of = |feature: &str| {
            let mapped = source.field_mapping.iter().find(|(_, name)| *name == feature).map(|(column, _)| column.as_str());
            mapped.unwrap_or(feature).to_owned()
        };
        let names = keys.iter().chain(self.features).map(|feature| feature.name.as_str());
        let fields = names.chain(self.time_column()).map(|name| (column_of(name), name.to_owned()));
        ("IDENTITY", fields.collect())
    }
}

fn source_view(source: &OnDemandSource) -> Option<(String, Vec<String>)> {
    if let Some(projection) = &source.feature_view_projection {
        return Some((projection.feature_view_name.clone(), names(&projection.feature_columns)));
    }
    let spec = source.feature_view.as_ref()?.spec.as_ref()?;
    Some((spec.name.clone(), names(&spec.features)))
}

fn names(features: &[Feature]) -> Vec<String> {
    features.iter().map(|feature| feature.name.clone()).collect()
}

fn to_whole(column: &Feature) -> (String, String) {
    (column.name.clone(), String::new())
}

/// The column of event times: Feast does not say its type, only that it is a time.
fn time_feature(name: &str) -> ObservedFeature {
    ObservedFeature { name: name.to_owned(), native_type: Some("timestamp".to_owned()), ..ObservedFeature::default() }
}

fn entity(entities: &[String]) -> Option<String> {
    let named: Vec<&str> = entities.iter().map(String::as_str).filter(|name| *name != DUMMY).collect();
    said(&named.join(SEPARATOR))
}

/// A text, unless it is empty: protobuf has no other way to leave one out.
pub(super) fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A ttl in its largest whole unit; none for Feast's 0, which is no limit.
fn ttl(duration: &Duration) -> Option<String> {
    use TtlUnit::{Days, Hours, Minutes, Seconds};
    let seconds = u64::try_from(duration.seconds).ok().filter(|seconds| *seconds > 0)?;
    let unit = [Days, Hours, Minutes, Seconds].into_iter().find(|unit| seconds % unit.seconds() == 0)?;
    let value = u32::try_from(seconds / unit.seconds()).ok()?;
    Ttl::new(value, unit).ok().map(|ttl| ttl.to_string())
}

pub(super) fn created(meta: &Meta) -> Option<String> {
    meta.created_timestamp.as_ref().and_then(instant)
}

pub(super) fn modified(meta: &Meta) -> Option<String> {
    meta.last_updated_timestamp.as_ref().and_then(instant)
}

/// An instant in ISO-8601; none for the zero that stands for nothing.
pub(super) fn instant(time: &Timestamp) -> Option<String> {
    if time.seconds == 0 && time.nanos == 0 {
        return None;
    }
    Some(EventTime::new(time.seconds, u32::try_from(time.nanos).ok()?)?.to_iso8601())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sync::feast::proto::{EntitySpec, FeatureViewSpec, FileOptions, LabelViewSpec, OnDemandFeatureViewSpec, Projection};

    fn feature(name: &str, value_type: i32) -> Feature {
        Feature { name: name.into(), value_type, ..Feature::default() }
    }

    fn context() -> Context {
        let mut context = Context { project: "shop".into(), repository: Some("/repo".into()), ..Context::default() };
        let spec = EntitySpec { name: "driver".into(), join_key: "driver_id".into(), value_type: 4, ..EntitySpec::default() };
        context.take_entity(&Entity { spec: Some(spec), meta: None });
        context
    }

    fn file(uri: &str) -> DataSource {
        DataSource {
            name: "stats".into(),
            source_type: 1,
            timestamp_field: "at".into(),
            field_mapping: BTreeMap::from([("rate_raw".to_owned(), "rate".to_owned())]),
            file_options: Some(FileOptions { uri: uri.into() }),
            ..DataSource::default()
        }
    }

    #[test]
    fn a_view_has_its_keys_its_time_and_the_columns_it_copies() {
        let spec = FeatureViewSpec {
            name: "stats".into(),
            entities: vec!["driver".into()],
            features: vec![feature("rate", 6)],
            ttl: Some(Duration { seconds: 172_800, nanos: 0 }),
            batch_source: Some(file("data/stats.parquet")),
            online: true,
            ..FeatureViewSpec::default()
        };
        let view = FeatureView { spec: Some(spec), meta: None };
        let group = View::batch(&view).unwrap().observed(&context());
        let names: Vec<&str> = group.features.iter().map(|feature| feature.name.as_str()).collect();
        assert_eq!(names, ["driver_id", "at", "rate"]);
        assert_eq!(group.features[0].feature_type.as_deref(), Some("Integral"), "the entity says it where the view does not");
        assert_eq!((group.record_identifier.as_deref(), group.event_time.as_deref()), (Some("driver_id"), Some("at")));
        assert_eq!((group.ttl.as_deref(), group.online, group.offline), (Some("2d"), Some(true), Some(true)));
        let flow = &group.flows[0];
        assert_eq!((flow.from.namespace.as_str(), flow.from.name.as_str()), ("file", "/repo/data/stats.parquet"));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(flow.fields, [pair("driver_id", "driver_id"), pair("rate_raw", "rate"), pair("at", "at")]);
    }

    #[test]
    fn several_entities_make_one_identifier_and_the_dummy_none() {
        let spec = |columns: &[&str]| FeatureViewSpec {
            entities: vec!["a".into()],
            entity_columns: columns.iter().map(|name| feature(name, 2)).collect(),
            ..FeatureViewSpec::default()
        };
        let of = |spec: FeatureViewSpec| {
            let view = FeatureView { spec: Some(spec), meta: None };
            View::batch(&view).unwrap().observed(&context()).record_identifier
        };
        assert_eq!(of(spec(&["driver_id", "zone"])).as_deref(), Some("driver_id|zone"));
        assert_eq!(of(spec(&["__dummy_id"])), None);
    }

    #[test]
    fn an_on_demand_view_is_made_of_features_and_has_the_keys_of_their_views() {
        let mut context = context();
        context.keys.insert("stats".into(), vec![feature("driver_id", 4)]);
        let projection = Projection { feature_view_name: "stats".into(), feature_columns: vec![feature("rate", 6)] };
        let source = OnDemandSource { feature_view_projection: Some(projection), ..OnDemandSource::default() };
        let spec = OnDemandFeatureViewSpec {
            name: "plus".into(),
            entities: vec!["__dummy".into()],
            entity_columns: vec![feature("__dummy_id", 2)],
            features: vec![feature("rate_plus", 5)],
            sources: BTreeMap::from([("stats".to_owned(), source)]),
            ..OnDemandFeatureViewSpec::default()
        };
        let view = OnDemandFeatureView { spec: Some(spec), meta: None };
        let group = View::on_demand(&view).unwrap().observed(&context);
        assert_eq!(group.record_identifier.as_deref(), Some("driver_id"));
        assert_eq!((group.entity, group.event_time), (None, None));
        assert_eq!(group.flows[0].from, ObservedNode::group("stats"));
        assert_eq!((group.flows[0].transform.as_str(), group.flows[0].fields.len()), ("TRANSFORMATION", 1));
    }

    #[test]
    fn labels_pushed_over_a_file_come_from_both() {
        let push = DataSource { name: "push".into(), source_type: 9, batch_source: Some(Box::new(file("s3://b/k.parquet"))), ..file("") };
        let spec = LabelViewSpec { name: "labels".into(), source: Some(push), ..LabelViewSpec::default() };
        let group = View::label(&LabelView { spec: Some(spec), meta: None }).unwrap().observed(&context());
        let from: Vec<(&str, &str)> = group.flows.iter().map(|flow| (flow.from.namespace.as_str(), flow.from.name.as_str())).collect();
        assert_eq!(from, [("s3://b", "k.parquet"), ("shop", "push")]);
        assert_eq!(group.s3_uri.as_deref(), Some("s3://b/k.parquet"));
    }

    #[test]
    fn a_ttl_of_nothing_is_no_limit() {
        let of = |seconds| ttl(&Duration { seconds, nanos: 0 });
        assert_eq!((of(0), of(-1), of(90), of(7_200)), (None, None, Some("90s".into()), Some("2h".into())));
    }
}
