//! Lineage as a user meets it: what is captured without asking, what is declared, what a walk and an impact answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::Larder;

const LABELS: &str = "\
sensor,when,label
s1,2026-01-01T12:00:00Z,1
s2,2026-01-01T12:00:00Z,0
";

/// A store with readings, loaded from a file, and a dataset `train` of `celsius`.
fn bench() -> Larder {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    larder.file("labels.csv", LABELS);
    build(&larder);
    larder
}

fn build(larder: &Larder) {
    let words =
        "dataset build --spine labels.csv --spine-id sensor --spine-time when --features readings:celsius --name train -o train.parquet";
    larder.run(words).ok();
}

fn references(answer: &Value) -> BTreeSet<String> {
    answer["nodes"].as_array().unwrap().iter().map(|node| node["ref"].as_str().unwrap().to_owned()).collect()
}

fn edge<'a>(answer: &'a Value, from: &str, to: &str) -> &'a Value {
    let edges = answer["edges"].as_array().unwrap();
    edges.iter().find(|edge| edge["from"] == from && edge["to"] == to).unwrap_or_else(|| panic!("no edge {from} -> {to}: {answer:#}"))
}

#[test]
fn loads_and_builds_are_captured_and_a_declared_model_hangs_on_them() {
    let larder = bench();
    larder.run("lineage link train door-model").ok().shows(&["train@1 → model:door-model: trains"]);
    larder.run("lineage add --from model:door-model --to endpoint:doors --owner team:hall").ok();
    let file = format!("source:{}", larder.path("readings.csv").display());

    let down = larder.run("lineage readings.celsius --down --json").ok().json();
    assert_eq!(down["node"], "readings.celsius");
    assert!(references(&down).is_superset(&["train@1", "model:door-model", "endpoint:doors"].map(str::to_owned).into()), "{down:#}");
    let built = edge(&down, "readings.celsius", "train@1");
    assert_eq!(
        (&built["kind"], &built["method"], &built["transform"], &built["indirect"]),
        (&json!("derives"), &json!("observed"), &json!("IDENTITY"), &json!(false))
    );
    assert_eq!(edge(&down, "train@1", "model:door-model")["method"], "declared");
    let kinds: BTreeSet<(&str, &str)> =
        down["nodes"].as_array().unwrap().iter().map(|node| (node["kind"].as_str().unwrap(), node["name"].as_str().unwrap())).collect();
    assert!(kinds.contains(&("model", "door-model")) && kinds.contains(&("dataset", "train@1")), "{kinds:?}");
    assert!(down["coverage"]["summary"].as_str().unwrap().starts_with("known from 3 of 5 channels (loads, builds, declared)"), "{down:#}");

    let up = larder.run("lineage model:door-model --up --json").ok().json();
    let found = references(&up);
    assert!(found.contains("readings.celsius") && found.contains(&file), "{found:?}");
    assert!(!found.contains("readings.note"), "a feature that was not taken: {found:?}");
    // The identifier pairs rows, it is no value of the dataset.
    assert_eq!(edge(&up, "readings.sensor", "train@1")["transform"], "JOIN");
    let one_far = larder.run("lineage model:door-model --up --depth 1 --json").ok().json();
    assert_eq!(references(&one_far), ["model:door-model", "train@1"].map(str::to_owned).into());

    larder.run("lineage readings.celsius").ok().shows(&["goes to", "└─ endpoint:doors", "comes from", "readings.csv", "channels"]);
    larder.run("lineage train --format dot").ok().shows(&["digraph lineage", "label=\"train@1\"", "->"]);
    larder.run("lineage train:1 --format mermaid").ok().shows(&["flowchart LR", "\"model:door-model\""]);
    larder.run("lineage readings --down --format tree").ok().shows(&["readings.celsius", "train@1"]);
    larder.run("lineage readings --json --format dot").ended(2);
}

