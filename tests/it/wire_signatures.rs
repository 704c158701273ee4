//! Signatures: what AWS's own signer signs is accepted, and anything altered on the way is refused with AWS's code.

#![cfg(unix)]

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;

use crate::server::Serving;

const KEYS: &str = "AKIDWRITER:a-secret/of+keys AKIDREADER:another-secret:read-only";

/// A request as it goes over the wire.
#[derive(Clone)]
struct Sent {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Sent {
    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}")).1
    }

    /// Status, code and text of the answer.
    fn answer_of(&self, serving: &Serving) -> (u16, String, String) {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (status, head, body) = serving.exchange(&format!(
            "{} {} HTTP/1.1\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{}",
            self.method,
            self.target,
            self.body.len(),
            self.body
        ));
        let of_header = head.lines().find_map(|line| line.strip_prefix("x-amzn-errortype: ").map(str::to_owned));
        let document: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let of_xml = || Some(body.split_once("<Code>")?.1.split_once("</Code>")?.0.to_owned());
        let code = of_header.or_else(|| Some(document["__type"].as_str()?.to_owned())).or_else(of_xml).unwrap_or_default();
        (status, code, body)
    }
}

/// Who signs for what.
struct Signer<'a> {
    host: &'a str,
    key: &'a str,
    secret: &'a str,
    service: &'a str,
    time: SystemTime,
    expires_in: Option<Duration>,
}

impl<'a> Signer<'a> {
    fn new(host: &'a str, service: &'a str) -> Self {
        Self { host, key: "AKIDWRITER", secret: "a-secret/of+keys", service, time: SystemTime::now(), expires_in: None }
    }

    fn sign(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Sent {
        let identity = Credentials::new(self.key, self.secret, None, None, "test").into();
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if self.expires_in.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = self.expires_in;
            settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        }
        let built = SigningParams::builder().identity(&identity).region("eu-west-1").name(self.service).time(self.time).settings(settings);
        let params = built.build().unwrap().into();
        let mut all: Vec<(String, String)> = vec![("host".into(), self.host.into())];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let uri = format!("http://{}{target}", self.host);
        let payload = if self.expires_in.is_some() { SignableBody::UnsignedPayload } else { SignableBody::Bytes(body.as_bytes()) };
        let named = all.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signable = SignableRequest::new(method, uri, named, payload).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let (added, queries) = instructions.into_parts();
        all.extend(added.iter().map(|header| (header.name().to_owned(), header.value().to_owned())));
        let mut target = target.to_owned();
        for (name, value) in queries {
            let separator = if target.contains('?') { '&' } else { '?' };
            let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            target = format!("{target}{separator}{name}={value}");
        }
        Sent { method: method.into(), target, headers: all, body: body.into() }
    }
}

const GROUP: &str = r#"{"FeatureGroupName":"orders","RecordIdentifierFeatureName":"id","EventTimeFeatureName":"at",
    "FeatureDefinitions":[{"FeatureName":"id","FeatureType":"String"},{"FeatureName":"at","FeatureType":"Fractional"}],
    "OnlineStoreConfig":{"EnableOnlineStore":true}}"#;
const RECORD: &str = r#"{"Record":[{"FeatureName":"id","ValueAsString":"a b/ü"},{"FeatureName":"at","ValueAsString":"1"}]}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

fn served() -> (tempfile::TempDir, Serving) {
    let store = tempfile::tempdir().unwrap();
    let serving = Serving::start(store.path(), Some(KEYS));
    let made = Signer::new(&serving.address, "sagemaker").sign("POST", "/", &[("x-amz-target", "SageMaker.CreateFeatureGroup")], GROUP);
    assert_eq!(made.answer_of(&serving).0, 200);
    (store, serving)
}

