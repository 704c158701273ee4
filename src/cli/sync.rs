//! `larder sync`: what other places know, pulled into the catalog.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::console::{Console, output_failure};
use super::exit::{Exit, Failure, Verdict};
use super::interrupt::{Begun, Stopped, stopping_on_signal, until_signal};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::sync_questions::{Show, Status};
use super::text::{counted, harmless_json, visible};
use crate::model::{Error, EventTime, TimeMode, Ttl};
use crate::store::FeatureStore;
use crate::sync::{
    Change, FieldChange, MaxDelete, Part, Prune, Scope, SourceReport, SourceStatus, SyncEvent, SyncOptions, SyncReport, SyncWatch,
    Withheld, changes_since, sync,
};

/// Version of the document of `sync --json`.
const DOCUMENT_VERSION: u32 = 1;

/// Pull what the sources know of feature groups into the catalog
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  larder sync
  larder sync team --dry-run
  larder sync --check --json
  larder sync --only groups,features
  larder sync lake --stats sketch --stats-budget 5m
  larder sync --json-stream | jq -c 'select(.event == \"change\")'
  larder sync --watch 15m -q
  larder sync status
  larder sync history --since 7d
  larder sync show latest

Exit codes: 0 done, 1 no source could be read, 3 some could not, 4 changes are pending (--check),
5 deletions were withheld, 6 another sync runs"
)]
pub(crate) struct Sync {
    #[command(subcommand)]
    question: Option<Question>,
    /// Sources to read, all by default
    sources: Vec<String>,
    /// Only groups whose names match
    #[arg(long, value_name = "GLOB")]
    groups: Option<String>,
    /// Take in only these parts of what sources tell; without groups none is made or marked as deleted
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,…")]
    only: Vec<PartWord>,
    /// Read every group, changed or not
    #[arg(long)]
    full: bool,
    /// Show what would change and write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// As --dry-run, and exit with 4 if anything would change
    #[arg(long)]
    check: bool,
    /// Whether groups that are gone are marked as deleted
    #[arg(long, value_enum, default_value_t = PruneWord::Auto)]
    prune: PruneWord,
    /// Most groups to mark as deleted, a number or a part [default: 25%, or 10]
    #[arg(long, value_name = "N|N%")]
    max_delete: Option<String>,
    /// Which statistics to take: what footers of Parquet files say, or also what their values are
    #[arg(long, value_enum, default_value_t = StatisticsWord::Footer)]
    stats: StatisticsWord,
    /// Begin no file after this time when values are read; the next run goes on
    #[arg(long, value_name = "TIME", default_value = "10m")]
    stats_budget: String,
    /// Tell each change, and at the end the whole, as one line of JSON each, as it happens
    #[arg(long, conflicts_with = "json")]
    json_stream: bool,
    /// Sync again and again, this long after each run, until a signal comes; trouble is told and ends nothing
    #[arg(long, value_name = "TIME", conflicts_with_all = ["check", "dry_run"])]
    watch: Option<String>,
    /// Wait this long for another sync
    #[arg(long, value_name = "TIME", default_value = "0")]
    lock_timeout: String,
}

#[derive(Subcommand, Debug)]
enum Question {
    Status(Status),
    History(History),
    Show(Show),
}

/// Show what syncs changed
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder sync history --since 7d
  larder sync history --since 2026-01-05 --json")]