#[test]
fn a_consumer_of_the_whole_group_is_column_unknown_and_impact_counts_it() {
    let larder = bench();
    larder.run("lineage add --from readings --to notebook:explore").ok();
    let down = larder.run("lineage readings.note --down --json").ok().json();
    assert_eq!(references(&down), ["readings.note", "notebook:explore"].map(str::to_owned).into(), "the dataset does not take it");
    assert_eq!(edge(&down, "readings.note", "notebook:explore")["column_unknown"], true);
    assert!(down["coverage"]["summary"].as_str().unwrap().contains("1 edge with the column unknown"));
    let impact = larder.run("impact readings.note --change remove --json").ended(4).json();
    assert_eq!((&impact["worst"], &impact["affected"][0]["certainty"]), (&json!("breaks"), &json!("column unknown")));
    larder.run("lineage remove --from readings --to notebook:explore").ok();
    larder.run("lineage remove --from readings --to notebook:explore").ended(4);
    larder.run("impact readings.note --change remove").ok().shows(&["nothing recorded is affected", "channels"]);
}

#[test]
fn impact_tells_each_consumer_what_happens_to_it() {
    let larder = bench();
    larder.run("lineage link train m").ok();
    larder.run("lineage add --from readings.celsius --to service:thermostat").ok();
    let effects = |change: &str, code: i32| -> Vec<(String, String)> {
        let document = larder.run(&format!("impact readings.celsius --change {change} --json")).ended(code).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut effects: Vec<_> =
            document["affected"].as_array().unwrap().iter().map(|entry| (text(&entry["ref"]), text(&entry["effect"]))).collect();
        effects.sort();
        effects
    };
    let of = |pairs: [(&str, &str); 3]| pairs.map(|(name, effect)| (name.to_owned(), effect.to_owned())).to_vec();
    assert_eq!(effects("remove", 4), of([("model:m", "breaks"), ("service:thermostat", "breaks"), ("train@1", "breaks")]));
    assert_eq!(effects("ttl", 4), of([("model:m", "gaps"), ("service:thermostat", "breaks"), ("train@1", "gaps")]));
    assert_eq!(effects("meaning", 4), of([("model:m", "retrain"), ("service:thermostat", "review now"), ("train@1", "retrain")]));
    assert_eq!(effects("add", 0), []);
    larder.run("impact readings.celsius --change removed").ended(2).says(&["did you mean 'remove'?"]);
    larder.run("impact model:m").ended(2);
    // Who looks records up is a reader, and feels it, too.
    larder.run("get readings s1 --feature celsius").ok();
    let readers = larder.run("impact readings.celsius --change type --json").ended(4).json();
    assert!(readers["affected"].as_array().unwrap().iter().any(|entry| entry["kind"] == "reader" && entry["reads"] == 1), "{readers:#}");
    larder.run("impact readings.note --change type").ok();
}

#[test]
fn a_dropped_group_is_still_in_the_middle_and_says_that_it_is_gone() {
    let larder = bench();
    larder.run("lineage link train m").ok();
    larder.run("drop readings --yes").ok();
    let answer = larder.run("lineage model:m --up --json").ok().json();
    let group = answer["nodes"].as_array().unwrap().iter().find(|node| node["ref"] == "readings").unwrap();
    assert_eq!(group["deleted"], true);
    assert!(references(&answer).contains(&format!("source:{}", larder.path("readings.csv").display())), "{answer:#}");
    larder.run("lineage readings.celsius --down").ok().shows(&["deleted", "model:m"]);
    // Made again under its name it is another group: what flowed through the first does not flow through it.
    larder.run("create readings --from readings.csv --id sensor --event-time at").ok();
    larder.run("ingest readings readings.csv").ok();
    let again = larder.run("lineage readings.celsius --down --json").ok().json();
    assert_eq!(references(&again), ["readings.celsius".to_owned()].into(), "{again:#}");
}

