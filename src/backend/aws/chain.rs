//! The chain that all of AWS's tools share: environment, profile, single sign-on, credential process, container, machine.
//!
//! Keys are held in memory until shortly before they expire. While one request renews them others wait for the same answer: a
//! credential process is a program, and a browser may open for a sign-in.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::connector::ChainHttp;
use crate::model::{Error, ErrorKind, Result};

/// Keys that expire within this time are renewed first.
const MARGIN: Duration = Duration::from_secs(60);

/// What is asked of the chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChainOptions<'a> {
    /// None for that of the environment.
    pub(crate) profile: Option<&'a str>,
    /// None for that of the environment or the profile.
    pub(crate) region: Option<&'a str>,
    /// Whether the machine may be asked for its region too. A bucket's region is not that of whoever reads it.
    pub(crate) region_of_machine: bool,
    /// Whether keys may be those of the container's or the machine's role, which are asked for without TLS.
    pub(crate) with_roles: bool,
}

/// What environment and profile say. No key is asked for yet.
pub(crate) async fn settings(options: &ChainOptions<'_>) -> Result<SdkConfig> {
    let http = ChainHttp::new(options.with_roles).map_err(|error| Error::new(ErrorKind::Io, "can't speak HTTP").source(error))?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(profile) = options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = options.region {
        loader = loader.region(Region::new(region.to_owned()));
    } else if !options.region_of_machine {
        let of_profile = ProfileFileRegionProvider::builder();
        let of_profile = options.profile.into_iter().fold(of_profile, |builder, profile| builder.profile_name(profile));
        loader = loader.region(of_profile.build());
    }
    Ok(loader.load().await)
}

/// Who gives keys. A profile that was named is asked alone: keys of the environment may belong to another account.
pub(crate) fn provider(profile: Option<&str>, settings: &SdkConfig) -> Option<SharedCredentialsProvider> {
    match (profile, settings.http_client()) {
        (Some(profile), Some(http)) => {
            let how = ProviderConfig::without_region().with_region(settings.region().cloned()).with_http_client(http);
            let of_profile = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&how).build();
            Some(SharedCredentialsProvider::new(of_profile))
        }
        _ => settings.credentials_provider(),
    }
}

/// Keys, asked for when they are needed.
#[derive(Debug)]
pub(crate) struct HeldKeys {
    provider: Option<SharedCredentialsProvider>,
    held: Mutex<Option<Credentials>>,
    /// Held by whoever asks for new ones.
    renewal: tokio::sync::Mutex<()>,
}

impl HeldKeys {
    pub(crate) fn new(provider: Option<SharedCredentialsProvider>) -> Self {
        Self { provider, held: Mutex::default(), renewal: tokio::sync::Mutex::default() }
    }

    fn fresh(&self) -> Option<Credentials> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        held.filter(|held| held.expiry().is_none_or(|end| end > SystemTime::now() + MARGIN))
    }

    /// Keys that are good now.
    ///
    /// # Errors
    /// If there are none, or those there are can't be renewed.
    pub(crate) async fn get(&self) -> std::result::Result<Credentials, CredentialsError> {
        if let Some(held) = self.fresh() {
            return Ok(held);
        }
        let _turn = self.renewal.lock().await;
        if let Some(renewed) = self.fresh() {
            return Ok(renewed);
        }
        let found = match &self.provider {
            Some(provider) => provider.provide_credentials().await?,
            None => return Err(CredentialsError::not_loaded_no_source()),
        };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    /// Forgets keys that were refused as expired; true if there may be others.
    pub(crate) fn forget(&self, refused: &Credentials) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.access_key_id() == refused.access_key_id()) {
            *held = None;
        }
        self.provider.is_some()
    }
}

/// Everything the chain says about its failure: little at the top, the rest underneath.
pub(crate) fn causes(error: &CredentialsError) -> String {
    let mut why = vec![error.to_string()];
    let mut below = error.source();
    while let Some(cause) = below {
        let text = cause.to_string();
        if why.last() != Some(&text) {
            why.push(text);
        }
        below = cause.source();
    }
    why.join(": ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::future;

    use super::*;

    /// Gives keys of a second's or an hour's life, and counts how often it was asked.
    #[derive(Debug)]
    struct Counting {
        asked: Arc<AtomicUsize>,
        life: Duration,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                let number = self.asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(Credentials::new(format!("AKID{number}"), "secret", None, Some(SystemTime::now() + self.life), "test"))
            })
        }
    }

    async fn asked(life: Duration) -> usize {
        let asked = Arc::new(AtomicUsize::new(0));
        let keys = HeldKeys::new(Some(SharedCredentialsProvider::new(Counting { asked: asked.clone(), life })));
        for found in futures::future::join_all((0..5).map(|_| keys.get())).await {
            found.unwrap();
        }
        keys.get().await.unwrap();
        asked.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn keys_are_asked_for_once_until_they_are_about_to_expire() {
        assert_eq!(asked(Duration::from_secs(3_600)).await, 1);
        assert_eq!(asked(Duration::from_secs(30)).await, 6);
    }

    #[tokio::test]
    async fn refused_keys_are_forgotten() {
        let asked = Arc::new(AtomicUsize::new(0));
        let keys = HeldKeys::new(Some(SharedCredentialsProvider::new(Counting { asked, life: Duration::from_secs(3_600) })));
        let first = keys.get().await.unwrap();
        assert!(keys.forget(&first));
        assert_ne!(keys.get().await.unwrap().access_key_id(), first.access_key_id());
        assert!(HeldKeys::new(None).get().await.is_err());
    }
}
