//! Executions: statements on their way, and those that ended not long ago.
//!
//! ```text
//! QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED
//! ```
//!
//! A few run at once, more wait, and beyond that a start is refused. Stopping an execution drops its stream, and with it
//! the work and the half-written result. What ended is remembered for a day, at most a thousand of it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::result::{self, ResultColumn, ResultPage};
use super::statement::{HiveStatement, read};
use super::tables::HiveTable;
use crate::model::group::{GLUE_CATALOG, GLUE_DATABASE};
use crate::model::{Error, ErrorKind, EventTime, Result};
use crate::store::FeatureStore;
use crate::store::objects::{Bucket, Expected, ObjectAttributes, ObjectError, ObjectKey, ObjectResult, ObjectWriter, WriteCondition};

/// Statements that run at once.
const RUNNING: usize = 4;
/// Statements that wait.
const QUEUED: usize = 200;
/// Ended executions that are remembered, and for how many seconds.
const KEPT: usize = 1_000;
const KEPT_SECONDS: i64 = 24 * 3_600;
/// Longest statement, in bytes.
const LONGEST: usize = 262_144;

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionState {
    /// Waits for others to end.
    Queued,
    /// At work.
    Running,
    /// Done, its result in place.
    Succeeded,
    /// Given up.
    Failed,
    /// Stopped.
    Cancelled,
}

impl ExecutionState {
    /// Athena's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// True if nothing more happens.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// What a statement is, in Athena's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementType {
    /// Makes or drops something.
    Ddl,
    /// Asks for rows.
    Dml,
    /// Looks at names and plans.
    Utility,
}

impl StatementType {
    /// Athena's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ddl => "DDL",
            Self::Dml => "DML",
            Self::Utility => "UTILITY",
        }
    }
}

/// A statement to be started.
#[derive(Debug, Clone, Default)]
pub struct ExecutionRequest {
    /// Its text.
    pub query: String,
    /// The catalog its names are of, if it is said.
    pub catalog: Option<String>,
    /// The database that names without one are of.
    pub database: Option<String>,
    /// `s3://bucket/prefix` for its result; none for the usual place.
    pub output: Option<String>,
    /// The work group, which is only remembered.
    pub work_group: Option<String>,
    /// The same token with the same statement is the same execution.
    pub token: Option<String>,
}

/// An execution as it stands.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its name.
    pub id: String,
    /// What was asked.
    pub request: ExecutionRequest,
    /// What kind of statement it is.
    pub statement_type: StatementType,
    /// Where it stands.
    pub state: ExecutionState,
    /// Why it failed.
    pub reason: Option<String>,
    /// True if the statement is at fault, not the store.
    pub is_users_fault: bool,
    /// When it was started.
    pub submitted: EventTime,
    /// When it ended.
    pub completed: Option<EventTime>,
    /// `s3://bucket/key` of the result.
    pub location: String,
    /// How long it waited.
    pub queued: Duration,
    /// How long it ran.
    pub ran: Duration,
    /// Bytes of files that were read.
    pub scanned: u64,
    /// Columns of the result, once they are known.
    pub columns: Vec<ResultColumn>,
}

struct Entry {
    state: watch::Sender<Execution>,
    task: Option<AbortHandle>,
}

/// All executions of a process.
pub(in crate::store) struct Executions {
    entries: Mutex<Entries>,
    permits: Arc<Semaphore>,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<String, Entry>,
    by_token: HashMap<String, String>,
    /// Ids in the order of their start.
    order: VecDeque<String>,
}

impl Default for Executions {
    fn default() -> Self {
        Self { entries: Mutex::default(), permits: Arc::new(Semaphore::new(RUNNING)) }
    }
}

impl Entries {
    /// Forgets what ended long ago, or is too much.
    fn tidy(&mut self, now: EventTime) {
        let mut ended = self.by_id.values().filter(|entry| entry.state.borrow().state.is_final()).count();
        let mut kept = VecDeque::with_capacity(self.order.len());
        for id in std::mem::take(&mut self.order) {
            let completed = self.by_id.get(&id).and_then(|entry| entry.state.borrow().completed);
            let is_old = completed.is_some_and(|completed| ended > KEPT || now.seconds_since(completed) > KEPT_SECONDS as f64);
            if is_old {
                ended -= 1;
                self.by_id.remove(&id);
            } else {
                kept.push_back(id);
            }
        }
        self.order = kept;
        let known = &self.by_id;
        self.by_token.retain(|_, id| known.contains_key(id));
    }
}

