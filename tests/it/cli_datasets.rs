//! `larder dataset …` as scripts and people meet it: documents, exit codes, one-line errors, nothing half-written.

use std::collections::HashMap;
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::cli::{Larder, READINGS, names_in};
use crate::support::test_data;

const LABELS: &str = "\
sensor,when,label
s1,2026-01-01T12:00:00Z,1
s2,2026-01-01T12:00:00Z,0
s1,2026-01-02T00:00:00Z,1
s9,2026-01-05T00:00:00Z,0
";

const BUILD: [&str; 10] =
    ["dataset", "build", "--spine", "labels.csv", "--spine-id", "sensor", "--spine-time", "when", "--features", "readings:celsius,note"];

/// A store with readings and a file of labels.
fn bench() -> Larder {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    larder.file("labels.csv", LABELS);
    larder
}

fn build(larder: &Larder, more: &[&str]) -> crate::cli::Outcome {
    larder.run_words(&[&BUILD[..], more].concat())
}

fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn column(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    (0..column.len()).map(|row| column.is_valid(row).then(|| array_value_to_string(column, row).unwrap())).collect()
}

#[test]
fn a_dataset_goes_from_build_to_diff() {
    let larder = bench();
    let built = build(&larder, &["-o", "train.parquet", "--description", "door model", "--json"]).ok().json();
    assert_eq!((&built["rows"], &built["matched"], &built["version"]), (&json!(4), &json!({"readings": 3}), &json!(1)));
    assert!(built["content_hash"].as_str().unwrap().starts_with("xxh3:") && built["seconds"].as_f64().unwrap() > 0.0);
    let rows = read(&larder.path("train.parquet"));
    let names: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["sensor", "when", "label", "celsius", "note"]);
    assert_eq!(column(&rows, "celsius"), [Some("20.5".into()), None, Some("21.0".into()), None]);

    let list = larder.run("dataset list --json").ok().json();
    assert_eq!((&list[0]["name"], &list[0]["rows"], &list[0]["content_hash"]), (&json!("train"), &json!(4), &built["content_hash"]));
    larder.run("dataset list").ok().shows(&["train@1", "door model"]);
    let shown = larder.run("dataset show train --json").ok().json();
    assert_eq!(
        (&shown["manifest_version"], &shown["inputs"][0]["matched"], &shown["columns"][3]["feature"]),
        (&json!(1), &json!(3), &json!("celsius"))
    );
    assert!(Path::new(shown["request"]["spine"]["file"].as_str().unwrap()).is_absolute());
    larder.run("dataset show train").ok().shows(&["readings.celsius", "door model", "labels.csv", "xxh3:"]);

    larder.run_words(&["put", "readings", "sensor=s1", "at=2026-01-01T06:00:00Z", "celsius=-5", "note=frost"]).ok();
    larder.run("dataset verify train").ok().shows(&["✓ built again, train@1 is the same"]);
    build(&larder, &["-o", "later.parquet", "--name", "train"]).ok().shows(&[
        "wrote 4 rows with 5 columns to later.parquet",
        "train@2",
        "75.0 %",
    ]);
    let diff = larder.run("dataset diff train@1 train --json").ok().json();
    assert_eq!((&diff["is_same"], &diff["rows"]["kept"], &diff["cells"].as_array().unwrap().len()), (&json!(false), &json!(4), &2));
    assert_eq!((&diff["cells"][0]["examples"][0]["from"], &diff["cells"][0]["examples"][0]["to"]), (&json!("20.5"), &json!("-5.0")));
    assert_eq!((&diff["writes"][0]["rows"], &diff["writes"][0]["is_new"]), (&json!(1), &json!(true)));
    larder.run("dataset diff train@1 train@2").ok().shows(&["train@1 → train@2", "version 1 → 2", "20.5 → -5.0", "4 rows in both"]);
    larder.run("dataset diff train.parquet train@1").ok().shows(&["the same 4 rows"]);

    let cell = larder.run("dataset explain-row train@2 --row 0 --feature celsius --json").ok().json();
    assert_eq!((&cell["outcome"]["is"], &cell["outcome"]["value"], &cell["winner"]), (&json!("value"), &json!(-5.0), &json!(1)));
    assert_eq!(cell["candidates"][0]["verdict"], "later_event");
    larder.run("dataset explain-row train --row 1 --feature celsius").ok().shows(&["∅  the record has no value of this feature"]);
    larder.run("dataset explain-row train --row 3 --feature note").ok().shows(&["∅  the group has no record of this identifier"]);
    let words = ["dataset", "explain-row", "--features", "readings:note", "--id", "s1", "--time", "2026-01-01T05:00:00Z"];
    larder.run_words(&words).ok().shows(&["first", "5 h before the row", "●"]);
    let few = larder.run_words(&[&words[..], &["--candidates", "1"]].concat()).ok().says(&["1 other record", "--candidates"]);
    assert_eq!(few.out.lines().filter(|line| line.contains(".parquet")).count(), 2, "the winner's own line and one of the list: {few:?}");
    let of_spine = [&["dataset", "explain-row", "--row", "2", "--feature", "note"][..], &BUILD[2..]].concat();
    larder.run_words(&of_spine).ok().shows(&["second, later"]);

    let leaks = larder.run("dataset leaks train --json").ok().json();
    assert_eq!(
        (&leaks["rows"], &leaks["features"][1]["column"], &leaks["features"][1]["unknown_then"]),
        (&json!(4), &json!("note"), &json!(2))
    );
    larder.run("dataset leaks train").ok().shows(&["NULL THEN", "readings"]);
}

