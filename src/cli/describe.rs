//! `larder describe`: everything known about one group.

use clap::Args;

/// Show a group: its stores, figures and features
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder describe customer-features
  larder describe customer-features --json | jq -r '.features[].name'")]
pub(crate) struct Describe {
    /// Name of the group
    group: String,
}
