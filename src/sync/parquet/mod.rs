//! The source `parquet`: a folder or bucket of Parquet files, in SageMaker's offline layout or any other.
//!
//! Everything is listed each time, because files arrive in old partitions, too; footers are read only of files that are new or were replaced
//! (by ETag, time of change and size), and kept in the catalog with what they said. A file that can't be read is told by its path and
//! asked for again the next time; the others are taken.

mod folders;
mod footer;
mod group;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::kinds::{Kind, SourcePlace, absolute_path};
use super::observed::{ObservedFeature, ObservedFlow, ObservedGroup, ObservedNode};
use super::source::{Besides, Fetched, FileProfile, Listed, Listing, Source, SourceError, Trouble};
use crate::backend::offline::{RemoteSettings, from_object_store, live_files, parse_definition};
use crate::catalog::{EdgeKind, NodeKind, SyncFileChanges, SyncFileRow};
use crate::lineage::names::FILE;
use crate::model::{Error, FeatureGroup, Result};
use crate::store::FeatureStore;
use folders::{File, Folder};
use footer::Footer;
use group::{Keys, Sum};

/// The kind `parquet`.
pub(super) const KIND: Kind = Kind {
    name: "parquet",
    location: "a folder or s3://BUCKET/PREFIX of Parquet files",
    options: &[
        ("id", "the column that identifies a record"),
        ("event-time", "the column that says when a record was true"),
        ("endpoint-url", "http(s)://HOST:PORT of a bucket that is not Amazon's"),
        ("region", "the bucket's region"),
    ],
    settle,
    make,
};

/// Footers read at once.
const AT_ONCE: usize = 16;
/// Most objects of a source.
const MAX_OBJECTS: usize = 5_000_000;

fn settle(location: &str) -> Result<String> {
    if location.contains("://") { Ok(RemoteSettings::of_url(location)?.url) } else { absolute_path(location) }
}

fn make(place: &SourcePlace<'_>) -> Result<Box<dyn Source>> {
    let option = |name: &str| place.options.get(name).cloned();
    let is_remote = place.location.contains("://");
    if !is_remote && let Some(name) = ["endpoint-url", "region"].into_iter().find(|name| place.options.contains_key(*name)) {
        return Err(Error::usage(format!("a folder has no {name}")).remedy(format!("leave --option {name}=… out, or name an s3:// URL")));
    }
    let mut bucket = RemoteSettings { url: place.location.to_owned(), ..place.store.settings().object_store.clone() };
    if let Some(endpoint) = option("endpoint-url") {
        bucket.allow_http = endpoint.starts_with("http://");
        bucket.path_style = Some(bucket.path_style.unwrap_or(true));
        bucket.endpoint = Some(endpoint);
    }
    bucket.region = option("region").or(bucket.region);
    Ok(Box::new(ParquetFolder {
        location: place.location.to_owned(),
        bucket: is_remote.then_some(bucket),
        keys: Keys { identifier: option("id"), event_time: option("event-time") },
        name: place.name.unwrap_or_default().to_owned(),
        store: place.store.clone(),
        last: Mutex::default(),
    }))
}

/// A folder or bucket.
struct ParquetFolder {
    location: String,
    /// None for a folder of this machine.
    bucket: Option<RemoteSettings>,
    keys: Keys,
    name: String,
    store: FeatureStore,
    last: Mutex<Last>,
}

/// What the last listing found, and what reading learnt since.
#[derive(Default)]
struct Last {
    objects: Option<Arc<dyn ObjectStore>>,
    folders: BTreeMap<Listed, Result<Folder>>,
    faults: Vec<(String, SourceError)>,
    files: SyncFileChanges,
}

