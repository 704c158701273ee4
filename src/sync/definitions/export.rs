//! Writes groups of a store as definition files. Reading what was written and planning it shows no change.

use super::definition::{DEPRECATED, DOCS, ENTITY, NO, PII, REPLACED_BY, STAGE, YES};
use super::document::{
    ApiVersion, Between, BetweenRule, CollectionDocument, ConsumerDocument, ExpectationsDocument, FeatureDocument, FreshnessDocument,
    GlueDocument, GroupDocument, GroupExpectationsDocument, GroupKind, Matches, MatchesRule, NotNull, NotNullRule, OfflineDocument, OneOf,
    OneOfRule, OnlineDocument, OutsideKind, RowCountDocument, SourceDocument, Stage, StorageTier, TableFormat, ThroughputDocument,
    ThroughputMode, ViolationDocument,
};
use crate::model::{Collection, Error, FeatureDefinition, FeatureGroup, OnViolation, Result, Rule};
use crate::store::FeatureStore;

/// A definition file that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Name of the group.
    pub group: String,
    /// Name of the file.
    pub file: String,
    /// What it holds: YAML.
    pub text: String,
}

/// The definitions of groups: of those that are named, or of all.
///
/// # Errors
/// `NotFound` for a name that no group has.
pub async fn export(store: &FeatureStore, names: &[String]) -> Result<Vec<Exported>> {
    let groups = if names.is_empty() {
        store.list_groups().await?
    } else {
        let mut groups = Vec::with_capacity(names.len());
        for name in names {
            groups.push(FeatureGroup::clone(&*store.group(name).await?));
        }
        groups.dedup_by(|one, two| one.id == two.id);
        groups
    };
    let mut exported = Vec::with_capacity(groups.len());
    for group in groups {
        let flows = store.declared_of_group(&group).await?;
        let document = document(&group, &flows);
        let text = serde_saphyr::to_string(&document)
            .map_err(|error| Error::internal(format!("the definition of '{}' can't be written", group.name)).why(error.to_string()))?;
        exported.push(Exported { group: group.name.to_string(), file: format!("{}.larder.yaml", group.name), text });
    }
    Ok(exported)
}

fn document(group: &FeatureGroup, flows: &[(String, String)]) -> GroupDocument {
    let mut tags = group.tags.clone();
    let stage = Stage::ALL.into_iter().find(|stage| tags.get(STAGE).is_some_and(|known| known == stage.as_str()));
    if stage.is_some() {
        tags.remove(STAGE);
    }
    // A field is written where its value fits it, and the label otherwise.
    let mut own = |key: &str, most: usize| match tags.get(key) {
        Some(value) if (1..=most).contains(&value.chars().count()) => tags.remove(key),
        _ => None,
    };
    let (docs, entity, replaced_by) = (own(DOCS, 256), own(ENTITY, 256), own(REPLACED_BY, 64));
    let declared = group.declared();
    let (sources, consumers) = lineage(group, flows);
    let expectations = GroupExpectationsDocument {
        row_count: group.expectations.min_rows.filter(|rows| *rows > 0).map(|min| RowCountDocument { min }),
        unique: group
            .expectations
            .unique
            .then(|| vec![group.schema.identifier().name.to_string(), group.schema.event_time().name.to_string()]),
    };
    GroupDocument {
        api_version: ApiVersion::V1,
        kind: GroupKind::FeatureGroup,
        name: group.name.to_string(),
        description: group.description.clone(),
        docs,
        owner: group.owner.clone(),
        stage,
        replaced_by,
        entity,
        tags,
        record_identifier: group.schema.identifier().name.to_string(),
        event_time: group.schema.event_time().name.to_string(),
        features: group.schema.features().iter().map(feature).collect(),
        removed: group.schema.removed().iter().map(|gone| gone.feature.name.to_string()).collect(),
        online: Some(online(group)),
        offline: Some(offline(group)),
        throughput: declared.and_then(|declared| declared.throughput.as_ref()).and_then(|throughput| {
            let mode = if throughput.mode == "Provisioned" { ThroughputMode::Provisioned } else { ThroughputMode::OnDemand };
            let units = (throughput.read_units, throughput.write_units);
            let fits = (mode == ThroughputMode::Provisioned) == (units.0.is_some() && units.1.is_some());
            fits.then_some(ThroughputDocument { mode, read_units: units.0, write_units: units.1 })
        }),
        role_arn: declared.and_then(|declared| declared.role_arn.clone()).filter(|role| is_role(role)),
        freshness: group.expectations.max_age.map(|age| FreshnessDocument { error_after: age.to_string() }),
        expectations: (expectations != GroupExpectationsDocument::default()).then_some(expectations),
        sources,
        consumers,
    }
}

