//! Definition files against a store: the plan says what happens, apply does it wholly or not at all, export is its inverse.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use larder::model::{
    Collection, Expectation, FeatureDefinition, FeatureGroup, FeatureName, FeatureType, GroupExpectations, GroupName, OnViolation,
    OnlineSettings, RawValue, Schema,
};
use larder::store::faults::{Faults, Mode};
use larder::store::lineage::Declaration;
use larder::store::{FeatureStore, NewGroup, OpenOptions, PutOptions};
use larder::sync::definitions::{Action, Applied, ChangeKind, Definition, Exported, Plan, Text, apply, export, plan, read, schema_text};
use tempfile::TempDir;

const TRIPS: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: trips
description: Taxi trips
owner: team:mobility
tags: {domain: transport}
record_identifier: id
event_time: at
features:
  - {name: id, type: String}
  - {name: at, type: Fractional}
  - {name: fare, type: Fractional, description: Metre, parameters: {unit: usd}}
online: {ttl: 7d}
";

async fn open(folder: &Path, faults: Option<Arc<Faults>>) -> FeatureStore {
    FeatureStore::open(folder, OpenOptions { create: true, faults, ..OpenOptions::default() }).await.unwrap()
}

async fn new_store() -> (TempDir, FeatureStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), None).await;
    (folder, store)
}

#[track_caller]
fn defined(text: &str) -> Vec<Definition> {
    let reading = read(&[Text { name: "a.yaml".into(), bytes: text.into() }]);
    assert_eq!(reading.faults, [], "{text}");
    reading.definitions
}

#[track_caller]
fn faults_of(text: &str) -> Vec<String> {
    let reading = read(&[Text { name: "a.yaml".into(), bytes: text.into() }]);
    reading.faults.iter().map(ToString::to_string).collect()
}

async fn applied(store: &FeatureStore, text: &str) -> Applied {
    let applied = apply(store, &defined(text)).await.unwrap();
    assert!(applied.refused.is_none(), "{:?}", applied.refused);
    applied
}

fn changes(plan: &Plan) -> Vec<(ChangeKind, String)> {
    plan.groups.iter().flat_map(|group| group.changes.iter().map(|change| (change.kind, change.path.clone()))).collect()
}

fn texts(exported: &[Exported]) -> Vec<Text> {
    exported.iter().map(|one| Text { name: one.file.clone(), bytes: one.text.clone().into_bytes() }).collect()
}

#[track_caller]
fn read_back(exported: &[Exported]) -> Vec<Definition> {
    let reading = read(&texts(exported));
    assert_eq!(reading.faults, [], "{}", exported.iter().map(|one| one.text.as_str()).collect::<String>());
    assert_eq!(reading.definitions.len(), exported.len());
    reading.definitions
}

#[tokio::test]
async fn apply_makes_what_is_written_and_twice_changes_nothing() {
    let (_folder, store) = new_store().await;
    let first = applied(&store, TRIPS).await;
    assert_eq!((first.plan.groups[0].action, first.plan.unchanged), (Action::Create, 0));
    let group = store.group("trips").await.unwrap();
    assert_eq!((group.description.as_deref(), group.owner.as_deref()), (Some("Taxi trips"), Some("team:mobility")));
    assert_eq!((group.ttl().unwrap().to_string(), group.tags["domain"].as_str()), ("7d".to_owned(), "transport"));
    assert_eq!(group.schema.feature("fare").unwrap().1.parameters["unit"], "usd");
    let put = [("id", "1"), ("at", "4000000000"), ("fare", "2.5")].map(|(name, text)| (name.to_owned(), RawValue::Text(text.into())));
    store.put("trips", put.into(), PutOptions::default()).await.unwrap();
    let again = applied(&store, TRIPS).await;
    assert_eq!((again.plan.groups.len(), again.plan.unchanged), (0, 1));
    assert_eq!(store.group("trips").await.unwrap(), group);
}