struct History {
    /// How long ago or since when
    #[arg(long, value_name = "TIME", default_value = "7d")]
    since: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PruneWord {
    /// Within the limit
    Auto,
    /// Not at all
    Never,
    /// Beyond the limit too
    Force,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PartWord {
    /// That groups are there, and what is said of them as a whole
    Groups,
    /// Their features
    Features,
    /// Where data comes from and goes to
    Lineage,
    /// What files hold
    Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StatisticsWord {
    /// None
    None,
    /// Rows, nulls and ranges, as the footers of files say
    Footer,
    /// Distributions as well, from the values in the files
    Sketch,
}

/// How a run is told.
#[derive(Clone, Copy)]
struct Telling {
    /// That changes are pending makes the exit code.
    check: bool,
    /// As lines of JSON while it runs.
    stream: bool,
}

impl Sync {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        match self.question {
            Some(Question::Status(status)) => return status.run(place, console).await,
            Some(Question::History(history)) => return history.run(place, console).await,
            Some(Question::Show(show)) => return show.run(place, console).await,
            None => {}
        }
        let telling = Telling { check: self.check, stream: self.json_stream };
        let every = self.watch.as_deref().map(seconds).transpose()?;
        let options = self.options()?;
        let store = place.open().await?;
        let exit = match every {
            None => once(&store, &options, telling, console).await?.exit,
            Some(every) => again_and_again(&store, &options, Duration::from_secs(every), telling, console).await?,
        };
        store.close().await?;
        Ok(exit)
    }

    fn options(self) -> crate::model::Result<SyncOptions> {
        let pattern = |text: String| {
            glob::Pattern::new(&text).map_err(|error| Error::usage(format!("'{}' is no pattern", text.escape_debug())).source(error))
        };
        let lock_timeout = match self.lock_timeout.as_str() {
            "0" => Duration::ZERO,
            text => Duration::from_secs(seconds(text)?),
        };
        let parts: Vec<Part> = self.only.iter().map(|part| part.part()).collect();
        let scope = if parts.is_empty() { Scope::ALL } else { Scope::only(&parts) };
        let scope = if self.stats == StatisticsWord::None { scope.without_statistics() } else { scope };
        let budget = Duration::from_secs(seconds(&self.stats_budget)?);
        Ok(SyncOptions {
            sources: self.sources,
            scope,
            sketch: (self.stats == StatisticsWord::Sketch).then_some(budget),
            groups: self.groups.map(pattern).transpose()?,
            full: self.full,
            dry_run: self.dry_run || self.check,
            prune: match self.prune {
                PruneWord::Auto => Prune::Auto,
                PruneWord::Never => Prune::Never,
                PruneWord::Force => Prune::Force,
            },
            max_delete: self.max_delete.map_or(Ok(MaxDelete::Usual), |text| text.parse())?,
            lock_timeout,
            watch: SyncWatch::default(),
        })
    }
}

impl PartWord {
    fn part(self) -> Part {
        match self {
            Self::Groups => Part::Groups,
            Self::Features => Part::Features,
            Self::Lineage => Part::Lineage,
            Self::Stats => Part::Statistics,
        }
    }
}

/// How a run ended, once it was told.
struct Told {
    exit: Exit,
    /// Came while it ran, in time or not.
    signal: Option<u8>,
}

/// One run, told.
async fn once(store: &FeatureStore, options: &SyncOptions, telling: Telling, console: &mut Console) -> Result<Told, Failure> {
    let started = store.now();
    let stop = AtomicBool::new(false);
    let mut progress = Progress::new(console);
    let stand = || {
        let (done, total) = options.watch.counts();
        Some(Stand { words: options.watch.to_line(), note: String::new(), rows: 0, done, total: Some(total) })
    };
    let events = telling.stream.then(|| options.watch.events());
    let stopping = stopping_on_signal(progress.during_showing(sync(store, options, &stop), stand), || {
        stop.store(true, Ordering::Relaxed);
        Begun::Yes
    });
    let (stopped, told) = tokio::join!(stopping, tell(events, &stop, console));
    progress.clear();
    told?;
    let (report, signal) = match stopped {
        Stopped::No(report) => (report?, None),
        Stopped::Amid(report, number) => (report?, Some(number)),
        Stopped::Before(number) => return Ok(Told { exit: Exit::Signal(number), signal: Some(number) }),
    };
    let exit = match signal {
        Some(number) if report.interrupted => Exit::Signal(number),
        _ => exit_of(&report, telling.check),
    };
    complain(console, &report, exit);
    if telling.stream {
        let mut whole = document(&report, exit, started, store.now());
        whole["event"] = json!("done");
        told_line(console, &whole)?;
    } else if console.json() {
        console.document(&document(&report, exit, started, store.now()))?;
    } else {
        write(console, &report, options.dry_run)?;
    }
    Ok(Told { exit, signal })
}

/// Writes what happens in a run, line by line, until it ends. Nobody is left to tell it to once the reader is gone: the run is stopped.
async fn tell(events: Option<UnboundedReceiver<SyncEvent>>, stop: &AtomicBool, console: &mut Console) -> Result<(), Failure> {
    let Some(mut events) = events else { return Ok(()) };
    let mut told = Ok(());
    while let Some(event) = events.recv().await {
        if told.is_ok() {
            told = told_line(console, &event);
            stop.fetch_or(told.is_err(), Ordering::Relaxed);
        }
    }
    told
}

/// One line of JSON, at once.
fn told_line(console: &mut Console, line: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(line).map_err(|error| Error::internal("what happened is no JSON").source(error))?;
    console.line(if console.page().is_terminal() { harmless_json(&text) } else { text.into() })?;
    console.out().flush().map_err(output_failure)
}

/// Runs until a signal comes. Trouble of a run is told and ends nothing: the next one may go well.
async fn again_and_again(store: &FeatureStore, options: &SyncOptions, every: Duration, telling: Telling, console: &mut Console) -> Verdict {
    loop {
        match once(store, options, telling, console).await {
            Ok(Told { signal: Some(number), .. }) => return Ok(Exit::Signal(number)),
            Ok(_) => {}
            Err(Failure::Error(error)) => console.complain(error.to_string()),
            Err(failure) => return Err(failure),
        }
        console.out().flush().map_err(|error| Error::io("can't write to standard output", error))?;
        let pause = async {
            tokio::time::sleep(every).await;
            Ok(())
        };
        match until_signal(pause).await {
            Err(Failure::Signal(number)) => return Ok(Exit::Signal(number)),
            slept => slept?,
        }
    }
}

fn seconds(text: &str) -> crate::model::Result<u64> {
    let ttl: Ttl = text
        .parse()
        .map_err(|_| Error::usage(format!("'{}' is no length of time", text.escape_debug())).remedy("write it as 30s, 5m, 12h or 7d"))?;
    Ok(ttl.seconds())
}

impl History {
    async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let since = match EventTime::parse_text(&self.since, TimeMode::Lenient) {
            Ok(instant) if self.since.contains('-') => instant,
            _ => {
                let back = i64::try_from(seconds(&self.since)?).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                EventTime::from_unix_micros(store.now().unix_micros().saturating_sub(back)).unwrap_or(EventTime::MIN)
            }
        };
        let rows = changes_since(&store, since).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            let fields: Vec<FieldChange> =
                serde_json::from_str(&row.fields).map_err(|error| Error::corrupt("a change in the catalog can't be read").source(error))?;
            entries.push((row, fields));
        }
        if console.json() {
            let documents: Vec<Value> = entries
                .iter()
                .map(|(row, fields)| {
                    json!({"run_id": row.run.map(|run| run.to_string()), "at": row.at.to_iso8601(), "source": row.source,
                           "op": row.operation, "kind": row.kind, "id": row.name, "fields": fields})
                })
                .collect();
            console.document(&documents)?;
            return Ok(Exit::Done);
        }
        if entries.is_empty() {
            console.hint("no sync changed anything since then");
        }
        for (row, fields) in &entries {
            let name = named(&row.kind, &row.name);
            console.line(format!("{} {} {name} {}", row.at.to_iso8601(), sign(&row.operation), visible(&row.source)))?;
            write_fields(console, fields)?;
        }
        Ok(Exit::Done)
    }
}

