//! Sync from folders: of Parquet files, of definition files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::cli::{Larder, READINGS};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true))).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn trips(path: &Path, ids: &[i64]) {
    let fares: Vec<Option<f64>> = ids.iter().map(|id| (id % 2 == 0).then_some(*id as f64)).collect();
    let times: Vec<f64> = ids.iter().map(|id| 1_700_000_000.0 + *id as f64).collect();
    write(
        path,
        vec![
            ("trip", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef),
            ("at", Arc::new(Float64Array::from(times)) as ArrayRef),
            ("fare", Arc::new(Float64Array::from(fares)) as ArrayRef),
        ],
    );
}

/// A store that syncs from a folder.
fn reading(kind: &str) -> (Larder, PathBuf) {
    let larder = Larder::new();
    let folder = larder.path("lake");
    std::fs::create_dir_all(&folder).unwrap();
    let mut words = vec!["source", "add", "lake", kind, folder.to_str().unwrap()];
    if kind == "parquet" {
        words.extend(["--option", "id=trip", "--option", "event-time=at"]);
    }
    larder.run_words(&words).ok();
    (larder, folder)
}

fn source(larder: &Larder, code: i32) -> Value {
    larder.run("sync --json").ended(code).json()["sources"][0].clone()
}

fn page(larder: &Larder, group: &str) -> Value {
    larder.run_words(&["describe", group, "--json"]).ok().json()
}

fn names(larder: &Larder) -> Vec<String> {
    let list = larder.run("list --json").ok().json();
    list.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn footers_tell_the_group_and_twice_is_once() {
    let (larder, folder) = reading("parquet");
    trips(&folder.join("trips/day=1/a.parquet"), &[1, 2, 3]);
    trips(&folder.join("trips/day=2/b.parquet"), &[10, 20]);
    trips(&folder.join("other/c.parquet"), &[5]);
    std::fs::write(folder.join("trips/_SUCCESS"), "").unwrap();
    std::fs::write(folder.join("trips/empty.parquet"), "").unwrap();
    larder.run("sync --check").ended(4);
    larder.run("sync").ok();
    assert_eq!(names(&larder), ["other", "trips"]);
    let trips_page = page(&larder, "trips");
    assert_eq!((&trips_page["record_identifier"], &trips_page["event_time"]), (&json!("trip"), &json!("at")));
    assert_eq!((&trips_page["history"]["files"], &trips_page["history"]["rows"]), (&json!(2), &json!(5)));
    assert_eq!(trips_page["history"]["newest_event_time"], "2023-11-14T22:13:40Z");
    let fare = &trips_page["features"][2];
    let facts = [&fare["name"], &fare["type"], &fare["nulls"], &fare["min"], &fare["max"]];
    assert_eq!(facts, [&json!("fare"), &json!("Fractional"), &json!(2), &json!("2"), &json!("20")]);
    let again = source(&larder, 0);
    assert_eq!((&again["fetched"], &again["unchanged"]), (&json!(0), &json!(2)));
    larder.run("sync --check").ended(0);
    let path = folder.join("trips");
    larder.run_words(&["lineage", "trips", "--up"]).ok().shows(&[path.to_str().unwrap()]);
}

#[test]
fn only_new_files_are_read_and_a_back_fill_is_found() {
    let (larder, folder) = reading("parquet");
    let old = folder.join("trips/day=1/a.parquet");
    trips(&old, &[1, 2, 3]);
    larder.run("sync").ok();
    // Whoever read this one again would complain.
    let (length, modified) = (std::fs::metadata(&old).unwrap().len(), std::fs::metadata(&old).unwrap().modified().unwrap());
    let garbage = File::options().write(true).open(&old).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&garbage, &vec![7; length as usize], 0).unwrap();
    garbage.set_modified(modified).unwrap();
    trips(&folder.join("trips/day=0/late.parquet"), &[-5]);
    larder.run("sync").ok();
    assert_eq!(page(&larder, "trips")["history"]["rows"], 4);
    assert_eq!(page(&larder, "trips")["history"]["oldest_event_time"], "2023-11-14T22:13:15Z");
    // Once its time says that it changed, it is read.
    garbage.set_modified(modified + Duration::from_secs(5)).unwrap();
    larder.run("sync").ended(3).says(&["a.parquet"]);
    std::fs::remove_file(&old).unwrap();
    larder.run("sync").ok();
    assert_eq!(page(&larder, "trips")["history"]["rows"], 1);
}

