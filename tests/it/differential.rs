//! A cluster beside the test: what is asked of one machine is asked of a scheduler and two workers, too, and both must say the same.
//!
//! The tests of SQL and of training datasets come here with each of their questions, so every one of them is a test of the cluster. They
//! run in this process, for a store or for an engine of its own. In a build without a cluster nothing is asked.

#[cfg(feature = "cluster")]
pub use running::{Beside, Engines};
#[cfg(not(feature = "cluster"))]
pub use without::{Beside, Engines};

#[cfg(not(feature = "cluster"))]
mod without {
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use larder::dataset::{GroupSource, QueryOptions};
    use larder::model::Error;
    use larder::store::FeatureStore;
    use larder::store::cluster::ClusterOptions;
    use larder::store::datasets::{DatasetRequest, PlanOptions};
    use object_store::ObjectStore;

    /// No cluster for a store.
    #[derive(Default)]
    pub struct Beside {}

    impl Beside {
        pub fn of(&self, _store: &FeatureStore) -> Option<ClusterOptions> {
            None
        }

        pub async fn statement(&self, _store: &FeatureStore, _sql: &str, _here: &Result<RecordBatch, Error>) {}

        pub async fn answer(&self, _store: &FeatureStore, _sql: &str) -> Option<Result<RecordBatch, Error>> {
            None
        }

        pub async fn joined(&self, _store: &FeatureStore, _request: &DatasetRequest, _options: &PlanOptions, _here: &RecordBatch) {}

        pub async fn dataset(&self, _store: &FeatureStore, _request: &DatasetRequest, _hash: &str) {}

        pub fn end(&mut self) {}
    }

    /// No cluster for an engine.
    #[derive(Default)]
    pub struct Engines {}

    impl Engines {
        pub fn knows(&self, _group: larder::model::GroupId, _files: Arc<dyn ObjectStore>) {}

        pub async fn statement(
            &self,
            _source: Arc<dyn GroupSource>,
            _options: &QueryOptions,
            _sql: &str,
            _here: &Result<RecordBatch, Error>,
        ) {
        }
    }
}

