//! Groups on the command line: made, listed, described, changed, labelled, dropped.

use serde_json::json;

use crate::cli::{Larder, READINGS};

#[test]
fn create_reads_the_schema_off_a_file_and_loads_nothing() {
    let larder = Larder::new();
    larder.file("readings.csv", READINGS);
    larder
        .run_words(&[
            "create",
            "readings",
            "--from",
            "readings.csv",
            "--id",
            "sensor",
            "--event-time",
            "at",
            "--ttl",
            "7d",
            "--description",
            "What the sensors say",
            "--owner",
            "climate",
            "--tag",
            "team=climate",
            "--tag",
            "pii=no",
        ])
        .ok()
        .says(&["larder ingest readings readings.csv"]);
    let page = larder.run("describe readings --json").ok().json();
    assert_eq!(
        (&page["name"], &page["status"], &page["online"], &page["offline"], &page["records"]),
        (&json!("readings"), &json!("Created"), &json!(true), &json!(true), &json!(0))
    );
    assert_eq!(
        (&page["record_identifier"], &page["event_time"], &page["ttl"], &page["description"], &page["owner"]),
        (&json!("sensor"), &json!("at"), &json!("7d"), &json!("What the sensors say"), &json!("climate"))
    );
    assert_eq!(page["tags"], json!({"team": "climate", "pii": "no"}));
    assert!(page["created"].as_str().unwrap().ends_with('Z'));
    let types: Vec<(&str, &str)> = page["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| (feature["name"].as_str().unwrap(), feature["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        types,
        [
            ("sensor", "String"),
            ("at", "String"),
            ("celsius", "Fractional"),
            ("count", "Integral"),
            ("door_open", "Integral"),
            ("note", "String")
        ]
    );
}

#[test]
fn create_keeps_the_stores_asked_for_and_leaves_columns_out() {
    let larder = Larder::new();
    larder.file("readings.csv", READINGS);
    let made = |words: &str| larder.run(&format!("create {words} --from readings.csv --id sensor --event-time at --json")).ok().json();
    let online = made("latest --online-only --ttl 30m --drop note --drop count");
    assert_eq!((&online["online"], &online["offline"], &online["features"].as_array().unwrap().len()), (&json!(true), &json!(false), &4));
    let offline = made("archive --offline-only");
    assert_eq!((&offline["online"], &offline["offline"]), (&json!(false), &json!(true)));
}

#[test]
fn create_refuses_what_cannot_be_and_says_why() {
    let larder = Larder::with_readings();
    for (words, told) in [
        ("create readings --from readings.csv --id sensor --event-time at", "already"),
        ("create READINGS --from readings.csv --id sensor --event-time at", "already"),
        ("create other --from readings.csv --id senso --event-time at", "'sensor'"),
        ("create other --from readings.csv --id sensor --event-time att", "'at'"),
        ("create other --from missing.csv --id sensor --event-time at", "missing.csv"),
        ("create bad.name --from readings.csv --id sensor --event-time at", "bad.name"),
        ("create bad_ --from readings.csv --id sensor --event-time at", "bad_"),
        ("create other --from readings.csv --id sensor --event-time at --drop nothing", "nothing"),
    ] {
        let outcome = larder.run(words).says(&[told]);
        assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:#?}");
    }
    assert_eq!(larder.run("list --json").ok().json().as_array().unwrap().len(), 1);
}

#[test]
fn list_has_every_group_with_its_figures() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    larder.run("create archive --from readings.csv --id sensor --event-time at --offline-only --owner climate --tag pii=no").ok();
    let list = larder.run("list --json").ok().json();
    let archive = &list[0];
    let readings = &list[1];
    assert_eq!(
        (&archive["name"], &archive["online"], &archive["offline"], &archive["features"], &archive["records"]),
        (&json!("archive"), &json!(false), &json!(true), &json!(6), &json!(0))
    );
    assert_eq!((&archive["owner"], &archive["tags"], &archive["description"]), (&json!("climate"), &json!({"pii": "no"}), &json!(null)));
    assert_eq!((&readings["name"], &readings["status"], &readings["records"]), (&json!("readings"), &json!("Created"), &json!(4)));
    let table = larder.run("list").ok();
    let mut lines = table.out.lines();
    assert!(lines.next().unwrap().starts_with("NAME"), "{}", table.out);
    assert!(lines.all(|line| !line.contains('\t') && !line.contains('\u{1b}')), "{}", table.out);
}

