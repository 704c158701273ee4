//! `larder audit`: who changed which feature group, when, and what differs since.

use clap::Args;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::place::{Place, now};
use super::since::instant_or_age;
use super::table::{Side, Table};
use super::text::{counted, relative_time};
use crate::store::audit::{AuditFilter, AuditRow};

/// Show who changed which feature group, newest first
#[derive(Args, Debug)]
#[command(after_help = "\
Every change of a group is noted in the transaction that makes it: by whom (the access key of a request to `larder serve`, else \
LARDER_PRINCIPAL or the user of the system), through which operation, and what was before and after. The last 100,000 are kept.

Examples:
  larder audit
  larder audit customer-features --since 7d
  larder audit --since 2026-01-05 --json | jq '.[] | select(.principal == \"AKIDREADER\")'")]
pub(crate) struct Audit {
    /// Only this group; one that was dropped keeps its history
    group: Option<String>,
    /// Only changes since then: a time, or an age such as 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show at most this many
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Audit {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let since = self.since.as_deref().map(instant_or_age).transpose()?;
        let store = place.open().await?;
        let filter = AuditFilter { group: self.group, since, before: None, limit: self.limit };
        let rows = store.audit(&filter).await?;
        if console.json() {
            console.document(&rows)?;
        } else if rows.is_empty() {
            console.hint("nothing was changed");
        } else {
            console.table(&table(&rows))?;
            if rows.len() == filter.limit as usize {
                console.hint(format!("the last {}; --limit shows more", counted(rows.len() as u64, "change")));
            }
        }
        Ok(Exit::Done)
    }
}

fn table(rows: &[AuditRow]) -> Table {
    let now = now();
    let columns = ["when", "group", "change", "by", "through", "request", "what"];
    let mut table = Table::new(&columns.map(|name| (name, Side::Left)));
    for row in rows {
        let fields: Vec<&str> = row.fields.iter().map(|field| field.path.as_str()).collect();
        table.row([
            relative_time(row.at.unix_micros(), now).as_str(),
            &row.group_name,
            row.change.as_str(),
            &row.principal,
            row.operation.as_deref().unwrap_or_default(),
            row.request_id.as_deref().unwrap_or_default(),
            &fields.join(", "),
        ]);
    }
    table
}
