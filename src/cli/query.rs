//! `larder query`: SQL over the history of every group.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use serde::Serialize;

use super::cluster::OnCluster;
use super::console::{Console, output_failure};
use super::exit::{Exit, Failure, Verdict};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::read_text;
use super::sink::Sink;
use super::text::{counted, took, visible};
use crate::model::{Error, Result};
use crate::store::datasets::BuildOutput;
use crate::store::output_file::OutputFile;
use crate::store::{OutputFormat, QueryStream, StoredAnswer, result_writer};

/// How the rows of an answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
    Parquet,
}

impl From<Format> for OutputFormat {
    fn from(format: Format) -> OutputFormat {
        match format {
            Format::Table => OutputFormat::Table,
            Format::Csv => OutputFormat::Csv,
            Format::Json => OutputFormat::Json,
            Format::Parquet => OutputFormat::Parquet,
        }
    }
}

/// Ask SQL over the groups, one table per group
#[derive(Args, Debug)]
#[command(after_help = "\
A table holds the features, then write_time, api_invocation_time and is_deleted: every record ever stored, those put \
a moment ago too. \"NAME$latest\" holds the newest live record per identifier. Names with hyphens are quoted. Functions \
and forms of Athena are understood; the README lists them.

Examples:
  larder query 'select count(*) from trips'
  larder query 'select avg(loyalty_score) from \"customer-features$latest\"' --json
  larder query 'select * from \"customer-features\"' -o customers.parquet
  larder query - --format csv < report.sql > report.csv
  larder query --cluster 127.0.0.1:50050 'select * from trips' -o store:all-trips
  larder query --cluster 127.0.0.1:50050 'select count(distinct trip_id) from trips'")]
pub(crate) struct Query {
    /// The statement; '-' reads it from standard input
    sql: String,
    /// Write rows in this form [default: table; with -o, by the file's extension]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Write to this file instead of standard output, or as Parquet files to a new folder of the store: store:NAME
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    on: OnCluster,
}

impl Query {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let output = self.output.as_deref().filter(|path| *path != Path::new("-"));
        let kept = match output.map(BuildOutput::parse).transpose()? {
            Some(BuildOutput::Store(name)) => Some(name),
            Some(BuildOutput::File(_)) | None => None,
        };
        let format = match &kept {
            Some(_) => self.format.map_or(OutputFormat::Parquet, Into::into),
            None => chosen_format(self.format, console.json(), output)?,
        };
        if format == OutputFormat::Parquet && output.is_none() && console.page().is_terminal() {
            return Err(Error::usage("Parquet is not for a terminal").remedy("name a file with -o FILE").into());
        }
        let sql = if self.sql == "-" { read_text("-").await? } else { self.sql };
        if sql.trim().is_empty() {
            return Err(Error::usage("there is no SQL statement").remedy("write one, such as 'select count(*) from trips'").into());
        }
        let cluster = self.on.options()?;
        let store = place.open().await?;
        let started = Instant::now();
        let mut progress = Progress::new(console);
        if let Some(name) = kept {
            let answer = progress.during_showing(store.query_into(cluster.as_ref(), &sql, &name, format), || stand(0)).await?;
            progress.clear();
            return tell(&answer, started.elapsed(), console);
        }
        let asked = async {
            match &cluster {
                Some(cluster) => store.query_on(cluster, &sql, None).await,
                None => store.query(&sql, None).await,
            }
        };
        let stream = progress.during_showing(asked, || stand(0)).await?;
        let Some(path) = output else {
            let page = console.page();
            let sink = if page.is_terminal() { Sink::on_terminal(console.out(), format) } else { Sink::new(console.out()) };
            write_rows(stream, format, page.is_terminal().then(|| page.width()), sink, output_failure, &mut progress).await?;
            return Ok(Exit::Done);
        };
        let mut file = OutputFile::create(path)?;
        let name = path.display().to_string();
        let fault = |error| Failure::Error(Error::io(format!("can't write '{name}'"), error));
        let rows = write_rows(stream, format, None, Sink::new(file.writer()), fault, &mut progress).await?;
        file.finish()?;
        progress.clear();
        console.hint(format!("{} in {name}, {}", counted(rows, "row"), took(started.elapsed())));
        Ok(Exit::Done)
    }
}

