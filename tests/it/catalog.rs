//! The catalog as several processes, damaged disks and other versions meet it.
//!
//! Other processes are this test binary, run again with the name of one test and a variable that says what to do;
//! without the variable that test does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use larder::catalog::{Catalog, CatalogOptions, GroupUpdate};
use larder::model::{
    ErrorKind, EventTime, FeatureDefinition, FeatureGroup, FeatureName, FeatureType, GroupId, GroupName, GroupStatus, OfflineSettings,
    OnlineSettings, Schema,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

const ROLE: &str = "LARDER_TEST_CATALOG_ROLE";
const FILE: &str = "LARDER_TEST_CATALOG_FILE";

fn now() -> EventTime {
    EventTime::from_unix_seconds(1_790_000_000).unwrap()
}

fn group(name: &str) -> FeatureGroup {
    let feature = |name: &str, feature_type| FeatureDefinition::new(FeatureName::parse(name).unwrap(), feature_type);
    let features =
        vec![feature("id", FeatureType::String), feature("at", FeatureType::Fractional), feature("score", FeatureType::Fractional)];
    FeatureGroup {
        id: GroupId(uuid::Uuid::now_v7()),
        name: GroupName::parse(name).unwrap(),
        description: None,
        owner: None,
        tags: BTreeMap::new(),
        schema: Schema::new(features, "id", "at").unwrap(),
        online: Some(OnlineSettings::default()),
        offline: Some(OfflineSettings { s3_uri: "s3://larder".into(), external: None, ..OfflineSettings::default() }),
        status: GroupStatus::Created,
        failure_reason: None,
        expectations: larder::model::GroupExpectations::default(),
        created: now(),
        modified: now(),
    }
}

fn creating() -> CatalogOptions {
    CatalogOptions { create: true, ..CatalogOptions::default() }
}

fn impatient() -> CatalogOptions {
    CatalogOptions { busy_timeout: Duration::from_millis(20), ..CatalogOptions::default() }
}

/// A catalog file with one group, closed.
async fn catalog_file(folder: &Path) -> PathBuf {
    let path = folder.join("catalog.db");
    let catalog = Catalog::open(&path, creating()).await.unwrap();
    catalog.insert_group(&group("clicks")).await.unwrap();
    catalog.close().await.unwrap();
    path
}

/// A connection behind the catalog's back.
async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn refused(path: &Path, options: CatalogOptions) -> larder::model::Error {
    match Catalog::open(path, options).await {
        Ok(_) => panic!("the catalog was opened"),
        Err(error) => error,
    }
}

fn spawn(role: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "catalog::another_process", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the other processes do; nothing when run as a test.
#[tokio::test]
async fn another_process() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var(FILE)) else { return };
    let catalog = Catalog::open(&path, creating()).await.unwrap();
    if role == "endless" {
        for number in 0.. {
            catalog.insert_group(&group(&format!("group-{number}"))).await.unwrap();
            println!("\nacknowledged group-{number}");
        }
    }
    let mut won = 0;
    for number in 0..10 {
        catalog.insert_group(&group(&format!("{role}-{number}"))).await.unwrap();
        let shared = format!("shared-{number}");
        match catalog.insert_group(&group(&shared)).await {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
        let id = catalog.group(&shared).await.unwrap().unwrap().id;
        let tag = GroupUpdate { add_tags: BTreeMap::from([(role.clone(), "was here".into())]), ..GroupUpdate::default() };
        catalog.update_group(&id, &tag, now()).await.unwrap();
    }
    println!("\nwon {won}, made the tables {}", catalog.is_new());
}

#[tokio::test]
async fn processes_that_write_a_new_catalog_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let roles = ["ann", "bob", "cleo"];
    let children: Vec<Child> = roles.iter().map(|role| spawn(role, &path)).collect();
    let mut won = 0;
    let mut makers = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("won ")).unwrap();
        let (count, made) = line.split_once(", made the tables ").unwrap();
        won += count.parse::<usize>().unwrap();
        makers += usize::from(made == "true");
    }
    assert_eq!(won, 10, "each shared name went to exactly one process");
    assert_eq!(makers, 1, "exactly one process made the tables");

    let catalog = Catalog::open(&path, CatalogOptions::default()).await.unwrap();
    let groups = catalog.groups().await.unwrap();
    assert_eq!(groups.len(), 40);
    for group in groups.iter().filter(|group| group.name.as_str().starts_with("shared")) {
        let tagged: Vec<&str> = group.tags.keys().map(String::as_str).collect();
        assert_eq!(tagged, roles, "no update overwrote another");
    }
    assert!(catalog.check_integrity().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let mut acknowledged = BTreeSet::new();
    for kill_after in [3, 7, 12] {
        let mut child = spawn("endless", &path);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let names = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned));
        let names: Vec<String> = names.take(kill_after).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names.len(), kill_after);
        acknowledged.extend(names);

        let catalog = Catalog::open(&path, CatalogOptions::default()).await.unwrap();
        let present: BTreeSet<String> = catalog.group_names().await.unwrap().into_iter().collect();
        assert!(acknowledged.is_subset(&present), "{acknowledged:?} against {present:?}");
        assert!(catalog.check_integrity().await.unwrap().is_empty());
        // The next child starts counting at 0 again.
        for name in &present {
            let id = catalog.group(name).await.unwrap().unwrap().id;
            catalog.set_status(&id, GroupStatus::Deleting, None, now()).await.unwrap();
            catalog.remove_group(&id).await.unwrap();
        }
        acknowledged.clear();
    }
}