impl ParquetFolder {
    /// The objects, and the name under which the folder's own stand.
    async fn open(&self) -> Result<(Arc<dyn ObjectStore>, String)> {
        match &self.bucket {
            Some(bucket) => {
                let prefix = bucket.url.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map_or("", |(_, prefix)| prefix);
                Ok((bucket.connect().await?, prefix.to_owned()))
            }
            None => {
                let metadata = std::fs::metadata(&self.location);
                let metadata = metadata.map_err(|error| Error::io(format!("can't read the folder '{}'", self.location), error))?;
                if !metadata.is_dir() {
                    return Err(Error::usage(format!("'{}' is no folder", self.location)).remedy("name the folder that the files lie in"));
                }
                let local = LocalFileSystem::new_with_prefix(&self.location);
                let local = local.map_err(|error| from_object_store(format!("can't read the folder '{}'", self.location), error))?;
                Ok((Arc::new(local), String::new()))
            }
        }
    }

    /// What a person calls an object.
    fn shown(&self, location: &str) -> String {
        match &self.bucket {
            Some(bucket) => format!("s3://{}/{location}", bucket.url.trim_start_matches("s3://").split('/').next().unwrap_or_default()),
            // Objects on a disk have names as in URLs.
            None => {
                let location = percent_encoding::percent_decode_str(location).decode_utf8_lossy();
                PathBuf::from(&self.location).join(location.as_ref()).display().to_string()
            }
        }
    }

    async fn objects(&self, objects: &dyn ObjectStore, base: &str) -> std::result::Result<Vec<ObjectMeta>, SourceError> {
        let prefix = (!base.is_empty()).then(|| Path::from(base));
        let fault = |error: object_store::Error| trouble(format!("can't list '{}'", self.location), error);
        let mut found = Vec::new();
        let mut listed = objects.list(prefix.as_ref());
        while let Some(object) = listed.try_next().await.map_err(fault)? {
            found.push(object);
            if found.len() > MAX_OBJECTS {
                let error = Error::invalid(format!("'{}' holds more than {MAX_OBJECTS} objects", self.location));
                return Err(error.remedy("add sources for the folders in it").into());
            }
        }
        Ok(found)
    }

    /// Leaves the files that a Delta log names.
    async fn live(&self, objects: &dyn ObjectStore, folder: &mut Folder) -> Result<()> {
        if !folder.is_delta {
            return Ok(());
        }
        let root = Path::from(folder.root.as_str());
        let shown = self.shown(&folder.root);
        let named = live_files(objects, &root).await.map_err(|error| error.within(&shown))?;
        let named = named.ok_or_else(|| Error::corrupt(format!("the Delta log of {shown} has no first commit")))?;
        let name = |relative: &str| {
            let decoded = percent_encoding::percent_decode_str(relative).decode_utf8_lossy().into_owned();
            if folder.root.is_empty() { decoded } else { format!("{}/{decoded}", folder.root) }
        };
        let named: std::collections::HashSet<String> = named.iter().map(|relative| name(relative)).collect();
        folder.files.retain(|file| named.contains(&file.location));
        Ok(())
    }

