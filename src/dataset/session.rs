//! One SQL statement over the groups of a store, from text to a stream of batches.
//!
//! ```text
//! text -> tokens -> names of tables -> those groups are opened (snapshot, then nothing else)   `opened`
//!      -> one spelling per name -> statement -> Trino's forms in the engine's words -> reads?   `statement`
//!      -> plan -> read-only check                                                               `plan`
//!      -> stream                                                                                `query`
//! ```
//!
//! A group that the statement doesn't name is never opened. Every table of one statement is a snapshot taken before
//! planning, so a statement never sees half of a commit. Memory is bounded by one pool for all running statements;
//! sorts, joins and aggregates beyond it go to the spill folder, and what can't spill fails with an error, not with
//! the process. A query stops when its stream is dropped: nothing runs detached from it.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::registry::FunctionRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{SetExpr, ShowStatementFilter, ShowStatementFilterPosition, Statement};
use futures::{Stream, StreamExt};

use super::asof::{self, AsofTable, Call};
use super::column_lineage::{self, StatementLineage};
use super::failure::from_engine;
use super::frame::FrameRows;
use super::functions;
use super::point_in_time::{JoinOptions, MIN_MEMORY};
use super::scan::GroupScan;
use super::spelling::{Spelling, StatementTokens};
use super::spill::SpillFolder;
use super::sql_types::SqlTypes;
use super::tables::{CATALOG, Catalogs, SCHEMA, Tables};
use super::text_times::{TextBesideTime, TextCastToTime};
use super::trino::in_engine_words;
use super::yielding::YieldingJoins;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::time::EventTime;

/// Where statements find groups. The store implements it; tests implement it over a map.
#[async_trait]
pub trait GroupSource: Debug + Send + Sync {
    /// Names of all groups that keep history, as they were defined.
    async fn group_names(&self) -> Result<Vec<String>>;
    /// Takes a snapshot of a group, given one of those names: unflushed rows first, then the table, so that a row
    /// that is flushed in between is seen twice at worst and left out by its mark, never missed.
    async fn open_group(&self, name: &str) -> Result<GroupScan>;
    /// The tables of the Glue catalog that these groups stand for, if any; asked when a statement names a table that is
    /// no group.
    async fn glue_tables(&self) -> Result<Vec<GlueTable>> {
        Ok(Vec::new())
    }
    /// Opens a table of uploaded rows by its folded name, in a database if one is given; asked when a statement names a
    /// table that is no group, in whatever words.
    async fn open_frame(&self, _database: Option<&str>, _table: &str) -> Result<Option<Arc<dyn FrameRows>>> {
        Ok(None)
    }
}

/// What a group is called in the Glue catalog, and so in the SQL of AWS's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlueTable {
    /// The database that holds it.
    pub database: String,
    /// Its name there.
    pub table: String,
    /// The group's own name.
    pub group: String,
}

/// Batches that an operator may hold within its share of memory, and bytes of a wide row: what batch sizes are made of.
const BATCHES_IN_MEMORY: usize = 64;
const WIDE_ROW: usize = 256;

/// Bytes of file footers that are kept. Those of files that compaction took away stay until newer ones push them out, so a server that writes
/// for days holds this much of them.
const FOOTERS: usize = 16 << 20;

/// Limits of the SQL engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Bytes all running statements may hold together.
    pub memory_limit: usize,
    /// Folder for what doesn't fit; made when it is missing. Without it, the system's own.
    pub spill_folder: Option<PathBuf>,
    /// Bytes that may be spilled at once.
    pub spill_limit: u64,
    /// Threads a statement uses.
    pub parallelism: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            memory_limit: 1 << 30,
            spill_folder: None,
            spill_limit: 100 << 30,
            parallelism: std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
        }
    }
}

/// What one statement is told besides its text.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// What time it is: `$latest` judges ttl by it, and `now()` tells it.
    pub now: EventTime,
    /// The result ends after so many rows.
    pub max_rows: Option<u64>,
}

/// Runs statements. Cheap to clone; clones share memory limit, spill folder and cached file footers.
#[derive(Clone)]
pub struct QueryEngine {
    /// Makes the session that every statement starts from. Behind a function, since it holds plans (see `planning`), and
    /// every future that holds a store would have to be proven with them.
    session: Arc<dyn Fn() -> SessionState + Send + Sync>,
    /// How `asof` joins.
    join: JoinOptions,
    /// Dropped last, after every stream that may spill into it.
    spill: Option<Arc<SpillFolder>>,
}

impl Debug for QueryEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryEngine").field("join", &self.join).field("spill", &self.spill).finish_non_exhaustive()
    }
}

