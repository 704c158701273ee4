//! Which files make which group.
//!
//! ```text
//! …/offline-store/<group>-<creation epoch>/data/year=…/x.parquet   SageMaker's layout: the group, its incarnation is the epoch
//! <folder>/…/key=value/x.parquet                                    any other: the folder that is left without partitions
//! <folder>/_delta_log/…                                             a Delta table: the folder, and of its files those the log names
//! ```
//!
//! SageMaker leaves the files of a group that was deleted. Of several epochs of a name the newest is the group; what larder marked as
//! dropped is none. Names that begin with `.` or `_` are passed over, and files of no bytes, as every reader of such folders does.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectMeta;
use sha2::{Digest, Sha256};

use crate::model::name::nearest_legal;

/// Definitions that larder keeps beside the data of its groups.
const DEFINITION: &str = "group.json";
const DROPPED: &str = "group.dropped.json";
const LOG: &str = "_delta_log";
const STORE: &str = "offline-store";

/// A Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Its object.
    pub(super) location: String,
    pub(super) size: u64,
    /// Differs once it was replaced.
    pub(super) version: String,
}

/// Files that are a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Folder {
    /// The folder of the group, below the source, without its epoch.
    pub(super) native_id: String,
    /// Its creation epoch; empty if the layout has none.
    pub(super) incarnation: String,
    /// A legal name.
    pub(super) name: String,
    /// Where the files lie: the object of the folder they share.
    pub(super) root: String,
    /// The object of its definition and that one's version, if larder keeps it.
    pub(super) definition: Option<(String, String)>,
    /// True if a Delta log says which files count.
    pub(super) is_delta: bool,
    pub(super) files: Vec<File>,
}

/// Sorts objects into groups. `base` is the object of the source's folder, `own` the name of that folder.
pub(super) fn sorted(objects: Vec<ObjectMeta>, base: &str, own: &str) -> Vec<Folder> {
    let below = |location: &str| -> Option<String> {
        if base.is_empty() {
            return Some(location.to_owned());
        }
        Some(location.strip_prefix(base)?.strip_prefix('/')?.to_owned())
    };
    let mut marks = Marks::default();
    for object in &objects {
        if let Some(path) = below(object.location.as_ref()) {
            marks.note(&path, object);
        }
    }
    let mut folders: BTreeMap<(String, String), Folder> = BTreeMap::new();
    for object in objects {
        let Some(path) = below(object.location.as_ref()) else { continue };
        if object.size == 0 || !is_data(&path) {
            continue;
        }
        let Some(place) = marks.place(&path) else { continue };
        let full = |path: &str| [base, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let folder = folders.entry((place.native_id.clone(), place.incarnation.clone())).or_insert_with(|| Folder {
            native_id: place.native_id.clone(),
            incarnation: place.incarnation.clone(),
            name: place.name.clone(),
            root: full(&place.root),
            definition: marks
                .definitions
                .get(&place.folder)
                .map(|version| (full(&format!("{}/{DEFINITION}", place.folder)), version.clone())),
            is_delta: marks.tables.contains(&place.root),
            files: Vec::new(),
        });
        folder.files.push(File { location: object.location.as_ref().to_owned(), size: object.size, version: version_of(&object) });
    }
    let mut folders: Vec<Folder> = newest(folders);
    name(&mut folders, own);
    folders
}

/// What the names of other objects say.
#[derive(Debug, Default)]
struct Marks {
    /// Versions of definitions, by the folders of their groups.
    definitions: BTreeMap<String, String>,
    dropped: BTreeSet<String>,
    /// Roots of Delta tables.
    tables: BTreeSet<String>,
}

/// Where a file belongs.
struct Place {
    native_id: String,
    incarnation: String,
    name: String,
    /// The folder of the group, with its epoch.
    folder: String,
    root: String,
}

impl Marks {
    fn note(&mut self, path: &str, object: &ObjectMeta) {
        if let Some(folder) = path.strip_suffix(DROPPED) {
            self.dropped.insert(folder.trim_end_matches('/').to_owned());
        } else if let Some(folder) = path.strip_suffix(DEFINITION) {
            self.definitions.insert(folder.trim_end_matches('/').to_owned(), version_of(object));
        } else if let Some((root, _)) = path.split_once(&format!("{LOG}/"))
            && (root.is_empty() || root.ends_with('/'))
        {
            self.tables.insert(root.trim_end_matches('/').to_owned());
        }
    }

    fn place(&self, path: &str) -> Option<Place> {
        let parts: Vec<&str> = path.split('/').collect();
        let folders = &parts[..parts.len() - 1];
        if let Some(place) = self.in_offline_store(folders) {
            return (!self.dropped.contains(&place.folder)).then_some(place);
        }
        let depth = (0..=folders.len()).find(|depth| self.tables.contains(&folders[..*depth].join("/")));
        let depth = depth.unwrap_or_else(|| folders.iter().position(|part| part.contains('=')).unwrap_or(folders.len()));
        let root = folders[..depth].join("/");
        Some(Place { native_id: root.clone(), incarnation: String::new(), name: folders[..depth].join("_"), folder: root.clone(), root })
    }

    /// `…/offline-store/<group>-<epoch>/data/…`, or below such a folder where the source begins inside of one.
    fn in_offline_store(&self, folders: &[&str]) -> Option<Place> {
        let data = folders.iter().position(|part| *part == "data")?;
        let group = *folders.get(data.checked_sub(1)?)?;
        let is_store = data < 2 || folders[data - 2] == STORE;
        let (name, epoch) = group.rsplit_once('-')?;
        let is_epoch = (9..=11).contains(&epoch.len()) && epoch.bytes().all(|byte| byte.is_ascii_digit());
        if !is_store || !is_epoch || name.is_empty() {
            return None;
        }
        let before = folders[..data - 1].join("/");
        let native_id = if before.is_empty() { name.to_owned() } else { format!("{before}/{name}") };
        Some(Place {
            native_id,
            incarnation: epoch.to_owned(),
            name: name.to_owned(),
            folder: folders[..data].join("/"),
            root: folders[..=data].join("/"),
        })
    }
}

fn is_data(path: &str) -> bool {
    let is_parquet = path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("parquet"));
    is_parquet && !path.split('/').any(|part| part.starts_with(['.', '_']))
}

