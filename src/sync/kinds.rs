//! From KIND, LOCATION and options to a [`Source`]: the one list of kinds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::larder::LarderFolder;
use super::source::Source;
use crate::model::{Error, Result};

/// Words that `source add` takes as KIND.
pub const KINDS: [&str; 1] = ["larder"];

/// The place as it is kept: a path of this machine becomes absolute, since sync may run from any folder.
pub fn settled_location(kind: &str, location: &str) -> Result<String> {
    check_kind(kind)?;
    if location.contains("://") {
        return Err(Error::usage(format!("a source of kind larder can't be read from '{}'", location.escape_debug()))
            .remedy("name the folder of a store"));
    }
    let path = std::path::absolute(location).map_err(|error| Error::io(format!("can't find '{location}'"), error))?;
    path.to_str().map(str::to_owned).ok_or_else(|| Error::usage("the location is no text"))
}

/// Makes a source ready to be read; `own` is the folder of the store that is synced, which is no source of itself.
pub fn source(kind: &str, location: &str, options: &BTreeMap<String, String>, own: &Path) -> Result<Box<dyn Source>> {
    check_kind(kind)?;
    if let Some(option) = options.keys().next() {
        return Err(Error::usage(format!("a source of kind {kind} has no option '{}'", option.escape_debug())).remedy("leave --option out"));
    }
    let folder = PathBuf::from(location);
    let same = |a: &Path, b: &Path| std::fs::canonicalize(a).ok().zip(std::fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b);
    if same(&folder, own) {
        return Err(Error::usage("a store can't be a source of itself").remedy("name the folder of another store"));
    }
    Ok(Box::new(LarderFolder::new(folder)))
}

fn check_kind(kind: &str) -> Result<()> {
    if KINDS.contains(&kind) {
        return Ok(());
    }
    Err(Error::usage(format!("'{}' is no kind of source", kind.escape_debug())).remedy(format!("use {}", KINDS.join(", "))))
}
