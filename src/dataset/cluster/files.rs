//! Where a worker finds the files that a plan names.
//!
//! A plan says `larder://<group>` and a location. Only the worker's own store may say what that stands for, so that a
//! worker reads nothing but the groups of the store it was started for.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::common::exec_err;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::Result as EngineResult;
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use url::Url;
use uuid::Uuid;

use crate::dataset::failure::{from_engine, into_engine};
use crate::model::{GroupId, Result};

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
