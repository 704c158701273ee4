//! Runs queries: over threads, narrowing, newest wins, best first.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

use super::columns::FuzzyIndex;
use super::matching::{Query, typed_words};
use super::spelling::nearest_slips;
use crate::catalog::search::words::words;

/// The most names that are given to fuzzy-matcher in one query; see the module above for what that means.
pub const SCORED: usize = 2_048;

/// Names between two looks at whether a newer query has come.
const CHUNK: usize = 8_192;

/// Fewer names than this are looked through faster than a thread starts.
const WORTH_A_THREAD: usize = 16_384;

/// A name that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Its row.
    pub row: u32,
    /// How it matched, 0 the best: see the module above.
    pub class: u8,
    /// fuzzy-matcher's score of the words in the name.
    pub score: i64,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The best, in order.
    pub hits: Vec<Hit>,
    /// How many names match.
    pub matched: usize,
    /// True if names are among them that match only with slips forgiven.
    pub forgiven: bool,
}

/// What the last query left to narrow: its words and the rows that match them, in order.
struct Left {
    words: Vec<String>,
    rows: Arc<Vec<u32>>,
}

/// Answers queries over one index. One may be called from several threads: of two queries at once the later one is answered.
pub struct Searcher {
    index: Arc<FuzzyIndex>,
    threads: usize,
    newest: AtomicU64,
    left: Mutex<Option<Left>>,
    matcher: SkimMatcherV2,
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Searcher").field("names", &self.index.len()).field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Searcher {
    /// A searcher that uses so many threads for large indexes; none is all cores.
    pub fn new(index: Arc<FuzzyIndex>, threads: Option<NonZeroUsize>) -> Self {
        let threads = threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let matcher = SkimMatcherV2::default().ignore_case();
        Self { index, threads, newest: AtomicU64::new(0), left: Mutex::new(None), matcher }
    }

    /// The names.
    pub fn index(&self) -> &FuzzyIndex {
        &self.index
    }

    /// Finds the `limit` best names for a typed text; for none, the first in their order. None if a newer query came meanwhile.
    pub fn search(&self, text: &str, limit: usize) -> Option<Found> {
        let ticket = self.newest.fetch_add(1, Ordering::AcqRel) + 1;
        let typed = typed_words(text);
        if typed.is_empty() {
            let rows = 0..limit.min(self.index.len()) as u32;
            let hits = rows.map(|row| Hit { row, class: 0, score: 0 }).collect();
            return Some(Found { hits, matched: self.index.len(), forgiven: false });
        }
        let mut query = Query::new(text, &self.index);
        let narrowed = self.narrowed(&typed);
        let scan = self.scan(&query, narrowed.as_deref().map(Vec::as_slice), limit, ticket)?;
        let rows = Arc::new(scan.rows);
        let mut found = Found { matched: rows.len(), forgiven: false, hits: Vec::new() };
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(Left { words: typed, rows });
        let mut best = scan.best.into_sorted();
        // Nobody who typed a name as it is needs to be forgiven.
        let is_literal = best.first().is_some_and(|key| query.is_literal(&self.index, row_of(*key)));
        if !is_literal && query.forgive(&self.index) {
            let scan = self.scan(&query, None, limit, ticket)?;
            found.forgiven = scan.rows.len() > found.matched;
            found.matched = scan.rows.len();
            best = scan.best.into_sorted();
        }
        found.hits = self.scored(&query, &best, limit, ticket)?;
        Some(found)
    }

    /// Gives a query up, so that nothing is computed for nobody.
    pub fn cancel(&self) {
        self.newest.fetch_add(1, Ordering::AcqRel);
    }

