//! A cluster of six servers, three of them replicas: the contract holds, a group spreads, and a failover loses no acknowledged write.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::process::Command;
use std::time::{Duration, Instant};

use larder::backend::online::{self, OnlineEffect, OnlineStore, RedisOptions, RowWrite, RowWriter, Targets, WhenAway};
use larder::model::{Arrival, EventTime, GroupId};

use super::server::{Redis, options, store};

const GROUP: GroupId = GroupId(uuid::Uuid::from_u128(1));

fn time(seconds: i64) -> EventTime {
    EventTime::from_unix_seconds(seconds).unwrap()
}

fn put(identifier: &str, seconds: i64) -> RowWrite {
    let mut row = RowWriter::new(identifier, time(seconds), 1, 16);
    row.push_text(0, &seconds.to_string());
    RowWrite { group: GROUP, row, targets: Targets::BOTH, hard_delete: false, replaces: None }
}

fn cluster() -> Vec<Redis> {
    // Long enough that none is taken for dead which only had no processor: the replica that took over might lack its last writes.
    let arguments = [
        "--cluster-enabled",
        "yes",
        "--cluster-config-file",
        "nodes.conf",
        "--cluster-node-timeout",
        "4000",
        "--repl-diskless-sync-delay",
        "0",
        "--appendonly",
        "yes",
    ];
    let servers: Vec<Redis> = (0..6).map(|_| Redis::start_with(&arguments)).collect();
    let mut command = Command::new("redis-cli");
    command.args(["--cluster", "create"]);
    command.args(servers.iter().map(|server| format!("127.0.0.1:{}", server.port)));
    let made = command.args(["--cluster-replicas", "1", "--cluster-yes"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let started = Instant::now();
    // A replica that never held its server's rows is not elected when that one dies.
    let is_ready = |server: &Redis| {
        let copies = server.say(&["INFO", "replication"]);
        server.say(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
            && (copies.contains("role:master") || copies.contains("master_link_status:up"))
    };
    let has_replicas = |servers: &[Redis]| servers.iter().filter(|server| !is_master(server)).count() == 3;
    while !(servers.iter().all(is_ready) && has_replicas(&servers)) {
        assert!(started.elapsed() < Duration::from_secs(60), "the cluster did not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    servers
}

fn is_master(server: &Redis) -> bool {
    server.say(&["ROLE"]).starts_with("master")
}

#[test]
fn a_cluster_spreads_a_group_and_survives_the_loss_of_a_server() {
    let mut servers = cluster();
    // One that is named is enough; the others are found. It is not the one that dies.
    let survivor = servers.iter().position(is_master).unwrap();
    let url = servers[survivor].url();
    let folder = tempfile::tempdir().unwrap();
    let patient = RedisOptions { timeout: Duration::from_millis(500), when_away: WhenAway::Queue, ..options(&url) };
    let store = store(folder.path(), patient);
    assert!(store.status().unwrap().shape.unwrap().contains("cluster of 3"));
    let names: Vec<String> = (0..200).map(|number| format!("C{number:03}")).collect();
    let outcomes = store.apply(time(100), names.iter().map(|name| put(name, 1)).collect()).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.online == OnlineEffect::Applied));
    let holding = servers.iter().filter(|server| is_master(server) && server.say(&["DBSIZE"]) != "0").count();
    assert!(holding >= 2, "a group lies on several servers");
    assert_eq!(online::identifiers(&store, GROUP, None, 999, false, time(0)).unwrap(), names, "listed in order across servers");
    assert_eq!(online::identifiers(&store, GROUP, Some("C150"), 3, false, time(0)).unwrap(), ["C151", "C152", "C153"]);
    assert_eq!(store.counts(GROUP).unwrap().records, 200);

    let victim = (0..6).find(|number| *number != survivor && is_master(&servers[*number])).unwrap();
    servers[victim].kill();
    let mut effects = BTreeSet::new();
    let started = Instant::now();
    let mut round = 1;
    // Until the replica has taken over and everything is applied at once again.
    loop {
        round += 1;
        let outcomes = store.apply(time(100 + round), names.iter().map(|name| put(name, round)).collect()).unwrap();
        let queued = outcomes.iter().filter(|outcome| outcome.online == OnlineEffect::Queued).count();
        effects.extend(outcomes.iter().map(|outcome| format!("{:?}", outcome.online)));
        if queued == 0 && round > 3 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no failover after {round} rounds: {effects:?}");
    }
    assert!(effects.contains("Queued") || started.elapsed() < Duration::from_secs(1), "the loss was met: {effects:?}");
    let started = Instant::now();
    while store.replay().unwrap() > 0 {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let rows = online::get_many(&store, GROUP, &wanted, None, 1, time(0)).unwrap();
    assert!(rows.iter().all(|row| row.as_ref().is_some_and(|row| row.event_time == time(round))), "every record is the last one");
    let mut history = 0;
    store
        .outbox(GROUP, Arrival(0), &mut |_| {
            history += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(history, 200 * round as usize, "each write is history once");
    store.drop_group(GROUP).unwrap();
    let left: Vec<String> = servers
        .iter()
        .enumerate()
        .filter(|(number, server)| *number != victim && is_master(server))
        .map(|(_, server)| server.say(&["DBSIZE"]))
        .collect();
    assert!(left.iter().all(|keys| keys == "0"), "{left:?}");
}
