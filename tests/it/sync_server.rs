//! Sync from a running larder server over the AWS API, and look-ups that go there.

#![cfg(unix)]

use serde_json::{Value, json};

use crate::cli::{Larder, Outcome, READINGS};
use crate::server::Serving;

const SECRET: &str = "a-secret/of+keys";

/// A store with a group of three records.
fn team() -> Larder {
    let team = Larder::with_readings();
    team.run("ingest readings readings.csv").ok();
    team
}

fn reader(serving: &Serving) -> Larder {
    let reader = Larder::new();
    reader.run_words(&["source", "add", "team", "larder", &format!("http://{}", serving.address)]).ok();
    reader
}

fn names(reader: &Larder) -> Vec<String> {
    let list = reader.run("list --json").ok().json();
    list.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

fn run_with(reader: &Larder, words: &str, variables: &[(&str, &str)]) -> Outcome {
    let mut command = reader.command(&words.split_whitespace().collect::<Vec<_>>());
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    let done = command.envs(variables.iter().copied()).output().unwrap();
    let (out, err) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    Outcome { words: words.to_owned(), code: done.status.code(), out, err }
}

#[test]
fn a_second_larder_is_synced_over_the_aws_api() {
    let team = team();
    team.run_words(&["update", "readings", "--feature", "celsius", "--feature-description", "outside"]).ok();
    team.run("tag readings team=growth").ok();
    let serving = Serving::start(&team.store(), None);
    let reader = reader(&serving);
    reader.run("sync --check").ended(4);
    let first = reader.run("sync --json").ok().json();
    assert_eq!((&first["sources"][0]["status"], &first["sources"][0]["created"]), (&json!("complete"), &json!(1)));
    let page = reader.run("describe readings --json").ok().json();
    let told = |page: &Value| {
        let celsius = page["features"].as_array().unwrap().iter().find(|feature| feature["name"] == "celsius").unwrap();
        (page["tags"].clone(), celsius["type"].clone(), celsius["description"].clone())
    };
    assert_eq!(told(&page), (json!({"team": "growth"}), json!("Fractional"), json!("outside")));
    assert_eq!(told(&page), told(&team.run("describe readings --json").ok().json()), "as the store itself tells it");
    let second = reader.run("sync --json").ok().json();
    assert_eq!((&second["sources"][0]["fetched"], &second["changes"]), (&json!(0), &json!([])));
    reader.run("sync --check").ended(0);
    assert_eq!(reader.run("sync --full --json").ok().json()["changes"], json!([]), "reading all again changes nothing");
    team.run_words(&["update", "readings", "--feature", "celsius", "--feature-description", "inside"]).ok();
    let third = reader.run("sync --json").ok().json();
    assert!(third["changes"][0]["fields"].to_string().contains("features.celsius.description"), "{third}");
    // Made anew under its name.
    team.run("drop readings --yes").ok();
    team.run("create readings --from readings.csv --id sensor --event-time at").ok();
    assert_eq!(reader.run("sync --json").ok().json()["changes"][0]["op"], "replace");
    assert_eq!(names(&reader), ["readings"]);
}

#[test]
fn look_ups_of_a_synced_group_go_to_its_server() {
    let team = team();
    let serving = Serving::start(&team.store(), None);
    let reader = reader(&serving);
    reader.run("sync").ok();
    let (here, there) = (reader.run("get readings s1 --json").ok().json(), team.run("get readings s1 --json").ok().json());
    assert_eq!(here, there);
    let some = reader.run("get readings s1 --feature note --feature celsius --json").ok().json();
    assert_eq!(some["features"], json!({"note": "second, later", "celsius": 21.0}));
    assert_eq!(some["event_time"], there["event_time"], "told though it was not asked for");
    reader.run("get readings s1").ok().shows(&["second, later"]);
    reader.run("get readings nobody").ended(4).says(&["source 'team'"]);
    reader.run("get readings s1 --feature celsus").ended(1).says(&["did you mean 'celsius'?"]);
    let batch = reader.run("batch-get readings s1 nobody s3 --json").ok().json();
    assert_eq!((batch["records"].as_array().unwrap().len(), &batch["missing"]), (2, &json!(["nobody"])));
    drop(serving);
    reader.run("get readings s1").ended(1).says(&["can't be reached"]);
    reader.run("source remove team").ok();
    reader.run("get readings s1").ended(1).says(&["add it again"]);
}

#[test]
fn look_ups_of_a_group_in_another_folder_go_there() {
    let team = team();
    let reader = Larder::new();
    reader.run_words(&["source", "add", "team", "larder", team.store().to_str().unwrap()]).ok();
    reader.run("sync").ok();
    assert_eq!(reader.run("get readings s3 --json").ok().json(), team.run("get readings s3 --json").ok().json());
}

#[test]
fn a_server_with_keys_wants_them_and_one_without_never_sees_any() {
    let team = team();
    let serving = Serving::start(&team.store(), Some(&format!("AKIDREADER:{SECRET}:read-only")));
    let reader = reader(&serving);
    run_with(&reader, "sync", &[("AWS_EC2_METADATA_DISABLED", "true")]).ended(1).says(&["asks for keys", "AWS_ACCESS_KEY_ID"]);
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDREADER"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    run_with(&reader, "sync", &keys).ok();
    assert_eq!(names(&reader), ["readings"]);
    run_with(&reader, "get readings s3 --json", &keys).ok();
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIDREADER"), ("AWS_SECRET_ACCESS_KEY", "another-secret")];
    run_with(&reader, "sync", &wrong).ended(1).says(&["check the keys"]);
    let unknown = [("AWS_ACCESS_KEY_ID", "AKIDNOBODY"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    run_with(&reader, "sync", &unknown).ended(1).says(&["check the keys"]);
    assert_eq!(names(&reader), ["readings"]);
}

#[test]
fn the_server_is_an_account_too_and_one_that_went_deletes_nothing() {
    let team = team();
    let serving = Serving::start(&team.store(), None);
    let reader = Larder::new();
    let url = format!("http://{}", serving.address);
    let words = ["source", "add", "prod", "aws", "000000000000/eu-west-1", "--endpoint-url", &url, "--option", "attempts=1"];
    reader.run_words(&words).ok();
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDANYBODY"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    assert_eq!(run_with(&reader, "sync --json", &keys).ok().json()["sources"][0]["created"], 1);
    run_with(&reader, "sync --check", &keys).ended(0);
    assert_eq!(run_with(&reader, "get readings s3 --json", &keys).ok().json()["features"]["celsius"], json!(-3.25));
    drop(serving);
    run_with(&reader, "sync", &keys).ended(1).says(&["can't be reached"]);
    assert_eq!(names(&reader), ["readings"]);
}

#[test]
fn several_pages_of_groups_are_all_there() {
    let team = Larder::new();
    team.file("readings.csv", READINGS);
    let serving = {
        team.run("create g000 --from readings.csv --id sensor --event-time at").ok();
        Serving::start(&team.store(), None)
    };
    (1..130).for_each(|number| serving.make_group(&format!("g{number:03}")));
    let reader = reader(&serving);
    let report = reader.run("sync --json").ok().json();
    assert_eq!(report["sources"][0]["created"], 130);
    assert_eq!(names(&reader).len(), 130);
    assert_eq!(reader.run("sync --json").ok().json()["sources"][0]["fetched"], 0);
}

#[test]
fn watching_repeats_runs_outlasts_trouble_and_ends_on_a_signal() {
    use std::io::{BufRead, BufReader};
    let team = team();
    let serving = Serving::start(&team.store(), None);
    let reader = Larder::new();
    let url = format!("http://{}", serving.address);
    reader.run_words(&["source", "add", "team", "larder", &url, "--option", "attempts=1"]).ok();
    let mut child = reader.command(&["sync", "--watch", "1s", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut status = || -> Value { serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["status"].clone() };
    assert_eq!((status(), status()), (json!("done"), json!("done")));
    drop(serving);
    while status() != "failed" {}
    assert!(std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(names(&reader), ["readings"]);
}