/// The document of `query -o store:NAME --json`.
#[derive(Serialize)]
struct Kept<'a> {
    output: &'a str,
    rows: u64,
    bytes: u64,
    files: usize,
}

/// Says where an answer lies.
fn tell(answer: &StoredAnswer, spent: Duration, console: &mut Console) -> Verdict {
    let (rows, files) = (answer.rows(), answer.files.len());
    if console.json() {
        console.document(&Kept { output: &answer.path, rows, bytes: answer.bytes(), files })?;
    } else if !console.quiet() {
        let (rows, files) = (counted(rows, "row"), counted(files as u64, "file"));
        console.line(format!("wrote {rows} to {} in {files} in {}", visible(&answer.path), took(spent)))?;
    }
    Ok(Exit::Done)
}

fn stand(rows: u64) -> Option<Stand> {
    Some(Stand { words: "reading".to_owned(), note: String::new(), rows, done: 0, total: None })
}

/// Settles the format: what was asked for, else what the file's name says, else a table.
fn chosen_format(asked: Option<Format>, json: bool, output: Option<&Path>) -> Result<OutputFormat> {
    match (asked, output) {
        (Some(format), None) if json && format != Format::Json => {
            Err(Error::usage("--json and --format ask for two forms").remedy("leave one of them out"))
        }
        (Some(format), _) => Ok(format.into()),
        (None, Some(path)) => match OutputFormat::from_file_name(&path.to_string_lossy()) {
            Some(format) => Ok(format),
            None if json => Ok(OutputFormat::Json),
            None => Err(Error::usage(format!("the name '{}' does not say in which form to write", path.display()))
                .remedy("end it in .csv, .json or .parquet, or add --format")),
        },
        (None, None) => Ok(if json { OutputFormat::Json } else { OutputFormat::Table }),
    }
}

/// Writes all rows and returns how many there were.
async fn write_rows(
    stream: QueryStream,
    format: OutputFormat,
    width: Option<usize>,
    mut sink: Sink<'_>,
    unwritten: impl Fn(std::io::Error) -> Failure,
    progress: &mut Progress,
) -> std::result::Result<u64, Failure> {
    let done = copy_rows(stream, format, width, &mut sink, progress).await;
    // Where the stream itself failed, only the sink knows why.
    done.map_err(|error| sink.take_failure().map_or(Failure::Error(error), unwritten))
}

async fn copy_rows(
    mut stream: QueryStream,
    format: OutputFormat,
    width: Option<usize>,
    sink: &mut Sink<'_>,
    progress: &mut Progress,
) -> Result<u64> {
    let mut writer = result_writer(format, &stream.schema(), width, sink)?;
    let mut rows = 0;
    while let Some(batch) = progress.during_showing(stream.next(), || stand(rows)).await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_format_is_asked_for_or_read_off_the_name() {
        let file = |name: &'static str| Some(Path::new(name));
        assert_eq!(chosen_format(None, false, None).unwrap(), OutputFormat::Table);
        assert_eq!(chosen_format(None, true, None).unwrap(), OutputFormat::Json);
        assert_eq!(chosen_format(None, false, file("a.parquet")).unwrap(), OutputFormat::Parquet);
        assert_eq!(chosen_format(Some(Format::Csv), false, file("a.dat")).unwrap(), OutputFormat::Csv);
        assert_eq!(chosen_format(None, true, file("a.dat")).unwrap(), OutputFormat::Json);
        assert!(chosen_format(None, false, file("a.dat")).is_err());
        assert!(chosen_format(Some(Format::Csv), true, None).is_err());
        assert_eq!(chosen_format(Some(Format::Json), true, None).unwrap(), OutputFormat::Json);
    }
}
