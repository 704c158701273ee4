//! Signature Version 4: who signed a request, and is it the request that was signed?
//!
//! Own code, because clients' crates only sign. The canonical request is rebuilt from what arrived: method, path, query,
//! the headers that the client says it signed, the hash of the body. Every `x-amz-*` header must be among these, or an
//! altered target would pass; the comparison is that of [`Mac::verify_slice`], whose time tells nothing. Bodies of S3 are
//! streams, so their hash is compared by whoever reads them, with what was signed ([`SignedPayload`]).
//!
//! S3 signs the path as it was sent; every other service signs it encoded once more.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::header::{AUTHORIZATION, DATE};
use axum::http::{HeaderMap, Method, Uri};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::access::{Caller, Role};
use crate::model::EventTime;
use crate::store::settings::ServeKey;

type HmacSha256 = Hmac<Sha256>;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a client's clock may be off, in seconds: as AWS has it.
const SKEW: i64 = 300;
/// The same for S3.
const SKEW_OF_OBJECTS: i64 = 900;
/// Longest life of a presigned address: a week, in seconds.
const MAX_PRESIGNED: i64 = 604_800;
/// What stays as it is: letters, digits, `-._~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).filter(|_| !digit.is_ascii_uppercase());
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = HmacSha256::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn is_hmac(key: &[u8], text: &[u8], expected: &[u8]) -> bool {
    HmacSha256::new_from_slice(key).is_ok_and(|mut mac| {
        mac.update(text);
        mac.verify_slice(expected).is_ok()
    })
}

/// What a signature says about the body.
#[derive(Debug, Clone)]
pub enum SignedPayload {
    /// Nothing: signatures are not checked, or the client signed `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// Its SHA-256.
    Hash([u8; 32]),
    /// It comes in `aws-chunked` pieces without signatures, perhaps with a trailer (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`).
    UnsignedChunks,
    /// It comes in `aws-chunked` pieces that are signed one after the other (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD…`).
    SignedChunks(ChunkSignatures),
}

/// Verifies the signatures of the pieces of a body, in order.
#[derive(Clone)]
pub struct ChunkSignatures {
    key: [u8; 32],
    timestamp: String,
    scope: String,
    previous: String,
}

impl std::fmt::Debug for ChunkSignatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkSignatures").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl ChunkSignatures {
    /// True if `signature` is that of the next piece, whose SHA-256 in hexadecimal is given.
    pub fn accepts_chunk(&mut self, sha256: &str, signature: &str) -> bool {
        let text = format!("{ALGORITHM}-PAYLOAD\n{}\n{}\n{}\n{}\n{sha256}", self.timestamp, self.scope, self.previous, sha256_hex(b""));
        self.accepts(&text, signature)
    }

    /// True if `signature` is that of the trailing headers, `name:value\n` each, whose SHA-256 in hexadecimal is given.
    pub fn accepts_trailer(&mut self, sha256: &str, signature: &str) -> bool {
        let text = format!("{ALGORITHM}-TRAILER\n{}\n{}\n{}\n{sha256}", self.timestamp, self.scope, self.previous);
        self.accepts(&text, signature)
    }

    fn accepts(&mut self, text: &str, signature: &str) -> bool {
        let accepted = unhex(signature).is_some_and(|expected| is_hmac(&self.key, text.as_bytes(), &expected));
        if accepted {
            signature.clone_into(&mut self.previous);
        }
        accepted
    }
}

/// Why a request is not served. Each service has its own names for these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody signed it.
    Unsigned,
    /// The signature lacks a part or can't be read; which, in words.
    Incomplete(&'static str),
    /// Nobody here knows the key.
    UnknownKey,
    /// It was signed too long ago or for a time that has not come.
    Expired {
        /// When it was signed, in the client's form.
        signed: String,
    },
    /// It is not what was signed, or not with this secret.
    Mismatch,
}

/// A request whose signature was accepted, or that needed none.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Who asks.
    pub caller: Caller,
    /// What the signature says about the body.
    pub payload: SignedPayload,
}

