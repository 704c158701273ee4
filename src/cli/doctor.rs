//! `larder doctor`: does the store keep its promises?

use clap::Args;

/// Check that nothing in the store is lost, doubled or damaged; exit code 1 if something is
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder doctor
  larder doctor --json | jq '.checks[] | select(.ok | not)'")]
pub(crate) struct Doctor {}
