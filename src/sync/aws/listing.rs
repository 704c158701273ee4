//! Which groups there are: all of them, or an error.
//!
//! A page that fails after all attempts fails the listing, because a listing that ends early looks like a mass deletion. Amazon's search
//! tells everything of a hundred groups at once, but its index lags behind: a group that was made a moment ago is missing, one that was
//! deleted lingers. So what exists is taken from the list, which has names only, and what is known from the search; groups that only
//! the list has are described one by one. Keys that may do but one of the two get along with it.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::super::observed::ObservedGroup;
use super::client::Client;
use super::fault::{CallFault, FaultKind};
use super::wire::{ListPage, SearchPage, WireGroup, WireSummary, instant};
use crate::model::{Error, EventTime};

/// Groups or features of a page: as many as the service gives.
pub(super) const PAGE: usize = 100;
/// No listing has more pages: a server that makes up tokens must not keep us for ever.
const MAX_PAGES: usize = 20_000;

/// A group that exists.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Its name.
    pub(super) name: String,
    /// Its ARN.
    pub(super) arn: Option<String>,
    /// When it was made.
    pub(super) created: Option<EventTime>,
    /// What is known of it.
    pub(super) told: Told,
}

/// What a listing tells of a group.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// All but what is written about its features.
    Whole(Box<ObservedGroup>),
    /// Its name.
    NameOnly,
    /// Something that can't be read.
    Unreadable(String),
}

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The groups, each once.
    pub(super) found: Vec<Found>,
    /// False if the service has more than it told of.
    pub(super) complete: bool,
}

/// Lists all groups; without a list the search is all there is.
pub(super) async fn groups(client: &Client, with_list: bool) -> Result<Groups, CallFault> {
    let is_missing = |fault: &CallFault| matches!(fault.kind, FaultKind::Denied | FaultKind::Unsupported);
    match search(client).await {
        Ok(searched) if !with_list => Ok(searched),
        Ok(searched) => match list(client).await {
            Ok(listed) => Ok(joined(searched, listed)),
            Err(fault) if is_missing(&fault) => Ok(searched),
            Err(fault) => Err(fault),
        },
        Err(denied) if with_list && is_missing(&denied) => match list(client).await {
            Ok(listed) => Ok(joined(Groups::default(), listed)),
            // Of two operations that would do, the better one is worth allowing.
            Err(fault) if is_missing(&fault) => Err(denied),
            Err(fault) => Err(fault),
        },
        Err(fault) => Err(fault),
    }
}

/// Walks the pages of an operation; `take` gets each and returns the token of the next.
pub(super) async fn pages<Page: serde::de::DeserializeOwned>(
    client: &Client,
    operation: &str,
    request: Json,
    mut take: impl FnMut(Page) -> Option<String>,
) -> Result<(), CallFault> {
    let mut request = request;
    for _ in 0..MAX_PAGES {
        let page: Page = client.call(operation, &request).await?;
        let Some(token) = take(page).filter(|token| !token.is_empty()) else { return Ok(()) };
        if request["NextToken"].as_str() == Some(token.as_str()) {
            break;
        }
        request["NextToken"] = token.into();
    }
    let error =
        Error::corrupt(format!("the pages of {operation} at {} never end", client.place)).remedy("check that this is the right endpoint");
    Err(CallFault::new(FaultKind::Unreadable, error))
}

async fn search(client: &Client) -> Result<Groups, CallFault> {
    // Oldest first: what is made meanwhile comes last and shifts nothing.
    let request = json!({ "Resource": "FeatureGroup", "SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": PAGE });
    let (mut found, mut hits, mut nameless) = (Vec::new(), None, false);
    pages(client, "Search", request, |page: SearchPage| {
        hits = page.total_hits.and_then(|hits| hits.exactly()).or(hits);
        for document in page.results.into_iter().filter_map(|result| result.feature_group) {
            match read(client, document) {
                Some(group) => found.push(group),
                None => nameless = true,
            }
        }
        page.next_token
    })
    .await?;
    let complete = !nameless && hits.is_none_or(|hits| found.len() as u64 >= hits);
    Ok(Groups { found: each_once(found), complete })
}

