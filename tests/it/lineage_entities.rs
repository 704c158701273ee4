//! Artifacts, contexts and actions over the store's graph, as far as no client of the wire sees it: what becomes of them in
//! `larder lineage`, and in a catalog that was lost.

use std::path::Path;

use larder::model::ErrorKind;
use larder::store::lineage::{Direction, EntityChange, EntityId, EntityKind, EntityRow, EntitySource, LineageQuestion, NewEntity};
use larder::store::{FeatureStore, OpenOptions};

async fn open(folder: &Path) -> FeatureStore {
    FeatureStore::open(folder, OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap()
}

async fn made(store: &FeatureStore, kind: EntityKind, name: &str, entity_type: &str, uri: &str) -> EntityRow {
    let source = EntitySource { uri: uri.into(), ..EntitySource::default() };
    let new = NewEntity { kind, name: Some(name.into()), entity_type: entity_type.into(), source, content: Default::default() };
    store.create_entity(new).await.unwrap()
}

#[tokio::test]
async fn what_clients_say_is_in_the_graph_and_outlives_a_lost_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let raw = made(&store, EntityKind::Artifact, "raw", "DataSet", "s3://bucket/raw/a.parquet").await;
    let job = made(&store, EntityKind::Action, "train-7", "Training", "https://ci/7").await;
    let model = made(&store, EntityKind::Artifact, "churn", "Model", "s3://bucket/models/churn").await;
    let gone = made(&store, EntityKind::Context, "gone", "Endpoint", "arn:endpoint").await;
    store.associate(&raw.id, &job.id, Some("ContributedTo")).await.unwrap();
    store.associate(&job.id, &model.id, Some("Produced")).await.unwrap();
    store.associate(&model.id, &gone.id, None).await.unwrap();
    assert_eq!(store.remove_entity(&gone.id).await.unwrap_err().kind(), ErrorKind::Invalid, "it is associated");
    assert!(store.dissociate(&model.id, &gone.id).await.unwrap());
    store.remove_entity(&gone.id).await.unwrap();
    let change = EntityChange { status: Some("Completed".into()), ..EntityChange::default() };
    store.change_entity(&job.id, &change).await.unwrap();

    let references = async |store: &FeatureStore| {
        let question = LineageQuestion { directions: vec![Direction::Down], ..LineageQuestion::about("source:s3://bucket/raw/a.parquet") };
        let answer = store.lineage(&question).await.unwrap();
        answer.nodes.into_iter().map(|node| node.reference).collect::<Vec<_>>()
    };
    assert_eq!(references(&store).await, ["source:s3://bucket/raw/a.parquet", "job:train-7", "model:churn"]);
    drop(store);
    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(file));
    }
    let store = open(folder.path()).await;
    assert_eq!(references(&store).await, ["source:s3://bucket/raw/a.parquet", "job:train-7", "model:churn"]);
    assert_eq!(store.entity(&job.id).await.unwrap().content.status.as_deref(), Some("Completed"));
    assert_eq!(store.entity(&gone.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    let associations = store.associations(None, None).await.unwrap();
    let ends: Vec<_> = associations.iter().map(|row| (&row.source, &row.destination, row.association_type.as_deref())).collect();
    assert_eq!(ends, [(&job.id, &model.id, Some("Produced")), (&raw.id, &job.id, Some("ContributedTo"))]);
}

#[tokio::test]
async fn what_the_store_knows_is_told_in_entities_and_can_not_be_changed_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let declaration = |from: &str, to: &str| larder::store::lineage::Declaration {
        from: from.into(),
        to: to.into(),
        kind: None,
        since: None,
        owner: None,
    };
    store.declare_lineage(&declaration("source:/data/a.csv", "model:churn")).await.unwrap();
    store.declare_lineage(&declaration("model:churn", "endpoint:churn-live")).await.unwrap();
    let listed =
        store.entities(EntityKind::Artifact, &larder::store::lineage::EntityPage { limit: 10, ..Default::default() }).await.unwrap();
    let mut types: Vec<&str> = listed.iter().map(|entity| entity.entity_type.as_str()).collect();
    types.sort_unstable();
    assert_eq!(types, ["DataSet", "Model"]);
    let file = listed.iter().find(|entity| entity.entity_type == "DataSet").unwrap();
    assert_eq!(file.source.uri, "file:///data/a.csv");
    let graph = store.entity_lineage(&file.id, &[Direction::Down], 10).await.unwrap();
    let reached: Vec<&str> = graph.vertices.iter().map(|entity| entity.entity_type.as_str()).collect();
    assert_eq!((reached, graph.edges.len()), (vec!["Model", "Endpoint"], 2));
    assert_eq!(store.entity_lineage(&file.id, &[Direction::Down], 1).await.unwrap().vertices.len(), 1);
    assert_eq!(store.remove_entity(&file.id).await.unwrap_err().kind(), ErrorKind::Invalid);
    let nobody = EntityId::new(EntityKind::Artifact, "node-999");
    assert_eq!(store.entity(&nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
}