impl QueryEngine {
    /// Builds an engine. A spill folder that can't be made (read-only store) falls back to the system's own.
    pub fn new(options: &EngineOptions) -> Result<Self> {
        let spill = match options.spill_folder.as_deref().map(SpillFolder::create) {
            None => None,
            Some(Ok(folder)) => Some(Arc::new(folder)),
            Some(Err(error)) if error.kind() == ErrorKind::ReadOnly => None,
            Some(Err(error)) => return Err(error),
        };
        let mode = match &spill {
            Some(folder) => DiskManagerMode::Directories(vec![folder.path().to_owned()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_limit);
        let pool = TrackConsumersPool::new(FairSpillPool::new(options.memory_limit), NonZeroUsize::MIN);
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(disk).with_metadata_cache_limit(FOOTERS);
        let runtime = runtime.build_arc().map_err(from_engine)?;
        let parallelism = options.parallelism.max(1);
        // Operators hold several batches each: in little memory a batch must be small, or a sort that could spill fails.
        let batch_rows = (options.memory_limit / parallelism / BATCHES_IN_MEMORY / WIDE_ROW).clamp(256, 8_192);
        let mut config = SessionConfig::new()
            .with_target_partitions(parallelism)
            .with_batch_size(batch_rows)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true)
            // A merge must be able to start within the limit, or a sort that could spill fails instead.
            .with_sort_spill_reservation_bytes((options.memory_limit / parallelism / 8).min(10 << 20));
        let settings = config.options_mut();
        // Names are spelled exactly before planning (see `spelling`).
        settings.sql_parser.enable_ident_normalization = false;
        settings.sql_parser.map_string_types_to_utf8view = false;
        // As in Trino, whichever way is sorted: a record without a match must not come before the newest match.
        settings.sql_parser.default_null_ordering = "nulls_last".to_owned();
        // Reads the filter's columns first and the others only where it holds.
        settings.execution.parquet.pushdown_filters = true;
        settings.execution.parquet.reorder_filters = true;
        let mut state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_type_planner(Arc::new(SqlTypes))
            .with_physical_optimizer_rule(Arc::new(YieldingJoins))
            .build();
        functions::register(&mut state)?;
        let state = with_text_times(state)?;
        let join = JoinOptions {
            known_then: false,
            memory: (options.memory_limit / 2).max(MIN_MEMORY),
            parallelism,
            spill_folder: options.spill_folder.clone().filter(|_| spill.is_some()),
        };
        Ok(Self { session: Arc::new(move || state.clone()), join, spill })
    }

    /// Plans a statement and starts it; rows come as the stream is polled.
    pub async fn query(&self, sql: &str, source: Arc<dyn GroupSource>, options: &QueryOptions) -> Result<QueryStream> {
        let (state, plan) = self.planned(sql, source, options).await?;
        let context = SessionContext::new_with_state(state);
        let frame = context.execute_logical_plan(plan).await.map_err(from_engine)?;
        let task = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.map_err(from_engine)?;
        let stream = execute_stream(plan.clone(), task).map_err(from_engine)?;
        Ok(QueryStream { stream, plan, left: options.max_rows, was_cut: false, _spill: self.spill.clone() })
    }

    /// The sessions that statements start from.
    #[cfg(feature = "cluster")]
    pub(super) fn sessions(&self) -> Arc<dyn Fn() -> SessionState + Send + Sync> {
        self.session.clone()
    }

    /// How its joins run.
    #[cfg(feature = "cluster")]
    pub(super) fn join_options(&self) -> &JoinOptions {
        &self.join
    }

    /// The same engine, whose sessions have other settings.
    #[cfg(feature = "cluster")]
    pub(super) fn with_config(&self, change: impl Fn(SessionConfig) -> SessionConfig + Send + Sync + 'static) -> Self {
        let session = self.session.clone();
        let changed = move || {
            let state = session();
            let config = change(state.config().clone());
            SessionStateBuilder::new_from_existing(state).with_config(config).build()
        };
        Self { session: Arc::new(changed), join: self.join.clone(), spill: self.spill.clone() }
    }

    /// Plans a statement without starting it: the plan, what to run it with, and whether it only tells of plans.
    #[cfg(feature = "cluster")]
    pub(super) async fn physical(&self, sql: &str, source: Arc<dyn GroupSource>, options: &QueryOptions) -> Result<PlannedStatement> {
        let (state, plan) = self.planned(sql, source, options).await?;
        let explains = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_));
        let context = SessionContext::new_with_state(state);
        let frame = context.execute_logical_plan(plan).await.map_err(from_engine)?;
        let task = Arc::new(frame.task_ctx());
        Ok(PlannedStatement { plan: frame.create_physical_plan().await.map_err(from_engine)?, task, explains })
    }

    /// The rows of a plan that runs elsewhere or here.
    #[cfg(feature = "cluster")]
    pub(super) fn stream(&self, stream: SendableRecordBatchStream, plan: Arc<dyn ExecutionPlan>, max_rows: Option<u64>) -> QueryStream {
        QueryStream { stream, plan, left: max_rows, was_cut: false, _spill: self.spill.clone() }
    }

    /// Where the columns of a statement's answer come from; runs nothing.
    ///
    /// # Errors
    /// As [`Self::query`], as far as the plan goes.
    pub async fn lineage(&self, sql: &str, source: Arc<dyn GroupSource>, options: &QueryOptions) -> Result<StatementLineage> {
        let (state, plan) = self.planned(sql, source, options).await?;
        let analysed = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(from_engine)?;
        Ok(column_lineage::of_plan(&analysed))
    }

    /// The plan of a statement as it is written, and a session that knows its tables.
    async fn planned(&self, sql: &str, source: Arc<dyn GroupSource>, options: &QueryOptions) -> Result<(SessionState, LogicalPlan)> {
        let tokens = StatementTokens::read(sql)?;
        let mut tables = opened(&tokens, source.clone(), options).await?;
        let joined = self.asof_tables(&tokens, &source, options).await?;
        tables.know_columns(joined.iter().flat_map(AsofTable::column_names));
        let (statement, spelling) = statement(&tokens, &mut tables)?;
        let mut state = self.state_over(tables, options)?;
        asof::register(&mut state, joined, &spelling);
        let plan = plan(&state, statement).await?;
        Ok((state, plan))
    }

    /// Gets the calls of `asof` in a statement ready: their spines are planned, their groups opened.
    async fn asof_tables(&self, tokens: &StatementTokens, source: &Arc<dyn GroupSource>, options: &QueryOptions) -> Result<Vec<AsofTable>> {
        let calls = asof::calls(&tokens.folded()?)?;
        let mut tables = Vec::with_capacity(calls.len());
        for arguments in calls {
            let names = source.group_names().await?;
            let call = Call::read(arguments, &names)?;
            let spine =
                self.spine_plan(&call.spine, source.clone(), options).await.map_err(|error| error.within("the spine of asof(…)"))?;
            tables.push(call.open(spine, source.as_ref(), &names, self.join.clone()).await?);
        }
        Ok(tables)
    }

    async fn spine_plan(&self, sql: &str, source: Arc<dyn GroupSource>, options: &QueryOptions) -> Result<LogicalPlan> {
        let tokens = StatementTokens::read(sql)?;
        if !asof::calls(&tokens.folded()?)?.is_empty() {
            return Err(Error::usage("it calls asof itself").remedy("ask all groups for their features in one call"));
        }
        let mut tables = opened(&tokens, source, options).await?;
        let (statement, _) = statement(&tokens, &mut tables)?;
        let state = self.state_over(tables, options)?;
        let plan = plan(&state, statement).await?;
        state.optimize(&plan).map_err(from_engine)
    }

    /// A session that knows these tables and what time it is.
    fn state_over(&self, tables: Tables, options: &QueryOptions) -> Result<SessionState> {
        let builder = SessionStateBuilder::new_from_existing((self.session)());
        let mut state = builder.with_catalog_list(Arc::new(Catalogs::of(tables))).build();
        functions::add(&mut state, functions::clock(options.now))?;
        Ok(state)
    }
}