fn read(client: &Client, document: Json) -> Option<Found> {
    let name = document["FeatureGroupName"].as_str()?.to_owned();
    let arn = document["FeatureGroupArn"].as_str().map(str::to_owned);
    let created = instant(document.get("CreationTime"));
    let told = match serde_json::from_value::<WireGroup>(document) {
        Ok(group) => Told::Whole(Box::new(group.observed(client.runtime()))),
        Err(error) => Told::Unreadable(error.to_string()),
    };
    Some(Found { name, arn, created, told })
}

async fn list(client: &Client) -> Result<Vec<WireSummary>, CallFault> {
    let request = json!({ "SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": PAGE });
    let mut summaries = Vec::new();
    pages(client, "ListFeatureGroups", request, |page: ListPage| {
        summaries.extend(page.feature_group_summaries);
        page.next_token
    })
    .await?;
    Ok(summaries)
}

/// What the list has, with what the search tells of it.
fn joined(searched: Groups, listed: Vec<WireSummary>) -> Groups {
    let mut known: HashMap<String, Found> = searched.found.into_iter().map(|found| (found.name.to_lowercase(), found)).collect();
    let found = listed.into_iter().map(|summary| {
        let created = instant(summary.creation_time.as_ref());
        let is_same = |found: &Found| found.created.map(milliseconds) == created.map(milliseconds);
        // The index may still have the group that bore the name before.
        match known.remove(&summary.feature_group_name.to_lowercase()).filter(is_same) {
            Some(found) => found,
            None => Found { name: summary.feature_group_name, arn: summary.feature_group_arn, created, told: Told::NameOnly },
        }
    });
    Groups { found: each_once(found.collect()), complete: true }
}

/// Whole milliseconds: the finest that all operations tell alike.
pub(super) fn milliseconds(time: EventTime) -> i64 {
    time.unix_micros().div_euclid(1_000)
}

/// Pages that shift may repeat a group; of two of one name the younger one exists.
fn each_once(found: Vec<Found>) -> Vec<Found> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(found.len());
    let mut once: Vec<Found> = Vec::with_capacity(found.len());
    for group in found {
        match places.get(&group.name.to_lowercase()) {
            Some(place) if once[*place].created <= group.created => once[*place] = group,
            Some(_) => {}
            None => {
                places.insert(group.name.to_lowercase(), once.len());
                once.push(group);
            }
        }
    }
    once
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(name: &str, second: i64) -> Found {
        let created = EventTime::from_unix_seconds(second);
        Found { name: name.into(), arn: None, created, told: Told::Whole(Box::default()) }
    }

    fn summary(name: &str, second: i64) -> WireSummary {
        serde_json::from_value(json!({"FeatureGroupName": name, "CreationTime": second})).unwrap()
    }

    #[test]
    fn the_list_says_what_exists_and_the_search_what_is_known() {
        let searched = Groups { found: vec![found("a", 1), found("gone", 1), found("anew", 1)], complete: true };
        let groups = joined(searched, vec![summary("a", 1), summary("anew", 2), summary("young", 3)]);
        let told: Vec<(&str, bool)> =
            groups.found.iter().map(|found| (found.name.as_str(), matches!(found.told, Told::Whole(_)))).collect();
        assert_eq!(told, [("a", true), ("anew", false), ("young", false)]);
    }

    #[test]
    fn a_group_on_two_pages_is_one() {
        let once = each_once(vec![found("a", 1), found("b", 1), found("A", 2), found("b", 0)]);
        let seconds: Vec<i64> = once.iter().map(|found| found.created.unwrap().unix_seconds()).collect();
        assert_eq!(seconds, [2, 1]);
    }
}