#[test]
fn an_empty_store_lists_nothing_and_says_how_to_begin() {
    let larder = Larder::new();
    assert_eq!(larder.run("list --json").ok().json(), json!([]));
    larder.run("list").ok().says(&["larder demo", "larder create"]);
}

#[test]
fn a_misspelt_group_is_an_error_with_the_right_name() {
    let larder = Larder::with_readings();
    for words in [
        "describe reading",
        "get reading s1",
        "history reading s1",
        "put reading sensor=s1",
        "tag reading a=b",
        "drop reading --yes",
        "update reading --owner x",
        "delete reading s1 --event-time 5",
        "batch-get reading s1",
        "ingest reading readings.csv",
        "flush reading",
    ] {
        larder.run(words).ended(1).says(&["reading", "did you mean 'readings'?"]);
    }
}

#[test]
fn update_changes_what_may_change() {
    let larder = Larder::with_readings();
    larder.run_words(&["update", "readings", "--description", "New words", "--owner", "climate", "--ttl", "4w"]).ok();
    larder.run("update readings --add-feature rating:Fractional --add-feature labels:List<String> --add-feature v:Vector<3>").ok();
    larder
        .run_words(&[
            "update",
            "readings",
            "--feature",
            "celsius",
            "--feature-description",
            "Air temperature",
            "--parameter",
            "unit=C",
            "--parameter",
            "a=b",
        ])
        .ok();
    larder.run("update readings --feature celsius --remove-parameter a").ok();
    let page = larder.run("describe readings --json").ok().json();
    assert_eq!((&page["description"], &page["owner"], &page["ttl"]), (&json!("New words"), &json!("climate"), &json!("4w")));
    let feature = |name: &str| page["features"].as_array().unwrap().iter().find(|feature| feature["name"] == name).unwrap().clone();
    assert_eq!((&feature("celsius")["description"], &feature("celsius")["parameters"]), (&json!("Air temperature"), &json!({"unit": "C"})));
    assert_eq!((&feature("labels")["type"], &feature("labels")["collection"]), (&json!("String"), &json!("List")));
    assert_eq!((&feature("v")["collection"], &feature("v")["dimension"]), (&json!("Vector"), &json!(3)));
    larder.run("update readings --ttl none").ok();
    assert_eq!(larder.run("describe readings --json").ok().json()["ttl"], json!(null));

    larder.run("update readings --add-feature CELSIUS:String").ended(1).says(&["celsius"]);
    larder.run("update readings --feature celsus --feature-description x").ended(1).says(&["did you mean 'celsius'?"]);
}

#[test]
fn tags_are_set_shown_and_removed() {
    let larder = Larder::with_readings();
    larder.run("tag readings team=climate pii=no").ok();
    larder.run("tag readings pii=yes --remove team").ok();
    assert_eq!(larder.run("tag readings --json").ok().json(), json!({"pii": "yes"}));
    larder.run("tag readings").ok().shows(&["pii", "yes"]);
}

#[test]
fn drop_asks_and_without_a_terminal_demands_yes() {
    let larder = Larder::with_readings();
    larder.run("drop readings").ended(2).says(&["--yes"]);
    assert_eq!(larder.run("list --json").ok().json().as_array().unwrap().len(), 1);
    larder.run("drop readings --yes").ok();
    assert_eq!(larder.run("list --json").ok().json(), json!([]));
    larder.run("describe readings").ended(1);
    larder.run("create readings --from readings.csv --id sensor --event-time at").ok();
    assert_eq!(larder.run("get readings s1").code, Some(4), "a group made anew starts empty");
}

#[test]
fn descriptions_cannot_steer_the_terminal() {
    let larder = Larder::with_readings();
    larder.run_words(&["update", "readings", "--description", "red \u{1b}[31m and \u{202e}back"]).ok();
    for words in ["list", "describe readings"] {
        let outcome = larder.run(words).ok();
        assert!(!outcome.out.contains('\u{1b}') && !outcome.out.contains('\u{202e}'), "{outcome:#?}");
    }
    let page = larder.run("describe readings --json").ok().json();
    assert_eq!(page["description"], "red \u{1b}[31m and \u{202e}back", "data stays as it is");
}

#[test]
fn a_catalog_that_another_process_holds_answers_6() {
    use sqlx::Connection;
    let larder = Larder::with_readings();
    let catalog = larder.store().join("catalog.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let holding = runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite:{}", catalog.display())).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        connection
    });
    larder.run("tag readings team=climate").ended(6).says(&["another process"]);
    larder.run("get readings nobody").ended(4);
    runtime.block_on(async { holding.close().await.unwrap() });
    larder.run("tag readings team=climate").ok();
}
