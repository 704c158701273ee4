//! The verbs about definition files: reading them, telling what is wrong, and showing a plan.

pub(super) mod apply;
pub(super) mod export;
pub(super) mod plan;
pub(super) mod schema;
pub(super) mod validate;
mod view;

use std::io::Read as _;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::text::counted;
use crate::model::{Error, Result};
use crate::sync::definitions::{Fault, Reading, Text, gather, read};

/// Most bytes of standard input.
const MAX_INPUT: u64 = 64 << 20;

/// Reads what arguments name: files, folders, and standard input for `-`.
async fn read_arguments(paths: Vec<String>) -> Result<Reading> {
    // Not on this thread: whoever waits for a signal beside us must be able to.
    let reading = tokio::task::spawn_blocking(move || {
        let mut texts = Vec::new();
        for path in &paths {
            if path == "-" {
                let mut bytes = Vec::new();
                let input = std::io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes);
                input.map_err(|error| Error::io("can't read standard input", error))?;
                texts.push(Text { name: "<stdin>".to_owned(), bytes });
            } else {
                texts.extend(gather(&[path])?);
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        texts.retain(|text| seen.insert(text.name.clone()));
        Ok(read(&texts))
    });
    reading.await.map_err(|error| Error::internal("reading the definitions stopped").source(error))?
}

/// Says everything that is wrong; the answer of a verb that can't go on.
fn refuse(console: &mut Console, faults: &[Fault]) -> Verdict {
    if console.json() {
        console.document(&serde_json::json!({ "faults": view::faults(faults) }))?;
    }
    for fault in faults {
        console.complain(fault.to_string());
    }
    let files: std::collections::BTreeSet<&str> = faults.iter().map(|fault| fault.place.file.as_str()).collect();
    console.complain(format!("{} in {}; nothing was changed", counted(faults.len() as u64, "fault"), counted(files.len() as u64, "file")));
    Ok(Exit::Failed)
}
