//! Listing keys in their order, page by page, without holding more than the folders on the way.
//!
//! S3 orders keys by their bytes. A folder's entries are sorted as the keys they begin, a folder with its slash, so that
//! walking them in turn gives that order; what cannot match the prefix, or comes before the page, is not entered.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::attributes::ObjectInfo;
use super::fault::ObjectResult;
use super::name::{Bucket, piece_of};
use super::{Objects, is_absent};
use crate::model::{Error, Result};

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that share what precedes the first one after the prefix are listed as one.
    pub delimiter: Option<String>,
    /// Only what comes after this key or common prefix.
    pub after: Option<String>,
    /// Most entries.
    pub limit: usize,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEntry {
    /// A key and what is known of its object.
    Object(String, ObjectInfo),
    /// What several keys begin with.
    CommonPrefix(String),
}

impl ListEntry {
    /// What it is ordered by, and what a next page comes after.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(name, _) | Self::CommonPrefix(name) => name,
        }
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Entries in order.
    pub entries: Vec<ListEntry>,
    /// True if there are more.
    pub is_truncated: bool,
}

impl Objects {
    /// Lists keys of a bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn list(&self, bucket: &Bucket, request: &ListRequest) -> ObjectResult<Listing> {
        self.check_bucket(bucket)?;
        let mut walk = Walk { request, listing: Listing::default() };
        if request.limit > 0 {
            walk.folder(&self.bucket_folder(bucket), "")?;
        }
        Ok(walk.listing)
    }
}

struct Walk<'a> {
    request: &'a ListRequest,
    listing: Listing,
}

impl Walk<'_> {
    /// Lists what is below a folder whose keys begin with `base`; stops once the page is known to be full.
    fn folder(&mut self, folder: &Path, base: &str) -> Result<()> {
        for Entry { key, path, is_folder } in entries(folder, base)? {
            if self.listing.is_truncated {
                return Ok(());
            }
            if !self.can_match(&key, is_folder) {
                continue;
            }
            match self.common_prefix(&key) {
                Some(common) => {
                    if self.is_new(&common) && (!is_folder || holds_object(&path, &key)?) {
                        self.push(ListEntry::CommonPrefix(common));
                    }
                }
                None if is_folder => self.folder(&path, &key)?,
                None => {
                    if self.is_new(&key)
                        && let Some(info) = info_of(&path)?
                    {
                        self.push(ListEntry::Object(key, info));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a key, or one that begins so, can be on the page.
    fn can_match(&self, key: &str, is_folder: bool) -> bool {
        let ListRequest { prefix, after, .. } = self.request;
        if !is_folder {
            return key.starts_with(prefix.as_str());
        }
        let in_prefix = key.starts_with(prefix.as_str()) || prefix.starts_with(key);
        in_prefix && after.as_ref().is_none_or(|after| after.as_str() < key || after.starts_with(key))
    }

    /// What a key shares with others, if a delimiter follows the prefix in it.
    fn common_prefix(&self, key: &str) -> Option<String> {
        let delimiter = self.request.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.strip_prefix(self.request.prefix.as_str())?;
        let at = rest.find(delimiter)?;
        Some(key[..self.request.prefix.len() + at + delimiter.len()].to_owned())
    }

    fn is_new(&self, name: &str) -> bool {
        self.request.after.as_ref().is_none_or(|after| name > after.as_str())
            && self.listing.entries.last().is_none_or(|last| last.name() != name)
    }

    fn push(&mut self, entry: ListEntry) {
        if self.listing.entries.len() == self.request.limit {
            self.listing.is_truncated = true;
        } else {
            self.listing.entries.push(entry);
        }
    }
}

struct Entry {
    /// The key of a file, the beginning of the keys in a folder.
    key: String,
    path: PathBuf,
    is_folder: bool,
}

/// Entries of a folder in the order of their keys; what stands for no key is left out.
fn entries(folder: &Path, base: &str) -> Result<Vec<Entry>> {
    let fault = |error| Error::io(format!("can't read the folder {}", folder.display()), error);
    let read = match fs::read_dir(folder) {
        // Somebody removed it since it was seen.
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        other => other.map_err(fault)?,
    };
    let mut found = Vec::new();
    for entry in read {
        let entry = entry.map_err(fault)?;
        let Some(piece) = entry.file_name().to_str().and_then(piece_of) else { continue };
        let path = entry.path();
        let file_type = entry.file_type().map_err(fault)?;
        let is_folder = file_type.is_dir() || (file_type.is_symlink() && path.is_dir());
        let key = format!("{base}{piece}{}", if is_folder { "/" } else { "" });
        // Longer than a key can be, as where a link leads to its own folder.
        if key.len() <= 1_024 {
            found.push(Entry { key, path, is_folder });
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// Whether an object lies below a folder: folders alone are nothing.
fn holds_object(folder: &Path, base: &str) -> Result<bool> {
    for Entry { key, path, is_folder } in entries(folder, base)? {
        if !is_folder || holds_object(&path, &key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn info_of(path: &Path) -> Result<Option<ObjectInfo>> {
    match File::open(path).and_then(|file| ObjectInfo::of(&file)) {
        Ok(info) => Ok(Some(info)),
        Err(error) if is_absent(&error) => Ok(None),
        // Not ours to read, but others can be.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(Error::io(format!("can't read {}", path.display()), error)),
    }
}
