//! Rows in Redis: two stores over one server, scripts and connections that are lost, servers that are away.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use larder::backend::online::{self, OnlineEffect, OnlineStore, RedisOptions, RedisStore, RowWrite, RowWriter, Targets, WhenAway};
use larder::model::{Arrival, ErrorKind, EventTime, GroupId, RawValue, is_newer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::server::{Redis, options, store};

const GROUP: GroupId = GroupId(uuid::Uuid::from_u128(1));

fn time(seconds: i64) -> EventTime {
    EventTime::from_unix_seconds(seconds).unwrap()
}

fn put(identifier: &str, seconds: i64, value: &str) -> RowWrite {
    let mut row = RowWriter::new(identifier, time(seconds), 1, 16);
    row.push_text(0, value);
    RowWrite { group: GROUP, row, targets: Targets::BOTH, hard_delete: false, replaces: None }
}

fn hard_delete(identifier: &str, seconds: i64) -> RowWrite {
    let record = larder::model::Record { identifier: identifier.into(), event_time: time(seconds), values: vec![None] };
    RowWrite { group: GROUP, row: RowWriter::of_record(&record, None, true), targets: Targets::BOTH, hard_delete: true, replaces: None }
}

fn apply(store: &RedisStore, now: i64, write: RowWrite) -> OnlineEffect {
    store.apply(time(now), vec![write]).unwrap()[0].online
}

fn value(store: &RedisStore, identifier: &str) -> Option<String> {
    let row = online::get(store, GROUP, identifier, None, 1, time(0)).unwrap()?;
    row.values[0].1.as_ref().map(|value| match value {
        RawValue::Text(text) => text.clone(),
        RawValue::List(_) => panic!("a list"),
    })
}

/// Identifier, version and value of everything in a store's outbox.
fn outbox(store: &RedisStore) -> Vec<(String, (EventTime, Arrival), String)> {
    let mut found = Vec::new();
    store
        .outbox(GROUP, Arrival(0), &mut |row| {
            found.push((row.identifier().to_owned(), row.version(), row.text(0).unwrap_or_default().to_owned()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    found
}

fn waits(store: &RedisStore) -> u64 {
    store.status().unwrap().waiting
}

/// The value of each record that is the newest of both histories; no two rows of a record may share a version.
fn newest(stores: &[&RedisStore]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, ((EventTime, Arrival), String)> = BTreeMap::new();
    for (identifier, version, value) in stores.iter().flat_map(|store| outbox(store)) {
        match found.get(&identifier) {
            Some((standing, _)) => {
                assert_ne!(*standing, version, "two rows of '{identifier}' share a version");
                if is_newer(version, *standing) {
                    found.insert(identifier, (version, value));
                }
            }
            None => drop(found.insert(identifier, (version, value))),
        }
    }
    found.into_iter().map(|(identifier, (_, value))| (identifier, value)).collect()
}

#[test]
fn an_equal_arrival_of_another_store_gets_a_new_one_before_it_is_history() {
    let redis = Redis::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [a, b] = [0, 1].map(|number: usize| store(folders[number].path(), options(&redis.url())));
    // Both clocks say the same, so both stores hand out the same arrival.
    assert_eq!(apply(&a, 100, put("A", 10, "of a")), OnlineEffect::Applied);
    assert_eq!(apply(&b, 100, put("A", 10, "of b")), OnlineEffect::Applied, "an equal event time replaces");
    assert_eq!((value(&a, "A").as_deref(), value(&b, "A").as_deref()), (Some("of b"), Some("of b")));
    assert!(outbox(&b)[0].1.1 > outbox(&a)[0].1.1);
    // A clock that is behind replaces at an equal event time too; one that is behind by more than a minute does not.
    assert_eq!(apply(&a, 130, put("A", 10, "ahead")), OnlineEffect::Applied);
    assert_eq!(apply(&b, 101, put("A", 10, "behind")), OnlineEffect::Applied);
    assert_eq!(value(&a, "A").as_deref(), Some("behind"));
    assert_eq!(apply(&a, 5_000, put("A", 10, "an hour ahead")), OnlineEffect::Applied);
    assert_eq!(apply(&b, 102, put("A", 10, "an hour behind")), OnlineEffect::Late);
    assert_eq!(newest(&[&a, &b])["A"], value(&b, "A").unwrap());
    assert!(outbox(&b).iter().all(|(_, (_, arrival), _)| *arrival < Arrival(1_000_000_000)), "a wrong clock is not followed");
}

#[test]
fn a_hard_delete_of_one_store_holds_for_the_other() {
    let redis = Redis::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [a, b] = [0, 1].map(|number: usize| store(folders[number].path(), options(&redis.url())));
    apply(&a, 100, put("A", 10, "of a"));
    assert_eq!(apply(&b, 101, hard_delete("A", 9)), OnlineEffect::Refused { standing: time(10) });
    assert!(outbox(&b).is_empty() && waits(&b) == 0, "refused: nothing written anywhere");
    // At an equal event time it deletes, though its clock is behind.
    assert_eq!(apply(&b, 90, hard_delete("A", 10)), OnlineEffect::Applied);
    assert_eq!(value(&a, "A"), None);
    assert_eq!(apply(&a, 102, put("A", 1, "the first again")), OnlineEffect::Applied);
    assert!(a.counts(GROUP).unwrap().one_sided && b.counts(GROUP).unwrap().one_sided, "both know that histories may differ");
    assert!(!redis.say(&["KEYS", "*:g:*"]).is_empty(), "a grave is kept");
    a.drop_group(GROUP).unwrap();
    assert_eq!(redis.say(&["DBSIZE"]), "0", "dropping a group leaves no key");
}

#[test]
fn stores_that_write_the_same_records_agree_on_the_newest() {
    let redis = Redis::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let stores: Vec<RedisStore> = folders.iter().map(|folder| store(folder.path(), options(&redis.url()))).collect();
    std::thread::scope(|scope| {
        for (number, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(number as u64);
                for step in 0..150 {
                    // Clocks a little apart, few records and few instants: most writes meet another.
                    let writes = (0..random.random_range(1..6))
                        .map(|part| {
                            put(&format!("C{}", random.random_range(0..5)), random.random_range(0..3), &format!("{number}-{step}-{part}"))
                        })
                        .collect();
                    store.apply(time(1_000 + step / 50 + number as i64), writes).unwrap();
                }
            });
        }
    });
    let expected = newest(&stores.iter().collect::<Vec<_>>());
    for store in &stores {
        assert_eq!(waits(store), 0);
        for (identifier, text) in &expected {
            assert_eq!(value(store, identifier).as_ref(), Some(text), "{identifier}");
        }
        assert_eq!(store.counts(GROUP).unwrap().records, expected.len() as u64);
    }
}

#[test]
fn a_lost_script_and_cut_connections_are_not_noticed() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), options(&redis.url()));
    for number in 0..60 {
        match number % 3 {
            0 => drop(redis.say(&["SCRIPT", "FLUSH"])),
            1 => drop(redis.say(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])),
            _ => {}
        }
        assert_eq!(apply(&store, 100, put(&format!("C{}", number % 7), number, &number.to_string())), OnlineEffect::Applied);
        assert_eq!(value(&store, &format!("C{}", number % 7)).unwrap(), number.to_string());
    }
    assert_eq!(outbox(&store).len(), 60);
}

