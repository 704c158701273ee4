//! Runs queries: over threads, narrowing, newest wins, best first.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

use super::best::{Best, key, row_of};
use super::bits::{Bits, each};
use super::columns::{FuzzyIndex, fold_in_place};
use super::matching::{Query, typed_words};
use super::spelling::nearest_slips;
use crate::catalog::search::words::words;

/// The most names that are given to fuzzy-matcher in one query; see the module above for what that means.
pub const SCORED: usize = 1_024;

/// Blocks of 64 names between two looks at whether a newer query has come.
const CHUNK: usize = 128;

/// Fewer blocks than this are looked through faster than a thread starts.
const WORTH_A_THREAD: usize = 256;

/// Fewer names than this are scored faster than a thread starts.
const WORTH_SCORING_APART: usize = 256;

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
    /// All that match.
    pub rows: Arc<Bits>,
}

/// Names that a query is held against, where it is not all.
#[derive(Debug, Clone)]
pub struct Among {
    /// They.
    pub rows: Arc<Bits>,
    /// Says which they are: the same number, the same names.
    pub number: u64,
}

/// A question.
pub struct Asked<'a> {
    /// The words as typed.
    pub text: &'a str,
    /// Names wanted at most.
    pub limit: usize,
    /// Names to look among.
    pub among: Option<Among>,
    /// Names found by more than the index knows, for a word in lower case; slow, and therefore looked at last.
    pub further: Option<&'a dyn Fn(&str) -> Bits>,
}