#[tokio::test]
async fn each_field_is_changed_as_the_plan_says() {
    let (_folder, store) = new_store().await;
    applied(&store, TRIPS).await;
    let after = TRIPS
        .replace("description: Taxi trips\n", "")
        .replace("domain: transport", "stage: prod")
        .replace("7d", "2d")
        .replace("description: Metre", "description: Meter, deprecated: true, expectations: {between: [0, 9]}")
        + "freshness: {error_after: 3d}\n";
    let after = after.replace("online:", "  - {name: tip, type: Fractional}\nonline:");
    let planned = plan(&store, &defined(&after)).await.unwrap();
    let expected = [
        (ChangeKind::InPlace, "online.ttl"),
        (ChangeKind::InPlace, "features.tip"),
        (ChangeKind::Metadata, "description"),
        (ChangeKind::Metadata, "tags.domain"),
        (ChangeKind::Metadata, "tags.stage"),
        (ChangeKind::Metadata, "freshness.error_after"),
        (ChangeKind::Metadata, "features.fare.description"),
        (ChangeKind::Metadata, "features.fare.expectations"),
        (ChangeKind::Metadata, "features.fare.parameters.deprecated"),
    ];
    assert_eq!(changes(&planned), expected.map(|(kind, path)| (kind, path.to_owned())));
    applied(&store, &after).await;
    let group = store.group("trips").await.unwrap();
    assert_eq!((group.description.as_deref(), group.ttl().unwrap().to_string()), (None, "2d".to_owned()));
    assert_eq!(group.tags, BTreeMap::from([("stage".to_owned(), "prod".to_owned())]));
    assert_eq!(group.schema.position("tip"), Some(3), "appended");
    let fare = group.schema.feature("fare").unwrap().1;
    assert_eq!((fare.parameters["deprecated"].as_str(), fare.expectations.len()), ("yes", 1));
    assert!(!plan(&store, &defined(&after)).await.unwrap().is_pending());
}

#[tokio::test]
async fn what_would_need_another_group_refuses_everything() {
    let (_folder, store) = new_store().await;
    applied(&store, TRIPS).await;
    let model = Declaration { from: "trips.fare".into(), to: "model:price".into(), kind: None, since: None, owner: None };
    store.declare_lineage(&model).await.unwrap();
    let other = TRIPS.replace("trips", "other");
    let cases = [
        (TRIPS.replace("{name: fare, type: Fractional", "{name: fare, type: String"), "features.fare.type"),
        (TRIPS.lines().filter(|line| !line.contains("fare")).map(|line| format!("{line}\n")).collect(), "features.fare"),
        (TRIPS.replace("name: fare", "name: Fare"), "features.fare.name"),
        (TRIPS.replace("record_identifier: id", "record_identifier: fare"), "record_identifier"),
        (TRIPS.replace("name: trips", "name: Trips"), "name"),
        (TRIPS.replace("ttl: 7d", "enabled: false"), "online.enabled"),
        (TRIPS.to_owned() + "offline: {enabled: false}\n", "offline.enabled"),
        (TRIPS.to_owned() + "offline: {s3_uri: \"s3://elsewhere/x\"}\n", "offline.s3_uri"),
        (TRIPS.to_owned() + "role_arn: arn:aws:iam::111122223333:role/fs\n", "role_arn"),
        (TRIPS.replace("ttl: 7d", "storage: InMemory"), "online.storage"),
    ];
    for (changed, path) in cases {
        let done = apply(&store, &defined(&format!("{changed}---\n{other}"))).await.unwrap();
        let refused: Vec<&str> = done.plan.refused().map(|(_, change)| change.path.as_str()).collect();
        assert!(refused.contains(&path) && done.refused.is_some(), "{path}: {refused:?}");
        if path.starts_with("features.fare") {
            let affects = &done.plan.groups[0].affects;
            assert!(affects.iter().any(|one| one.reference == "model:price" && one.effect.as_str() == "breaks"), "{path}: {affects:?}");
        }
        assert_eq!(store.list_groups().await.unwrap().len(), 1, "{path}: the other group was made");
    }
    assert!(!plan(&store, &defined(TRIPS)).await.unwrap().is_pending(), "nothing was changed");
}

