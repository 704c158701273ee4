//! The command line: one file per verb, each translating words into calls of [`crate::store::FeatureStore`] and answers into text
//! or JSON.
//!
//! What scripts rely on, and what must therefore stay true: the verbs and flags, the field names of `--json`, one document on standard
//! output and everything else on standard error, and the exit codes of [`exit`]. Arguments are parsed before anything is opened or
//! started, so `--version`, `--help` and a typing mistake cost nothing; quick verbs run on a single-threaded runtime, verbs that read
//! files on as many threads as there are cores.
//!
//! Faces do not know each other, so the browser is not called from here: a command that ends in it answers [`Ending::Browse`] and `main`
//! hands over.

mod console;
mod exit;
mod group_view;
mod interrupt;
mod json_record;
mod logging;
mod numbers;
mod pairs;
mod place;
mod progress;
mod record_view;
mod sdk;
mod since;
mod sink;
mod table;
mod text;
mod usage;

mod audit;
mod batch_get;
mod check;
mod cluster;
mod compact;
mod completions;
mod create;
mod dataset;
mod definitions;
mod delete;
mod demo;
mod describe;
mod doctor;
mod documentation;
mod drift;
mod drop;
mod duplicates;
mod flush;
mod get;
mod history;
mod impact;
mod ingest;
mod lineage;
mod list;
mod online;
mod put;
mod query;
mod search;
mod serve;
mod source;
mod stats;
mod sync;
mod sync_questions;
mod tag;
mod tui;
mod update;

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use futures::future::LocalBoxFuture;

use console::Console;
use exit::{Exit, Failure, Verdict};
use place::Place;

use crate::model::Error;
use crate::store::{FeatureStore, OpenOptions};

/// How a command line ended.
#[derive(Debug)]
pub enum Ending {
    /// With this exit code; everything has been said.
    Exit(u8),
    /// In the browser.
    Browse(Browse),
}

/// What the browser is asked to open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Browse {
    /// The store's folder.
    pub store: PathBuf,
    /// Whether nothing may be changed from it.
    pub read_only: bool,
    /// URL of the bucket that holds its history, if one was named.
    pub object_store: Option<String>,
    /// The screen to begin with.
    pub screen: Option<String>,
    /// What to look for.
    pub text: Option<String>,
    /// The theme.
    pub theme: Option<String>,
    /// Plain characters only.
    pub ascii: bool,
    /// Nothing moves by itself.
    pub still: bool,
}

impl Browse {
    /// Opens the store, makes it if there is none, runs the browser on it, and returns the exit code.
    ///
    /// Nothing here is generic: the binary would have to compile all that this calls once more.
    pub fn run(self, browser: fn(FeatureStore, Self) -> LocalBoxFuture<'static, crate::model::Result<()>>) -> u8 {
        let object_store = self.object_store.clone();
        let options = OpenOptions { read_only: self.read_only, create: !self.read_only, object_store, ..OpenOptions::default() };
        let verdict = on_all_cores(async {
            let store = FeatureStore::open(&self.store, options).await?;
            browser(store.clone(), self.clone()).await?;
            store.close().await?;
            Ok(Exit::Done)
        });
        Console::new(false, false).finish(verdict).code()
    }
}

const EXAMPLES: &str = "\
Without a verb the terminal browser opens.

Examples:
  larder demo                                        fill a sample store and browse it
  larder create trips --from trips.csv --id trip_id --event-time pickup_time
  larder ingest trips trips.csv
  larder get trips 17 --json
  larder search distance
  larder query 'select count(*) from trips'
  larder dataset build --spine labels.csv --spine-id trip_id --spine-time at --features trips -o train.parquet

Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 partly done, 4 a check says no
(record not found, dataset not what it was, changes pending), 5 deletions withheld, 6 locked by another process, 130 interrupted, 143 terminated";

