//! Disks and stores that refuse: full, read-only, half a store. What was acknowledged stays, and errors say what to do.

use std::path::Path;
use std::process::{Command, Output};

use larder::model::{ErrorKind, RawValue};
use larder::store::{FeatureStore, OpenOptions, PutOptions};

fn larder(store: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder")).arg("--store").arg(store).args(arguments).output().unwrap()
}

/// Runs the binary with files limited to some kilobytes: writing beyond fails as on a full disk.
fn larder_on_a_small_disk(kilobytes: u32, store: &Path, arguments: &[&str]) -> Output {
    // The shell counts in blocks of 512 bytes or of a kilobyte; either way the disk is small. Ignoring the signal
    // turns the limit into an error of the write.
    let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_larder"), "--store"]).arg(store).args(arguments);
    command.output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

fn made(folder: &Path, rows: usize) -> std::path::PathBuf {
    let file = folder.join("rows.csv");
    let mut lines = String::from("id,at,note\n");
    for row in 0..rows {
        lines.push_str(&format!("C{row},{row},{}\n", "x".repeat(100)));
    }
    std::fs::write(&file, lines).unwrap();
    let store = folder.join("store");
    let file = file.to_str().unwrap();
    let output = larder(&store, &["create", "things", "--from", file, "--id", "id", "--event-time", "at"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    store
}

#[test]
fn a_full_disk_stops_puts_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = made(folder.path(), 1);
    let mut acknowledged = 0;
    let refused = loop {
        let (id, note) = (format!("id=C{acknowledged}"), format!("note={}", "x".repeat(20_000)));
        let output = larder_on_a_small_disk(512, &store, &["put", "things", &id, "at=1", &note]);
        match output.status.code() {
            Some(0) => acknowledged += 1,
            _ => break output,
        }
        assert!(acknowledged < 200, "the disk never got full");
    };
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{message}");
    assert!(message.starts_with("larder: ") && message.contains("space") && !message.contains("panicked"), "{message}");
    assert!(acknowledged > 0, "{message}");
    for number in 0..acknowledged {
        let output = larder(&store, &["get", "things", &format!("C{number}")]);
        assert!(output.status.success(), "C{number} of {acknowledged}: {}", text(&output.stderr));
    }
    let output = larder(&store, &["doctor"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_full_disk_stops_a_load_with_nothing_visible_and_the_same_load_goes_through_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = made(folder.path(), 40_000);
    let file = folder.path().join("rows.csv");
    let file = file.to_str().unwrap();
    // Too small for the online store at least; the catalog and the log fit.
    let refused = larder_on_a_small_disk(1_024, &store, &["ingest", "things", file]);
    let message = text(&refused.stderr);
    assert_ne!(refused.status.code(), Some(0), "{message}");
    assert!(message.contains("larder: ") && !message.contains("panicked"), "{message}");
    let output = larder(&store, &["ingest", "things", file, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = larder(&store, &["query", "select count(*) as n, count(distinct id) as ids from things", "--format", "csv"]);
    assert_eq!(text(&output.stdout).lines().nth(1), Some("40000,40000"));
    assert!(larder(&store, &["doctor"]).status.success());
}

#[tokio::test]
async fn a_store_opened_for_reading_answers_and_refuses_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = made(folder.path(), 1);
    assert!(larder(&store, &["put", "things", "id=C1", "at=5", "note=hello"]).status.success());
    let store = FeatureStore::open(&store, OpenOptions { read_only: true, ..OpenOptions::default() }).await.unwrap();
    assert!(store.get("things", "C1", None).await.unwrap().is_some());
    assert_eq!(store.history("things", "C1", 10).await.unwrap().len(), 1);
    let pairs = vec![("id".to_owned(), RawValue::Text("C2".into())), ("at".to_owned(), RawValue::Text("1".into()))];
    for error in [
        store.put("things", pairs, PutOptions::default()).await.unwrap_err(),
        store.delete("things", "C1", "9", Default::default()).await.unwrap_err(),
        store.drop_group("things").await.unwrap_err(),
        store.flush(&[]).await.unwrap_err(),
        store.compact(&[], std::sync::Arc::new(|_| ()), std::sync::Arc::default()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert!(error.advice().is_some(), "{error}");
    }
}

#[tokio::test]
async fn a_lost_catalog_is_rebuilt_from_what_lies_beside_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let store = made(folder.path(), 3);
    let file = folder.path().join("rows.csv");
    assert!(larder(&store, &["ingest", "things", file.to_str().unwrap()]).status.success());
    assert!(larder(&store, &["update", "things", "--description", "Kept beside the data", "--owner", "team:a"]).status.success());
    assert!(larder(&store, &["tag", "things", "pii=no"]).status.success());
    // Asked by a process of its own: a handle of this one may still be closing its files while others are made in their place.
    let described = || larder(&store, &["describe", "things", "--json"]).stdout;
    let before = described();
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(store.join(name));
    }
    let reopened = FeatureStore::open(&store, OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
    assert!(reopened.group("things").await.is_ok());
    assert_eq!(String::from_utf8(described()).unwrap(), String::from_utf8(before).unwrap());
    assert!(reopened.get("things", "C2", None).await.unwrap().is_some());
    let report = reopened.doctor().await.unwrap();
    assert!(report.is_healthy(), "{report:#?}");
}
