//! `larder history`: every version of one record.

use clap::Args;

/// Show every version of a record, newest first; exit code 4 if there is none
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder history customer-features C0042
  larder history customer-features C0042 --limit 5 --feature loyalty_score
  larder history customer-features C0042 --json | jq '.[0].features'")]
pub(crate) struct History {
    /// Name of the group
    group: String,
    /// Record identifier
    #[arg(allow_negative_numbers = true)]
    id: String,
    /// Show at most this many versions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show only this feature, repeatable
    #[arg(long = "feature", value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
}
