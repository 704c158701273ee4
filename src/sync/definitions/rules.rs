//! What the schema can't say: from a document of the right shape to a definition that can't be wrong, each fault with its place.

use std::collections::BTreeMap;

use super::defaults::Defaults;
use super::definition::{DEPRECATED, DOCS, Definition, ENTITY, Flow, NO, PII, REPLACED_BY, STAGE, Storage, YES};
use super::document::{
    Between, CollectionDocument, ConsumerDocument, ExpectationsDocument, FeatureDocument, GroupDocument, Matches, NotNull, OneOf,
    OutsideKind, SourceDocument, ThroughputMode, ViolationDocument,
};
use super::fault::Place;
use super::format::Flaw;
use super::shape::shown;
use super::tree::Node;
use crate::model::expectation::Finite;
use crate::model::group::GLUE_CATALOG;
use crate::model::limits;
use crate::model::suggest::suggest;
use crate::model::{
    Collection, DriftLimits, Error, Expectation, FeatureDefinition, FeatureName, FeatureType, GlueTable, GroupExpectations, GroupName,
    OnViolation, Result, Rule, Schema, Throughput, Ttl,
};
use crate::store::statistics::check_drift_limits;

/// Reads a document of the right shape; everything that is wrong with it otherwise.
pub(super) fn define(file: &str, node: &Node, document: &GroupDocument, defaults: &Defaults) -> std::result::Result<Definition, Vec<Flaw>> {
    let mut rules = Rules { node, flaws: Vec::new() };
    let name = rules.take(&["name"], GroupName::parse(&document.name));
    let features = rules.features(document);
    let schema = rules.schema(document, features);
    let (renamed, removed) = (rules.renamed(document), rules.removed(document));
    let ttl = document.online.as_ref().and_then(|online| online.ttl.as_deref());
    let ttl = ttl.and_then(|ttl| rules.take(&["online", "ttl"], ttl.parse::<Ttl>()));
    let tags = rules.tags(document, defaults);
    let storage = rules.storage(document, defaults, ttl.is_some());
    let expectations = rules.group_expectations(document);
    let flows = rules.flows(document);
    match (name, schema, rules.flaws.is_empty()) {
        (Some(name), Some(schema), true) => Ok(Definition {
            place: Place { file: file.to_owned(), line: node.at.line, column: node.at.column },
            name,
            description: document.description.clone().filter(|text| !text.is_empty()),
            owner: document.owner.clone().or_else(|| defaults.owner.clone()),
            tags,
            schema,
            renamed,
            removed,
            ttl,
            expectations,
            storage,
            flows,
        }),
        _ => Err(rules.flaws),
    }
}

struct Rules<'a> {
    node: &'a Node,
    flaws: Vec<Flaw>,
}

