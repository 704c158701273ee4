//! `larder get`: the latest record of one identifier.

use clap::Args;

/// Look up the latest record of an identifier; exit code 4 if there is none
#[derive(Args, Debug)]
#[command(after_help = "\
A record that does not exist, was deleted or has expired answers with exit code 4, a message on standard error and
nothing on standard output, with --json too.

Examples:
  larder get customer-features C0042
  larder get customer-features C0042 --feature loyalty_score --feature return_rate
  larder get customer-features C0042 --json | jq .features.loyalty_score")]
pub(crate) struct Get {
    /// Name of the group
    group: String,
    /// Record identifier
    #[arg(allow_negative_numbers = true)]
    id: String,
    /// Read only this feature, repeatable
    #[arg(long = "feature", value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
}
