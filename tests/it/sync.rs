//! Sync on the command line, from one store into another.

use serde_json::json;

use crate::cli::{Larder, READINGS};

/// A store to sync from, with these groups.
fn team(groups: &[&str]) -> Larder {
    let team = Larder::new();
    team.file("readings.csv", READINGS);
    for group in groups {
        create(&team, group);
    }
    team
}

fn create(team: &Larder, group: &str) {
    team.run(&format!("create {group} --from readings.csv --id sensor --event-time at")).ok();
}

/// A store that syncs from another.
fn reader(team: &Larder) -> Larder {
    let reader = Larder::new();
    add(&reader, "team", team.store().to_str().unwrap());
    reader
}

fn add(reader: &Larder, name: &str, location: &str) {
    reader.run_words(&["source", "add", name, "larder", location]).ok();
}

fn names(reader: &Larder) -> Vec<String> {
    let list = reader.run("list --json").ok().json();
    list.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn twice_is_once_and_a_check_says_no_until_then() {
    let team = team(&["one", "two"]);
    let reader = reader(&team);
    reader.run("sync --check").ended(4);
    assert!(names(&reader).is_empty(), "a check writes nothing");
    let first = reader.run("sync --json").ok().json();
    let source = &first["sources"][0];
    assert_eq!((&source["status"], &source["created"], &source["unchanged"]), (&json!("complete"), &json!(2), &json!(0)));
    assert_eq!(names(&reader), ["one", "two"]);
    let second = reader.run("sync --json").ok().json();
    let source = &second["sources"][0];
    assert_eq!(
        (&source["created"], &source["updated"], &source["unchanged"], &source["fetched"]),
        (&json!(0), &json!(0), &json!(2), &json!(0))
    );
    assert_eq!(second["changes"], json!([]));
    reader.run("sync --check").ended(0);
    assert_eq!(reader.run("sync --full --json").ok().json()["changes"], json!([]), "reading all again changes nothing");
}

#[test]
fn a_change_is_told_by_field_and_found_in_the_history() {
    let team = team(&["one"]);
    let reader = reader(&team);
    reader.run("sync").ok();
    team.run("tag one team=growth").ok();
    let report = reader.run("sync --json").ok().json();
    assert_eq!(report["changes"][0]["op"], "update");
    let paths: Vec<&str> = report["changes"][0]["fields"].as_array().unwrap().iter().map(|field| field["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"tags.team"), "{paths:?}");
    let page = reader.run("describe one --json").ok().json();
    assert_eq!((&page["source"], &page["tags"]), (&json!("team"), &json!({"team": "growth"})));
    assert!(page["seen"].as_str().unwrap().ends_with('Z'));
    let history = reader.run("sync history --since 1h --json").ok().json();
    let operations: Vec<&str> = history.as_array().unwrap().iter().map(|change| change["op"].as_str().unwrap()).collect();
    assert_eq!(operations, ["create", "update"]);
}

#[test]
fn a_group_made_anew_is_another_one_and_a_dropped_one_goes() {
    let team = team(&["one", "two"]);
    let reader = reader(&team);
    reader.run("sync").ok();
    team.run("drop one --yes").ok();
    create(&team, "one");
    let report = reader.run("sync --json").ok().json();
    assert_eq!((&report["changes"][0]["op"], &report["changes"][1]), (&json!("replace"), &json!(null)));
    assert_eq!(names(&reader), ["one", "two"]);
    team.run("drop one --yes").ok();
    assert_eq!(reader.run("sync --groups t* --json").ok().json()["changes"], json!([]), "outside the scope nothing is deleted");
    assert_eq!(reader.run("sync --json").ok().json()["sources"][0]["deleted"], 1);
    assert_eq!(names(&reader), ["two"]);
}

#[test]
fn an_empty_listing_deletes_nothing_unless_forced() {
    let team = team(&["one"]);
    let reader = reader(&team);
    reader.run("sync").ok();
    team.run("drop one --yes").ok();
    assert_eq!(reader.run("sync --json").ended(5).json()["sources"][0]["withheld"], 1);
    reader.run("sync --prune never").ended(0);
    assert_eq!(names(&reader), ["one"]);
    reader.run("sync --prune force").ended(0);
    assert!(names(&reader).is_empty());
}

#[test]
fn a_source_that_is_gone_stops_no_other_and_deletes_nothing() {
    let (first, second) = (team(&["one"]), team(&["two"]));
    let reader = reader(&first);
    reader.run("sync").ok();
    add(&reader, "other", second.store().to_str().unwrap());
    // The log beside it would give its pages back.
    for log in ["catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(first.store().join(log));
    }
    std::fs::write(first.store().join("catalog.db"), b"no database at all, but long enough to look at").unwrap();
    let report = reader.run("sync --json").ended(3).json();
    let status: Vec<&str> = report["sources"].as_array().unwrap().iter().map(|source| source["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["complete", "failed"]);
    assert_eq!(names(&reader), ["one", "two"], "what the broken source told stays");
    reader.run("sync team").ended(1);
}

#[test]
fn records_of_a_synced_group_are_refused_with_the_place_named() {
    let team = team(&["one"]);
    let reader = reader(&team);
    reader.run("sync").ok();
    let refused = reader.run("put one sensor=a at=2026-01-01T00:00:00Z").ended(1);
    refused.says(&["source 'team'"]);
}

#[test]
fn a_second_sync_is_told_that_one_is_running() {
    let team = team(&["one"]);
    let reader = reader(&team);
    let lock =
        std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(reader.store().join("catalog.db.sync.lock")).unwrap();
    lock.lock().unwrap();
    reader.run("sync").ended(6);
    drop(lock);
    reader.run("sync").ended(0);
}

#[test]
fn mistakes_are_usage_and_a_removed_source_keeps_what_it_told() {
    let team = team(&["one"]);
    let reader = reader(&team);
    reader.run("sync").ok();
    reader.run("source add x nonsense /tmp").ended(2);
    reader.run_words(&["source", "add", "self", "larder", reader.store().to_str().unwrap()]).ended(2);
    reader.run("sync --max-delete many").ended(2);
    reader.run("sync nobody").ended(1);
    reader.run("source remove team").ok();
    assert_eq!(names(&reader), ["one"]);
    reader.run("sync").ended(2);
    reader.run("source forget team").ok();
    assert!(names(&reader).is_empty());
}