    /// Reads the footers of a group's files that are not known, and sums all of them up.
    async fn read(&self, objects: &Arc<dyn ObjectStore>, folder: &Folder) -> std::result::Result<Told, SourceError> {
        let owner = owner(folder);
        let rows = self.store.catalog().sync_files(&self.name, &owner).await?;
        let mut known: HashMap<String, SyncFileRow> = rows.into_iter().map(|row| (row.path.clone(), row)).collect();
        let is_known = |file: &&File| known.get(&file.location).is_some_and(|row| row.version == file.version);
        let new: Vec<File> = folder.files.iter().filter(|file| !is_known(file)).cloned().collect();
        let reads = new.into_iter().map(|file| {
            let (objects, shown) = (objects.clone(), self.shown(&file.location));
            async move {
                let footer = footer::read(objects, &file, &shown).await;
                (file, footer)
            }
        });
        let read: Vec<(File, Result<Footer>)> = stream::iter(reads).buffered(AT_ONCE).collect().await;
        let mut told = Told::default();
        let mut footers: BTreeMap<String, Footer> = BTreeMap::new();
        for (file, footer) in read {
            match footer {
                Ok(footer) => {
                    told.files.read.push(row(&file, &owner, &footer)?);
                    known.remove(&file.location);
                    footers.insert(file.location, footer);
                }
                Err(error) => told.faults.push((self.shown(&file.location), error.into())),
            }
        }
        let mut sum = Sum::default();
        for file in &folder.files {
            let footer = match (footers.remove(&file.location), known.remove(&file.location)) {
                (Some(footer), _) => footer,
                (None, Some(row)) => parsed(&row)?,
                (None, None) => continue,
            };
            if let Err(error) = sum.add(&self.shown(&file.location), &footer) {
                told.faults.push((self.shown(&file.location), error.into()));
            } else {
                told.taken += 1;
            }
        }
        told.files.gone.extend(known.into_keys());
        let defined = self.defined(objects.as_ref(), folder).await?;
        let mut group = sum.group(folder, defined.as_ref(), &self.keys);
        self.place(folder, &mut group);
        told.group = group;
        Ok(told)
    }

    /// What larder wrote beside the data.
    async fn defined(&self, objects: &dyn ObjectStore, folder: &Folder) -> std::result::Result<Option<FeatureGroup>, SourceError> {
        let Some((definition, _)) = &folder.definition else { return Ok(None) };
        let location = Path::from(definition.as_str());
        let fault = |error| trouble(format!("can't read {}", self.shown(definition)), error);
        let bytes = objects.get(&location).await.map_err(fault)?.bytes().await.map_err(fault)?;
        Ok(Some(parse_definition(&location, &bytes)?))
    }

    /// Says where the files lie, also to lineage: whoever writes there fills the group.
    fn place(&self, folder: &Folder, group: &mut ObservedGroup) {
        let shown = self.shown(&folder.root);
        let shown = shown.trim_end_matches('/');
        let from = match shown.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            Some((bucket, key)) => {
                group.s3_uri = Some(shown.to_owned());
                ObservedNode::outside(NodeKind::Source, format!("s3://{bucket}"), key)
            }
            None => {
                group.location = Some(shown.to_owned());
                ObservedNode::outside(NodeKind::Source, FILE, shown)
            }
        };
        let kind = EdgeKind::Derives.as_str().to_owned();
        group.flows.push(ObservedFlow { from, to: ObservedNode::group(&group.name), kind, ..ObservedFlow::default() });
    }
}

/// What was read of a group.
#[derive(Default)]
struct Told {
    group: ObservedGroup,
    /// Files that are in its sums.
    taken: usize,
    faults: Vec<(String, SourceError)>,
    files: SyncFileChanges,
}

#[async_trait]
impl Source for ParquetFolder {
    async fn list(&self, _cursor: Option<&str>) -> std::result::Result<Listing, SourceError> {
        let (objects, base) = self.open().await?;
        let found = self.objects(objects.as_ref(), &base).await?;
        let own = self.location.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let folders = tokio::task::spawn_blocking(move || folders::sorted(found, &base, &own)).await;
        let folders = folders.map_err(|error| Error::internal("sorting files stopped").source(error))?;
        let mut last = Last { objects: Some(objects.clone()), ..Last::default() };
        let mut listing = Listing { complete: true, ..Listing::default() };
        for mut folder in folders {
            let live = self.live(objects.as_ref(), &mut folder).await;
            let listed = Listed {
                native_id: folder.native_id.clone(),
                incarnation: folder.incarnation.clone(),
                name: folder.name.clone(),
                token: live.is_ok().then(|| token(&folder, &self.keys)),
            };
            listing.groups.push(listed.clone());
            last.folders.insert(listed, live.map(|()| folder));
        }
        *self.last.lock().await = last;
        Ok(listing)
    }

