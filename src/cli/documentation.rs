//! `larder documentation`: how well groups are documented, what to write next, features that are dead.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::place::Place;
use super::table::{Side, Table};
use super::text::{UNKNOWN, full_count};
use crate::store::documentation::DocumentationReport;

/// Show how well groups are documented, what to write next, and dead features
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder documentation
  larder documentation customer-features
  larder documentation --json | jq -r '.fix_next[] | .group + \":\" + (.feature // \"\")'")]
pub(crate) struct Documentation {
    /// Judge only this group
    group: Option<String>,
    /// Show at most so many things to write, and so many dead features
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    limit: usize,
}

#[derive(Serialize)]
struct Group<'a> {
    group: &'a str,
    score: f64,
    parts: serde_json::Map<String, serde_json::Value>,
    features: u64,
    described: u64,
    readers: Option<u64>,
    datasets: u64,
}

#[derive(Serialize)]
struct Fix<'a> {
    group: &'a str,
    feature: Option<&'a str>,
    missing: &'a [&'static str],
    readers: Option<u64>,
    datasets: u64,
}

#[derive(Serialize)]
struct Dead<'a> {
    group: &'a str,
    feature: &'a str,
    reasons: &'a [&'static str],
    rows: Option<u64>,
}

/// `documentation --json`: everything, whatever the limit.
#[derive(Serialize)]
struct Document<'a> {
    groups: Vec<Group<'a>>,
    fix_next: Vec<Fix<'a>>,
    dead: Vec<Dead<'a>>,
    notes: &'a [String],
}

impl Documentation {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let report = store.documentation(self.group.as_deref()).await?;
        if console.json() {
            console.document(&document(&report))?;
            return Ok(Exit::Done);
        }
        self.write(&report, console)?;
        report.notes.iter().for_each(|note| console.hint(note));
        Ok(Exit::Done)
    }

    fn write(&self, report: &DocumentationReport, console: &mut Console) -> Result<(), Failure> {
        let count = |known: Option<u64>| known.map_or(UNKNOWN.to_owned(), full_count);
        let mut table = Table::new(&[
            ("GROUP", Side::Left),
            ("SCORE", Side::Right),
            ("DESCRIBED", Side::Right),
            ("READERS", Side::Right),
            ("DATASETS", Side::Right),
            ("LACKS", Side::Left),
        ]);
        for group in &report.groups {
            let lacks: Vec<&str> =
                group.parts.iter().filter(|part| part.value.is_some_and(|value| value < 1.0)).map(|part| part.name).collect();
            table.row([
                group.group.clone(),
                format!("{:.0} %", 100.0 * group.score),
                format!("{}/{}", group.described, group.features),
                count(group.readers),
                full_count(group.datasets),
                lacks.join(", "),
            ]);
        }
        console.table(&table)?;
        if !report.fix_next.is_empty() {
            console.line("")?;
            let mut table =
                Table::new(&[("WRITE NEXT", Side::Left), ("MISSING", Side::Left), ("READERS", Side::Right), ("DATASETS", Side::Right)]);
            for fix in report.fix_next.iter().take(self.limit) {
                let name = fix.feature.as_ref().map_or(fix.group.clone(), |feature| format!("{}:{feature}", fix.group));
                table.row([name, fix.missing.join(", "), count(fix.readers), full_count(fix.datasets)]);
            }
            console.table(&table)?;
            more(report.fix_next.len(), self.limit, console);
        }
        if !report.dead.is_empty() {
            console.line("")?;
            let mut table = Table::new(&[("DEAD FEATURE", Side::Left), ("BECAUSE", Side::Left), ("ROWS", Side::Right)]);
            for dead in report.dead.iter().take(self.limit) {
                table.row([format!("{}:{}", dead.group, dead.feature), dead.reasons.join(", "), count(dead.rows)]);
            }
            console.table(&table)?;
            more(report.dead.len(), self.limit, console);
        }
        Ok(())
    }
}

fn more(all: usize, limit: usize, console: &mut Console) {
    if all > limit {
        console.hint(format!("{} more; --limit N shows them", full_count((all - limit) as u64)));
    }
}

fn document(report: &DocumentationReport) -> Document<'_> {
    let groups = report.groups.iter().map(|group| Group {
        group: &group.group,
        score: group.score,
        parts: group.parts.iter().map(|part| (part.name.replace(' ', "_"), part.value.into())).collect(),
        features: group.features,
        described: group.described,
        readers: group.readers,
        datasets: group.datasets,
    });
    let fixes = report.fix_next.iter().map(|fix| Fix {
        group: &fix.group,
        feature: fix.feature.as_deref(),
        missing: &fix.missing,
        readers: fix.readers,
        datasets: fix.datasets,
    });
    let dead = report.dead.iter().map(|dead| Dead { group: &dead.group, feature: &dead.feature, reasons: &dead.reasons, rows: dead.rows });
    Document { groups: groups.collect(), fix_next: fixes.collect(), dead: dead.collect(), notes: &report.notes }
}