/// Stock, find and serve machine-learning features
#[derive(Parser, Debug)]
#[command(name = "larder", bin_name = "larder", version, after_help = EXAMPLES, max_term_width = 100, subcommand_help_heading = "Verbs", subcommand_value_name = "VERB")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// Flags that every verb takes, before it or after it.
#[derive(Args, Debug)]
struct Global {
    /// Use the store in this folder [env: LARDER_STORE] [default: ~/.local/share/larder]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    store: Option<PathBuf>,
    /// Keep the history in this bucket, s3://BUCKET/PREFIX, not in the store's folder [env: LARDER_OBJECT_STORE]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    object_store: Option<String>,
    /// Answer with one JSON document on standard output
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// Leave out hints, progress and confirmations
    #[arg(short, long, global = true, help_heading = "Global options")]
    quiet: bool,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Demo(demo::Demo),
    Create(create::Create),
    Plan(definitions::plan::Plan),
    Apply(definitions::apply::Apply),
    Validate(definitions::validate::Validate),
    List(list::List),
    Describe(describe::Describe),
    Search(search::Search),
    Duplicates(duplicates::Duplicates),
    Documentation(documentation::Documentation),
    Update(update::Update),
    Tag(tag::Tag),
    Drop(drop::Drop),
    Put(put::Put),
    Get(get::Get),
    BatchGet(batch_get::BatchGet),
    Delete(delete::Delete),
    History(history::History),
    Audit(audit::Audit),
    Ingest(ingest::Ingest),
    Query(query::Query),
    Lineage(lineage::Lineage),
    Impact(impact::Impact),
    Serve(serve::Serve),
    Cluster(cluster::Cluster),
    Dataset(dataset::Dataset),
    Flush(flush::Flush),
    Online(online::Online),
    Compact(compact::Compact),
    Source(source::Source),
    Sync(sync::Sync),
    Stats(stats::Stats),
    Drift(drift::Drift),
    Check(check::Check),
    Doctor(doctor::Doctor),
    Export(definitions::export::Export),
    Schema(definitions::schema::Schema),
    Completions(completions::Completions),
    Tui(tui::Tui),
}

/// Parses the command line, does what it says, and returns how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Ending {
    let cli = match Cli::command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(complaint) => {
            let mut console = Console::new(false, false);
            let verdict = usage::answer(&complaint, &mut console);
            return Ending::Exit(console.finish(verdict).code());
        }
    };
    let place = Place::new(cli.global.store).with_object_store(cli.global.object_store);
    let mut console = Console::new(cli.global.json, cli.global.quiet);
    let verb = match cli.verb {
        None => return tui::Tui::default().ending(&place, &mut console),
        Some(Verb::Tui(tui)) => return tui.ending(&place, &mut console),
        Some(Verb::Demo(demo)) => {
            logging::start();
            let verdict = on_all_cores(demo.run(&place, &mut console));
            return demo.ending(verdict, &place, &mut console);
        }
        Some(verb) => verb,
    };
    logging::start();
    let verdict = act(verb, &place, &mut console);
    Ending::Exit(console.finish(verdict).code())
}

fn act(verb: Verb, place: &Place, console: &mut Console) -> Verdict {
    match verb {
        Verb::Audit(audit) => on_one_core(audit.run(place, console)),
        Verb::List(list) => on_one_core(list.run(place, console)),
        Verb::Describe(describe) => on_one_core(describe.run(place, console)),
        Verb::Search(search) => on_one_core(search.run(place, console)),
        Verb::Duplicates(duplicates) => on_all_cores(interrupt::until_signal(duplicates.run(place, console))),
        Verb::Documentation(documentation) => on_one_core(documentation.run(place, console)),
        Verb::Update(update) => on_one_core(update.run(place, console)),
        Verb::Tag(tag) => on_one_core(tag.run(place, console)),
        Verb::Drop(drop) => on_one_core(drop.run(place, console)),
        Verb::Put(put) => on_one_core(put.run(place, console)),
        Verb::Get(get) => on_one_core(get.run(place, console)),
        Verb::BatchGet(batch_get) => on_one_core(batch_get.run(place, console)),
        Verb::Delete(delete) => on_one_core(delete.run(place, console)),
        Verb::Create(create) => on_all_cores(create.run(place, console)),
        Verb::History(history) => on_all_cores(interrupt::until_signal(history.run(place, console))),
        Verb::Ingest(ingest) => on_all_cores(ingest.run(place, console)),
        Verb::Serve(serve) => on_all_cores(serve.run(place, console)),
        Verb::Query(query) => on_all_cores(interrupt::until_signal(query.run(place, console))),
        Verb::Cluster(cluster) => cluster.act(place, console),
        Verb::Dataset(dataset) => dataset.act(place, console),
        Verb::Lineage(lineage) => on_all_cores(lineage.run(place, console)),
        Verb::Impact(impact) => on_all_cores(impact.run(place, console)),
        Verb::Flush(flush) => on_all_cores(flush.run(place, console)),
        Verb::Online(online) => on_all_cores(interrupt::until_signal(online.run(place, console))),
        Verb::Compact(compact) => on_all_cores(compact.run(place, console)),
        Verb::Source(source) => on_one_core(source.run(place, console)),
        Verb::Sync(sync) => on_all_cores(sync.run(place, console)),
        Verb::Stats(stats) => on_all_cores(stats.run(place, console)),
        Verb::Drift(drift) => on_all_cores(drift.run(place, console)),
        Verb::Check(check) => on_all_cores(interrupt::until_signal(check.run(place, console))),
        Verb::Doctor(doctor) => on_all_cores(interrupt::until_signal(doctor.run(place, console))),
        Verb::Plan(plan) => on_all_cores(plan.run(place, console)),
        Verb::Apply(apply) => on_all_cores(apply.run(place, console)),
        Verb::Validate(validate) => on_one_core(validate.run(console)),
        Verb::Export(export) => on_one_core(export.run(place, console)),
        Verb::Schema(schema) => schema.run(console),
        Verb::Completions(completions) => completions.run(console),
        // Both end elsewhere: see `run`.
        Verb::Demo(_) | Verb::Tui(_) => Err(Error::internal("a verb was run in the wrong place").into()),
    }
}