/// What is signed of a request, besides its body.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query as sent.
    pub uri: &'a Uri,
    /// Headers as sent.
    pub headers: &'a HeaderMap,
}

/// Keys that may sign.
#[derive(Default)]
pub struct Keyring {
    keys: HashMap<String, Known>,
    /// Signing keys by scope: four HMACs that are the same for a day.
    derived: RwLock<HashMap<String, [u8; 32]>>,
}

struct Known {
    secret: String,
    caller: Caller,
}

/// The parts of a signature, from the header or the query.
struct Parts<'a> {
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: Cow<'a, str>,
    timestamp: Cow<'a, str>,
    /// Seconds a presigned address lives.
    expires: Option<i64>,
}

impl Keyring {
    /// The keys of the settings.
    pub fn new(keys: &[ServeKey]) -> Self {
        let known = |key: &ServeKey| {
            let caller = Caller {
                access_key: Some(key.id.as_str().into()),
                role: if key.may_write { Role::ReadWrite } else { Role::ReadOnly },
                groups: key.groups.clone().into(),
            };
            (key.id.clone(), Known { secret: key.secret.clone(), caller })
        };
        Self { keys: keys.iter().map(known).collect(), derived: RwLock::default() }
    }

    /// True if nobody's signature is checked.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks who signed a request. `body` is the whole body, or none where it is a stream (S3), whose hash the header
    /// `x-amz-content-sha256` then tells.
    pub fn verify(&self, head: Head<'_>, body: Option<&[u8]>, now: EventTime) -> Result<Signer, Refusal> {
        if self.is_empty() {
            return Ok(Signer { caller: Caller::default(), payload: declared_payload(head.headers, None) });
        }
        let parts = parts_of(head)?;
        let mut credential = parts.credential.splitn(2, '/');
        let (key_id, scope) = (credential.next().unwrap_or_default(), credential.next().unwrap_or_default());
        let [date, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
            return Err(Refusal::Incomplete("the credential has not the form <key>/<date>/<region>/<service>/aws4_request"));
        };
        let known = self.keys.get(key_id).ok_or(Refusal::UnknownKey)?;
        check_time(&parts, date, if service == "s3" { SKEW_OF_OBJECTS } else { SKEW }, now)?;
        check_signed_headers(head.headers, &parts.signed_headers)?;
        let payload = payload_text(head.headers, body, parts.expires.is_some());
        let canonical = canonical_request(head, &parts, service == "s3", &payload);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", parts.timestamp, sha256_hex(canonical.as_bytes()));
        let key = self.signing_key(&known.secret, &parts.credential, [date, region, service]);
        let expected = unhex(&parts.signature).ok_or(Refusal::Mismatch)?;
        if !is_hmac(&key, text.as_bytes(), &expected) {
            return Err(Refusal::Mismatch);
        }
        let chunks = || ChunkSignatures {
            key,
            timestamp: parts.timestamp.to_string(),
            scope: scope.to_owned(),
            previous: parts.signature.to_string(),
        };
        let payload = if body.is_some() { SignedPayload::Unsigned } else { declared_payload(head.headers, Some(&chunks)) };
        Ok(Signer { caller: known.caller.clone(), payload })
    }

    /// `HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request")`.
    fn signing_key(&self, secret: &str, credential: &str, scope: [&str; 3]) -> [u8; 32] {
        if let Some(key) = self.derived.read().unwrap_or_else(PoisonError::into_inner).get(credential) {
            return *key;
        }
        let start: [u8; 32] = hmac(format!("AWS4{secret}").as_bytes(), scope[0].as_bytes());
        let key = [scope[1], scope[2], "aws4_request"].iter().fold(start, |key, part| hmac(&key, part.as_bytes()));
        let mut derived = self.derived.write().unwrap_or_else(PoisonError::into_inner);
        // Regions and dates are the client's to choose.
        if derived.len() >= 1_024 {
            derived.clear();
        }
        derived.insert(credential.to_owned(), key);
        key
    }
}