/// An ETag is of the content in a bucket, and of inode, time and size on a disk.
pub(super) fn version_of(object: &ObjectMeta) -> String {
    let tag = object.e_tag.as_deref().unwrap_or_default();
    format!("{tag} {} {}", object.size, object.last_modified.timestamp_micros())
}

/// Of each group the files of its newest incarnation.
fn newest(folders: BTreeMap<(String, String), Folder>) -> Vec<Folder> {
    let mut kept: Vec<Folder> = Vec::with_capacity(folders.len());
    for folder in folders.into_values() {
        let number = |folder: &Folder| folder.incarnation.parse::<u64>().unwrap_or(0);
        match kept.last_mut() {
            Some(last) if last.native_id == folder.native_id => {
                if number(&folder) >= number(last) {
                    *last = folder;
                }
            }
            _ => kept.push(folder),
        }
    }
    kept
}

/// Makes names legal. One that had to be changed and is then another's gets a digest of its folder, so that it stays the same
/// whatever other folders come.
fn name(folders: &mut [Folder], own: &str) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let raw: Vec<String> = folders.iter().map(|folder| if folder.name.is_empty() { own.to_owned() } else { folder.name.clone() }).collect();
    // Objects on a disk have names as in URLs.
    let decoded = |name: &str| percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
    let legal: Vec<String> = raw.iter().map(|name| nearest_legal(&decoded(name)).unwrap_or_else(|| "files".to_owned())).collect();
    for name in &legal {
        *counts.entry(name.to_ascii_lowercase()).or_default() += 1;
    }
    for ((folder, raw), legal) in folders.iter_mut().zip(&raw).zip(legal) {
        let is_taken = counts.get(&legal.to_ascii_lowercase()).is_some_and(|count| *count > 1);
        folder.name = if is_taken && *raw != legal {
            let digest: String = Sha256::digest(folder.native_id.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let short: String = legal.chars().take(55).collect();
            format!("{short}-{digest}")
        } else {
            legal
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::path::Path;

    fn sorted_from(paths: &[&str], base: &str) -> Vec<Folder> {
        let object = |path: &&str| ObjectMeta {
            location: Path::from(*path),
            last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
            size: 10,
            e_tag: None,
            version: None,
        };
        sorted(paths.iter().map(object).collect(), base, "lake")
    }

    fn names(folders: &[Folder]) -> Vec<(&str, &str, usize)> {
        folders.iter().map(|folder| (folder.name.as_str(), folder.incarnation.as_str(), folder.files.len())).collect()
    }

    #[test]
    fn knows_sagemakers_layout_and_takes_the_newest_epoch() {
        let store = "fs/111122223333/sagemaker/eu-west-1/offline-store";
        let folders = sorted_from(
            &[
                &format!("{store}/trips-1700000000/data/year=2026/month=01/a.parquet"),
                &format!("{store}/trips-1800000000/data/year=2026/month=01/b.parquet"),
                &format!("{store}/old-1700000000/data/c.parquet"),
                &format!("{store}/old-1700000000/group.dropped.json"),
                &format!("{store}/own-1700000000/data/d.parquet"),
                &format!("{store}/own-1700000000/group.json"),
                &format!("{store}/own-1700000000/data/_delta_log/00000000000000000000.json"),
            ],
            "fs",
        );
        assert_eq!(names(&folders), [("own", "1700000000", 1), ("trips", "1800000000", 1)]);
        assert_eq!(folders[0].definition.as_ref().map(|(object, _)| object.clone()), Some(format!("{store}/own-1700000000/group.json")));
        assert!(folders[0].is_delta && !folders[1].is_delta);
        assert!(folders[1].native_id.ends_with("offline-store/trips"), "{}", folders[1].native_id);
    }

    #[test]
    fn one_folder_is_one_group_whatever_its_partitions() {
        let folders = sorted_from(
            &[
                "a/day=1/x.parquet",
                "a/day=2/hour=3/y.PARQUET",
                "team/b/z.parquet",
                "top.parquet",
                "a/_temporary/t.parquet",
                "a/.hidden.parquet",
                "a/readme.md",
                "t/part/one.parquet",
                "t/_delta_log/00000000000000000000.json",
            ],
            "",
        );
        assert_eq!(names(&folders), [("lake", "", 1), ("a", "", 2), ("t", "", 1), ("team_b", "", 1)]);
        assert!(folders[2].is_delta && folders[2].root == "t");
    }

    #[test]
    fn names_are_legal_and_stay_apart() {
        let folders = sorted_from(&["a b/x.parquet", "a_b/x.parquet", "ü/x.parquet"], "");
        let mut names: Vec<&str> = folders.iter().map(|folder| folder.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!((names[0], names[2]), ("a_b", "files"));
        assert!(names[1].starts_with("a_b-") && names[1].len() == 12, "{}", names[1]);
    }
}
