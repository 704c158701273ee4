//! Pieces of data files that were fetched from a bucket, kept on this machine for the next who asks: footers, and the columns
//! of files that are read again and again.
//!
//! ```text
//! <store>/cache/<hash of the object's name>/<first byte>-<byte after the last>
//!     the bytes, size and age of the whole object (8 bytes each), hash of all that (16 bytes)
//! ```
//!
//! Several processes share the folder, and none holds more than the number of bytes it added. What must stay true: nothing
//! stale is served, because only data files are kept, whose names are never used twice; nothing damaged is served, because
//! length and hash are checked each time, and a piece that fails is removed and fetched again; a piece appears whole, by its
//! rename. The folder stays near its limit: whoever added a sixteenth of it sweeps, and removes what was not used for longest.
//! It may be removed at any time; losing it costs fetches and nothing else, so no failure here is anybody's error.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use object_store::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::layout::LOG;

/// What the pieces may take unless settings say otherwise.
pub const DEFAULT_CACHE: u64 = 1 << 30;
/// Bytes behind a piece: size and age of its object, hash.
const TRAILER: usize = 32;
/// Bytes of the hash.
const HASH: usize = 16;
/// The part of the limit that a process adds before it sweeps, and that no piece exceeds.
const SHARE: u64 = 16;
/// A piece counts as used anew only after so long, so that reading seldom writes.
const USED_AGAIN: Duration = Duration::from_secs(60);
/// A piece that is still being written after so long was given up.
const GIVEN_UP: Duration = Duration::from_secs(3_600);
/// Ending of pieces that are being written.
const UNFINISHED: &str = ".part";

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheUse {
    /// How many pieces.
    pub pieces: u64,
    /// Their bytes on the disk.
    pub bytes: u64,
    /// What they may take.
    pub limit: u64,
}

/// Bytes of an object, with what is known of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The bytes.
    pub bytes: Bytes,
    /// Size of the object.
    pub size: u64,
    /// When it was written, in microseconds since 1970.
    pub modified: i64,
}

/// The pieces on this machine.
#[derive(Debug)]
pub struct PieceCache {
    folder: PathBuf,
    limit: u64,
    /// Bytes that this process added since it last swept.
    added: AtomicU64,
    /// False until this process has looked at the folder once.
    has_swept: AtomicBool,
    read_only: bool,
}

/// A piece in the folder.
struct Piece {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl PieceCache {
    /// Pieces in a folder, which is made with the first; `read_only` only looks.
    pub fn new(folder: PathBuf, limit: u64, read_only: bool) -> Self {
        Self { folder, limit, added: AtomicU64::new(0), has_swept: AtomicBool::new(false), read_only }
    }

    /// Whether pieces of this object may be kept: it is a data file. Checkpoints of the log are written anew under one name.
    pub fn keeps(location: &Path) -> bool {
        location.as_ref().ends_with(".parquet") && location.parts().all(|part| part.as_ref() != LOG)
    }

    /// The bytes of a range, if a piece holds it. Blocks.
    pub fn find(&self, location: &Path, range: &Range<u64>) -> Option<Held> {
        let folder = self.folder_of(location);
        let exact = self.read(&folder.join(name_of(range)), range);
        if exact.is_some() {
            return exact;
        }
        let entries = fs::read_dir(&folder).ok()?.filter_map(Result::ok);
        let (held, path) = entries
            .filter_map(|entry| Some((range_of(entry.file_name().to_str()?)?, entry.path())))
            .find(|(held, _)| held != range && held.start <= range.start && range.end <= held.end)?;
        let whole = self.read(&path, &held)?;
        let bytes = whole.bytes.slice((range.start - held.start) as usize..(range.end - held.start) as usize);
        Some(Held { bytes, ..whole })
    }

    /// Keeps the bytes of a range. Blocks.
    pub fn keep(&self, location: &Path, range: &Range<u64>, held: &Held) {
        let length = held.bytes.len() as u64;
        // A file that was cut gives less than was asked for.
        if self.read_only || length == 0 || length != range.end - range.start || length > self.limit / SHARE {
            return;
        }
        if let Err(error) = self.write(location, range, held) {
            tracing::debug!(%error, folder = %self.folder.display(), "a piece of a file was not kept");
            return;
        }
        let added = self.added.fetch_add(length + TRAILER as u64, Ordering::Relaxed) + length;
        if added >= self.limit / SHARE || !self.has_swept.swap(true, Ordering::Relaxed) {
            self.added.store(0, Ordering::Relaxed);
            self.sweep();
        }
    }

