//! Where an account or a server is: what the location and the options of a source say, checked before anything is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use crate::model::{Error, Result, Ttl};

/// Options of a server of this program.
pub(in crate::sync) const SERVER_OPTIONS: &[(&str, &str)] = &[
    ("profile", "server: profile of ~/.aws for keys, if it asks for any"),
    ("region", "server: region to sign for [default: us-east-1]"),
    ("rate", "server: most requests a second [default: 200]"),
    ("timeout", "server: how long a request may take [default: 30s]"),
    ("attempts", "server: how often one is made at most [default: 8]"),
];

/// The word for the region of the profile or the environment.
const DEFAULT: &str = "default";
const MAX_RATE: u32 = 10_000;
const MAX_ATTEMPTS: u32 = 20;

/// An account or a server.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sync) struct AwsPlace {
    /// Who answers there.
    pub(super) dialect: Dialect,
    /// The account that keys must belong to.
    pub(super) account: Option<String>,
    /// None for that of the profile or the environment.
    pub(super) region: Option<String>,
    /// None for that of the environment.
    pub(super) profile: Option<String>,
    /// None for that of the environment, else Amazon's.
    pub(super) endpoint: Option<Url>,
    /// False if features have only names and types.
    pub(super) feature_metadata: bool,
    /// False if what exists is taken from the search alone.
    pub(super) with_list: bool,
    /// Requests a second.
    pub(super) rate: u32,
    /// Of one request.
    pub(super) timeout: Duration,
    /// Of one request.
    pub(super) attempts: u32,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Amazon, or what imitates it: the search lags behind, every request is signed.
    Amazon,
    /// A server of this program: the search is exact, a change of a feature is one of its group, keys are asked for or not.
    Larder,
}

impl AwsPlace {
    /// An account, from a settled location.
    pub(super) fn of_account(location: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let (account, named) = match location.split_once('/') {
            Some((account, region)) => (Some(account.to_owned()), region),
            None => (None, location),
        };
        let named = (named != DEFAULT).then(|| named.to_owned());
        let option = options.get("region").map(|region| checked_region(region)).transpose()?;
        if let (Some(named), Some(option)) = (&named, &option)
            && named != option
        {
            return Err(Error::usage(format!("the location names the region {named}, the option {option}")).remedy("name one of them"));
        }
        let feature_metadata = match options.get("feature-metadata").map(String::as_str) {
            None | Some("yes") => true,
            Some("no") => false,
            Some(other) => {
                return Err(Error::usage(format!("feature-metadata is 'yes' or 'no', not '{}'", other.escape_debug())));
            }
        };
        let with_list = match options.get("listing").map(String::as_str) {
            None | Some("list") => true,
            Some("search") => false,
            Some(other) => return Err(Error::usage(format!("listing is 'list' or 'search', not '{}'", other.escape_debug()))),
        };
        let endpoint = options.get("endpoint-url").map(|text| endpoint(text)).transpose()?;
        let place = Self { account, region: named.or(option), endpoint, feature_metadata, with_list, ..Self::usual(Dialect::Amazon, 5) };
        place.with(options)
    }

    /// A server of this program, from its URL.
    pub(in crate::sync) fn of_server(location: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let region = options.get("region").map_or(Ok("us-east-1".to_owned()), |region| checked_region(region))?;
        let place = Self { region: Some(region), endpoint: Some(endpoint(location)?), ..Self::usual(Dialect::Larder, 200) };
        place.with(options)
    }

    fn usual(dialect: Dialect, rate: u32) -> Self {
        Self {
            dialect,
            account: None,
            region: None,
            profile: None,
            endpoint: None,
            feature_metadata: true,
            with_list: dialect == Dialect::Amazon,
            rate,
            timeout: Duration::from_secs(30),
            attempts: 8,
        }
    }

    fn with(mut self, options: &BTreeMap<String, String>) -> Result<Self> {
        self.profile = options.get("profile").cloned();
        if let Some(text) = options.get("rate") {
            self.rate = number("rate", text.strip_suffix("/s").unwrap_or(text), MAX_RATE)?;
        }
        if let Some(text) = options.get("attempts") {
            self.attempts = number("attempts", text, MAX_ATTEMPTS)?;
        }
        if let Some(text) = options.get("timeout") {
            let length: Ttl = text.parse().map_err(|_| {
                Error::usage(format!("'{}' is no length of time", text.escape_debug())).remedy("write timeout as 30s or 2m")
            })?;
            self.timeout = Duration::from_secs(length.seconds());
        }
        Ok(self)
    }