/// The first of failed, partly, withheld, pending that holds.
fn exit_of(report: &SyncReport, check: bool) -> Exit {
    let failed = |source: &SourceReport| source.status == SourceStatus::Failed;
    if report.sources.iter().all(failed) {
        return Exit::Failed;
    }
    if report.sources.iter().any(|source| failed(source) || source.status == SourceStatus::Degraded) {
        return Exit::Partly;
    }
    // That nothing be deleted was the wish then.
    if report.sources.iter().any(|source| source.withheld_because.is_some_and(|why| why != Withheld::Asked)) {
        return Exit::Withheld;
    }
    if check && !report.changes.is_empty() { Exit::CheckSaysNo } else { Exit::Done }
}

fn document(report: &SyncReport, exit: Exit, started: EventTime, finished: EventTime) -> Value {
    let status = match exit {
        Exit::Done => "done",
        Exit::Partly => "partial",
        Exit::Withheld => "withheld",
        Exit::CheckSaysNo => "pending",
        Exit::Signal(_) => "interrupted",
        _ => "failed",
    };
    json!({
        "version": DOCUMENT_VERSION,
        "run_id": report.run_id,
        "started": started.to_iso8601(),
        "finished": finished.to_iso8601(),
        "status": status,
        "exit_code": exit.code(),
        "sources": report.sources,
        "changes": report.changes,
    })
}