#[test]
fn verify_says_no_with_4() {
    let larder = bench();
    build(&larder, &["-o", "train.csv"]).ok();
    larder.file("labels.csv", &LABELS.replace("s9,", "s3,"));
    let outcome = larder.run("dataset verify train").ended(4).shows(&["✖", "labels.csv was changed", "differs in sensor"]);
    assert!(outcome.err.contains("train@1 is not what it was"), "{outcome:?}");
    let document = larder.run("dataset verify train --json").ended(4).json();
    assert_eq!((&document["matches"], &document["file"]), (&json!(false), &json!("same_size")));
    std::fs::write(larder.path("train.csv"), "x").unwrap();
    larder.file("labels.csv", LABELS);
    larder.run("dataset verify train").ended(4).shows(&["✓ built again", "holds something else"]);
}

#[test]
fn rows_stream_where_no_file_keeps_them() {
    let larder = bench();
    let outcome = build(&larder, &["-o", "-"]).ok().says(&["4 rows", "not recorded"]);
    assert_eq!(outcome.out.lines().next(), Some("sensor,when,label,celsius,note"));
    assert_eq!(outcome.out.lines().count(), 5);
    let lines = build(&larder, &["-o", "-", "--format", "jsonl", "-q"]).ok();
    assert!(lines.err.is_empty() && lines.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines:?}");
    build(&larder, &["-o", "/dev/null", "--format", "parquet"]).ok().says(&["not recorded"]);
    build(&larder, &["-o", "-", "--json"]).ended(2).says(&["--json"]);
    build(&larder, &["-o", "-", "--name", "x"]).ended(2).says(&["no name"]);
    assert_eq!(larder.run("dataset list --json").ok().json(), json!([]));

    // A spine that comes through a pipe, and one that is asked for.
    let words = [&["dataset", "build", "--spine", "-"][..], &BUILD[4..], &["-o", "piped.csv"]].concat();
    larder.run_with_input(&words, LABELS).ok();
    larder.run("dataset verify piped").ended(1).says(&["standard input"]);
    let sql = "select sensor, at as \"when\" from readings order by sensor, at";
    let words = [&["dataset", "build", "--spine-sql", sql][..], &BUILD[4..], &["-o", "asked.csv"]].concat();
    larder.run_words(&words).ok();
    let expected = "sensor,when,celsius,note\ns1,2026-01-01T00:00:00Z,20.5,first\ns1,2026-01-02T00:00:00Z,21.0,\"second, later\"\ns2,2026-01-01T00:00:00Z,,\ns3,2026-01-03T12:00:00Z,-3.25,third\n";
    assert_eq!(std::fs::read_to_string(larder.path("asked.csv")).unwrap(), expected);
}

