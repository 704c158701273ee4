//! `larder doctor`: does the store keep its promises?

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::place::Place;
use super::progress::{Progress, Stand};
use super::text::{counted, visible, width};
use crate::store::Check;

/// Check the store for losses, doubles and damage; exit code 1 if there is any
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder doctor
  larder doctor --online --sample 1000
  larder doctor --json | jq '.checks[] | select(.ok | not)'")]
pub(crate) struct Doctor {
    /// Only compare the online store with the history
    #[arg(long)]
    online: bool,
    /// Compare this many records of each group, drawn anew each time [default: all]
    #[arg(long, value_name = "RECORDS", requires = "online")]
    sample: Option<usize>,
}

/// The document of `doctor --json`.
#[derive(Serialize)]
struct Findings<'a> {
    ok: bool,
    checks: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    group: Option<&'a str>,
    name: &'static str,
    ok: bool,
    scope: &'a str,
    problems: &'a [String],
}

impl Doctor {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let mut progress = Progress::new(console);
        let reading = || Some(Stand { words: "reading the store".to_owned(), note: String::new(), rows: 0, done: 0, total: None });
        let report = if self.online {
            progress.during_showing(store.doctor_online(self.sample), reading).await?
        } else {
            progress.during_showing(store.doctor(), reading).await?
        };
        progress.clear();
        let healthy = report.is_healthy();
        if console.json() {
            let checks = report.checks.iter().map(finding).collect();
            console.document(&Findings { ok: healthy, checks })?;
        } else {
            write_checks(console, &report.checks)?;
        }
        if healthy {
            return Ok(Exit::Done);
        }
        let problems = report.checks.iter().map(|check| check.problems.len() as u64).sum();
        let remedy = if self.online {
            "records that are missing online come back with `larder online rebuild`"
        } else {
            "keep a copy of the store before anything else is written to it"
        };
        console.complain(format!("{} found; {remedy}", counted(problems, "problem")));
        Ok(Exit::Failed)
    }
}

fn finding(check: &Check) -> Finding<'_> {
    Finding {
        group: check.group.as_deref(),
        name: check.name,
        ok: check.problems.is_empty(),
        scope: &check.scope,
        problems: &check.problems,
    }
}

fn write_checks(console: &mut Console, checks: &[Check]) -> Result<(), Failure> {
    let style = console.style();
    let column = checks.iter().map(|check| width(check.name)).max().unwrap_or(0);
    let mut group = None;
    for (position, check) in checks.iter().enumerate() {
        if position == 0 || check.group.as_deref() != group {
            if position > 0 {
                console.line("")?;
            }
            group = check.group.as_deref();
            console.line(style.strong(&visible(group.unwrap_or("the store"))))?;
        }
        let mark = if check.problems.is_empty() { style.good("✓") } else { style.bad("✖") };
        let padding = " ".repeat(column.saturating_sub(width(check.name)));
        console.line(format!("  {mark} {}{padding}  {}", check.name, style.muted(&visible(&check.scope))))?;
        for problem in &check.problems {
            console.line(format!("      {}", visible(problem)))?;
        }
    }
    Ok(())
}
