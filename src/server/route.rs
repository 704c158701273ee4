//! Which service and operation a request is for.
//!
//! One port serves them all, as `AWS_ENDPOINT_URL` asks. The target header decides, then the paths of the runtime
//! (their upper-case letters can be no bucket), then the service that the signature names, then the server's own
//! pages; what is left is S3 with its bucket in the path.

use std::borrow::Cow;

use axum::http::{HeaderMap, Method};

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// Is the process alive?
    Health,
    /// Would it answer?
    Ready,
    /// Counters for Prometheus.
    Metrics,
    /// Control plane of Feature Store.
    SageMaker(String),
    /// Data plane of Feature Store.
    Runtime(RuntimeOperation),
    /// SQL.
    Athena(String),
    /// Tables.
    Glue(String),
    /// Who am I?
    Sts,
    /// Roles.
    Iam,
    /// Objects.
    S3,
    /// A service of AWS that is not here, by its name in signatures.
    Elsewhere(String),
}

/// An operation of the data plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuntimeOperation {
    PutRecord,
    GetRecord,
    DeleteRecord,
    BatchGetRecord,
    BatchWriteRecord,
    ListRecords,
    UpdateRecord,
    /// A path of the data plane that no operation has.
    Unknown,
}

impl RuntimeOperation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PutRecord => "PutRecord",
            Self::GetRecord => "GetRecord",
            Self::DeleteRecord => "DeleteRecord",
            Self::BatchGetRecord => "BatchGetRecord",
            Self::BatchWriteRecord => "BatchWriteRecord",
            Self::ListRecords => "ListRecords",
            Self::UpdateRecord => "UpdateRecord",
            Self::Unknown => "UnknownOperation",
        }
    }

    fn of(method: &Method, path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/FeatureGroup/") {
            let (name, tail) = rest.split_once('/').map_or((rest, None), |(name, tail)| (name, Some(tail)));
            return Some(match (method, tail) {
                _ if name.is_empty() => Self::Unknown,
                (&Method::GET, None) => Self::GetRecord,
                (&Method::PUT, None) => Self::PutRecord,
                (&Method::DELETE, None) => Self::DeleteRecord,
                (&Method::POST, Some("ListRecords")) => Self::ListRecords,
                (&Method::POST, Some("Record")) => Self::UpdateRecord,
                _ => Self::Unknown,
            });
        }
        match (path, method) {
            ("/BatchGetRecord", &Method::POST) => Some(Self::BatchGetRecord),
            ("/BatchWriteRecord", &Method::POST) => Some(Self::BatchWriteRecord),
            ("/BatchGetRecord" | "/BatchWriteRecord" | "/FeatureGroup", _) => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// The credential scope of a signature: `<key>/<date>/<region>/<service>/aws4_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// The scope of a signature in the Authorization header, else in the query; none if there is none that can be read.
pub(super) fn scope_of<'a>(headers: &'a HeaderMap, query: &'a str) -> Option<Cow<'a, str>> {
    if let Some(header) = headers.get(axum::http::header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        let (_, rest) = header.split_once("Credential=")?;
        return Some(Cow::Borrowed(rest.split([',', ' ']).next().unwrap_or(rest)));
    }
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-Credential").map(|(_, value)| value)
}

/// The parts of a credential scope.
pub(super) fn parse_scope(credential: &str) -> Option<Scope<'_>> {
    let mut parts = credential.rsplit('/');
    let (end, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    (end == "aws4_request").then_some(Scope { region, service })
}

/// Routes a request.
pub(super) fn route(method: &Method, path: &str, headers: &HeaderMap, scope: Option<Scope<'_>>) -> Route {
    if let Some(target) = headers.get("x-amz-target").and_then(|value| value.to_str().ok()) {
        if let Some((service, operation)) = target.split_once('.') {
            match service {
                "SageMaker" => return Route::SageMaker(operation.to_owned()),
                "AmazonAthena" => return Route::Athena(operation.to_owned()),
                "AWSGlue" => return Route::Glue(operation.to_owned()),
                _ => {}
            }
        }
        return Route::SageMaker(target.to_owned());
    }
    if let Some(operation) = RuntimeOperation::of(method, path) {
        return Route::Runtime(operation);
    }
    match scope.map(|scope| scope.service) {
        Some("sts") => return Route::Sts,
        Some("iam") => return Route::Iam,
        Some("s3") => return Route::S3,
        Some("athena") => return Route::Athena(String::new()),
        Some("glue") => return Route::Glue(String::new()),
        Some("sagemaker") => return Route::SageMaker(String::new()),
        _ => {}
    }
    match (path, method) {
        ("/healthz", &Method::GET | &Method::HEAD) => Route::Health,
        ("/readyz", &Method::GET | &Method::HEAD) => Route::Ready,
        ("/metrics", &Method::GET | &Method::HEAD) => Route::Metrics,
        // Only query protocols post forms to the root; of these STS alone has calls that nobody signs.
        ("/", &Method::POST) if is_form(headers) => Route::Sts,
        // The paths of a service that is not here are no buckets.
        _ => scope.map_or(Route::S3, |scope| Route::Elsewhere(scope.service.to_owned())),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(axum::http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn routed(method: &str, path: &str, headers: &[(&'static str, &str)]) -> Route {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let credential = scope_of(&map, "").map(Cow::into_owned);
        route(&method.parse().unwrap(), path, &map, credential.as_deref().and_then(parse_scope))
    }

    fn signed(service: &str) -> String {
        format!("AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00")
    }

    #[test]
    fn the_target_decides_before_anything_else() {
        let authorization = signed("sagemaker");
        for (target, is) in [
            ("SageMaker.ListTags", Route::SageMaker("ListTags".into())),
            ("AmazonAthena.StartQueryExecution", Route::Athena("StartQueryExecution".into())),
            ("AWSGlue.GetTable", Route::Glue("GetTable".into())),
        ] {
            assert_eq!(routed("POST", "/", &[("x-amz-target", target), ("authorization", &authorization)]), is);
        }
    }

    #[test]
    fn paths_of_the_runtime_need_no_signature() {
        for (method, path, is) in [
            ("PUT", "/FeatureGroup/a", RuntimeOperation::PutRecord),
            ("GET", "/FeatureGroup/arn%3Aaws%3Afeature-group%2Fa", RuntimeOperation::GetRecord),
            ("DELETE", "/FeatureGroup/a", RuntimeOperation::DeleteRecord),
            ("POST", "/FeatureGroup/a/ListRecords", RuntimeOperation::ListRecords),
            ("POST", "/FeatureGroup/a/Record", RuntimeOperation::UpdateRecord),
            ("POST", "/BatchGetRecord", RuntimeOperation::BatchGetRecord),
            ("POST", "/BatchWriteRecord", RuntimeOperation::BatchWriteRecord),
            ("GET", "/BatchWriteRecord", RuntimeOperation::Unknown),
            ("GET", "/FeatureGroup/", RuntimeOperation::Unknown),
        ] {
            assert_eq!(routed(method, path, &[]), Route::Runtime(is), "{method} {path}");
        }
    }

    #[test]
    fn the_signature_tells_services_apart_that_share_a_path() {
        for (service, is) in [("sts", Route::Sts), ("iam", Route::Iam), ("s3", Route::S3)] {
            assert_eq!(routed("POST", "/", &[("authorization", &signed(service))]), is);
        }
        let elsewhere = routed("POST", "/RegisterResource", &[("authorization", &signed("lakeformation"))]);
        assert_eq!(elsewhere, Route::Elsewhere("lakeformation".into()));
        assert_eq!(routed("GET", "/healthz", &[]), Route::Health);
        assert_eq!(routed("GET", "/healthz", &[("authorization", &signed("s3"))]), Route::S3, "a bucket may be called so");
        assert_eq!(routed("GET", "/bucket/key", &[]), Route::S3);
    }
}
