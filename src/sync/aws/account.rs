//! The source over an account or a server.
//!
//! Two safeguards beyond those of every source. The cursor remembers whose groups were seen: keys of another account, which would make
//! every group look deleted, are refused. And trouble that every request would meet (throttling that does not end, keys that expired)
//! fails the source at once, with one error instead of one a group.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::super::observed::ObservedGroup;
use super::super::source::{Fetched, Listed, Listing, LookUp, Source, SourceError, Trouble};
use super::client::Client;
use super::fault::CallFault;
use super::listing::{self, Found, Groups, Told};
use super::place::{AwsPlace, Dialect};
use super::{groups, metadata, record};
use crate::model::{Error, ErrorKind, EventTime};
use crate::store::{OnlineRecord, system_clock};

/// Requests under way at once.
pub(super) const AT_ONCE: usize = 4;
/// How far back changes of features are asked for again, in seconds: the service's index lags behind.
const OVERLAP: i64 = 1_800;

/// An account, or a server of this program.
pub(in crate::sync) struct Account {
    place: AwsPlace,
    client: OnceCell<Client>,
    /// Groups of the last listing by native id.
    listed: Mutex<HashMap<String, Found>>,
}

/// What to know the next time.
#[derive(Serialize, Deserialize, Default, Clone)]
struct Cursor {
    account: Option<String>,
    region: Option<String>,
    /// When the listing began.
    since: Option<String>,
}

impl Account {
    /// The account or server at a place; nothing is asked of it yet.
    pub(in crate::sync) fn new(place: AwsPlace) -> Self {
        Self { place, client: OnceCell::new(), listed: Mutex::default() }
    }

    async fn client(&self) -> Result<&Client, CallFault> {
        self.client.get_or_try_init(|| Client::connect(&self.place)).await
    }

    fn incarnation(&self, found: &Found) -> String {
        let made = found.created.map(listing::milliseconds).unwrap_or_default();
        match (self.place.dialect, &found.arn) {
            (Dialect::Amazon, Some(arn)) => format!("{arn}@{made}"),
            // Such a server puts the region that was signed for into its ARNs.
            _ => made.to_string(),
        }
    }

    /// Whose groups these are, if they may be taken in.
    fn identity(&self, before: &Cursor, found: &[Found]) -> Result<(Option<String>, Option<String>), SourceError> {
        let owners: HashSet<(&str, &str)> = found.iter().filter_map(|found| owner(found.arn.as_deref()?)).collect();
        let Some((region, account)) = owners.iter().min().copied() else { return Ok((before.account.clone(), before.region.clone())) };
        let expected = self.place.account.as_ref().or(before.account.as_ref());
        let is_other = |expected: &String, is: &dyn Fn(&(&str, &str)) -> bool| !expected.is_empty() && !owners.iter().any(is);
        if let Some(expected) = expected
            && is_other(expected, &|(_, account)| account == expected)
        {
            let error = Error::new(ErrorKind::Usage, format!("these keys belong to account {account}"))
                .why(format!("the source is account {expected}"))
                .remedy("use keys of that account, name a profile with --profile, or add another source for this account");
            return Err(SourceError::new(Trouble::Credentials, error));
        }
        if let Some(expected) = &before.region
            && is_other(expected, &|(region, _)| region == expected)
        {
            let error = Error::new(ErrorKind::Usage, format!("these groups are in region {region}"))
                .why(format!("the source was read in {expected}"))
                .remedy("add the source with the region as its location");
            return Err(SourceError::new(Trouble::Credentials, error));
        }
        let account = expected.cloned().unwrap_or_else(|| account.to_owned());
        Ok((Some(account), Some(before.region.clone().unwrap_or_else(|| region.to_owned()))))
    }

    /// What is known of a group once the listing's gaps are filled. An error is of all groups alike.
    async fn one(&self, client: &Client, listed: &Listed) -> Result<Fetched, CallFault> {
        Ok((listed.clone(), self.whole(client, listed).await?))
    }

    async fn whole(&self, client: &Client, listed: &Listed) -> Result<Result<ObservedGroup, SourceError>, CallFault> {
        let found = self.listed.lock().unwrap_or_else(PoisonError::into_inner).get(&listed.native_id).cloned();
        match found.map(|found| found.told) {
            Some(Told::Whole(group)) => Ok(Ok(*group)),
            Some(Told::NameOnly) => match groups::describe(client, &listed.name).await {
                Ok(group) => Ok(Ok(group)),
                Err(fault) if fault.may_pass() || fault.is_of_all() => Err(fault),
                Err(fault) => Ok(Err(fault.into())),
            },
            Some(Told::Unreadable(why)) => {
                let error = Error::corrupt(format!("what {} tells of '{}' can't be read", client.place, listed.name)).why(why);
                Ok(Err(SourceError::new(Trouble::Corrupt, error)))
            }
            None => Ok(Err(SourceError::new(Trouble::Other, Error::not_found(format!("'{}' was not listed", listed.name))))),
        }
    }
}