#[tokio::test]
async fn a_failing_disk_leaves_all_or_nothing() {
    let two = format!("{}---\n{}", TRIPS.replace("ttl: 7d", "ttl: 9d"), TRIPS.replace("trips", "other"));
    let two = two.replace("online: {ttl: 9d}", "  - {name: tip, type: Fractional}\nonline: {ttl: 9d}");
    let steps = {
        let (folder, store) = new_store().await;
        applied(&store, TRIPS).await;
        store.close().await.unwrap();
        let faults = Arc::new(Faults::counting());
        let store = open(folder.path(), Some(faults.clone())).await;
        let before = faults.steps();
        applied(&store, &two).await;
        (before + 1, faults.steps())
    };
    assert!(steps.1 > steps.0, "{steps:?}");
    let mut outcomes = [0, 0];
    for step in steps.0..=steps.1 {
        let (folder, store) = new_store().await;
        applied(&store, TRIPS).await;
        store.close().await.unwrap();
        let failing = open(folder.path(), Some(Arc::new(Faults::fail_from(step, Mode::Before)))).await;
        assert!(apply(&failing, &defined(&two)).await.is_err(), "step {step} did not fail");
        drop(failing);
        let store = open(folder.path(), None).await;
        let names: Vec<String> = store.list_groups().await.unwrap().iter().map(|group| group.name.to_string()).collect();
        let trips = store.group("trips").await.unwrap();
        let changed = (trips.ttl().unwrap().to_string(), trips.schema.len());
        match names.len() {
            1 => assert_eq!(changed, ("7d".to_owned(), 3), "step {step}: half of it was done"),
            _ => {
                assert_eq!(changed, ("9d".to_owned(), 4), "step {step}: half of it was done");
                assert_eq!(store.group("other").await.unwrap().status.as_str(), "Created", "step {step}");
            }
        }
        outcomes[names.len() - 1] += 1;
        applied(&store, &two).await;
        assert!(!plan(&store, &defined(&two)).await.unwrap().is_pending(), "step {step}");
        let report = store.doctor().await.unwrap();
        assert!(report.is_healthy(), "step {step}: {:?}", report.checks);
    }
    assert!(outcomes.iter().all(|count| *count > 0), "both outcomes happen: {outcomes:?}");
}

#[tokio::test]
async fn two_at_once_agree() {
    let (folder, one) = new_store().await;
    let other = open(folder.path(), None).await;
    let definitions = defined(TRIPS);
    let (first, second) = tokio::join!(apply(&one, &definitions), apply(&other, &definitions));
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    assert_eq!(one.list_groups().await.unwrap().len(), 1);
    assert!(!plan(&other, &definitions).await.unwrap().is_pending());
}

#[tokio::test]
async fn groups_that_no_file_names_are_not_touched() {
    let (_folder, store) = new_store().await;
    applied(&store, TRIPS).await;
    let before = store.group("trips").await.unwrap();
    applied(&store, &TRIPS.replace("trips", "other")).await;
    assert_eq!(store.group("trips").await.unwrap(), before);
}

#[tokio::test]
async fn lineage_is_declared_once_and_never_taken_back() {
    let (_folder, store) = new_store().await;
    let text = TRIPS.to_owned()
        + "sources: [{name: \"s3://lake/trips\", features: [fare]}, {kind: job, name: nightly}, {name: /data/a.csv}]\n\
           consumers: [{kind: model, name: price, uses: [fare]}, {kind: dashboard, name: fares}]\n";
    assert_eq!(changes(&applied(&store, &text).await.plan).len(), 5);
    assert!(!plan(&store, &defined(&text)).await.unwrap().is_pending());
    let group = store.group("trips").await.unwrap();
    let declared = store.declared_of_group(&group).await.unwrap();
    assert!(declared.contains(&("source:s3://lake/trips".into(), "trips.fare".into())), "{declared:?}");
    applied(&store, TRIPS).await;
    assert_eq!(store.declared_of_group(&group).await.unwrap(), declared);
    assert!(!plan(&store, &read_back(&export(&store, &[]).await.unwrap())).await.unwrap().is_pending());
}

