//! Search over groups and features, and the suggestions of property names.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::super::page_token;
use super::super::service::{ServerState, ServiceRequest};
use super::filter::{Expression, values};
use super::{Answer, faults, group_json, parse};
use crate::model::{ErrorKind, FeatureGroup};

/// Results of a page unless the request says how many.
const PAGE: usize = 100;

const GROUP_PROPERTIES: [&str; 30] = [
    "AllTags",
    "CreationTime",
    "Description",
    "EventTimeFeatureName",
    "FailureReason",
    "FeatureDefinitions",
    "FeatureDefinitions.CollectionType",
    "FeatureDefinitions.FeatureName",
    "FeatureDefinitions.FeatureType",
    "FeatureGroupArn",
    "FeatureGroupName",
    "FeatureGroupStatus",
    "LastModifiedTime",
    "LastUpdateStatus.FailureReason",
    "LastUpdateStatus.Status",
    "OfflineStoreConfig.DataCatalogConfig.Catalog",
    "OfflineStoreConfig.DataCatalogConfig.Database",
    "OfflineStoreConfig.DataCatalogConfig.TableName",
    "OfflineStoreConfig.DisableGlueTableCreation",
    "OfflineStoreConfig.S3StorageConfig.KmsKeyId",
    "OfflineStoreConfig.S3StorageConfig.ResolvedOutputS3Uri",
    "OfflineStoreConfig.S3StorageConfig.S3Uri",
    "OfflineStoreConfig.TableFormat",
    "OfflineStoreStatus.BlockedReason",
    "OfflineStoreStatus.Status",
    "OnlineStoreConfig.EnableOnlineStore",
    "OnlineStoreConfig.SecurityConfig.KmsKeyId",
    "OnlineStoreConfig.StorageType",
    "RecordIdentifierFeatureName",
    "RoleArn",
];

const FEATURE_PROPERTIES: [&str; 9] = [
    "AllParameters",
    "CreationTime",
    "Description",
    "FeatureGroupArn",
    "FeatureGroupName",
    "FeatureName",
    "FeatureType",
    "LastModifiedTime",
    "Parameters",
];