    /// Places (in characters) of the letters of a name that a text matches: for the rows that are shown.
    pub fn highlights(&self, text: &str, row: u32) -> Vec<usize> {
        let (name, folded) = (self.index.name(row), self.index.folded(row as usize));
        let mut places: Vec<usize> = Vec::new();
        for word in Query::new(text, &self.index).words {
            if let Some(bytes) = word.place(name, folded) {
                places.extend(characters_of(name, bytes));
            } else if let Some(bytes) = misspelt_word(&word.text, name) {
                places.extend(characters_of(name, bytes));
            } else if let Some((_, letters)) = self.matcher.fuzzy_indices(name, &word.text) {
                places.extend(letters);
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The rows that may match, if the query before this one says so.
    fn narrowed(&self, typed: &[String]) -> Option<Arc<Vec<u32>>> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.as_ref()?;
        let grew = left.words.len() <= typed.len() && left.words.iter().zip(typed).all(|(before, now)| now.starts_with(before.as_str()));
        grew.then(|| left.rows.clone())
    }

    fn scan(&self, query: &Query, among: Option<&[u32]>, limit: usize, ticket: u64) -> Option<Scan> {
        let total = among.map_or(self.index.len(), <[u32]>::len);
        let threads = self.threads.min(total.div_ceil(WORTH_A_THREAD)).max(1);
        let share = total.div_ceil(threads);
        let part = |number: usize| {
            let range = number * share..((number + 1) * share).min(total);
            self.scan_part(query, among, range, limit, ticket)
        };
        if threads == 1 {
            return part(0);
        }
        let part = &part;
        let parts: Vec<Option<Scan>> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || part(number))).collect();
            let first = part(0);
            std::iter::once(first).chain(others.into_iter().map(|other| other.join().unwrap_or(None))).collect()
        });
        let mut parts = parts.into_iter();
        let mut all = parts.next().flatten()?;
        for part in parts {
            let part = part?;
            all.rows.extend(part.rows);
            part.best.keys.into_iter().for_each(|key| all.best.offer(key));
        }
        Some(all)
    }

    fn scan_part(&self, query: &Query, among: Option<&[u32]>, range: Range<usize>, limit: usize, ticket: u64) -> Option<Scan> {
        let mut scan = Scan { rows: Vec::new(), best: Best::new(limit.max(SCORED)) };
        for begin in range.clone().step_by(CHUNK) {
            self.still_wanted(ticket)?;
            let chunk = begin..(begin + CHUNK).min(range.end);
            match among {
                None => chunk.for_each(|row| scan.look(query, &self.index, row)),
                Some(rows) => rows[chunk].iter().for_each(|row| scan.look(query, &self.index, *row as usize)),
            }
        }
        Some(scan)
    }

    /// Gives the best by class and length their score, and orders them by it within their class.
    fn scored(&self, query: &Query, best: &[u64], limit: usize, ticket: u64) -> Option<Vec<Hit>> {
        let mut hits = Vec::with_capacity(best.len());
        for (number, key) in best.iter().enumerate() {
            if number % 256 == 0 {
                self.still_wanted(ticket)?;
            }
            let row = row_of(*key);
            let name = self.index.names.get(row);
            let score = query.words.iter().map(|word| self.matcher.fuzzy_match(name, &word.text).unwrap_or(0)).sum();
            hits.push((Hit { row: row as u32, class: (key >> 56) as u8, score }, *key));
        }
        // The key ends the order: shorter names, then earlier ones.
        hits.sort_unstable_by_key(|(hit, key)| (hit.class, -hit.score, *key));
        hits.truncate(limit);
        Some(hits.into_iter().map(|(hit, _)| hit).collect())
    }

    fn still_wanted(&self, ticket: u64) -> Option<()> {
        (self.newest.load(Ordering::Acquire) == ticket).then_some(())
    }
}

/// What one look through names found.
struct Scan {
    rows: Vec<u32>,
    best: Best,
}

impl Scan {
    fn look(&mut self, query: &Query, index: &FuzzyIndex, row: usize) {
        if let Some(class) = query.class(index, row) {
            self.rows.push(row as u32);
            self.best.offer(key(class, index.length(row), row));
        }
    }
}

/// Class, length and row in one number, so that the smaller is the better and no two are equal.
fn key(class: u8, length: usize, row: usize) -> u64 {
    u64::from(class) << 56 | (length.min(0xff_ffff) as u64) << 32 | row as u64
}

fn row_of(key: u64) -> usize {
    (key & 0xffff_ffff) as usize
}

/// The smallest so many keys of those offered. Which they are does not depend on the order of the offers.
struct Best {
    keys: Vec<u64>,
    limit: usize,
    worst: u64,
}

impl Best {
    fn new(limit: usize) -> Self {
        Self { keys: Vec::new(), limit: limit.max(1), worst: u64::MAX }
    }

    fn offer(&mut self, key: u64) {
        if key >= self.worst {
            return;
        }
        self.keys.push(key);
        // Selecting once in `limit` offers is cheaper than keeping a heap in order at each.
        if self.keys.len() >= 2 * self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.keys.len() > self.limit {
            let (_, worst, _) = self.keys.select_nth_unstable(self.limit - 1);
            self.worst = *worst;
            self.keys.truncate(self.limit);
        }
    }

    fn into_sorted(mut self) -> Vec<u64> {
        self.cut();
        self.keys.sort_unstable();
        self.keys
    }
}

fn characters_of(name: &str, bytes: Range<usize>) -> impl Iterator<Item = usize> {
    name.char_indices().enumerate().filter(move |(_, (at, _))| bytes.contains(at)).map(|(place, _)| place)
}

/// Where the word of a name stands that was most likely meant.
fn misspelt_word(typed: &str, name: &str) -> Option<Range<usize>> {
    let near = words(name).filter_map(|(at, word)| nearest_slips(typed, &word.to_lowercase()).map(|slips| (slips, at..at + word.len())));
    near.min_by_key(|(slips, bytes)| (*slips, bytes.start)).map(|(_, bytes)| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_the_same_in_whichever_order_they_come() {
        let keys: Vec<u64> = (0..5_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let mut expected = keys.clone();
        expected.sort_unstable();
        expected.truncate(37);
        for forwards in [true, false] {
            let mut best = Best::new(37);
            let mut offers = keys.clone();
            if !forwards {
                offers.reverse();
            }
            offers.into_iter().for_each(|key| best.offer(key));
            assert_eq!(best.into_sorted(), expected);
        }
    }
}
