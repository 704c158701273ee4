//! The files a dataset is built from: those of its spine and of external groups, and whether they are what they were.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::build::{STDIN, absolute};
use super::manifest::{ExternalFileNote, MAX_LISTED, ManifestInput, SpineFile};
use crate::backend::offline::external;
use crate::dataset::content_hash::BytesHasher;
use crate::dataset::request::{DatasetRequest, SpineSource};
use crate::ingest::files::resolve;
use crate::model::{Error, FeatureGroup, GroupId, Result};

/// Bytes of a spine file that are hashed at once.
const HASH_BYTES: usize = 1 << 20;

/// Refuses to write over what is read, or into a folder that is a group.
pub(super) fn check_no_input(target: &Path, request: &DatasetRequest, groups: &BTreeMap<GroupId, FeatureGroup>) -> Result<()> {
    let parent = target.parent().and_then(|folder| folder.canonicalize().ok()).unwrap_or_default();
    let target = target.file_name().map_or_else(|| parent.clone(), |name| parent.join(name));
    let is_target = |path: &Path| path.canonicalize().is_ok_and(|path| path == target);
    let refuse =
        |what: String| Err(Error::usage(format!("'{}' can't be written", target.display())).why(what).remedy("name another file with -o"));
    if let SpineSource::File(spine) = &request.spine
        && spine != STDIN
        && resolve(std::slice::from_ref(spine))?.iter().any(|input| is_target(&input.path))
    {
        return refuse("it is the spine itself".to_owned());
    }
    for group in groups.values() {
        let Some(place) = group.offline.as_ref().and_then(|offline| offline.external.as_ref()) else { continue };
        let folder = Path::new(place).canonicalize().ok().filter(|folder| folder.is_dir());
        if folder.is_some_and(|folder| target.starts_with(folder)) || is_target(Path::new(place)) {
            return refuse(format!("it would become part of the group '{}', whose files are read in place", group.name));
        }
    }
    Ok(())
}

/// The files of a spine, hashed. Blocks.
pub(super) fn spine_files(spine: &SpineSource) -> Result<Vec<SpineFile>> {
    match spine {
        SpineSource::Sql(_) => Ok(Vec::new()),
        // What came through a pipe is gone.
        SpineSource::File(path) if path == STDIN => Ok(vec![SpineFile { path: "stdin".to_owned(), bytes: 0, hash: None }]),
        SpineSource::File(path) => resolve(std::slice::from_ref(path))?
            .iter()
            .map(|input| Ok(SpineFile { path: input.path.display().to_string(), bytes: input.bytes, hash: Some(hash_of(&input.path)?) }))
            .collect(),
    }
}

/// The hash of a file's bytes. Blocks.
pub(super) fn hash_of(path: &Path) -> Result<String> {
    use std::io::Read;
    let fault = |error| Error::io(format!("can't read '{}'", path.display()), error);
    let mut file = std::fs::File::open(path).map_err(fault)?;
    let mut hasher = BytesHasher::default();
    let mut buffer = vec![0; HASH_BYTES];
    loop {
        match file.read(&mut buffer).map_err(fault)? {
            0 => return Ok(hasher.finish()),
            read => hasher.add(&buffer[..read]),
        }
    }
}

/// The files of an external group as they are now; empty if they are too many to list. Blocks.
pub(super) fn external_files(place: &str) -> Result<Vec<ExternalFileNote>> {
    let paths = external::list(place)?;
    if paths.len() > MAX_LISTED {
        return Ok(Vec::new());
    }
    let note = |path: &PathBuf| {
        let fault = |error| Error::io(format!("can't read '{}'", path.display()), error);
        let found = std::fs::metadata(path).map_err(fault)?;
        let since = found.modified().map_err(fault)?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = absolute(path)?.display().to_string();
        Ok(ExternalFileNote { path, bytes: found.len(), modified: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) })
    };
    paths.iter().map(note).collect()
}

/// Names of external files that are not what they were.
pub(super) fn changed_files(input: &ManifestInput, now: &[ExternalFileNote]) -> Vec<String> {
    let mut changed = Vec::new();
    for file in &input.files {
        match now.iter().find(|found| found.path == file.path) {
            None => changed.push(format!("{} is gone", file.path)),
            Some(found) if found != file => changed.push(format!("{} was changed", file.path)),
            Some(_) => {}
        }
    }
    changed.extend(
        now.iter().filter(|found| !input.files.iter().any(|file| file.path == found.path)).map(|found| format!("{} is new", found.path)),
    );
    changed
}
