//! Features that are renamed and removed: by a verb and by definition files; what was stored stays readable, by larder and by others.

use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::cli::Larder;

/// A group with three records of one identifier: two in a file, one that waits.
fn trips() -> Larder {
    let larder = Larder::new();
    larder.file("trips.csv", "id,at,fare,tip\na,2026-01-01T00:00:00Z,1.5,1\na,2026-01-02T00:00:00Z,2.5,2\nb,2026-01-02T00:00:00Z,9.5,\n");
    larder.run("create trips --from trips.csv --id id --event-time at --tag team=fleet").ok();
    larder.run("ingest trips trips.csv").ok();
    larder.run("put trips id=a at=2026-01-03T00:00:00Z fare=3.5 tip=3").ok();
    larder
}

fn query(larder: &Larder, sql: &str) -> Vec<Value> {
    larder.run_words(&["query", sql, "--format", "json"]).ok().json().as_array().unwrap().clone()
}

/// Values of a column that a group's files have, whatever larder calls it; none if a file has no such column.
fn stored(larder: &Larder, column: &str) -> Vec<Option<f64>> {
    let mut values = Vec::new();
    for file in parquet_files(&larder.store().join("s3")) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(file).unwrap()).unwrap().build().unwrap();
        for batch in reader {
            if let Some(found) = batch.unwrap().column_by_name(column) {
                let found = arrow::compute::cast(found, &arrow::datatypes::DataType::Float64).unwrap();
                values.extend(found.as_primitive::<arrow::datatypes::Float64Type>().iter());
            }
        }
    }
    values.sort_by(|one, two| one.partial_cmp(two).unwrap());
    values
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "parquet") && !path.to_string_lossy().contains("_delta_log") {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_renamed_feature_keeps_its_history_under_the_new_name() {
    let larder = trips();
    larder.run("lineage add --from trips.fare --to model:price").ok();
    larder.run("stats trips").ok();
    larder.file("labels.csv", "who,seen\na,2026-01-02T12:00:00Z\nb,2026-01-05T00:00:00Z\n");
    larder.run("dataset build --spine labels.csv --spine-id who --spine-time seen --features trips:fare,tip -o before.parquet").ok();
    larder.run("update trips --rename-feature fare=price").ok();

    // Look-ups, history, SQL, statistics.
    assert_eq!(larder.run("get trips a --json").ok().json()["features"]["price"], json!(3.5));
    assert_eq!(larder.run("get trips b --json --feature price").ok().json()["features"], json!({"price": 9.5}));
    larder.run("history trips a --feature price").ok().shows(&["price", "3.5", "2.5", "1.5"]);
    assert_eq!(
        query(&larder, "select price from trips where price > 2 order by price"),
        [json!({"price": 2.5}), json!({"price": 3.5}), json!({"price": 9.5})]
    );
    assert_eq!(query(&larder, "select id, PRICE as p from \"trips$latest\" where price = 3.5"), [json!({"id": "a", "p": 3.5})]);
    assert!(query(&larder, "select * from trips limit 1")[0].get("fare").is_none());
    let statistics = larder.run("stats trips --json --feature price").ok().json();
    assert_eq!((&statistics["features"][0]["name"], &statistics["features"][0]["max"]), (&json!("price"), &json!(9.5)));

    // Written, drained and compacted under the new name, in the column it always had.
    larder.run("put trips id=c at=2026-01-04T00:00:00Z price=4.5").ok();
    larder.file("more.csv", "id,at,price\nd,2026-01-05T00:00:00Z,5.5\n");
    larder.run("ingest trips more.csv").ok();
    larder.run("flush trips").ok();
    larder.run("compact trips").ok();
    assert_eq!(query(&larder, "select sum(price) as s, count(price) as n from trips"), [json!({"s": 27.0, "n": 6})]);
    assert!(
        stored(&larder, "price").is_empty() && stored(&larder, "fare").contains(&Some(4.5)),
        "others read it under the name it always had"
    );
    assert_eq!(larder.run("get trips d --json").ok().json()["features"]["price"], json!(5.5));
    larder.run("doctor").ok();

    // Datasets: new ones by the new name, old ones are still what they were.
    larder
        .run("dataset build --spine labels.csv --spine-id who --spine-time seen --features trips:price,tip -o after.parquet --name after")
        .ok();
    larder.run("dataset verify before").ok();
    larder.run("dataset explain-row before --row 0 --feature fare").ok().shows(&["2.5"]);
    larder.run_words(&["query", "select 'a' as who, timestamp '2026-01-02 12:00:00' as seen", "-o", "spine.parquet"]).ok();
    larder
        .run("dataset build --spine spine.parquet --spine-id who --spine-time seen --features trips:price --print-sql duckdb")
        .ok()
        .shows(&["\"fare\" AS \"price\""]);
    larder.run("lineage model:price --up --json").ok().shows(&["trips.price"]);

    // The old name is remembered: it is found, refused with the new one, and nobody else's.
    larder.run("search fare --json").ok().shows(&["\"price\""]);
    larder.run("get trips a --feature fare").ended(1).says(&["renamed to 'price'"]);
    larder.run("put trips id=a at=2026-02-01T00:00:00Z fare=1").ended(1).says(&["renamed to 'price'"]);
    larder.run("update trips --add-feature fare:Fractional").ended(1).says(&["'fare'", "choose another name"]);
    larder.run("update trips --rename-feature tip=fare").ended(1);
    larder.run("describe trips").ok().shows(&["formerly fare"]);
    larder.run("update trips --rename-feature nothing=x").ended(1).says(&["no feature 'nothing'"]);
    larder.run("update trips --rename-feature id=who").ok();
    assert_eq!(larder.run("get trips a --json").ok().json()["features"]["who"], json!("a"));
    assert_eq!(query(&larder, "select who from \"trips$latest\" where who = 'b'"), [json!({"who": "b"})]);
    larder.run("history trips b").ok().shows(&["9.5"]);
    larder.run("doctor").ok();
}

#[test]
fn a_removed_feature_is_gone_and_its_history_stays() {
    let larder = trips();
    larder.run("update trips --remove-feature fare").ok();
    let page = larder.run("describe trips --json").ok().json();
    let names: Vec<&str> = page["features"].as_array().unwrap().iter().map(|feature| feature["name"].as_str().unwrap()).collect();
    assert_eq!((names, &page["removed_features"][0]["name"]), (vec!["id", "at", "tip"], &json!("fare")));
    assert_eq!(larder.run("get trips a --json").ok().json()["features"], json!({"id": "a", "at": "2026-01-03T00:00:00Z", "tip": 3}));
    assert_eq!(query(&larder, "select * from trips where id = 'b'")[0].get("fare"), None);
    larder.run_words(&["query", "select fare from trips"]).ended(1);
    assert!(!larder.run("search fare --json").ok().out.contains("\"fare\""));
    larder.run("put trips id=a at=2026-02-01T00:00:00Z fare=1").ended(1).says(&["'fare'", "was removed"]);
    larder.run("update trips --add-feature fare:String").ended(1).says(&["Fractional"]);
    for key in ["id", "at"] {
        larder.run(&format!("update trips --remove-feature {key}")).ended(1).says(&["can't be removed"]);
    }

    // A feature that comes after it, and rows put now, don't fall into its place.
    larder.run("update trips --add-feature kind:String").ok();
    larder.run("put trips id=e at=2026-01-04T00:00:00Z tip=7 kind=x").ok();
    assert_eq!(
        larder.run("get trips e --json").ok().json()["features"],
        json!({"id": "e", "at": "2026-01-04T00:00:00Z", "tip": 7, "kind": "x"})
    );
    larder.file("more.csv", "id,at,tip,kind\nf,2026-01-05T00:00:00Z,8,y\n");
    larder.run("ingest trips more.csv").ok();
    assert_eq!(larder.run("get trips f --json").ok().json()["features"]["kind"], "y");
    larder.run("flush trips").ok();
    larder.run("compact trips").ok();
    larder.run("doctor").ok();
    let kept: Vec<f64> = stored(&larder, "fare").into_iter().flatten().collect();
    for value in [1.5, 2.5, 3.5, 9.5] {
        assert!(kept.contains(&value), "{value} is no more in the files: {kept:?}");
    }

    // A catalog that was lost comes back with what was removed; a feature that comes back brings its history.
    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(larder.store().join(file));
    }
    larder.run("update trips --add-feature fare:String").ended(1).says(&["Fractional"]);
    larder.run("update trips --add-feature fare:Fractional").ok();
    assert_eq!(query(&larder, "select sum(fare) as s from trips"), [json!({"s": 17.0})]);
    assert_eq!(larder.run("get trips a --json").ok().json()["features"]["fare"], json!(3.5));
}