#[test]
fn while_redis_is_away_a_write_fails_and_leaves_nothing_or_is_queued_and_arrives() {
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let failing = store(folders[0].path(), options(&redis.url()));
    let queueing = store(folders[1].path(), RedisOptions { when_away: WhenAway::Queue, ..options(&redis.url()) });
    apply(&failing, 100, put("A", 10, "before"));
    apply(&queueing, 100, put("B", 10, "before"));
    redis.kill();
    // A read meets the dead connections: a write that did might have arrived, and could only be answered with "unknown".
    for store in [&failing, &queueing] {
        assert_eq!(store.read(GROUP, "A", &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Unavailable);
    }
    for _ in 0..3 {
        let error = failing.apply(time(101), vec![put("A", 11, "refused")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("127.0.0.1") && error.to_string().contains("; see whether Redis runs"), "{error}");
    }
    assert_eq!((outbox(&failing).len(), waits(&failing)), (1, 0));
    assert_eq!(failing.read(GROUP, "A", &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Unavailable);
    // Queued: history at once, and online when Redis is back, though an older one was queued after it.
    for (seconds, text) in [(12, "queued"), (11, "queued, older")] {
        assert_eq!(apply(&queueing, 101, put("B", seconds, text)), OnlineEffect::Queued);
    }
    assert_eq!(queueing.apply(time(101), vec![hard_delete("B", 20)]).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!((outbox(&queueing).len(), waits(&queueing)), (3, 2));
    // The process ends; another one opens the folder after Redis is back.
    drop(queueing);
    assert!(redis.resume());
    let again = store(folders[1].path(), options(&redis.url()));
    let started = Instant::now();
    while waits(&again) > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "what was queued did not arrive");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((value(&again, "A").as_deref(), value(&again, "B").as_deref()), (Some("before"), Some("queued")));
    assert_eq!(outbox(&again).len(), 3, "once each");
}

#[test]
fn a_server_that_hangs_holds_nobody_for_long() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let quick = RedisOptions { timeout: Duration::from_millis(200), ..options(&redis.url()) };
    let store = store(folder.path(), quick);
    apply(&store, 100, put("A", 10, "x"));
    assert_eq!(store.counts(GROUP).unwrap().records, 1);
    let signal =
        |name: &str| assert!(std::process::Command::new("kill").args([name, &redis.process().to_string()]).status().unwrap().success());
    signal("-STOP");
    let started = Instant::now();
    let write = store.apply(time(101), vec![put("A", 11, "y")]).unwrap()[0].online;
    let wrote = started.elapsed();
    // Everyone after the first is told at once.
    for _ in 0..50 {
        assert!(store.read(GROUP, "A", &mut |_| Ok(())).is_err());
        assert_eq!(store.counts(GROUP).unwrap().records, 1, "counted as last seen");
    }
    let all = started.elapsed();
    signal("-CONT");
    assert_eq!(write, OnlineEffect::Unknown, "it was sent, and nobody knows");
    assert!(wrote < Duration::from_secs(2) && all < Duration::from_secs(5), "{wrote:?}, {all:?}");
    // It is asked again until it is known; and then it is history, once.
    let started = Instant::now();
    while waits(&store) > 0 {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((value(&store, "A").as_deref(), outbox(&store).len()), (Some("y"), 2));
}

#[test]
fn a_drain_does_not_pass_a_write_that_may_still_become_history() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let quick = RedisOptions { timeout: Duration::from_millis(200), ..options(&redis.url()) };
    let store = store(folder.path(), quick);
    apply(&store, 100, put("A", 10, "before"));
    let signal =
        |name: &str| assert!(std::process::Command::new("kill").args([name, &redis.process().to_string()]).status().unwrap().success());
    signal("-STOP");
    assert_eq!(apply(&store, 101, put("A", 11, "unknown")), OnlineEffect::Unknown);
    let history_only = RowWrite { targets: Targets { online: false, offline: true }, ..put("B", 10, "after") };
    assert_eq!(apply(&store, 102, history_only), OnlineEffect::NotAsked);
    let mut drained = Vec::new();
    store
        .outbox_to_drain(GROUP, Arrival(0), &mut |row| {
            drained.push(row.text(0).unwrap_or_default().to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    signal("-CONT");
    assert_eq!(drained, ["before"], "a mark above the unknown write would lose it");
    assert_eq!(outbox(&store).len(), 2, "queries see what is acknowledged");
}

#[test]
fn redis_forgets_what_expired_long_ago_and_the_listing_follows() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), RedisOptions { keep_expired: Some(Duration::from_millis(200)), ..options(&redis.url()) });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let mut soon = put("soon", 10, "x");
    soon.row.set_expiry(time(now + 1));
    let mut late = put("late", 10, "x");
    late.row.set_expiry(time(now + 3_600));
    store.apply(time(now), vec![soon, late, put("never", 10, "x")]).unwrap();
    assert_eq!(online::identifiers(&store, GROUP, None, 9, false, time(now)).unwrap(), ["late", "never", "soon"]);
    std::thread::sleep(Duration::from_millis(1_600));
    assert!(value(&store, "soon").is_none());
    assert_eq!(online::identifiers(&store, GROUP, None, 9, false, time(now)).unwrap(), ["late", "never"]);
    assert_eq!(store.counts(GROUP).unwrap().records, 2, "the index was tidied");
}

#[test]
fn tls_asks_for_a_certificate_that_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        // What signs others is no server to a strict client.
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder.path())
        .output()
        .expect("this test needs openssl; install it: apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    let redis = Redis::start_with(&[
        "--tls-port",
        "PORT",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "secret",
    ]);
    let url = format!("rediss://:secret@localhost:{}", redis.port);
    let believed = RedisOptions { ca_certificate: Some(certificate.into()), ..options(&url) };
    let store_folder = tempfile::tempdir().unwrap();
    let good = store(store_folder.path(), believed);
    assert_eq!(apply(&good, 100, put("A", 10, "over TLS")), OnlineEffect::Applied);
    assert_eq!(value(&good, "A").as_deref(), Some("over TLS"));
    let other_folder = tempfile::tempdir().unwrap();
    let doubting = store(other_folder.path(), options(&url));
    let error = doubting.apply(time(100), vec![put("A", 11, "x")]).unwrap_err().to_string();
    assert!(error.contains("certificate") && !error.contains("secret"), "{error}");
}
