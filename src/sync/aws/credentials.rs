//! Whose keys sign: the chain that all of AWS's tools share (environment, profile, single sign-on, credential process, container,
//! machine). They are held in memory until shortly before they expire, and never written anywhere.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::connector::ChainHttp;
use super::fault::{CallFault, FaultKind};
use super::place::{AwsPlace, Dialect};
use crate::model::{Error, ErrorKind, Result};

/// Keys that expire within this time are renewed first.
const MARGIN: Duration = Duration::from_secs(60);

/// What profile and environment say of a place.
pub(super) async fn settings(place: &AwsPlace) -> Result<SdkConfig> {
    let http =
        ChainHttp::new(place.dialect == Dialect::Amazon).map_err(|error| Error::new(ErrorKind::Io, "can't speak HTTP").source(error))?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(profile) = &place.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    Ok(loader.load().await)
}

/// Keys that sign.
pub(super) struct Keys {
    provider: Option<SharedCredentialsProvider>,
    /// How messages name them.
    name: String,
    profile: Option<String>,
    held: Mutex<Option<Credentials>>,
}

impl Keys {
    /// Those of a place. A profile that was named is asked alone: keys of the environment may belong to another account.
    pub(super) fn new(place: &AwsPlace, settings: &SdkConfig) -> Self {
        let provider = match (&place.profile, settings.http_client()) {
            (Some(profile), Some(http)) => {
                let how = ProviderConfig::without_region().with_region(settings.region().cloned()).with_http_client(http);
                let of_profile = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&how).build();
                Some(SharedCredentialsProvider::new(of_profile))
            }
            _ => settings.credentials_provider(),
        };
        Self { provider, name: place.keys(), profile: place.profile.clone(), held: Mutex::default() }
    }

    /// Keys that are good now.
    ///
    /// # Errors
    /// One that names the remedy, if there are none, or those there are can't be renewed.
    pub(super) async fn get(&self) -> std::result::Result<Credentials, CallFault> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(held) = held.filter(|held| held.expiry().is_none_or(|end| end > SystemTime::now() + MARGIN)) {
            return Ok(held);
        }
        let found = match &self.provider {
            Some(provider) => provider.provide_credentials().await,
            None => Err(CredentialsError::not_loaded_no_source()),
        };
        let found = found.map_err(|error| CallFault::new(FaultKind::Credentials, self.complaint(&error)))?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    /// Forgets keys that were refused as expired; true if there may be others.
    pub(super) fn forget(&self, refused: &Credentials) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.access_key_id() == refused.access_key_id()) {
            *held = None;
        }
        self.provider.is_some()
    }

    /// True if the user said whose keys these are.
    pub(super) fn are_named(&self) -> bool {
        self.profile.is_some()
    }

    /// What to do about keys that have expired.
    pub(super) fn renewal(&self) -> String {
        match &self.profile {
            Some(profile) => format!("sign in again: `aws sso login --profile {profile}`, or renew the keys of the profile"),
            None => {
                "sign in again with `aws sso login`, or renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN".to_owned()
            }
        }
    }

    fn complaint(&self, error: &CredentialsError) -> Error {
        // The chain says little at the top and everything underneath.
        let mut why = vec![error.to_string()];
        let mut below = error.source();
        while let Some(cause) = below {
            let text = cause.to_string();
            if why.last() != Some(&text) {
                why.push(text);
            }
            below = cause.source();
        }
        let why = why.join(": ");
        let what = format!("there are no usable AWS credentials in {}", self.name);
        match error {
            CredentialsError::CredentialsNotLoaded(_) if self.are_named() => Error::new(ErrorKind::Usage, what)
                .why("there is no such profile, or it gives no keys")
                .remedy("add it to ~/.aws/config or ~/.aws/credentials, or name another with --profile"),
            CredentialsError::CredentialsNotLoaded(_) => Error::new(ErrorKind::Usage, what)
                .why("none were found")
                .remedy("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, sign in with `aws sso login`, or name a profile with --profile"),
            CredentialsError::InvalidConfiguration(_) => {
                Error::new(ErrorKind::Usage, what).why(why).remedy("check the profile in ~/.aws/config and ~/.aws/credentials")
            }
            _ => Error::new(ErrorKind::Io, what).why(why).remedy(self.renewal()),
        }
    }
}
