//! `larder schema`: the JSON Schema of definition files.

use clap::Args;

use super::super::console::Console;
use super::super::exit::{Exit, Verdict};
use crate::sync::definitions::schema_text;

/// Print the JSON Schema of definition files, for editors
#[derive(Args, Debug)]
#[command(after_help = "\
Editors that speak YAML's language server take it from the first line of a file:
  # yaml-language-server: $schema=larder-v1.schema.json

Examples:
  larder schema > larder-v1.schema.json")]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self, console: &mut Console) -> Verdict {
        console.line(schema_text().trim_end())?;
        Ok(Exit::Done)
    }
}
