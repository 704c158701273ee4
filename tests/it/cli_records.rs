//! Records on the command line: put, looked up, deleted, and their history.

use serde_json::{Value, json};

use crate::cli::Larder;

const EARLY: &str = "at=2026-02-01T00:00:00Z";
const LATE: &str = "at=2026-03-01T00:00:00Z";

#[test]
fn a_record_echoes_exactly_as_it_was_put() {
    let larder = Larder::with_readings();
    larder.run_words(&["put", "readings", "sensor=s9", LATE, "celsius=1.50", "count=+7", "note=a = b"]).ok();
    let shown = larder.run("get readings s9").ok();
    for text in ["1.50", "+7", "a = b", "∅"] {
        assert!(shown.out.contains(text), "{}", shown.out);
    }
    assert_eq!(
        larder.run("get readings s9 --json").ok().json(),
        json!({
            "group": "readings",
            "record_identifier": "s9",
            "event_time": "2026-03-01T00:00:00Z",
            "features": {"sensor": "s9", "at": "2026-03-01T00:00:00Z", "celsius": 1.5, "count": 7, "door_open": null, "note": "a = b"},
        })
    );
}

#[test]
fn records_come_as_json_with_their_numbers_untouched() {
    let larder = Larder::with_readings();
    let input = "{\"sensor\": \"j1\", \"at\": \"2026-03-01T00:00:00Z\", \"celsius\": 1.50, \"count\": null}\n\
                 {\"sensor\": \"j2\", \"at\": \"2026-03-01T00:00:00Z\", \"celsius\": 1e2}\n";
    let receipt = larder.run_with_input(&["put", "readings", "--json-record", "-", "--json"], input).ok().json();
    assert_eq!((&receipt["group"], &receipt["records"]), (&json!("readings"), &json!(2)));
    assert!(larder.run("get readings j1").ok().out.contains("1.50"));
    assert!(larder.run("get readings j2").ok().out.contains("1e2"));

    larder.file("one.json", "{\"sensor\": \"j3\", \"at\": \"2026-03-01T00:00:00Z\"}");
    larder.run("put readings --json-record one.json").ok();
    larder.run("get readings j3").ok();
    larder.run("put readings --json-record nowhere.json").ended(1).says(&["nowhere.json"]);
}

#[test]
fn a_bad_record_among_good_ones_is_named_and_nothing_is_stored() {
    let larder = Larder::with_readings();
    let input = "{\"sensor\": \"k1\", \"at\": \"2026-03-01T00:00:00Z\"}\n{\"sensor\": \"k2\"}\n";
    larder.run_with_input(&["put", "readings", "--json-record", "-"], input).ended(1).says(&["record 2", "'at'"]);
    larder.run("get readings k1").ended(4);
    for (input, told) in
        [("{\"sensor\": \"k4\"}\n", "'at'"), ("not json\n", "record 1"), ("{\"sensor\": true}", "boolean"), ("", "no record")]
    {
        larder.run_with_input(&["put", "readings", "--json-record", "-"], input).ended(1).says(&[told]);
    }
}

#[test]
fn collections_are_given_as_json() {
    let larder = Larder::with_readings();
    larder.run("update readings --add-feature v:Vector<3> --add-feature labels:List<String>").ok();
    larder.run_words(&["put", "readings", "sensor=c1", LATE, "v:=[0.10, 2, 3e0]", "labels=[\"a\", \"b c\"]"]).ok();
    let record = larder.run("get readings c1 --json").ok().json();
    assert_eq!((&record["features"]["v"], &record["features"]["labels"]), (&json!([0.1, 2.0, 3.0]), &json!(["a", "b c"])));
    larder.run_words(&["put", "readings", "sensor=c1", LATE, "v:=[1, 2]"]).ended(1).says(&["'v'", "3"]);
}

#[test]
fn what_breaks_a_rule_is_refused_with_its_name_and_value() {
    let larder = Larder::with_readings();
    for (fields, told) in [
        (&["sensor=b1"][..], &["'at'"][..]),
        (&[LATE], &["'sensor'"]),
        (&["sensor=b1", "at=yesterday"], &["'at'", "yesterday"]),
        (&["sensor=b1", LATE, "count=many"], &["'count'", "'many'", "Integral"]),
        (&["sensor=b1", LATE, "celsius=NaN"], &["'celsius'", "'NaN'", "Fractional"]),
        (&["sensor=b1", LATE, "celsus=1"], &["celsus", "did you mean 'celsius'?"]),
        (&["sensor=b1", LATE, "count=1", "COUNT=2"], &["'count'", "twice"]),
        (&["sensor=", LATE], &["identifier"]),
    ] {
        let words: Vec<&str> = ["put", "readings"].iter().chain(fields).copied().collect();
        larder.run_words(&words).ended(1).says(told);
    }
    larder.run("get readings b1").ended(4);
}

#[test]
fn a_record_that_is_not_there_answers_4_and_prints_nothing() {
    let larder = Larder::with_readings();
    for words in ["get readings nobody", "get readings nobody --json"] {
        let outcome = larder.run(words).ended(4).says(&["nobody", "readings"]);
        assert_eq!(outcome.out, "");
    }
    let outcome = larder.run("history readings nobody --json").ended(4);
    assert_eq!(outcome.json(), json!([]));
    larder.run("get readings nobody --feature celsus").ended(1).says(&["did you mean 'celsius'?"]);
}

