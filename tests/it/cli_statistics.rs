//! `stats`, `drift` and `check` as a user meets them: figures follow every write, drift finds what moved, expectations hold back
//! what breaks them.

use std::fmt::Write;

use larder::model::{ErrorKind, RawValue};
use larder::store::statistics::{BaselineChoice, DriftOptions, Population, Standing, StatisticsOptions, StatisticsWatch};
use larder::store::{FeatureChange, FeatureStore, OpenOptions};
use serde_json::{Value as Json, json};
use sqlx::Connection;

use crate::cli::Larder;

/// Rows as CSV: identifier, time, value, colour.
fn csv(rows: &[(&str, String, Option<f64>, &str)]) -> String {
    let mut text = "id,at,value,colour\n".to_owned();
    for (id, at, value, colour) in rows {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        writeln!(text, "{id},{at},{value},{colour}").unwrap();
    }
    text
}

fn with_group(rows: &str) -> Larder {
    let larder = Larder::new();
    larder.file("rows.csv", rows);
    larder.run("create things --from rows.csv --id id --event-time at").ok();
    larder
}

fn figures(larder: &Larder, more: &str) -> Json {
    larder.run(&format!("stats things --json {more}")).ok().json()
}

fn feature<'a>(document: &'a Json, name: &str) -> &'a Json {
    document["features"].as_array().unwrap().iter().find(|feature| feature["name"] == name).unwrap()
}

#[test]
fn statistics_follow_every_write() {
    let rows: Vec<_> =
        (0..40).map(|n| ("a", format!("2026-01-{:02}T00:00:00Z", n % 28 + 1), (n % 4 > 0).then_some(f64::from(n)), "red")).collect();
    let larder = with_group(&csv(&rows));
    let empty = figures(&larder, "");
    assert_eq!((&empty["rows"], &feature(&empty, "value")["count"]), (&json!(0), &json!(0)));

    larder.run("ingest things rows.csv").ok();
    let loaded = figures(&larder, "");
    let values: Vec<f64> = rows.iter().filter_map(|(_, _, value, _)| *value).collect();
    let value = feature(&loaded, "value");
    assert_eq!((&value["count"], &value["nulls"], &value["exact"]), (&json!(30), &json!(10), &json!(true)));
    let mean = values.iter().sum::<f64>() / 30.0;
    let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 29.0).sqrt();
    assert!((value["mean"].as_f64().unwrap() - mean).abs() < 1e-12 && (value["std"].as_f64().unwrap() - std).abs() < 1e-12);
    assert_eq!((&value["min"], &value["max"], &value["distinct"]), (&json!(1), &json!(39), &json!(30)));

    // A record that waits in the outbox counts, and after the drain it counts once.
    larder.run("put things id=b at=2026-02-01T00:00:00Z value=1000 colour=blue").ok();
    let put = figures(&larder, "");
    assert_eq!((&put["rows"], &feature(&put, "value")["max"]), (&json!(41), &json!(1000)));
    larder.run("flush").ok();
    let flushed = figures(&larder, "");
    assert_eq!(put["features"], flushed["features"]);

    // A delete marker is counted, and its features are no nulls.
    larder.run("delete things b --event-time 2026-02-02T00:00:00Z").ok();
    let deleted = figures(&larder, "");
    assert_eq!((&deleted["rows"], &deleted["deleted"], &feature(&deleted, "value")["nulls"]), (&json!(42), &json!(1), &json!(10)));
    let latest = figures(&larder, "--population latest");
    assert_eq!((&latest["rows"], &feature(&latest, "colour")["top"][0]["value"]), (&json!(1), &json!("red")));

    // Compaction changes no row, and no figure; neither does reading everything anew.
    larder.run("flush").ok();
    larder.run("compact things").ok();
    let compacted = figures(&larder, "");
    assert_eq!(deleted["features"], compacted["features"]);
    assert_eq!(compacted["features"], figures(&larder, "--refresh")["features"]);
}

