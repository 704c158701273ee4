//! Clients that are slow, that leave, that are many; and a server that is killed under load.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::Serving;

/// Idle connections at once, and the most memory they may take, beside what a server without them has.
const CONNECTIONS: u64 = 10_000;
const MEMORY: u64 = 200 << 20;

fn record(identifier: &str, at: usize) -> String {
    format!(r#"{{"Record":[{{"FeatureName":"id","ValueAsString":"{identifier}"}},{{"FeatureName":"at","ValueAsString":"{at}"}}]}}"#)
}

fn connect(serving: &Serving) -> TcpStream {
    let stream = TcpStream::connect(&serving.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Everything the server says until it closes the connection.
fn rest_of(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

fn looked_up(serving: &Serving, identifier: &str) -> Value {
    let (status, body) = serving.ask("GET", &format!("/FeatureGroup/orders?RecordIdentifierValueAsString={identifier}"), "", "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn slow_clients_are_cut_off_and_leave_nothing_behind() {
    let store = tempfile::tempdir().unwrap();
    let serving = Serving::start_with(store.path(), None, &[("LARDER_SERVE_IDLE_SECONDS", "1"), ("LARDER_SERVE_BODY_SECONDS", "1")]);
    serving.make_group("orders");
    assert_eq!(serving.ask("PUT", "/bucket", "", "").0, 200);
    let body = record("slow", 1);
    let half = &body[..body.len() / 2];
    let put = |stream: &mut TcpStream| {
        write!(stream, "PUT /FeatureGroup/orders HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{half}", body.len()).unwrap();
    };

    let begun = Instant::now();
    let mut half_a_head = connect(&serving);
    write!(half_a_head, "PUT /FeatureGroup/orders HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    let silent = connect(&serving);
    let mut half_a_body = connect(&serving);
    put(&mut half_a_body);
    let mut half_an_object = connect(&serving);
    write!(half_an_object, "PUT /bucket/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nthe beginning").unwrap();
    // Others are served meanwhile.
    assert_eq!(serving.put("orders", "quick", 1), 200);

    assert!(rest_of(half_a_body).starts_with("HTTP/1.1 408"), "the body took too long");
    let said = rest_of(half_an_object);
    assert!(said.starts_with("HTTP/1.1 400") || said.starts_with("HTTP/1.1 408"), "{said}");
    let said = rest_of(half_a_head);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert_eq!(rest_of(silent), "");
    assert!(begun.elapsed() < Duration::from_secs(25), "all were cut off by their limits");

    // A client that leaves in the middle.
    let mut leaving = connect(&serving);
    put(&mut leaving);
    drop(leaving);
    // One byte at a time is slow, but whole before the limit.
    let mut dripping = connect(&serving);
    let text = "GET /FeatureGroup/orders?RecordIdentifierValueAsString=quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for byte in text.bytes() {
        dripping.write_all(&[byte]).unwrap();
    }
    assert!(rest_of(dripping).contains("quick"));
    assert_eq!(looked_up(&serving, "slow"), serde_json::json!({}), "half a record is none");
    assert_eq!(serving.ask("GET", "/bucket/slow", "", "").0, 404, "half an object is none");
    let asker_alone = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        serving.ask("GET", "/metrics", "", "").1.contains("larder_connections 1\n")
    });
    assert!(asker_alone, "connections are left over");
}

#[test]
fn a_stop_waits_for_requests_on_their_way_and_not_for_connections_that_idle() {
    let store = tempfile::tempdir().unwrap();
    let serving = Serving::start_with(store.path(), None, &[("LARDER_SERVE_STOP_SECONDS", "300")]);
    serving.make_group("orders");
    // A client that keeps its connection for later, and one in the middle of a request.
    let mut idle = connect(&serving);
    write!(idle, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    let (mut asking, body) = (connect(&serving), record("late", 1));
    let (first, second) = body.split_at(body.len() / 2);
    write!(asking, "PUT /FeatureGroup/orders HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{first}", body.len()).unwrap();
    asking.flush().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    serving.signal("-TERM");
    assert_eq!(idle.read(&mut [0; 1024]).unwrap(), 0, "the connection that idles is closed");
    write!(asking, "{second}").unwrap();
    let said = rest_of(asking);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    drop(serving);
    let again = Serving::start_with(store.path(), None, &[]);
    assert_eq!(looked_up(&again, "late")["Record"][0]["ValueAsString"], "late");
}

fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_idle_connections_cost_little() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let count = limit.maximum.map_or(CONNECTIONS, |most| CONNECTIONS.min(most.saturating_sub(200)));
    if count < CONNECTIONS {
        eprintln!("FEWER CONNECTIONS: the system lets a process open {count}");
    }
    let store = tempfile::tempdir().unwrap();
    let most = (CONNECTIONS + 100).to_string();
    let serving = Serving::start_with(store.path(), None, &[("LARDER_SERVE_MAX_CONNECTIONS", &most), ("LARDER_SERVE_IDLE_SECONDS", "600")]);
    serving.make_group("orders");
    assert_eq!(serving.put("orders", "a", 1), 200);
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /FeatureGroup/orders?RecordIdentifierValueAsString=a HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = [0; 4_096];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..length]));
    };
    let without = resident(serving.process());
    let mut idle: Vec<TcpStream> = Vec::new();
    for number in 0..count {
        let mut stream = connect(&serving);
        // Most have asked something before they idle, as the pools of clients do.
        if number % 4 != 0 {
            ask(&mut stream);
        }
        idle.push(stream);
    }
    assert_eq!(serving.put("orders", "b", 1), 200, "new clients are served");
    idle.iter_mut().step_by(97).for_each(ask);
    let memory = resident(serving.process()).saturating_sub(without);
    println!("{count} connections: {} MiB beside {} MiB", memory >> 20, without >> 20);
    assert!(memory <= MEMORY, "{} MiB for {count} connections", memory >> 20);
}

