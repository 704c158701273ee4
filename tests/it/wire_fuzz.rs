//! Requests that no client means: whatever arrives, the answer is never a 5xx, and there is always one.
//!
//! Every operation has a sample that is served as it stands; then samples are mutated, from a seed, in their documents, paths, queries and
//! headers. What S3 has and larder has not is a 501, as at S3's own doors; nothing else above 499 is allowed.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::server::Serving;

const SEED: u64 = 7;
const MUTATED: usize = 3_000;
/// Statements take a hundred times as long as other requests.
const STATEMENTS: usize = 150;

#[derive(Clone)]
struct Sample {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Sample {
    fn document(method: &'static str, target: &str, body: &Value) -> Self {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Self { method, target: target.into(), headers: vec![("Content-Type", "application/json".into())], body }
    }

    fn call(target: &str, body: &Value) -> Self {
        let mut sample = Self::document("POST", "/", body);
        sample.headers.push(("X-Amz-Target", target.into()));
        sample
    }

    fn object(method: &'static str, target: &str, headers: &[(&'static str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { method, target: target.into(), headers, body: body.into() }
    }

    /// Status and body; none if the connection ended without an answer.
    fn send(&self, address: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        // A server that refuses a request by its head need not read the rest.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
    }
}

fn samples() -> Vec<Sample> {
    let group = |name: &str| {
        json!({"FeatureGroupName": name, "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "RoleArn": "arn:aws:iam::000000000000:role/x",
            "FeatureDefinitions": [{"FeatureName": "id", "FeatureType": "String"}, {"FeatureName": "at", "FeatureType": "Fractional"},
                {"FeatureName": "n", "FeatureType": "Integral"}, {"FeatureName": "tags", "FeatureType": "String", "CollectionType": "Set"},
                {"FeatureName": "v", "FeatureType": "Fractional", "CollectionType": "Vector", "CollectionConfig": {"VectorConfig": {"Dimension": 2}}}],
            "OnlineStoreConfig": {"EnableOnlineStore": true, "TtlDuration": {"Unit": "Days", "Value": 3}},
            "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://offline/x"}}, "Tags": [{"Key": "team", "Value": "a"}], "Description": "what"})
    };
    let record = json!([{"FeatureName": "id", "ValueAsString": "a"}, {"FeatureName": "at", "ValueAsString": "4102444800"}, {"FeatureName": "n", "ValueAsString": "7"},
        {"FeatureName": "tags", "ValueAsStringList": ["x", "y"]}, {"FeatureName": "v", "ValueAsStringList": ["1", "2.5"]}]);
    let arn = "arn:aws:sagemaker:us-east-1:000000000000:feature-group/orders";
    let ttl = json!({"Unit": "Hours", "Value": 2});
    let filters = json!({"Filters": [{"Name": "FeatureGroupName", "Operator": "Contains", "Value": "ord"}, {"Name": "CreationTime", "Operator": "GreaterThan", "Value": "2020-01-01T00:00:00"}],
        "NestedFilters": [{"NestedPropertyName": "FeatureDefinitions", "Filters": [{"Name": "FeatureDefinitions.FeatureName", "Operator": "Equals", "Value": "n"}]}],
        "SubExpressions": [{"Filters": [{"Name": "Tags.team", "Operator": "Exists"}], "Operator": "Or"}], "Operator": "And"});
    let mut samples = Vec::new();
    for (operation, body) in [
        ("CreateFeatureGroup", group("orders")),
        ("CreateFeatureGroup", group("doomed")),
        ("DescribeFeatureGroup", json!({"FeatureGroupName": arn})),
        ("UpdateFeatureGroup", json!({"FeatureGroupName": "orders", "OnlineStoreConfig": {"TtlDuration": ttl}})),
        ("DeleteFeatureGroup", json!({"FeatureGroupName": "doomed"})),
        (
            "ListFeatureGroups",
            json!({"NameContains": "o", "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 5, "CreationTimeAfter": 1.5e9, "FeatureGroupStatusEquals": "Created"}),
        ),
        (
            "UpdateFeatureMetadata",
            json!({"FeatureGroupName": "orders", "FeatureName": "n", "Description": "d", "ParameterAdditions": [{"Key": "k", "Value": "v"}], "ParameterRemovals": ["z"]}),
        ),
        ("DescribeFeatureMetadata", json!({"FeatureGroupName": "orders", "FeatureName": "n"})),
        (
            "Search",
            json!({"Resource": "FeatureGroup", "SearchExpression": filters, "SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": 9}),
        ),
        ("Search", json!({"Resource": "FeatureMetadata", "SearchExpression": {"Filters": [{"Name": "Parameters.k", "Value": "v"}]}})),
        (
            "GetSearchSuggestions",
            json!({"Resource": "FeatureGroup", "SuggestionQuery": {"PropertyNameQuery": {"PropertyNameHint": "Feat"}}}),
        ),
        ("AddTags", json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "b"}]})),
        ("ListTags", json!({"ResourceArn": arn, "MaxResults": 50})),
        ("DeleteTags", json!({"ResourceArn": arn, "TagKeys": ["a"]})),
        (
            "CreateArtifact",
            json!({"ArtifactName": "a", "Source": {"SourceUri": "s3://x/y", "SourceTypes": [{"SourceIdType": "Custom", "Value": "1"}]}, "ArtifactType": "DataSet", "Properties": {"p": "q"}}),
        ),
        (
            "CreateContext",
            json!({"ContextName": "c", "Source": {"SourceUri": "u", "SourceType": "t"}, "ContextType": "Endpoint", "Description": "d"}),
        ),
        ("CreateAction", json!({"ActionName": "n", "Source": {"SourceUri": "u"}, "ActionType": "ModelDeployment", "Status": "InProgress"})),
        ("DescribeContext", json!({"ContextName": "c"})),
        ("UpdateContext", json!({"ContextName": "c", "Description": "e", "Properties": {"a": "b"}, "PropertiesToRemove": ["z"]})),
        ("DescribeAction", json!({"ActionName": "n"})),
        ("UpdateAction", json!({"ActionName": "n", "Status": "Completed"})),
        (
            "AddAssociation",
            json!({"SourceArn": "arn:aws:sagemaker:us-east-1:000000000000:action/n", "DestinationArn": "arn:aws:sagemaker:us-east-1:000000000000:context/c", "AssociationType": "ContributedTo"}),
        ),
        ("ListAssociations", json!({"SourceType": "ModelDeployment", "SortBy": "CreationTime", "MaxResults": 3})),
        (
            "QueryLineage",
            json!({"StartArns": ["arn:aws:sagemaker:us-east-1:000000000000:context/c"], "Direction": "Both", "IncludeEdges": true, "MaxDepth": 5, "Filters": {"LineageTypes": ["Action"]}}),
        ),
        ("ListArtifacts", json!({"SourceUri": "s3://x/y", "SortOrder": "Descending", "CreatedAfter": 1.0e9})),
        ("ListContexts", json!({"MaxResults": 2})),
        ("ListActions", json!({})),
    ] {
        samples.push(Sample::call(&format!("SageMaker.{operation}"), &body));
    }
    for (method, target, body) in [
        ("PUT", "/FeatureGroup/orders", json!({"Record": record, "TargetStores": ["OnlineStore", "OfflineStore"], "TtlDuration": ttl})),
        (
            "GET",
            "/FeatureGroup/orders?RecordIdentifierValueAsString=a&FeatureName=n&FeatureName=id&ExpirationTimeResponse=Enabled",
            Value::Null,
        ),
        (
            "POST",
            "/FeatureGroup/orders/Record",
            json!({"RecordIdentifierValueAsString": "a", "Features": [{"FeatureName": "n", "ValueAsString": "8"}]}),
        ),
        ("POST", "/FeatureGroup/orders/ListRecords", json!({"MaxResults": 5, "IncludeSoftDeletedRecords": true})),
        (
            "POST",
            "/BatchGetRecord",
            json!({"Identifiers": [{"FeatureGroupName": arn, "RecordIdentifiersValueAsString": ["a", "b"], "FeatureNames": ["n"]}], "ExpirationTimeResponse": "Enabled"}),
        ),
        (
            "POST",
            "/BatchWriteRecord",
            json!({"Entries": [{"FeatureGroupName": "orders", "Record": record, "TtlDuration": ttl, "TargetStores": ["OnlineStore"]}], "TtlDuration": ttl}),
        ),
        (
            "DELETE",
            "/FeatureGroup/orders?RecordIdentifierValueAsString=a&EventTime=4102444801&DeletionMode=SoftDelete&TargetStores=OnlineStore",
            Value::Null,
        ),
    ] {
        samples.push(Sample::document(method, target, &body));
    }
    for (target, body) in [
        ("AmazonAthena.ListQueryExecutions", json!({"WorkGroup": "primary", "MaxResults": 5})),
        ("AmazonAthena.GetWorkGroup", json!({"WorkGroup": "primary"})),
        ("AmazonAthena.ListWorkGroups", json!({})),
        ("AmazonAthena.BatchGetQueryExecution", json!({"QueryExecutionIds": ["nothing"]})),
        ("AWSGlue.GetDatabases", json!({"MaxResults": 5})),
        ("AWSGlue.GetDatabase", json!({"Name": "sagemaker_featurestore"})),
        ("AWSGlue.GetTables", json!({"DatabaseName": "sagemaker_featurestore", "Expression": "o.*"})),
    ] {
        samples.push(Sample::call(target, &body));
    }
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let range = [("Range", "bytes=1-2"), ("If-None-Match", "\"x\"")];
    let completed = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"x\"</ETag></Part></CompleteMultipartUpload>";
    samples.extend([
        Sample::object("POST", "/", &form, "Action=GetCallerIdentity&Version=2011-06-15"),
        Sample::object("PUT", "/bucket", &[], ""),
        Sample::object("PUT", "/bucket/a/b%20c.csv", &[("Content-Type", "text/csv"), ("x-amz-meta-a", "b")], "1,2,3\n"),
        Sample::object("GET", "/bucket/a/b%20c.csv", &range, ""),
        Sample::object("HEAD", "/bucket/a/b%20c.csv", &[], ""),
        Sample::object("GET", "/bucket?list-type=2&prefix=a%2F&delimiter=%2F&max-keys=3&encoding-type=url", &[], ""),
        Sample::object("PUT", "/bucket/copy", &[("x-amz-copy-source", "/bucket/a/b%20c.csv")], ""),
        Sample::object(
            "PUT",
            "/bucket/pieces",
            &[
                ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
                ("x-amz-decoded-content-length", "3"),
                ("Content-Encoding", "aws-chunked"),
            ],
            "3\r\nabc\r\n0\r\n\r\n",
        ),
        Sample::object("POST", "/bucket?delete", &[], "<Delete><Object><Key>copy</Key></Object></Delete>"),
        Sample::object("POST", "/bucket/large?uploads", &[], ""),
        Sample::object("GET", "/bucket?uploads", &[], ""),
        Sample::object("GET", "/", &[], ""),
        Sample::object("DELETE", "/bucket/gone", &[], ""),
    ]);
    // Neither is served as it stands: the upload is not there. Their mutants are worth sending all the same.
    samples.push(Sample::object("POST", "/bucket/large?uploadId=x", &[], completed));
    samples.push(Sample::object("PUT", "/bucket/large?partNumber=1&uploadId=x", &[], "part"));
    samples
}