fn parts_of(head: Head<'_>) -> Result<Parts<'_>, Refusal> {
    match head.headers.get(AUTHORIZATION) {
        Some(value) => parts_of_header(head.headers, value.to_str().map_err(|_| Refusal::Incomplete("the header is not ASCII"))?),
        None => parts_of_query(head.uri.query().unwrap_or_default()),
    }
}

fn parts_of_header<'a>(headers: &'a HeaderMap, header: &'a str) -> Result<Parts<'a>, Refusal> {
    let rest =
        header.strip_prefix(ALGORITHM).ok_or(Refusal::Incomplete("the Authorization header does not begin with AWS4-HMAC-SHA256"))?;
    let part = |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')).map(Cow::Borrowed);
    let date = headers.get("x-amz-date").or_else(|| headers.get(DATE)).and_then(|value| value.to_str().ok());
    Ok(Parts {
        credential: part("Credential").ok_or(Refusal::Incomplete("the Authorization header has no Credential"))?,
        signed_headers: part("SignedHeaders").ok_or(Refusal::Incomplete("the Authorization header has no SignedHeaders"))?,
        signature: part("Signature").ok_or(Refusal::Incomplete("the Authorization header has no Signature"))?,
        timestamp: Cow::Borrowed(date.ok_or(Refusal::Incomplete("there is no X-Amz-Date header"))?),
        expires: None,
    })
}

fn parts_of_query(query: &str) -> Result<Parts<'static>, Refusal> {
    let mut found: HashMap<String, String> = HashMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name.starts_with("X-Amz-")) {
        found.insert(name.into_owned(), value.into_owned());
    }
    if !found.contains_key("X-Amz-Signature") {
        return Err(Refusal::Unsigned);
    }
    let mut part = |name: &str, missing: &'static str| found.remove(name).map(Cow::Owned).ok_or(Refusal::Incomplete(missing));
    let expires = part("X-Amz-Expires", "the query has no X-Amz-Expires")?;
    Ok(Parts {
        credential: part("X-Amz-Credential", "the query has no X-Amz-Credential")?,
        signed_headers: part("X-Amz-SignedHeaders", "the query has no X-Amz-SignedHeaders")?,
        signature: part("X-Amz-Signature", "the query has no X-Amz-Signature")?,
        timestamp: part("X-Amz-Date", "the query has no X-Amz-Date")?,
        expires: Some(
            expires
                .parse()
                .ok()
                .filter(|seconds| (1..=MAX_PRESIGNED).contains(seconds))
                .ok_or(Refusal::Incomplete("X-Amz-Expires is not a number of seconds between 1 and 604800"))?,
        ),
    })
}