/// A group with everything that the store can hold, in texts that a format may stumble over.
fn rich(name: &str, hostile: &str) -> NewGroup {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let limit = |watch: f64, alert: f64| (watch.try_into().unwrap(), alert.try_into().unwrap());
    let mut fare = feature("fare", FeatureType::Fractional);
    fare.description = Some(hostile.chars().take(255).collect());
    fare.parameters = BTreeMap::from([("pii".into(), "maybe".into()), ("no".into(), "yes".into()), ("1".into(), "0x10".into())]);
    fare.drift = BTreeMap::from([("ks".into(), limit(0.1, 0.25))]);
    let rule = |text: &str, on_violation| Expectation { rule: text.parse().unwrap(), on_violation };
    fare.expectations = vec![rule("at_least -1e300", OnViolation::Warn), rule("not_null 0.5", OnViolation::Reject)];
    let mut kind = feature("kind", FeatureType::String);
    kind.parameters =
        BTreeMap::from([("deprecated".into(), "no".into()), ("pii".into(), "yes".into()), ("replaced_by".into(), "fare".into())]);
    kind.expectations =
        vec![rule("one_of null,true,1.0,~,a b", OnViolation::Quarantine), rule("matches ^[a-z]+:\\s*#", OnViolation::Reject)];
    let mut list = feature("list", FeatureType::String);
    list.collection = Some(Collection::List);
    let mut set = feature("set", FeatureType::Integral);
    set.collection = Some(Collection::Set);
    let mut vector = feature("vector", FeatureType::Fractional);
    vector.collection = Some(Collection::Vector { dimension: 3 });
    let features = vec![feature("null", FeatureType::Integral), feature("on", FeatureType::String), fare, kind, list, set, vector];
    let schema = Schema::new(features, "null", "on").unwrap();
    NewGroup {
        description: Some(hostile.chars().take(128).collect()),
        owner: Some("yes".into()),
        tags: BTreeMap::from([
            ("stage".into(), "production".into()),
            ("entity".into(), "42".into()),
            ("empty".into(), String::new()),
            ("y".into(), " blank ".into()),
        ]),
        online: Some(OnlineSettings { ttl: Some("90s".parse().unwrap()), ..OnlineSettings::default() }),
        expectations: GroupExpectations { unique: true, max_age: Some("4w".parse().unwrap()), min_rows: Some(u64::from(u32::MAX)) },
        ..NewGroup::new(GroupName::parse(name).unwrap(), schema)
    }
}

#[tokio::test]
async fn export_and_plan_are_inverse_for_everything_a_group_can_hold() {
    let (_folder, store) = new_store().await;
    let hostile = [
        "plain",
        "yes",
        "~",
        "0x1F",
        "- a\n- b",
        "key: value # comment",
        "  leading and trailing  ",
        "\u{1b}[31m \u{0} \u{7f} \u{85} \u{2028} \u{feff} \u{202e}",
        "'single' \"double\" \\ back\\nslash",
        "tab\tand\r\nlines\n\n\nmore\n",
        "---\n...",
        "&a *b !c %d @e `f |g >h",
        "名前 🚕 é",
        "long long long long long long long long long long long long long long long  double blank long long long long long long",
        "\n",
        "{a: 1}",
    ];
    for (position, text) in hostile.iter().enumerate() {
        store.create_group(rich(&format!("group-{position}"), text)).await.unwrap();
    }
    store.create_group(NewGroup { offline: false, ..rich("online-only", "x") }).await.unwrap();
    store.create_group(NewGroup { online: None, ..rich("offline-only", "x") }).await.unwrap();
    store.create_group(rich("defaults", "x")).await.unwrap();

    let definitions = read_back(&export(&store, &[]).await.unwrap());
    let planned = plan(&store, &definitions).await.unwrap();
    assert_eq!(changes(&planned), []);
    assert_eq!(planned.unchanged, hostile.len() + 3);

    // Into a store of its own, the same groups come out.
    let (_other_folder, copy) = new_store().await;
    assert!(apply(&copy, &definitions).await.unwrap().refused.is_none());
    let bare = |groups: Vec<FeatureGroup>| -> Vec<FeatureGroup> {
        let first = groups[0].clone();
        groups.into_iter().map(|group| FeatureGroup { id: first.id, created: first.created, modified: first.created, ..group }).collect()
    };
    let (ours, theirs) = (store.list_groups().await.unwrap(), copy.list_groups().await.unwrap());
    let (id, created) = (ours[0].id, ours[0].created);
    let sorted = |mut group: FeatureGroup| {
        group.id = id;
        (group.created, group.modified) = (created, created);
        serde_json::to_value(&group).unwrap()
    };
    let by_rule = |groups: Vec<FeatureGroup>| -> Vec<serde_json::Value> {
        bare(groups)
            .into_iter()
            .map(sorted)
            .map(|mut group| {
                for feature in group["schema"]["features"].as_array_mut().unwrap() {
                    if let Some(rules) = feature.get_mut("expectations").and_then(|rules| rules.as_array_mut()) {
                        rules.sort_by_key(ToString::to_string);
                    }
                }
                group
            })
            .collect()
    };
    assert_eq!(by_rule(theirs), by_rule(ours));
}