/// Samples at the end that are no more than material.
const MATERIAL: usize = 2;

fn odd_text(random: &mut StdRng) -> String {
    const TEXTS: [&str; 14] = [
        "",
        " ",
        "-",
        "..",
        "../../etc/passwd",
        "a\u{0}b",
        "ü\u{202e}x",
        "'; DROP TABLE x;--",
        "%s%n",
        "NaN",
        "1e999",
        "2020-13-45T99:99:99Z",
        "arn:aws:sagemaker:::feature-group/",
        "null",
    ];
    match random.random_range(0..20) {
        0 => "x".repeat(random.random_range(200..70_000)),
        1 => "/".repeat(50),
        _ => (*TEXTS.choose(random).unwrap()).to_owned(),
    }
}

fn odd_value(random: &mut StdRng) -> Value {
    match random.random_range(0..12) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1.0e300),
        4 => json!(true),
        5 => json!([]),
        6 => json!({}),
        7 => json!([odd_text(random)]),
        8 => json!({ odd_text(random): odd_text(random) }),
        9 => (0..random.random_range(2..120)).fold(json!("deep"), |inner, _| json!([inner])),
        _ => odd_text(random).into(),
    }
}

/// Changes one place of a document.
fn mutate_document(document: &mut Value, random: &mut StdRng) {
    let stop = random.random_ratio(1, 4);
    match document {
        Value::Object(members) if !members.is_empty() && !stop => {
            let name = members.keys().nth(random.random_range(0..members.len())).cloned().unwrap();
            match random.random_range(0..6) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(odd_text(random), odd_value(random))),
                _ => mutate_document(&mut members[&name], random),
            }
        }
        Value::Array(items) if !items.is_empty() && !stop => {
            let place = random.random_range(0..items.len());
            match random.random_range(0..6) {
                0 => drop(items.remove(place)),
                1 => items.extend(vec![items[place].clone(); random.random_range(1..130)]),
                _ => mutate_document(&mut items[place], random),
            }
        }
        other => *other = odd_value(random),
    }
}