/// Reads `20260102T030405Z` as Unix seconds.
fn parse_timestamp(text: &str) -> Option<i64> {
    let ascii = text.is_ascii() && text.len() == 16;
    let number = |range: std::ops::Range<usize>| text.get(range).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if !ascii || text.as_bytes()[8] != b'T' || text.as_bytes()[15] != b'Z' {
        return None;
    }
    let date = [number(0..4)?, number(4..6)?, number(6..8)?].join("-");
    let time = [number(9..11)?, number(11..13)?, number(13..15)?].join(":");
    format!("{date}T{time}Z").parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

fn check_time(parts: &Parts<'_>, date: &str, skew: i64, now: EventTime) -> Result<(), Refusal> {
    let signed = parse_timestamp(&parts.timestamp).ok_or(Refusal::Incomplete("the date has not the form 20260102T030405Z"))?;
    if !parts.timestamp.starts_with(date) {
        return Err(Refusal::Incomplete("the date of the credential is not that of the request"));
    }
    let age = now.unix_seconds() - signed;
    if age < -skew || age > parts.expires.unwrap_or(skew) {
        return Err(Refusal::Expired { signed: parts.timestamp.to_string() });
    }
    Ok(())
}

fn check_signed_headers(headers: &HeaderMap, signed: &str) -> Result<(), Refusal> {
    let is_signed = |name: &str| signed.split(';').any(|one| one.eq_ignore_ascii_case(name));
    if !is_signed("host") {
        return Err(Refusal::Incomplete("the host is not signed"));
    }
    // The one header that browsers' clients add after signing.
    let must_be = |name: &&axum::http::HeaderName| name.as_str().starts_with("x-amz-") && name.as_str() != "x-amz-user-agent";
    if headers.keys().filter(must_be).all(|name| is_signed(name.as_str())) {
        return Ok(());
    }
    Err(Refusal::Incomplete("a header that begins with x-amz- is not signed"))
}

/// What stands for the body in the canonical request.
fn payload_text(headers: &HeaderMap, body: Option<&[u8]>, presigned: bool) -> String {
    let declared = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    match (body, declared) {
        (None, Some(declared)) => declared.to_owned(),
        (None, None) if presigned => "UNSIGNED-PAYLOAD".to_owned(),
        (None, None) => sha256_hex(b""),
        (Some(body), _) => sha256_hex(body),
    }
}

fn declared_payload(headers: &HeaderMap, chunks: Option<&dyn Fn() -> ChunkSignatures>) -> SignedPayload {
    match headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()) {
        Some(text) if text.starts_with("STREAMING-UNSIGNED-PAYLOAD") => SignedPayload::UnsignedChunks,
        // Where nobody checks signatures the pieces are still pieces.
        Some(text) if text.starts_with("STREAMING-") => {
            chunks.map_or(SignedPayload::UnsignedChunks, |chunks| SignedPayload::SignedChunks(chunks()))
        }
        Some(text) => unhex(text).map_or(SignedPayload::Unsigned, SignedPayload::Hash),
        None => SignedPayload::Unsigned,
    }
}