/// Region and account of an ARN.
fn owner(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':').skip(3);
    Some((parts.next()?, parts.next()?)).filter(|(_, account)| !account.is_empty())
}

#[async_trait]
impl Source for Account {
    async fn list(&self, cursor: Option<&str>) -> Result<Listing, SourceError> {
        let client = self.client().await?;
        let begun = system_clock()();
        let is_account = self.place.dialect == Dialect::Amazon;
        // One that can't be read costs a few requests, not the sync.
        let before: Cursor = cursor.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let Groups { found, complete } = listing::groups(client, self.place.with_list).await?;
        let mut listing = Listing { complete, ..Listing::default() };
        let mut can_tell = true;
        if is_account {
            let (account, region) = self.identity(&before, &found)?;
            let last = before.since.as_deref().and_then(|text| EventTime::parse_text(text, crate::model::TimeMode::Lenient).ok());
            if let Some(last) = last.filter(|_| self.place.feature_metadata) {
                match metadata::touched(client, last.saturating_add_seconds(-OVERLAP)).await? {
                    Some(names) => listing.touched = names,
                    None => can_tell = false,
                }
            }
            let cursor = Cursor { account, region, since: Some(begun.to_iso8601()) };
            listing.cursor = serde_json::to_string(&cursor).ok();
        }
        let mut by_id = HashMap::with_capacity(found.len());
        for group in found {
            let incarnation = self.incarnation(&group);
            let token = match &group.told {
                Told::Whole(observed) if can_tell => Some(observed.stored()?.1),
                _ => None,
            };
            let native_id = group.name.to_lowercase();
            listing.groups.push(Listed { native_id: native_id.clone(), incarnation, name: group.name.clone(), token });
            by_id.insert(native_id, group);
        }
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = by_id;
        Ok(listing)
    }

    async fn fetch(&self, wanted: &[Listed]) -> Result<Vec<Fetched>, SourceError> {
        let client = self.client().await?;
        // Not a closure over the groups: a stream of such is not general enough for the trait.
        let mut each = Vec::with_capacity(wanted.len());
        for listed in wanted {
            each.push(self.one(client, listed));
        }
        let mut fetched: Vec<Fetched> = stream::iter(each).buffered(AT_ONCE).try_collect().await?;
        if self.place.feature_metadata {
            let all_features: usize = {
                let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
                listed.values().map(|found| if let Told::Whole(group) = &found.told { group.features.len() } else { 1 }).sum()
            };
            let read: Vec<&ObservedGroup> = fetched.iter().filter_map(|(_, group)| group.as_ref().ok()).collect();
            let mut metadata = metadata::read(client, self.place.dialect, &read, all_features).await?;
            fetched.iter_mut().filter_map(|(_, group)| group.as_mut().ok()).for_each(|group| metadata.apply(group));
        }
        Ok(fetched)
    }

    async fn look_up(&self, look_up: &LookUp<'_>) -> Result<Option<OnlineRecord>, SourceError> {
        record::look_up(self.client().await?, look_up).await
    }

    fn repeats_itself(&self) -> bool {
        true
    }

    fn retries(&self) -> u64 {
        self.client.get().map_or(0, Client::retries)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    fn found(arn: &str) -> Found {
        Found { name: "g".into(), arn: Some(arn.into()), created: EventTime::from_unix_seconds(1), told: Told::NameOnly }
    }

    #[test]
    fn keys_of_another_account_or_region_are_refused() {
        let place = |location: &str| Account::new(AwsPlace::of_account(location, &BTreeMap::new()).unwrap());
        let one = [found("arn:aws:sagemaker:eu-west-1:111111111111:feature-group/g")];
        let none = Cursor::default();
        let known = |account: &str, region: &str| Cursor { account: Some(account.into()), region: Some(region.into()), since: None };
        assert!(place("111111111111/eu-west-1").identity(&none, &one).is_ok());
        assert!(place("222222222222/eu-west-1").identity(&none, &one).is_err());
        assert!(place("eu-west-1").identity(&known("111111111111", "eu-west-1"), &one).is_ok());
        assert!(place("eu-west-1").identity(&known("222222222222", "eu-west-1"), &one).is_err());
        assert!(place("default").identity(&known("111111111111", "us-east-1"), &one).is_err());
        let (account, _) = place("eu-west-1").identity(&known("222222222222", "eu-west-1"), &[]).unwrap();
        assert_eq!(account.as_deref(), Some("222222222222"), "an empty listing forgets nothing");
    }
}
