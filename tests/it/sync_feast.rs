//! Sync from Feast registries, in all their forms. Registries are encoded here by hand, number by number, after Feast's protos, so
//! that the numbers the program knows are checked against another reading of them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::cli::Larder;

/// A field of bytes: a text, or a message.
fn bytes(number: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A field that is a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// `EntityMeta`, `FeatureViewMeta`, …: created = 1, last updated = 2, each a Timestamp of seconds = 1.
fn meta(created: u64) -> Vec<u8> {
    [bytes(1, number(1, created)), bytes(2, number(1, created + 60))].concat()
}

/// `FeatureSpecV2`: name = 1, value type = 2, description = 4.
fn feature(name: &str, value_type: u64) -> Vec<u8> {
    [bytes(1, name), number(2, value_type), bytes(4, format!("what {name} means"))].concat()
}

fn entity() -> Vec<u8> {
    let spec = [bytes(1, "driver"), number(2, 4), bytes(3, "Who drives"), bytes(4, "driver_id"), bytes(9, "shop"), bytes(10, "team:fleet")];
    [bytes(1, spec.concat()), bytes(2, meta(1_700_000_000))].concat()
}

/// `DataSource`: type = 1 (file), field mapping = 2, timestamp = 3, file options = 11 (uri = 2), name = 20, project = 21.
fn source() -> Vec<u8> {
    let mapping = [bytes(1, "rate_raw"), bytes(2, "rate")].concat();
    let file = bytes(11, bytes(2, "/data/stats.parquet"));
    [number(1, 1), bytes(2, mapping), bytes(3, "at"), file, bytes(20, "stats_source"), bytes(21, "shop")].concat()
}

fn view(name: &str, created: u64) -> Vec<u8> {
    let tag = [bytes(1, "stage"), bytes(2, "prod")].concat();
    let spec = [
        bytes(1, name),
        bytes(2, "shop"),
        bytes(3, "driver"),
        bytes(4, feature("rate", 6)),
        bytes(4, feature("trips", 4)),
        bytes(5, tag),
        bytes(6, number(1, 86_400)),
        bytes(7, source()),
        number(8, 1),
        bytes(10, "Figures of drivers"),
        bytes(11, "team:fleet"),
        bytes(12, feature("driver_id", 4)),
    ];
    [bytes(1, spec.concat()), bytes(2, meta(created))].concat()
}

/// `OnDemandFeatureView`: features = 3, sources = 4 (a map; a projection is 3 of its values), created as the others.
fn on_demand() -> Vec<u8> {
    let projection = [bytes(1, "stats"), bytes(2, feature("rate", 6))].concat();
    let entry = [bytes(1, "stats"), bytes(2, bytes(3, projection))].concat();
    let spec = [bytes(1, "rate_plus"), bytes(2, "shop"), bytes(3, feature("plus", 5)), bytes(4, entry)];
    [bytes(1, spec.concat()), bytes(2, meta(1_700_000_100))].concat()
}

fn service() -> Vec<u8> {
    let projection = [bytes(1, "stats"), bytes(2, feature("rate", 6))].concat();
    let spec = [bytes(1, "ranking"), bytes(2, "shop"), bytes(3, projection), bytes(5, "For ranking"), bytes(6, "team:search")];
    [bytes(1, spec.concat()), bytes(2, meta(1_700_000_200))].concat()
}

fn dataset() -> Vec<u8> {
    let spec = [bytes(1, "march"), bytes(2, "shop"), bytes(3, "stats:rate"), bytes(8, "ranking")];
    [bytes(1, spec.concat()), bytes(2, meta(1_700_000_300))].concat()
}

/// `Registry`, fields in the order in which Feast writes them: that of their numbers.
fn registry(views: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut fields = vec![bytes(1, entity()), bytes(3, "1"), bytes(4, "some-uuid"), bytes(5, number(1, 1_700_000_400))];
    fields.extend(views.iter().map(|view| bytes(6, view)));
    fields.extend([bytes(7, service()), bytes(8, on_demand()), bytes(11, dataset()), bytes(12, source())]);
    fields.push(bytes(17, bytes(1, bytes(1, "shop"))));
    fields
}

fn stats() -> Vec<u8> {
    view("stats", 1_700_000_050)
}

fn with_registry(fields: &[Vec<u8>]) -> (Larder, PathBuf) {
    let larder = Larder::new();
    let path = larder.path("registry.db");
    std::fs::write(&path, fields.concat()).unwrap();
    add(&larder, &path);
    (larder, path)
}

fn add(larder: &Larder, path: &Path) {
    larder.run_words(&["source", "add", "shop", "feast", path.to_str().unwrap()]).ok();
}

/// Kinds and names of what was told.
fn told(larder: &Larder) -> Vec<(String, String)> {
    let told = larder.run("source show shop --json").ok().json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    told.as_array().unwrap().iter().map(|one| (text(&one["kind"]), text(&one["name"]))).collect()
}

fn all() -> Vec<(String, String)> {
    let pairs = [
        ("group", "rate_plus"),
        ("group", "stats"),
        ("entity", "driver"),
        ("service", "ranking"),
        ("dataset", "march"),
        ("source", "stats_source"),
    ];
    pairs.map(|(kind, name)| (kind.to_owned(), name.to_owned())).to_vec()
}

#[test]
fn a_registry_file_is_told_whole_and_twice_is_once() {
    let (larder, _) = with_registry(&registry(&[stats()]));
    larder.run("sync --check").ended(4);
    larder.run("sync").ok();
    assert_eq!(told(&larder), all());
    let page = larder.run("describe stats --json").ok().json();
    let facts = [&page["owner"], &page["ttl"], &page["record_identifier"], &page["event_time"], &page["entity"], &page["tags"]["stage"]];
    assert_eq!(facts.map(|fact| fact.as_str().unwrap()), ["team:fleet", "1d", "driver_id", "at", "driver", "prod"]);
    let features = page["features"].as_array().unwrap();
    let types: Vec<(&str, &Value)> = features.iter().map(|feature| (feature["name"].as_str().unwrap(), &feature["type"])).collect();
    let (integral, fractional) = (json!("Integral"), json!("Fractional"));
    assert_eq!(types, [("driver_id", &integral), ("at", &Value::Null), ("rate", &fractional), ("trips", &integral)]);
    assert_eq!(features[2]["description"], "what rate means");
    assert_eq!(page["created"], "2023-11-14T22:14:10Z");
    let again = larder.run("sync --json").ok().json();
    assert_eq!((&again["changes"], &again["sources"][0]["unchanged"]), (&json!([]), &json!(6)));
    larder.run("sync --check").ended(0);
}

#[test]
fn lineage_leads_from_the_file_to_the_service_and_ends_with_it() {
    let (larder, path) = with_registry(&registry(&[stats()]));
    larder.run("sync").ok();
    let down = larder.run_words(&["lineage", "source:/data/stats.parquet", "--down"]).ok();
    down.shows(&["stats.rate", "rate_plus", "view:shop/ranking", "shop/march"]);
    let up = larder.run("lineage view:shop/ranking --up").ok();
    up.shows(&["column:/data/stats.parquet.rate_raw"]);
    let feature = larder.run("lineage stats.rate --json").ok().json();
    assert!(feature["nodes"].as_array().unwrap().iter().all(|node| node["deleted"] != json!(true)), "{feature}");
    // The service goes; what it read is known no longer as read by it.
    let mut fields = registry(&[stats()]);
    fields.retain(|field| field[0] != 7 << 3 | 2);
    std::fs::write(&path, fields.concat()).unwrap();
    let report = larder.run("sync --json").ok().json();
    assert_eq!((&report["changes"][0]["op"], &report["changes"][0]["kind"]), (&json!("delete"), &json!("service")));
    let down = larder.run("lineage stats.rate --down").ok();
    assert!(!down.out.contains("view:shop/ranking"), "{}", down.out);
}

#[test]
fn a_registry_that_is_not_whole_deletes_nothing_and_is_told() {
    let fields = registry(&[stats(), view("other", 1_700_000_060)]);
    let (larder, path) = with_registry(&fields);
    larder.run("sync").ok();
    let before = told(&larder);
    let whole = fields.concat();
    let at_a_border = fields[..fields.len() - 3].concat();
    for half in [&whole[..0], &whole[..whole.len() / 2], &whole[..whole.len() - 1], &at_a_border[..]] {
        std::fs::write(&path, half).unwrap();
        larder.run("sync").ended(1).says(&["registry.db", "is no whole Feast registry"]);
        assert_eq!(told(&larder), before);
    }
    std::fs::remove_file(&path).unwrap();
    larder.run("sync").ended(1).says(&["registry.db"]);
    assert_eq!(told(&larder), before);
    std::fs::write(&path, whole).unwrap();
    assert_eq!(larder.run("sync --json").ok().json()["changes"], json!([]));
}

#[test]
fn a_view_made_anew_is_another_one_and_many_deletions_are_withheld() {
    let many: Vec<Vec<u8>> = (0..20).map(|number| view(&format!("view_{number}"), 1_700_000_000)).chain([stats()]).collect();
    let (larder, path) = with_registry(&registry(&many));
    larder.run("sync").ok();
    std::fs::write(&path, registry(&[stats()]).concat()).unwrap();
    let withheld = larder.run("sync --json").ended(5).json();
    assert_eq!((&withheld["sources"][0]["withheld"], told(&larder).len()), (&json!(20), 26));
    larder.run("sync --max-delete 20").ok();
    assert_eq!(told(&larder), all());
    std::fs::write(&path, registry(&[view("stats", 1_800_000_000)]).concat()).unwrap();
    let report = larder.run("sync --json").ok().json();
    assert_eq!((&report["changes"][0]["op"], &report["changes"][0]["id"]), (&json!("replace"), &json!("stats")));
    assert_eq!(larder.run("describe stats --json").ok().json()["created"], "2027-01-15T08:00:00Z");
}

#[test]
fn several_projects_need_a_name() {
    let mut fields = registry(&[stats()]);
    fields.push(bytes(17, bytes(1, bytes(1, "bank"))));
    let (larder, path) = with_registry(&fields);
    larder.run("sync").ended(1).says(&["several projects: bank, shop", "--option project=NAME"]);
    larder.run_words(&["source", "add", "bank", "feast", path.to_str().unwrap(), "--option", "project=bnak"]).ok();
    larder.run("sync bank").ended(1).says(&["no project 'bnak'", "bank, shop"]);
    larder.run("source remove shop").ok();
    larder.run_words(&["source", "add", "shop", "feast", path.to_str().unwrap(), "--option", "project=shop"]).ok();
    larder.run("sync shop").ok();
    assert_eq!(told(&larder), all());
}

#[test]
fn a_repository_is_followed_to_its_registry() {
    let larder = Larder::new();
    let inner = larder.path("repository/feature_repo");
    std::fs::create_dir_all(inner.join("data")).unwrap();
    std::fs::write(inner.join("feature_store.yaml"), "project: shop\nregistry: data/registry.db\nprovider: local\n").unwrap();
    add(&larder, &larder.path("repository"));
    larder.run("sync").ended(1).says(&["registry.db"]);
    std::fs::write(inner.join("data/registry.db"), registry(&[stats()]).concat()).unwrap();
    larder.run("sync").ok();
    assert_eq!(told(&larder), all());
}

#[test]
fn a_dump_tells_the_same_and_half_of_it_is_none() {
    let stamp = |second: u64| json!({"createdTimestamp": format!("2023-11-14T22:13:{second:02}Z")});
    let rate = json!({"name": "rate", "valueType": "FLOAT"});
    let projection = json!({"featureViewName": "stats", "featureColumns": [rate]});
    let source =
        json!({"type": "BATCH_FILE", "timestampField": "at", "fileOptions": {"uri": "/data/stats.parquet"}, "name": "stats_source"});
    let dump = json!({
        "project": "shop",
        "entities": [{"spec": {"name": "driver", "joinKey": "driver_id", "valueType": "INT64"}, "meta": stamp(20)}],
        "featureViews": [{"meta": stamp(21), "spec": {"name": "stats", "entities": ["driver"], "ttl": "86400s", "online": true,
            "features": [rate, {"name": "later", "valueType": "A_TYPE_TO_COME"}], "batchSource": source}}],
        "onDemandFeatureViews": [{"meta": stamp(22), "spec": {"name": "rate_plus", "features": [{"name": "plus", "valueType": "DOUBLE"}],
            "sources": {"stats": {"featureViewProjection": projection}}}}],
        "featureServices": [{"meta": stamp(23), "spec": {"name": "ranking", "features": [projection]}}],
        "savedDatasets": [{"meta": stamp(24), "spec": {"name": "march", "features": ["stats:rate"]}}],
        "dataSources": [source],
        "infra": [{"name": "left out"}],
    });
    let larder = Larder::new();
    let text = format!("Warning: for debugging only\n{dump:#}");
    let path = larder.file("dump.json", &text);
    add(&larder, &path);
    larder.run("sync").ok();
    assert_eq!(told(&larder), all());
    let page = larder.run("describe stats --json").ok().json();
    assert_eq!((&page["ttl"], &page["record_identifier"]), (&json!("1d"), &json!("driver_id")));
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    larder.run("sync").ended(1).says(&["dump.json is no whole dump"]);
    assert_eq!(told(&larder), all());
}

/// The tables of a SQL registry, as far as they hold objects.
const TABLES: [(&str, &str, &str); 6] = [
    ("entities", "entity_name", "entity_proto"),
    ("data_sources", "data_source_name", "data_source_proto"),
    ("feature_views", "feature_view_name", "feature_view_proto"),
    ("on_demand_feature_views", "feature_view_name", "feature_view_proto"),
    ("feature_services", "feature_service_name", "feature_service_proto"),
    ("saved_datasets", "saved_dataset_name", "saved_dataset_proto"),
];

async fn write_database(path: &Path, rows: &[(&str, &str, Vec<u8>)]) {
    let _ = std::fs::remove_file(path);
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for (table, key, message) in TABLES {
        let statement = format!(
            "CREATE TABLE {table} ({key} VARCHAR(255), project_id VARCHAR(255), last_updated_timestamp BIGINT, {message} BLOB, PRIMARY KEY ({key}, project_id))"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        for (_, name, blob) in rows.iter().filter(|(of, ..)| *of == table) {
            let statement = format!("INSERT INTO {table} VALUES (?1, 'shop', 0, ?2)");
            sqlx::query(sqlx::AssertSqlSafe(statement)).bind(*name).bind(blob).execute(&mut connection).await.unwrap();
        }
    }
    connection.close().await.unwrap();
}

fn rows() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("entities", "driver", entity()),
        ("data_sources", "stats_source", source()),
        ("feature_views", "stats", stats()),
        ("on_demand_feature_views", "rate_plus", on_demand()),
        ("feature_services", "ranking", service()),
        ("saved_datasets", "march", dataset()),
    ]
}

