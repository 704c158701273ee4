//! Where a worker finds the files that a plan names.
//!
//! A plan says `larder://<group>` and a location. Only the worker's own store may say what that stands for, so that a
//! worker reads nothing but the groups of the store it was started for.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::exec_err;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::Result as EngineResult;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result as StoreResult,
};
use url::Url;
use uuid::Uuid;

use crate::dataset::failure::{from_engine, into_engine};
use crate::model::{Error, GroupId, Result};

/// Stands in a URL where that of a group would: files of the store that belong to no group.
const STORE: &str = "store";

/// Where files lie, as far as a worker's store knows. May block.
pub trait ClusterFiles: Debug + Send + Sync {
    /// Those of a group.
    fn of_group(&self, group: GroupId) -> Result<Arc<dyn ObjectStore>>;
    /// Those of the store itself: the spines that wait to be joined.
    fn of_store(&self) -> Result<Arc<dyn ObjectStore>>;
}

/// For whoever passes plans on and reads nothing.
#[derive(Debug)]
pub(super) struct NoFiles;

impl ClusterFiles for NoFiles {
    fn of_group(&self, _group: GroupId) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(InMemory::new()))
    }

    fn of_store(&self) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(InMemory::new()))
    }
}

/// Files that a worker may not know: whoever reads one is told why. A plan that could not even be read would be refused
/// without a word.
#[derive(Debug)]
pub(super) struct ToldLater(pub(super) Arc<dyn ClusterFiles>);

impl ClusterFiles for ToldLater {
    fn of_group(&self, group: GroupId) -> Result<Arc<dyn ObjectStore>> {
        Ok(self.0.of_group(group).unwrap_or_else(|error| Arc::new(Refusing(error))))
    }

    fn of_store(&self) -> Result<Arc<dyn ObjectStore>> {
        Ok(self.0.of_store().unwrap_or_else(|error| Arc::new(Refusing(error))))
    }
}

/// A store of files that can't be read, and why.
#[derive(Debug)]
struct Refusing(Error);

impl Refusing {
    fn refuse(&self) -> object_store::Error {
        object_store::Error::Generic { store: "larder", source: Box::new(self.0.repeated()) }
    }
}

impl fmt::Display for Refusing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no files: {}", self.0)
    }
}

#[async_trait]
impl ObjectStore for Refusing {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> StoreResult<PutResult> {
        Err(self.refuse())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        Err(self.refuse())
    }

    async fn get_opts(&self, _: &Path, _: GetOptions) -> StoreResult<GetResult> {
        Err(self.refuse())
    }

    fn delete_stream(&self, _: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        let refused = Err(self.refuse());
        stream::once(async { refused }).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let refused = Err(self.refuse());
        stream::once(async { refused }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> StoreResult<ListResult> {
        Err(self.refuse())
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        Err(self.refuse())
    }
}

/// The URL of files that belong to no group.
pub(super) fn store_url() -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(format!("larder://{STORE}")).map_err(from_engine)
}

/// Lets the engine find files by URL.
#[derive(Debug)]
pub(super) struct FileRegistry(pub(super) Arc<dyn ClusterFiles>);

impl ObjectStoreRegistry for FileRegistry {
    fn register_store(&self, _url: &Url, _store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> EngineResult<Arc<dyn ObjectStore>> {
        match (url.scheme(), url.host_str()) {
            ("larder", Some(STORE)) => self.0.of_store().map_err(into_engine),
            ("larder", Some(group)) => match Uuid::try_parse(group) {
                Ok(id) => self.0.of_group(GroupId(id)).map_err(into_engine),
                Err(_) => exec_err!("{url} names no group"),
            },
            _ => exec_err!("{url} is not of this store"),
        }
    }
}
