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
use crate::sync::publish;

/// Write what the store holds for others
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder export definitions features
  larder export catalog s3://team/features")]
pub(crate) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Definitions(Definitions),
    Catalog(Catalog),
}

/// Publish what this store knows of groups, for whoever can read a folder or bucket
#[derive(Args, Debug)]
#[command(after_help = "\
Each time becomes one new version, or none if the newest says the same; the hundred newest stay. Groups that sources
told of are published too. Others read it with `larder source add team larder PLACE` and `larder sync`.

Examples:
  larder export catalog /mnt/team/features
  larder export catalog s3://team/features --endpoint http://10.0.0.7:8400")]
struct Catalog {
    /// Folder, or s3://BUCKET/PREFIX reached as [object_store] says
    #[arg(value_name = "PLACE")]
    place: String,
    /// Say that a server at this URL serves the records of this store's own groups
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
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
        match self.what {
            What::Definitions(definitions) => definitions.run(place, console).await,
            What::Catalog(catalog) => catalog.run(place, console).await,
        }
    }
}

impl Catalog {
    async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let published = publish(&store, &self.place, self.endpoint.as_deref()).await?;
        let groups = counted(published.groups as u64, "group");
        let line = if published.is_new {
            format!("published {groups} as version {} in {}", published.version, visible(&published.location))
        } else {
            format!("version {} in {} says the same already, with {groups}", published.version, visible(&published.location))
        };
        let document = serde_json::json!({
            "version": published.version, "groups": published.groups, "new": published.is_new, "location": published.location,
        });
        console.confirm(line, &document)?;
        store.close().await?;
        Ok(Exit::Done)
    }
}

impl Definitions {
    async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let Self { folder, groups } = self;
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
