//! The server as its clients meet it: boto3 against the real binary, a stop that loses nothing, refusals at the start.
//!
//! The suite of `tests/aws` runs in an environment under `target/` with boto3 from the package index; `LARDER_SKIP_PYTHON=1`
//! leaves it out, and says so.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::formats::environment;

const KEYS: &str = "AKIDWRITER:a-secret/of+keys AKIDREADER:a-secret/of+keys:read-only AKIDBOUND:a-secret/of+keys:read-write:bound-*";

/// A server that answers, killed when dropped.
pub struct Serving {
    child: Child,
    pub address: String,
}

impl Serving {
    pub fn start(store: &Path, keys: Option<&str>) -> Self {
        Self::start_with(store, keys, &[])
    }

    /// The same with further variables.
    pub fn start_with(store: &Path, keys: Option<&str>, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        command.arg("--store").arg(store).args(["serve", "--bind", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        match keys {
            Some(keys) => command.env("LARDER_SERVE_KEYS", keys),
            None => command.env_remove("LARDER_SERVE_KEYS"),
        };
        let mut child = command.envs(variables.iter().copied()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address }
    }

    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Sends a request on a connection of its own and returns status and body.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        let (status, _, body) = self.exchange(&(head + body));
        (status, body)
    }

    /// Sends bytes that end their connection and returns status, head and body.
    pub fn exchange(&self, sent: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
    }

    /// The process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// True while the process runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn make_group(&self, name: &str) {
        let body = format!(
            r#"{{"FeatureGroupName":"{name}","RecordIdentifierFeatureName":"id","EventTimeFeatureName":"at","RoleArn":"arn:aws:iam::000000000000:role/x",
                "FeatureDefinitions":[{{"FeatureName":"id","FeatureType":"String"}},{{"FeatureName":"at","FeatureType":"Fractional"}}],
                "OnlineStoreConfig":{{"EnableOnlineStore":true}},"OfflineStoreConfig":{{"S3StorageConfig":{{"S3Uri":"s3://offline/x"}}}}}}"#
        );
        assert_eq!(self.ask("POST", "/", "X-Amz-Target: SageMaker.CreateFeatureGroup\r\n", &body).0, 200);
    }

    pub fn put(&self, group: &str, identifier: &str, at: usize) -> u16 {
        let body = format!(
            r#"{{"Record":[{{"FeatureName":"id","ValueAsString":"{identifier}"}},{{"FeatureName":"at","ValueAsString":"{at}"}}]}}"#
        );
        self.ask("PUT", &format!("/FeatureGroup/{group}"), "", &body).0
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn boto3() -> Option<PathBuf> {
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so boto3 has not spoken to the server");
        return None;
    }
    Some(environment("python-aws", &["boto3>=1.44,<2"], "import boto3"))
}

fn run_suite(python: &Path, serving: &Serving, variables: &[(&str, &str)]) {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/suite.py");
    let mut command = Command::new(python);
    command.arg(suite).arg(format!("http://{}", serving.address)).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    let done = command.envs(variables.iter().copied()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn boto3_works_unchanged() {
    let Some(python) = boto3() else { return };
    let store = tempfile::tempdir().unwrap();
    run_suite(&python, &Serving::start(store.path(), None), &[]);
}

#[test]
fn boto3_signs_and_keys_bind() {
    let Some(python) = boto3() else { return };
    let store = tempfile::tempdir().unwrap();
    let serving = Serving::start(store.path(), Some(KEYS));
    let secret = "a-secret/of+keys";
    run_suite(
        &python,
        &serving,
        &[
            ("AWS_ACCESS_KEY_ID", "AKIDWRITER"),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("LARDER_SECRET", secret),
            ("LARDER_READER", "AKIDREADER"),
            ("LARDER_BOUND", "AKIDBOUND"),
        ],
    );
}

#[test]
fn a_stop_answers_what_is_under_way_and_loses_nothing() {
    let store = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(store.path(), None);
    serving.make_group("orders");
    // A request whose body is half sent when the signal comes.
    let body = r#"{"Record":[{"FeatureName":"id","ValueAsString":"late"},{"FeatureName":"at","ValueAsString":"1"}]}"#;
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    write!(stream, "PUT /FeatureGroup/orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len())
        .unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    assert!(line.contains("100"), "{line}: the server waits for the body now");
    serving.signal("-TERM");
    stream.write_all(body.as_bytes()).unwrap();
    let mut rest = String::new();
    answers.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 200"), "{rest}");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let got = Command::new(env!("CARGO_BIN_EXE_larder")).arg("--store").arg(store.path()).args(["get", "orders", "late"]).output().unwrap();
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
}

#[test]
fn acknowledged_puts_survive_a_kill() {
    let store = tempfile::tempdir().unwrap();
    let serving = Serving::start(store.path(), None);
    serving.make_group("orders");
    let acknowledged = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let address = serving.address.clone();
                scope.spawn(move || {
                    let mut done = 0;
                    for at in 1..2_000 {
                        let body = format!(
                            r#"{{"Record":[{{"FeatureName":"id","ValueAsString":"w{writer}"}},{{"FeatureName":"at","ValueAsString":"{at}"}}]}}"#
                        );
                        let Ok(mut stream) = TcpStream::connect(&address) else { break };
                        let head = format!("PUT /FeatureGroup/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                        let mut answer = String::new();
                        let sent = stream.write_all(format!("{head}{body}").as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
                        if sent.is_err() || !answer.starts_with("HTTP/1.1 200") {
                            break;
                        }
                        done = at;
                    }
                    done
                })
            })
            .collect();
        while serving.ask("GET", "/healthz", "", "").0 == 200 && serving.put("orders", "mine", 1) == 200 {
            let (_, page) = serving.ask("GET", "/metrics", "", "");
            let puts = page.lines().find_map(|line| line.strip_prefix("larder_request_duration_seconds_count{operation=\"PutRecord\"} "));
            if puts.is_some_and(|puts| puts.parse::<u64>().unwrap() > 300) {
                break;
            }
        }
        serving.signal("-KILL");
        writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<usize>>()
    });
    drop(serving);
    let again = Serving::start(store.path(), None);
    for (writer, done) in acknowledged.into_iter().enumerate() {
        let (_, body) = again.ask("GET", &format!("/FeatureGroup/orders?RecordIdentifierValueAsString=w{writer}"), "", "");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        let at: usize = answer["Record"][1]["ValueAsString"].as_str().unwrap_or("0").parse().unwrap();
        // One more may have been written whose answer was lost.
        assert!(at == done || at == done + 1, "w{writer}: {at}, acknowledged {done}");
    }
}

#[test]
fn other_machines_need_a_key() {
    let store = tempfile::tempdir().unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_larder"))
        .arg("--store")
        .arg(store.path())
        .args(["serve", "--bind", "0.0.0.0:0"])
        .env_remove("LARDER_SERVE_KEYS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("serve.keys") && said.contains("--insecure-no-auth"), "{said}");
}