fn with_stdin(larder: &Larder, verb: &[&str], features: &[&str]) -> crate::cli::Outcome {
    larder.run_with_input(&[verb, &["--spine", "-", "--spine-id", "sensor", "--spine-time", "when"], features].concat(), LABELS)
}

#[test]
fn what_is_wrong_is_told_in_one_line_and_makes_nothing() {
    let larder = bench();
    std::fs::create_dir(larder.path("out")).unwrap();
    let spine = ["--spine", "labels.csv", "--spine-id", "sensor", "--spine-time", "when"];
    let features = ["--features", "readings"];
    let output = ["-o", "out/train.parquet"];
    let with = |parts: &[&[&str]]| larder.run_words(&[&["dataset", "build"][..], &parts.concat()].concat());
    for (outcome, code, told) in [
        (with(&[&features, &output]), 2, "add --spine FILE or --spine-sql SQL"),
        (with(&[&spine[..2], &features, &output]), 2, "add --spine-id COL"),
        (with(&[&spine, &output]), 2, "add --features"),
        (with(&[&spine, &features]), 2, "--output <FILE>"),
        (with(&[&spine, &features, &["-o", "out/train"]]), 2, "add --format"),
        (with(&[&spine, &features, &["-o", "out"]]), 2, "is a folder"),
        (with(&[&spine, &features, &output, &["--spine-sql", "select 1"]]), 2, "--spine"),
        (with(&[&spine, &features, &output, &["--name", "a b"]]), 1, "'a_b' would be one"),
        (with(&[&spine, &features, &output, &["--memory", "lots"]]), 2, "--memory"),
        (with(&[&spine, &features, &output, &["--memory", "1MiB"]]), 2, "64 MiB"),
        (with(&[&spine, &features, &output, &["--ttl", "7"]]), 2, "not a ttl"),
        (with(&[&spine, &features, &output, &["--as-of", "soon"]]), 2, "--as-of"),
        (with(&[&spine, &["--features", "readings:"], &output]), 2, "character 10"),
        (with(&[&spine, &["--features", "reading"], &output]), 1, "did you mean 'readings'?"),
        (with(&[&spine, &["--features", "readings:celsus"], &output]), 1, "did you mean 'celsius'?"),
        (with(&[&["--spine", "labels.csv", "--spine-id", "sensr", "--spine-time", "when"], &features, &output]), 1, "--spine-id 'sensor'"),
        (with(&[&["--spine", "none.csv", "--spine-id", "sensor", "--spine-time", "when"], &features, &output]), 1, "none.csv"),
        (with(&[&spine, &features, &["-o", "nowhere/train.parquet"]]), 1, "no folder"),
        (with(&[&spine, &features, &["-o", "labels.csv"]]), 2, "the spine itself"),
        (with_stdin(&larder, &["dataset", "leaks"], &features), 2, "standard input can be read once"),
        (with_stdin(&larder, &["dataset", "explain-row", "--row", "0", "--feature", "note"], &features), 2, "standard input"),
        (larder.run("dataset show nothing"), 1, "none was built yet"),
        (larder.run("dataset show labels.csv"), 1, "labels.csv.manifest.json"),
        (larder.run("dataset explain-row --row 1 --feature x"), 2, "add --spine"),
        (larder.run("dataset explain-row --features readings --id s1 --time now"), 2, "--time"),
        (larder.run("dataset explain-row --features readings --id s1 --time 2026"), 2, "one feature"),
        (larder.run("dataset verfy x"), 2, "verify"),
    ] {
        let outcome = outcome.ended(code).says(&[told]);
        assert_eq!(outcome.err.lines().count(), 1, "{outcome:?}");
        assert_eq!(outcome.out, "");
    }
    assert_eq!(names_in(&larder.path("out")), Vec::<String>::new());
    assert_eq!(std::fs::read_to_string(larder.path("labels.csv")).unwrap(), LABELS);
    assert_eq!(larder.run("dataset list --json").ok().json(), json!([]));
    larder.run("dataset list").ok().says(&["dataset build"]);
    larder.run("doctor").ok();
}

