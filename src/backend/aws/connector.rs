//! How the chain of credentials asks over HTTP: single sign-on, a container's or a machine's role, an assumed role.
//!
//! The chain brings no HTTP of its own in this build, so that there is one TLS stack; here it gets ours. A chain for a server of this
//! program reaches nothing without TLS: a machine's role is not for a neighbour's server.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use url::{Host, Url};

/// How long one may take where the chain does not say.
const USUAL: Duration = Duration::from_secs(10);
/// Most bytes of an answer; credentials are small.
const MAX_ANSWER: usize = 1 << 20;

/// Makes requests for the chain.
#[derive(Debug, Clone)]
pub(super) struct ChainHttp {
    /// Through the proxy of the environment, if it names one.
    usual: reqwest::Client,
    /// To this machine and its neighbourhood, which no proxy can reach.
    direct: reqwest::Client,
    with_roles: bool,
}

impl ChainHttp {
    /// Without `with_roles` only what speaks TLS is asked.
    pub(super) fn new(with_roles: bool) -> reqwest::Result<Self> {
        let builder = || reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Ok(Self { usual: builder().build()?, direct: builder().no_proxy().build()?, with_roles })
    }
}

impl HttpClient for ChainHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, _components: &RuntimeComponents) -> SharedHttpConnector {
        let given = settings.connect_timeout().into_iter().chain(settings.read_timeout()).reduce(|sum, one| sum + one);
        SharedHttpConnector::new(Connector { http: self.clone(), patience: given.unwrap_or(USUAL) })
    }
}

#[derive(Debug)]
struct Connector {
    http: ChainHttp,
    patience: Duration,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (http, patience) = (self.http.clone(), self.patience);
        HttpConnectorFuture::new(async move {
            match tokio::time::timeout(patience, send(&http, &request)).await {
                Ok(answered) => answered,
                Err(elapsed) => Err(ConnectorError::timeout(elapsed.into())),
            }
        })
    }
}

async fn send(http: &ChainHttp, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let url = Url::parse(request.uri()).map_err(|error| ConnectorError::user(error.into()))?;
    if !http.with_roles && url.scheme() != "https" {
        return Err(ConnectorError::user("roles of a machine are not used for this server".into()));
    }
    let method = reqwest::Method::from_bytes(request.method().as_bytes()).map_err(|error| ConnectorError::user(error.into()))?;
    let client = if is_near(&url) { &http.direct } else { &http.usual };
    let body = request.body().bytes().map(<[u8]>::to_vec).unwrap_or_default();
    let headers = request.headers().iter().fold(client.request(method, url), |request, (name, value)| request.header(name, value));
    let mut response = headers.body(body).send().await.map_err(failure)?;
    let status = response.status().as_u16().try_into().map_err(|_| ConnectorError::user("the status is none".into()))?;
    let told: Vec<(String, String)> =
        response.headers().iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect();
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failure)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_ANSWER {
            return Err(ConnectorError::user("the answer is too long for credentials".into()));
        }
    }
    let mut answer = HttpResponse::new(status, bytes.into());
    for (name, value) in told {
        answer.headers_mut().append(name, value);
    }
    Ok(answer)
}

fn failure(error: reqwest::Error) -> ConnectorError {
    let is_timeout = error.is_timeout();
    let error = Box::new(error.without_url());
    if is_timeout { ConnectorError::timeout(error) } else { ConnectorError::io(error) }
}

/// True for addresses that lie on this machine or its link.
pub(crate) fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_no_proxy_can_reach_is_near() {
        for (url, near) in [
            ("http://169.254.169.254/latest", true),
            ("http://127.0.0.1:8400", true),
            ("http://localhost:1", true),
            ("http://[fd00:ec2::254]/", true),
            ("https://sts.eu-west-1.amazonaws.com", false),
            ("http://10.0.0.7", false),
        ] {
            assert_eq!(is_near(&Url::parse(url).unwrap()), near, "{url}");
        }
    }
}
