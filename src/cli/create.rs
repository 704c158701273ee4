//! `larder create`: a group whose schema is read off a file.

use std::path::PathBuf;

use clap::Args;

use super::pairs::parse_pair;
use crate::model::Ttl;

/// Make a group with the schema of a Parquet, CSV or JSON lines file
#[derive(Args, Debug)]
#[command(after_help = "\
The schema is inferred: whole numbers and booleans become Integral, other numbers Fractional, texts, dates and
times String, lists List, lists of one length of numbers Vector. No rows are loaded: `larder ingest` does that.

Examples:
  larder create trips --from trips.csv --id trip_id --event-time pickup_time
  larder create customers --from customers.parquet --id id --event-time at --ttl 30d --tag team=growth
  larder create events --from 'events/*.parquet' --id user --event-time ts --offline-only --drop raw_payload
  larder create archive --from /data/archive --id id --event-time at --external")]
pub(crate) struct Create {
    /// Name of the new group
    name: String,
    /// Read the schema from this file, folder or glob
    #[arg(long, value_name = "FILE")]
    from: String,
    /// Column that identifies a record
    #[arg(long, value_name = "COL")]
    id: String,
    /// Column that says when a record was true
    #[arg(long, value_name = "COL")]
    event_time: String,
    /// Keep only the latest record per identifier
    #[arg(long, group = "stores")]
    online_only: bool,
    /// Keep only the history
    #[arg(long, group = "stores")]
    offline_only: bool,
    /// Read the Parquet files in place, without a copy
    #[arg(long, group = "stores")]
    external: bool,
    /// Let records expire this long after their event time: 90s, 30m, 12h, 7d, 4w
    #[arg(long, value_name = "TTL", conflicts_with_all = ["offline_only", "external"])]
    ttl: Option<Ttl>,
    /// Say what the group holds
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Say who answers for it
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    /// Label the group, repeatable
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_pair)]
    tags: Vec<(String, String)>,
    /// Leave a column out, repeatable
    #[arg(long, value_name = "COL")]
    drop: Vec<String>,
}
