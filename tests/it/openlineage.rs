//! OpenLineage, both ways: what we send is valid by the published schema and says what happened; what others send becomes edges.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::Larder;
use crate::support::test_data;

const LABELS: &str = "sensor,when,label\ns1,2026-01-01T12:00:00Z,1\ns2,2026-01-01T12:00:00Z,0\n";

/// The published schemas, if this machine has them beside the other data: `openlineage/OpenLineage.json` and its facets.
fn schemas() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("LARDER_TEST_DATA")?).join("openlineage");
    folder.join("OpenLineage.json").exists().then_some(folder)
}

/// Checks a value against a JSON schema of the kinds that OpenLineage uses; returns what is wrong.
fn faults(value: &Value, schema: &Value, root: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(reference) = schema["$ref"].as_str() {
        let (file, pointer) = reference.split_once('#').unwrap();
        let other;
        let root = match file {
            "" => root,
            url => {
                let name = url.rsplit('/').next().unwrap();
                other = serde_json::from_str(&std::fs::read_to_string(schemas().unwrap().join(name)).unwrap()).unwrap();
                &other
            }
        };
        let target = root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        found.extend(faults(value, target, root, place));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(faults(value, part, root, place));
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|choice| faults(value, choice, root, place).is_empty()).count();
        if fitting != 1 {
            let told: Vec<_> = choices.iter().flat_map(|choice| faults(value, choice, root, place)).collect();
            found.push(format!("{place}: fits {fitting} of the choices: {told:?}"));
        }
    }
    if schema.get("not").is_some_and(|not| faults(value, not, root, place).is_empty()) {
        found.push(format!("{place}: has what it must not have"));
    }
    let is_of_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("type {other}"),
    };
    if schema["type"].as_str().is_some_and(|name| !is_of_type(name)) {
        found.push(format!("{place}: is no {}", schema["type"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{place}: {value} is none of {}", schema["enum"]));
    }
    if let (Some(format), Some(text)) = (schema["format"].as_str(), value.as_str()) {
        let fits = match format {
            "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
            "uuid" => uuid::Uuid::try_parse(text).is_ok(),
            "uri" => url::Url::parse(text).is_ok(),
            other => panic!("format {other}"),
        };
        if !fits {
            found.push(format!("{place}: '{text}' is no {format}"));
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            found.push(format!("{place}: lacks {name}"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(known), _) => found.extend(faults(member, known, root, &place)),
            (None, Some(other)) if other.is_object() => found.extend(faults(member, other, root, &place)),
            (None, Some(Value::Bool(false))) => found.push(format!("{place}: is not allowed")),
            _ => {}
        }
    }
    if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array()) {
        for (number, element) in elements.iter().enumerate() {
            found.extend(faults(element, items, root, &format!("{place}[{number}]")));
        }
    }
    found
}

/// Checks an event, and each of its facets by the schema that it names itself.
fn check_event(event: &Value) -> Vec<String> {
    let Some(folder) = schemas() else {
        eprintln!("skipped: LARDER_TEST_DATA has no openlineage folder with the published schemas");
        return Vec::new();
    };
    let read = |name: &str| -> Option<Value> { serde_json::from_str(&std::fs::read_to_string(folder.join(name)).ok()?).ok() };
    let schema = read("OpenLineage.json").unwrap();
    let mut found = faults(event, &schema, &schema, "event");
    let mut holders = vec![event["run"].clone(), event["job"].clone(), event["dataset"].clone()];
    for side in ["inputs", "outputs"] {
        holders.extend(event[side].as_array().cloned().unwrap_or_default());
    }
    for holder in holders {
        for members in ["facets", "inputFacets", "outputFacets"] {
            for (key, facet) in holder[members].as_object().into_iter().flatten() {
                let url = facet["_schemaURL"].as_str().unwrap_or_default();
                let name = url.rsplit('/').find(|part| part.ends_with(".json") || part.contains(".json#")).unwrap_or_default();
                let name = name.split('#').next().unwrap_or_default();
                if let Some(schema) = read(name) {
                    let id = schema["$id"].as_str().unwrap();
                    assert!(url.starts_with(id), "{key}: {url} is not {id}");
                    found.extend(faults(&json!({ key: facet }), &schema, &schema, key));
                } else {
                    // Only the newest of all facets is younger than its published form.
                    assert!(key == "lineage" || url.is_empty(), "no schema for {url}");
                }
            }
        }
    }
    found
}

#[test]
fn the_check_itself_refuses_what_is_wrong() {
    if schemas().is_none() {
        return;
    }
    let good = json!({"eventType": "COMPLETE", "eventTime": "2026-08-20T10:00:00Z", "producer": "urn:x:1", "schemaURL": "https://x/y",
        "run": {"runId": "01991c2e-7a00-7000-8000-000000000001"}, "job": {"namespace": "a", "name": "b"}});
    assert_eq!(check_event(&good), Vec::<String>::new());
    for (pointer, wrong) in [
        ("/eventType", json!("DONE")),
        ("/eventTime", json!("yesterday")),
        ("/run/runId", json!("x")),
        ("/job", json!({"namespace": "a"})),
        ("/producer", json!(1)),
    ] {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = wrong;
        assert!(!check_event(&event).is_empty(), "{pointer}");
    }
    let mut event = good;
    event["outputs"] = json!([{"namespace": "a", "name": "b", "facets": {"schema": {"fields": []}}}]);
    assert!(!check_event(&event).is_empty(), "a facet without producer");
}

fn bench(larder: &Larder, place: &str) {
    larder.file("labels.csv", LABELS);
    let build = "dataset build --spine labels.csv --spine-id sensor --spine-time when --features readings:celsius,note --name train -o train.parquet";
    for words in ["ingest readings readings.csv", build, "ingest readings nothing-*.csv", "ingest readings broken.csv"] {
        let words: Vec<&str> = words.split(' ').collect();
        let mut command = larder.command(&words);
        command.env("OPENLINEAGE_URL", place).env("OPENLINEAGE_NAMESPACE", "test").env("OPENLINEAGE_API_KEY", "sesame");
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }
}

#[test]
fn loads_and_builds_are_told_with_events_that_are_valid() {
    let larder = Larder::with_readings();
    larder.file("broken.csv", "sensor,at,celsius\ns1,never,1\n");
    let file = larder.path("out/events.ndjson");
    bench(&larder, &format!("file://{}", file.display()));
    let events: Vec<Value> = std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        assert_eq!(check_event(event), Vec::<String>::new(), "{event:#}");
    }
    let told: Vec<(&str, &str)> =
        events.iter().map(|event| (event["job"]["name"].as_str().unwrap(), event["eventType"].as_str().unwrap())).collect();
    let load = "load.readings";
    assert_eq!(
        told,
        [(load, "START"), (load, "COMPLETE"), ("dataset.train", "START"), ("dataset.train", "COMPLETE"), (load, "START"), (load, "FAIL")]
    );
    assert!(events.chunks(2).all(|pair| pair[0]["run"]["runId"] == pair[1]["run"]["runId"]), "one run has one identity");
    assert!(events.iter().all(|event| event["job"]["namespace"] == "test"));
    let loaded = &events[1];
    assert_eq!(loaded["inputs"][0]["name"], larder.path("readings.csv").to_str().unwrap());
    assert_eq!(loaded["outputs"][0]["name"], "feature-group/readings");
    assert_eq!(loaded["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"], 4);
    let built = &events[3]["outputs"][0];
    let column = &built["facets"]["columnLineage"]["fields"]["celsius"]["inputFields"][0];
    assert_eq!((&column["name"], &column["field"]), (&json!("feature-group/readings"), &json!("celsius")));
    assert_eq!(built["facets"]["columnLineage"]["dataset"][0]["transformations"][0]["subtype"], "JOIN");

    // What we send, we understand: taken in by another store, a walk from the file reaches the dataset.
    let other = Larder::with_readings();
    let report = other.run(&format!("lineage import {} --json", file.display())).ok().json();
    assert_eq!((&report["successful"], &report["failed"]), (&json!(6), &json!(0)));
    let answer = other.run("lineage readings.celsius --down --json").ok().json();
    assert!(answer["nodes"].as_array().unwrap().iter().any(|node| node["ref"] == "column:train@1.celsius"), "{answer:#}");
    for node in ["readings", "train@1"] {
        let shown = larder.run(&format!("lineage {node} --format openlineage")).ok();
        for line in shown.out.lines() {
            assert_eq!(check_event(&serde_json::from_str(line).unwrap()), Vec::<String>::new(), "{line}");
        }
    }
}

#[test]
fn events_go_over_http_and_an_endpoint_that_is_gone_fails_nothing() {
    let larder = Larder::with_readings();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        while bodies.len() < 2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4_096];
            loop {
                let read = stream.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..read]);
                let shown = String::from_utf8_lossy(&text).into_owned();
                if let Some((head, body)) = shown.split_once("\r\n\r\n") {
                    let head = head.to_ascii_lowercase();
                    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap();
                    if body.len() >= length {
                        bodies.push((head, body.to_owned()));
                        break;
                    }
                }
            }
            stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        }
        bodies
    });
    let ingest = |place: &str| {
        let mut command = larder.command(&["ingest", "readings", "readings.csv"]);
        command.env("OPENLINEAGE_URL", place).env("OPENLINEAGE_API_KEY", "sesame").stdout(Stdio::null());
        command.status().unwrap().success()
    };
    assert!(ingest(&place));
    for (head, body) in server.join().unwrap() {
        assert!(head.starts_with("post /api/v1/lineage http/1.1") && head.contains("authorization: bearer sesame"), "{head}");
        assert_eq!(check_event(&serde_json::from_str(&body).unwrap()), Vec::<String>::new());
    }
    assert!(ingest(&place), "nobody listens any more");
    let mut disabled = larder.command(&["ingest", "readings", "readings.csv"]);
    let file = larder.path("never.ndjson");
    disabled.env("OPENLINEAGE_URL", &file).env("OPENLINEAGE_DISABLED", "true").stdout(Stdio::null());
    assert!(disabled.status().unwrap().success() && !file.exists());
    let mut wrong = larder.command(&["list"]);
    wrong.env("OPENLINEAGE_URL", "kafka://x");
    assert_eq!(wrong.status().unwrap().code(), Some(2));
}