/// A statement, planned.
#[cfg(feature = "cluster")]
pub(super) struct PlannedStatement {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) task: Arc<datafusion::execution::TaskContext>,
    pub(super) explains: bool,
}

/// Adds the rules by which text is read as a time: one before types are settled, one after.
fn with_text_times(mut state: SessionState) -> Result<SessionState> {
    let read = state.udf(functions::FROM_ISO8601_TIMESTAMP).map_err(from_engine)?;
    let read_or_null = state.udf(&format!("{}{}", functions::TRY, functions::FROM_ISO8601_TIMESTAMP)).map_err(from_engine)?;
    let beside = Arc::new(TextBesideTime::new(read.clone()));
    state.register_expr_planner(beside.clone()).map_err(from_engine)?;
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![beside];
    rules.extend(state.analyzer().rules.iter().cloned());
    rules.push(Arc::new(TextCastToTime::new(read, read_or_null)));
    Ok(SessionStateBuilder::new_from_existing(state).with_analyzer_rules(rules).build())
}

/// Opens the groups that a statement names.
async fn opened(tokens: &StatementTokens, source: Arc<dyn GroupSource>, options: &QueryOptions) -> Result<Tables> {
    let group_names = source.group_names().await?;
    let named = tokens.tables().map_err(|error| with_quotes_hint(error, tokens, &group_names))?;
    let mut tables = Tables::new(source, group_names, options.now);
    for parts in &named {
        tables.open(parts).await?;
    }
    Ok(tables)
}

