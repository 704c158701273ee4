//! `larder drop`: a group goes, after a question.

use clap::Args;

/// Remove a group from the store
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder drop trips
  larder drop trips --yes")]
pub(crate) struct Drop {
    /// Name of the group
    group: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}
