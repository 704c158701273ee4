//! GetRecord: the latest record of a group that is served elsewhere.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::super::observed::{ObservedFeature, ObservedGroup};
use super::super::source::{LookUp, SourceError, Trouble};
use super::client::Client;
use super::fault::FaultKind;
use crate::model::suggest::suggest;
use crate::model::{
    Arrival, Collection, Error, EventTime, FeatureDefinition, FeatureName, FeatureType, FeatureValue, RawValue, Result, TimeMode,
};
use crate::store::OnlineRecord;

/// What stays as it is in a path and a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    record: Option<Vec<WireValue>>,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireValue {
    feature_name: String,
    value_as_string: Option<String>,
    value_as_string_list: Option<Vec<String>>,
}

/// Looks up a record; none if there is none.
pub(super) async fn look_up(client: &Client, look_up: &LookUp<'_>) -> std::result::Result<Option<OnlineRecord>, SourceError> {
    let LookUp { group, identifier, features } = *look_up;
    let wanted = wanted(group, features)?;
    let event_time = group.event_time.as_deref().unwrap_or_default();
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut path = format!(
        "/FeatureGroup/{}?RecordIdentifierValueAsString={}&ExpirationTimeResponse=Enabled",
        encoded(&group.name),
        encoded(identifier)
    );
    if features.is_some() {
        let names = wanted.iter().map(|feature| feature.name.as_str());
        // A record is told with its time, wanted or not.
        let with_time = names.clone().any(|name| name == event_time);
        for name in names.chain((!with_time).then_some(event_time)) {
            path.push_str("&FeatureName=");
            path.push_str(&encoded(name));
        }
    }
    let answer: Answer = match client.get("GetRecord", &path).await {
        Ok(answer) => answer,
        Err(fault) if fault.kind == FaultKind::NotFound => {
            return Err(SourceError::new(Trouble::Other, fault.error.remedy("`larder sync` finds out whether the group is still there")));
        }
        Err(fault) => return Err(fault.into()),
    };
    match answer.record {
        Some(record) if !record.is_empty() => Ok(Some(understood(group, identifier, &wanted, record, answer.expires_at.as_deref())?)),
        _ => Ok(None),
    }
}

/// The features to answer with, in the order asked for.
fn wanted<'a>(group: &'a ObservedGroup, names: Option<&[String]>) -> Result<Vec<&'a ObservedFeature>> {
    let Some(names) = names else { return Ok(group.features.iter().collect()) };
    let find = |name: &String| {
        group.features.iter().find(|feature| feature.name == *name).ok_or_else(|| {
            let error = Error::not_found(format!("'{}' has no feature '{}'", group.name, name.escape_debug()));
            match suggest(name, group.features.iter().map(|feature| feature.name.as_str())) {
                Some(near) => error.remedy(format!("did you mean '{near}'?")),
                None => error.remedy(format!("`larder describe {}` shows those there are", group.name)),
            }
        })
    };
    names.iter().map(find).collect()
}

fn understood(
    group: &ObservedGroup,
    identifier: &str,
    wanted: &[&ObservedFeature],
    record: Vec<WireValue>,
    expires_at: Option<&str>,
) -> Result<OnlineRecord> {
    let event_time = group.event_time.as_deref().unwrap_or_default();
    let time = record.iter().find(|value| value.feature_name == event_time).and_then(|value| value.value_as_string.as_deref());
    let time = time.and_then(|text| EventTime::parse_text(text, TimeMode::Lenient).ok());
    let time = time.ok_or_else(|| Error::corrupt(format!("the record of '{}' has no event time that can be read", group.name)))?;
    let mut values: Vec<(String, RawValue)> = record
        .into_iter()
        .filter_map(|value| {
            let raw = value.value_as_string.map(RawValue::Text).or(value.value_as_string_list.map(RawValue::List))?;
            Some((value.feature_name, raw))
        })
        .collect();
    let values = wanted.iter().map(|feature| {
        let definition = definition(feature)?;
        let found = values.iter().position(|(name, _)| *name == feature.name).map(|at| values.swap_remove(at).1);
        let value = found.map(|raw| FeatureValue::parse(&definition, raw)).transpose()?;
        Ok((definition.name, definition.feature_type, value))
    });
    Ok(OnlineRecord {
        identifier: identifier.to_owned(),
        event_time: time,
        arrival: Arrival::from_micros(time.unix_micros()),
        expires_at: expires_at.and_then(|text| EventTime::parse_text(text, TimeMode::Lenient).ok()),
        values: values.collect::<Result<_>>()?,
    })
}

/// What is needed to read a value; a type we do not know is read as text.
fn definition(feature: &ObservedFeature) -> Result<FeatureDefinition> {
    let feature_type = match feature.feature_type.as_deref() {
        Some("Integral") => FeatureType::Integral,
        Some("Fractional") => FeatureType::Fractional,
        _ => FeatureType::String,
    };
    let mut definition = FeatureDefinition::new(FeatureName::parse(&feature.name)?, feature_type);
    definition.collection = match (feature.collection.as_deref(), feature.dimension) {
        (Some("List"), _) => Some(Collection::List),
        (Some("Set"), _) => Some(Collection::Set),
        (Some("Vector"), Some(dimension)) => Some(Collection::Vector { dimension }),
        _ => None,
    };
    Ok(definition)
}