fn canonical_request(head: Head<'_>, parts: &Parts<'_>, is_s3: bool, payload: &str) -> String {
    let path = match head.uri.path() {
        "" => "/".into(),
        path if is_s3 => Cow::Borrowed(path),
        path => Cow::Owned(utf8_percent_encode(&without_dots(path), ENCODED_IN_PATH).to_string()),
    };
    let mut text = format!("{}\n{path}\n{}\n", head.method, canonical_query(head.uri.query().unwrap_or_default()));
    for name in parts.signed_headers.split(';') {
        let values: Vec<String> = head.headers.get_all(name).iter().map(|value| one_spaced(value.as_bytes())).collect();
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let _ = write!(text, "\n{}\n{payload}", parts.signed_headers);
    text
}

/// Header values with blanks at the ends cut and runs of them folded, as signers fold them.
fn one_spaced(value: &[u8]) -> String {
    String::from_utf8_lossy(value).split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// RFC 3986 removal of `.`, `..` and empty segments.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// The query sorted by name and value, each encoded strictly, without the signature itself.
fn canonical_query(query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    let encode = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&decoded, ENCODED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The secret of a key as a name for whoever asks, for temporary credentials of the same rights.
impl Keyring {
    /// The secret of a key.
    pub fn secret_of(&self, access_key: &str) -> Option<Arc<str>> {
        self.keys.get(access_key).map(|known| known.secret.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    struct Signed {
        method: Method,
        uri: Uri,
        headers: HeaderMap,
    }

    impl Signed {
        fn new(method: &str, uri: &str, headers: &[(&'static str, &str)]) -> Self {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            Self { method: method.parse().unwrap(), uri: uri.parse().unwrap(), headers: map }
        }

        fn verify(&self, secret: &str, body: Option<&[u8]>, now: &str) -> Result<Signer, Refusal> {
            let now = EventTime::parse_text(now, crate::model::TimeMode::Strict).unwrap();
            let keys = ["AKIDEXAMPLE", "AKIAIOSFODNN7EXAMPLE"].map(|id| ServeKey {
                id: id.into(),
                secret: secret.into(),
                may_write: true,
                groups: Vec::new(),
            });
            Keyring::new(&keys).verify(Head { method: &self.method, uri: &self.uri, headers: &self.headers }, body, now)
        }
    }

    const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// `get-vanilla` of AWS's test suite for Signature Version 4.
    fn vanilla() -> Signed {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        Signed::new("GET", "/", &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", authorization)])
    }

    #[test]
    fn the_suite_of_aws_is_accepted_and_nothing_else() {
        let now = "2015-08-30T12:40:00Z";
        assert_eq!(vanilla().verify(SUITE_SECRET, Some(b""), now).unwrap().caller.access_key.as_deref(), Some("AKIDEXAMPLE"));
        assert_eq!(vanilla().verify("another-secret", Some(b""), now).unwrap_err(), Refusal::Mismatch);
        assert_eq!(vanilla().verify(SUITE_SECRET, Some(b"x"), now).unwrap_err(), Refusal::Mismatch);
        let mut altered = vanilla();
        altered.uri = "/?x=y".parse().unwrap();
        assert_eq!(altered.verify(SUITE_SECRET, Some(b""), now).unwrap_err(), Refusal::Mismatch);
        let mut more = vanilla();
        more.headers.insert("x-amz-target", "SageMaker.DeleteFeatureGroup".parse().unwrap());
        assert!(matches!(more.verify(SUITE_SECRET, Some(b""), now), Err(Refusal::Incomplete(_))));
        let mut unsigned = vanilla();
        unsigned.headers.remove("authorization");
        assert_eq!(unsigned.verify(SUITE_SECRET, Some(b""), now).unwrap_err(), Refusal::Unsigned);
    }

    #[test]
    fn a_clock_may_be_five_minutes_off() {
        for (now, accepted) in [
            ("2015-08-30T12:31:00Z", true),
            ("2015-08-30T12:30:59Z", false),
            ("2015-08-30T12:41:00Z", true),
            ("2015-08-30T12:41:01Z", false),
        ] {
            assert_eq!(vanilla().verify(SUITE_SECRET, Some(b""), now).is_ok(), accepted, "{now}");
        }
    }

    /// The examples of the S3 documentation.
    #[test]
    fn objects_are_signed_with_a_declared_hash_or_piece_by_piece() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        let get = Signed::new(
            "GET",
            "/test.txt",
            &[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
                ("authorization", authorization),
            ],
        );
        let now = "2013-05-24T00:10:00Z";
        let SignedPayload::Hash(hash) = get.verify(S3_SECRET, None, now).unwrap().payload else { panic!("a hash was declared") };
        assert_eq!(hex(&hash), EMPTY);

        let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=\
             content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,\
             Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let put = Signed::new(
            "PUT",
            "/examplebucket/chunkObject.txt",
            &[
                ("host", "s3.amazonaws.com"),
                ("x-amz-date", "20130524T000000Z"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
                ("content-encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "66560"),
                ("content-length", "66824"),
                ("authorization", authorization),
            ],
        );
        let SignedPayload::SignedChunks(mut chunks) = put.verify(S3_SECRET, None, now).unwrap().payload else {
            panic!("pieces were declared")
        };
        let (first, second) = (
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        );
        assert!(!chunks.clone().accepts_chunk(&sha256_hex(&[b'a'; 1024]), second), "out of order");
        assert!(chunks.accepts_chunk(&sha256_hex(&[b'a'; 65_536]), first));
        assert!(chunks.accepts_chunk(&sha256_hex(&[b'a'; 1024]), second));
        assert!(chunks.accepts_chunk(&sha256_hex(b""), "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"));
    }

    #[test]
    fn no_header_makes_it_panic() {
        for value in [
            "",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=, Signature=é",
        ] {
            let mut signed = vanilla();
            signed.headers.insert("authorization", axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert!(signed.verify(SUITE_SECRET, Some(b""), "2015-08-30T12:36:00Z").is_err(), "{value}");
        }
        for date in ["", "20150830T1236", "2015083xT123600Z", "99999999T999999Z", "2015083\u{e9}T12360Z"] {
            let mut signed = vanilla();
            signed.headers.insert("x-amz-date", axum::http::HeaderValue::from_bytes(date.as_bytes()).unwrap());
            assert!(signed.verify(SUITE_SECRET, Some(b""), "2015-08-30T12:36:00Z").is_err(), "{date}");
        }
    }
}