#[test]
fn a_catalog_that_lost_its_profiles_reads_the_files() {
    let rows: Vec<_> = (0..30).map(|n| ("a", format!("2026-01-{:02}T00:00:00Z", n % 28 + 1), Some(f64::from(n)), "red")).collect();
    let larder = with_group(&csv(&rows));
    larder.run("ingest things rows.csv").ok();
    let before = figures(&larder, "");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(larder.store().join(format!("catalog.db{suffix}")));
    }
    let after = figures(&larder, "");
    assert_eq!((&before["features"], &after["state"]), (&after["features"], &json!("fresh")));
}

#[test]
fn one_feature_is_shown_with_its_shape() {
    let rows: Vec<_> = (0..400).map(|n| ("a", format!("2026-01-{:02}T00:00:00Z", n % 28 + 1), Some(f64::from(n * n)), "red")).collect();
    let larder = with_group(&csv(&rows));
    larder.run("ingest things rows.csv").ok();
    larder.run("stats things --feature value").ok().shows(&["value", "quantiles", "159 201", "█"]);
    larder.run("stats things --feature colour").ok().shows(&["red", "400"]);
    larder.run("stats things --feature colr").ended(1).says(&["did you mean 'colour'?"]);
    larder.run("stats nothing").ended(1).says(&["nothing"]);
    let json = figures(&larder, "--feature value");
    assert_eq!(json["features"].as_array().unwrap().len(), 1);
    let histogram = &json["features"][0]["histogram"];
    let counted: u64 = histogram["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted + histogram["below"].as_u64().unwrap() + histogram["above"].as_u64().unwrap(), 400);
}

/// Two weeks of 100 rows a day that end long ago: `moved` is added to the value in the second, `colour` taken there.
fn two_weeks(moved: f64, colour: &str) -> String {
    let mut rows = Vec::new();
    for day in 1..=14 {
        for n in 0..100u32 {
            let (shift, colour) = if day > 7 { (moved, colour) } else { (0.0, "red") };
            // A spread that is the same every day, in no order.
            let value = f64::from(n * 37 % 100) + shift;
            rows.push(("a", format!("2026-01-{day:02}T{:02}:{:02}:00Z", n / 60, n % 60), Some(value), colour));
        }
    }
    csv(&rows)
}

fn levels(document: &Json) -> Vec<(String, String)> {
    let features = document["groups"][0]["features"].as_array().unwrap();
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let mut levels: Vec<_> = features.iter().map(|feature| (text(&feature["name"]), text(&feature["level"]))).collect();
    levels.sort();
    levels
}

fn level(name: &str, level: &str) -> (String, String) {
    (name.to_owned(), level.to_owned())
}

#[test]
fn drift_finds_what_moved_and_nothing_else() {
    let larder = with_group(&two_weeks(40.0, "red"));
    larder.run("ingest things rows.csv").ok();
    let report = larder.run("drift things --json").ended(4).json();
    assert_eq!(levels(&report), [level("colour", "ok"), level("value", "alert")]);
    let group = &report["groups"][0];
    assert_eq!(
        (&group["current"]["from"], &group["current"]["to"], &group["current"]["rows"]),
        (&json!("2026-01-08"), &json!("2026-01-14"), &json!(700))
    );
    assert_eq!((&group["reference"]["from"], &group["reference"]["rows"]), (&json!("2026-01-01"), &json!(700)));
    let measures = group["features"].as_array().unwrap().iter().find(|feature| feature["name"] == "value").unwrap()["measures"].clone();
    let ks = measures.as_array().unwrap().iter().find(|measure| measure["metric"] == "ks").unwrap()["value"].as_f64().unwrap();
    // 100 even values moved by 40 of them: the distributions are 0.4 apart.
    assert!((ks - 0.4).abs() < 0.02, "{ks}");
    larder.run("drift things").ended(4).says(&["things.value"]).shows(&["✖", "value", "alert", "ks"]);
    larder.run("drift things --fail-on never").ok();
    larder.run("drift things --feature colour").ok();
    larder.run("drift").ended(4);

    let larder = with_group(&two_weeks(0.0, "red"));
    larder.run("ingest things rows.csv").ok();
    assert_eq!(levels(&larder.run("drift things --json").ok().json()), [level("colour", "ok"), level("value", "ok")]);

    let larder = with_group(&two_weeks(0.0, "blue"));
    larder.run("ingest things rows.csv").ok();
    assert_eq!(levels(&larder.run("drift things --json").ended(4).json()), [level("colour", "alert"), level("value", "ok")]);
}

#[test]
fn a_baseline_is_pinned_and_compared_with_later() {
    let larder = with_group(&two_weeks(40.0, "red"));
    larder.run("ingest things rows.csv").ok();
    larder.run("drift things --baseline june").ended(1).says(&["no baseline 'june'", "--pin"]);
    larder.run("drift things --pin june").ok();
    // The window is what was pinned.
    assert_eq!(levels(&larder.run("drift things --baseline june --json").ok().json()), [level("colour", "ok"), level("value", "ok")]);
    // A new week without the shift differs from it.
    let week = two_weeks(0.0, "red").replace("2026-01-", "2026-02-");
    larder.file("later.csv", &week);
    larder.run("ingest things later.csv").ok();
    assert_eq!(
        levels(&larder.run("drift things --baseline june --json").ended(4).json()),
        [level("colour", "ok"), level("value", "alert")]
    );
    larder.run("drift things --baseline may").ended(1).says(&["june"]);
    larder.run("drift things --unpin june").ok();
    larder.run("drift things --unpin june").ended(1);
    for bad in ["previous", "a:b", ""] {
        larder.run_words(&["drift", "things", "--pin", bad]).ended(2);
    }
    larder.run("drift things --window 18").ended(2).says(&["1 to 17"]);
    larder.run("drift things --window 3d --baseline weekday").ended(0);
}

#[test]
fn the_rows_of_a_training_dataset_are_a_baseline() {
    let larder = with_group(&two_weeks(40.0, "red"));
    larder.run("ingest things rows.csv").ok();
    let labels: String = (0..600).map(|n| format!("a,2026-01-{:02}T{:02}:{:02}:30Z\n", n % 7 + 1, n / 7 % 2, n % 60)).collect();
    larder.file("labels.csv", &format!("who,when\n{labels}"));
    larder.run("dataset build --spine labels.csv --spine-id who --spine-time when --features things:value,colour --name train -o train.parquet").ok();
    let report = larder.run("drift things --baseline dataset:train --json").ended(4).json();
    assert_eq!(levels(&report), [level("colour", "ok"), level("value", "alert")]);
    // It stays known when its file is gone.
    std::fs::remove_file(larder.path("train.parquet")).unwrap();
    larder.run("drift things --baseline dataset:train@1").ended(4);
    larder.run("drift things --baseline dataset:other").ended(1);
}

#[test]
fn limits_and_age_are_a_groups_own() {
    let larder = with_group(&two_weeks(40.0, "red"));
    larder.run("ingest things rows.csv").ok();
    for limit in ["ks=0.5,0.6", "psi=9,10", "mean_shift=5,6", "wasserstein=5,6", "hellinger=0.9,1", "jensen_shannon=0.9,1"] {
        larder.run(&format!("update things --feature value --drift-limit {limit}")).ok();
    }
    larder.run("drift things").ok();
    larder.run("update things --feature value --drift-limit kss=0.5,0.6").ended(2).says(&["kss"]);
    larder.run("update things --feature value --no-expectations").ok();
    larder.run("drift things").ended(4);
    let report = larder.run("drift things --feature colour --max-age 2d --json").ended(4).json();
    assert_eq!(report["groups"][0]["freshness"]["level"], "alert");
}

#[test]
fn what_is_not_as_expected_is_refused_set_aside_or_told() {
    let rows = |values: &[&str]| -> String {
        let rows = values.iter().enumerate().map(|(n, value)| format!("r{n},2026-01-01T00:00:{n:02}Z,{value},red\n"));
        format!("id,at,value,colour\n{}", rows.collect::<String>())
    };
    let larder = with_group(&rows(&["0.5", "0.25"]));
    larder.run("update things --feature value --expect not_null").ok();
    larder.run_words(&["update", "things", "--feature", "value", "--expect", "between 0 1"]).ok();
    larder.run("ingest things rows.csv").ok();

    // Refused: the load stops, nothing is in; or it skips and says where.
    larder.file("bad.csv", &rows(&["0.5", "7", ""]));
    larder.run("ingest things bad.csv").ended(1).says(&["bad.csv, line 3", "'value'", "7 is not between 0 1"]);
    assert_eq!(figures(&larder, "")["rows"], 2);
    larder.run("ingest things bad.csv --on-error skip --rejects rejects.jsonl").ended(3);
    let rejects = std::fs::read_to_string(larder.path("rejects.jsonl")).unwrap();
    assert_eq!(rejects.lines().count(), 2, "{rejects}");
    larder.run("put things id=z at=2026-01-02T00:00:00Z value=9 colour=red").ended(1).says(&["9 is not between 0 1"]);
    larder.run("get things z").ended(4);
    larder.run("check things").ok().shows(&["✓", "between 0 1"]);

    // Set aside: the load goes on, the row lies in the quarantine with its file and line.
    larder.run_words(&["update", "things", "--feature", "value", "--expect", "between 0 1", "--on-violation", "quarantine"]).ok();
    larder.file("odd.csv", &rows(&["0.125", "11"]));
    larder.run("ingest things odd.csv").ended(3).says(&["set aside"]);
    let aside = std::fs::read_to_string(larder.store().join("quarantine/things.jsonl")).unwrap();
    let aside: Json = serde_json::from_str(aside.lines().next().unwrap()).unwrap();
    assert_eq!((&aside["line"], &aside["field"], &aside["row"]["value"]), (&json!(3), &json!("value"), &json!("11")));

    // Told: it is stored, and the check counts it.
    larder.run_words(&["update", "things", "--feature", "value", "--expect", "between 0 1", "--on-violation", "warn"]).ok();
    larder.file("kept.csv", &rows(&["13"]));
    larder.run("ingest things kept.csv").ok().says(&["1 rows were kept"]);
    let report = larder.run("check things --json").ended(4).json();
    let broken: Vec<_> = report["rules"].as_array().unwrap().iter().filter(|rule| rule["holds"] == false).collect();
    assert_eq!(broken.len(), 1, "{report}");
    assert_eq!((&broken[0]["rule"], &broken[0]["broken"]), (&json!("between 0 1"), &json!(1)));
}

#[test]
fn a_group_as_a_whole_is_checked() {
    let larder =
        with_group("id,at,value,colour\na,2026-01-01T00:00:00Z,1,red\na,2026-01-01T00:00:00Z,2,red\nb,2026-01-01T00:00:00Z,3,blue\n");
    larder.run("ingest things rows.csv").ok();
    larder.run("check things").ok().says(&["nothing is expected yet"]);
    larder.run("update things --expect-unique yes --expect-max-age 2d --expect-rows 3").ok();
    larder.run_words(&["update", "things", "--feature", "colour", "--expect", "one_of red,green"]).ok();
    larder.run_words(&["update", "things", "--feature", "id", "--expect", "matches ^[a-z]$"]).ok();
    let report = larder.run("check things --json").ended(4).json();
    let found: Vec<(String, bool, u64)> = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["rule"].as_str().unwrap().to_owned(), rule["holds"].as_bool().unwrap(), rule["broken"].as_u64().unwrap()))
        .collect();
    let expected =
        [("matches ^[a-z]$", true, 0), ("one_of green,red", false, 1), ("unique", false, 1), ("rows 3", true, 0), ("max_age 2d", false, 1)];
    for (rule, holds, broken) in expected {
        assert!(found.contains(&(rule.to_owned(), holds, broken)), "{rule}: {found:?}");
    }
    larder.run_words(&["update", "things", "--feature", "id", "--expect", "matches ("]).ended(2).says(&["no regular expression"]);
    larder.run("update things --expect-unique no --expect-max-age none --expect-rows 0").ok();
    assert_eq!(larder.run("check things --json").ended(4).json()["rules"].as_array().unwrap().len(), 2);
}

