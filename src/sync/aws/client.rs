//! One request to the service: its turn, its signature, its time-out, and again where trouble may pass.
//!
//! All operations read, so repeating one is always right. An answer is bounded in size and comes from where it was asked: no redirect is
//! followed, since whoever answers next would get a signed request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use url::Url;

use super::credentials::{self, Keys};
use super::fault::{Answered, CallFault, FaultKind, meaning};
use super::pace::{Pace, pause};
use super::place::{self, AwsPlace, Dialect};
use crate::backend::aws::is_near;
use crate::model::{Error, ErrorKind};

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes of an answer: a hundred groups of 2,500 features have less.
const MAX_ANSWER: usize = 128 << 20;
/// Both planes sign as this.
const SERVICE: &str = "sagemaker";

/// Speaks to one account or server.
pub(super) struct Client {
    http: reqwest::Client,
    /// Definitions.
    control: Url,
    /// Records.
    runtime: Url,
    /// The region that is signed for.
    pub(super) region: String,
    /// What messages call it.
    pub(super) place: String,
    keys: Keys,
    /// Whether requests are signed; a server of this program is asked without a signature until it wants one.
    signs: AtomicBool,
    pace: Pace,
    timeout: Duration,
    attempts: u32,
    retries: AtomicU64,
}

impl Client {
    /// Finds out region, endpoint and keys of a place; nothing is asked of it yet.
    ///
    /// # Errors
    /// Usage if no region is named anywhere, or an endpoint of the environment is none.
    pub(super) async fn connect(place: &AwsPlace) -> Result<Self, CallFault> {
        let usage = |error| CallFault::new(FaultKind::Refused, error);
        let settings = credentials::settings(place).await.map_err(usage)?;
        let region = settings.region().map(ToString::to_string).ok_or_else(|| {
            usage(
                Error::usage("the region of the SageMaker account is not known")
                    .remedy("name it: `larder source add NAME aws REGION`, in AWS_REGION, or in the profile"),
            )
        })?;
        let of_environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let overridden = |name: &str| -> Result<Option<Url>, CallFault> {
            match (&place.endpoint, of_environment(name), settings.endpoint_url()) {
                (Some(url), ..) => Ok(Some(url.clone())),
                (None, Some(text), _) => place::endpoint(&text).map(Some).map_err(|error| usage(error.within(name))),
                (None, None, Some(text)) => place::endpoint(text).map(Some).map_err(usage),
                (None, None, None) => Ok(None),
            }
        };
        let amazon = |host: &str| {
            let url = format!("https://{host}.{region}.{}", suffix(&region));
            Url::parse(&url).map_err(|_| usage(Error::usage(format!("'{}' is no region", region.escape_debug()))))
        };
        let elsewhere = overridden("AWS_ENDPOINT_URL_SAGEMAKER")?;
        let place_name = match &elsewhere {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("SageMaker in {region}"),
        };
        let control = elsewhere.map_or_else(|| amazon("api.sagemaker"), Ok)?;
        let runtime =
            overridden("AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME")?.map_or_else(|| amazon("featurestore-runtime.sagemaker"), Ok)?;
        let mut http = reqwest::Client::builder()
            .timeout(place.timeout)
            .connect_timeout(CONNECT.min(place.timeout))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")));
        if is_near(&control) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| usage(Error::new(ErrorKind::Io, "can't speak HTTP").source(error)))?;
        Ok(Self {
            http,
            place: place_name,
            control,
            runtime,
            region,
            keys: Keys::new(place, &settings),
            signs: AtomicBool::new(place.dialect == Dialect::Amazon),
            pace: Pace::new(place.rate),
            timeout: place.timeout,
            attempts: place.attempts,
            retries: AtomicU64::new(0),
        })
    }

    /// Requests that were made again.
    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Where records are looked up.
    pub(super) fn runtime(&self) -> &str {
        self.runtime.as_str().trim_end_matches('/')
    }

    /// An operation on definitions.
    pub(super) async fn call<T: DeserializeOwned>(&self, operation: &str, request: &Json) -> Result<T, CallFault> {
        let body = request.to_string().into_bytes();
        let make = || {
            self.http
                .post(self.control.clone())
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("SageMaker.{operation}"))
                .body(body.clone())
        };
        let answer = self.ask(operation, &make, &body).await?;
        self.read(operation, &answer)
    }

    /// An operation on records; path and query are encoded already.
    pub(super) async fn get<T: DeserializeOwned>(&self, operation: &str, path_and_query: &str) -> Result<T, CallFault> {
        let text = format!("{}{path_and_query}", self.runtime());
        let url = Url::parse(&text).map_err(|error| CallFault::new(FaultKind::Refused, Error::internal("no URL").source(error)))?;
        let answer = self.ask(operation, &|| self.http.get(url.clone()), b"").await?;
        self.read(operation, &answer)
    }

    fn read<T: DeserializeOwned>(&self, operation: &str, answer: &[u8]) -> Result<T, CallFault> {
        let answer: &[u8] = if answer.is_empty() { b"{}" } else { answer };
        serde_json::from_slice(answer).map_err(|error| {
            let what = format!("the answer of {} to {operation} can't be read", self.place);
            CallFault::new(FaultKind::Unreadable, Error::corrupt(what).source(error).remedy("check that this is the right endpoint"))
        })
    }

    async fn ask(&self, operation: &str, make: &(dyn Fn() -> reqwest::RequestBuilder + Sync), body: &[u8]) -> Result<Vec<u8>, CallFault> {
        let mut failed = 0;
        let mut renewed = false;
        loop {
            self.pace.turn().await;
            let keys = if self.signs.load(Ordering::Relaxed) { Some(self.keys.get().await?) } else { None };
            let fault = match self.ask_once(operation, make(), body, keys.as_ref()).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            match (fault.kind, &keys) {
                // Only a server that asks for keys gets to see a signature.
                (FaultKind::Unsigned, None) => match self.keys.get().await {
                    Ok(_) => self.signs.store(true, Ordering::Relaxed),
                    Err(missing) => return Err(if self.keys.are_named() { missing } else { fault }),
                },
                (FaultKind::Expired, Some(keys)) if !renewed && self.keys.forget(keys) => {
                    renewed = true;
                    let fresh = self.keys.get().await?;
                    if fresh.access_key_id() == keys.access_key_id() && fresh.session_token() == keys.session_token() {
                        return Err(fault);
                    }
                }
                (FaultKind::Passing, _) if failed + 1 < self.attempts => {
                    failed += 1;
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(operation, attempt = failed, error = %fault.error, "asked again");
                    tokio::time::sleep(pause(failed, fault.wait)).await;
                }
                _ => return Err(fault),
            }
        }
    }

    async fn ask_once(
        &self,
        operation: &str,
        request: reqwest::RequestBuilder,
        body: &[u8],
        keys: Option<&Credentials>,
    ) -> Result<Vec<u8>, CallFault> {
        let mut request = request.build().map_err(|error| self.broken(operation, error))?;
        if let Some(keys) = keys {
            signed(&mut request, body, keys, &self.region)
                .map_err(|why| CallFault::new(FaultKind::Credentials, Error::usage("a request can't be signed").why(why)))?;
        }
        let mut response = self.http.execute(request).await.map_err(|error| self.broken(operation, error))?;
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (error_type, retry_after) = (header("x-amzn-errortype"), header("retry-after"));
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(operation, error))? {
            if answer.len() + piece.len() > MAX_ANSWER {
                let error = Error::corrupt(format!("the answer of {} to {operation} is too long", self.place));
                return Err(CallFault::new(FaultKind::Unreadable, error.why(format!("it has more than {} MiB", MAX_ANSWER >> 20))));
            }
            answer.extend_from_slice(&piece);
        }
        if status.is_success() {
            return Ok(answer);
        }
        let answered = Answered {
            operation,
            place: &self.place,
            status: status.as_u16(),
            error_type: error_type.as_deref(),
            retry_after: retry_after.and_then(|text| text.trim().parse().ok()),
            body: &answer,
        };
        Err(meaning(&answered, &self.keys.renewal()))
    }

    /// A request that got no whole answer.
    fn broken(&self, operation: &str, error: reqwest::Error) -> CallFault {
        let place = &self.place;
        let error = error.without_url();
        let told = if error.is_timeout() {
            Error::new(ErrorKind::Io, format!("{place} did not answer {operation} in time"))
                .why(format!("{} s went by", self.timeout.as_secs()))
                .remedy("run sync again in a while, or add the source with --option timeout=2m")
        } else if error.is_connect() {
            Error::new(ErrorKind::Io, format!("{place} can't be reached"))
                .why(causes(&error))
                .remedy("check the address, and that it is up")
        } else {
            Error::new(ErrorKind::Io, format!("the answer of {place} to {operation} broke off")).why(causes(&error))
        };
        CallFault::new(FaultKind::Passing, told)
    }
}

