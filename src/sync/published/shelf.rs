//! Where versions stand: a folder of this machine, or a prefix of a bucket that `[object_store]` says how to reach.

use std::path::Path as FilePath;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::document::Document;
use crate::backend::offline::durable::from_object_store;
use crate::backend::offline::layout::parse_s3_uri;
use crate::backend::offline::{DurableLocal, RemoteSettings};
use crate::model::{Error, Result};

/// The folder of versions, below the place that was named.
pub(in crate::sync) const FOLDER: &str = "larder-catalog";
const SUFFIX: &str = ".json.gz";
/// Most bytes of an object.
const MAX_OBJECT: u64 = 256 << 20;

/// The versions at a place.
pub(in crate::sync) struct Shelf {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    /// What messages call it.
    place: String,
}

impl Shelf {
    /// The shelf at a folder or at `s3://bucket/prefix`; a folder is made if `create` says so.
    pub(in crate::sync) async fn open(place: &str, settings: &RemoteSettings, create: bool) -> Result<Self> {
        let shown = place.to_owned();
        if !place.contains("://") {
            let store = DurableLocal::open(FilePath::new(place), create, None)?;
            return Ok(Self { store: Arc::new(store), folder: Path::from(FOLDER), place: shown });
        }
        let url = RemoteSettings::of_url(place)?.url;
        let store = RemoteSettings { url: url.clone(), ..settings.clone() }.connect().await?;
        let key = parse_s3_uri(&url)?;
        let prefix = key.split_once('/').map_or("", |(_, prefix)| prefix);
        Ok(Self { store, folder: Path::from(format!("{prefix}/{FOLDER}").trim_start_matches('/')), place: shown })
    }

    /// All versions, oldest first.
    pub(super) async fn versions(&self) -> Result<Vec<u64>> {
        let listed: Vec<_> = self.store.list(Some(&self.folder)).try_collect().await.map_err(|error| self.fault("list", error))?;
        let mut versions: Vec<u64> = listed.iter().filter_map(|meta| version_of(meta.location.filename()?)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// The newest version; none if nothing was published.
    pub(in crate::sync) async fn newest(&self) -> Result<Option<(u64, Document)>> {
        let mut last = None;
        loop {
            let Some(version) = self.versions().await?.pop() else { return Ok(None) };
            match self.read(version).await {
                // It was cleared away since, so a newer one is there.
                Err(error) if error.kind() == crate::model::ErrorKind::NotFound && last != Some(version) => last = Some(version),
                read => return Ok(Some((version, read?))),
            }
        }
    }

    async fn read(&self, version: u64) -> Result<Document> {
        let found = self.store.get(&self.object(version)).await.map_err(|error| self.fault("read", error))?;
        if found.meta.size > MAX_OBJECT {
            let error = Error::corrupt(format!("version {version} of the catalog in {} can't be read", self.place));
            return Err(error.why(format!("it has more than {} MiB", MAX_OBJECT >> 20)));
        }
        let bytes = found.bytes().await.map_err(|error| self.fault("read", error))?;
        let place = format!("{}/{FOLDER}/{version:08}{SUFFIX}", self.place);
        // Unpacking takes a while where there is much.
        let reading = tokio::task::spawn_blocking(move || Document::from_bytes(&bytes, &place));
        reading.await.map_err(|error| Error::internal("reading the catalog stopped").source(error))?
    }

    /// Makes a version; false if somebody else has made it.
    pub(super) async fn create(&self, version: u64, bytes: Vec<u8>) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&self.object(version), bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.fault("write", error)),
        }
    }

    /// Removes a version.
    pub(super) async fn remove(&self, version: u64) -> Result<()> {
        self.store.delete(&self.object(version)).await.map_err(|error| self.fault("clear", error))
    }

    fn object(&self, version: u64) -> Path {
        Path::from(format!("{}/{version:08}{SUFFIX}", self.folder))
    }

    fn fault(&self, what: &str, error: object_store::Error) -> Error {
        let error = from_object_store(format!("can't {what} the catalog published in {}", self.place), error);
        if self.place.contains("://") { error.remedy("check the URL, the credentials and [object_store] of larder.toml") } else { error }
    }
}

/// The version in an object's name; none if it is no version.
fn version_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_versions_are_versions() {
        assert_eq!(version_of("00000042.json.gz"), Some(42));
        assert_eq!(version_of("100000000.json.gz"), Some(100_000_000));
        for other in ["42.json.gz", "00000042.json", "0000004x.json.gz", "+0000042.json.gz", ".json.gz"] {
            assert_eq!(version_of(other), None, "{other}");
        }
    }
}
