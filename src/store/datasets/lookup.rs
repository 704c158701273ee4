//! Finding datasets that were built: by name, by name and version, by their file.
//!
//! The manifests in the store's folder are what lasts; the catalog is an index over them. A manifest that the catalog
//! doesn't know (it was lost, or a process was killed between the two) is taken in by whoever lists next.
//!
//! ```text
//! <store>/datasets/<name in lower case>/<version>.json
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::manifest::{Manifest, SIDECAR, sidecar};
use crate::catalog::DatasetRow;
use crate::dataset::row_files::MANIFEST;
use crate::model::suggest::suggest;
use crate::model::{DatasetName, Error, ErrorKind, EventTime, Result};
use crate::store::FeatureStore;

/// Folder of the manifests.
const FOLDER: &str = "datasets";

/// A dataset in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSummary {
    /// What it is called.
    pub name: DatasetName,
    /// Which of its name.
    pub version: u64,
    /// How many versions its name has.
    pub versions: u64,
    /// When it was built.
    pub created: EventTime,
    /// What it is for.
    pub description: Option<String>,
    /// Where its rows were written.
    pub path: String,
    /// In which format.
    pub format: String,
    /// The spine in words.
    pub spine: String,
    /// Number of rows.
    pub rows: u64,
    /// Hash of its rows.
    pub content_hash: String,
}

impl FeatureStore {
    /// The datasets that were built: of each name the newest version, or all versions of all names.
    pub async fn list_datasets(&self, all_versions: bool) -> Result<Vec<DatasetSummary>> {
        if !self.is_read_only() {
            self.take_in_datasets().await?;
        }
        let rows = self.inner.catalog.datasets().await?;
        let versions = |name: &DatasetName| rows.iter().filter(|row| row.name.folded() == name.folded()).count() as u64;
        let mut summaries: Vec<DatasetSummary> = Vec::new();
        for row in &rows {
            let is_newest = summaries.last().is_none_or(|last| last.name.folded() != row.name.folded());
            if all_versions || is_newest {
                summaries.push(summary(row, versions(&row.name)));
            }
        }
        Ok(summaries)
    }

    /// Datasets with features of a group, or with one feature of it, newest first; and their columns that come from there.
    ///
    /// # Errors
    /// `NotFound` for the group or the feature.
    pub async fn datasets_using(&self, group: &str, feature: Option<&str>) -> Result<Vec<(DatasetSummary, Vec<String>)>> {
        let group = self.group(group).await?;
        let feature = feature.map(|feature| group.schema.feature(feature).map(|(_, found)| found.name.as_str())).transpose()?;
        if !self.is_read_only() {
            self.take_in_datasets().await?;
        }
        let all = self.inner.catalog.datasets().await?;
        let versions = |name: &DatasetName| all.iter().filter(|row| row.name.folded() == name.folded()).count() as u64;
        let mut found = Vec::new();
        for row in self.inner.catalog.datasets_of_group(&group.id).await? {
            let columns = self.inner.catalog.dataset_columns(row.id).await?.into_iter().filter(|column| {
                let origin = column.origin.as_ref().filter(|origin| origin.group == group.id);
                origin.is_some_and(|origin| feature.is_none_or(|feature| origin.feature.eq_ignore_ascii_case(feature)))
            });
            let columns: Vec<String> = columns.map(|column| column.name).collect();
            if !columns.is_empty() {
                found.push((summary(&row, versions(&row.name)), columns));
            }
        }
        Ok(found)
    }

    /// The manifest of a dataset: by `name`, `name@version`, the path of its file or of its manifest.
    ///
    /// # Errors
    /// `NotFound` with a suggestion.
    pub async fn find_dataset(&self, reference: &str) -> Result<Manifest> {
        if let Some(path) = manifest_of_path(reference) {
            return Manifest::read(&path);
        }
        let (name, version) = match reference.rsplit_once('@') {
            None => (reference, None),
            Some((name, version)) => {
                let version = version.parse().map_err(|_| {
                    Error::usage(format!("'{}' is not the version of a training dataset", version.escape_debug()))
                        .remedy("write it like churn@2")
                })?;
                (name, Some(version))
            }
        };
        let mut found = self.inner.catalog.dataset(name, version).await?;
        if found.is_none() && !self.is_read_only() && self.take_in_datasets().await? > 0 {
            found = self.inner.catalog.dataset(name, version).await?;
        }
        match found {
            Some(row) => {
                let text = self.inner.catalog.dataset_manifest(row.id).await?;
                Manifest::from_json(&text, &format!("{}@{}", row.name, row.version))
            }
            None => Err(self.no_such_dataset(reference, name).await),
        }
    }