/// A store opened by this process, as a server opens it.
async fn opened(larder: &Larder, read_only: bool) -> FeatureStore {
    FeatureStore::open(larder.store(), OpenOptions { read_only, ..OpenOptions::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_may_not_be_written_counts_every_row_once() {
    let larder = with_group(&two_weeks(40.0, "red"));
    larder.run("ingest things rows.csv").ok();
    larder.run("put things id=b at=2026-01-14T12:00:00Z value=3 colour=red").ok();
    let drift = DriftOptions {
        baseline: BaselineChoice::Previous,
        days: None,
        features: Vec::new(),
        max_age: None,
        watch: StatisticsWatch::default(),
    };
    let store = opened(&larder, true).await;
    for refresh in [false, true] {
        let options = StatisticsOptions { refresh, ..StatisticsOptions::of(Population::Events) };
        let statistics = store.statistics("things", &options).await.unwrap();
        assert_eq!((statistics.rows, statistics.features[2].figures.n), (1_401, 1_401), "refresh {refresh}");
    }
    assert_eq!(store.drift("things", &drift).await.unwrap().current.unwrap().rows, 701);
    store.close().await.unwrap();

    // Profiles that spoke of another file are of no use: all is read, and nothing is kept.
    let catalog = format!("sqlite://{}", larder.store().join("catalog.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&catalog).await.unwrap();
    sqlx::query("UPDATE profiled_files SET path = 'gone.parquet'").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = opened(&larder, true).await;
    let statistics = store.statistics("things", &StatisticsOptions::of(Population::Events)).await.unwrap();
    assert_eq!((statistics.rows, statistics.standing), (1_401, Standing::Fresh));
    let report = store.drift("things", &drift).await.unwrap();
    assert_eq!((report.current.unwrap().rows, report.reference.unwrap().rows), (701, 700));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_one_feature_is_held_to_what_is_expected() {
    let larder = with_group(&two_weeks(0.0, "red"));
    larder.run_words(&["update", "things", "--feature", "value", "--expect", "between 0 100"]).ok();
    larder.run("ingest things rows.csv").ok();
    let store = opened(&larder, false).await;
    let change = |value: &str| FeatureChange {
        identifier: "a".to_owned(),
        pairs: vec![("value".to_owned(), RawValue::Text(value.to_owned()))],
        targets: None,
        ttl: None,
    };
    let error = store.update_record("things", change("101")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("101 is not between 0 100"), "{error}");
    store.update_record("things", change("50")).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(larder.run("get things a --json").ok().json()["features"]["value"], 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_shown_without_a_copy_are_read_too() {
    let larder = with_group(&two_weeks(0.0, "red"));
    larder.run("ingest things rows.csv").ok();
    let store = opened(&larder, false).await;
    let group = store.group("things").await.unwrap();
    assert_eq!(store.view(&group, "a", Some(&[2]), |_| ()).await.unwrap(), Some(()));
    store.view(&group, "a", None, |_| ()).await.unwrap();
    store.close().await.unwrap();
    let lineage = larder.run("lineage things.value --json").ok().json();
    let reads: u64 = lineage["readers"].as_array().unwrap().iter().map(|reader| reader["reads"].as_u64().unwrap()).sum();
    assert_eq!(reads, 2, "{lineage}");
}