/// Runs a quick verb: no worker threads to start and stop.
fn on_one_core(work: impl Future<Output = Verdict>) -> Verdict {
    run_on(tokio::runtime::Builder::new_current_thread(), work)
}

/// Runs a verb that reads or writes files in earnest.
fn on_all_cores(work: impl Future<Output = Verdict>) -> Verdict {
    run_on(tokio::runtime::Builder::new_multi_thread(), work)
}

fn run_on(mut builder: tokio::runtime::Builder, work: impl Future<Output = Verdict>) -> Verdict {
    let runtime = builder.enable_all().build().map_err(no_runtime)?;
    let verdict = runtime.block_on(work);
    // A thread that still waits for standard input must not hold up the end: what mattered was awaited.
    runtime.shutdown_background();
    verdict
}

fn no_runtime(error: std::io::Error) -> Failure {
    Failure::Error(Error::io("can't start worker threads", error))
}

/// Reads a text that an argument points at: a file, or standard input for `-`.
async fn read_text(argument: &str) -> crate::model::Result<String> {
    let argument = argument.to_owned();
    // Not on this thread: whoever waits for a signal beside us must be able to.
    let reading = tokio::task::spawn_blocking(move || {
        if argument == "-" {
            return std::io::read_to_string(std::io::stdin()).map_err(|error| Error::io("can't read standard input", error));
        }
        std::fs::read_to_string(&argument).map_err(|error| Error::io(format!("can't read '{argument}'"), error))
    });
    reading.await.map_err(|error| Error::internal("reading the input stopped").source(error))?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("larder").chain(words.split_whitespace()))
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_verb() {
        for words in ["--store s --json -q list", "list --store s --json -q", "--json list --quiet --store=s"] {
            let cli = parse(words).unwrap();
            assert_eq!((cli.global.store, cli.global.json, cli.global.quiet), (Some("s".into()), true, true), "{words}");
        }
    }

    #[test]
    fn every_verb_has_help_with_examples_and_no_full_stops() {
        let mut commands: Vec<clap::Command> = Cli::command().get_subcommands().cloned().collect();
        let nested: Vec<clap::Command> = commands.iter().flat_map(|command| command.get_subcommands().cloned()).collect();
        commands.extend(nested);
        for command in &commands {
            let name = command.get_name();
            let about = command.get_about().unwrap_or_else(|| panic!("{name} says nothing about itself")).to_string();
            assert!(!about.ends_with('.') && about.starts_with(|letter: char| letter.is_ascii_uppercase()), "{name}: {about}");
            assert!(command.get_after_help().is_some_and(|help| help.to_string().contains("larder ")), "{name} has no examples");
            for argument in command.get_arguments() {
                let help = argument.get_help().unwrap_or_else(|| panic!("{name} {} has no help", argument.get_id())).to_string();
                assert!(!help.ends_with('.'), "{name} {}: {help}", argument.get_id());
            }
        }
    }

    #[test]
    fn verbs_of_later_parts_are_unknown_not_pretended() {
        assert!(parse("apply").is_err());
    }
}
