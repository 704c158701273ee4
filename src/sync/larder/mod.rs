//! The kind `larder`: another store of this program.

mod folder;

use std::path::Path;

use super::kinds::{Kind, SourcePlace, absolute_path};
use super::source::Source;
use crate::model::{Error, Result};

/// Another store.
pub(super) const KIND: Kind = Kind { name: "larder", location: "the folder of a store", options: &[], settle, make };

fn settle(location: &str) -> Result<String> {
    if location.contains("://") {
        return Err(Error::usage(format!("a source of kind larder can't be read from '{}'", location.escape_debug()))
            .remedy("name the folder of a store"));
    }
    absolute_path(location)
}

fn make(place: &SourcePlace<'_>) -> Result<Box<dyn Source>> {
    let folder = Path::new(place.location);
    let same = |a: &Path, b: &Path| std::fs::canonicalize(a).ok().zip(std::fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b);
    if same(folder, place.store.folder()) {
        return Err(Error::usage("a store can't be a source of itself").remedy("name the folder of another store"));
    }
    Ok(Box::new(folder::LarderFolder::new(folder.to_owned())))
}