#[cfg(feature = "cluster")]
mod running {
    use std::collections::HashMap;
    use std::net::SocketAddr;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex, OnceLock, mpsc};
    use std::time::{Duration, Instant};

    use arrow::array::{Array, RecordBatch};
    use arrow::compute::concat_batches;
    use arrow::util::display::array_value_to_string;
    use futures::TryStreamExt;
    use futures::future::BoxFuture;
    use larder::dataset::cluster::{Cluster, ClusterFiles, Scheduler, Worker, WorkerOptions};
    use larder::dataset::content_hash::ContentHasher;
    use larder::dataset::{EngineOptions, GroupSource, QueryEngine, QueryOptions, QueryStream};
    use larder::model::{Error, ErrorKind, GroupId, Result};
    use larder::store::FeatureStore;
    use larder::store::cluster::{ClusterOptions, ClusterWorker, run_scheduler};
    use larder::store::datasets::{DatasetRequest, PlanOptions};
    use object_store::ObjectStore;
    use object_store::memory::InMemory;
    use tempfile::TempDir;
    use tokio::runtime::Runtime;
    use tokio::task::JoinHandle;

    /// What runs until it is dropped.
    type Program = BoxFuture<'static, Result<()>>;

    /// Not a divisor of what tests like to have, so that some parts are larger than others and some are empty.
    const PARTS: usize = 3;
    /// A port that is free.
    const ANYWHERE: &str = "127.0.0.1:0";

    /// How long its programs may take to end.
    const FAREWELL: Duration = Duration::from_secs(5);

    /// Ends its programs when it goes, wherever that is.
    struct Running {
        scheduler: SocketAddr,
        programs: Vec<JoinHandle<()>>,
        runtime: Option<Runtime>,
        _folder: TempDir,
    }

    impl Running {
        /// Starts a scheduler and two workers: each is told where to say its address once it is ready.
        fn start<S, W>(scheduler: S, worker: W) -> Self
        where
            S: FnOnce(mpsc::Sender<SocketAddr>) -> Program,
            W: Fn(SocketAddr, PathBuf, mpsc::Sender<SocketAddr>) -> Program,
        {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let wait = |program: Box<dyn FnOnce(mpsc::Sender<SocketAddr>) -> Program + '_>| {
                let (sender, ready) = mpsc::channel();
                let program = program(sender);
                let running = runtime.spawn(async move { program.await.unwrap() });
                (running, ready.recv().expect("a program of the cluster ended before it was ready"))
            };
            let mut programs = Vec::new();
            let (program, address) = wait(Box::new(scheduler));
            programs.push(program);
            for number in 0..2 {
                let folder = folder.path().join(number.to_string());
                let (program, _) = wait(Box::new(|ready| worker(address, folder, ready)));
                programs.push(program);
            }
            Self { scheduler: address, programs, runtime: Some(runtime), _folder: folder }
        }
    }

    impl Drop for Running {
        /// The programs go before the services they watch. A worker that sees a service of its own end says to the whole process that
        /// workers are to stop, and those of other tests would.
        fn drop(&mut self) {
            self.programs.iter().for_each(JoinHandle::abort);
            let begun = Instant::now();
            while !self.programs.iter().all(JoinHandle::is_finished) && begun.elapsed() < FAREWELL {
                std::thread::sleep(Duration::from_millis(1));
            }
            // A runtime may not wait for its threads where others must not be held up.
            if let Some(runtime) = self.runtime.take() {
                runtime.shutdown_background();
            }
        }
    }

    /// A cluster over the files of one store, started by the first question.
    #[derive(Default)]
    pub struct Beside(OnceLock<Running>);

    impl Beside {
        fn options(&self, store: &FeatureStore) -> ClusterOptions {
            let running = self.0.get_or_init(|| {
                let store = store.clone();
                let scheduler = |ready: mpsc::Sender<SocketAddr>| -> Program {
                    Box::pin(async move { run_scheduler(ANYWHERE.parse().unwrap(), &mut |address| told(&ready, address)).await })
                };
                let worker = move |scheduler, folder, ready: mpsc::Sender<SocketAddr>| -> Program {
                    let store = store.clone();
                    Box::pin(async move {
                        let bind = ANYWHERE.parse().unwrap();
                        let memory = Some(512 << 20);
                        let options = ClusterWorker { scheduler, bind, host: None, cores: Some(1), memory, folder: Some(folder) };
                        store.run_worker(options, &mut |address| told(&ready, address)).await
                    })
                };
                std::thread::scope(|scope| scope.spawn(|| Running::start(scheduler, worker)).join().unwrap())
            });
            ClusterOptions { scheduler: running.scheduler, parts: PARTS }
        }

        /// The cluster, for whoever asks it himself.
        pub fn of(&self, store: &FeatureStore) -> Option<ClusterOptions> {
            Some(self.options(store))
        }

        /// Asks a statement that one machine has answered.
        pub async fn statement(&self, store: &FeatureStore, sql: &str, here: &Result<RecordBatch>) {
            if explains(sql) {
                return;
            }
            let asked = store.query_on(&self.options(store), sql, None).await;
            compare(sql, here, &collected(asked).await);
        }

        /// What the cluster says to a statement.
        pub async fn answer(&self, store: &FeatureStore, sql: &str) -> Option<Result<RecordBatch>> {
            Some(collected(store.query_on(&self.options(store), sql, None).await).await)
        }

        /// Plans and runs a join that one machine has run.
        pub async fn joined(&self, store: &FeatureStore, request: &DatasetRequest, options: &PlanOptions, here: &RecordBatch) {
            let options = PlanOptions { cluster: Some(self.options(store)), ..options.clone() };
            let plan = store.plan_dataset(request, &options).await.unwrap();
            let schema = plan.schema();
            let batches: Vec<RecordBatch> = plan.run().await.unwrap().into_batches().try_collect().await.unwrap();
            assert_eq!(&concat_batches(&schema, &batches).unwrap(), here, "{request:?}");
        }

        /// Builds what one machine has built, and compares the hashes of the rows.
        pub async fn dataset(&self, store: &FeatureStore, request: &DatasetRequest, hash: &str) {
            if store.is_read_only() {
                return; // A spine has nowhere to lie.
            }
            let options = PlanOptions { cluster: Some(self.options(store)), ..PlanOptions::default() };
            let joined = store.open_dataset(request, &options).await.unwrap();
            let mut hasher = ContentHasher::new(&joined.schema());
            let batches: Vec<RecordBatch> = joined.into_batches().try_collect().await.unwrap();
            batches.iter().for_each(|batch| hasher.add(batch).unwrap());
            assert_eq!(hasher.finish().whole, hash, "{request:?}");
        }

        /// Ends the cluster, which holds the store open.
        pub fn end(&mut self) {
            let runtime = self.0.take().and_then(|mut running| running.runtime.take());
            if let Some(runtime) = runtime {
                std::thread::spawn(move || runtime.shutdown_timeout(FAREWELL)).join().unwrap();
            }
        }
    }

    /// Where the files of groups lie, as far as the test has told.
    #[derive(Debug, Default)]
    struct KnownFiles(Mutex<HashMap<GroupId, Arc<dyn ObjectStore>>>);

    impl ClusterFiles for KnownFiles {
        fn of_group(&self, group: GroupId) -> Result<Arc<dyn ObjectStore>> {
            self.0.lock().unwrap().get(&group).cloned().ok_or_else(|| Error::not_found("a group that the test knows nothing of"))
        }

        fn of_store(&self) -> Result<Arc<dyn ObjectStore>> {
            Ok(Arc::new(InMemory::new()))
        }
    }

    /// A cluster for an engine without a store.
    #[derive(Default)]
    pub struct Engines {
        files: Arc<KnownFiles>,
        running: OnceLock<Running>,
    }

    impl Engines {
        /// Lets the workers know where the files of a group lie.
        pub fn knows(&self, group: GroupId, files: Arc<dyn ObjectStore>) {
            self.files.0.lock().unwrap().insert(group, files);
        }

        /// Asks a statement that one machine has answered.
        pub async fn statement(&self, source: Arc<dyn GroupSource>, options: &QueryOptions, sql: &str, here: &Result<RecordBatch>) {
            if explains(sql) {
                return;
            }
            let running = self.running.get_or_init(|| {
                let files = self.files.clone();
                let scheduler = |ready: mpsc::Sender<SocketAddr>| -> Program {
                    Box::pin(async move {
                        let scheduler = Scheduler::bind(ANYWHERE.parse().unwrap()).await?;
                        told(&ready, scheduler.address())?;
                        scheduler.run(&QueryEngine::new(&EngineOptions::default())?).await
                    })
                };
                let worker = move |scheduler, folder, ready: mpsc::Sender<SocketAddr>| -> Program {
                    let files = files.clone();
                    Box::pin(async move {
                        let bind = ANYWHERE.parse().unwrap();
                        let worker = Worker::new(WorkerOptions { scheduler, bind, host: None, cores: 1, memory: 512 << 20, folder })?;
                        let (address, joined) = (worker.address(), worker.joined());
                        let engine = QueryEngine::new(&EngineOptions { parallelism: 1, ..EngineOptions::default() })?;
                        tokio::spawn(async move {
                            joined.await;
                            told(&ready, address)
                        });
                        worker.run(&engine, files).await
                    })
                };
                std::thread::scope(|scope| scope.spawn(|| Running::start(scheduler, worker)).join().unwrap())
            });
            let engine = QueryEngine::new(&EngineOptions::default()).unwrap();
            let asked = engine.query_on(Cluster { scheduler: running.scheduler, parts: PARTS }, sql, source, options).await;
            compare(sql, here, &collected(asked).await);
        }
    }

    fn told(ready: &mpsc::Sender<SocketAddr>, address: SocketAddr) -> Result<()> {
        ready.send(address).map_err(|_| Error::interrupted("the test has ended"))
    }

    async fn collected(asked: Result<QueryStream>) -> Result<RecordBatch> {
        let stream = asked?;
        let schema = stream.schema();
        Ok(concat_batches(&schema, &stream.collect().await?).unwrap())
    }

    /// A plan is not the same, whatever it answers.
    fn explains(sql: &str) -> bool {
        sql.trim_start().get(..7).is_some_and(|word| word.eq_ignore_ascii_case("explain"))
    }

    /// Whether the rows of a statement have an order: `order by` outside all parentheses.
    fn is_ordered(sql: &str) -> bool {
        let sql = sql.to_lowercase();
        let mut depth = 0;
        sql.char_indices().any(|(at, letter)| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            depth == 0 && sql[at..].starts_with("order by")
        })
    }

    /// Whether the statement itself does not say which rows of several are to be taken: among equal ones both answers are right.
    fn leaves_a_choice(sql: &str) -> bool {
        let sql = sql.to_lowercase();
        sql.contains("row_number()") || sql.contains("limit ")
    }

    fn lines(batch: &RecordBatch) -> Vec<String> {
        let cell = |row: usize, column: &Arc<dyn Array>| match column.is_null(row) {
            true => "∅".to_owned(),
            false => array_value_to_string(column, row).unwrap(),
        };
        (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(row, column) + " | ").collect()).collect()
    }

    #[track_caller]
    fn compare(sql: &str, here: &Result<RecordBatch>, there: &Result<RecordBatch>) {
        match (here, there) {
            (Ok(here), Ok(there)) => {
                let columns = |batch: &RecordBatch| -> Vec<String> {
                    batch.schema().fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect()
                };
                assert_eq!(columns(there), columns(here), "{sql}");
                let (mut here, mut there) = (lines(here), lines(there));
                if !is_ordered(sql) {
                    here.sort();
                    there.sort();
                }
                if there != here && leaves_a_choice(sql) {
                    assert_eq!(there.len(), here.len(), "{sql}");
                    return;
                }
                assert_eq!(there, here, "{sql}");
            }
            // What is said of a file that is damaged or gone depends on who reads it first.
            (Err(here), Err(_)) if matches!(here.kind(), ErrorKind::Corrupt | ErrorKind::Conflict) => {}
            (Err(here), Err(there)) => assert_eq!(there.to_string(), here.to_string(), "{sql}"),
            // Each worker has memory of its own.
            (Err(here), Ok(_)) if here.kind() == ErrorKind::Full => {}
            (Ok(_), Err(there)) => panic!("{sql}\nis answered on one machine; the cluster says: {there}"),
            (Err(here), Ok(_)) => panic!("{sql}\nis answered on the cluster; one machine says: {here}"),
        }
    }
}
