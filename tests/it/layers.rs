//! The house: which layer may use which, one arrow, no forgotten test file, SQLite new enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each layer may use besides itself.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("model", &[][..]),
        ("catalog", &["model"]),
        ("backend", &["model"]),
        ("statistics", &["model"]),
        ("lineage", &["model", "catalog", "backend", "statistics"]),
        ("ingest", &["model", "catalog", "backend", "statistics"]),
        ("dataset", &["model", "catalog", "backend", "statistics"]),
        ("store", &["model", "catalog", "backend", "statistics", "lineage", "ingest", "dataset"]),
        ("sync", &["model", "catalog", "backend", "statistics", "lineage", "ingest", "dataset", "store"]),
        ("server", &["model", "store", "sync"]),
        ("tui", &["model", "store", "sync"]),
        // The browser is what the command line opens without a verb, the server what `serve` opens.
        ("cli", &["model", "store", "sync", "server", "tui"]),
    ])
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn all_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&root().join("src"), &mut found);
    let relative = |path: &PathBuf| path.strip_prefix(root().join("src")).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (relative(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// Layers named by `crate::…` in a text, in `use` lines and in paths alike.
fn uses(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, " "]).collect();
    let word = |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        found.insert(word(rest));
        let Some(list) = rest.strip_prefix('{') else { continue };
        // Names at the top of the braces; what stands in inner ones belongs to a layer that was named already.
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in list.char_indices() {
            if begins && depth == 0 {
                found.insert(word(&list[at..]));
            }
            begins = c == ',';
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn edges_point_one_way() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for (path, text) in all_sources() {
        let layer = path.split(['/', '.']).next().unwrap().to_owned();
        let Some(may_use) = allowed.get(layer.as_str()) else {
            assert!(layer == "lib" || layer == "main", "{path} belongs to no layer of the house");
            continue;
        };
        for used in uses(&text) {
            if used != layer && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{path} uses crate::{used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "upward edges:\n{}", wrong.join("\n"));
}

#[test]
fn an_upward_edge_would_be_seen() {
    assert_eq!(
        uses("use crate::{store,\n  model::{Error, Result}};\n// crate::tui\nlet x = crate::cli::run();"),
        BTreeSet::from(["store".into(), "model".into(), "cli".into()])
    );
}

#[test]
fn unsafe_code_stays_in_one_file() {
    let places: Vec<String> = all_sources()
        .into_iter()
        .filter(|(_, text)| text.contains("unsafe {") || text.contains("allow(unsafe_code)"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(places, ["backend/online/lmdb.rs"]);
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> = all_sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "no opening //! in {silent:?}");
}

#[test]
fn there_is_one_arrow() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["arrow-array", "arrow-schema", "parquet", "datafusion", "object_store", "libsqlite3-sys", "crossterm"] {
        let versions = lock.lines().filter(|line| *line == format!("name = \"{name}\"")).count();
        assert_eq!(versions, 1, "{name} is in Cargo.lock {versions} times");
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let main = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests/it")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name != "main" && path.extension().is_some_and(|extension| extension == "rs") {
            assert!(main.lines().any(|line| line.trim() == format!("mod {name};")), "tests/it/{name}.rs is not in main.rs");
        }
    }
}
