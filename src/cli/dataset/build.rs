//! `larder dataset build`: the point-in-time join into a file.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use serde::Serialize;
use serde_json::{Map, Value};

use super::request::{RequestFlags, memory};
use super::{share, watched};
use crate::cli::cluster::OnCluster;
use crate::cli::console::{Console, output_failure};
use crate::cli::exit::{Exit, Failure, Verdict};
use crate::cli::place::Place;
use crate::cli::sink::Sink;
use crate::cli::table::{Side, Table};
use crate::cli::text::{UNKNOWN, counted, full_count, took, visible};
use crate::model::{DatasetName, Error, Result};
use crate::store::datasets::{BuildOptions, BuildOutput, JoinWatch, Manifest, PlanOptions, SqlDialect};
use crate::store::output_file::OutputFile;
use crate::store::{FeatureStore, OutputFormat, result_writer};

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Parquet,
    Csv,
    Json,
    Jsonl,
}

/// Engines whose SQL the question can be printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    Spark,
    Trino,
    Duckdb,
}

impl From<Dialect> for SqlDialect {
    fn from(dialect: Dialect) -> SqlDialect {
        match dialect {
            Dialect::Spark => SqlDialect::Spark,
            Dialect::Trino => SqlDialect::Trino,
            Dialect::Duckdb => SqlDialect::DuckDb,
        }
    }
}

impl From<Format> for OutputFormat {
    fn from(format: Format) -> OutputFormat {
        match format {
            Format::Parquet => OutputFormat::Parquet,
            Format::Csv => OutputFormat::Csv,
            Format::Json => OutputFormat::Json,
            Format::Jsonl => OutputFormat::JsonLines,
        }
    }
}

/// Build a training dataset: each row of a spine with features as they were at its time
#[derive(Args, Debug)]
#[command(after_help = "\
One row comes out for each row of the spine, in its order, with its columns first. A feature is taken from the newest record \
of the row's identifier whose event time is not after the row's and not older than the ttl. Building under a name again makes \
its next version. Beside the file lies its manifest, from which it can be built again. Give a spine from SQL an ORDER BY, or \
verifying it may find its rows in another order.

With -o store:NAME the rows become Parquet files in a new folder of the store, in its bucket if it has one, with the manifest \
inside: files in the order of their names hold the rows in order. With --cluster the workers write them, and no row passes \
through this machine.

Examples:
  larder dataset build --spine labels.parquet --spine-id customer_id --spine-time at \\
      --features customer-features:total_purchases,loyalty_score --features customer-account:plan -o train.parquet
  larder dataset build --spine trips.csv --spine-id pickup --spine-time at \\
      --features 'geo as origin:city' --features 'geo@dropoff as destination:city' --ttl 30d -o trips.parquet
  larder dataset build --spine-sql 'select customer_id, event_time as at from \"support-features\" order by 1, 2' --spine-id customer_id \\
      --spine-time at --features customer-features --as-of 2026-11-01 -o - --format csv
  larder dataset build --cluster 10.0.0.5:50050 --spine labels.parquet --spine-id customer_id --spine-time at \\
      --features customer-features -o store:churn
  larder dataset build --spine labels.parquet --spine-id customer_id --spine-time at \\
      --features customer-features --print-sql duckdb | duckdb")]
pub(super) struct Build {
    #[command(flatten)]
    request: RequestFlags,
    /// Write the rows to this file, or as files to a new folder of the store: store:NAME; '-' is standard output
    #[arg(short, long, value_name = "FILE", required_unless_present = "print_sql")]
    output: Option<PathBuf>,
    /// Build nothing: print the same question in the SQL of another engine, which reads the same files
    #[arg(long, value_name = "DIALECT", value_enum, conflicts_with_all = ["format", "name", "description", "memory", "cluster"])]
    print_sql: Option<Dialect>,
    /// Write rows in this form [default: by the file's extension]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Call the dataset this [default: the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Say what it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Hold at most this much in memory, such as 512MiB [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    #[command(flatten)]
    on: OnCluster,
}

/// The document of `dataset build --print-sql DIALECT --json`.
#[derive(Serialize)]
struct Printed<'a> {
    dialect: String,
    sql: &'a str,
}

/// The document of `dataset build --json`.
#[derive(Serialize)]
struct Built<'a> {
    dataset: &'a str,
    version: Option<u64>,
    rows: u64,
    columns: usize,
    matched: Map<String, Value>,
    content_hash: &'a str,
    seconds: f64,
    output: &'a str,
    bytes: u64,
    /// Of a folder of the store: how many it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<usize>,
}