#[test]
fn features_can_be_chosen() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    let record = larder.run("get readings s1 --feature celsius --feature NOTE --json").ok().json();
    assert_eq!(record["features"], json!({"celsius": 21.0, "note": "second, later"}));
    assert_eq!((&record["record_identifier"], &record["event_time"]), (&json!("s1"), &json!("2026-01-02T00:00:00Z")));
    let history = larder.run("history readings s1 --feature celsius --json").ok().json();
    assert_eq!(history[0]["features"], json!({"celsius": 21.0}));
}

#[test]
fn many_records_at_once_with_the_missing_named() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    let answer = larder.run("batch-get readings s3 nobody s1 --feature count --json").ok().json();
    let found: Vec<&Value> = answer["records"].as_array().unwrap().iter().map(|record| &record["record_identifier"]).collect();
    assert_eq!((found, &answer["missing"]), (vec![&json!("s3"), &json!("s1")], &json!(["nobody"])));
    assert_eq!(answer["records"][0]["features"], json!({"count": 9}));
    let piped = larder.run_with_input(&["batch-get", "readings", "-", "--json"], "s1\ns2\n\n").ok().json();
    assert_eq!(piped["records"].as_array().unwrap().len(), 2);
    let none = larder.run("batch-get readings nobody no-one --json").ended(4);
    assert_eq!(none.json(), json!({"records": [], "missing": ["nobody", "no-one"]}));
    let table = larder.run("batch-get readings s1 nobody").ok().says(&["nobody"]);
    assert!(table.out.contains("second, later") && !table.out.contains("nobody"), "{table:#?}");
}

#[test]
fn a_late_record_goes_into_the_history_only() {
    let larder = Larder::with_readings();
    larder.run_words(&["put", "readings", "sensor=s9", LATE, "celsius=2"]).ok();
    larder.run_words(&["put", "readings", "sensor=s9", EARLY, "celsius=1"]).ok().says(&["newer"]);
    assert_eq!(larder.run("get readings s9 --json").ok().json()["features"]["celsius"], 2.0);
    let history = larder.run("history readings s9 --json").ok().json();
    let versions: Vec<(&Value, &Value)> =
        history.as_array().unwrap().iter().map(|row| (&row["event_time"], &row["features"]["celsius"])).collect();
    assert_eq!(versions, [(&json!("2026-03-01T00:00:00Z"), &json!(2.0)), (&json!("2026-02-01T00:00:00Z"), &json!(1.0))]);
    for row in history.as_array().unwrap() {
        assert_eq!(row["is_deleted"], json!(false));
        assert!(row["write_time"].as_str().unwrap().ends_with('Z') && row["api_invocation_time"].as_str().unwrap().ends_with('Z'), "{row}");
    }
    assert_eq!(larder.run("history readings s9 --limit 1 --json").ok().json().as_array().unwrap().len(), 1);
}

#[test]
fn one_store_can_be_written_alone() {
    let larder = Larder::with_readings();
    larder.run_words(&["put", "readings", "sensor=on", LATE, "--to", "online"]).ok();
    larder.run_words(&["put", "readings", "sensor=off", LATE, "--to", "offline"]).ok();
    larder.run("get readings on").ok();
    larder.run("history readings on").ended(4);
    larder.run("get readings off").ended(4);
    larder.run("history readings off").ok();
}

#[test]
fn a_record_past_its_ttl_does_not_exist() {
    let larder = Larder::with_readings();
    larder.run_words(&["put", "readings", "sensor=old", "at=2020-01-01T00:00:00Z", "--ttl", "7d"]).ok();
    larder.run("get readings old").ended(4);
    larder.run("history readings old").ok();
}

#[test]
fn delete_marks_and_hard_delete_forgets() {
    let larder = Larder::with_readings();
    larder.run_words(&["put", "readings", "sensor=d1", LATE, "celsius=2"]).ok();
    larder.run("delete readings d1 --event-time 2026-03-02T00:00:00Z").ok();
    larder.run("get readings d1").ended(4);
    let history = larder.run("history readings d1 --json").ok().json();
    assert_eq!((&history[0]["is_deleted"], &history[0]["features"]["celsius"]), (&json!(true), &json!(null)));
    assert_eq!(history[1]["is_deleted"], json!(false));
    assert!(larder.run("history readings d1").ok().out.contains("deleted"));

    larder.run_words(&["put", "readings", "sensor=d2", LATE]).ok();
    larder.run("delete readings d2 --event-time 2026-01-01T00:00:00Z").ok().says(&["newer"]);
    larder.run("get readings d2").ok();
    larder.run("delete readings d2 --event-time 2026-01-01T00:00:00Z --hard").ended(1).says(&["d2"]);
    larder.run("delete readings d2 --event-time 2026-04-01T00:00:00Z --hard").ok();
    larder.run_words(&["put", "readings", "sensor=d2", EARLY]).ok();
    larder.run("get readings d2").ok();
    larder.run("delete readings d2 --event-time soon").ended(1).says(&["soon"]);
}

#[test]
fn values_cannot_steer_the_terminal() {
    let larder = Larder::with_readings();
    larder.run_words(&["put", "readings", "sensor=x", LATE, "note=\u{1b}]0;owned\u{7}"]).ok();
    for words in ["get readings x", "history readings x", "batch-get readings x"] {
        let outcome = larder.run(words).ok();
        assert!(!outcome.out.contains('\u{1b}') && !outcome.out.contains('\u{7}'), "{outcome:#?}");
    }
    assert_eq!(larder.run("get readings x --json").ok().json()["features"]["note"], "\u{1b}]0;owned\u{7}");
}
