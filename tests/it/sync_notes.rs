//! Several sources that tell of one group: who is believed, who says otherwise, and what people here note over it.

use serde_json::{Value, json};

use crate::cli::Larder;

const FILE: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: trips
description: Trips as the team means them
owner: team:mobility
tags: {domain: transport}
record_identifier: id
event_time: at
features:
  - {name: id, type: String}
  - {name: at, type: String}
  - {name: fare, type: Integral, description: Meter fare, parameters: {unit: usd}}
";

/// A store that `prod` is, and one that reads it and a folder of files.
fn two_sources() -> (Larder, Larder) {
    let prod = Larder::new();
    prod.file("trips.csv", "id,at,fare\na,2026-01-01T00:00:00Z,1.5\n");
    prod.run("create trips --from trips.csv --id id --event-time at --tag tier=1").ok();
    prod.run("update trips --owner ops --feature fare --feature-description Fare").ok();
    let reader = Larder::new();
    std::fs::create_dir(reader.path("git")).unwrap();
    std::fs::write(reader.path("git/trips.larder.yaml"), FILE).unwrap();
    reader.run_words(&["source", "add", "prod", "larder", prod.store().to_str().unwrap()]).ok();
    reader.run_words(&["source", "add", "git", "definitions", reader.path("git").to_str().unwrap()]).ok();
    reader.run("sync").ok();
    (prod, reader)
}

/// Who says what of a field: source (`here` for none), text, whether it is shown.
fn said(page: &Value, path: &str) -> Vec<(String, String, bool)> {
    let found = page["disagreements"].as_array().unwrap().iter().find(|one| one["path"] == path);
    let said = found.map(|one| one["said"].as_array().unwrap().clone()).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    said.iter()
        .map(|one| (one["source"].as_str().unwrap_or("here").to_owned(), text(&one["says"]), one["shown"].as_bool().unwrap()))
        .collect()
}

fn saying(source: &str, says: &str, shown: bool) -> (String, String, bool) {
    (source.to_owned(), says.to_owned(), shown)
}

#[test]
fn files_are_believed_in_what_is_meant_the_store_in_what_is_and_both_are_shown() {
    let (_prod, reader) = two_sources();
    let page = reader.run("describe trips --json").ok().json();
    assert_eq!(
        (&page["source"], &page["owner"], &page["description"]),
        (&json!("prod"), &json!("team:mobility"), &json!("Trips as the team means them"))
    );
    assert_eq!(page["tags"], json!({"domain": "transport", "tier": "1"}), "what one does not say the other does");
    let fare = &page["features"][2];
    assert_eq!(
        (&fare["type"], &fare["description"], &fare["parameters"]),
        (&json!("Fractional"), &json!("Meter fare"), &json!({"unit": "usd"}))
    );
    assert_eq!(said(&page, "owner"), [saying("git", "team:mobility", true), saying("prod", "ops", false)]);
    assert_eq!(said(&page, "features.fare.type"), [saying("git", "Integral", false), saying("prod", "Fractional", true)]);
    assert_eq!(said(&page, "features.fare.description"), [saying("git", "Meter fare", true), saying("prod", "Fare", false)]);
    assert!(said(&page, "description").is_empty() && said(&page, "features.id.type").is_empty(), "one alone does not disagree: {page}");
    reader.run("describe trips").ok().shows(&["SOURCES DISAGREE", "team:mobility", "ops"]);
    let shown = reader.run("sync show latest").ok();
    shown.shows(&["≠ trips  owner: git says \"team:mobility\" (shown), prod says \"ops\""]);
    assert_eq!(reader.run("list --json").ok().json().as_array().unwrap().len(), 1, "one group, told by two");
    reader.run("search meter --json").ok().shows(&["fare"]);
}