#[tokio::test]
async fn a_sql_registry_is_read_row_by_row_and_a_cut_message_is_a_fault_of_its_own() {
    let larder = Larder::new();
    let path = larder.path("sql.db");
    write_database(&path, &rows()).await;
    add(&larder, &path);
    larder.run("sync").ok();
    assert_eq!(told(&larder), all());
    let spec_only = 1 + 2 + stats().len() - meta(0).len() - 2;
    for cut in [10, spec_only.min(stats().len() - 1 - meta(1_700_000_050).len())] {
        let mut damaged = rows();
        damaged[2].2.truncate(cut);
        damaged.remove(4);
        write_database(&path, &damaged).await;
        let report = larder.run("sync --json").ended(3);
        let report = report.says(&["view 'stats' can't be decoded"]).json();
        assert_eq!((&report["sources"][0]["status"], &report["sources"][0]["withheld"]), (&json!("degraded"), &json!(1)));
        assert_eq!(told(&larder), all(), "neither the damaged one nor the one that is gone");
    }
    assert!(larder.run("describe stats --json").ok().json()["fault"].as_str().unwrap().contains("can't be decoded"));
    write_database(&path, &rows()).await;
    larder.run("sync").ok();
    assert_eq!(larder.run("describe stats --json").ok().json()["fault"], Value::Null);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 4_096]).unwrap();
    larder.run("sync").ended(1).says(&["sql.db"]);
    assert_eq!(told(&larder), all());
}

