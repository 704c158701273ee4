//! Tells the browser when somebody else changed the store: the kernel reports writes to its files, the store confirms a change.
//!
//! There is no polling: without a write nothing wakes the process. Writes come in bursts, so the first one waits a moment for the
//! others. A report alone is no change (a log that is folded, our own usage): only a different token of the store is one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

use super::msg::Msg;
use super::source::Source;

/// How long the first write of a burst waits for the others; a store that is written all the time is read anew twice a second at most.
const BURST: Duration = Duration::from_millis(500);
/// The files whose writes matter, in the store's folder and in `online/`.
const FILES: [&str; 3] = ["catalog.db", "catalog.db-wal", "data.mdb"];

/// Watches while it lives.
pub(super) struct Live {
    task: AbortHandle,
}

impl Live {
    /// Watches the store of a source, if it lies in a folder that can be watched. Without it the browser refreshes by key and when
    /// its terminal comes to the front, as before.
    pub(super) fn watch(source: Arc<dyn Source>, sender: Sender<Msg>) -> Option<Self> {
        let folder = source.folder()?;
        let written = Arc::new(Notify::new());
        let told = written.clone();
        let report = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_write(&event)) {
                told.notify_one();
            }
        };
        let mut watcher = notify::recommended_watcher(report).ok()?;
        watcher.watch(&folder, RecursiveMode::NonRecursive).ok()?;
        // A store without online records has no such folder yet.
        let _ = watcher.watch(&folder.join("online"), RecursiveMode::NonRecursive);
        let task = tokio::spawn(follow(source, sender, written, watcher)).abort_handle();
        Some(Self { task })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(source: Arc<dyn Source>, sender: Sender<Msg>, written: Arc<Notify>, _watcher: RecommendedWatcher) {
    let mut known = source.changes().await.ok();
    loop {
        written.notified().await;
        tokio::time::sleep(BURST).await;
        // A catalog that is locked for long answers late; the next write asks again.
        let Ok(now) = source.changes().await else { continue };
        if known.replace(now) != Some(now) && sender.send(Msg::Changed).await.is_err() {
            return;
        }
    }
}

/// True for a write to one of the store's files. Reading them is reported as well, and we read them ourselves.
fn is_write(event: &Event) -> bool {
    let writes = match event.kind {
        EventKind::Modify(_) | EventKind::Create(_) | EventKind::Remove(_) => true,
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Other => false,
    };
    let matters = |path: &Path| path.file_name().is_some_and(|name| FILES.iter().any(|file| name == *file));
    writes && event.paths.iter().any(|path| matters(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, ModifyKind};

    #[test]
    fn reading_is_no_write_and_other_files_do_not_matter() {
        let event = |kind, path: &str| Event { kind, paths: vec![path.into()], attrs: Default::default() };
        let modify = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(is_write(&event(modify, "/store/catalog.db-wal")));
        assert!(is_write(&event(modify, "/store/online/data.mdb")));
        assert!(!is_write(&event(modify, "/store/catalog.db-shm")));
        assert!(!is_write(&event(EventKind::Access(AccessKind::Close(AccessMode::Read)), "/store/catalog.db")));
        assert!(!is_write(&event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/store/catalog.db")));
    }
}
