//! Who reads what: counted in the process, spooled beside the store, added up in the catalog.
//!
//! ```text
//! look-up -> counter -> <store>/usage/reads.jsonl   one line a day, group, feature and operation; appended, never synced
//!                         | renamed, read, added in one transaction that notes the file's name, removed
//!                         v
//!                       usage_days
//! ```
//!
//! A look-up costs a counter and no more; `larder get` appends one line at its end. Processes share the file: a writer holds a shared
//! lock, and looks whether the file it holds is still the one of that name; who folds renames it first and then waits for the last
//! writer. A file whose lines were added but which could not be removed is known by its name. What a killed process had counted since
//! its last flush is lost; nothing is counted twice.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::catalog::{UsageDay, UsageLine, UsageRow, principal};
use crate::model::{Error, FeatureGroup, GroupId, Result};
use crate::store::{Clock, FeatureStore};

/// Microseconds of a day.
pub(super) const DAY_MICROS: i64 = 86_400 * 1_000_000;
/// Folder of the spool.
const FOLDER: &str = "usage";
/// The file that grows.
const SPOOL: &str = "reads.jsonl";
/// Ending of one that is being folded.
const FOLDING: &str = "folding";
/// Reads after which the clock is asked whether to append.
const LOOK_EVERY: u64 = 1_024;
/// Age of counts that are appended without an end of the process.
const APPEND_EVERY: Duration = Duration::from_secs(60);
/// Bytes of spool at which a writer's end folds it.
const FOLD_BYTES: u64 = 64 << 10;

/// How a record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) enum Operation {
    Get,
    BatchGet,
    History,
    Query,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::BatchGet => "batch-get",
            Self::History => "history",
            Self::Query => "query",
        }
    }
}

/// Counts reads of this process, and appends them at its end.
pub(in crate::store) struct Usage {
    /// None where the store can't be written: nothing is counted then.
    folder: Option<PathBuf>,
    clock: Clock,
    counts: Mutex<Counts>,
    principal: OnceLock<String>,
}

struct Counts {
    by_group: HashMap<(GroupId, Operation), GroupCount, RandomState>,
    since_look: u64,
    appended: Instant,
}

#[derive(Default)]
struct GroupCount {
    whole: u64,
    features: HashMap<String, u64>,
}

impl Usage {
    /// Counts for a store in a folder; none for one that may not be written.
    pub(in crate::store) fn new(store: Option<&Path>, clock: Clock) -> Self {
        let counts = Counts { by_group: HashMap::default(), since_look: 0, appended: Instant::now() };
        Self { folder: store.map(|store| store.join(FOLDER)), clock, counts: Mutex::new(counts), principal: OnceLock::new() }
    }

    /// Counts one read of a record: of the features at these positions, or of all of them.
    pub(in crate::store) fn count(&self, group: &FeatureGroup, positions: Option<&[usize]>, operation: Operation) {
        if self.folder.is_none() || positions.is_some_and(<[usize]>::is_empty) {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.by_group.entry((group.id, operation)).or_default();
        match positions {
            None => count.whole += 1,
            Some(positions) => {
                for feature in positions.iter().filter_map(|position| group.schema.features().get(*position)) {
                    let name = feature.name.as_str();
                    match count.features.get_mut(name) {
                        Some(reads) => *reads += 1,
                        None => {
                            count.features.insert(name.to_owned(), 1);
                        }
                    }
                }
            }
        }
        counts.since_look += 1;
        if counts.since_look < LOOK_EVERY {
            return;
        }
        counts.since_look = 0;
        if counts.appended.elapsed() >= APPEND_EVERY {
            drop(counts);
            self.append();
        }
    }

    /// Appends what was counted. A spool that can't be written loses counts, never a read.
    pub(in crate::store) fn append(&self) {
        let Some(folder) = &self.folder else { return };
        let counted = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.appended = Instant::now();
            std::mem::take(&mut counts.by_group)
        };
        if counted.is_empty() {
            return;
        }
        let text = self.lines(counted);
        if let Err(error) = append_to_spool(folder, &text) {
            tracing::debug!(%error, "reads could not be noted");
        }
    }

