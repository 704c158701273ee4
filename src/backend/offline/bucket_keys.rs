//! Whose keys sign requests for a bucket: those of the environment, else of the usual chain, with the region that its profile names.
//!
//! The client for buckets knows keys of the environment itself; of profiles, single sign-on and credential processes it knows nothing, so
//! for these it asks here before each request, and is answered from memory until the keys are about to expire.

use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};

use crate::backend::aws::{self, ChainOptions, HeldKeys};
use crate::model::{Error, ErrorKind, Result};

/// Lets a client ask the chain, unless it has keys or is to sign nothing.
///
/// # Errors
/// `Io` if HTTP can't be spoken.
pub(super) async fn with_keys(builder: AmazonS3Builder, url: &str) -> Result<AmazonS3Builder> {
    let value = |key: AmazonS3ConfigKey| builder.get_config_value(&key).filter(|text| !text.is_empty());
    if value(AmazonS3ConfigKey::AccessKeyId).is_some() || value(AmazonS3ConfigKey::SkipSignature).as_deref() == Some("true") {
        return Ok(builder);
    }
    let profile = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    let (region, endpoint) =
        (value(AmazonS3ConfigKey::Region), value(AmazonS3ConfigKey::S3Endpoint).or(value(AmazonS3ConfigKey::Endpoint)));
    let options = ChainOptions {
        profile: profile.as_deref(),
        region: region.as_deref(),
        region_of_machine: false,
        // What is reached without TLS is a server nearby, which no role of Amazon's is for.
        with_roles: endpoint.as_ref().is_none_or(|endpoint| !endpoint.starts_with("http://")),
    };
    let settings = aws::settings(&options).await?;
    let keys = BucketKeys { held: HeldKeys::new(aws::provider(profile.as_deref(), &settings)), url: url.to_owned(), profile };
    let mut builder = builder.with_credentials(Arc::new(keys));
    if region.is_none()
        && let Some(region) = settings.region()
    {
        builder = builder.with_region(region.to_string());
    }
    if endpoint.is_none()
        && let Some(endpoint) = settings.endpoint_url()
    {
        builder = builder.with_endpoint(endpoint);
    }
    Ok(builder)
}

/// The keys of the chain, for one bucket.
#[derive(Debug)]
struct BucketKeys {
    held: HeldKeys,
    /// How messages name the bucket.
    url: String,
    profile: Option<String>,
}

impl BucketKeys {
    fn complaint(&self, error: &CredentialsError) -> Error {
        let what = format!("there are no usable AWS credentials for {}", self.url);
        let profile = self.profile.as_deref();
        match (error, profile) {
            (CredentialsError::CredentialsNotLoaded(_), Some(profile)) => Error::new(ErrorKind::Usage, what)
                .why(format!("there is no profile '{}', or it gives no keys", profile.escape_debug()))
                .remedy("add it to ~/.aws/config or ~/.aws/credentials, or name another in AWS_PROFILE"),
            (CredentialsError::CredentialsNotLoaded(_), None) => Error::new(ErrorKind::Usage, what)
                .why("none were found")
                .remedy("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, sign in with `aws sso login`, or name a profile in AWS_PROFILE"),
            (CredentialsError::InvalidConfiguration(_), _) => Error::new(ErrorKind::Usage, what)
                .why(aws::causes(error))
                .remedy("check the profile in ~/.aws/config and ~/.aws/credentials"),
            (_, Some(profile)) => Error::new(ErrorKind::Io, what)
                .why(aws::causes(error))
                .remedy(format!("sign in again: `aws sso login --profile {profile}`, or renew the keys of the profile")),
            (_, None) => {
                Error::new(ErrorKind::Io, what).why(aws::causes(error)).remedy("sign in again with `aws sso login`, or renew the keys")
            }
        }
    }
}

#[async_trait]
impl CredentialProvider for BucketKeys {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let keys = self.held.get().await.map_err(|error| self.complaint(&error))?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.access_key_id().to_owned(),
            secret_key: keys.secret_access_key().to_owned(),
            token: keys.session_token().map(str::to_owned),
        }))
    }
}