/// Whether a role is written as definition files want it; one that isn't is the store's own business.
fn is_role(role: &str) -> bool {
    role.starts_with("arn:aws") && role.contains(":role/") && (20..=2_048).contains(&role.len())
}

fn online(group: &FeatureGroup) -> OnlineDocument {
    let Some(online) = &group.online else { return OnlineDocument { enabled: Some(false), ..OnlineDocument::default() } };
    let tier = online.declared.storage_type.as_deref();
    let has_collections = group.schema.features().iter().any(|feature| feature.collection.is_some());
    let fits = |tier: &StorageTier| !has_collections || *tier == StorageTier::InMemory;
    OnlineDocument {
        enabled: Some(true),
        storage: StorageTier::ALL.into_iter().find(|known| Some(known.as_str()) == tier).filter(fits),
        ttl: online.ttl.map(|ttl| ttl.to_string()),
        // Of a group without an offline store both are one.
        kms_key: online.declared.kms_key.clone(),
    }
}

fn offline(group: &FeatureGroup) -> OfflineDocument {
    let Some(offline) = &group.offline else { return OfflineDocument { enabled: Some(false), ..OfflineDocument::default() } };
    let declared = &offline.declared;
    OfflineDocument {
        enabled: Some(true),
        s3_uri: offline.external.is_none().then(|| offline.s3_uri.clone()),
        external: offline.external.clone(),
        format: TableFormat::ALL.into_iter().find(|known| declared.table_format.as_deref() == Some(known.as_str())),
        glue: declared.glue_table.as_ref().map(|names| GlueDocument { database: names.database.clone(), table: names.table.clone() }),
        disable_glue: declared.without_glue_table.then_some(true),
        kms_key: declared.kms_key.clone(),
    }
}

fn feature(feature: &FeatureDefinition) -> FeatureDocument {
    let mut parameters = feature.parameters.clone();
    let mut yes = |key: &str| match parameters.get(key).map(String::as_str) {
        Some(YES) => parameters.remove(key).map(|_| true),
        Some(NO) => parameters.remove(key).map(|_| false),
        _ => None,
    };
    let (pii, deprecated) = (yes(PII), yes(DEPRECATED));
    let replaced_by = match parameters.get(REPLACED_BY) {
        Some(name) if (1..=129).contains(&name.chars().count()) => parameters.remove(REPLACED_BY),
        _ => None,
    };
    let (collection, dimension) = match feature.collection {
        None => (None, None),
        Some(Collection::List) => (Some(CollectionDocument::List), None),
        Some(Collection::Set) => (Some(CollectionDocument::Set), None),
        Some(Collection::Vector { dimension }) => (Some(CollectionDocument::Vector), Some(dimension)),
    };
    FeatureDocument {
        name: feature.name.to_string(),
        renamed_from: feature.former_names.last().map(ToString::to_string),
        feature_type: feature.feature_type.to_string(),
        collection,
        dimension,
        description: feature.description.clone(),
        parameters,
        pii,
        deprecated,
        replaced_by,
        expectations: expectations(feature),
    }
}