fn mutate_bytes(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..4) {
        let place = random.random_range(0..=bytes.len());
        match random.random_range(0..4) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, random.random()),
            2 if place < bytes.len() => bytes[place] = random.random(),
            _ => {
                let piece =
                    *[&b"{"[..], b"[", b"\"", b"\\u0000", b"\\ud800", b"\xff\xfe", b"<", b"&x;", b"]]>", b"0"].choose(random).unwrap();
                drop(bytes.splice(place..place, piece.repeat(random.random_range(1..200))));
            }
        }
    }
}

fn mutate_target(target: &mut String, random: &mut StdRng) {
    const PIECES: [&str; 16] = ["%", "%zz", "%00", "%2F", "..", "//", "?", "&", "=", "%F0%28", "+", ";", "~", "x", "policy", "%2e%2e%2f"];
    for _ in 0..random.random_range(1..3) {
        let place = random.random_range(1..=target.len());
        match random.random_range(0..5) {
            0 => target.truncate(place),
            1 => *target += &format!("&{}={}", PIECES.choose(random).unwrap(), "9".repeat(random.random_range(0..40))),
            2 => target.push_str(&"a".repeat(random.random_range(1..9_000))),
            _ => target.insert_str(place, PIECES.choose(random).unwrap()),
        }
    }
}