/// What the last query left to narrow: its words, what it looked among, and the rows that match them.
struct Left {
    words: Vec<String>,
    among: Option<u64>,
    rows: Arc<Bits>,
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
        self.answer(&Asked { text, limit, among: None, further: None }, &mut |_| {})
    }

    /// The same, in steps: `first` is told what the names alone say, before what is slow to ask is looked at. None if a newer query came.
    pub fn answer(&self, asked: &Asked<'_>, first: &mut dyn FnMut(&Found)) -> Option<Found> {
        let ticket = self.newest.fetch_add(1, Ordering::AcqRel) + 1;
        let typed = typed_words(asked.text);
        if typed.is_empty() {
            return Some(self.in_order(asked));
        }
        let mut query = Query::new(&typed, &self.index);
        let narrowed = self.narrowed(&typed, asked);
        let candidates = narrowed.as_deref().or(asked.among.as_ref().map(|among| among.rows.as_ref()));
        let mut scan = self.scan(&query, candidates, None, asked.limit, ticket)?;
        let mut rows = Arc::new(scan.rows);
        let among = asked.among.as_ref().map(|among| among.number);
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(Left { words: typed, among, rows: rows.clone() });
        let mut best = scan.best.into_sorted();
        let mut forgiven = false;
        // Nobody who typed a name as it is needs to be forgiven.
        let is_literal = best.first().is_some_and(|key| query.is_literal(&self.index, row_of(*key)));
        let all = asked.among.as_ref().map(|among| among.rows.as_ref());
        if !is_literal && query.forgive(&self.index) {
            scan = self.scan(&query, all, Some(&rows), asked.limit, ticket)?;
            forgiven = scan.rows.count() > rows.count();
            rows = Arc::new(scan.rows);
            best = scan.best.into_sorted();
        }
        let hits = self.scored(&query, &best, asked.limit, ticket)?;
        let found = Found { matched: rows.count(), hits, forgiven, rows };
        match asked.further {
            Some(further) => {
                first(&found);
                self.further(asked, query, found, further, ticket)
            }
            None => Some(found),
        }
    }

    /// Gives a query up, so that nothing is computed for nobody.
    pub fn cancel(&self) {
        self.newest.fetch_add(1, Ordering::AcqRel);
    }

    /// Places (in characters) of the letters of a name that a text matches: for the rows that are shown.
    pub fn highlights(&self, text: &str, row: u32) -> Vec<usize> {
        highlights(&self.matcher, text, self.index.name(row))
    }

    /// Without words: what there is, in its order.
    fn in_order(&self, asked: &Asked<'_>) -> Found {
        let rows = asked.among.as_ref().map_or_else(|| Arc::new(Bits::all(self.index.len())), |among| among.rows.clone());
        let hits = rows.rows().take(asked.limit).map(|row| Hit { row: row as u32, class: 0, score: 0 }).collect();
        Found { hits, matched: rows.count(), forgiven: false, rows }
    }

    /// Adds what is found by more than the names: it stands behind what they say, so what was shown stays where it is.
    fn further(&self, asked: &Asked<'_>, mut query: Query, found: Found, further: &dyn Fn(&str) -> Bits, ticket: u64) -> Option<Found> {
        let adds = query.look_further(|word| if self.is_wanted(ticket) { further(word) } else { Bits::none(0) });
        self.still_wanted(ticket)?;
        if !adds {
            return Some(found);
        }
        let mut candidates = asked.among.as_ref().map_or_else(|| Bits::all(self.index.len()), |among| among.rows.as_ref().clone());
        candidates.take_out(&found.rows);
        let scan = self.scan(&query, Some(&candidates), None, asked.limit, ticket)?;
        let mut rows = scan.rows;
        let mut hits = found.hits;
        let wanted = asked.limit.saturating_sub(hits.len());
        hits.extend(self.scored(&query, &scan.best.into_sorted(), wanted, ticket)?);
        rows.add(&found.rows);
        Some(Found { hits, matched: rows.count(), forgiven: found.forgiven, rows: Arc::new(rows) })
    }

    /// The rows that may match, if the query before this one says so.
    fn narrowed(&self, typed: &[String], asked: &Asked<'_>) -> Option<Arc<Bits>> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.as_ref()?;
        let grew = left.words.len() <= typed.len() && left.words.iter().zip(typed).all(|(before, now)| now.starts_with(before.as_str()));
        let same = left.among == asked.among.as_ref().map(|among| among.number);
        (grew && same).then(|| left.rows.clone())
    }

    /// Looks through names; with those known to match as typed, only through them and the ones that may be forgiven.
    fn scan(&self, query: &Query, among: Option<&Bits>, known: Option<&Bits>, limit: usize, ticket: u64) -> Option<Scan> {
        let total = self.index.len().div_ceil(64);
        let threads = self.threads.min(total.div_ceil(WORTH_A_THREAD)).max(1);
        let share = total.div_ceil(threads);
        let of = Part { query, among, known, limit, ticket };
        let part = |number: usize| self.scan_part(&of, number * share..((number + 1) * share).min(total));
        let parts = in_parallel(threads, &part);
        let mut blocks = Vec::with_capacity(total);
        let mut best = Best::new(limit.max(SCORED));
        for part in parts {
            let (of_part, best_of_part) = part?;
            blocks.extend(of_part);
            best.take(best_of_part);
        }
        Some(Scan { rows: Bits::from_blocks(blocks, self.index.len()), best })
    }

    fn scan_part(&self, of: &Part<'_>, range: Range<usize>) -> Option<(Vec<u64>, Best)> {
        let index = &*self.index;
        let required = of.query.required();
        let mut found = Vec::with_capacity(range.len());
        let mut best = Best::new(of.limit.max(SCORED));
        for at in range {
            if at % CHUNK == 0 {
                self.still_wanted(of.ticket)?;
            }
            let first = at * 64;
            let masks = &index.masks[first..(first + 64).min(index.masks.len())];
            let able = masks.iter().enumerate().fold(0_u64, |able, (bit, mask)| able | u64::from(required & !mask == 0) << bit);
            let mut candidates = able & of.among.map_or(u64::MAX, |among| among.block(at));
            if let Some(known) = of.known {
                let known = known.block(at);
                candidates &= known
                    | each(candidates & !known).filter(|bit| of.query.is_forgiven(index, first + bit)).fold(0, |all, bit| all | 1 << bit);
            }
            let mut block = 0;
            for bit in each(candidates) {
                let row = first + bit;
                if let Some(class) = of.query.class(index, row) {
                    block |= 1 << bit;
                    if best.may_take(class) {
                        best.offer(key(class, index.length(row), row));
                    }
                }
            }
            found.push(block);
        }
        Some((found, best))
    }

    /// Gives the best by class and length their score, and orders them by it within their class.
    fn scored(&self, query: &Query, best: &[u64], limit: usize, ticket: u64) -> Option<Vec<Hit>> {
        // A worse class than that of the last one wanted is not looked at by anybody.
        let last = limit.min(best.len()).checked_sub(1).map_or(0, |last| best[last] >> 56);
        let best = &best[..best.partition_point(|key| key >> 56 <= last)];
        let threads = if best.len() < WORTH_SCORING_APART { 1 } else { self.threads.max(1) };
        let share = best.len().div_ceil(threads);
        let part = |number: usize| {
            let keys = best.get(number * share..((number + 1) * share).min(best.len())).unwrap_or_default();
            let mut hits = Vec::with_capacity(keys.len());
            for (number, key) in keys.iter().enumerate() {
                if number % 256 == 0 {
                    self.still_wanted(ticket)?;
                }
                hits.push((self.hit(query, *key), *key));
            }
            Some(hits)
        };
        let mut hits = Vec::with_capacity(best.len());
        for part in in_parallel(threads, &part) {
            hits.extend(part?);
        }
        // The key ends the order: shorter names, then earlier ones.
        hits.sort_unstable_by_key(|(hit, key)| (hit.class, -hit.score, *key));
        hits.truncate(limit);
        Some(hits.into_iter().map(|(hit, _)| hit).collect())
    }

    fn hit(&self, query: &Query, key: u64) -> Hit {
        let row = row_of(key);
        let name = self.index.names.get(row);
        let score = query.words.iter().map(|word| self.matcher.fuzzy_match(name, &word.text).unwrap_or(0)).sum();
        Hit { row: row as u32, class: (key >> 56) as u8, score }
    }

    fn is_wanted(&self, ticket: u64) -> bool {
        self.newest.load(Ordering::Acquire) == ticket
    }

    fn still_wanted(&self, ticket: u64) -> Option<()> {
        self.is_wanted(ticket).then_some(())
    }
}