    async fn fetch(&self, wanted: &[Listed]) -> std::result::Result<Vec<Fetched>, SourceError> {
        let mut last = self.last.lock().await;
        let objects = last.objects.clone().ok_or_else(|| Error::internal("files are read before they are listed"))?;
        let mut fetched = Vec::with_capacity(wanted.len());
        for listed in wanted {
            let folder = last.folders.remove(listed).unwrap_or_else(|| Err(Error::not_found(format!("'{}' was not listed", listed.name))));
            let told = match &folder {
                Ok(folder) => self.read(&objects, folder).await,
                Err(error) => Err(error.repeated().into()),
            };
            let (mut listed, told) = (listed.clone(), told);
            fetched.push(match told {
                Ok(mut told) => {
                    if !told.faults.is_empty() {
                        // Faulty files are asked for again, whether or not others come.
                        listed.token = None;
                    }
                    last.files.read.append(&mut told.files.read);
                    last.files.gone.append(&mut told.files.gone);
                    let nothing = told.taken == 0 && !told.faults.is_empty();
                    let first = if nothing { told.faults.pop().map(|(_, error)| error) } else { None };
                    last.faults.append(&mut told.faults);
                    (listed, first.map_or(Ok(told.group), Err))
                }
                Err(error) => (listed, Err(error)),
            });
        }
        Ok(fetched)
    }

    fn holds_values(&self) -> bool {
        true
    }

    async fn profile(
        &self,
        file: &SyncFileRow,
        group: &ObservedGroup,
        cancel: Arc<AtomicBool>,
    ) -> std::result::Result<FileProfile, SourceError> {
        let column = |feature: &ObservedFeature| feature.column.as_ref().unwrap_or(&feature.name).to_lowercase();
        let wanted = values::Wanted {
            objects: self.open().await?.0,
            location: Path::from(file.path.as_str()),
            shown: self.shown(&file.path),
            version: file.version.clone(),
            features: group.features.iter().map(|feature| (column(feature), feature.name.clone())).collect(),
            cancel,
        };
        Ok(values::profile(wanted).await?)
    }

    async fn besides(&self) -> Besides {
        let mut last = self.last.lock().await;
        Besides { faults: std::mem::take(&mut last.faults), files: std::mem::take(&mut last.files) }
    }
}

/// The group of a file in the catalog.
fn owner(folder: &Folder) -> String {
    format!("{} {}", folder.native_id, folder.incarnation)
}

fn row(file: &File, owner: &str, footer: &Footer) -> Result<SyncFileRow> {
    let footer = serde_json::to_string(footer).map_err(|error| Error::internal("a footer is no JSON").source(error))?;
    Ok(SyncFileRow { path: file.location.clone(), owner: owner.to_owned(), version: file.version.clone(), footer })
}

fn parsed(row: &SyncFileRow) -> Result<Footer> {
    serde_json::from_str(&row.footer).map_err(|error| {
        Error::corrupt(format!("what is known of the file {} can't be read", row.path))
            .source(error)
            .remedy("forget the source and add it again")
    })
}

/// Differs once a file came, went or was replaced, or the definition or the options changed.
fn token(folder: &Folder, keys: &Keys) -> String {
    let mut digest = Sha256::new();
    let mut take = |text: &str| {
        digest.update(text.as_bytes());
        digest.update([0]);
    };
    take(&folder.name);
    take(folder.definition.as_ref().map_or("", |(_, version)| version));
    take(keys.identifier.as_deref().unwrap_or_default());
    take(keys.event_time.as_deref().unwrap_or_default());
    for file in &folder.files {
        take(&file.location);
        take(&file.version);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn trouble(what: String, error: object_store::Error) -> SourceError {
    let trouble = match &error {
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. } => Trouble::Credentials,
        object_store::Error::Generic { store, .. } if *store != "LocalFileSystem" => Trouble::Passing,
        _ => Trouble::Other,
    };
    SourceError::new(trouble, from_object_store(what, error))
}
