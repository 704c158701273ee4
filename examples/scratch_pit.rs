#![allow(missing_docs, clippy::all, clippy::print_stderr, clippy::unwrap_used)]
use larder::dataset::request::*;
use larder::store::*;
use std::time::Instant;
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let store = FeatureStore::open(&a[1], OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
    let t = Instant::now();
    let request = DatasetRequest { spine: SpineSource::File(a[3].clone()), spine_id: "customer_id".into(), spine_time: "label_time".into(),
        features: vec![FeatureSelection { group: a[2].clone(), spine_id: None, alias: None, features: None }], ttls: vec![], as_of: None };
    let memory = std::env::var("MEM").ok().map(|m| m.parse::<u64>().unwrap() << 20);
    let threads = std::env::var("THREADS").ok().map(|m| m.parse().unwrap());
    let plan = store.plan_dataset(&request, &PlanOptions { memory, parallelism: threads, ..PlanOptions::default() }).await.unwrap();
    eprintln!("plan {:.3}", t.elapsed().as_secs_f64());
    let stream = plan.run().await.unwrap();
    eprintln!("run {:.3} rows {} matched {:?}", t.elapsed().as_secs_f64(), stream.spine_rows(), stream.matched());
    let out = std::fs::File::create(&a[4]).unwrap();
    let pieces = stream.into_pieces();
    tokio::task::spawn_blocking(move || { write_pieces(pieces, threads.unwrap_or(2), out, &mut |_| Ok(())).unwrap(); }).await.unwrap();
    eprintln!("written {:.3}", t.elapsed().as_secs_f64());
}