fn mutate_headers(sample: &mut Sample, random: &mut StdRng) {
    const NAMES: [&str; 15] = [
        "Content-Type",
        "X-Amz-Target",
        "Authorization",
        "X-Amz-Date",
        "x-amz-content-sha256",
        "x-amz-decoded-content-length",
        "Range",
        "If-Match",
        "If-Modified-Since",
        "Content-MD5",
        "x-amz-checksum-crc32",
        "x-amz-copy-source",
        "Content-Encoding",
        "x-amz-trailer",
        "x-amz-copy-source-range",
    ];
    const VALUES: [&str; 18] = [
        "",
        "x",
        "-1",
        "99999999999999999999",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e",
        "AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
        "bytes=5-1",
        "bytes=-0",
        "bytes=0-99999999999999999999",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "aws-chunked",
        "gzip",
        "SageMaker.",
        "AmazonAthena.GetQueryResults",
        "/nothing/there",
        "application/xml",
        "*",
    ];
    if random.random_ratio(1, 4) && !sample.headers.is_empty() {
        let place = random.random_range(0..sample.headers.len());
        sample.headers.remove(place);
    }
    let name = *NAMES.choose(random).unwrap();
    sample.headers.push((name, (*VALUES.choose(random).unwrap()).to_owned()));
}

fn mutated(sample: &Sample, random: &mut StdRng) -> Sample {
    let mut sample = sample.clone();
    for _ in 0..random.random_range(1..3) {
        match random.random_range(0..10) {
            0 => sample.method = *["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"].choose(random).unwrap(),
            1 => mutate_target(&mut sample.target, random),
            2 => mutate_headers(&mut sample, random),
            3 => mutate_bytes(&mut sample.body, random),
            _ => match serde_json::from_slice::<Value>(&sample.body) {
                Ok(mut document) => {
                    mutate_document(&mut document, random);
                    sample.body = document.to_string().into_bytes();
                }
                Err(_) if sample.body.is_empty() => mutate_target(&mut sample.target, random),
                Err(_) => mutate_bytes(&mut sample.body, random),
            },
        }
    }
    sample
}

fn shown(sample: &Sample) -> String {
    let cut = |text: String| text.chars().take(1_500).collect::<String>();
    format!(
        "{} {}\n{:?}\n{}",
        sample.method,
        cut(sample.target.clone()),
        sample.headers,
        cut(String::from_utf8_lossy(&sample.body).into_owned())
    )
}

fn check(sample: &Sample, address: &str) -> (u16, String) {
    let Some((status, body)) = sample.send(address) else { panic!("no answer to\n{}", shown(sample)) };
    assert!(status < 500 || status == 501, "{status} {body}\nto {}", shown(sample));
    if status == 501 {
        assert!(body.is_empty() || body.contains("NotImplemented"), "{body}\nto {}", shown(sample));
    }
    (status, body)
}