/// What Feast itself lists.
const LIST: &str = r#"
import json, sys
from feast import FeatureStore
store = FeatureStore(sys.argv[1])
registry, project = store.registry, store.project
print(json.dumps({
    "group": {view.name: [field.name for field in view.features] for view in registry.list_all_feature_views(project)},
    "entity": [entity.name for entity in registry.list_entities(project) if entity.name != "__dummy"],
    "service": [service.name for service in registry.list_feature_services(project)],
    "source": [source.name for source in registry.list_data_sources(project)],
}))
"#;

#[test]
fn the_quick_start_of_feast_is_told_as_feast_lists_it() {
    if ["LARDER_SKIP_PYTHON", "LARDER_SKIP_FEAST"].iter().any(|name| std::env::var(name).is_ok_and(|value| value == "1")) {
        eprintln!("LEFT OUT: LARDER_SKIP_FEAST=1, so nobody has synced what Feast itself writes");
        return;
    }
    let python = crate::formats::environment("python-feast", &["feast==0.67.0"], "import feast");
    let larder = Larder::new();
    let feast = |words: &[&str], folder: &Path| {
        let mut command = std::process::Command::new(python.with_file_name("feast"));
        let output = command.args(words).current_dir(folder).env("HOME", larder.path("")).env("FEAST_USAGE", "False").output().unwrap();
        assert!(output.status.success(), "feast {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    feast(&["init", "quick"], &larder.path(""));
    let repository = larder.path("quick/feature_repo");
    feast(&["apply"], &repository);
    let output = std::process::Command::new(&python).args(["-W", "ignore", "-c", LIST, "."]).current_dir(&repository).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let listed: Value = serde_json::from_str(listed.lines().last().unwrap_or_default()).unwrap();
    let views = listed["group"].as_object().unwrap();
    assert!(views.len() >= 5 && listed["service"].as_array().unwrap().len() >= 3, "{listed}");

    std::fs::write(larder.path("dump.json"), feast(&["registry-dump"], &repository)).unwrap();
    for (source, place) in [("repository", larder.path("quick")), ("dump", larder.path("dump.json"))] {
        larder.run_words(&["source", "add", source, "feast", place.to_str().unwrap()]).ok();
        larder.run(&format!("sync {source}")).ok();
        let told = larder.run(&format!("source show {source} --json")).ok().json();
        let names = |kind: &str| -> std::collections::BTreeSet<String> {
            let of_kind = told.as_array().unwrap().iter().filter(|one| one["kind"] == kind);
            of_kind.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names("group"), views.keys().cloned().collect(), "{source}");
        for kind in ["entity", "service", "source"] {
            let expected = listed[kind].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
            assert_eq!(names(kind), expected, "{kind} of {source}");
        }
        assert_eq!(larder.run(&format!("sync {source} --json")).ok().json()["changes"], json!([]), "twice is once");
    }
    for (view, features) in views {
        let page = larder.run(&format!("describe {view} --json")).ok().json();
        let known: Vec<&Value> = page["features"].as_array().unwrap().iter().map(|feature| &feature["name"]).collect();
        assert!(features.as_array().unwrap().iter().all(|feature| known.contains(&feature)), "{view}: {features} in {known:?}");
    }
    larder.run("lineage view:quick/driver_activity_v1 --up").ok().shows(&["driver_stats.parquet"]);
}