impl Build {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let request = self.request.request()?;
        if let Some(dialect) = self.print_sql {
            return self.print(dialect.into(), &request, place, console).await;
        }
        let output = self.output()?;
        let memory = memory(self.memory.as_deref())?;
        let name = self.name.as_deref().map(DatasetName::parse).transpose()?;
        let is_stream = output == Path::new("-") || (!OutputFile::is_replaceable(output) && !output.is_dir());
        let format = self.chosen_format()?;
        let watch = JoinWatch::default();
        let cluster = self.on.options()?;
        if is_stream {
            if self.name.is_some() || self.description.is_some() {
                return Err(Error::usage("rows that are not kept have no name and no description")
                    .remedy("name a file with -o, or leave them out")
                    .into());
            }
            let options = PlanOptions { memory, watch, cluster, ..PlanOptions::default() };
            let store = place.open().await?;
            return self.stream(&store, &request, &options, format, console).await;
        }
        let store = place.open().await?;
        let options = BuildOptions {
            name,
            description: self.description.clone(),
            output: BuildOutput::parse(output)?,
            format,
            memory,
            watch: watch.clone(),
            cluster,
        };
        let built = watched(console, &watch, self.request.waits(), store.build_dataset(&request, &options)).await?;
        store.close().await?;
        self.tell(&built.manifest, console)
    }

    /// The file that is written; `-o` may be missing only where SQL is printed.
    fn output(&self) -> Result<&Path> {
        self.output.as_deref().ok_or_else(|| Error::usage("where the rows go is not said").remedy("add -o FILE"))
    }

    /// Prints the question in the words of another engine.
    async fn print(
        &self,
        dialect: SqlDialect,
        request: &crate::store::datasets::DatasetRequest,
        place: &Place,
        console: &mut Console,
    ) -> Verdict {
        let store = place.open().await?;
        let sql = store.dataset_sql(request, dialect).await?;
        store.close().await?;
        match self.output.as_deref().filter(|output| *output != Path::new("-")) {
            Some(output) => {
                let mut file = OutputFile::create(output)?;
                if let Err(error) = std::io::Write::write_all(&mut file.writer(), sql.as_bytes()) {
                    return Err(file.fault(error).into());
                }
                file.finish()?;
            }
            None if console.json() => console.document(&Printed { dialect: dialect.to_string(), sql: &sql })?,
            None => console.line(sql.trim_end())?,
        }
        Ok(Exit::Done)
    }

    /// Settles the format: what was asked for, else what the file's name says.
    fn chosen_format(&self) -> Result<OutputFormat> {
        if let Some(format) = self.format {
            return Ok(format.into());
        }
        let output = self.output()?;
        if output == Path::new("-") {
            return Ok(OutputFormat::Csv);
        }
        if matches!(BuildOutput::parse(output)?, BuildOutput::Store(_)) {
            return Ok(OutputFormat::Parquet);
        }
        if output.is_dir() {
            return Err(Error::usage(format!("'{}' is a folder", output.display())).remedy("name a file"));
        }
        match OutputFormat::from_file_name(&output.to_string_lossy()) {
            Some(format) if format != OutputFormat::Table => Ok(format),
            _ => Err(Error::usage(format!("the name '{}' does not say in which form to write", output.display()))
                .remedy("end it in .parquet, .csv, .json or .jsonl, or add --format")),
        }
    }

    /// Writes rows where they are not kept: nothing is recorded.
    async fn stream(
        &self,
        store: &FeatureStore,
        request: &crate::store::datasets::DatasetRequest,
        options: &PlanOptions,
        format: OutputFormat,
        console: &mut Console,
    ) -> Verdict {
        let output = self.output()?;
        let to_stdout = output == Path::new("-");
        if to_stdout && console.json() {
            return Err(Error::usage("--json answers on standard output, and so do the rows")
                .remedy("leave --json out, or name a file")
                .into());
        }
        let page = console.page();
        if format == OutputFormat::Parquet && to_stdout && page.is_terminal() {
            return Err(Error::usage("Parquet is not for a terminal").remedy("name a file with -o FILE").into());
        }
        let started = Instant::now();
        let joined = watched(console, &options.watch, self.request.waits(), store.open_dataset(request, options)).await?;
        let (schema, rows) = (joined.schema(), joined.spine_rows());
        let mut file = if to_stdout { None } else { Some(OutputFile::create(output)?) };
        let mut batches = joined.into_batches();
        let mut sink = match &mut file {
            Some(file) => Sink::new(file.writer()),
            None if page.is_terminal() => Sink::on_terminal(console.out(), format),
            None => Sink::new(console.out()),
        };
        let copied = async {
            let mut writer = result_writer(format, &schema, None, &mut sink)?;
            while let Some(batch) = batches.next().await {
                writer.write(&batch?)?;
            }
            writer.finish()
        };
        let done = crate::cli::interrupt::until_signal(async { copied.await.map_err(Failure::from) }).await;
        if let Err(failure) = done {
            // Where the stream itself failed, only the sink knows why.
            return Err(sink.take_failure().map_or(failure, output_failure));
        }
        drop(sink);
        if let Some(file) = file {
            file.finish()?;
        }
        store.close().await?;
        console.hint(format!(
            "{} in {}; the dataset is not recorded, because no file keeps it",
            counted(rows, "row"),
            took(started.elapsed())
        ));
        Ok(Exit::Done)
    }

    fn tell(&self, manifest: &Manifest, console: &mut Console) -> Verdict {
        if console.json() {
            console.document(&Built {
                dataset: manifest.name.as_str(),
                version: manifest.version,
                rows: manifest.rows,
                columns: manifest.columns.len(),
                matched: manifest.matched().into_iter().map(|(alias, rows)| (alias.to_owned(), rows.into())).collect(),
                content_hash: &manifest.content_hash,
                seconds: manifest.seconds,
                output: &manifest.output.path,
                bytes: manifest.output.bytes,
                files: Some(manifest.output.files.len()).filter(|files| *files > 0),
            })?;
        } else if !console.quiet() {
            let spent = took(Duration::from_secs_f64(manifest.seconds.max(0.0)));
            let (rows, columns) = (counted(manifest.rows, "row"), counted(manifest.columns.len() as u64, "column"));
            let files = match manifest.output.files.len() {
                0 => String::new(),
                files => format!(" in {}", counted(files as u64, "file")),
            };
            let output = if files.is_empty() { self.output()?.to_string_lossy().into_owned() } else { manifest.output.path.clone() };
            console.line(format!("wrote {rows} with {columns} to {}{files} in {spent}", visible(&output)))?;
            console.line("")?;
            console.table(&inputs(manifest))?;
            console.line("")?;
            let style = console.style();
            console.line(format!("{}  {}", style.strong(&visible(&manifest.label())), style.muted(&manifest.content_hash)))?;
        }
        hints(manifest, console);
        Ok(Exit::Done)
    }
}