    /// What is kept now. Blocks.
    pub fn in_use(&self) -> CacheUse {
        let pieces = self.pieces();
        CacheUse { pieces: pieces.len() as u64, bytes: pieces.iter().map(|piece| piece.bytes).sum(), limit: self.limit }
    }

    fn folder_of(&self, location: &Path) -> PathBuf {
        self.folder.join(format!("{:032x}", xxh3_128(location.as_ref().as_bytes())))
    }

    fn read(&self, path: &FilePath, range: &Range<u64>) -> Option<Held> {
        let mut file = File::open(path).ok()?;
        let length = usize::try_from(range.end - range.start).ok()?;
        let mut held = Vec::with_capacity(length + TRAILER + 1);
        // A piece that grew is as wrong as one that was cut.
        (&mut file).take((length + TRAILER + 1) as u64).read_to_end(&mut held).ok()?;
        let Some((size, modified)) = checked(&held, length) else {
            tracing::debug!(path = %path.display(), "a damaged piece of a file is fetched again");
            if !self.read_only {
                let _ = fs::remove_file(path);
            }
            return None;
        };
        let now = SystemTime::now();
        let is_recent =
            file.metadata().and_then(|found| found.modified()).is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age < USED_AGAIN));
        if !is_recent && !self.read_only {
            let _ = file.set_modified(now);
        }
        held.truncate(length);
        Some(Held { bytes: held.into(), size, modified })
    }

    fn write(&self, location: &Path, range: &Range<u64>, held: &Held) -> io::Result<()> {
        let folder = self.folder_of(location);
        fs::create_dir_all(&folder)?;
        let unfinished = self.folder.join(format!("{}{UNFINISHED}", uuid::Uuid::now_v7().simple()));
        let written = File::create_new(&unfinished).and_then(|mut file| {
            let known = [held.size.to_le_bytes(), held.modified.to_le_bytes()].concat();
            file.write_all(&held.bytes)?;
            file.write_all(&known)?;
            file.write_all(&hash(&held.bytes, &known))
        });
        // No sync: what a power cut tears is found by its hash.
        let done = written.and_then(|()| fs::rename(&unfinished, folder.join(name_of(range))));
        if done.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        done
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let folders = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        for entry in folders.filter_map(|folder| fs::read_dir(folder.path()).ok()).flatten().filter_map(Result::ok) {
            let Ok(found) = entry.metadata() else { continue };
            if entry.file_name().to_str().and_then(range_of).is_some() {
                let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                pieces.push(Piece { path: entry.path(), bytes: found.len(), used });
            }
        }
        pieces
    }

    /// Removes what was not used for longest until the rest takes nine tenths of the limit. One process at a time does.
    fn sweep(&self) {
        let Ok(lock) = File::create(self.folder.join(".lock")) else { return };
        if lock.try_lock().is_err() {
            return;
        }
        self.remove_given_up();
        let mut pieces = self.pieces();
        let mut total: u64 = pieces.iter().map(|piece| piece.bytes).sum();
        if total <= self.limit {
            return;
        }
        pieces.sort_by_key(|piece| piece.used);
        for piece in pieces {
            if total <= self.limit / 10 * 9 {
                break;
            }
            if fs::remove_file(&piece.path).is_ok() {
                total -= piece.bytes;
            }
            // Goes only with the last piece of its object.
            if let Some(folder) = piece.path.parent() {
                let _ = fs::remove_dir(folder);
            }
        }
    }

    fn remove_given_up(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok) {
            let is_old =
                || entry.metadata().and_then(|found| found.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > GIVEN_UP));
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED) && is_old() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The hash of a piece and of what is known of its object.
fn hash(bytes: &[u8], known: &[u8]) -> [u8; HASH] {
    let mut hasher = Xxh3::new();
    hasher.update(bytes);
    hasher.update(known);
    hasher.digest128().to_le_bytes()
}