const FILE: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: trips
tags: {team: fleet}
record_identifier: id
event_time: at
features:
  - {name: id, type: String}
  - {name: at, type: String}
  - {name: price, type: Fractional, renamed_from: fare, description: What was paid}
removed: [tip]
consumers: [{kind: model, name: price, uses: [price]}]
";

#[test]
fn a_definition_file_renames_and_removes() {
    let larder = trips();
    larder.run("lineage add --from trips.fare --to model:price").ok();
    larder.file("trips.larder.yaml", &FILE.replace("removed: [tip]\n", ""));
    larder.run("apply trips.larder.yaml").ended(1).says(&["features.tip", "`removed`"]);
    larder.file("trips.larder.yaml", FILE);
    let planned = larder.run("plan trips.larder.yaml --json").ok().json();
    let changes: Vec<(&str, &str)> = planned["groups"][0]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["kind"].as_str().unwrap(), change["path"].as_str().unwrap()))
        .collect();
    assert_eq!(
        changes,
        [("in place", "features.fare.name"), ("in place", "features.tip"), ("metadata", "features.price.description")],
        "what was declared goes with the feature"
    );
    let affects = planned["groups"][0]["affects"].as_array().unwrap();
    assert!(affects.iter().any(|one| one["ref"] == "model:price"), "{affects:?}");
    larder.run("plan trips.larder.yaml --check").ended(4);
    larder.run("apply trips.larder.yaml").ok();
    larder.run("plan trips.larder.yaml --check").ended(0);
    assert_eq!(larder.run("get trips a --json").ok().json()["features"], json!({"id": "a", "at": "2026-01-03T00:00:00Z", "price": 3.5}));
    larder.run("lineage model:price --up").ok().shows(&["trips.price"]);

    // Written out and read again it is the same, also into an empty store.
    larder.run("export definitions out").ok();
    larder.run("plan out --check").ended(0);
    let other = Larder::new();
    other.run_words(&["apply", larder.path("out").to_str().unwrap()]).ok();
    other.run_words(&["plan", larder.path("out").to_str().unwrap(), "--check"]).ended(0);

    // What can't be.
    larder.file("wrong.larder.yaml", &FILE.replace("removed: [tip]", "removed: [tip, price]"));
    larder.run("validate wrong.larder.yaml").ended(1).says(&["wrong.larder.yaml:11:16", "'price' is among the features"]);
    larder.file("wrong.larder.yaml", &FILE.replace("renamed_from: fare", "renamed_from: at"));
    larder.run("validate wrong.larder.yaml").ended(1).says(&["wrong.larder.yaml:10:", "'at' is among the features"]);
    larder.file(
        "wrong.larder.yaml",
        &FILE
            .replace("removed: [tip]", "removed: [id2]")
            .replace("{name: id, type: String}", "{name: tip, type: String}\n  - {name: id, type: String}"),
    );
    larder.run("apply wrong.larder.yaml").ended(1).says(&["trips features"]);
    larder.file(
        "wrong.larder.yaml",
        &FILE
            .replace("  - {name: id, type: String}\n", "")
            .replace("record_identifier: id", "record_identifier: price")
            .replace("removed: [tip]", "removed: [id]"),
    );
    larder.run("apply wrong.larder.yaml").ended(1).says(&["trips"]);
    larder.run("plan trips.larder.yaml --check").ended(0).shows(&["1 unchanged"]);
}

#[test]
fn the_aws_api_knows_the_new_names_alone() {
    let larder = trips();
    larder.run("update trips --rename-feature fare=price --remove-feature tip").ok();
    let serving = crate::server::Serving::start(&larder.store(), None);
    let reader = Larder::new();
    reader.run_words(&["source", "add", "team", "larder", &format!("http://{}", serving.address)]).ok();
    reader.run("sync").ok();
    let page = reader.run("describe trips --json").ok().json();
    let names: Vec<&str> = page["features"].as_array().unwrap().iter().map(|feature| feature["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "at", "price"], "DescribeFeatureGroup");
    assert_eq!(reader.run("get trips a --json").ok().json()["features"]["price"], json!(3.5), "GetRecord");
    reader.run("get trips a --feature tip").ended(1);
    larder.run("update trips --rename-feature price=cost").ok();
    let report = reader.run("sync --json").ok().json();
    assert!(report["changes"][0]["fields"].to_string().contains("features.cost"), "{report}");
}