fn expectations(feature: &FeatureDefinition) -> Option<ExpectationsDocument> {
    let mut document = ExpectationsDocument {
        drift: feature.drift.iter().map(|(metric, (watch, alert))| (metric.clone(), [watch.get(), alert.get()])).collect(),
        ..ExpectationsDocument::default()
    };
    for known in &feature.expectations {
        let on_violation = match known.on_violation {
            OnViolation::Reject => None,
            OnViolation::Quarantine => Some(ViolationDocument::Quarantine),
            OnViolation::Warn => Some(ViolationDocument::Warn),
        };
        match &known.rule {
            Rule::NotNull { at_least } => {
                let at_least = Some(at_least.get()).filter(|share| *share < 1.0);
                document.not_null = Some(match (at_least, on_violation) {
                    (None, None) => NotNull::All(true),
                    (at_least, on_violation) => NotNull::Full(NotNullRule { at_least, on_violation }),
                });
            }
            Rule::Between { min, max } => {
                let (min, max) = (min.map(crate::model::expectation::Finite::get), max.map(crate::model::expectation::Finite::get));
                document.between = Some(match (min, max, on_violation) {
                    (Some(min), Some(max), None) => Between::Both([min, max]),
                    (min, max, on_violation) => Between::Full(BetweenRule { min, max, on_violation }),
                });
            }
            Rule::OneOf { values } => {
                let values: Vec<String> = values.iter().cloned().collect();
                document.one_of = Some(match on_violation {
                    None => OneOf::Values(values),
                    on_violation => OneOf::Full(OneOfRule { values, on_violation }),
                });
            }
            Rule::Matches { pattern } => {
                let pattern = pattern.clone();
                document.matches = Some(match on_violation {
                    None => Matches::Pattern(pattern),
                    on_violation => Matches::Full(MatchesRule { pattern, on_violation }),
                });
            }
        }
    }
    (document != ExpectationsDocument::default()).then_some(document)
}

/// Declared lineage between a group and what lies outside of the store; the rest of it is none of a file's business.
fn lineage(group: &FeatureGroup, flows: &[(String, String)]) -> (Vec<SourceDocument>, Vec<ConsumerDocument>) {
    let (mut sources, mut consumers): (Vec<SourceDocument>, Vec<ConsumerDocument>) = (Vec::new(), Vec::new());
    for (from, to) in flows {
        if let (Some((kind, name)), Some(field)) = (outside(from), inside(group, to)) {
            let written = (kind != OutsideKind::Source).then_some(kind);
            match (sources.last_mut(), field) {
                (Some(last), Some(field)) if (last.kind, last.name.as_str()) == (written, name) && !last.features.is_empty() => {
                    last.features.push(field);
                }
                (_, field) => sources.push(SourceDocument { kind: written, name: name.to_owned(), features: field.into_iter().collect() }),
            }
        } else if let (Some(field), Some((kind, name))) = (inside(group, from), outside(to)) {
            let known = consumers.iter_mut().find(|known| (known.kind, known.name.as_str()) == (kind, name) && !known.uses.is_empty());
            match (known, field) {
                (Some(known), Some(field)) => known.uses.push(field),
                (_, field) => consumers.push(ConsumerDocument { kind, name: name.to_owned(), uses: field.into_iter().collect() }),
            }
        }
    }
    (sources, consumers)
}

fn outside(reference: &str) -> Option<(OutsideKind, &str)> {
    let (word, name) = reference.split_once(':')?;
    let kind = OutsideKind::ALL.into_iter().find(|kind| kind.as_str() == word)?;
    let fits = (1..=1_024).contains(&name.chars().count()) && !name.chars().any(char::is_control) && name.trim() == name;
    fits.then_some((kind, name))
}

/// The feature that a reference means if it means the group or one of its features: none in it is the whole group.
fn inside(group: &FeatureGroup, reference: &str) -> Option<Option<String>> {
    match reference.split_once('.') {
        None => (reference == group.name.as_str()).then_some(None),
        Some((name, feature)) if name == group.name.as_str() => group.schema.position(feature).map(|_| Some(feature.to_owned())),
        Some(_) => None,
    }
}
