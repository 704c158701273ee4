//! `larder check`: whether groups hold what is expected of them; exit 4 if not.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::numbers::percent;
use super::place::Place;
use super::table::{Side, Table};
use super::text::{counted, full_count, visible};
use crate::store::statistics::CheckedRule;

/// Check what is expected of groups; exit 4 if something does not hold
#[derive(Args, Debug)]
#[command(after_help = "\
Expectations are written with `larder update GROUP --feature F --expect RULE`. Rows that break a rule of single values are refused, set \
aside or told when they are written; this counts them over every record there is, and checks what only a whole group can break.

Examples:
  larder check
  larder check customer-features --json")]
pub(crate) struct Check {
    /// Groups to check [default: all with a history]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    holds: bool,
    rules: Vec<RuleDocument<'a>>,
    without: &'a [String],
}

#[derive(Serialize)]
struct RuleDocument<'a> {
    group: &'a str,
    feature: Option<&'a str>,
    rule: &'a str,
    rows: u64,
    broken: u64,
    holds: bool,
    detail: Option<&'a str>,
}

impl Check {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let report = store.check_expectations(&self.groups).await?;
        store.close().await?;
        if console.json() {
            let rules = report.rules.iter().map(document).collect();
            console.document(&Document { holds: report.holds(), rules, without: &report.without })?;
        } else if report.rules.is_empty() {
            console.hint("nothing is expected yet: `larder update GROUP --feature FEATURE --expect RULE` says what values are to be");
        } else {
            let mut table = Table::new(&[
                ("", Side::Left),
                ("GROUP", Side::Left),
                ("FEATURE", Side::Left),
                ("EXPECTED", Side::Left),
                ("BROKEN", Side::Right),
                ("SHARE", Side::Right),
                ("DETAIL", Side::Left),
            ]);
            for rule in &report.rules {
                table.row([
                    if rule.holds { "✓" } else { "✖" },
                    rule.group.as_str(),
                    rule.feature.as_deref().unwrap_or_default(),
                    &rule.rule,
                    &full_count(rule.broken),
                    &percent(rule.broken, rule.rows),
                    rule.detail.as_deref().unwrap_or_default(),
                ]);
            }
            console.table(&table)?;
        }
        if !report.without.is_empty() && !report.rules.is_empty() {
            let names = report.without.join(", ");
            console.hint(format!("nothing is expected of {}: {}", counted(report.without.len() as u64, "group"), visible(&names)));
        }
        if report.holds() {
            return Ok(Exit::Done);
        }
        let broken: Vec<String> = report
            .rules
            .iter()
            .filter(|rule| !rule.holds)
            .map(|rule| match &rule.feature {
                Some(feature) => format!("{}.{feature} {}", rule.group, rule.rule),
                None => format!("{} {}", rule.group, rule.rule),
            })
            .collect();
        console.complain(format!("not as expected: {}", visible(&broken.join(", "))));
        Ok(Exit::CheckSaysNo)
    }
}

fn document(rule: &CheckedRule) -> RuleDocument<'_> {
    RuleDocument {
        group: &rule.group,
        feature: rule.feature.as_deref(),
        rule: &rule.rule,
        rows: rule.rows,
        broken: rule.broken,
        holds: rule.holds,
        detail: rule.detail.as_deref(),
    }
}