#[tokio::test]
async fn a_catalog_that_another_process_holds_is_locked_for_changes_and_open_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = catalog_file(folder.path()).await;
    let catalog = Catalog::open(&path, impatient()).await.unwrap();
    let mut holder = raw(&path).await;
    let held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let error = catalog.insert_group(&group("late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    assert!(error.to_string().contains("another process is writing"), "{error}");
    assert_eq!(catalog.group_names().await.unwrap(), ["clicks"]);
    let second = Catalog::open(&path, impatient()).await.unwrap();
    assert!(second.group("clicks").await.unwrap().is_some());

    held.rollback().await.unwrap();
    catalog.insert_group(&group("late")).await.unwrap();
    assert_eq!(second.group_names().await.unwrap(), ["clicks", "late"], "the other handle sees the change at once");
}

#[tokio::test]
async fn a_catalog_of_a_newer_version_is_refused_and_left_alone() {
    for change in ["PRAGMA user_version = 9999", "UPDATE settings SET value = '2' WHERE name = 'format_version'"] {
        let folder = tempfile::tempdir().unwrap();
        let path = catalog_file(folder.path()).await;
        let mut behind = raw(&path).await;
        sqlx::query(change).execute(&mut behind).await.unwrap();
        behind.close().await.unwrap();
        let before = std::fs::read(&path).unwrap();
        for options in [creating(), CatalogOptions { read_only: true, ..CatalogOptions::default() }] {
            let error = refused(&path, options).await;
            assert_eq!(error.kind(), ErrorKind::NewerFormat, "{error}");
            assert!(error.to_string().contains("use that version or a later one"), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_file_that_is_no_catalog_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, b"not a database at all, but long enough to have a header ".repeat(100)).unwrap();
    let foreign = folder.path().join("foreign.db");
    let mut connection = raw(&foreign).await;
    sqlx::query("CREATE TABLE accounts (id INTEGER)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    for path in [garbage, foreign] {
        let before = std::fs::read(&path).unwrap();
        for read_only in [false, true] {
            let error = refused(&path, CatalogOptions { read_only, create: true, ..CatalogOptions::default() }).await;
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains("larder rebuilds the catalog"), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_damaged_catalog_is_an_error_and_never_a_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = catalog_file(folder.path()).await;
    let sound = std::fs::read(&path).unwrap();
    let pages = sound.len() / 4096;
    let mut found_damage = 0;
    for page in 0..pages {
        let mut damaged = sound.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xA5);
        std::fs::write(&path, &damaged).unwrap();
        let answer = async {
            let catalog = Catalog::open(&path, CatalogOptions::default()).await?;
            let groups = catalog.groups().await?;
            let faults = catalog.check_integrity().await?;
            Ok::<_, larder::model::Error>((groups, faults))
        };
        match answer.await {
            Ok((groups, faults)) => {
                assert!(groups.iter().all(|group| group.name.as_str() == "clicks" && group.schema.len() == 3));
                assert!(!faults.is_empty(), "page {page} is damaged and nobody said so");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "page {page}: {error}");
                found_damage += 1;
            }
        }
    }
    assert!(found_damage > 0);
}

#[tokio::test]
async fn reading_only_changes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("catalog.db");
    let read_only = || CatalogOptions { read_only: true, create: true, ..CatalogOptions::default() };
    let error = refused(&missing, read_only()).await;
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!missing.exists());
    assert_eq!(refused(&missing, CatalogOptions::default()).await.kind(), ErrorKind::NotFound);

    let path = catalog_file(folder.path()).await;
    let catalog = Catalog::open(&path, read_only()).await.unwrap();
    assert!(catalog.is_read_only());
    assert_eq!(catalog.group("CLICKS").await.unwrap().unwrap().name.as_str(), "clicks");
    let error = catalog.insert_group(&group("more")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");

    let writing = Catalog::open(&path, CatalogOptions::default()).await.unwrap();
    writing.insert_group(&group("more")).await.unwrap();
    assert_eq!(catalog.group_names().await.unwrap(), ["clicks", "more"], "a reader sees what others write");
}

#[tokio::test]
async fn an_empty_file_is_a_catalog_to_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    std::fs::write(&path, b"").unwrap();
    assert_eq!(refused(&path, CatalogOptions::default()).await.kind(), ErrorKind::NotFound);
    let catalog = Catalog::open(&path, creating()).await.unwrap();
    assert!(catalog.is_new());
    assert!(catalog.groups().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_large_catalog_is_read_in_one_piece() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path().join("catalog.db"), creating()).await.unwrap();
    let groups: Vec<FeatureGroup> = (0..300)
        .map(|number| {
            let mut group = group(&format!("group-{number:04}"));
            let more = (0..50).map(|i| FeatureDefinition {
                description: Some(format!("number {i} of group {number}")),
                ..FeatureDefinition::new(FeatureName::parse(&format!("feature_{i}")).unwrap(), FeatureType::Integral)
            });
            group.schema = group.schema.with_added(more.collect()).unwrap();
            group.tags = (0..5).map(|i| (format!("tag {i}"), number.to_string())).collect();
            group
        })
        .collect();
    catalog.insert_groups(&groups).await.unwrap();
    assert_eq!(catalog.groups().await.unwrap(), groups);
}
