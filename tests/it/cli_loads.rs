//! Whole files on the command line: ingest, query, flush, doctor, demo.

use serde_json::{Value, json};

use crate::cli::{Larder, READINGS, find, names_in};

/// The third line has a text where a number belongs.
const DIRTY: &str = "\
sensor,at,celsius,count,door_open,note
d1,2026-01-01T00:00:00Z,20.5,1,true,fine
d2,2026-01-01T00:00:00Z,warm,2,false,dirty
d3,2026-01-01T00:00:00Z,19.5,3,false,fine
";

fn count(larder: &Larder, condition: &str) -> Value {
    larder.run_words(&["query", &format!("select count(*) as n from readings where {condition}"), "--json"]).ok().json()[0]["n"].clone()
}

#[test]
fn ingest_fills_both_stores() {
    let larder = Larder::with_readings();
    let report = larder.run("ingest readings readings.csv --json").ok().json();
    assert_eq!((&report["rows"], &report["accepted"], &report["rejected"]), (&json!(4), &json!(4), &json!(0)));
    assert!(report["seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(larder.run("get readings s1 --json").ok().json()["features"]["note"], "second, later");
    assert_eq!(count(&larder, "true"), 4);
    let page = larder.run("describe readings --json").ok().json();
    assert_eq!((&page["records"], &page["online_records"]), (&json!(4), &json!(3)));
    assert_eq!(page["oldest_event_time"], "2026-01-01T00:00:00Z");
    larder.run("describe readings").ok().shows(&["2026-01-01T00:00:00Z to 2026-01-03T12:00:00Z"]);
}

#[test]
fn ingest_reads_standard_input_and_several_files() {
    let larder = Larder::with_readings();
    larder.run_with_input(&["ingest", "readings", "-"], READINGS).ok().shows(&["4"]);
    larder.file(
        "more.jsonl",
        "{\"sensor\": \"m1\", \"at\": \"2026-01-05T00:00:00Z\", \"celsius\": 1}\n{\"sensor\": \"m2\", \"at\": \"2026-01-05T00:00:00Z\"}\n",
    );
    larder.file("more.csv", "sensor,at,celsius,count,door_open,note\nm3,2026-01-05T00:00:00Z,,,,\n");
    let report = larder.run("ingest readings more.jsonl more.csv --json").ok().json();
    assert_eq!(report["rows"], 3);
    assert_eq!(larder.run("batch-get readings m1 m2 m3 --json").ok().json()["missing"], json!([]));
    larder.run("ingest readings 'nothing-*.csv'").ended(1).says(&["nothing-*.csv"]);
    larder.run("ingest readings nowhere.csv").ended(1).says(&["nowhere.csv"]);
}

#[test]
fn ingest_writes_the_store_asked_for() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv --to offline").ok();
    larder.run("get readings s1").ended(4);
    assert_eq!(count(&larder, "true"), 4);
    larder.run("ingest readings readings.csv --to online").ok();
    larder.run("get readings s1").ok();
    assert_eq!(count(&larder, "true"), 4);
}

#[test]
fn a_dirty_row_stops_the_load_and_nothing_is_visible() {
    let larder = Larder::with_readings();
    larder.file("dirty.csv", DIRTY);
    larder.run("ingest readings dirty.csv").ended(1).says(&["dirty.csv", "3", "celsius", "warm", "--on-error skip"]);
    assert_eq!(count(&larder, "true"), 0);
    larder.run("get readings d1").ended(4);
}

#[test]
fn dirty_rows_can_be_skipped_and_are_written_down() {
    let larder = Larder::with_readings();
    larder.file("dirty.csv", DIRTY);
    let outcome =
        larder.run("ingest readings dirty.csv --on-error skip --rejects rejects.jsonl --json").ended(3).says(&["1 row", "rejects.jsonl"]);
    let report = outcome.json();
    assert_eq!((&report["rows"], &report["accepted"], &report["rejected"]), (&json!(3), &json!(2), &json!(1)));
    assert_eq!(count(&larder, "true"), 2);
    larder.run("get readings d3").ok();
    let rejects = std::fs::read_to_string(larder.path("rejects.jsonl")).unwrap();
    for text in ["dirty.csv", "celsius", "warm", "3"] {
        assert!(rejects.contains(text), "'{text}' is missing: {rejects}");
    }
}

#[test]
fn a_changed_header_and_a_torn_file_are_named() {
    let larder = Larder::with_readings();
    larder.file("renamed.csv", "sensor,at,celcius\nr1,2026-01-01T00:00:00Z,1\n");
    larder.run("ingest readings renamed.csv").ended(1).says(&["renamed.csv", "celcius", "did you mean 'celsius'?"]);
    larder.run_words(&["query", "select 1 as one", "-o", "torn.parquet"]).ok();
    let whole = std::fs::read(larder.path("torn.parquet")).unwrap();
    std::fs::write(larder.path("torn.parquet"), &whole[..whole.len() / 2]).unwrap();
    larder.run("ingest readings torn.parquet").ended(1).says(&["torn.parquet"]);
    assert_eq!(count(&larder, "true"), 0);
}

#[test]
fn query_answers_in_every_form() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    let sql = "select sensor, celsius, count, note from readings order by sensor, at";
    insta::assert_snapshot!(larder.run_words(&["query", sql]).ok().out, @r"
    sensor  celsius  count  note
    s1         20.5      1  first
    s1         21.0      ∅  second, later
    s2            ∅      2  ∅
    s3        -3.25      9  third
    ");
    insta::assert_snapshot!(larder.run_words(&["query", sql, "--format", "csv"]).ok().out, @r#"
    sensor,celsius,count,note
    s1,20.5,1,first
    s1,21.0,,"second, later"
    s2,,2,
    s3,-3.25,9,third
    "#);
    let rows = larder.run_words(&["query", sql, "--json"]).ok().json();
    assert_eq!(rows[2], json!({"sensor": "s2", "celsius": null, "count": 2, "note": null}));
    assert_eq!(larder.run_words(&["query", sql, "--format", "json"]).ok().json(), rows);
    assert_eq!(larder.run_with_input(&["query", "-", "--json"], sql).ok().json(), rows);
    assert_eq!(larder.run_words(&["query", "select sensor from readings where false", "--json"]).ok().json(), json!([]));
}

#[test]
fn query_writes_files_whole_or_not_at_all() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    std::fs::create_dir(larder.path("out")).unwrap();
    for name in ["rows.csv", "rows.json", "rows.parquet"] {
        larder.run_words(&["query", "select * from readings", "-o", &format!("out/{name}")]).ok().says(&["4 rows", name]);
    }
    assert_eq!(names_in(&larder.path("out")), ["rows.csv", "rows.json", "rows.parquet"]);
    larder.run("create copy --from out/rows.parquet --id sensor --event-time at --drop write_time --drop api_invocation_time --drop is_deleted").ok();
    assert_eq!(larder.run("ingest copy out/rows.parquet --json").ok().json()["accepted"], 4);

    larder.run_words(&["query", "select sensor, 1 / (count - count) from readings", "-o", "out/rows.csv"]).ended(1);
    assert!(std::fs::read_to_string(larder.path("out/rows.csv")).unwrap().contains("second, later"), "the old file stays");
    assert_eq!(names_in(&larder.path("out")), ["rows.csv", "rows.json", "rows.parquet"]);
    larder.run_words(&["query", "select 1", "-o", "out/rows.dat"]).ended(2).says(&["rows.dat", "--format"]);
    larder.run_words(&["query", "select 1", "-o", "nowhere/rows.csv"]).ended(1).says(&["nowhere"]);
    larder.run_words(&["query", "select 1", "--json", "--format", "csv"]).ended(2).says(&["--format"]);
}

#[test]
fn query_knows_its_tables_and_columns() {
    let larder = Larder::with_readings();
    larder.run("create door-events --from readings.csv --id sensor --event-time at").ok();
    larder.run("ingest door-events readings.csv").ok();
    larder.run_words(&["put", "door-events", "sensor=s1", "at=2026-02-01T00:00:00Z", "count=5"]).ok();
    larder.run("delete door-events s2 --event-time 2026-02-01T00:00:00Z").ok();
    let rows = larder
        .run_words(&["query", "select count(*) as n, sum(cast(is_deleted as int)) as gone from \"door-events\"", "--json"])
        .ok()
        .json();
    assert_eq!(rows, json!([{"n": 6, "gone": 1}]));
    let latest = larder.run_words(&["query", "select sensor, count from \"door-events$latest\" order by sensor", "--json"]).ok().json();
    assert_eq!(latest, json!([{"sensor": "s1", "count": 5}, {"sensor": "s3", "count": 9}]));
    let columns = larder.run_words(&["query", "select * from readings", "--format", "csv"]).ok().out;
    assert_eq!(columns.trim(), "sensor,at,celsius,count,door_open,note,write_time,api_invocation_time,is_deleted");

    for (sql, told) in [
        ("select * from reading", "did you mean"),
        ("select celsus from readings", "celsus"),
        ("selec 1", "selec"),
        ("drop table readings", "read"),
        ("", "SQL"),
    ] {
        let outcome = larder.run_words(&["query", sql]).says(&[told]);
        assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:#?}");
        assert_eq!(outcome.err.lines().count(), 1, "{outcome:#?}");
    }
}

#[test]
fn flush_turns_waiting_records_into_files() {
    let larder = Larder::with_readings();
    larder.run_words(&["put", "readings", "sensor=f1", "at=2026-02-01T00:00:00Z"]).ok();
    larder.run("flush readings").ok();
    let page = larder.run("describe readings --json").ok().json();
    assert_eq!((&page["outbox_rows"], &page["records"], &page["offline_files"]), (&json!(0), &json!(1), &json!(1)));
    let nothing = larder.run("flush --json").ok().json();
    assert_eq!(nothing["rows"], 0);
    assert_eq!(count(&larder, "sensor = 'f1'"), 1);
}

#[test]
fn compact_merges_files_and_says_what_it_did() {
    let larder = Larder::with_readings();
    larder.run("create sessions --from readings.csv --id sensor --event-time at --online-only").ok();
    larder.run("create theirs --from readings.csv --id sensor --event-time at --offline-only").ok();
    for _ in 0..3 {
        larder.run("ingest readings readings.csv").ok();
    }
    let before = larder.run("history readings s1 --json").ok().json();
    let done = larder.run("compact --json").ok().json();
    let groups = done["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|group| group["group"].as_str().unwrap()).collect::<Vec<_>>(), ["readings", "theirs"]);
    let fields: Vec<&str> = groups[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["group", "status", "files_before", "files_after", "rows", "bytes_before", "bytes_after", "removed_files"];
    assert_eq!(fields, expected);
    let figures = |group: &Value| ["status", "files_before", "files_after", "rows", "removed_files"].map(|field| group[field].clone());
    assert_eq!(figures(&groups[0]), [json!("compacted"), json!(3), json!(1), json!(12), json!(0)]);
    assert_eq!(figures(&groups[1]), [json!("unchanged"), json!(0), json!(0), json!(0), json!(0)]);
    assert!(done["seconds"].as_f64().unwrap() >= 0.0 && groups[0]["bytes_after"].as_u64() < groups[0]["bytes_before"].as_u64());
    assert_eq!(larder.run("history readings s1 --json").ok().json(), before);

    assert_eq!(larder.run("compact readings").ok().out, "there was nothing to compact\n");
    larder.run("ingest readings readings.csv").ok();
    let told = larder.run("compact readings").ok().out;
    assert!(
        told.starts_with("GROUP     FILES ") && told.contains("readings  2 → 1 ") && told.contains("\ncompacted 1 group in "),
        "{told}"
    );
    assert_eq!(larder.run("compact readings -q").ok().out, "");
    larder.run("compact sessions").ended(1).says(&["'sessions'", "no offline store"]);
    larder.run("compact reading").ended(1).says(&["did you mean 'readings'?"]);
    larder.run("doctor").ok().shows(&["5 replaced files wait to be deleted"]);
}

#[test]
fn replaced_files_go_after_the_time_that_is_set() {
    let larder = Larder::with_readings();
    let larder_with = |words: &[&str]| {
        let output = larder.command(words).env("LARDER_COMPACT_GRACE_SECONDS", "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    for _ in 0..2 {
        larder.run("ingest readings readings.csv").ok();
    }
    let first = larder_with(&["compact", "--json"]);
    assert_eq!(first["groups"][0]["files_after"], 1);
    let mut removed = first["groups"][0]["removed_files"].as_u64().unwrap();
    while removed < 2 {
        removed += larder_with(&["compact", "--json"])["groups"][0]["removed_files"].as_u64().unwrap();
    }
    assert_eq!((removed, count(&larder, "true")), (2, json!(8)));
    larder.run_words(&["query", "select 1"]).ok();
    let refused = larder.command(&["list"]).env("LARDER_COMPACT_GRACE_SECONDS", "soon").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn doctor_says_what_is_well_and_what_is_damaged() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    let well = larder.run("doctor --json").ok().json();
    assert_eq!(well["ok"], true);
    assert!(well["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{well}");
    larder.run("doctor").ok().shows(&["✓"]);

    let file = find(&larder.store(), ".parquet").unwrap();
    std::fs::remove_file(&file).unwrap();
    larder.run("doctor").ended(1).shows(&["✖", file.file_name().unwrap().to_str().unwrap()]);
    let damaged = larder.run("doctor --json").ended(1).json();
    assert_eq!(damaged["ok"], false);
}

#[test]
fn demo_makes_a_company_and_says_what_to_try() {
    let larder = Larder::new();
    let made = larder.run("demo --no-tui --seed 7").ok().shows(&["customer-features"]).says(&["larder get customer-features"]);
    assert!(!made.out.contains('\u{1b}'));
    let list = larder.run("list --json").ok().json();
    let groups = list.as_array().unwrap();
    let total = |field: &str| groups.iter().map(|group| group[field].as_u64().unwrap()).sum::<u64>();
    assert!(groups.len() >= 8 && total("features") >= 120 && total("records") >= 200_000, "{list:#}");
    let customers = larder.run("describe customer-features --json").ok().json();
    let names: Vec<&str> = customers["features"].as_array().unwrap().iter().map(|feature| feature["name"].as_str().unwrap()).collect();
    for name in ["customer_id", "event_time", "total_purchases", "avg_order_value", "return_rate", "preferred_category", "loyalty_score"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    larder.run("demo --no-tui").ok().shows(&["already"]);
    assert_eq!(larder.run("list --json").ok().json(), list, "a second demo changes nothing");
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let larder = Larder::new();
    larder.file("store", "a file where the folder should be");
    larder.file("readings.csv", READINGS);
    larder.run("create readings --from readings.csv --id sensor --event-time at").ended(1).says(&["store"]);
}