/// Says on standard error why the exit code is not 0.
fn complain(console: &mut Console, report: &SyncReport, exit: Exit) {
    for source in &report.sources {
        for error in &source.errors {
            // A message that names the place itself need not be told it twice.
            let object = error.object.as_ref().filter(|object| !error.message.starts_with(object.as_str()));
            let place = object.map_or_else(|| source.name.clone(), |object| format!("{}: {object}", source.name));
            console.complain(visible(&format!("{place}: {}", error.message)));
        }
        if let Some(why) = source.withheld_because {
            console.complain(visible(&format!(
                "{}: {} deletions withheld ({}); see --prune and --max-delete",
                source.name,
                source.withheld,
                why.as_str()
            )));
        }
    }
    if exit == Exit::CheckSaysNo {
        let (changes, them) = (counted(report.changes.len() as u64, "change"), if report.changes.len() == 1 { "it" } else { "them" });
        console.complain(format!("{changes} pending: `larder sync` brings {them} in"));
    }
}

fn write(console: &mut Console, report: &SyncReport, dry: bool) -> Result<(), Failure> {
    if console.quiet() {
        return Ok(());
    }
    for Change { op, kind, source, id, fields } in &report.changes {
        console.line(format!("{} {} ({})", sign(op), named(kind, id), visible(source)))?;
        write_fields(console, fields)?;
    }
    for source in &report.sources {
        let dry = if dry { ", nothing written" } else { "" };
        console.line(format!(
            "{}: {} created, {} updated, {} deleted, {} unchanged{dry}",
            visible(&source.name),
            source.created,
            source.updated,
            source.deleted,
            source.unchanged
        ))?;
        if let Some(read) = source.statistics {
            let left = if read.files_left > 0 { format!(", {} left", counted(read.files_left, "file")) } else { String::new() };
            console.line(format!("    statistics: {} in {}{left}", counted(read.rows, "row"), counted(read.files, "file")))?;
        }
    }
    Ok(())
}

pub(super) fn write_fields(console: &mut Console, fields: &[FieldChange]) -> Result<(), Failure> {
    for field in fields {
        let line = match field.path.as_str() {
            // Whole graphs; `larder lineage` shows them.
            "flows" => "lineage: changed".to_owned(),
            path => format!("{path}: {} -> {}", field_text(field.old.as_ref()), field_text(field.new.as_ref())),
        };
        console.line(visible(&format!("    {line}")))?;
    }
    Ok(())
}

/// A value in a line: of a whole feature its type.
fn field_text(value: Option<&Value>) -> String {
    let Some(value) = value else { return "none".to_owned() };
    let kind = value.get("type").or_else(|| value.get("native_type")).and_then(Value::as_str);
    kind.map_or_else(|| value.to_string(), str::to_owned)
}

/// A group by its name, anything else with its kind.
pub(super) fn named(kind: &str, name: &str) -> String {
    if kind == "group" { visible(name).into_owned() } else { format!("{kind} {}", visible(name)) }
}

pub(super) fn sign(operation: &str) -> char {
    match operation {
        "update" => '~',
        "delete" => '-',
        _ => '+',
    }
}