#[test]
fn no_request_makes_the_server_fail() {
    let store = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(store.path(), None);
    let samples = samples();
    for sample in &samples[..samples.len() - MATERIAL] {
        let (status, body) = check(sample, &serving.address);
        assert!((200..400).contains(&status), "{status} {body}\nto {}", shown(sample));
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let mut refused = 0;
    for _ in 0..MUTATED {
        let sample = mutated(samples.choose(&mut random).unwrap(), &mut random);
        refused += usize::from(check(&sample, &serving.address).0 >= 400);
    }
    assert!(refused > MUTATED / 3, "only {refused} of {MUTATED} were refused: the mutants are too tame");
    assert!(serving.is_alive());
    assert_eq!(serving.ask("GET", "/healthz", "", "").0, 200);
}

#[test]
fn no_statement_makes_the_server_fail() {
    let store = tempfile::tempdir().unwrap();
    let serving = Serving::start(store.path(), None);
    serving.make_group("orders");
    let (_, told) = serving.ask("POST", "/", "X-Amz-Target: SageMaker.DescribeFeatureGroup\r\n", r#"{"FeatureGroupName":"orders"}"#);
    let told: Value = serde_json::from_str(&told).unwrap();
    let table = told["OfflineStoreConfig"]["DataCatalogConfig"]["TableName"].as_str().unwrap();
    let statements = [
        format!(r#"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY o."id" ORDER BY o."at" DESC) AS r FROM "sagemaker_featurestore"."{table}" o WHERE "at" >= 1.5) WHERE r = 1 AND NOT is_deleted LIMIT 10;"#),
        format!(r#"WITH a AS (SELECT id, from_unixtime("at") AS t FROM {table}), b AS (SELECT id, max(t) m FROM a GROUP BY id) SELECT a.id, b.m - INTERVAL '24' HOUR FROM a JOIN b ON a.id = b.id UNION ALL SELECT '1', timestamp '2020-01-01 00:00:00'"#),
        format!(r#"SELECT CASE WHEN count(*) > 0 THEN CAST(sum("at") AS varchar) ELSE 'none' END, (SELECT max("at") FROM {table}) FROM {table} WHERE id IN ('a', 'b') OR id LIKE '%x'"#),
        r#"CREATE EXTERNAL TABLE base_1 (id STRING, at DOUBLE) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES (separatorChar ",", quoteChar "`", escapeChar "\\") LOCATION 's3://offline/base';"#.to_owned(),
        "SHOW TABLES".to_owned(),
    ];
    let mut random = StdRng::seed_from_u64(SEED);
    for number in 0..STATEMENTS {
        let statement = statements.choose(&mut random).unwrap();
        let mut words: Vec<&str> = statement.split(' ').collect();
        for _ in 0..random.random_range(1..4) {
            let place = random.random_range(0..words.len());
            match random.random_range(0..5) {
                0 if words.len() > 1 => drop(words.remove(place)),
                1 => words.insert(place, words[random.random_range(0..words.len())]),
                2 => {
                    words[place] = *["(", ")", "'", "\"", "--", "/*", "NULL", "1e999", "9999999999999999999999", "1/0", ";", "\u{0}"]
                        .choose(&mut random)
                        .unwrap();
                }
                3 => words.truncate(place.max(1)),
                _ => words.insert(
                    place,
                    *["(((((", "NOT", "CAST(NULL AS bigint)", "ORDER BY", "UNNEST", "date '0000-00-00'"].choose(&mut random).unwrap(),
                ),
            }
        }
        let body = json!({"QueryString": words.join(" "), "QueryExecutionContext": {"Database": "sagemaker_featurestore"},
            "ResultConfiguration": {"OutputLocation": "s3://offline/results"}, "ClientRequestToken": format!("{number:032}")});
        let (status, started) = check(&Sample::call("AmazonAthena.StartQueryExecution", &body), &serving.address);
        if status != 200 {
            continue;
        }
        let id = serde_json::from_str::<Value>(&started).unwrap()["QueryExecutionId"].clone();
        let ended = (0..100).any(|_| {
            let (status, told) = check(&Sample::call("AmazonAthena.GetQueryExecution", &json!({"QueryExecutionId": id})), &serving.address);
            assert_eq!(status, 200, "{told}");
            let told: Value = serde_json::from_str(&told).unwrap();
            matches!(told["QueryExecution"]["Status"]["State"].as_str(), Some("SUCCEEDED" | "FAILED"))
        });
        assert!(ended, "{body} does not end");
        check(&Sample::call("AmazonAthena.GetQueryResults", &json!({"QueryExecutionId": id, "MaxResults": 5})), &serving.address);
    }
}
