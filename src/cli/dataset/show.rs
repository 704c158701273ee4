//! `larder dataset show`: everything known about one dataset.

use clap::Args;

use super::build::inputs;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Verdict};
use crate::cli::place::{Place, now};
use crate::cli::table::{Facts, Side, Table};
use crate::cli::text::{counted, full_count, relative_time, short_bytes, to_the_second, took, visible};
use crate::model::Error;
use crate::store::datasets::{Manifest, SpineSource};

/// Show a training dataset: what it was built from, and where each column comes from
#[derive(Args, Debug)]
#[command(after_help = "\
With --json the answer is the manifest.

Examples:
  larder dataset show train
  larder dataset show train@2
  larder dataset show train.parquet --json | jq '.inputs[].delta_version'")]
pub(super) struct Show {
    /// Name, name@version, or the path of its file, folder or manifest
    dataset: String,
}

impl Show {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let manifest = place.open().await?.find_dataset(&self.dataset).await?;
        if console.json() {
            let document: serde_json::Value =
                serde_json::from_str(&manifest.to_json()?).map_err(|error| Error::internal("a manifest is no JSON").source(error))?;
            console.document(&document)?;
        } else {
            write_page(console, &manifest)?;
        }
        Ok(Exit::Done)
    }
}

fn write_page(console: &mut Console, manifest: &Manifest) -> Result<(), Failure> {
    let style = console.style();
    console.line(style.strong(&visible(&manifest.label())))?;
    if let Some(description) = &manifest.description {
        console.line(visible(description))?;
    }
    console.line("")?;
    for line in facts(manifest).lines(style) {
        console.line(line)?;
    }
    console.line("")?;
    console.table(&inputs(manifest))?;
    console.line("")?;
    let mut columns = Table::new(&[("COLUMN", Side::Left), ("TYPE", Side::Left), ("FROM", Side::Left)]);
    for column in &manifest.columns {
        let input = column.input.and_then(|input| manifest.inputs.get(input));
        let from = match (input, &column.feature) {
            (Some(input), Some(feature)) => format!("{}.{feature}", input.group),
            _ => "spine".to_owned(),
        };
        columns.row([&column.name, &column.data_type, &from]);
    }
    console.table(&columns)
}

fn facts(manifest: &Manifest) -> Facts {
    let request = &manifest.request;
    let mut facts = Facts::default();
    facts.fact("rows", format!("{} with {}", full_count(manifest.rows), counted(manifest.columns.len() as u64, "column")));
    let built = manifest.created;
    let spent = took(std::time::Duration::from_secs_f64(manifest.seconds.max(0.0)));
    facts.fact(
        "built",
        format!(
            "{} ({}), in {spent}, by larder {}",
            to_the_second(&built.to_iso8601()),
            relative_time(built.unix_micros(), now()),
            manifest.larder
        ),
    );
    let kind = if matches!(request.spine, SpineSource::Sql(_)) { "SQL: " } else { "" };
    facts.fact("spine", format!("{kind}{}", request.spine));
    facts.fact("identifier, time", format!("{}, {}", request.spine_id, request.spine_time));
    facts.maybe("written by", request.as_of.map(|as_of| as_of.to_iso8601()));
    let output = &manifest.output;
    // What lies in a bucket is not looked for here.
    let is_there = output.path.starts_with("s3://") || std::path::Path::new(&output.path).exists();
    let gone = if is_there { "" } else { " (not there any more)" };
    let (kind, files) = match output.files.len() {
        0 => ("file", String::new()),
        files => ("folder", format!(" in {}", counted(files as u64, "file"))),
    };
    facts.fact(kind, format!("{}{gone}", output.path));
    facts.fact("size", format!("{}, {}{files}", short_bytes(output.bytes), output.format));
    facts.fact("content", &manifest.content_hash);
    facts
}
