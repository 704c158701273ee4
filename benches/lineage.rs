//! The figure of the lineage walk: a catalog of 100,000 edges, `cargo bench --bench lineage`.
//!
//! Two thousand groups with twenty features each, half of which go into datasets, models and endpoints; files that groups are loaded
//! from. Walks start at a feature, at a model, and at a file from which a tenth of everything is reached. Timings are printed, never
//! asserted.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use larder::catalog::{Catalog, CatalogOptions};
use larder::catalog::{EdgeKind, EdgeMethod, LineageNote, NewEdge, NodeKey, NodeKind};
use larder::lineage::Names;
use larder::model::EventTime;
use larder::store::lineage::{Direction, LineageQuestion};
use larder::store::{FeatureStore, OpenOptions};

const GROUPS: usize = 2_000;
const FEATURES: usize = 20;
const ROUNDS: u32 = 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = FeatureStore::open(folder.path(), OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
        let edges = fill(&store).await;
        println!("lineage: {edges} edges and those of {} features to their groups", GROUPS * FEATURES);
        let one_way = |node: &str, direction| LineageQuestion { directions: vec![direction], ..LineageQuestion::about(node) };
        for (what, question) in [
            ("down from a feature", one_way("feature:group-7.feature-3", Direction::Down)),
            ("up from a model", one_way("model:model-7", Direction::Up)),
            ("down from a file that loads a tenth of all groups", one_way("source:/lake/0.parquet", Direction::Down)),
        ] {
            let mut times = Vec::new();
            let mut size = (0, 0);
            for _ in 0..ROUNDS {
                let begun = Instant::now();
                let answer = store.lineage(&question).await.unwrap();
                times.push(begun.elapsed());
                size = (answer.nodes.len(), answer.edges.len());
            }
            times.sort();
            let middle = times[times.len() / 2].as_secs_f64() * 1_000.0;
            let worst = times.last().unwrap().as_secs_f64() * 1_000.0;
            println!("  {what}: {} nodes, {} edges, median {middle:.2} ms, worst of {ROUNDS} {worst:.2} ms", size.0, size.1);
        }
    });
}

/// Notes the graph; returns how many edges it has without those of features to their groups.
async fn fill(store: &FeatureStore) -> usize {
    let catalog = Catalog::open(store.folder().join("catalog.db"), CatalogOptions::default()).await.unwrap();
    let names: Names = store.lineage_names();
    let now = EventTime::from_unix_seconds(1_780_000_000).unwrap();
    let own = |kind, name: String| NodeKey::new(kind, larder::lineage::names::LARDER, name);
    let mut count = 0;
    for group in 0..GROUPS {
        let key = names.group(&format!("group-{group}"));
        let mut edges =
            vec![NewEdge::new(names.file(&format!("/lake/{}.parquet", group % 10)), key.clone(), EdgeKind::Loads, EdgeMethod::Observed)];
        for feature in 0..FEATURES {
            let feature_key = key.field(format!("feature-{feature}"));
            // Each feature goes into a dataset of its group and into two of a neighbour's.
            for dataset in [group, (group + 1) % GROUPS, (group * 7 + feature) % GROUPS].into_iter().take(1 + 2 * (feature % 2)) {
                let dataset = names.dataset(&format!("dataset-{dataset}@1"));
                let edge = NewEdge::new(feature_key.clone(), dataset, EdgeKind::Derives, EdgeMethod::Observed);
                edges.push(NewEdge { transform: "IDENTITY".to_owned(), ..edge });
            }
        }
        let model = own(NodeKind::Model, format!("model-{group}"));
        edges.push(NewEdge::new(names.dataset(&format!("dataset-{group}@1")), model.clone(), EdgeKind::Trains, EdgeMethod::Declared));
        edges.push(NewEdge::new(model, own(NodeKind::Endpoint, format!("endpoint-{group}")), EdgeKind::Serves, EdgeMethod::Declared));
        count += edges.len();
        catalog.note_lineage(&LineageNote { edges, ..LineageNote::default() }, now).await.unwrap();
    }
    catalog.close().await.unwrap();
    count
}
