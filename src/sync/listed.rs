//! Groups of other places in the form of our own, for lists and searches that show both.
//!
//! Only what is legal here can take that form: a group whose source names no record identifier or event time, or that has names we could not
//! store, is left to `larder list` and `larder describe`, which show it in the source's own words.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::merged::Disagreement;
use super::observed::{ObservedFeature, ObservedGroup};
use super::sources::{SyncedGroup, synced_groups};
use crate::catalog::listing::{Asked, Finder, Listing, Order, Standing};
use crate::model::{
    Collection, EventTime, FeatureDefinition, FeatureGroup, FeatureName, GroupExpectations, GroupId, GroupName, GroupStatus, Result,
    Schema, TimeMode,
};
use crate::store::FeatureStore;

/// A group of another place.
#[derive(Debug, Clone)]
pub struct ListedGroup {
    /// Its definition, with neither an online nor an offline store here.
    pub group: Arc<FeatureGroup>,
    /// The source that told of it.
    pub source: String,
    /// When the source was last read.
    pub seen: Option<EventTime>,
    /// Why it could not be read lately; what is told is older then.
    pub fault: Option<String>,
    /// Where sources say different things.
    pub disagreements: Vec<Disagreement>,
    /// What is noted here, over what was told.
    pub local: Vec<String>,
    /// What the source tells of its history.
    pub history: Option<ListedHistory>,
}

/// The history of a group that lies elsewhere, when its source was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedHistory {
    /// Rows of all files.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The earliest event time.
    pub oldest: Option<EventTime>,
    /// The latest event time.
    pub newest: Option<EventTime>,
}

/// The groups that sources told of and that this store has not itself, as far as they can take the form of our own.
pub async fn listed_groups(store: &FeatureStore) -> Result<Vec<ListedGroup>> {
    Ok(synced_groups(store, None).await?.into_iter().filter_map(listed).collect())
}

/// One of them, if it is there and can take the form of our own.
pub async fn listed_group(store: &FeatureStore, name: &str) -> Result<Option<ListedGroup>> {
    Ok(synced_groups(store, Some(name)).await?.into_iter().next().and_then(listed))
}

/// The features of other places that a typed search finds, best first: the group, the feature's place in it.
///
/// # Errors
/// `Full` beyond 4 GiB of names.
pub fn found(groups: &[ListedGroup], text: &str, limit: usize, now: i64) -> Result<Vec<(ListedGroup, usize)>> {
    let listing = Arc::new(Listing::new(groups.iter().map(|listed| listed.group.clone()).collect())?);
    let mut standing = Standing::unknown(&listing);
    standing.sources = groups.iter().map(|listed| Some(listed.source.clone())).collect();
    let asked = Asked { text: text.to_owned(), limit, order: Order::Group, reversed: false, now };
    let rows = Finder::new(listing.clone(), standing).find(&asked, &mut |_| {}).map(|found| found.rows).unwrap_or_default();
    let hit = |row: usize| {
        let (group, place) = listing.place(row)?;
        Some((groups.iter().find(|listed| Arc::ptr_eq(&listed.group, group))?.clone(), place))
    };
    Ok(rows.into_iter().take(limit).filter_map(hit).collect())
}

/// A group in the form of our own; none if it is not legal here.
pub(super) fn listed(synced: SyncedGroup) -> Option<ListedGroup> {
    let SyncedGroup { source, seen, fault, group, disagreements, local } = synced;
    let time = |text: &Option<String>| text.as_deref().and_then(|text| EventTime::parse_text(text, TimeMode::Lenient).ok());
    let features: Option<Vec<FeatureDefinition>> = group.features.iter().map(feature).collect();
    let schema = Schema::new(features?, group.record_identifier.as_deref()?, group.event_time.as_deref()?).ok()?;
    let created = time(&group.created).or(seen).or_else(|| EventTime::from_unix_micros(0))?;
    let definition = FeatureGroup {
        id: GroupId(Uuid::from_u128(xxh3_128(format!("{source}\n{}", group.name).as_bytes()))),
        name: GroupName::parse(&group.name).ok()?,
        description: group.description.clone(),
        owner: group.owner.clone(),
        tags: tags(&group),
        schema,
        online: None,
        offline: None,
        expectations: GroupExpectations::default(),
        status: GroupStatus::Created,
        failure_reason: None,
        created,
        modified: time(&group.modified).unwrap_or(created),
    };
    let history = group.history.as_ref().map(|history| ListedHistory {
        rows: history.rows,
        files: history.files,
        bytes: history.bytes,
        oldest: time(&history.oldest_event_time),
        newest: time(&history.newest_event_time),
    });
    Some(ListedGroup { group: Arc::new(definition), source, seen, fault, disagreements, local, history })
}

fn tags(group: &ObservedGroup) -> BTreeMap<String, String> {
    let mut tags = group.tags.clone().unwrap_or_default();
    if let Some(entity) = &group.entity {
        tags.entry("entity".to_owned()).or_insert_with(|| entity.clone());
    }
    tags
}

fn feature(observed: &ObservedFeature) -> Option<FeatureDefinition> {
    let kind = observed.feature_type.as_deref()?.parse().ok()?;
    let mut feature = FeatureDefinition::new(FeatureName::parse(&observed.name).ok()?, kind);
    feature.collection = match observed.collection.as_deref() {
        None => None,
        Some("List") => Some(Collection::List),
        Some("Set") => Some(Collection::Set),
        Some(_) => Some(Collection::Vector { dimension: observed.dimension? }),
    };
    feature.description = observed.description.clone();
    feature.parameters = observed.parameters.clone();
    Some(feature)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn synced(identifier: Option<&str>, names: &[&str]) -> SyncedGroup {
        let feature = |name: &&str| ObservedFeature { name: (*name).to_owned(), feature_type: Some("String".into()), ..Default::default() };
        let group = ObservedGroup {
            name: "orders".into(),
            features: names.iter().map(feature).collect(),
            record_identifier: identifier.map(str::to_owned),
            event_time: Some("at".into()),
            owner: Some("shop".into()),
            ..Default::default()
        };
        SyncedGroup { source: "lake".into(), group, ..SyncedGroup::default() }
    }

    #[test]
    fn what_is_legal_here_takes_our_form_and_the_rest_is_left_out() {
        let legal = listed(synced(Some("id"), &["id", "at", "amount"])).unwrap();
        assert_eq!((legal.group.name.as_str(), legal.group.schema.len(), legal.source.as_str()), ("orders", 3, "lake"));
        assert!(legal.group.online.is_none() && legal.group.offline.is_none());
        assert!(listed(synced(None, &["id", "at"])).is_none());
        assert!(listed(synced(Some("id"), &["id", "at", "not a name"])).is_none());
    }

    #[test]
    fn their_features_are_found_by_name_owner_and_source() {
        let groups = vec![listed(synced(Some("id"), &["id", "at", "amount"])).unwrap()];
        let names = |text: &str| -> Vec<String> {
            let found = found(&groups, text, 10, 0).unwrap();
            found.into_iter().map(|(listed, place)| listed.group.schema.features()[place].name.to_string()).collect()
        };
        assert_eq!(names("amonut"), ["amount"]);
        assert_eq!(names("amount source:lake"), ["amount"]);
        assert_eq!(names("amount source:other"), Vec::<String>::new());
        assert_eq!(names("owner:shop id"), ["id"]);
    }
}
