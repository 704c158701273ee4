//! The recipes of README for other engines, run as they stand there.

use std::process::Command;

use crate::cli::Larder;

/// The Python blocks of a chapter, each with its first line.
fn recipes(chapter: &str) -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let chapter = readme.split("\n## ").find(|found| found.starts_with(chapter)).expect("the chapter is there");
    let blocks = chapter.split("```python\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned());
    blocks.map(|block| (block.lines().next().unwrap().to_owned(), block)).collect()
}

#[test]
fn each_engine_counts_the_same_live_records() {
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so nobody has run the recipes of README");
        return;
    }
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    // Files with and without a feature, a record that deletes, and files that were replaced.
    larder.run_words(&["update", "readings", "--add-feature", "battery:Fractional"]).ok();
    larder.run_words(&["put", "readings", "sensor=s9", "at=2026-02-01T00:00:00Z", "celsius=4", "battery=0.5"]).ok();
    larder.run("delete readings s2 --event-time 2026-02-01T00:00:00Z").ok();
    larder.run("flush").ok();
    let counted = ["query", "select count(*) as n from readings where not is_deleted", "--format", "csv"];
    let expected = larder.run_words(&counted).ok().out.lines().last().unwrap().to_owned();
    assert_eq!(expected, "5");
    let table = larder.run("describe readings --json").ok().json()["location"].as_str().unwrap().to_owned();
    let recipes = recipes("The same tables in other engines");
    let kinds: Vec<&str> = recipes.iter().map(|(first, _)| first.split([',', ';']).next().unwrap()).collect();
    assert_eq!(kinds, ["# Polars", "# Python deltalake", "# DuckDB", "# PySpark"]);
    for (kind, recipe) in recipes {
        let is_spark = kind.starts_with("# PySpark");
        if is_spark && std::env::var("LARDER_SKIP_SPARK").is_ok_and(|value| value == "1") {
            eprintln!("LEFT OUT: LARDER_SKIP_SPARK=1, so nobody has run the recipe for PySpark");
            continue;
        }
        assert!(recipe.contains("\"…/data\""), "{kind} names no table");
        let script = recipe.replace("…/data", &table);
        let python = if is_spark { crate::dialects::spark() } else { crate::formats::python() };
        let output = Command::new(python).args(["-c", &script]).env("SPARK_LOCAL_IP", "127.0.0.1").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(out.lines().last(), Some(expected.as_str()), "{kind}\n{err}");
    }
}

#[test]
fn readers_take_a_training_dataset_that_lies_in_the_store() {
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so nobody has run the recipes of README");
        return;
    }
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    let mut labels = "sensor,at\n".to_owned();
    (0..1_234).for_each(|row| labels.push_str(&format!("s{},2026-03-01T00:00:00Z\n", row % 4)));
    larder.file("labels.csv", &labels);
    let build = "dataset build --spine labels.csv --spine-id sensor --spine-time at --features readings -o store:train --json";
    let built = larder.run(build).ok().json();
    assert_eq!((&built["rows"], &built["files"]), (&1_234.into(), &1.into()));
    let recipes = recipes("A cluster for large questions");
    assert_eq!(recipes.len(), 2);
    for (kind, recipe) in recipes {
        let script = recipe.replace("…", built["output"].as_str().unwrap());
        assert!(script != recipe, "{kind} names no folder");
        let output = Command::new(crate::formats::python()).args(["-c", &script]).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(out.lines().last(), Some("1234"), "{kind}\n{err}");
    }
}