/// Ends an execution that nobody ended: its task was dropped, or it panicked.
struct Unfinished(watch::Sender<Execution>, FeatureStore);

impl Drop for Unfinished {
    fn drop(&mut self) {
        end(&self.0, self.1.now(), ExecutionState::Failed, Some("the execution broke off".to_owned()), false);
    }
}

/// Sets a final state, unless there is one.
fn end(state: &watch::Sender<Execution>, now: EventTime, to: ExecutionState, reason: Option<String>, is_users_fault: bool) {
    state.send_if_modified(|execution| {
        let is_open = !execution.state.is_final();
        if is_open {
            execution.state = to;
            execution.reason = reason;
            execution.is_users_fault = is_users_fault;
            execution.completed = Some(now);
        }
        is_open
    });
}

fn unknown(id: &str) -> Error {
    let shown: String = id.chars().take(64).collect();
    Error::not_found(format!("QueryExecution {} was not found", shown.escape_debug()))
}

impl FeatureStore {
    /// Where results go that no place is named for.
    pub fn default_query_output(&self) -> String {
        let settings = self.settings();
        format!("s3://aws-athena-query-results-{}-{}/", settings.account, settings.region)
    }

    /// Starts a statement; returns the execution's name.
    ///
    /// # Errors
    /// `Usage` for a statement or place that can't be; `Full` where too many wait; `Conflict` for a token that stands for
    /// another statement; `ReadOnly`.
    pub fn start_execution(&self, request: ExecutionRequest) -> Result<String> {
        self.check_writable()?;
        if request.query.trim().is_empty() {
            return Err(Error::usage("the statement is empty"));
        }
        if request.query.len() > LONGEST {
            return Err(Error::usage(format!("the statement has {} bytes", request.query.len())).remedy(format!("write at most {LONGEST}")));
        }
        // What Hive's words say wrong is told when the statement fails, as all other faults of it.
        let statement = read(&request.query);
        let statement_type = match &statement {
            Ok(HiveStatement::Query) => StatementType::Dml,
            Ok(HiveStatement::Utility) => StatementType::Utility,
            _ => StatementType::Ddl,
        };
        let id = Uuid::now_v7().to_string();
        let output = request.output.clone().filter(|output| !output.is_empty()).unwrap_or_else(|| self.default_query_output());
        let place = ResultPlace::of(&output, &id, statement_type)?;
        let now = self.now();

        let executions = &self.inner.executions;
        let mut entries = executions.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.tidy(now);
        if let Some(known) = request.token.as_ref().and_then(|token| entries.by_token.get(token)) {
            let same = entries.by_id.get(known).is_some_and(|entry| entry.state.borrow().request.query == request.query);
            return if same {
                Ok(known.clone())
            } else {
                Err(Error::new(ErrorKind::Conflict, "Idempotent parameters do not match").remedy("use another token for another statement"))
            };
        }
        let open = entries.by_id.values().filter(|entry| !entry.state.borrow().state.is_final()).count();
        if open >= RUNNING + QUEUED {
            return Err(Error::new(ErrorKind::Full, "too many statements wait").remedy("try again when some have ended"));
        }
        let execution = Execution {
            id: id.clone(),
            request: request.clone(),
            statement_type,
            state: ExecutionState::Queued,
            reason: None,
            is_users_fault: false,
            submitted: now,
            completed: None,
            location: place.location(),
            queued: Duration::ZERO,
            ran: Duration::ZERO,
            scanned: 0,
            columns: Vec::new(),
        };
        let state = watch::Sender::new(execution);
        let task = tokio::spawn(execute(self.clone(), state.clone(), executions.permits.clone(), request.clone(), statement, place));
        if let Some(token) = request.token {
            entries.by_token.insert(token, id.clone());
        }
        entries.by_id.insert(id.clone(), Entry { state, task: Some(task.abort_handle()) });
        entries.order.push_back(id.clone());
        Ok(id)
    }

