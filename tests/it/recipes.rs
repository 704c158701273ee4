//! The recipes of README for other engines, run as they stand there.

use std::process::Command;

use crate::cli::Larder;

/// The Python blocks of a chapter, each with its first line.
fn recipes() -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let chapter =
        readme.split("\n## ").find(|chapter| chapter.starts_with("The same tables in other engines")).expect("the chapter is there");
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
    let recipes = recipes();
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
