//! `larder export`: what a store holds, written for others.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::super::console::Console;
use super::super::exit::{Exit, Verdict};
use super::super::place::Place;
use super::super::text::{counted, visible};
use crate::model::Error;
use crate::store::output_file::OutputFile;
use crate::sync::definitions::export;

/// Write what the store holds for others
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder export definitions features")]
pub(crate) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Definitions(Definitions),
}

/// Write groups as definition files, one each
#[derive(Args, Debug)]
#[command(after_help = "\
A file that is there is replaced; files of groups that are gone stay. `larder plan` of what was written shows no change.

Examples:
  larder export definitions features
  larder export definitions features --group trips --group customer-features")]
struct Definitions {
    /// Folder that the files go into; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write this group, repeatable; all if none is named
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

impl Export {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let What::Definitions(Definitions { folder, groups }) = self.what;
        let store = place.open().await?;
        let exported = export(&store, &groups).await?;
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(format!("can't make '{}'", folder.display()), error))?;
        let mut files = Vec::with_capacity(exported.len());
        for one in &exported {
            let path = folder.join(&one.file);
            let mut file = OutputFile::create(&path)?;
            std::io::Write::write_all(file.writer(), one.text.as_bytes()).map_err(|error| file.fault(error))?;
            file.finish()?;
            files.push(serde_json::json!({ "group": one.group, "file": path.display().to_string() }));
        }
        let line = format!("wrote {} to {}", counted(files.len() as u64, "definition"), visible(&folder.display().to_string()));
        console.confirm(line, &files)?;
        Ok(Exit::Done)
    }
}