/// Whether documents of a resource can have a property: one of the names, what such a name is within, or a key of a list.
fn is_property(resource: &str, name: &str) -> bool {
    let (names, list) = properties(resource);
    let is_key = name.strip_prefix(list).is_some_and(|key| key.len() > 1 && key.starts_with('.'));
    is_key || name == list || names.iter().any(|known| known == &name || known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

fn properties(resource: &str) -> (&'static [&'static str], &'static str) {
    if resource == "FeatureMetadata" { (&FEATURE_PROPERTIES, "Parameters") } else { (&GROUP_PROPERTIES, "Tags") }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Search {
    resource: String,
    search_expression: Option<Expression>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// Where a document stands in the order: what it was sorted by, as number or text, and what names it.
#[derive(Serialize, Deserialize, PartialEq, PartialOrd, Clone)]
struct Place {
    number: f64,
    text: String,
    name: String,
}

impl Place {
    fn of(document: &Json, sort_by: &str) -> Self {
        let value = values(document, sort_by).into_iter().next();
        let name = |member: &str| document.get(member).and_then(Json::as_str).unwrap_or_default().to_lowercase();
        Self {
            number: value.and_then(Json::as_f64).unwrap_or(f64::MIN),
            text: value.and_then(Json::as_str).unwrap_or_default().to_owned(),
            name: format!("{}/{}", name("FeatureGroupName"), name("FeatureName")),
        }
    }

    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.number.total_cmp(&other.number).then_with(|| (&self.text, &self.name).cmp(&(&other.text, &other.name)))
    }
}

pub(super) async fn search(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Search = parse("Search", request)?;
    let member = match body.resource.as_str() {
        "FeatureGroup" => "FeatureGroup",
        "FeatureMetadata" => "FeatureMetadata",
        other => return Err(faults::validation(format!("Validation Error: there are no resources of type {other} to search."))),
    };
    let is_known = |name: &str| is_property(member, name);
    let sort_by = body.sort_by.as_deref().unwrap_or("LastModifiedTime");
    if !is_known(sort_by) {
        return Err(faults::validation(format!("Unknown property name: {sort_by}")));
    }
    if let Some(expression) = &body.search_expression {
        expression.check(&is_known)?;
    }
    let descending = body.sort_order.as_deref().unwrap_or("Descending") == "Descending";
    let of_group = body.search_expression.as_ref().and_then(Expression::group);
    let mut found: Vec<(Place, Json)> = documents(state, request, member, of_group)
        .await?
        .into_iter()
        .filter(|document| body.search_expression.as_ref().is_none_or(|expression| expression.accepts(document)))
        .map(|document| (Place::of(&document, sort_by), document))
        .collect();
    let hits = found.len();
    let compare = |one: &Place, other: &Place| if descending { other.order(one) } else { one.order(other) };
    found.sort_by(|(one, _), (other, _)| compare(one, other));
    if let Some(token) = &body.next_token {
        let shown: Place = page_token::read(token).ok_or_else(|| faults::validation("Validation Error: NextToken is not valid."))?;
        found.retain(|(place, _)| compare(place, &shown).is_gt());
    }
    let limit = body.max_results.unwrap_or(PAGE);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let token = found.last().filter(|_| has_more).map(|(last, _)| page_token::write(last));
    let results: Vec<Json> = found.into_iter().map(|(_, document)| json!({ (member): document })).collect();
    let mut answer = json!({ "Results": results, "TotalHits": { "Value": hits, "Relation": "EqualTo" } });
    if let Some(token) = token {
        answer["NextToken"] = token.into();
    }
    Ok(Some(answer))
}

/// Everything there is of a resource, within the caller's reach; of one group if no other can be meant.
async fn documents(state: &ServerState, request: &ServiceRequest, resource: &str, group: Option<&str>) -> Result<Vec<Json>, super::Fault> {
    let groups = match group {
        Some(name) => match state.store.group(name).await {
            Ok(group) => vec![FeatureGroup::clone(&group)],
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(faults::of_error(&error)),
        },
        None => state.store.list_groups().await.map_err(|error| faults::of_error(&error))?,
    };
    let groups = groups.iter().filter(|group| request.caller.reaches(group.name.as_str()));
    if resource == "FeatureMetadata" {
        let features = groups.flat_map(|group| {
            group.schema.features().iter().map(move |feature| Json::Object(group_json::metadata(state, request, group, feature)))
        });
        return Ok(features.collect());
    }
    Ok(groups
        .map(|group| {
            let mut document = group_json::common(state, request, group);
            document.insert("Tags".into(), group_json::tags(group));
            document.into()
        })
        .collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Suggest {
    resource: String,
    suggestion_query: Option<SuggestionQuery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SuggestionQuery {
    property_name_query: Option<PropertyNameQuery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PropertyNameQuery {
    property_name_hint: String,
}

/// Property names that begin with what was typed, whatever its case.
pub(super) fn suggest(request: &ServiceRequest) -> Answer {
    let body: Suggest = parse("GetSearchSuggestions", request)?;
    let hint = body.suggestion_query.and_then(|query| query.property_name_query).map(|query| query.property_name_hint.to_lowercase());
    let hint = hint.unwrap_or_default();
    let names: &[&str] =
        if matches!(body.resource.as_str(), "FeatureGroup" | "FeatureMetadata") { properties(&body.resource).0 } else { &[] };
    let found: Vec<Json> =
        names.iter().filter(|name| name.to_lowercase().starts_with(&hint)).map(|name| json!({ "PropertyName": name })).collect();
    Ok(Some(json!({ "PropertyNameSuggestions": found })))
}
