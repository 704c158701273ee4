//! Real files through the real binary: taxi trips with dirty columns, driver statistics with a full tie.
//!
//! The files are not part of this repository; `LARDER_TEST_DATA` names their folder.

use serde_json::{Value, json};

use crate::cli::Larder;
use crate::support::test_data;

#[test]
fn taxi_trips_load_whole_and_read_back_as_they_are() {
    let Some(data) = test_data("feathr/green_tripdata_2020-04_with_index.csv") else { return };
    let data = data.to_str().unwrap();
    let larder = Larder::new();
    larder.run_words(&["create", "trips", "--from", data, "--id", "trip_id", "--event-time", "lpep_pickup_datetime"]).ok();
    let report = larder.run_words(&["ingest", "trips", data, "--json"]).ok().json();
    assert_eq!((&report["rows"], &report["accepted"], &report["rejected"]), (&json!(35_612), &json!(35_612), &json!(0)));
    let counted = larder.run_words(&["query", "select count(*), count(ehail_fee) from trips", "--json"]).ok().json();
    assert_eq!(counted, json!([{"count(*)": 35_612, "count(trips.ehail_fee)": 0}]));
    assert_eq!(larder.run("list --json").ok().json()[0]["records"], 35_612);

    let mut reader = csv::Reader::from_path(data).unwrap();
    let header = reader.headers().unwrap().clone();
    for row in reader.records().step_by(3_559) {
        let row = row.unwrap();
        let record = larder.run_words(&["get", "trips", &row[0], "--json"]).ok().json();
        for (name, text) in header.iter().zip(row.iter()) {
            assert!(same(&record["features"][name], text), "trip {}, {name}: '{text}' became {}", &row[0], record["features"][name]);
        }
        let shown = larder.run_words(&["get", "trips", &row[0]]).ok().out;
        assert!(shown.contains(&row[9]) && shown.contains(&row[17]), "distance and total echo: {shown}");
    }
    larder.run("doctor").ok();
}

fn same(value: &Value, text: &str) -> bool {
    match value {
        Value::Null => text.is_empty(),
        Value::String(value) => value == text,
        Value::Number(number) => number.as_f64() == text.parse().ok(),
        _ => false,
    }
}

#[test]
fn driver_statistics_keep_every_version_and_serve_the_last() {
    let Some(data) = test_data("feast/driver_stats.parquet") else { return };
    let data = data.to_str().unwrap();
    let larder = Larder::new();
    larder.run_words(&["create", "driver-stats", "--from", data, "--id", "driver_id", "--event-time", "event_timestamp"]).ok();
    assert_eq!(larder.run_words(&["ingest", "driver-stats", data, "--json"]).ok().json()["accepted"], 1_807);

    // Three rows share driver 1003 and this hour: all are history, the last of the file is the one that counts then.
    let rows = |words: &str| larder.run(words).ok().json();
    let history = rows("history driver-stats 1003 --json");
    let history = history.as_array().unwrap();
    let tied: Vec<&Value> = history.iter().filter(|row| row["event_time"] == "2022-04-05T06:00:00Z").collect();
    assert_eq!(tied.len(), 3);
    let in_sql = larder.run_words(&["query", "select count(*) as n from \"driver-stats\" where driver_id = 1003", "--json"]).ok().json();
    assert_eq!(in_sql[0]["n"], history.len());
    let newest = rows("get driver-stats 1003 --json");
    assert_eq!(newest["event_time"], history[0]["event_time"]);
    assert_eq!(newest["features"], history[0]["features"]);

    // A second process sees each change at once; every command here is one.
    let put = |time: &str, trips: &str| {
        larder
            .run_words(&["put", "driver-stats", "driver_id=1003", &format!("event_timestamp={time}"), &format!("avg_daily_trips={trips}")])
            .ok();
    };
    let count = || {
        larder.run_words(&["query", "select count(*) as n from \"driver-stats\" where driver_id = 1003", "--json"]).ok().json()[0]["n"]
            .clone()
    };
    put("2021-01-01T00:00:00Z", "7");
    assert_eq!(rows("get driver-stats 1003 --json"), newest, "a late record is history only");
    assert_eq!(rows("history driver-stats 1003 --json").as_array().unwrap().len(), history.len() + 1);
    assert_eq!(count(), history.len() + 1);
    put("2023-01-01T00:00:00Z", "8");
    assert_eq!(rows("get driver-stats 1003 --json")["features"]["avg_daily_trips"], 8);
    larder.run("delete driver-stats 1003 --event-time 2023-01-02T00:00:00Z").ok();
    larder.run("get driver-stats 1003").ended(4);
    assert_eq!(count(), history.len() + 3);
    larder.run("doctor").ok();
}

#[test]
fn of_three_rows_at_one_time_the_last_is_online() {
    let larder = Larder::new();
    let mut rows = String::from("driver,at,trips\n");
    for trips in [3, 1, 2] {
        rows.push_str(&format!("1003,2022-04-05T06:00:00Z,{trips}\n"));
    }
    larder.file("ties.csv", &rows);
    larder.run("create ties --from ties.csv --id driver --event-time at").ok();
    larder.run("ingest ties ties.csv").ok();
    assert_eq!(larder.run("get ties 1003 --json").ok().json()["features"]["trips"], 2);
    let history = larder.run("history ties 1003 --json").ok().json();
    let trips: Vec<&Value> = history.as_array().unwrap().iter().map(|row| &row["features"]["trips"]).collect();
    assert_eq!(trips, [&json!(2), &json!(1), &json!(3)], "newest first: the later row of a tie is the newer");
    let latest = larder.run_words(&["query", "select trips from \"ties$latest\"", "--json"]).ok().json();
    assert_eq!(latest, json!([{"trips": 2}]));
}