/// Size and age of the object, if this is a whole piece of so many bytes.
fn checked(held: &[u8], length: usize) -> Option<(u64, i64)> {
    let (bytes, trailer) = held.split_at_checked(length).filter(|(_, trailer)| trailer.len() == TRAILER)?;
    let (known, written) = trailer.split_at(TRAILER - HASH);
    let (size, modified) = known.split_at(8);
    let is_whole = hash(bytes, known) == written;
    is_whole.then_some((u64::from_le_bytes(size.try_into().ok()?), i64::from_le_bytes(modified.try_into().ok()?)))
}

fn name_of(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end)
}

fn range_of(name: &str) -> Option<Range<u64>> {
    let (start, end) = name.split_once('-')?;
    let range = start.parse().ok()?..end.parse().ok()?;
    (range.start < range.end).then_some(range)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(number: u64) -> Path {
        Path::from(format!("team/features/data/{number}.parquet"))
    }

    fn bytes(length: u64) -> Held {
        Held { bytes: (0..length).map(|at| (at % 251) as u8).collect::<Vec<_>>().into(), size: 1_000, modified: -5 }
    }

    fn one_piece(folder: &FilePath) -> PathBuf {
        let folders: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        fs::read_dir(&folders[0]).unwrap().next().unwrap().unwrap().path()
    }

    #[test]
    fn what_was_kept_is_found_by_every_process_and_within_larger_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) =
            (PieceCache::new(folder.path().join("cache"), 1 << 20, false), PieceCache::new(folder.path().join("cache"), 1 << 20, true));
        assert_eq!(two.find(&file(1), &(100..200)), None);
        one.keep(&file(1), &(100..200), &bytes(100));
        assert_eq!(two.find(&file(1), &(100..200)), Some(bytes(100)));
        assert_eq!(two.find(&file(1), &(110..120)), Some(Held { bytes: bytes(100).bytes.slice(10..20), ..bytes(100) }));
        for (other, range) in [(1, 99..200), (1, 100..201), (2, 100..200)] {
            assert_eq!(two.find(&file(other), &range), None, "{other} {range:?}");
        }
        two.keep(&file(3), &(0..10), &bytes(10));
        one.keep(&file(4), &(0..10), &bytes(9));
        assert_eq!(one.in_use(), CacheUse { pieces: 1, bytes: 132, limit: 1 << 20 }, "nothing from a reader, nothing that was cut");
    }

    #[test]
    fn only_data_files_are_kept() {
        assert!(PieceCache::keeps(&file(1)));
        for other in ["team/data/_delta_log/00000000000000000010.checkpoint.parquet", "team/data/_delta_log/1.json", "team/group.json"] {
            assert!(!PieceCache::keeps(&Path::from(other)), "{other}");
        }
    }

    #[test]
    fn a_damaged_piece_is_no_piece() {
        let damage: [fn(&mut Vec<u8>); 3] = [|held| held[5] ^= 1, |held| held.truncate(50), |held| held.push(0)];
        for damage in damage {
            let folder = tempfile::tempdir().unwrap();
            let cache = PieceCache::new(folder.path().to_owned(), 1 << 20, false);
            cache.keep(&file(1), &(0..100), &bytes(100));
            let path = one_piece(folder.path());
            let mut held = fs::read(&path).unwrap();
            damage(&mut held);
            fs::write(&path, held).unwrap();
            assert_eq!(cache.find(&file(1), &(0..100)), None);
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_was_used_last_stays_within_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PieceCache::new(folder.path().to_owned(), 64 << 10, false);
        cache.keep(&file(999), &(0..100_000), &bytes(100_000));
        assert_eq!(cache.in_use().pieces, 0, "too large to be worth the others");
        let long_ago = SystemTime::now() - Duration::from_secs(7_200);
        for number in 0..200 {
            cache.keep(&file(number), &(0..1_000), &bytes(1_000));
            // As if a minute lay between them; the first is used all the time.
            let path = cache.folder_of(&file(number)).join("0-1000");
            if let Ok(held) = File::open(path) {
                held.set_modified(long_ago + Duration::from_secs(number * 10)).unwrap();
            }
            assert!(cache.find(&file(0), &(0..1_000)).is_some(), "after {number}");
        }
        let kept = cache.in_use();
        assert!(kept.bytes <= (64 << 10) + (64 << 10) / SHARE && kept.pieces > 40, "{kept:?}");
        assert!(cache.find(&file(199), &(0..1_000)).is_some() && cache.find(&file(1), &(0..1_000)).is_none());
    }
}
