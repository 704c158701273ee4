//! Definition files on the command line: what is shown, and every exit code.

use serde_json::json;

use crate::cli::{Larder, names_in};

const READINGS: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: readings
record_identifier: sensor
event_time: at
features:
  - {name: sensor, type: String}
  - {name: at, type: String}
  - {name: celsius, type: Fractional}
";

fn with_files() -> Larder {
    let larder = Larder::new();
    std::fs::create_dir_all(larder.path("defs/inner/.git")).unwrap();
    larder.file("defs/readings.larder.yaml", READINGS);
    larder.file("defs/inner/other.larder.json", &serde_json::to_string_pretty(&as_json("other")).unwrap());
    larder.file("defs/notes.yaml", "not: a definition");
    larder.file("defs/inner/.git/broken.larder.yaml", "a: [");
    larder
}

fn as_json(name: &str) -> serde_json::Value {
    json!({"apiVersion": "larder/v1", "kind": "FeatureGroup", "name": name, "record_identifier": "id", "event_time": "at",
        "features": [{"name": "id", "type": "String"}, {"name": "at", "type": "Fractional"}]})
}

#[test]
fn plan_check_apply_and_again() {
    let larder = with_files();
    larder.run("plan defs").ok().shows(&["+ create readings", "+ create other", "2 to create"]);
    assert!(!larder.store().exists(), "a plan makes no store");
    larder.run("plan defs --check").ended(4).says(&["pending"]);
    let done = larder.run("apply defs --json").ok().json();
    assert_eq!((&done["applied"], &done["groups"].as_array().unwrap().len()), (&json!(true), &2));
    larder.run("plan defs --check").ok().shows(&["2 unchanged"]);
    assert_eq!(larder.run("apply defs --json").ok().json()["applied"], json!(false));
    assert_eq!(larder.run("list --json").ok().json().as_array().unwrap().len(), 2);

    let changed = READINGS.replace("celsius, type: Fractional", "celsius, type: Fractional, description: Warm") + "owner: climate\n";
    larder.file("defs/readings.larder.yaml", &changed);
    larder.run("plan defs").ok().shows(&[
        "~ change readings",
        "owner: ∅ → climate",
        "features.celsius.description: ∅ → Warm",
        "1 unchanged",
    ]);
    larder.run("apply defs -q").ok();
    assert_eq!(larder.run("describe readings --json").ok().json()["owner"], json!("climate"));
}

#[test]
fn faults_end_with_1_and_change_nothing() {
    let larder = with_files();
    larder.file("defs/broken.larder.yaml", &READINGS.replace("event_time: at", "event_time: att").replace("readings", "broken"));
    for verb in ["plan", "apply", "validate"] {
        larder.run(&format!("{verb} defs")).ended(1).says(&["defs/broken.larder.yaml:5:13: ", "did you mean 'at'?", "1 fault in 1 file"]);
    }
    assert!(!larder.store().exists());
    let told = larder.run("validate defs --json").ended(1).json();
    assert_eq!((&told["faults"][0]["line"], &told["faults"][0]["column"]), (&json!(5), &json!(13)));
    larder.run("validate defs/readings.larder.yaml").ok();
    larder.run("plan nowhere").ended(1).says(&["nowhere"]);
    std::fs::create_dir(larder.path("empty")).unwrap();
    larder.run("plan empty").ended(1).says(&[".larder.yaml"]);
    larder.run("plan").ended(2);
}

#[test]
fn a_refused_change_ends_with_1_and_says_which() {
    let larder = with_files();
    larder.run("apply defs").ok();
    larder.file("defs/readings.larder.yaml", &READINGS.replace("celsius, type: Fractional", "celsius, type: String"));
    larder.file("defs/new.larder.yaml", &READINGS.replace("readings", "new"));
    larder.run("plan defs").ok().shows(&["✖ needs replacement  features.celsius.type: Fractional → String", "1 refused"]);
    let refused = larder.run("apply defs --json").ended(1).says(&["nothing was changed", "readings features.celsius.type"]).json();
    assert_eq!(refused["applied"], json!(false));
    assert_eq!(larder.run("list --json").ok().json().as_array().unwrap().len(), 2);
}

#[test]
fn a_definition_can_come_from_standard_input() {
    let larder = Larder::new();
    larder.run_with_input(&["apply", "-"], &as_json("piped").to_string()).ok();
    larder.run("describe piped").ok();
    larder.run_with_input(&["validate", "-"], "a: [").ended(1).says(&["<stdin>:1:4: "]);
}

#[test]
fn export_writes_a_file_a_group_and_plan_finds_no_change() {
    let larder = with_files();
    larder.run("apply defs").ok();
    larder.run_words(&["update", "readings", "--description", "red \u{1b}[31m: and # more"]).ok();
    larder.run("export definitions out").ok().shows(&["wrote 2 definitions"]);
    assert_eq!(names_in(&larder.path("out")), ["other.larder.yaml", "readings.larder.yaml"]);
    larder.run("plan out --check").ok().shows(&["2 unchanged"]);
    larder.run("export definitions one --group other").ok();
    assert_eq!(names_in(&larder.path("one")), ["other.larder.yaml"]);
    larder.run("export definitions one --group othr").ended(1).says(&["did you mean 'other'?"]);
    let shown = larder.run("plan defs").ok();
    assert!(!shown.out.contains('\u{1b}'), "{shown:#?}");
}

#[test]
fn the_samples_are_right_and_the_schema_is_json() {
    let larder = Larder::new();
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/definitions");
    larder.run_words(&["apply", samples.to_str().unwrap()]).ok();
    larder.run_words(&["plan", "--check", samples.to_str().unwrap()]).ok();
    assert_eq!(larder.run("schema").ok().json()["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