    async fn no_such_dataset(&self, reference: &str, name: &str) -> Error {
        let error = Error::not_found(format!("there is no training dataset '{}'", reference.escape_debug()));
        let known = self.inner.catalog.datasets().await.unwrap_or_default();
        if let Some(newest) = known.iter().find(|row| row.name.as_str().eq_ignore_ascii_case(name)) {
            return error.remedy(format!("the newest is {}@{}", newest.name, newest.version));
        }
        if Path::new(reference).exists() {
            return error
                .why(format!("no '{}' lies beside the file", sidecar(Path::new(reference)).display()))
                .remedy("put its manifest back beside it, or name the dataset");
        }
        match suggest(name, known.iter().map(|row| row.name.as_str())) {
            Some(near) => error.remedy(format!("did you mean '{near}'?")),
            None if known.is_empty() => error.remedy("none was built yet: `larder dataset build`"),
            None => error.remedy("`larder dataset list` shows those there are"),
        }
    }

    /// Where the manifest of a dataset lies in the store.
    pub(super) fn manifest_path(&self, name: &DatasetName, version: u64) -> PathBuf {
        self.inner.folder.join(FOLDER).join(name.folded()).join(format!("{version}.json"))
    }

    /// Whether the manifest in the store's folder is the one the catalog has.
    pub(in crate::store) async fn kept_manifest(&self, name: &DatasetName, version: u64) -> Result<bool> {
        let kept = Manifest::read(&self.manifest_path(name, version))?;
        Ok(self.find_dataset(&format!("{name}@{version}")).await? == kept)
    }

    /// The least version that a new dataset of a name may get: above every manifest that lies there, readable or not.
    pub(super) fn next_version(&self, name: &DatasetName) -> u64 {
        let folder = self.inner.folder.join(FOLDER).join(name.folded());
        versions_in(&folder).into_iter().map(|(version, _)| version + 1).max().unwrap_or(1)
    }

    async fn take_in_manifest(&self, manifest: &Manifest, text: &str) -> Result<bool> {
        let lineage = self.lineage_of(manifest, None, None);
        self.inner.catalog.take_in_dataset(&manifest.to_row(None), &manifest.to_columns(), text, &lineage).await
    }

    /// Takes in the manifests that the catalog doesn't know; returns how many. One that can't be read hides no other.
    pub(in crate::store) async fn take_in_datasets(&self) -> Result<u64> {
        let folder = self.inner.folder.join(FOLDER);
        let names = match std::fs::read_dir(&folder) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(Error::io(format!("can't read the folder {}", folder.display()), error)),
        };
        let known: HashSet<(String, u64)> =
            self.inner.catalog.datasets().await?.into_iter().map(|row| (row.name.folded(), row.version)).collect();
        let mut taken = 0;
        for name in names.flatten() {
            let Some(folded) = name.file_name().to_str().map(str::to_owned) else { continue };
            for (version, path) in versions_in(&name.path()) {
                if known.contains(&(folded.clone(), version)) {
                    continue;
                }
                match Manifest::read(&path) {
                    Ok(manifest) if manifest.name.folded() == folded && manifest.version == Some(version) => {
                        let text = manifest.to_json()?;
                        taken += u64::from(self.take_in_manifest(&manifest, &text).await?);
                    }
                    Ok(_) => tracing::warn!(path = %path.display(), "a manifest is not that of its place; it is left out"),
                    // Removed meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => tracing::warn!(path = %path.display(), %error, "a manifest can't be read; its dataset is left out"),
                }
            }
        }
        Ok(taken)
    }
}

/// The manifests in the folder of a name.
fn versions_in(folder: &Path) -> Vec<(u64, PathBuf)> {
    let version = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".json")?.parse::<u64>().ok();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter_map(|path| Some((version(&path)?, path))).collect()
}

/// The manifest that a path stands for: its own, or that beside the file; none if it is no path with a manifest.
fn manifest_of_path(reference: &str) -> Option<PathBuf> {
    let path = Path::new(reference);
    if reference.ends_with(SIDECAR) {
        return Some(path.to_owned());
    }
    // Beside a file, within a folder.
    if let Some(found) = [sidecar(path), path.join(MANIFEST)].into_iter().find(|found| found.exists()) {
        return Some(found);
    }
    let is_path = reference.contains(std::path::MAIN_SEPARATOR) || reference.ends_with(".json");
    (is_path && reference.ends_with(".json") && path.is_file()).then(|| path.to_owned())
}

fn summary(row: &DatasetRow, versions: u64) -> DatasetSummary {
    DatasetSummary {
        name: row.name.clone(),
        version: row.version,
        versions,
        created: row.created,
        description: row.description.clone(),
        path: row.path.clone(),
        format: row.format.clone(),
        spine: row.spine.clone(),
        rows: row.rows,
        content_hash: row.content_hash.clone(),
    }
}