#[test]
fn every_limit_has_a_failing_example() {
    let long = |length: usize| "x".repeat(length);
    let line = |after: &str, text: &str| TRIPS.replace(after, &format!("{after}{text}"));
    let with_feature = |text: &str| line("parameters: {unit: usd}}\n", &format!("  - {text}\n"));
    let fare = |text: &str| TRIPS.replace("description: Metre", text);
    let many = |count: usize, entry: &dyn Fn(usize) -> String| (0..count).map(entry).collect::<Vec<_>>().join(", ");
    let cases = [
        (TRIPS.replace("larder/v1", "larder/v9"), "larder/v1"),
        (TRIPS.replace("FeatureGroup", "FeatureGrup"), "did you mean 'FeatureGroup'?"),
        (TRIPS.replace("kind: FeatureGroup\n", ""), "'kind' is missing"),
        (TRIPS.replace("name: trips", "name: trips_"), "'trips' would be one"),
        (TRIPS.replace("name: trips", &format!("name: {}", long(65))), "64"),
        (TRIPS.replace("Taxi trips", &long(129)), "the most is 128"),
        (TRIPS.replace("team:mobility", &long(129)), "the most is 128"),
        (TRIPS.replace("owner:", "ownr:"), "did you mean 'owner'?"),
        (TRIPS.replace("owner: team:mobility", "owner: [a]"), "'owner' is a list, not a text"),
        (TRIPS.replace("domain: transport", &format!("{}: x", long(129))), "129 characters"),
        (TRIPS.replace("domain: transport", &format!("a: {}", long(257))), "257 characters"),
        (TRIPS.replace("domain: transport", "a: \"x\\u001b\""), "tag 'a'"),
        (TRIPS.replace("domain: transport", "a: 42"), "put it in quotes"),
        (TRIPS.replace("domain: transport", &many(51, &|n| format!("k{n}: x"))), "at most 50"),
        (TRIPS.replace("domain: transport", "a: x, a: y"), "duplicate"),
        (TRIPS.replace("record_identifier: id", "record_identifier: idd"), "did you mean 'id'?"),
        (TRIPS.replace("event_time: at", "event_time: id"), "already"),
        (TRIPS.replace("{name: at, type: Fractional}", "{name: at, type: Integral}"), "can't be the event time"),
        (TRIPS.replace("{name: id, type: String}", "{name: id, type: String, collection: list}"), "can't be the record identifier"),
        (with_feature("{name: FARE, type: String}"), "case does not count"),
        (with_feature("{name: is_deleted, type: String}"), "can't be a feature name"),
        (with_feature("{name: x, type: Number}"), "Number"),
        (with_feature("{name: x, type: Fractional, collection: vector}"), "needs its dimension"),
        (with_feature("{name: x, type: Fractional, collection: vector, dimension: 8193}"), "8192"),
        (with_feature("{name: x, type: Integral, collection: vector, dimension: 3}"), "Fractional"),
        (with_feature("{name: x, type: Integral, dimension: 3}"), "only a vector"),
        (
            with_feature(
                "{name: x, type: Fractional, collection: vector, dimension: 3}\n  - {name: y, type: Fractional, collection: vector, dimension: 3}",
            ),
            "a second vector",
        ),
        (with_feature("{name: x, type: Integral, collection: tuple}"), "is no collection"),
        (with_feature("{name: x, type: Integral, collection: list}").replace("ttl: 7d", "storage: Standard"), "storage: InMemory"),
        (fare(&format!("description: {}", long(256))), "the most is 255"),
        (TRIPS.replace("unit: usd", &many(26, &|n| format!("k{n}: x"))), "at most 25"),
        (TRIPS.replace("unit: usd", "unit: ''"), "0 characters"),
        (TRIPS.replace("unit: usd", "pii: no").replace("description: Metre", "pii: true"), "said twice"),
        (fare("expectations: {between: [2, 1]}"), "nothing lies between"),
        (fare("expectations: {between: [1]}"), "the least is 2"),
        (fare("expectations: {between: {}}"), "at least one end"),
        (fare("expectations: {not_null: {at_least: 1.5}}"), "1.5"),
        (fare("expectations: {not_null: false}"), "expects nothing"),
        (fare("expectations: {matches: \"(\"}"), "no regular expression"),
        (fare("expectations: {one_of: []}"), "a set of 0 values"),
        (fare("expectations: {drift: {kss: [0.1, 0.2]}}"), "is no distance"),
        (fare("expectations: {drift: {ks: [0.3, 0.2]}}"), "below its watch"),
        (fare("expectations: {between: {min: 0, on_violation: drop}}"), "is no on_violation"),
        (TRIPS.replace("7d", "7x"), "'7x'"),
        (TRIPS.replace("7d", "9999999999d"), "is not a ttl"),
        (TRIPS.replace("ttl: 7d", "enabled: false, ttl: 7d"), "a ttl needs an online store"),
        (TRIPS.replace("ttl: 7d", "enabled: false") + "offline: {enabled: false}\n", "no store"),
        (TRIPS.to_owned() + "offline: {external: /data/*.parquet, enabled: true}\n", "a ttl needs an online store"),
        (TRIPS.replace("ttl: 7d", "enabled: true") + "offline: {external: /data/*.parquet}\n", "can't have an online store"),
        (TRIPS.to_owned() + "offline: {s3_uri: /tmp}\n", "s3_uri"),
        (TRIPS.to_owned() + "offline: {format: Iceberg}\n", "is no format"),
        (TRIPS.to_owned() + "offline: {glue: {database: 9, table: x}}\n", "database"),
        (TRIPS.to_owned() + "role_arn: nobody-knows-this-role\n", "role_arn"),
        (TRIPS.to_owned() + "throughput: {mode: Provisioned, read_units: 5}\n", "write_units"),
        (TRIPS.to_owned() + "freshness: {error_after: soon}\n", "'soon'"),
        (TRIPS.to_owned() + "expectations: {unique: [id, fare]}\n", "[id, at]"),
        (TRIPS.to_owned() + "expectations: {row_count: {min: 0}}\n", "the least is 1"),
        (TRIPS.to_owned() + "sources: [{name: x, features: [fares]}]\n", "did you mean 'fare'?"),
        (TRIPS.to_owned() + "consumers: [{kind: modell, name: x}]\n", "did you mean 'model'?"),
        (TRIPS.to_owned() + "consumers: [{kind: model, name: \"a\\u0007\"}]\n", "control characters"),
        (format!("{TRIPS}---\n{}", TRIPS.replace("name: trips", "name: TRIPS")), "is defined already in a.yaml:1:1"),
        ("apiVersion: larder/v1\nkind: Defaults\nownr: x\n".to_owned(), "did you mean 'owner'?"),
        ("- a\n".to_owned(), "not a mapping"),
        (String::new(), "holds no definition"),
        ("a: [1\n".to_owned(), "a.yaml:1:4"),
    ];
    let mut missed = Vec::new();
    for (text, told) in cases {
        let faults = faults_of(&text);
        if !faults.iter().any(|fault| fault.contains(told)) {
            missed.push(format!("'{told}' is not in {faults:#?}"));
        }
        assert!(faults.iter().all(|fault| fault.starts_with("a.yaml:")), "{faults:#?}");
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn all_faults_of_all_files_are_told_at_once() {
    let text = |name: &str, text: String| Text { name: name.into(), bytes: text.into_bytes() };
    let broken = TRIPS.replace("7d", "7x").replace("name: fare", "name: write_time").replace("owner:", "ownr:");
    let ttl_only = TRIPS.replace("name: trips", "name: ttl").replace("7d", "7x").replace("name: fare", "name: write_time");
    let reading =
        read(&[text("one.yaml", broken), text("two.yaml", "a: [".into()), text("three.yaml", ttl_only), text("good.yaml", TRIPS.into())]);
    let places: Vec<String> = reading.faults.iter().map(|fault| format!("{}:{}", fault.place.file, fault.place.line)).collect();
    assert_eq!(places, ["one.yaml:5", "one.yaml:13", "three.yaml:12", "three.yaml:13", "two.yaml:1"]);
    assert_eq!(reading.definitions.len(), 1, "a good file is not lost among bad ones");
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/larder-v1.schema.json");
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(published == schema_text(), "`larder schema > assets/larder-v1.schema.json` brings it up to date");
}