#[test]
fn a_corrupt_file_among_good_ones_is_told_by_its_path_and_the_others_are_taken() {
    let (larder, folder) = reading("parquet");
    for number in 0..9 {
        trips(&folder.join(format!("trips/{number}.parquet")), &[number, number + 100]);
    }
    trips(&folder.join("gone/x.parquet"), &[1]);
    larder.run("sync").ok();
    std::fs::remove_dir_all(folder.join("gone")).unwrap();
    let bad = folder.join("trips/bad.parquet");
    let good = std::fs::read(folder.join("trips/1.parquet")).unwrap();
    std::fs::write(&bad, &good[..good.len() / 2]).unwrap();
    write(&folder.join("trips/odd.parquet"), vec![("trip", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]);
    trips(&folder.join("trips/new.parquet"), &[7]);
    for _ in 0..2 {
        let report = larder.run("sync --json").ended(3).says(&["trips/bad.parquet", "trips/odd.parquet: column 'trip'"]).json();
        let source = &report["sources"][0];
        assert_eq!((&source["status"], &source["withheld"]), (&json!("degraded"), &json!(1)));
        assert_eq!(page(&larder, "trips")["history"]["rows"], 19);
    }
    assert_eq!(names(&larder), ["gone", "trips"], "a degraded source deletes nothing");
    std::fs::write(&bad, &good).unwrap();
    std::fs::remove_file(folder.join("trips/odd.parquet")).unwrap();
    larder.run("sync").ok();
    assert_eq!((names(&larder), &page(&larder, "trips")["history"]["rows"]), (vec!["trips".to_owned()], &json!(21)));
}

#[test]
fn a_group_deleted_and_made_again_in_sagemakers_layout_is_a_new_one() {
    let (larder, folder) = reading("parquet");
    let store = folder.join("111122223333/sagemaker/eu-west-1/offline-store");
    trips(&store.join("trips-1700000000/data/year=2026/month=01/day=01/hour=00/a.parquet"), &[1, 2]);
    larder.run("sync").ok();
    assert_eq!((names(&larder), page(&larder, "trips")["created"].clone()), (vec!["trips".to_owned()], json!("2023-11-14T22:13:20Z")));
    // SageMaker leaves the files of the old one.
    trips(&store.join("trips-1800000000/data/year=2027/month=01/day=01/hour=00/a.parquet"), &[3]);
    let report = larder.run("sync --json").ok().json();
    assert_eq!((&report["changes"][0]["op"], &report["changes"][1]), (&json!("replace"), &Value::Null));
    assert_eq!((&page(&larder, "trips")["history"]["rows"], names(&larder).len()), (&json!(1), 1));
    std::fs::remove_dir_all(&store).unwrap();
    larder.run("sync").ended(5).says(&["lists nothing"]);
    assert_eq!(names(&larder), ["trips"]);
}

#[test]
fn the_folder_of_a_larder_store_tells_its_groups_with_their_keys() {
    let other = Larder::with_readings();
    other.run("ingest readings readings.csv").ok();
    other.run("flush").ok();
    other.run("create dropped --from readings.csv --id sensor --event-time at").ok();
    other.run("ingest dropped readings.csv").ok();
    other.run("flush").ok();
    other.run("drop dropped --yes").ok();
    let larder = Larder::new();
    larder.run_words(&["source", "add", "lake", "parquet", other.store().join("s3").to_str().unwrap()]).ok();
    larder.run("sync").ok();
    assert_eq!(names(&larder), ["readings"]);
    let told = page(&larder, "readings");
    assert_eq!((&told["record_identifier"], &told["event_time"], &told["inferred"]), (&json!("sensor"), &json!("at"), &json!(false)));
    assert_eq!((&told["history"]["rows"], &told["history"]["newest_event_time"]), (&json!(4), &json!("2026-01-03T12:00:00Z")));
    // After a compaction the replaced files still lie there; the log says which count.
    std::fs::write(other.path("more.csv"), READINGS.replace("2026-01", "2026-02")).unwrap();
    other.run("ingest readings more.csv").ok();
    other.run("compact readings").ok();
    larder.run("sync").ok();
    assert_eq!(page(&larder, "readings")["history"]["rows"], 8);
}

#[test]
fn killed_in_the_middle_the_next_run_ends_as_if_nothing_had_been() {
    let (larder, folder) = reading("parquet");
    for number in 0..60 {
        for part in 0..5 {
            trips(&folder.join(format!("group_{number}/{part}.parquet")), &[number, part]);
        }
    }
    for delay in [3, 10, 20, 40, 80] {
        let mut child = larder.command(&["sync", "-q"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
    }
    larder.run("sync").ok();
    assert_eq!(names(&larder).len(), 60);
    assert_eq!(page(&larder, "group_7")["history"]["rows"], 10);
    let again = larder.run("sync --full --json").ok().json();
    assert_eq!(again["changes"], json!([]));
}

const DEFINITION: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: trips
description: Trips of drivers
owner: team:fleet
entity: driver
record_identifier: trip
event_time: at
features:
  - {name: trip, type: Integral}
  - {name: at, type: Fractional}
  - {name: fare, type: Fractional, description: What was paid}
online: {ttl: 7d}
sources: [{name: /data/trips.csv, features: [fare]}]
consumers: [{kind: model, name: churn, uses: [fare]}]
";

#[test]
fn definition_files_are_told_with_their_lineage_and_noticed_by_content() {
    let (larder, folder) = reading("definitions");
    let file = folder.join("trips.larder.yaml");
    std::fs::write(&file, DEFINITION).unwrap();
    larder.run("sync").ok();
    let told = page(&larder, "trips");
    let facts = [&told["owner"], &told["entity"], &told["ttl"], &told["description"], &told["features"][2]["description"]];
    assert_eq!(facts.map(|fact| fact.as_str().unwrap()), ["team:fleet", "driver", "7d", "Trips of drivers", "What was paid"]);
    larder.run("lineage trips.fare").ok().shows(&["source:/data/trips.csv", "model:churn"]);
    // A new time is no change, and neither is another name.
    std::fs::rename(&file, folder.join("renamed.larder.yaml")).unwrap();
    assert_eq!(larder.run("sync --json").ok().json()["changes"], json!([]));
    std::fs::write(folder.join("renamed.larder.yaml"), DEFINITION.replace("paid", "due").replace("churn", "fraud")).unwrap();
    let report = larder.run("sync --json").ok().json();
    assert!(report["changes"][0]["fields"].as_array().unwrap().iter().any(|field| field["path"] == "features.fare.description"));
    let lineage = larder.run("lineage trips.fare").ok().shows(&["model:fraud"]);
    assert!(!lineage.out.contains("model:churn"), "{}", lineage.out);
}

#[test]
fn a_faulty_definition_degrades_its_source_and_deletes_nothing() {
    let (larder, folder) = reading("definitions");
    std::fs::write(folder.join("trips.larder.yaml"), DEFINITION).unwrap();
    std::fs::write(folder.join("other.larder.yaml"), DEFINITION.replace("name: trips", "name: other")).unwrap();
    larder.run("sync").ok();
    std::fs::write(folder.join("trips.larder.yaml"), DEFINITION.replace("event_time: at", "event_time: att")).unwrap();
    std::fs::write(folder.join("other.larder.yaml"), DEFINITION.replace("name: trips", "name: third")).unwrap();
    larder.run("sync").ended(3).says(&["trips.larder.yaml:8:13", "did you mean 'at'?"]);
    assert_eq!(names(&larder), ["other", "third", "trips"]);
    std::fs::write(folder.join("trips.larder.yaml"), DEFINITION).unwrap();
    larder.run("sync").ok();
    assert_eq!(names(&larder), ["third", "trips"]);
    std::fs::remove_file(folder.join("trips.larder.yaml")).unwrap();
    std::fs::remove_file(folder.join("other.larder.yaml")).unwrap();
    larder.run("sync").ended(1).says(&["no definition file"]);
    assert_eq!(names(&larder), ["third", "trips"]);
}

fn stats(larder: &Larder, group: &str) -> Value {
    larder.run_words(&["stats", group, "--json"]).ok().json()
}

/// Rows, nulls, mean and median of a feature.
fn figures(stats: &Value, feature: &str) -> (u64, u64, Option<f64>, Value) {
    let found = stats["features"].as_array().unwrap().iter().find(|found| found["name"] == feature).unwrap();
    let nulls = found["nulls"].as_u64().unwrap();
    (found["count"].as_u64().unwrap() + nulls, nulls, found["mean"].as_f64(), found["quantiles"]["0.5"].clone())
}

#[test]
fn values_of_synced_files_give_the_statistics_that_the_same_rows_have_here() {
    let (larder, folder) = reading("parquet");
    trips(&folder.join("trips/a.parquet"), &[1, 2, 3, 4]);
    larder.run("sync").ok();
    assert_eq!(stats(&larder, "trips")["state"], "footers", "no value was read");
    let fare = figures(&stats(&larder, "trips"), "fare");
    assert_eq!((fare.0, fare.1, fare.2), (4, 2, None));

    let told = larder.run("sync --stats sketch --json").ok().json();
    assert_eq!(told["sources"][0]["statistics"], json!({"files": 1, "rows": 4, "files_left": 0}));
    trips(&folder.join("trips/b.parquet"), &[6, 8, 9]);
    larder.run("sync").ok();
    let stale = stats(&larder, "trips");
    assert_eq!((&stale["state"], &stale["missing_rows"]), (&json!("stale"), &json!(3)));
    let told = larder.run("sync --stats sketch --json").ok().json();
    assert_eq!(told["sources"][0]["statistics"], json!({"files": 1, "rows": 3, "files_left": 0}), "a file counts once");
    let again = larder.run("sync --stats sketch --json").ok().json();
    assert_eq!(again["sources"][0]["statistics"]["files"], 0);

    // The same rows as a group of this store, by the way that is not under test.
    let own = Larder::new();
    trips(&own.path("all.parquet"), &[1, 2, 3, 4, 6, 8, 9]);
    let file = own.path("all.parquet");
    own.run_words(&["create", "trips", "--from", file.to_str().unwrap(), "--id", "trip", "--event-time", "at"]).ok();
    own.run_words(&["ingest", "trips", file.to_str().unwrap()]).ok();
    let (theirs, ours) = (stats(&larder, "trips"), stats(&own, "trips"));
    assert_eq!((&theirs["state"], &theirs["rows"]), (&json!("fresh"), &ours["rows"]));
    for feature in ["trip", "at", "fare"] {
        assert_eq!(figures(&theirs, feature), figures(&ours, feature), "{feature}");
    }
    assert_eq!(figures(&theirs, "fare").2, Some(5.0));
}

#[test]
fn a_replaced_file_is_taken_out_of_the_statistics_and_a_corrupt_one_never_gets_in() {
    let (larder, folder) = reading("parquet");
    let first = folder.join("trips/a.parquet");
    trips(&first, &[2, 4]);
    trips(&folder.join("trips/b.parquet"), &[6]);
    larder.run("sync --stats sketch").ok();
    assert_eq!(figures(&stats(&larder, "trips"), "fare").2, Some(4.0));
    trips(&first, &[10, 20, 30]);
    let modified = std::fs::metadata(&first).unwrap().modified().unwrap();
    File::options().write(true).open(&first).unwrap().set_modified(modified + Duration::from_secs(5)).unwrap();
    larder.run("sync --stats sketch").ok();
    assert_eq!(figures(&stats(&larder, "trips"), "fare").2, Some(16.5));

    // Its footer is whole, its values are not.
    let torn = folder.join("trips/torn.parquet");
    trips(&torn, &(0..2000).map(|id| id * 2).collect::<Vec<_>>());
    let length = std::fs::metadata(&torn).unwrap().len() as usize;
    std::os::unix::fs::FileExt::write_all_at(&File::options().write(true).open(&torn).unwrap(), &vec![0xff; length / 2], 4).unwrap();
    larder.run("sync --stats sketch").ended(3).says(&["torn.parquet"]);
    let after = stats(&larder, "trips");
    assert_eq!((&after["state"], figures(&after, "fare").2), (&json!("stale"), Some(16.5)));
    larder.run_words(&["stats", "trips", "--refresh"]).ended(1).says(&["torn.parquet"]);
}

#[test]
fn a_budget_ends_between_files_and_the_next_run_goes_on() {
    let (larder, folder) = reading("parquet");
    for number in 0..5 {
        trips(&folder.join(format!("trips/{number}.parquet")), &[number * 2]);
    }
    larder.run("sync").ok();
    let told = larder.run("sync --stats sketch --stats-budget 0s --json").ended(2);
    told.says(&["0s"]);
    let told = larder.run("sync --stats sketch --stats-budget 1m --json").ok().json();
    assert_eq!(told["sources"][0]["statistics"], json!({"files": 5, "rows": 5, "files_left": 0}));
}

#[test]
fn only_some_parts_are_taken_in_and_the_next_run_takes_the_rest() {
    let (larder, folder) = reading("parquet");
    trips(&folder.join("trips/a.parquet"), &[1, 2]);
    larder.run("sync --stats none").ok();
    let without = page(&larder, "trips");
    assert_eq!((&without["history"], &without["features"][2]["max"]), (&Value::Null, &Value::Null));
    larder.run("sync").ok();
    assert_eq!(page(&larder, "trips")["history"]["rows"], 2);

    std::fs::remove_dir_all(folder.join("trips")).unwrap();
    trips(&folder.join("rides/a.parquet"), &[1, 2]);
    larder.run("sync --only features,lineage,stats").ok();
    assert_eq!(names(&larder), ["trips"], "groups neither come nor go without being in scope");
    larder.run("sync --only groups --prune force").ok();
    assert_eq!(names(&larder), ["rides"]);
    assert_eq!(page(&larder, "rides")["features"], json!([]));
    larder.run("sync --check").ended(4);
    larder.run("sync").ok();
    assert_eq!(page(&larder, "rides")["features"].as_array().unwrap().len(), 3);
    larder.run("sync --check").ended(0);
}

#[test]
fn what_happens_is_told_line_by_line_and_the_last_line_is_the_whole() {
    let (larder, folder) = reading("parquet");
    trips(&folder.join("trips/a.parquet"), &[1, 2]);
    let told = larder.run("sync --json-stream").ok();
    let lines: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"reading"));
    assert_eq!(kinds[kinds.len() - 3..], ["change", "source", "done"]);
    let [change, of_source, whole] = &lines[lines.len() - 3..] else { panic!() };
    assert_eq!((&change["op"], &change["id"]), (&json!("create"), &json!("trips")));
    assert_eq!((&of_source["name"], &of_source["created"]), (&json!("lake"), &json!(1)));
    assert_eq!((&whole["status"], &whole["exit_code"], &whole["sources"][0]), (&json!("done"), &json!(0), &whole["sources"][0]));
    assert_eq!(whole["changes"][0]["id"], "trips");
    larder.run("sync --json-stream --json").ended(2);
}