    fn entry<T>(&self, id: &str, take: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        let mut entries = self.inner.executions.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_id.get_mut(id).map(take).ok_or_else(|| unknown(id))
    }

    /// An execution as it stands; one that is under way is waited for, this long at most.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn execution(&self, id: &str, patience: Duration) -> Result<Execution> {
        let mut state = self.entry(id, |entry| entry.state.subscribe())?;
        let _ = tokio::time::timeout(patience, state.wait_for(|execution| execution.state.is_final())).await;
        let execution = state.borrow().clone();
        Ok(execution)
    }

    /// Stops an execution; one that has ended stays as it is.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn stop_execution(&self, id: &str) -> Result<()> {
        let now = self.now();
        self.entry(id, |entry| {
            end(&entry.state, now, ExecutionState::Cancelled, Some("Query was cancelled by the user".to_owned()), true);
            if let Some(task) = entry.task.take() {
                task.abort();
            }
        })
    }

    /// Names of executions, the last first.
    pub fn execution_ids(&self) -> Vec<String> {
        let entries = self.inner.executions.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.order.iter().rev().cloned().collect()
    }

    /// Rows of a result from a byte of it on; the first of a question's are its header.
    ///
    /// # Errors
    /// `NotFound`; `Usage` for an execution that has no result (yet).
    pub async fn execution_result(&self, id: &str, from: u64, limit: usize) -> Result<(Execution, ResultPage)> {
        let execution = self.execution(id, Duration::ZERO).await?;
        if execution.state != ExecutionState::Succeeded {
            let state = execution.state.as_str();
            return Err(Error::usage(format!("Query has not yet finished or has no result. Current state: {state}")));
        }
        let place = ResultPlace::parse(&execution.location)?;
        let is_plain = execution.statement_type != StatementType::Dml;
        let (store, columns) = (self.clone(), execution.columns.len());
        let read = tokio::task::spawn_blocking(move || {
            let object = store.objects().open(&place.bucket, &place.key)?;
            result::page(&object, from, limit, columns, is_plain)
        });
        let page = read.await.map_err(|error| Error::internal("reading a result stopped").source(error))??;
        Ok((execution, page))
    }
}

/// Where a result goes.
#[derive(Clone)]
struct ResultPlace {
    bucket: Bucket,
    key: ObjectKey,
}

impl ResultPlace {
    fn of(output: &str, id: &str, statement_type: StatementType) -> Result<Self> {
        let ending = if statement_type == StatementType::Dml { "csv" } else { "txt" };
        let separator = if output.ends_with('/') { "" } else { "/" };
        Self::parse(&format!("{output}{separator}{id}.{ending}"))
    }

    fn parse(location: &str) -> Result<Self> {
        let fault = || Error::usage("outputLocation is not a valid S3 path").remedy("write it like s3://bucket/folder/");
        let (bucket, key) = location.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).ok_or_else(fault)?;
        Ok(Self { bucket: Bucket::parse(bucket).map_err(|_| fault())?, key: ObjectKey::parse(key).map_err(|_| fault())? })
    }

    fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> ObjectResult<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("writing a result stopped").source(error))?.map_err(Error::from)
}

/// The whole life of an execution.
async fn execute(
    store: FeatureStore,
    state: watch::Sender<Execution>,
    permits: Arc<Semaphore>,
    request: ExecutionRequest,
    statement: Result<HiveStatement>,
    place: ResultPlace,
) {
    let unfinished = Unfinished(state.clone(), store.clone());
    let waited = Instant::now();
    let Ok(_permit) = permits.acquire().await else { return };
    let begun = Instant::now();
    state.send_modify(|execution| {
        execution.queued = begun - waited;
        if !execution.state.is_final() {
            execution.state = ExecutionState::Running;
        }
    });
    let done = run(&store, &state, &request, statement, &place).await;
    state.send_modify(|execution| execution.ran = begun.elapsed());
    let now = store.now();
    match done {
        Ok(()) => end(&state, now, ExecutionState::Succeeded, None, false),
        Err(error) => {
            let is_users_fault = matches!(
                error.kind(),
                ErrorKind::Usage | ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Conflict
            );
            if !is_users_fault {
                tracing::error!(%error, "an execution failed");
            }
            end(&state, now, ExecutionState::Failed, Some(error.to_string()), is_users_fault);
        }
    }
    drop(unfinished);
}