/// Puts a signature on a request.
fn signed(request: &mut reqwest::Request, body: &[u8], keys: &Credentials, region: &str) -> Result<(), String> {
    let identity = keys.clone().into();
    let params: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(request.method().as_str(), request.url().as_str(), headers, SignableBody::Bytes(body));
    let (instructions, _) = sign(signable.map_err(|error| error.to_string())?, &params).map_err(|error| error.to_string())?.into_parts();
    let (added, _) = instructions.into_parts();
    for header in added {
        let mut value = reqwest::header::HeaderValue::from_str(header.value()).map_err(|error| error.to_string())?;
        // A log of a request must not hold what would let somebody send it.
        value.set_sensitive(header.sensitive() || header.name().eq_ignore_ascii_case("authorization"));
        request.headers_mut().insert(header.name(), value);
    }
    Ok(())
}

/// What libraries say below their first sentence, which tells little.
fn causes(error: &reqwest::Error) -> String {
    let mut told = Vec::new();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        told.push(cause.to_string());
        below = cause.source();
    }
    told.dedup();
    told.pop().unwrap_or_else(|| error.to_string())
}

/// The end of Amazon's host names in the partition of a region.
fn suffix(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "amazonaws.com.cn",
        region if region.starts_with("eusc-") => "amazonaws.eu",
        region if region.starts_with("us-iso-") => "c2s.ic.gov",
        region if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        region if region.starts_with("us-isof-") => "csp.hci.ic.gov",
        region if region.starts_with("eu-isoe-") => "cloud.adc-e.uk",
        _ => "amazonaws.com",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_signature_covers_target_body_and_session() {
        let keys = Credentials::new("AKIDEXAMPLE", "secret", Some("session".into()), None, "test");
        let request = |target: &str, body: &str| {
            let http = reqwest::Client::new();
            let request = http.post("http://127.0.0.1:8400/").header("x-amz-target", target).body(body.to_owned());
            let mut request = request.build().unwrap();
            signed(&mut request, body.as_bytes(), &keys, "eu-west-1").unwrap();
            let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("x-amz-security-token"), "session");
            assert!(!format!("{request:?}").contains("Signature="), "a signature is no text for logs");
            header("authorization")
        };
        let one = request("SageMaker.Search", "{}");
        assert!(one.contains("/eu-west-1/sagemaker/aws4_request") && one.contains("x-amz-target"), "{one}");
        assert_ne!(one, request("SageMaker.Search", "{ }"));
        assert_ne!(one, request("SageMaker.ListTags", "{}"));
    }

    #[test]
    fn partitions_have_their_own_names() {
        assert_eq!((suffix("cn-north-1"), suffix("us-gov-west-1")), ("amazonaws.com.cn", "amazonaws.com"));
    }
}
