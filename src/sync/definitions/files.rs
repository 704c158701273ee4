//! Files to texts: what a path on the command line or of a source names.
//!
//! A folder is read with those below it, files that end in `.larder.yaml`, `.larder.yml`, `.larder.toml`, `.larder.json` only, in the order
//! of their names. Hidden folders and links to folders are passed by. A file that is named itself may be called anything.

use std::io::Read as _;
use std::path::Path;

use super::format::MAX_BYTES;
use super::read::Text;
use crate::model::{Error, Result};

const ENDINGS: [&str; 4] = [".larder.yaml", ".larder.yml", ".larder.toml", ".larder.json"];
/// Folders below the one that was named.
const MAX_DEPTH: usize = 32;
/// Most files of a call.
const MAX_FILES: usize = 20_000;

/// Reads the definition files under paths.
///
/// # Errors
/// `NotFound` for a path that is not there or a folder without any such file, `Invalid` beyond the limits, `Io`.
pub fn gather(paths: &[impl AsRef<Path>]) -> Result<Vec<Text>> {
    let mut texts: Vec<Text> = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(|error| Error::io(format!("can't read '{}'", path.display()), error))?;
        let before = texts.len();
        if metadata.is_dir() {
            folder(path, 0, &mut texts)?;
            if texts.len() == before {
                return Err(Error::not_found(format!("there is no definition file in '{}'", path.display()))
                    .remedy(format!("their names end in {}", ENDINGS.join(", "))));
            }
        } else {
            file(path, &mut texts)?;
        }
    }
    // A file that two paths name is one file.
    let mut seen = std::collections::BTreeSet::new();
    texts.retain(|text| seen.insert(text.name.clone()));
    Ok(texts)
}

fn folder(path: &Path, depth: usize, texts: &mut Vec<Text>) -> Result<()> {
    let fault = |error| Error::io(format!("can't read the folder '{}'", path.display()), error);
    if depth > MAX_DEPTH {
        return Err(Error::invalid(format!("'{}' lies too deep", path.display())).remedy(format!("nest at most {MAX_DEPTH} folders")));
    }
    let mut entries = std::fs::read_dir(path).map_err(fault)?.collect::<std::io::Result<Vec<_>>>().map_err(fault)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type().map_err(fault)?;
        if kind.is_dir() && !name.starts_with('.') {
            folder(&entry.path(), depth + 1, texts)?;
        } else if !kind.is_dir() && ENDINGS.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending)) {
            file(&entry.path(), texts)?;
        }
    }
    Ok(())
}

fn file(path: &Path, texts: &mut Vec<Text>) -> Result<()> {
    if texts.len() >= MAX_FILES {
        return Err(Error::invalid(format!("more than {MAX_FILES} definition files")).remedy("name fewer folders at once"));
    }
    let fault = |error| Error::io(format!("can't read '{}'", path.display()), error);
    let mut bytes = Vec::new();
    // One byte more than is allowed tells that there is more.
    std::fs::File::open(path).map_err(fault)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fault)?;
    let name = path.display().to_string();
    texts.push(Text { name: name.strip_prefix("./").unwrap_or(&name).to_owned(), bytes });
    Ok(())
}
