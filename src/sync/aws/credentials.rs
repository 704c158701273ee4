//! Whose keys sign: those of the usual chain, and what to tell where there are none.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;

use super::fault::{CallFault, FaultKind};
use super::place::{AwsPlace, Dialect};
use crate::backend::aws::{self, ChainOptions, HeldKeys};
use crate::model::{Error, ErrorKind, Result};

/// What profile and environment say of a place.
pub(super) async fn settings(place: &AwsPlace) -> Result<SdkConfig> {
    aws::settings(&ChainOptions {
        profile: place.profile.as_deref(),
        region: place.region.as_deref(),
        region_of_machine: true,
        // A machine's role is not for a neighbour's server.
        with_roles: place.dialect == Dialect::Amazon,
    })
    .await
}

/// Keys that sign.
pub(super) struct Keys {
    held: HeldKeys,
    /// How messages name them.
    name: String,
    profile: Option<String>,
}

impl Keys {
    /// Those of a place.
    pub(super) fn new(place: &AwsPlace, settings: &SdkConfig) -> Self {
        let held = HeldKeys::new(aws::provider(place.profile.as_deref(), settings));
        Self { held, name: place.keys(), profile: place.profile.clone() }
    }

    /// Keys that are good now.
    ///
    /// # Errors
    /// One that names the remedy, if there are none, or those there are can't be renewed.
    pub(super) async fn get(&self) -> std::result::Result<Credentials, CallFault> {
        self.held.get().await.map_err(|error| CallFault::new(FaultKind::Credentials, self.complaint(&error)))
    }

    /// Forgets keys that were refused as expired; true if there may be others.
    pub(super) fn forget(&self, refused: &Credentials) -> bool {
        self.held.forget(refused)
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
        let why = aws::causes(error);
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
