//! Ctrl-C and SIGTERM: long work stops at a safe place, says how to go on, and answers 130 or 143.

#![cfg(unix)]

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use larder::catalog::{Catalog, CatalogOptions, RunKind, RunState};

use crate::cli::{Larder, READINGS, find};

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until a program handles Ctrl-C and SIGTERM itself. Tests that a shell runs in the background inherit that Ctrl-C is
/// ignored, so one that came earlier would be lost.
fn wait_until_it_listens(child: &mut Child) {
    const INTERRUPT_AND_TERMINATE: u64 = 1 << 1 | 1 << 14;
    let caught = |status: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    while child.try_wait().unwrap().is_none() {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", child.id())) else { return };
        if caught(&status).is_none_or(|mask| mask & INTERRUPT_AND_TERMINATE == INTERRUPT_AND_TERMINATE) {
            return;
        }
        std::thread::yield_now();
    }
}

/// What a shell shows as `$?`: a process that dies of a signal before it listens answers the same as one that does.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

#[test]
fn a_load_that_waits_for_its_input_ends_at_once() {
    for (signal, expected) in [("-INT", 130), ("-TERM", 143)] {
        let larder = Larder::with_readings();
        let mut child = larder.command(&["ingest", "readings", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(READINGS.as_bytes()).unwrap();
        wait_until_it_listens(&mut child);
        send(signal, &child);
        let done = child.wait_with_output().unwrap();
        assert_eq!((code(done.status), done.stdout.as_slice()), (expected, &b""[..]), "{signal}");
        drop(input);
        larder.run("get readings s1").ended(4);
        larder.run("doctor").ok();
    }
}

#[test]
fn an_interrupted_load_goes_on_where_it_stopped() {
    let larder = Larder::with_readings();
    let rows = 20_000;
    let mut text = String::from("sensor,at,celsius,count,door_open,note\n");
    for row in 0..rows {
        text.push_str(&format!("s{},2026-01-01T00:00:{:02}Z,{}.5,{row},true,\n", row % 5_000, row % 60, row % 40));
    }
    larder.file("many.csv", &text);
    let mut child = larder.command(&["ingest", "readings", "many.csv"]).spawn().unwrap();
    // The first part has been written: from here on there is something to go on from.
    while child.try_wait().unwrap().is_none() && find(&larder.store(), ".parquet").is_none() {
        std::thread::yield_now();
    }
    if child.try_wait().unwrap().is_none() {
        send("-INT", &child);
    }
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    match code(done.status) {
        // It was quicker than the signal.
        0 => {}
        130 => {
            assert!(said.contains("again"), "no word on how to go on: {said}");
            larder.run("ingest readings many.csv").ok();
        }
        other => panic!("exit code {other}: {said}"),
    }
    let counted =
        larder.run_words(&["query", "select count(*) as n, count(distinct sensor) as sensors from readings", "--json"]).ok().json();
    assert_eq!(counted, serde_json::json!([{"n": rows, "sensors": 5_000}]));
    assert_eq!(larder.run("describe readings --json").ok().json()["online_records"], 5_000);
    larder.run("doctor").ok();
}

#[test]
fn a_query_that_is_interrupted_leaves_no_file() {
    let larder = Larder::with_readings();
    std::fs::create_dir(larder.path("out")).unwrap();
    larder.run("ingest readings readings.csv").ok();
    // Four rows joined with themselves fourteen times: far more than can be written before the signal.
    let tables: Vec<String> = (0..14).map(|number| format!("readings r{number}")).collect();
    let sql = format!("select r0.sensor, r13.note from {}", tables.join(", "));
    let mut child = larder.command(&["query", &sql, "-o", "out/rows.csv"]).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && find(&larder.path("out"), ".part").is_none() {
        std::thread::yield_now();
    }
    send("-TERM", &child);
    let done = child.wait_with_output().unwrap();
    assert_eq!(code(done.status), 143);
    assert_eq!(crate::cli::names_in(&larder.path("out")), Vec::<String>::new());
}

fn is_compacting(larder: &Larder) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let options = CatalogOptions { read_only: true, ..CatalogOptions::default() };
        let catalog = Catalog::open(larder.store().join("catalog.db"), options).await.unwrap();
        let runs = catalog.runs(10).await.unwrap();
        catalog.close().await.unwrap();
        runs.iter().any(|run| run.kind == RunKind::Compact && run.state == RunState::Running)
    })
}

#[test]
fn a_compaction_that_is_interrupted_changes_nothing() {
    let larder = Larder::with_readings();
    let mut text = String::from("sensor,at,celsius,count,door_open,note\n");
    for row in 0..30_000 {
        text.push_str(&format!("s{},2026-01-01T00:00:{:02}Z,{}.5,{row},true,\n", row % 5_000, row % 60, row % 40));
    }
    larder.file("many.csv", &text);
    for _ in 0..2 {
        larder.run("ingest readings many.csv --to offline").ok();
    }
    let before = larder.run("describe readings --json").ok().json();
    let mut child = larder.command(&["compact", "readings", "--json"]).spawn().unwrap();
    // The catalog has its run: it has begun.
    while child.try_wait().unwrap().is_none() && !is_compacting(&larder) {
        std::thread::yield_now();
    }
    if child.try_wait().unwrap().is_none() {
        send("-INT", &child);
    }
    let done = child.wait_with_output().unwrap();
    match code(done.status) {
        // It was quicker than the signal.
        0 => assert!(!done.stdout.is_empty()),
        130 => {
            assert_eq!(done.stdout.as_slice(), b"");
            assert_eq!(larder.run("describe readings --json").ok().json()["offline_files"], before["offline_files"]);
        }
        other => panic!("exit code {other}: {}", String::from_utf8_lossy(&done.stderr)),
    }
    larder.run("compact").ok();
    assert_eq!(larder.run("describe readings --json").ok().json()["records"], before["records"]);
    larder.run("doctor").ok();
}
