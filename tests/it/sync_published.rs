//! A catalog published in a folder or a bucket, and read by others without a server.

use std::path::Path;

use serde_json::json;

use crate::cli::{Larder, READINGS, names_in};

fn team(groups: &[&str]) -> Larder {
    let team = Larder::new();
    team.file("readings.csv", READINGS);
    groups.iter().for_each(|group| create(&team, group));
    team
}

fn create(team: &Larder, group: &str) {
    team.run(&format!("create {group} --from readings.csv --id sensor --event-time at")).ok();
}

fn publish(team: &Larder, place: &Path) -> serde_json::Value {
    team.run_words(&["export", "catalog", place.to_str().unwrap(), "--json"]).ok().json()
}

fn reader(place: &str) -> Larder {
    let reader = Larder::new();
    reader.run_words(&["source", "add", "team", "larder", place]).ok();
    reader
}

fn names(reader: &Larder) -> Vec<String> {
    let list = reader.run("list --json").ok().json();
    list.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_newest_version_is_pulled_and_saying_the_same_makes_none() {
    let shared = tempfile::tempdir().unwrap();
    let place = shared.path().join("features");
    let team = team(&["one", "two"]);
    assert_eq!(publish(&team, &place)["version"], 1);
    let again = publish(&team, &place);
    assert_eq!((&again["version"], &again["new"]), (&json!(1), &json!(false)));
    let reader = reader(place.to_str().unwrap());
    reader.run("sync --check").ended(4);
    assert_eq!(reader.run("sync --json").ok().json()["sources"][0]["created"], 2);
    reader.run("sync --check").ended(0);
    assert_eq!(names(&reader), ["one", "two"]);
    team.run("tag one team=growth").ok();
    team.run("drop two --yes").ok();
    create(&team, "three");
    assert_eq!(publish(&team, &place)["version"], 2);
    assert_eq!(names_in(&place.join("larder-catalog")), ["00000001.json.gz", "00000002.json.gz"]);
    let report = reader.run("sync --json").ok().json();
    let changes: Vec<&str> = report["changes"].as_array().unwrap().iter().map(|change| change["op"].as_str().unwrap()).collect();
    assert_eq!(changes, ["update", "create", "delete"], "{report}");
    assert_eq!(names(&reader), ["one", "three"]);
    reader.run("get one s1").ended(1).says(&["--endpoint"]);
}

#[test]
fn what_was_pulled_is_published_elsewhere_and_not_back() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    publish(&team(&["one"]), first.path());
    let middle = reader(first.path().to_str().unwrap());
    middle.run("sync").ok();
    assert_eq!(publish(&middle, second.path())["groups"], 1);
    let last = reader(second.path().to_str().unwrap());
    last.run("sync").ok();
    assert_eq!(names(&last), ["one"]);
    assert_eq!(publish(&middle, first.path())["groups"], 0);
}

#[test]
fn publishers_who_meet_make_versions_one_after_another() {
    let shared = tempfile::tempdir().unwrap();
    let teams: Vec<Larder> = ["a", "b", "c"].iter().map(|name| team(&[name])).collect();
    std::thread::scope(|scope| teams.iter().for_each(|team| drop(scope.spawn(|| publish(team, shared.path())))));
    assert_eq!(names_in(&shared.path().join("larder-catalog")), ["00000001.json.gz", "00000002.json.gz", "00000003.json.gz"]);
}

#[test]
fn a_version_that_is_no_catalog_and_a_place_without_one_delete_nothing() {
    let shared = tempfile::tempdir().unwrap();
    publish(&team(&["one"]), shared.path());
    let reader = reader(shared.path().to_str().unwrap());
    reader.run("sync").ok();
    let folder = shared.path().join("larder-catalog");
    let whole = std::fs::read(folder.join("00000001.json.gz")).unwrap();
    std::fs::write(folder.join("00000002.json.gz"), &whole[..whole.len() / 2]).unwrap();
    let report = reader.run("sync --json").ended(1).json();
    assert_eq!(report["sources"][0]["errors"][0]["code"], "corrupt");
    names_in(&folder).iter().for_each(|name| std::fs::remove_file(folder.join(name)).unwrap());
    reader.run("sync").ended(1).says(&["larder export catalog"]);
    assert_eq!(names(&reader), ["one"]);
}

#[cfg(unix)]
#[test]
fn a_bucket_holds_it_as_well_and_look_ups_go_to_the_server_it_names() {
    use crate::server::Serving;
    let team = team(&["one"]);
    team.run("ingest one readings.csv").ok();
    let serving = Serving::start(&team.store(), None);
    let bucket = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(bucket.path().join("s3/shared")).unwrap();
    let s3 = Serving::start(bucket.path(), None);
    let run = |larder: &Larder, words: &[&str]| {
        let mut command = larder.command(words);
        command.env("LARDER_OBJECT_STORE_ENDPOINT", format!("http://{}", s3.address)).env("LARDER_OBJECT_STORE_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", "AKIDANYBODY").env("AWS_SECRET_ACCESS_KEY", "a-secret").env("AWS_REGION", "us-east-1");
        let done = command.output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let endpoint = format!("http://{}", serving.address);
    run(&team, &["export", "catalog", "s3://shared/team", "--endpoint", &endpoint]);
    let reader = Larder::new();
    reader.run("source add team larder s3://shared/team").ok();
    run(&reader, &["sync"]);
    assert_eq!(names(&reader), ["one"]);
    let found: serde_json::Value = serde_json::from_str(&run(&reader, &["get", "one", "s3", "--json"])).unwrap();
    assert_eq!(found["features"]["celsius"], json!(-3.25));
}