#[test]
fn what_the_signer_of_aws_signs_is_accepted() {
    let (_store, serving) = served();
    let signer = Signer::new(&serving.address, "sagemaker");
    let arn = "/FeatureGroup/arn%3Aaws%3Asagemaker%3Aeu-west-1%3A000000000000%3Afeature-group%2Forders";
    let looked_up = format!("{arn}?RecordIdentifierValueAsString=a%20b%2F%C3%BC&FeatureName=id&FeatureName=at");
    for (method, target, headers, body) in [
        ("PUT", "/FeatureGroup/orders", &[JSON][..], RECORD),
        ("PUT", arn, &[JSON, ("x-amz-meta-spaced", "  two   words ")][..], RECORD),
        ("GET", looked_up.as_str(), &[][..], ""),
        ("POST", "/", &[("x-amz-target", "SageMaker.ListFeatureGroups"), ("content-type", "application/x-amz-json-1.1")][..], "{}"),
    ] {
        let (status, code, body) = signer.sign(method, target, headers, body).answer_of(&serving);
        assert_eq!((status, code.as_str()), (200, ""), "{method} {target}: {body}");
    }
    let objects = Signer::new(&serving.address, "s3");
    for (method, target, body) in [
        ("PUT", "/feature-store", ""),
        ("PUT", "/feature-store/a%20b/%C3%BC+~%2B.csv", "1,2\n"),
        ("GET", "/feature-store/a%20b/%C3%BC+~%2B.csv", ""),
        ("GET", "/feature-store?list-type=2&prefix=a%20b%2F&encoding-type=url", ""),
    ] {
        let (status, code, body) = objects.sign(method, target, &[], body).answer_of(&serving);
        assert_eq!((status, code.as_str()), (200, ""), "{method} {target}: {body}");
    }
    let presigner = Signer { expires_in: Some(Duration::from_secs(60)), ..Signer::new(&serving.address, "s3") };
    let presigned = presigner.sign("GET", "/feature-store/a%20b/%C3%BC+~%2B.csv", &[], "");
    assert_eq!(presigned.answer_of(&serving).0, 200, "{}", presigned.target);
}