/// What one writer knows of its puts: how many were acknowledged, all in a row. The next one may have been written as well.
fn write_until_it_is_gone(address: &str, writer: usize, first: usize) -> usize {
    let Ok(stream) = TcpStream::connect(address) else { return first };
    let Ok(mut sender) = stream.try_clone() else { return first };
    let mut answers = BufReader::new(stream);
    let mut number = first;
    loop {
        let body = record(&format!("w{writer}-{number}"), number + 1);
        let head = format!("PUT /FeatureGroup/orders HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        if sender.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return number;
        }
        let mut line = String::new();
        let mut acknowledged = false;
        loop {
            line.clear();
            match answers.read_line(&mut line) {
                Ok(length) if length > 0 => {}
                _ => return number,
            }
            acknowledged |= line.starts_with("HTTP/1.1 200");
            if line == "\r\n" {
                break;
            }
        }
        if !acknowledged {
            return number;
        }
        number += 1;
    }
}

fn count_by_identifier(store: &Path) -> BTreeMap<String, usize> {
    let asked = Command::new(env!("CARGO_BIN_EXE_larder"))
        .arg("--store")
        .arg(store)
        .args(["query", "--format", "csv", "select id, count(*) from orders group by id"])
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let text = String::from_utf8(asked.stdout).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(id, count)| (id.trim_matches('"').to_owned(), count.parse().unwrap()))
        .collect()
}

#[test]
fn every_acknowledged_put_survives_kills_once() {
    const WRITERS: usize = 6;
    let store = tempfile::tempdir().unwrap();
    let mut done = vec![0; WRITERS];
    // Puts that were on their way when the server was killed: there or not, both are right.
    let mut doubtful: Vec<String> = Vec::new();
    for round in 0..4 {
        // Drains run all the time, so that kills meet them too.
        let serving = Serving::start_with(store.path(), None, &[("LARDER_DRAIN_MAX_ROWS", "100")]);
        if round == 0 {
            serving.make_group("orders");
        }
        let address = serving.address.clone();
        done = std::thread::scope(|scope| {
            let writers: Vec<_> = done
                .iter()
                .enumerate()
                .map(|(writer, first)| {
                    let (address, first) = (&address, *first);
                    scope.spawn(move || write_until_it_is_gone(address, writer, first))
                })
                .collect();
            std::thread::sleep(Duration::from_millis(700 + 300 * round));
            serving.signal("-KILL");
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        doubtful.extend(done.iter().enumerate().map(|(writer, next)| format!("w{writer}-{next}")));
        // The next round starts after the doubtful one.
        done.iter_mut().for_each(|next| *next += 1);
    }
    let acknowledged: Vec<String> = (0..WRITERS)
        .flat_map(|writer| (0..done[writer]).map(move |number| format!("w{writer}-{number}")))
        .filter(|identifier| !doubtful.contains(identifier))
        .collect();
    assert!(acknowledged.len() > 200, "only {} puts were acknowledged", acknowledged.len());
    let serving = Serving::start(store.path(), None);
    for portion in acknowledged.chunks(100) {
        let body =
            serde_json::json!({"Identifiers": [{"FeatureGroupName": "orders", "RecordIdentifiersValueAsString": portion}]}).to_string();
        let (status, answer) = serving.ask("POST", "/BatchGetRecord", "", &body);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, answer["Records"].as_array().unwrap().len()), (200, portion.len()), "{answer}");
    }
    drop(serving);
    let mut history = count_by_identifier(store.path());
    for identifier in &acknowledged {
        assert_eq!(history.remove(identifier), Some(1), "{identifier} is in the history once");
    }
    for identifier in doubtful {
        assert!(history.remove(&identifier).is_none_or(|count| count == 1), "{identifier}");
    }
    assert!(history.is_empty(), "nobody put {history:?}");
}
