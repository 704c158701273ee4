//! `larder tag`: labels of a group.

use clap::Args;

use super::pairs::parse_pair;

/// Set, remove or show the tags of a group
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder tag trips
  larder tag trips team=mobility pii=no
  larder tag trips --remove pii")]
pub(crate) struct Tag {
    /// Name of the group
    group: String,
    /// Tags to set
    #[arg(value_name = "KEY=VALUE", value_parser = parse_pair)]
    tags: Vec<(String, String)>,
    /// Remove this tag, repeatable
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
}