    /// How messages name the keys.
    pub(super) fn keys(&self) -> String {
        self.profile.as_ref().map_or_else(|| "the keys of the environment".to_owned(), |profile| format!("profile '{profile}'"))
    }
}

/// The location as it is kept: `REGION`, `ACCOUNT/REGION` or `default`.
pub(super) fn settle(location: &str) -> Result<String> {
    let location = location.trim();
    let form = "name a region as eu-west-1, an account with it as 123456789012/eu-west-1, or 'default'; another endpoint goes into \
                --endpoint-url";
    let wrong = || Error::usage(format!("'{}' is no place of a SageMaker account", location.escape_debug())).remedy(form);
    let region = match location.split_once('/') {
        Some((account, region)) if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => region,
        Some(_) => return Err(wrong()),
        None => location,
    };
    if region != DEFAULT {
        checked_region(region).map_err(|_| wrong())?;
    }
    Ok(location.to_owned())
}

/// A region becomes part of a host name.
fn checked_region(region: &str) -> Result<String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_one = (4..=32).contains(&region.len()) && region.contains('-') && region.bytes().all(legal);
    match is_one && !region.starts_with('-') && !region.ends_with('-') {
        true => Ok(region.to_owned()),
        false => Err(Error::usage(format!("'{}' is no region", region.escape_debug())).remedy("name one as eu-west-1")),
    }
}

/// A URL that requests can go to.
pub(super) fn endpoint(text: &str) -> Result<Url> {
    let refuse = |why: String| {
        Error::usage(format!("'{}' is no endpoint", text.escape_debug())).why(why).remedy("write http://HOST:PORT or https://HOST")
    };
    let url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse("it has no host that speaks HTTP".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("keys in a URL would be kept in the catalog".to_owned())
            .remedy("put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into a profile"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query".to_owned()));
    }
    Ok(url)
}

fn number(name: &str, text: &str, most: u32) -> Result<u32> {
    text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
        Error::usage(format!("'{}' is no number for {name}", text.escape_debug())).remedy(format!("write one from 1 to {most}"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_location_is_a_region_an_account_with_one_or_the_default() {
        for good in ["eu-west-1", "123456789012/us-gov-west-1", "default", "123456789012/default"] {
            assert_eq!(settle(good).unwrap(), good);
        }
        for bad in ["", "EU-west-1", "12/eu-west-1", "eu-west-1/123456789012", "https://host", "eu west", "evil.example/eu-west-1", "-a-b"]
        {
            assert!(settle(bad).is_err(), "{bad}");
        }
        let place = AwsPlace::of_account("123456789012/eu-west-1", &options(&[("profile", "prod"), ("rate", "9/s")])).unwrap();
        assert_eq!((place.account.as_deref(), place.region.as_deref(), place.rate), (Some("123456789012"), Some("eu-west-1"), 9));
        assert!(AwsPlace::of_account("eu-west-1", &options(&[("region", "us-east-1")])).is_err());
        assert_eq!(AwsPlace::of_account("default", &options(&[("region", "us-east-1")])).unwrap().region.as_deref(), Some("us-east-1"));
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (name, value) in [
            ("rate", "0"),
            ("rate", "many"),
            ("attempts", "21"),
            ("timeout", "soon"),
            ("feature-metadata", "some"),
            ("listing", "none"),
            ("endpoint-url", "host:80"),
        ] {
            assert!(AwsPlace::of_account("eu-west-1", &options(&[(name, value)])).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn no_key_is_kept_with_an_endpoint() {
        for bad in ["http://key:secret@host", "http://host/?token=x", "ftp://host", "http://"] {
            assert!(AwsPlace::of_server(bad, &BTreeMap::new()).is_err(), "{bad}");
        }
        assert!(AwsPlace::of_server("http://127.0.0.1:8400", &BTreeMap::new()).unwrap().endpoint.is_some());
    }
}
