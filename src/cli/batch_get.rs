//! `larder batch-get`: the latest records of many identifiers.

use clap::Args;

/// Look up the latest records of many identifiers; exit code 4 if none is there
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder batch-get customer-features C0001 C0002 C0003
  larder batch-get customer-features C0001 C0002 --json
  cut -d, -f1 ids.csv | larder batch-get customer-features - --feature loyalty_score --json")]
pub(crate) struct BatchGet {
    /// Name of the group
    group: String,
    /// Record identifiers; '-' reads them from standard input, one a line
    #[arg(value_name = "ID", required = true, allow_negative_numbers = true)]
    ids: Vec<String>,
    /// Read only this feature, repeatable
    #[arg(long = "feature", value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
}
