//! `larder list`: every group on one line.

use clap::Args;

/// List the groups of the store
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder list
  larder list --json | jq -r '.[].name'")]
pub(crate) struct List {}