    fn lines(&self, counted: HashMap<(GroupId, Operation), GroupCount, RandomState>) -> String {
        let day = (self.clock)().unix_micros().div_euclid(DAY_MICROS);
        let principal = self.principal.get_or_init(principal);
        let mut text = String::new();
        for ((group, operation), count) in counted {
            let whole = (count.whole > 0).then(|| (String::new(), count.whole));
            for (feature, reads) in whole.into_iter().chain(count.features) {
                let line = UsageLine { day, group, feature, principal: principal.clone(), operation: operation.as_str().to_owned(), reads };
                if let Ok(line) = serde_json::to_string(&line) {
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        }
        text
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        self.append();
    }
}

fn append_to_spool(folder: &Path, text: &str) -> std::io::Result<()> {
    let path = folder.join(SPOOL);
    let open = || File::options().create(true).append(true).open(&path);
    loop {
        let mut file = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(folder)?;
                open()?
            }
            opened => opened?,
        };
        file.lock_shared()?;
        // Renamed between the two: whoever folds it may have read it already.
        if is_same_file(&file, &path) {
            return file.write_all(text.as_bytes());
        }
    }
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Elsewhere a file that is open can't be renamed away.
#[cfg(not(unix))]
fn is_same_file(_: &File, path: &Path) -> bool {
    path.exists()
}

/// The lines of a spool that was renamed, once the last of its writers is done. A torn line is left out. Blocks.
fn read_spool(path: &Path) -> std::io::Result<Vec<UsageLine>> {
    let mut file = File::open(path)?;
    file.lock()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Renames the growing file, and returns all that wait to be folded. Blocks.
fn take_spools(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let spool = folder.join(SPOOL);
    match std::fs::rename(&spool, folder.join(format!("{}.{FOLDING}", uuid::Uuid::now_v7()))) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == FOLDING));
    found.sort();
    Ok(found)
}

impl FeatureStore {
    /// Adds up the reads that were spooled, by this and other processes; returns how many lines. Nothing on a store that can't be
    /// written.
    pub async fn fold_usage(&self) -> Result<u64> {
        if self.inner.read_only {
            return Ok(0);
        }
        self.inner.usage.append();
        let folder = self.inner.folder.join(FOLDER);
        let blocked = |error| Error::internal("adding up reads stopped").source(error);
        let unreadable = |path: &Path, error| Error::io(format!("can't read {}", path.display()), error);
        let taken = folder.clone();
        let spools = tokio::task::spawn_blocking(move || take_spools(&taken)).await.map_err(blocked)?;
        let mut folded = 0;
        for path in spools.map_err(|error| unreadable(&folder, error))? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let reading = path.clone();
            let lines = match tokio::task::spawn_blocking(move || read_spool(&reading)).await.map_err(blocked)? {
                // Another process was faster.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                lines => lines.map_err(|error| unreadable(&path, error))?,
            };
            if self.inner.catalog.fold_usage(&name, &lines, self.now()).await? {
                folded += lines.len() as u64;
            }
            // What stays is known by its name.
            let _ = std::fs::remove_file(&path);
        }
        Ok(folded)
    }

    /// The same for those to whom reads are one thing among others: an answer without the last of them is better than none.
    pub(in crate::store) async fn fold_usage_or_go_on(&self) {
        if let Err(error) = self.fold_usage().await {
            tracing::warn!(%error, "the last reads were not added up");
        }
    }

    /// At the end of a process that has written anyway: folds a spool that has grown.
    pub(in crate::store) async fn fold_large_usage(&self) {
        self.inner.usage.append();
        let size = std::fs::metadata(self.inner.folder.join(FOLDER).join(SPOOL)).map_or(0, |spool| spool.len());
        if size >= FOLD_BYTES
            && let Err(error) = self.fold_usage().await
        {
            tracing::debug!(%error, "reads could not be added up");
        }
    }

    /// Reads of a group, or of one feature of it, over the last days; most reads first. Reads of whole records count for each feature.
    pub async fn usage(&self, group: &FeatureGroup, feature: Option<&str>, days: u32) -> Result<Vec<UsageRow>> {
        self.fold_usage().await?;
        let since = self.now().unix_micros().div_euclid(DAY_MICROS) - i64::from(days);
        self.inner.catalog.usage_of(&group.id, feature, since).await
    }

    /// Reads of a group, day by day.
    pub async fn usage_days(&self, group: &FeatureGroup) -> Result<Vec<UsageDay>> {
        self.fold_usage().await?;
        self.inner.catalog.usage_days(&group.id).await
    }
}