/// What is looked for in a part of the names.
struct Part<'a> {
    query: &'a Query,
    among: Option<&'a Bits>,
    known: Option<&'a Bits>,
    limit: usize,
    ticket: u64,
}

/// What one look through names found.
struct Scan {
    rows: Bits,
    best: Best,
}

/// Does the parts of a work at once, the first of them on this thread; their results in their order.
fn in_parallel<T: Send>(threads: usize, part: &(dyn Fn(usize) -> Option<T> + Sync)) -> Vec<Option<T>> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || part(number))).collect();
        let first = part(0);
        std::iter::once(first).chain(others.into_iter().map(|other| other.join().unwrap_or(None))).collect()
    })
}

/// Places (in characters) of the letters of any name that a text matches.
pub fn highlights(matcher: &SkimMatcherV2, text: &str, name: &str) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for word in typed_words(text) {
        if let Some(bytes) = typed_place(&word, name).or_else(|| misspelt_word(&word, name)) {
            places.extend(characters_of(name, bytes));
        } else if let Some((_, letters)) = matcher.fuzzy_indices(name, &word) {
            places.extend(letters);
        }
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// Where a word stands in a name as it was typed, at the begin of one of its words if it does anywhere.
fn typed_place(word: &str, name: &str) -> Option<Range<usize>> {
    let folded = fold_in_place(name);
    let starts: Vec<usize> = words(name).map(|(at, _)| at).collect();
    let mut places = folded.match_indices(word).map(|(at, _)| at).peekable();
    let first = *places.peek()?;
    let at = if first == 0 { first } else { places.find(|at| starts.contains(at)).unwrap_or(first) };
    Some(at..at + word.len())
}

fn characters_of(name: &str, bytes: Range<usize>) -> impl Iterator<Item = usize> {
    name.char_indices().enumerate().filter(move |(_, (at, _))| bytes.contains(at)).map(|(place, _)| place)
}

/// Where the word of a name stands that was most likely meant.
fn misspelt_word(typed: &str, name: &str) -> Option<Range<usize>> {
    let near = words(name).filter_map(|(at, word)| nearest_slips(typed, &word.to_lowercase()).map(|slips| (slips, at..at + word.len())));
    near.min_by_key(|(slips, bytes)| (*slips, bytes.start)).map(|(_, bytes)| bytes)
}
