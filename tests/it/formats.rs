//! What larder writes is read by those who know nothing of it: Python `deltalake`, Polars and DuckDB.
//!
//! The libraries are the real ones, installed once into `target/python-readers`; that needs `python3` and the
//! package index. `LARDER_SKIP_PYTHON=1` leaves the test out, and says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use larder::backend::offline::{CompactionTarget, OfflineRow, Selection};
use larder::model::{EventTime, FeatureValue, Scalar};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::offline::{drain, group, open, row, rows};

const PACKAGES: [&str; 4] = ["deltalake>=1.0,<2", "polars>=1.20,<2", "duckdb>=1.1,<2", "pyarrow>=17"];

const READ: &str = r#"
import json, sys
import deltalake, duckdb, polars

def sums(rows, score, visits, deleted, newest):
    return {"rows": rows, "score": score or 0.0, "visits": visits or 0, "deleted": deleted or 0, "newest": newest}

place = sys.argv[1]
table = deltalake.DeltaTable(place)
arrow = polars.from_arrow(table.to_pyarrow_table())
lazy = polars.scan_delta(place).collect()
out = {"version": table.version(), "files": len(table.file_uris())}
for name, frame in [("deltalake", arrow), ("polars", lazy)]:
    newest = frame["__event_time"].max()
    out[name] = sums(frame.height, frame["score"].sum(), frame["visits"].sum(), frame["is_deleted"].sum(), int(newest.timestamp()))
    out[name + "_columns"] = frame.columns
files = [uri.removeprefix("file://") for uri in table.file_uris()]
out["duckdb"] = sums(*duckdb.sql(
    "select count(*), sum(score), sum(visits)::bigint, count(*) filter (is_deleted), epoch(max(__event_time))::bigint "
    f"from read_parquet({files!r}, union_by_name=true)"
).fetchone())
# Pruning by the log's statistics must not lose rows either.
out["pruned"] = polars.scan_delta(place).filter(polars.col("id") == "customer-07").select(polars.len()).collect().item()
out["unpruned"] = arrow.filter(polars.col("id") == "customer-07").height
print(json.dumps(out))
"#;

fn run(command: &mut Command) -> Result<String, String> {
    let told = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{told}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{told}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The interpreter of an environment under `target/` that has these packages; `check` imports them.
pub fn environment(name: &str, packages: &[&str], check: &str) -> PathBuf {
    // Two tests may ask for one environment at once, in processes of their own.
    let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.lock"));
    let lock = std::fs::File::create(lock).unwrap();
    lock.lock().unwrap();
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(name);
    let folder = if cfg!(windows) { "Scripts" } else { "bin" };
    let python = environment.join(folder).join("python");
    let ready = environment.join(format!("ready-{}", packages.len()));
    if ready.exists() {
        return python;
    }
    let advice = "this test runs Python libraries: install python3 with venv and allow the package index, or set LARDER_SKIP_PYTHON=1";
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        .and_then(|_| {
            run(Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"])
                .args(packages))
        })
        .and_then(|_| run(Command::new(&python).args(["-c", check])));
    if let Err(error) = made {
        panic!("{advice}\n{error}");
    }
    std::fs::write(ready, "").unwrap();
    python
}

/// The interpreter of an environment that has the libraries.
pub fn python() -> PathBuf {
    environment("python-readers", &PACKAGES, "import deltalake, polars, duckdb, pyarrow")
}

fn expected(outbox: &[OfflineRow]) -> Value {
    let (mut score, mut visits) = (0.0, 0);
    for value in outbox.iter().filter(|row| !row.is_deleted).flat_map(|row| &row.values[2..]).flatten() {
        match value {
            FeatureValue::Scalar(Scalar::Fractional { value, .. }) => score += value,
            FeatureValue::Scalar(Scalar::Integral { value, .. }) => visits += value,
            other => panic!("{other:?}"),
        }
    }
    let newest = outbox.iter().map(|row| row.event_time.unix_seconds()).max();
    let deleted = outbox.iter().filter(|row| row.is_deleted).count();
    json!({ "rows": outbox.len(), "score": score, "visits": visits, "deleted": deleted, "newest": newest })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_libraries_read_the_same_rows() {
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so no other reader has seen the tables");
        return;
    }
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("Trips-of_2026"));
    let mut outbox = rows(&mut StdRng::seed_from_u64(20), 1, 660);
    outbox[3] = OfflineRow { is_deleted: true, ..row("customer-07", 1_700_000_100, None, None, 4) };
    // One drain, twenty, then compacted, and enough for a checkpoint, compacted again.
    let mut commits = 0;
    for drains in 1..=66usize {
        drain(&store, &group, &outbox[..drains * 10]).await.unwrap();
        commits += 1;
        if [21, 66].contains(&drains) {
            let snapshot = store.snapshot(&group).await.unwrap();
            let target = CompactionTarget { rows: 100, bytes: 1 << 27 };
            let plan = store.plan_compaction(&snapshot, &Default::default(), target, Selection::Everything);
            store.compact(&group, &plan, EventTime::MIN, Arc::new(|_| ()), Arc::default()).await.unwrap();
            commits += 1;
        }
        if ![1, 20, 21, 66].contains(&drains) {
            continue;
        }
        let place = folder.path().join(store.folder(&group).unwrap().data_key());
        let read = run(Command::new(&python).args(["-c", READ]).arg(&place)).unwrap();
        let read: Value = serde_json::from_str(read.lines().last().unwrap()).unwrap();
        let expected = expected(&outbox[..drains * 10]);
        for reader in ["deltalake", "polars", "duckdb"] {
            assert_eq!(read[reader], expected, "{reader} after {drains} drains");
        }
        assert_eq!((&read["version"], &read["files"]), (&json!(commits), &json!(store.snapshot(&group).await.unwrap().files().len())));
        assert_eq!(read["pruned"], read["unpruned"]);
        let columns = json!(["id", "at", "score", "visits", "write_time", "api_invocation_time", "is_deleted", "__event_time"]);
        assert_eq!((&read["deltalake_columns"], &read["polars_columns"]), (&columns, &columns));
    }
}