#[test]
fn a_name_that_nobody_knows_gets_a_suggestion_and_one_that_several_have_is_asked_back() {
    let larder = bench();
    larder.run("lineage reading").ended(1).says(&["did you mean 'readings'?"]);
    larder.run("lineage readings.celsus").ended(1).says(&["did you mean 'celsius'?"]);
    larder.run("lineage model:nobody").ended(1);
    larder.run("lineage add --from readings --to group:other").ended(1);
    larder.run("lineage add --from readings --to readings").ended(2);
    larder.run("lineage add --from readings --to model:twin").ok();
    larder.run("lineage add --from readings --to dashboard:twin").ok();
    larder.run("lineage twin").ended(2).says(&["model:twin", "dashboard:twin"]);
    larder.run("lineage model:twin").ok();
    larder.run("lineage add --from readings --to model:x --kind tains").ended(2).says(&["did you mean 'trains'?"]);
    larder.run("lineage --up").ended(2);
}

#[test]
fn a_lost_catalog_gets_its_lineage_back() {
    let larder = bench();
    larder.run("lineage link train m --at 2026-03-01T00:00:00Z").ok();
    larder.run("lineage add --from readings.note --to dashboard:d").ok();
    larder.run("lineage remove --from readings.note --to dashboard:d").ok();
    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(larder.store().join(file));
    }
    let answer = larder.run("lineage readings.celsius --down --json").ok().json();
    assert!(references(&answer).is_superset(&["train@1", "model:m"].map(str::to_owned).into()), "{answer:#}");
    assert!(edge(&answer, "train@1", "model:m")["since"].as_str().unwrap().starts_with("2026-03-01T00:00:00"));
    larder.run("impact readings.note").ok();
}

#[test]
fn reads_of_many_processes_are_counted_once_each() {
    let larder = bench();
    let mut running = Vec::new();
    for _ in 0..6 {
        for words in [&["get", "readings", "s1"][..], &["get", "readings", "s1", "--feature", "note"]] {
            running.push(larder.command(words).env("LARDER_PRINCIPAL", "robot").spawn().unwrap());
        }
        // Somebody who adds up while others read.
        running.push(larder.command(&["lineage", "readings", "--json"]).spawn().unwrap());
    }
    for process in running {
        assert!(process.wait_with_output().unwrap().status.success());
    }
    let reads = |node: &str| -> u64 {
        let answer = larder.run(&format!("lineage {node} --json")).ok().json();
        let readers = answer["readers"].as_array().unwrap().clone();
        readers.iter().filter(|reader| reader["principal"] == "robot").map(|reader| reader["reads"].as_u64().unwrap()).sum()
    };
    assert_eq!((reads("readings.note"), reads("readings.celsius"), reads("readings")), (12, 6, 12));
    assert_eq!(reads("readings.note"), 12, "adding up again adds nothing");
    let left: Vec<_> = std::fs::read_dir(larder.store().join("usage")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_spine_of_sql_tells_the_features_it_takes() {
    let larder = bench();
    let sql = "select sensor, at as \"when\", celsius * 2 as doubled from readings where door_open = 1";
    let words = ["dataset", "build", "--spine-sql", sql, "--spine-id", "sensor", "--spine-time", "when", "--features", "readings:note"];
    larder.run_words(&[&words[..], &["-o", "asked.parquet"]].concat()).ok();
    let answer = larder.run("lineage asked --up --json").ok().json();
    let from = |feature: &str| -> BTreeSet<String> {
        let edges = answer["edges"].as_array().unwrap().iter().filter(|edge| edge["from"] == feature && edge["to"] == "asked@1");
        edges.map(|edge| edge["transform"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(from("readings.celsius"), ["TRANSFORMATION".to_owned()].into(), "{answer:#}");
    assert_eq!(from("readings.door_open"), ["FILTER".to_owned()].into());
    assert_eq!(from("readings.count"), BTreeSet::new());
}

#[test]
fn a_store_that_can_not_be_written_answers_and_notes_nothing() {
    let larder = bench();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = larder::store::OpenOptions { read_only: true, ..Default::default() };
        let store = larder::store::FeatureStore::open(larder.store(), options).await.unwrap();
        store.get("readings", "s1", None).await.unwrap();
        let answer = store.lineage(&larder::store::lineage::LineageQuestion::about("readings")).await.unwrap();
        assert!(answer.readers.is_empty() && answer.nodes.len() > 1);
        store.close().await.unwrap();
    });
    assert!(!larder.store().join("usage").exists());
}
