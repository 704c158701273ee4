//! Whatever bytes a definition file holds: no panic, and every fault has a place in the file.

use larder::sync::definitions::{Text, read};
use proptest::prelude::*;

const GROUP: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: trips
description: Taxi trips
owner: team:mobility
stage: prod
tags: {domain: transport, \"a.b\": \"x: y\"}
record_identifier: id
event_time: at
features:
  - {name: id, type: String}
  - {name: at, type: Fractional}
  - name: fare
    type: Fractional
    renamed_from: price
    parameters: {unit: usd}
    expectations: {not_null: {at_least: 0.99}, between: [0, 1], drift: {ks: [0.1, 0.2]}}
  - {name: vector, type: Fractional, collection: vector, dimension: 3}
removed: [tip]
online: {enabled: true, ttl: 7d}
offline: {enabled: true, s3_uri: \"s3://lake/x\"}
sources: [{name: /data/trips.csv, features: [fare]}]
consumers: [{kind: model, name: churn, uses: [fare]}]
freshness: {error_after: 7d}
expectations: {row_count: {min: 10}, unique: [id, at]}
---
apiVersion: larder/v1
kind: Defaults
owner: team:data
";

/// The same in the other forms.
fn form(number: usize) -> (&'static str, String) {
    let json: serde_json::Value = serde_json::json!({
        "apiVersion": "larder/v1", "kind": "FeatureGroup", "name": "trips", "record_identifier": "id", "event_time": "at",
        "features": [{"name": "id", "type": "String"}, {"name": "at", "type": "Fractional", "parameters": {"unit": "s"}}],
        "tags": {"domain": "transport"}, "online": {"ttl": "7d"}, "removed": ["tip"],
    });
    match number % 3 {
        0 => ("a.larder.yaml", GROUP.to_owned()),
        1 => ("a.larder.json", serde_json::to_string_pretty(&json).unwrap()),
        _ => (
            "a.larder.toml",
            "apiVersion = \"larder/v1\"\nkind = \"FeatureGroup\"\nname = \"trips\"\nrecord_identifier = \"id\"\nevent_time = \"at\"\n\
             [[features]]\nname = \"id\"\ntype = \"String\"\n[[features]]\nname = \"at\"\ntype = \"Fractional\"\n[tags]\ndomain = \"x\"\n"
                .to_owned(),
        ),
    }
}

/// Reads it, and demands of every fault a place within the file and a message.
fn check(name: &str, bytes: &[u8]) -> usize {
    let reading = read(&[Text { name: name.to_owned(), bytes: bytes.to_vec() }]);
    let lines = 1 + String::from_utf8_lossy(bytes).matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() as u64;
    for fault in &reading.faults {
        assert_eq!(fault.place.file, name);
        assert!((1..=lines).contains(&fault.place.line) && fault.place.column >= 1, "{fault} of {lines} lines");
        assert!(!fault.message.is_empty() && !fault.message.contains(|c: char| c.is_control()), "{fault:?}");
    }
    reading.definitions.len() + reading.faults.len()
}

/// What means something in one of the forms, or nothing anywhere.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "&a ",
    "*a",
    "!!int ",
    "|\n",
    ">\n",
    "---\n",
    "...\n",
    "\"",
    "'",
    "\t",
    "#",
    "%YAML 9.9\n",
    "null",
    "~",
    "yes",
    "1e999",
    "-0",
    "0x1F",
    "9223372036854775808",
    "NaN",
    ".inf",
    "\\u0000",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "\u{2028}",
    "<<: ",
    "? ",
    ", ",
    "= ",
    "[[",
    "name",
    "features",
    "type",
    "renamed_from: at",
    "removed",
    "apiVersion",
    "  ",
    "\n",
    "\r\n",
    "\r",
    "é",
    "🚕",
];

/// What is put in at a place.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..6),
        1 => (0u32..200).prop_map(|depth| "[".repeat(depth as usize).into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_file_that_was_changed_anywhere_is_read_or_told(number in 0usize..3, changes in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..12, piece()), 1..5)) {
        let (name, text) = form(number);
        let mut bytes = text.into_bytes();
        for (at, gone, piece) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + gone).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        check(name, &bytes);
    }

    #[test]
    fn bytes_of_any_kind_are_told(number in 0usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(form(number).0, &bytes);
    }

    #[test]
    fn a_file_that_was_cut_is_told(number in 0usize..3, at in any::<prop::sample::Index>()) {
        let (name, text) = form(number);
        let cut = at.index(text.len());
        let told = check(name, &text.as_bytes()[..cut]);
        // Something of it was understood, or told; only what has no document at all says nothing.
        prop_assert!(told > 0 || text[..cut].trim().is_empty(), "{}", &text[..cut]);
    }

    #[test]
    fn a_value_of_another_type_is_told_at_its_own_line(line in any::<prop::sample::Index>(), value in proptest::sample::select(&["[]", "{}", "12", "true", "~", "''", "[[[]]]", "{a: {b: c}}"][..])) {
        let lines: Vec<&str> = GROUP.lines().take(29).collect();
        let keys: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains(": ") && !lines[*at].starts_with(' ')).collect();
        let at = keys[line.index(keys.len())];
        let key = lines[at].split_once(':').unwrap().0;
        let mut changed = lines.clone();
        let replaced = format!("{key}: {value}");
        changed[at] = &replaced;
        let text = changed.join("\n");
        let reading = read(&[Text { name: "a.yaml".to_owned(), bytes: text.clone().into_bytes() }]);
        check("a.yaml", text.as_bytes());
        // Who refers to what is not there any more is told, too, at its own place.
        let own = reading.faults.iter().any(|fault| fault.place.line == at as u64 + 1);
        prop_assert!(own || reading.faults.is_empty() || key == "features", "{:?}", reading.faults);
    }
}
