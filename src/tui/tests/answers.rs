//! What the shop answers about statistics, drift, lineage, statements, training datasets and jobs.

use super::shop::NOW;
use crate::tui::model::statistics::{Day, Drift, FeatureDrift, FeatureNumbers, Level, Numbers, Shapes, Standing};
use crate::tui::model::{jobs, lineage, sql, statistics};
use crate::tui::msg::{News, Request};
use crate::tui::units::SECOND;

const HOUR: i64 = 3_600 * SECOND;

pub(super) fn answer(request: &Request) -> Vec<News> {
    match request {
        Request::Statistics(statistics::Question::Numbers { latest, refresh, .. }) => {
            let standing = if *refresh { Standing::Fresh } else { Standing::Stale(1_200) };
            let rows = if *latest { 3_000 } else { 84_112 };
            let numbers = Numbers { rows, standing, taken: NOW - HOUR, features: features(rows) };
            vec![News::Statistics(statistics::Answer::Numbers(Ok(numbers)))]
        }
        Request::Statistics(statistics::Question::Days { feature, .. }) => {
            let day = |at: u64| Day { rows: 100, nulls: at % 4, mean: (at != 7).then(|| 0.57 + at as f64 / 500.0) };
            vec![News::Statistics(statistics::Answer::Days(feature.clone(), Ok((0..30).map(day).collect())))]
        }
        Request::Statistics(statistics::Question::Drift { baseline, .. }) => {
            let measure =
                |name, value, level, detail: &str| (name, value, level, Some(detail.to_owned()).filter(|detail| !detail.is_empty()));
            let drifted = FeatureDrift {
                name: "loyalty_score".to_owned(),
                level: Level::Alert,
                measures: vec![measure("ks", 0.31, Level::Alert, ""), measure("mean_shift", 0.9, Level::Watch, "0.61 → 0.79")],
                shapes: Some(Shapes {
                    axis: Some(("0".to_owned(), "1".to_owned())),
                    values: Vec::new(),
                    before: (0..40).map(|bin: i32| f64::from(20 - (bin - 15).abs().min(20)) / 400.0).collect(),
                    now: (0..40).map(|bin: i32| f64::from(20 - (bin - 28).abs().min(20)) / 400.0).collect(),
                }),
            };
            let calm = FeatureDrift {
                name: "orders_30d".to_owned(),
                level: Level::Ok,
                measures: vec![measure("psi", 0.02, Level::Ok, "")],
                shapes: Some(Shapes {
                    axis: None,
                    values: vec!["1".to_owned(), "2\u{1b}".to_owned()],
                    before: vec![0.7, 0.3],
                    now: vec![0.6, 0.4],
                }),
            };
            let windows = format!("16 Nov to 22 Nov against {baseline}");
            vec![News::Statistics(statistics::Answer::Drift(Ok(Drift { windows, features: vec![drifted, calm], notes: Vec::new() })))]
        }
        Request::Statistics(statistics::Question::Baselines(_)) => {
            let all = vec!["launch".to_owned(), "dataset:churn_v3@2".to_owned()];
            vec![News::Statistics(statistics::Answer::Baselines(Ok((all, None))))]
        }
        Request::Statistics(statistics::Question::Pin { name, .. }) => {
            let all = vec!["launch".to_owned(), name.clone()];
            vec![News::Statistics(statistics::Answer::Baselines(Ok((all, Some(name.clone())))))]
        }
        Request::Statistics(statistics::Question::Unpin { .. }) => {
            vec![News::Statistics(statistics::Answer::Baselines(Ok((Vec::new(), None))))]
        }
        Request::Lineage(lineage::Question::Graph { node, .. }) => vec![News::Lineage(lineage::Answer::Graph(Ok(graph(node))))],
        Request::Lineage(lineage::Question::Breaks { .. }) => {
            let broken = |reference: &str, kind, effect, weight| lineage::Broken {
                reference: reference.to_owned(),
                kind,
                name: reference.to_owned(),
                effect,
                weight,
            };
            let all = vec![broken("churn_v3@1", "dataset", "breaks", 2), broken("model:churn", "model", "learn anew", 1)];
            vec![News::Lineage(lineage::Answer::Breaks(Ok(all)))]
        }
        Request::Sql(sql::Question::Run(text)) if text.contains("nonsense") => {
            let error = crate::model::Error::usage("no column 'nonsense'").remedy("use one of customer_id, loyalty_score");
            vec![News::Sql(sql::Answer::Rows(Err((&error).into())))]
        }
        Request::Sql(sql::Question::Run(_)) => {
            let row = |at: usize| {
                vec![
                    Some(format!("C{at:04}")),
                    (!at.is_multiple_of(3)).then(|| format!("0.{at}")),
                    Some("books, garden\u{1b}[31m".to_owned()),
                ]
            };
            let columns = vec![("customer_id".to_owned(), false), ("loyalty_score".to_owned(), true), ("interests".to_owned(), false)];
            let table = sql::Table { columns, rows: (1..=120).map(row).collect(), cut: false, took: 18_400 };
            vec![News::Sql(sql::Answer::Arrived(64)), News::Sql(sql::Answer::Rows(Ok(table)))]
        }
        Request::Sql(sql::Question::Export { path, .. }) => vec![News::Sql(sql::Answer::Exported(Ok((120, path.clone()))))],
        Request::Datasets(question) => super::rows::of_datasets(question),
        Request::Jobs(jobs::Question::Runs) => {
            let run = |state, kind, message: Option<&str>| jobs::Run {
                id: "0192".to_owned(),
                kind,
                group: Some("customer-features".to_owned()),
                state,
                rows: (41_400, 41_388, 12),
                started: NOW - HOUR,
                updated: NOW - HOUR + 2 * SECOND,
                message: message.map(str::to_owned),
            };
            let runs =
                vec![run("running", "load", None), run("failed", "load", Some("row 17: 'abc' is no number")), run("done", "drain", None)];
            vec![News::Jobs(jobs::Answer::Runs(Ok(runs)))]
        }
        Request::Jobs(jobs::Question::Flush) => vec![News::Jobs(jobs::Answer::Flushed(Ok((87, 2))))],
        _ => Vec::new(),
    }
}