/// The statement as the engine takes it; the tables take on its spelling.
fn statement(tokens: &StatementTokens, tables: &mut Tables) -> Result<(Statement, Spelling)> {
    let spelling = Spelling::decide(tokens, tables.columns());
    let statement = tokens.statement(&spelling).and_then(in_engine_words).and_then(readable)?;
    tables.spell(spelling.clone());
    Ok((statement, spelling))
}

/// Plans a statement that does nothing but read.
async fn plan(state: &SessionState, statement: Statement) -> Result<LogicalPlan> {
    let plan = state.statement_to_plan(EngineStatement::Statement(Box::new(statement))).await.map_err(from_engine)?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(|_| not_readable("this statement"))?;
    Ok(plan)
}

/// Lets through what only reads, and turns `SHOW TABLES` into the query it stands for.
fn readable(statement: Statement) -> Result<Statement> {
    match statement {
        Statement::Query(query) => {
            refuse_writes(&query.body)?;
            Ok(Statement::Query(query))
        }
        Statement::Explain { .. } | Statement::ExplainTable { .. } | Statement::ShowVariable { .. } | Statement::ShowFunctions { .. } => {
            Ok(statement)
        }
        Statement::ShowTables { show_options, .. } => {
            let like = match show_options.filter_position {
                None => String::new(),
                Some(
                    ShowStatementFilterPosition::Infix(ShowStatementFilter::Like(pattern))
                    | ShowStatementFilterPosition::Suffix(ShowStatementFilter::Like(pattern)),
                ) => format!(" AND table_name LIKE '{}'", pattern.replace('\'', "''")),
                Some(_) => return Err(Error::usage("SHOW TABLES takes LIKE 'pattern' only")),
            };
            let sql = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{SCHEMA}'{like} ORDER BY table_name");
            let tokens = StatementTokens::read(&sql)?;
            tokens.statement(&Spelling::decide(&tokens, []))
        }
        Statement::ShowColumns { .. } => Err(Error::usage("SHOW COLUMNS is not supported").remedy("use DESCRIBE \"group\"")),
        other => {
            let text = other.to_string();
            Err(not_readable(text.split_whitespace().next().unwrap_or("this statement")))
        }
    }
}

fn refuse_writes(body: &SetExpr) -> Result<()> {
    match body {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => Err(not_readable("a statement that writes")),
        SetExpr::Select(select) if select.into.is_some() => Err(not_readable("SELECT INTO")),
        _ => Ok(()),
    }
}

fn not_readable(what: &str) -> Error {
    Error::usage(format!("{what} is refused: SQL only reads here"))
        .remedy("use SELECT, WITH, EXPLAIN, DESCRIBE or SHOW TABLES; records are written with `larder put` and `larder ingest`")
}

/// `from customer-features` without quotes is the likeliest syntax error there is.
fn with_quotes_hint(error: Error, tokens: &StatementTokens, group_names: &[String]) -> Error {
    match group_names.iter().find(|name| tokens.has_unquoted(name)) {
        Some(name) => error.remedy(format!("a name with a hyphen goes in double quotes: \"{name}\"")),
        None => error,
    }
}

/// The rows of a result, batch by batch. Dropping it stops the query and frees what it holds.
pub struct QueryStream {
    stream: SendableRecordBatchStream,
    /// Counts what it reads.
    plan: Arc<dyn ExecutionPlan>,
    left: Option<u64>,
    was_cut: bool,
    _spill: Option<Arc<SpillFolder>>,
}

impl QueryStream {
    /// Columns of the result.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// True once rows were left out because of `max_rows`.
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Bytes of files that were read so far.
    pub fn bytes_scanned(&self) -> u64 {
        fn of(plan: &dyn ExecutionPlan) -> u64 {
            let own = plan.metrics().and_then(|metrics| metrics.sum_by_name("bytes_scanned")).map_or(0, |bytes| bytes.as_usize() as u64);
            own + plan.children().into_iter().map(|child| of(child.as_ref())).sum::<u64>()
        }
        of(self.plan.as_ref())
    }

    /// All batches that are still to come.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.was_cut {
                return Poll::Ready(None);
            }
            let batch = match self.stream.poll_next_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(from_engine(error)))),
                Poll::Ready(Some(Ok(batch))) => batch,
            };
            let rows = batch.num_rows() as u64;
            if rows == 0 {
                continue;
            }
            let Some(left) = self.left else { return Poll::Ready(Some(Ok(batch))) };
            self.was_cut = rows > left;
            let kept = rows.min(left);
            self.left = Some(left - kept);
            if kept > 0 {
                return Poll::Ready(Some(Ok(batch.slice(0, kept as usize))));
            }
        }
    }
}

impl Debug for QueryStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryStream").field("schema", &self.schema()).field("left", &self.left).finish_non_exhaustive()
    }
}