#[cfg(unix)]
#[test]
fn a_build_that_is_interrupted_leaves_no_file_and_no_row() {
    use std::process::Command;
    let larder = Larder::with_readings();
    larder.file("readings.csv", READINGS);
    larder.run("ingest readings readings.csv").ok();
    std::fs::create_dir(larder.path("out")).unwrap();
    // A spine of 4^11 rows: far more than can be written before the signal.
    let tables: Vec<String> = (0..11).map(|number| format!("readings r{number}")).collect();
    let sql = format!("select r0.sensor, r0.at as \"when\" from {}", tables.join(", "));
    let words = [&["dataset", "build", "--spine-sql", &sql][..], &BUILD[4..], &["-o", "out/train.csv"]].concat();
    let mut child = larder.command(&words).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && crate::cli::find(&larder.path("out"), ".part").is_none() {
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(names_in(&larder.path("out")), Vec::<String>::new());
    assert_eq!(larder.run("dataset list --json").ok().json(), json!([]));
    assert!(!larder.store().join("datasets").exists());
}

#[test]
fn loans_with_zip_codes_are_what_feast_made_of_them() {
    let Some(loans) = test_data("feast/loan_table.parquet") else { return };
    let folder = loans.parent().unwrap();
    let golden = read(&folder.join("my_training_ds.parquet"));
    let larder = Larder::new();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (loans, zips, credit) = (file("loan_table.parquet"), file("zipcode_table.parquet"), file("credit_history_sample.csv"));
    larder.run_words(&["create", "zip", "--from", &zips, "--id", "zipcode", "--event-time", "event_timestamp"]).ok();
    larder.run_words(&["ingest", "zip", &zips]).ok();
    larder.run_words(&["create", "credit", "--from", &credit, "--id", "dob_ssn", "--event-time", "event_timestamp"]).ok();
    larder.run_words(&["ingest", "credit", &credit]).ok();
    let build = |more: &[&str]| {
        let spine = ["dataset", "build", "--spine", &loans, "--spine-id", "zipcode", "--spine-time", "event_timestamp"];
        larder.run_words(&[&spine[..], &["--features", "zip:city,state,population,total_wages"], more].concat()).ok()
    };
    let report = build(&["-o", "out.parquet", "--json"]).json();
    assert_eq!((&report["rows"], &report["matched"]["zip"]), (&json!(28_638), &json!(28_638)));
    let made = read(&larder.path("out.parquet"));

    // Feast's file has its own order of rows; loan_id tells them apart.
    let by_loan = |batch: &RecordBatch| -> HashMap<String, usize> {
        column(batch, "loan_id").into_iter().enumerate().map(|(row, loan)| (loan.unwrap(), row)).collect()
    };
    let places = by_loan(&golden);
    assert_eq!(places.len(), 28_638);
    let same_number = |text: Option<String>| text.map(|text| text.parse::<f64>().map_or(text, |number| number.to_string()));
    for name in ["zipcode", "person_age", "loan_intent", "loan_status", "city", "state", "population", "total_wages"] {
        let (ours, theirs) = (column(&made, name), column(&golden, name));
        for (row, loan) in column(&made, "loan_id").into_iter().enumerate() {
            let expected = same_number(theirs[places[&loan.unwrap()]].clone());
            assert_eq!(same_number(ours[row].clone()), expected, "{name}, row {row}");
        }
    }

    // A second group by another column of the spine: the sample has a thousand of its people.
    let report = build(&["--features", "credit@dob_ssn:credit_card_due,mortgage_due", "-o", "both.parquet", "--json"]).json();
    let matched = report["matched"]["credit"].as_u64().unwrap();
    assert!(matched >= 1_000, "{matched}");
    let made = read(&larder.path("both.parquet"));
    for name in ["city", "credit_card_due", "mortgage_due"] {
        let (ours, theirs) = (column(&made, name), column(&golden, name));
        let mut compared = 0;
        for (row, loan) in column(&made, "loan_id").into_iter().enumerate() {
            // People outside the sample have nothing to be compared with.
            if ours[row].is_some() {
                assert_eq!(same_number(ours[row].clone()), same_number(theirs[places[&loan.unwrap()]].clone()), "{name}, row {row}");
                compared += 1;
            }
        }
        assert!(compared >= 1_000, "{name}: {compared}");
    }
    larder.run("dataset verify both").ok();
}