fn features(rows: u64) -> Vec<FeatureNumbers> {
    let feature = |name: &str, kind: &str| FeatureNumbers {
        name: name.to_owned(),
        kind: kind.to_owned(),
        rows,
        read: true,
        ..FeatureNumbers::default()
    };
    vec![
        FeatureNumbers {
            distinct: (84_100.0, false, 82_000.0, 86_300.0),
            nulls: 340,
            bounds: Some(("0".to_owned(), "1".to_owned())),
            mean: Some(0.6132),
            std: Some(0.241),
            counts: vec![("zero", 2_104)],
            quantiles: vec![("p5", "0.12".to_owned()), ("p50", "0.66".to_owned()), ("p95", "0.95".to_owned())],
            rank_error: 0.004,
            spark: vec![1, 2, 3, 5, 7, 8, 6, 3],
            bars: (0..40).map(|at: u64| 1_000 - (at.abs_diff(26)).pow(2).min(980)).collect(),
            axis: Some(("0".to_owned(), "1".to_owned())),
            ..feature("loyalty_score", "Fractional")
        },
        FeatureNumbers {
            distinct: (3.0, true, 3.0, 3.0),
            top: vec![("gold".to_owned(), rows / 2), ("silver".to_owned(), rows / 3), ("bronze\u{202e}".to_owned(), rows / 6)],
            spark: vec![6, 4, 2],
            ..feature("loyalty_tier", "String")
        },
        FeatureNumbers { nulls: rows, ..feature("return_rate", "Fractional") },
    ]
}

fn graph(middle: &str) -> lineage::Graph {
    let node = |reference: &str, name: &str, kind| lineage::Node {
        reference: reference.to_owned(),
        name: name.to_owned(),
        kind,
        owner: None,
        gone: false,
    };
    let edge = |source, target, kind, method| lineage::Edge { source, target, kind, method, since: NOW - 48 * HOUR };
    lineage::Graph {
        nodes: vec![
            node(middle, middle, "feature"),
            node("source:/data/purchases.parquet", "/data/purchases.parquet", "source"),
            node("churn_v3@1", "churn_v3@1", "dataset"),
            node("model:churn", "churn", "model"),
        ],
        edges: vec![edge(1, 0, "loads", "observed"), edge(0, 2, "derives", "observed"), edge(2, 3, "trains", "declared")],
        known: (3, 5),
    }
}