fn run_event(kind: &str, at: &str, run: &str, inputs: &[&str], outputs: &[&str]) -> String {
    let datasets = |names: &[&str]| names.iter().map(|name| json!({"namespace": "pg", "name": name})).collect::<Vec<_>>();
    json!({"eventType": kind, "eventTime": at, "producer": "urn:t", "schemaURL": "https://x/y",
        "run": {"runId": run}, "job": {"namespace": "etl", "name": "nightly"}, "inputs": datasets(inputs), "outputs": datasets(outputs)})
    .to_string()
}

fn import(larder: &Larder, text: &str) -> Value {
    larder.run_with_input(&["lineage", "import", "-", "--json"], text).ok().json()
}

fn nodes(larder: &Larder, words: &str) -> BTreeSet<String> {
    let answer = larder.run(&format!("lineage {words} --json")).ok().json();
    answer["nodes"].as_array().unwrap().iter().map(|node| node["ref"].as_str().unwrap().to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const FIRST: &str = "01991c2e-7a00-7000-8000-000000000001";
const SECOND: &str = "01991c2e-7a00-7000-8000-000000000002";

#[test]
fn an_event_that_says_the_same_twice_adds_nothing() {
    let larder = Larder::with_readings();
    let event = run_event("COMPLETE", "2026-01-01T00:00:00Z", FIRST, &["a"], &["b"]);
    let first = import(&larder, &event);
    assert_eq!((&first["successful"], &first["edges"], &first["nodes"]), (&json!(1), &json!(2), &json!(3)));
    let again = import(&larder, &format!("[{event},\n{event}]"));
    assert_eq!((&again["known"], &again["edges"], &again["nodes"]), (&json!(2), &json!(0), &json!(0)));
    // Another run that shows the same: the same edges, seen once more.
    let later = import(&larder, &run_event("COMPLETE", "2026-01-02T00:00:00Z", SECOND, &["a"], &["b"]));
    assert_eq!((&later["successful"], &later["edges"], &later["ended"]), (&json!(1), &json!(0), &json!(0)));
    assert_eq!(nodes(&larder, "source:pg/a --down"), set(&["source:pg/a", "job:etl/nightly", "source:pg/b"]));
}

#[test]
fn a_run_that_completes_replaces_what_earlier_runs_of_its_job_said_in_whatever_order_events_come() {
    let events = [
        run_event("START", "2026-01-01T00:00:00Z", FIRST, &["old", "kept"], &[]),
        run_event("COMPLETE", "2026-01-01T01:00:00Z", FIRST, &[], &["out"]),
        run_event("START", "2026-01-02T00:00:00Z", SECOND, &["kept", "new"], &[]),
        run_event("COMPLETE", "2026-01-02T01:00:00Z", SECOND, &[], &["out"]),
    ];
    for order in [[0, 1, 2, 3], [2, 3, 0, 1], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let larder = Larder::with_readings();
        for number in order {
            import(&larder, &events[number]);
        }
        let now = nodes(&larder, "source:pg/out --up");
        assert_eq!(now, set(&["source:pg/out", "job:etl/nightly", "source:pg/kept", "source:pg/new"]), "{order:?}");
        let then = nodes(&larder, "source:pg/out --up --at 2026-01-01T12:00:00Z");
        assert_eq!(then, set(&["source:pg/out", "job:etl/nightly", "source:pg/kept", "source:pg/old"]), "{order:?}");
    }
}

#[test]
fn every_form_in_which_column_lineage_is_told_is_understood() {
    let larder = Larder::with_readings();
    let base = |more: Value| {
        let mut event = json!({"eventTime": "2026-01-01T00:00:00Z", "producer": "urn:t", "schemaURL": "https://x/y"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event.to_string()
    };
    let group = json!({"namespace": "arn:aws:sagemaker:us-east-1:000000000000", "name": "feature-group/READINGS"});
    let with = |mut dataset: Value, facets: Value| {
        dataset["facets"] = facets;
        dataset
    };
    let facet = |members: Value| {
        let mut facet = json!({"_producer": "urn:t", "_schemaURL": "https://x/y"});
        facet.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        facet
    };
    // The older facet, on the output of a job event; masked, and a filter over the whole.
    let older = facet(json!({"fields": {"celsius": {"inputFields": [{"namespace": "pg", "name": "t", "field": "kelvin",
        "transformations": [{"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": true}]}]}},
        "dataset": [{"namespace": "pg", "name": "t", "field": "active"}]}));
    let job = base(json!({"job": {"namespace": "etl", "name": "j"}, "inputs": [{"namespace": "pg", "name": "t"}],
        "outputs": [with(group.clone(), json!({"columnLineage": older}))]}));
    // The newest facet, on a dataset without a job.
    let newer = facet(json!({"inputs": [{"namespace": "pg", "name": "u", "type": "DATASET"}],
        "fields": {"note": {"inputs": [{"namespace": "pg", "name": "u", "type": "DATASET", "field": "remark"}]}}}));
    let dataset = base(json!({"dataset": with(group, json!({"lineage": newer, "strange_facet": {"x": [1]}}))}));
    let report = import(&larder, &format!("{job}\n{dataset}\n"));
    assert_eq!((&report["successful"], &report["failed"]), (&json!(2), &json!(0)));

    let down = |field: &str| nodes(&larder, &format!("column:{field} --down"));
    assert_eq!(down("pg/t.kelvin"), set(&["column:pg/t.kelvin", "readings.celsius"]));
    assert_eq!(down("pg/u.remark"), set(&["column:pg/u.remark", "readings.note"]));
    let answer = larder.run("lineage column:pg/t.active --down --json").ok().json();
    assert_eq!((&answer["edges"][0]["to"], &answer["edges"][0]["indirect"]), (&json!("readings"), &json!(true)));
    assert!(nodes(&larder, "readings.celsius --up").contains("column:pg/t.kelvin"));

    // Two inputs, and no word of which reaches the output: that is inferred, and said to be.
    import(&larder, &run_event("COMPLETE", "2026-01-01T00:00:00Z", FIRST, &["x", "y"], &["z"]));
    let answer = larder.run("lineage source:pg/x --down --json").ok().json();
    assert_eq!(answer["coverage"]["inferred"], 1);
    // A dataset that is dropped stays, marked.
    let gone = facet(json!({"lifecycleStateChange": "DROP"}));
    let mut event: Value =
        serde_json::from_str(&base(json!({"dataset": {"namespace": "pg", "name": "y", "facets": {"lifecycleStateChange": gone}}})))
            .unwrap();
    event["eventTime"] = "2026-02-01T00:00:00Z".into();
    import(&larder, &event.to_string());
    let answer = larder.run("lineage source:pg/z --up --json").ok().json();
    let state = |name: &str| answer["nodes"].as_array().unwrap().iter().find(|node| node["ref"] == name).unwrap()["deleted"].clone();
    assert_eq!((state("source:pg/y"), state("source:pg/x")), (json!(true), json!(false)));
}

#[test]
fn a_faulty_event_stops_no_other() {
    let larder = Larder::with_readings();
    let good = run_event("COMPLETE", "2026-01-01T00:00:00Z", FIRST, &["a"], &["b"]);
    let outcome = larder.run_with_input(&["lineage", "import", "-"], &format!("{{\"eventTime\":\"2026-01-01T00:00:00Z\"}}\n{good}\n"));
    outcome.ended(3).says(&["event 1", "neither a job nor a dataset"]).shows(&["took in 1 of 2 events"]);
    larder.run_with_input(&["lineage", "import", "-"], "not json").ended(1);
}

#[test]
fn a_training_job_that_reads_the_file_of_a_dataset_is_its_consumer() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    larder.file("labels.csv", LABELS);
    larder.run("dataset build --spine labels.csv --spine-id sensor --spine-time when --features readings:celsius -o train.parquet").ok();
    let event = json!({"eventType": "COMPLETE", "eventTime": "2036-01-01T00:00:00Z", "producer": "urn:t", "schemaURL": "https://x/y",
        "run": {"runId": FIRST}, "job": {"namespace": "airflow", "name": "fit"},
        "inputs": [{"namespace": "file", "name": larder.path("train.parquet").to_str().unwrap()}],
        "outputs": [{"namespace": "larder", "name": "model/doors"}]});
    import(&larder, &event.to_string());
    let found = nodes(&larder, "readings.celsius --down");
    assert_eq!(found, set(&["readings.celsius", "train@1", "job:airflow/fit", "model:doors"]));
}

#[test]
fn marquez_sample_becomes_a_graph_with_columns() {
    let Some(path) = test_data("marquez/metadata.template.json") else { return };
    let larder = Larder::with_readings();
    let text = std::fs::read_to_string(path).unwrap();
    let refused = larder.run_with_input(&["lineage", "import", "-"], &text).ended(1);
    assert!(refused.err.contains("eventTime"), "{refused:?}");
    let text = text.replace("{{RUN_START_TIME}}", "2026-01-01T00:00:00Z").replace("{{RUN_END_TIME}}", "2026-01-01T00:05:00Z");
    let text = regex_free_times(&text);
    let report = import(&larder, &text);
    assert_eq!((&report["received"], &report["failed"]), (&json!(26), &json!(0)), "{report:#}");
    // By hand from the file: the e-mail address passes through two tables.
    let down = nodes(&larder, "column:food_delivery/public.customers.email --down");
    for column in ["delivery_7_days.customer_email", "top_delivery_times.customer_email"] {
        assert!(down.contains(&format!("column:food_delivery/public.{column}")), "{down:?}");
    }
    assert!(!down.contains("column:food_delivery/public.top_delivery_times.driver_id"));
}

/// Fills in whatever placeholders of times are left.
fn regex_free_times(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (_, after) = after.split_once("}}").unwrap();
        filled += before;
        filled += "2026-01-01T00:00:00Z";
        rest = after;
    }
    filled + rest
}