async fn run(
    store: &FeatureStore,
    state: &watch::Sender<Execution>,
    request: &ExecutionRequest,
    statement: Result<HiveStatement>,
    place: &ResultPlace,
) -> Result<()> {
    if let Some(catalog) = request.catalog.as_deref()
        && !catalog.eq_ignore_ascii_case(GLUE_CATALOG)
        && !catalog.eq_ignore_ascii_case("larder")
    {
        return Err(Error::not_found(format!("there is no catalog '{}'", catalog.escape_debug())).remedy(format!("use {GLUE_CATALOG}")));
    }
    let database = request.database.clone().unwrap_or_else(|| GLUE_DATABASE.to_owned());
    let statement = statement?;
    let objects = store.objects();
    let bucket = place.bucket.clone();
    let opened = objects.clone();
    // A result needs no bucket to be made for it first: on one's own machine that is a step without use.
    let writer = blocking(move || {
        opened.create_bucket(&bucket)?;
        opened.writer(&bucket, None, false)
    })
    .await?;
    let is_question = statement == HiveStatement::Query;
    let writer = match statement {
        HiveStatement::Query | HiveStatement::Utility => rows(store, state, &database, &request.query, !is_question, writer).await?,
        definition => {
            define(store, definition, &database).await?;
            writer
        }
    };
    let place = place.clone();
    blocking(move || {
        let attributes = ObjectAttributes {
            headers: [("content-type".to_owned(), if is_question { "text/csv" } else { "text/plain" }.to_owned())].into(),
            ..ObjectAttributes::default()
        };
        writer.finish(&place.bucket, &place.key, &Expected::default(), &WriteCondition::Always, &attributes)?;
        if !place.key.as_str().contains('/') {
            // Where the place has no prefix, AWS's client asks for the key with a slash before it.
            let second = ObjectKey::parse(format!("/{}", place.key))?;
            objects.copy((&place.bucket, &place.key), (&place.bucket, &second), None, None)?;
        }
        Ok(())
    })
    .await
}

/// Runs a statement and writes its rows.
async fn rows(
    store: &FeatureStore,
    state: &watch::Sender<Execution>,
    database: &str,
    query: &str,
    is_plain: bool,
    mut writer: ObjectWriter,
) -> Result<ObjectWriter> {
    let mut stream = store.query_in(Some(database), query, None).await?;
    let schema = stream.schema();
    state.send_modify(|execution| execution.columns = ResultColumn::all(&schema));
    if !is_plain {
        writer.write(result::header(&schema).as_bytes())?;
    }
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        writer = blocking(move || {
            writer.write(result::lines(&batch, is_plain)?.as_bytes())?;
            Ok(writer)
        })
        .await?;
        let scanned = stream.bytes_scanned();
        state.send_modify(|execution| execution.scanned = scanned);
    }
    let scanned = stream.bytes_scanned();
    state.send_modify(|execution| execution.scanned = scanned);
    Ok(writer)
}

async fn define(store: &FeatureStore, statement: HiveStatement, database: &str) -> Result<()> {
    let (store, database) = (store.clone(), database.to_owned());
    blocking(move || match statement {
        HiveStatement::CreateTable(made) => {
            let table = HiveTable::of(&made, &database, store.now())?;
            match store.create_uploaded(&table) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && made.if_not_exists => Ok(()),
                other => other.map_err(ObjectError::from),
            }
        }
        HiveStatement::DropTable { name, if_exists } => {
            if store.drop_uploaded(&name, &database)? || if_exists {
                return Ok(());
            }
            Err(Error::not_found(format!("there is no uploaded table '{}'", name.table))
                .remedy("a group is removed by DeleteFeatureGroup, not by SQL")
                .into())
        }
        HiveStatement::CreateDatabase | HiveStatement::Query | HiveStatement::Utility => Ok(()),
    })
    .await
}