/// The groups a dataset was built from, with what was found in each.
pub(super) fn inputs(manifest: &Manifest) -> Table {
    let mut table = Table::new(&[
        ("GROUP", Side::Left),
        ("AS", Side::Left),
        ("BY", Side::Left),
        ("MATCHED", Side::Right),
        ("SHARE", Side::Right),
        ("TTL", Side::Right),
        ("VERSION", Side::Right),
        ("FEATURES", Side::Left),
    ]);
    for input in &manifest.inputs {
        let names: Vec<&str> = input.features.iter().map(|feature| feature.column.as_deref().unwrap_or(&feature.name)).collect();
        table.row([
            input.group.as_str(),
            if input.alias == input.group { "" } else { &input.alias },
            if input.spine_id == manifest.request.spine_id { "" } else { &input.spine_id },
            &full_count(input.matched),
            &share(input.matched, manifest.rows),
            &input.ttl.map_or_else(|| UNKNOWN.to_owned(), |ttl| ttl.to_string()),
            &input.delta_version.map_or_else(|| UNKNOWN.to_owned(), |version| version.to_string()),
            &names.join(", "),
        ]);
    }
    table
}

/// What somebody should know who has just built this.
fn hints(manifest: &Manifest, console: &mut Console) {
    for input in &manifest.inputs {
        if input.matched == 0 && manifest.rows > 0 {
            let feature = input.features.first().and_then(|feature| feature.column.as_deref()).unwrap_or("FEATURE");
            console.hint(format!(
                "no row found a record in {}: `larder dataset explain-row {} --row 0 --feature {}` tells why",
                visible(&input.alias),
                visible(&manifest.label()),
                visible(feature)
            ));
        }
        if input.unflushed > 0 {
            console.hint(format!(
                "{} of {} waited in the outbox and were read there",
                counted(input.unflushed, "record"),
                visible(&input.group)
            ));
        }
    }
    if manifest.version.is_none() {
        console.hint("the store can't be written, so the dataset is not recorded there; its manifest lies beside the file");
    }
}