#[test]
fn what_was_altered_is_refused_with_the_codes_of_aws() {
    let (_store, serving) = served();
    let target = "/FeatureGroup/orders?RecordIdentifierValueAsString=a&FeatureName=id";
    let looked_up = Signer::new(&serving.address, "sagemaker").sign("GET", target, &[], "");
    let put = Signer::new(&serving.address, "sagemaker").sign("PUT", "/FeatureGroup/orders", &[JSON], RECORD);
    let control = Signer::new(&serving.address, "sagemaker").sign("POST", "/", &[("x-amz-target", "SageMaker.ListFeatureGroups")], "{}");
    assert_eq!(Signer::new(&serving.address, "s3").sign("PUT", "/feature-store", &[], "").answer_of(&serving).0, 200);
    let object = Signer::new(&serving.address, "s3").sign("PUT", "/feature-store/key", &[], "text");
    let altered = |sent: &Sent, alter: &dyn Fn(&mut Sent)| {
        let mut sent = sent.clone();
        alter(&mut sent);
        let (status, code, _) = sent.answer_of(&serving);
        (status, code)
    };
    let mismatch = (403, "InvalidSignatureException".to_owned());
    let is = |code: &str, status| (status, code.to_owned());
    assert_eq!(altered(&put, &|_| {}), (200, String::new()));
    assert_eq!(altered(&put, &|sent| sent.body = sent.body.replace('1', "2")), mismatch, "body");
    assert_eq!(altered(&put, &|sent| sent.target = "/FeatureGroup/others".into()), mismatch, "path");
    assert_eq!(altered(&looked_up, &|sent| sent.target = sent.target.replace("=a", "=b")), mismatch, "query");
    assert_eq!(altered(&looked_up, &|sent| sent.target += "&FeatureName=at"), mismatch, "a parameter more");
    assert_eq!(altered(&put, &|sent| sent.method = "DELETE".into()), mismatch, "method");
    assert_eq!(altered(&put, &|sent| *sent.header("content-type") = "text/plain".into()), mismatch, "a signed header");
    assert_eq!(altered(&control, &|sent| *sent.header("x-amz-target") = "SageMaker.DeleteFeatureGroup".into()), mismatch, "target");
    assert_eq!(
        altered(&put, &|sent| sent.headers.push(("x-amz-target".into(), "SageMaker.Search".into()))),
        is("IncompleteSignatureException", 403)
    );
    let wrong_key = |sent: &mut Sent| *sent.header("authorization") = sent.header("authorization").replace("AKIDWRITER", "AKIDREADER");
    assert_eq!(altered(&put, &wrong_key), mismatch, "another's key");
    let no_key = |sent: &mut Sent| *sent.header("authorization") = sent.header("authorization").replace("AKIDWRITER", "AKIDNOBODY");
    assert_eq!(altered(&control, &no_key), is("UnrecognizedClientException", 400));
    assert_eq!(altered(&object, &no_key), is("InvalidAccessKeyId", 403));
    assert_eq!(
        altered(&put, &|sent| sent.headers.retain(|(name, _)| name != "authorization")),
        is("MissingAuthenticationTokenException", 403)
    );
    assert_eq!(altered(&put, &|sent| sent.headers.retain(|(name, _)| name != "x-amz-date")), is("IncompleteSignatureException", 403));
    let date = |sent: &mut Sent| {
        let date = sent.header("x-amz-date").clone();
        let second = if date.ends_with("0Z") { "1Z" } else { "0Z" };
        *sent.header("x-amz-date") = date[..14].to_owned() + second;
    };
    assert_eq!(altered(&put, &date), mismatch, "date");
    let other_region = |sent: &mut Sent| *sent.header("authorization") = sent.header("authorization").replace("eu-west-1", "eu-west-2");
    assert_eq!(altered(&put, &other_region), mismatch, "scope");
    assert_eq!(altered(&object, &|sent| sent.body = "TEXT".into()).0, 400, "an object that is not what was signed");
    let unstored = Signer::new(&serving.address, "s3").sign("GET", "/feature-store/key", &[], "").answer_of(&serving);
    assert_eq!(unstored.0, 404, "and it is not stored");
    let mut reader = Signer::new(&serving.address, "sagemaker");
    (reader.key, reader.secret) = ("AKIDREADER", "another-secret");
    assert_eq!(altered(&reader.sign("PUT", "/FeatureGroup/orders", &[JSON], RECORD), &|_| {}), is("AccessForbidden", 403), "may only read");
}

#[test]
fn clocks_may_differ_a_little() {
    let (_store, serving) = served();
    let at = |service, seconds: i64| {
        let shift = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 { SystemTime::now() - shift } else { SystemTime::now() + shift };
        let signer = Signer { time, ..Signer::new(&serving.address, service) };
        let target = if service == "s3" { "/" } else { "/FeatureGroup/orders?RecordIdentifierValueAsString=a" };
        let (status, code, _) = signer.sign("GET", target, &[], "").answer_of(&serving);
        (status, code)
    };
    for seconds in [-280, 280] {
        assert_eq!(at("sagemaker", seconds), (200, String::new()), "{seconds}");
        assert_eq!(at("s3", 3 * seconds), (200, String::new()), "{seconds}");
    }
    for seconds in [-330, 330] {
        assert_eq!(at("sagemaker", seconds), (403, "InvalidSignatureException".into()), "{seconds}");
        assert_eq!(at("s3", 3 * seconds), (403, "RequestTimeTooSkewed".into()), "{seconds}");
    }
    let lapsed = Signer {
        time: SystemTime::now() - Duration::from_secs(90),
        expires_in: Some(Duration::from_secs(60)),
        ..Signer::new(&serving.address, "s3")
    };
    assert_eq!(lapsed.sign("GET", "/feature-store/key", &[], "").answer_of(&serving).0, 403, "an address that has lapsed");
}