#[test]
fn notes_stand_over_what_is_told_and_no_sync_touches_them() {
    let (prod, reader) = two_sources();
    reader.run("update trips --owner team:green --feature FARE --feature-description Noted --parameter checked=yes").ok();
    reader.run("tag trips tier=gold seen=yes").ok();
    let noted = |page: &Value| {
        (page["owner"].clone(), page["features"][2]["description"].clone(), page["features"][2]["parameters"].clone(), page["tags"].clone())
    };
    let expected = (
        json!("team:green"),
        json!("Noted"),
        json!({"checked": "yes", "unit": "usd"}),
        json!({"domain": "transport", "seen": "yes", "tier": "gold"}),
    );
    let page = reader.run("describe trips --json").ok().json();
    assert_eq!(noted(&page), expected);
    assert_eq!(page["local"], json!(["features.fare.description", "features.fare.parameters.checked", "owner", "tags.seen", "tags.tier"]));
    assert_eq!(
        said(&page, "owner"),
        [saying("here", "team:green", true), saying("git", "team:mobility", false), saying("prod", "ops", false)]
    );

    prod.run("update trips --owner others --feature fare --feature-description Other").ok();
    prod.run("tag trips tier=3").ok();
    std::fs::write(reader.path("git/trips.larder.yaml"), FILE.replace("Meter fare", "By the meter")).unwrap();
    reader.run("sync --full").ok();
    let page = reader.run("describe trips --json").ok().json();
    assert_eq!(noted(&page), expected, "a sync changed what was noted");
    assert_eq!(said(&page, "tags.tier"), [saying("here", "gold", true), saying("prod", "3", false)]);
    assert_eq!(reader.run("sync --json").ok().json()["changes"], json!([]), "notes are no change");

    // A group that goes and comes back, and a source that is forgotten and added again, find the notes where they were.
    prod.run("drop trips --yes").ok();
    std::fs::write(reader.path("git/trips.larder.yaml"), FILE.replace("name: trips", "name: other")).unwrap();
    reader.run("sync --prune force").ok();
    reader.run("describe trips").ended(1);
    std::fs::write(reader.path("git/trips.larder.yaml"), FILE).unwrap();
    reader.run("source forget prod").ok();
    reader.run("sync").ok();
    let page = reader.run("describe trips --json").ok().json();
    assert_eq!((&page["source"], &page["owner"]), (&json!("git"), &json!("team:green")));

    // An empty text takes a note away, and so does removing a tag.
    reader.run_words(&["update", "trips", "--owner", ""]).ok();
    reader.run("tag trips --remove tier --remove seen").ok();
    let page = reader.run("describe trips --json").ok().json();
    assert_eq!((&page["owner"], &page["tags"]), (&json!("team:mobility"), &json!({"domain": "transport"})));
}

#[test]
fn what_can_not_be_noted_is_refused() {
    let (_prod, reader) = two_sources();
    reader.run("update trips --ttl 7d").ended(1).says(&["'trips'", "a source tells of it"]);
    for change in [
        "--add-feature x:String",
        "--rename-feature fare=cost",
        "--remove-feature fare",
        "--expect-rows 5",
        "--feature fare --no-expectations",
    ] {
        reader.run(&format!("update trips --owner us {change}")).ended(1).says(&["a source tells of it"]);
    }
    reader.run("update trips --feature fares --feature-description x").ended(1).says(&["did you mean 'fare'?"]);
    reader.run_words(&["update", "trips", "--description", &"x".repeat(129)]).ended(1).says(&["128"]);
    reader.run("update nobody --owner x").ended(1).says(&["no feature group 'nobody'"]);
    reader.run("tag nobody a=b").ended(1);
    assert_eq!(reader.run("describe trips --json").ok().json()["local"], json!([]));
}

#[test]
fn a_group_of_the_store_itself_shows_what_a_source_says_otherwise() {
    let (_prod, reader) = two_sources();
    reader.file("trips.csv", "id,at,fare\na,2026-01-01T00:00:00Z,1.5\n");
    reader.run("create trips --from trips.csv --id id --event-time at").ok();
    reader.run("update trips --owner us").ok();
    let page = reader.run("describe trips --json").ok().json();
    let owners = said(&page, "owner");
    assert_eq!(owners.first(), Some(&saying("here", "us", true)));
    assert!(owners.contains(&saying("git", "team:mobility", false)) && owners.contains(&saying("prod", "ops", false)), "{owners:?}");
}
