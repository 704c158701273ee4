//! Where a worker's store has the files that plans name: it answers for its own groups and for nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::backend::offline::external::disk;
use crate::dataset::cluster::ClusterFiles;
use crate::model::{Error, GroupId, Result};
use crate::store::FeatureStore;

/// The files of one store.
pub(super) struct StoreFiles {
    store: FeatureStore,
    runtime: Handle,
    /// Groups that were asked for, and whether they are external. An identity is never used again.
    known: Mutex<HashMap<GroupId, bool>>,
}

impl StoreFiles {
    pub(super) fn new(store: FeatureStore, runtime: Handle) -> Self {
        Self { store, runtime, known: Mutex::default() }
    }

    fn is_external(&self, id: GroupId) -> Result<bool> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&id) {
            return Ok(*known);
        }
        let listed = || wait_for(&self.runtime, self.store.list_groups())?;
        let mut groups = listed()?;
        // Perhaps another machine has just made it.
        if !groups.iter().any(|group| group.id == id) && wait_for(&self.runtime, self.store.look_for_missing())? {
            groups = listed()?;
        }
        let mut known = lock();
        known.extend(groups.iter().map(|group| (group.id, group.is_external())));
        known.get(&id).copied().ok_or_else(|| {
            Error::not_found(format!("this worker's store {} has no such group", self.store.folder().display()))
                .why("it is another store than the one that was asked")
                .remedy("start all workers with the --store or --object-store of whoever asks")
        })
    }
}

impl fmt::Debug for StoreFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreFiles").field(&self.store.folder()).finish()
    }
}

impl ClusterFiles for StoreFiles {
    fn of_group(&self, group: GroupId) -> Result<Arc<dyn ObjectStore>> {
        if self.is_external(group)? { Ok(disk()) } else { self.of_store() }
    }

    fn of_store(&self) -> Result<Arc<dyn ObjectStore>> {
        self.store.inner.offline.object_store()
    }
}

/// Waits for work on another runtime, without holding up other work of this thread's own.
pub(super) fn wait_for<T>(runtime: &Handle, work: impl Future<Output = T>) -> Result<T> {
    if Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::CurrentThread) {
        return Err(Error::internal("a cluster needs a runtime of several threads"));
    }
    Ok(tokio::task::block_in_place(|| runtime.block_on(work)))
}
