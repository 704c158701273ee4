//! `larder flush`: records waiting in the outbox become files now.

use clap::Args;

/// Write records that wait in the outbox to Parquet files
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing depends on it: queries see waiting records, and they survive a crash. Other programs that read the files
see them after a flush.

Examples:
  larder flush
  larder flush customer-features trips --json")]
pub(crate) struct Flush {
    /// Groups to flush [default: all]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
}