impl Rules<'_> {
    fn flaw(&mut self, path: &[&str], message: impl Into<String>) {
        self.flaws.push((self.node.place(path), message.into()));
    }

    /// The value, or none and a flaw at that place.
    fn take<T>(&mut self, path: &[&str], result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.flaw(path, error.to_string());
                None
            }
        }
    }

    fn features(&mut self, document: &GroupDocument) -> Vec<FeatureDefinition> {
        let mut features: Vec<FeatureDefinition> = Vec::with_capacity(document.features.len());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut vector: Option<usize> = None;
        for (position, written) in document.features.iter().enumerate() {
            let at = position.to_string();
            if let Some(earlier) = seen.insert(written.name.to_ascii_lowercase(), position) {
                let line = self.node.place(&["features", &earlier.to_string(), "name"]).line;
                self.flaw(
                    &["features", &at, "name"],
                    format!("'{}' is a feature already (line {line}; case does not count)", shown(&written.name)),
                );
            }
            if written.collection == Some(CollectionDocument::Vector)
                && let Some(earlier) = vector.replace(position)
            {
                let line = self.node.place(&["features", &earlier.to_string()]).line;
                self.flaw(
                    &["features", &at, "collection"],
                    format!("a second vector (the first is in line {line}); keep one, make the others lists"),
                );
            }
            features.extend(self.feature(&at, written));
        }
        features
    }

    /// Features with the names they had before.
    fn renamed(&mut self, document: &GroupDocument) -> Vec<(FeatureName, String)> {
        let mut renamed: Vec<(FeatureName, String)> = Vec::new();
        for (position, feature) in document.features.iter().enumerate() {
            let Some(old) = &feature.renamed_from else { continue };
            let at = position.to_string();
            let is_known = document.features.iter().any(|known| known.name == *old);
            if is_known || renamed.iter().any(|(_, known)| known.eq_ignore_ascii_case(old)) {
                let what = if is_known { "is among the features" } else { "became another feature already" };
                self.flaw(&["features", &at, "renamed_from"], format!("'{}' {what}; one name can't be two features", shown(old)));
            }
            // A name that is none is told where it stands.
            renamed.extend(FeatureName::parse(&feature.name).ok().map(|name| (name, old.clone())));
        }
        renamed
    }

    fn removed(&mut self, document: &GroupDocument) -> Vec<String> {
        for (position, name) in document.removed.iter().enumerate() {
            if document.features.iter().any(|feature| feature.name.eq_ignore_ascii_case(name)) {
                self.flaw(&["removed", &position.to_string()], format!("'{}' is among the features; keep it in one of both", shown(name)));
            }
        }
        document.removed.clone()
    }

    fn feature(&mut self, at: &str, written: &FeatureDocument) -> Option<FeatureDefinition> {
        let before = self.flaws.len();
        let here = |field: &'static str| ["features", at, field];
        let name = self.take(&here("name"), FeatureName::parse(&written.name));
        if name.as_ref().is_some_and(FeatureName::is_reserved) {
            self.flaw(
                &here("name"),
                format!("'{}' can't be a feature name (the offline store has a column of that name); rename it", written.name),
            );
        }
        let feature_type = self.take(&here("type"), written.feature_type.parse::<FeatureType>());
        let collection = match (written.collection, written.dimension) {
            (Some(CollectionDocument::Vector), Some(dimension)) => {
                if feature_type.is_some_and(|known| known != FeatureType::Fractional) {
                    self.flaw(&here("type"), "a vector holds Fractional values");
                }
                Some(Collection::Vector { dimension })
            }
            (Some(CollectionDocument::Vector), None) => {
                self.flaw(&here("collection"), "a vector needs its dimension");
                None
            }
            (other, dimension) => {
                if dimension.is_some() {
                    self.flaw(&here("dimension"), "only a vector has a dimension; say `collection: vector`, or leave it out");
                }
                other.map(|other| if other == CollectionDocument::Set { Collection::Set } else { Collection::List })
            }
        };
        let said = |yes: Option<bool>| yes.map(|yes| if yes { YES } else { NO }.to_owned());
        let own = [(PII, said(written.pii)), (DEPRECATED, said(written.deprecated)), (REPLACED_BY, written.replaced_by.clone())];
        let parameters = self.merged(&["features", at], "parameters", &written.parameters, own);
        if let Err(error) = limits::check_parameters(&written.name, &parameters) {
            self.flaw(&here("parameters"), error.to_string());
        }
        let (expectations, drift) = self.expectations(at, written.expectations.as_ref());
        let (name, feature_type) = (name?, feature_type?);
        let description = written.description.clone().filter(|text| !text.is_empty());
        let definition =
            FeatureDefinition { collection, description, parameters, expectations, drift, ..FeatureDefinition::new(name, feature_type) };
        (self.flaws.len() == before).then_some(definition)
    }

    /// Labels, with those that have a field of their own; one that is said twice must be said alike.
    fn merged<const N: usize>(
        &mut self,
        path: &[&str],
        field: &str,
        written: &BTreeMap<String, String>,
        own: [(&'static str, Option<String>); N],
    ) -> BTreeMap<String, String> {
        let mut merged = written.clone();
        for (key, value) in own {
            let Some(value) = value else { continue };
            if merged.insert(key.to_owned(), value.clone()).is_some_and(|known| known != value) {
                let path: Vec<&str> = path.iter().copied().chain([field, key]).collect();
                self.flaw(&path, format!("'{key}' is said twice, and not alike; keep the field '{key}'"));
            }
        }
        merged
    }

    fn expectations(&mut self, at: &str, written: Option<&ExpectationsDocument>) -> (Vec<Expectation>, DriftLimits) {
        let Some(written) = written else { return (Vec::new(), DriftLimits::new()) };
        let mut expectations = Vec::new();
        for (word, rule, on_violation) in rules_of(written) {
            let path = ["features", at, "expectations", word];
            let checked = rule.and_then(|rule| rule.check().map(|()| rule));
            expectations.extend(self.take(&path, checked).map(|rule| Expectation { rule, on_violation: violation(on_violation) }));
        }
        let mut drift = DriftLimits::new();
        for (metric, [watch, alert]) in &written.drift {
            let path = ["features", at, "expectations", "drift", metric];
            let limits = Finite::try_from(*watch).and_then(|watch| Ok((watch, Finite::try_from(*alert)?)));
            let Some(limits) = self.take(&path, limits) else { continue };
            let one = DriftLimits::from([(metric.clone(), limits)]);
            if self.take(&path, check_drift_limits(&one)).is_some() {
                drift.extend(one);
            }
        }
        (expectations, drift)
    }

    fn schema(&mut self, document: &GroupDocument, features: Vec<FeatureDefinition>) -> Option<Schema> {
        let before = self.flaws.len();
        self.key(document, "record_identifier", &document.record_identifier, &FeatureType::ALL);
        self.key(document, "event_time", &document.event_time, &[FeatureType::String, FeatureType::Fractional]);
        if document.record_identifier.eq_ignore_ascii_case(&document.event_time) {
            self.flaw(
                &["event_time"],
                format!("'{}' is the record identifier already; name two different features", shown(&document.event_time)),
            );
        }
        if before != self.flaws.len() || features.len() != document.features.len() {
            // What was said already explains it.
            return None;
        }
        self.take(&["features"], Schema::new(features, &document.record_identifier, &document.event_time))
    }

    fn key(&mut self, document: &GroupDocument, role: &'static str, name: &str, types: &[FeatureType]) {
        let Some(feature) = document.features.iter().find(|feature| feature.name.eq_ignore_ascii_case(name)) else {
            let near = suggest(name, document.features.iter().map(|feature| feature.name.as_str()));
            let remedy = near.map_or_else(|| "add it to the features".to_owned(), |near| format!("did you mean '{}'?", shown(near)));
            return self.flaw(&[role], format!("'{}' is not among the features; {remedy}", shown(name)));
        };
        let feature_type = feature.feature_type.parse::<FeatureType>().ok();
        if feature.collection.is_some() || feature_type.is_some_and(|known| !types.contains(&known)) {
            let names: Vec<&str> = types.iter().map(|known| known.as_str()).collect();
            self.flaw(
                &[role],
                format!("'{}' can't be the {}; use a feature of type {}", shown(name), role.replace('_', " "), names.join(" or ")),
            );
        }
    }

    fn tags(&mut self, document: &GroupDocument, defaults: &Defaults) -> BTreeMap<String, String> {
        let said = document.tags.contains_key(STAGE);
        let stage = document.stage.or(if said { None } else { defaults.stage }).map(|stage| stage.as_str().to_owned());
        let said = document.tags.contains_key(ENTITY);
        let entity = document.entity.clone().or_else(|| if said { None } else { defaults.entity.clone() });
        let mut written = defaults.tags.clone();
        for key in [STAGE, ENTITY] {
            // A field of the document stands before a default of the same meaning.
            written.remove(key);
        }
        written.extend(document.tags.clone());
        let own = [(STAGE, stage), (ENTITY, entity), (DOCS, document.docs.clone()), (REPLACED_BY, document.replaced_by.clone())];
        let tags = self.merged(&[], "tags", &written, own);
        if let Err(error) = limits::check_tags(&tags) {
            let field = [DOCS, ENTITY, REPLACED_BY]
                .into_iter()
                .find(|key| error.what().contains(&format!("tag '{key}'")) && self.node.get(key).is_some());
            self.flaw(&[field.unwrap_or("tags")], error.to_string());
        }
        tags
    }

    fn storage(&mut self, document: &GroupDocument, defaults: &Defaults, has_ttl: bool) -> Storage {
        let (online, offline) = (document.online.clone().unwrap_or_default(), document.offline.clone().unwrap_or_default());
        let is_external = offline.external.is_some();
        let has_online = online.enabled.unwrap_or(!is_external);
        let has_offline = offline.enabled.unwrap_or(true);
        if !has_online && !has_offline {
            self.flaw(&["offline", "enabled"], "the group has no store; keep the online store, the offline store or both");
        }
        if is_external && has_online {
            self.flaw(
                &["online", "enabled"],
                "a group of external files can't have an online store; ingest the files into a group of their own instead",
            );
        }
        if is_external && !has_offline {
            self.flaw(&["offline", "external"], "external files are an offline store; leave `enabled: false` out");
        }
        if !has_online && has_ttl {
            self.flaw(&["online", "ttl"], "a ttl needs an online store");
        }
        let tier = online.storage.map(|tier| tier.as_str());
        let collection = document.features.iter().position(|feature| feature.collection.is_some());
        if let (Some(tier @ ("Standard" | "Standard_V2")), Some(position)) = (tier, collection) {
            let at = position.to_string();
            self.flaw(
                &["features", &at, "collection"],
                format!("a collection can't be in an online store of tier {tier}; say `storage: InMemory`, or leave it out"),
            );
        }
        let throughput = document.throughput.as_ref().map(|written| Throughput {
            mode: if written.mode == ThroughputMode::OnDemand { "OnDemand" } else { "Provisioned" }.to_owned(),
            read_units: written.read_units,
            write_units: written.write_units,
        });
        if let Some(throughput) = &throughput
            && (throughput.mode == "Provisioned") != (throughput.read_units.is_some() && throughput.write_units.is_some())
        {
            self.flaw(&["throughput"], "Provisioned needs read_units and write_units, OnDemand has neither");
        }
        Storage {
            online: online.enabled.or(is_external.then_some(false)),
            storage_type: tier.map(str::to_owned),
            online_kms_key: online.kms_key,
            offline: offline.enabled,
            s3_uri: offline.s3_uri.or_else(|| defaults.s3_uri.clone().filter(|_| has_offline && !is_external)),
            external: offline.external,
            offline_kms_key: offline.kms_key,
            table_format: offline.format.map(|format| format.as_str().to_owned()),
            glue_table: offline.glue.map(|names| GlueTable {
                catalog: GLUE_CATALOG.to_owned(),
                database: names.database,
                table: names.table,
            }),
            without_glue_table: offline.disable_glue,
            throughput,
            role_arn: document.role_arn.clone().or_else(|| defaults.role_arn.clone()),
        }
    }

    fn group_expectations(&mut self, document: &GroupDocument) -> GroupExpectations {
        let max_age =
            document.freshness.as_ref().and_then(|freshness| self.take(&["freshness", "error_after"], freshness.error_after.parse()));
        let written = document.expectations.clone().unwrap_or_default();
        let is_key = |names: &[String]| {
            let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
            has(&document.record_identifier) && has(&document.event_time)
        };
        if written.unique.as_deref().is_some_and(|names| !is_key(names)) {
            let keys = format!("[{}, {}]", shown(&document.record_identifier), shown(&document.event_time));
            self.flaw(&["expectations", "unique"], format!("records are unique by record identifier and event time; write {keys}"));
        }
        GroupExpectations { unique: written.unique.is_some(), max_age, min_rows: written.row_count.map(|rows| rows.min) }
    }

    fn flows(&mut self, document: &GroupDocument) -> Vec<Flow> {
        let mut flows = Vec::new();
        for (position, SourceDocument { kind, name, features }) in document.sources.iter().enumerate() {
            let outside = self.outside(["sources", &position.to_string(), "name"], kind.unwrap_or(OutsideKind::Source), name);
            for inside in self.inside(document, ["sources", &position.to_string(), "features"], features) {
                flows.push(Flow { from: outside.clone(), to: inside });
            }
        }
        for (position, ConsumerDocument { kind, name, uses }) in document.consumers.iter().enumerate() {
            let outside = self.outside(["consumers", &position.to_string(), "name"], *kind, name);
            for inside in self.inside(document, ["consumers", &position.to_string(), "uses"], uses) {
                flows.push(Flow { from: inside, to: outside.clone() });
            }
        }
        flows.sort();
        flows.dedup();
        flows
    }

    fn outside(&mut self, path: [&str; 3], kind: OutsideKind, name: &str) -> String {
        if name.chars().any(char::is_control) || name.trim() != name {
            self.flaw(
                &path,
                format!("'{}' is no name for a {}; leave control characters and outer blanks out", shown(name), kind.as_str()),
            );
        }
        format!("{}:{name}", kind.as_str())
    }

    fn inside(&mut self, document: &GroupDocument, path: [&str; 3], names: &[String]) -> Vec<String> {
        if names.is_empty() {
            return vec![document.name.clone()];
        }
        let mut inside = Vec::with_capacity(names.len());
        for (position, name) in names.iter().enumerate() {
            match document.features.iter().find(|feature| feature.name.eq_ignore_ascii_case(name)) {
                Some(feature) => inside.push(format!("{}.{}", document.name, feature.name)),
                None => {
                    let near = suggest(name, document.features.iter().map(|feature| feature.name.as_str()));
                    let remedy = near.map_or_else(String::new, |near| format!("; did you mean '{}'?", shown(near)));
                    let at = position.to_string();
                    self.flaw(&[path[0], path[1], path[2], &at], format!("'{}' is not among the features{remedy}", shown(name)));
                }
            }
        }
        inside
    }
}

type WrittenRule = (&'static str, Result<Rule>, Option<ViolationDocument>);

fn rules_of(written: &ExpectationsDocument) -> Vec<WrittenRule> {
    let mut rules = Vec::new();
    let share = |share: Option<f64>| Finite::try_from(share.unwrap_or(1.0)).map(|at_least| Rule::NotNull { at_least });
    match &written.not_null {
        None => {}
        Some(NotNull::All(true)) => rules.push(("not_null", share(None), None)),
        Some(NotNull::All(false)) => {
            rules.push(("not_null", Err(Error::invalid("`not_null: false` expects nothing").remedy("leave it out")), None));
        }
        Some(NotNull::Full(rule)) => rules.push(("not_null", share(rule.at_least), rule.on_violation)),
    }
    let between = |min: Option<f64>, max: Option<f64>| {
        Ok(Rule::Between { min: min.map(Finite::try_from).transpose()?, max: max.map(Finite::try_from).transpose()? })
    };
    match &written.between {
        None => {}
        Some(Between::Both([min, max])) => rules.push(("between", between(Some(*min), Some(*max)), None)),
        Some(Between::Full(rule)) => rules.push(("between", between(rule.min, rule.max), rule.on_violation)),
    }
    let one_of = |values: &[String]| Ok(Rule::OneOf { values: values.iter().cloned().collect() });
    match &written.one_of {
        None => {}
        Some(OneOf::Values(values)) => rules.push(("one_of", one_of(values), None)),
        Some(OneOf::Full(rule)) => rules.push(("one_of", one_of(&rule.values), rule.on_violation)),
    }
    match &written.matches {
        None => {}
        Some(Matches::Pattern(pattern)) => rules.push(("matches", Ok(Rule::Matches { pattern: pattern.clone() }), None)),
        Some(Matches::Full(rule)) => rules.push(("matches", Ok(Rule::Matches { pattern: rule.pattern.clone() }), rule.on_violation)),
    }
    rules
}

fn violation(written: Option<ViolationDocument>) -> OnViolation {
    match written {
        None | Some(ViolationDocument::Reject) => OnViolation::Reject,
        Some(ViolationDocument::Quarantine) => OnViolation::Quarantine,
        Some(ViolationDocument::Warn) => OnViolation::Warn,
    }
}
