//! The kernel: which record each row of the spine sees. Plain functions over arrow arrays.
//!
//! ```text
//! spine rows of one identifier, by time:      t1      t2  t2      t3          one slot for each time
//!                                             │       │           │
//! records, in any order:                ●  ●  │   ●   │           │   ●       each goes to the first slot at or
//!                                       └──┴─>│   └──>│           │           after it and competes there
//! then, forward:                              best ──>│ best ────>│ best      the best so far is carried on
//! ```
//!
//! Best is the greatest (event time, api invocation time, write time, place), where the place is the order in which rows
//! were committed. So a slot ends with the greatest record that is not after it, which is the definition; a ttl is checked
//! last, because where the newest record is too old, so is every other. Memory grows with the spine alone, records need
//! no order, and threads that each fill slots of their own can be merged slot by slot.
//!
//! "Known then" means that a record counts only once it was written: it then goes to the first slot at or after both its
//! times, and everything else stays as it is, because the carried best is the greatest of all that were visible by then.

use arrow::array::{Array, BooleanArray, Int64Array};

use super::identifiers::{Dictionary, IdentifierKind, IdentifierTable, Identifiers, NONE};

/// Records that wait before they compete.
const WAITING: usize = 1 << 19;
/// Most heaps that waiting records are put on.
const MAX_HEAPS: usize = 2_048;
/// Identifiers of one heap, at least: their slots stay in the processor's nearest memory while the heap competes.
const MIN_HEAP: usize = 32;

/// The spine's rows, arranged for one use of a group.
#[derive(Debug)]
pub(super) struct SpineIndex {
    table: IdentifierTable,
    /// The slots of identifier n are `starts[n]..starts[n + 1]`.
    starts: Vec<u32>,
    /// Time of each slot, ascending within an identifier.
    times: Vec<i64>,
    /// Slot of each spine row; [`NONE`] without an identifier or a time.
    row_slots: Vec<u32>,
    earliest: i64,
    latest: i64,
}

impl SpineIndex {
    /// Arranges rows, given as columns of identifiers and times (microseconds) of equal lengths; fewer than 2^32 − 1 rows.
    pub(super) fn build<'a>(kind: IdentifierKind, columns: impl IntoIterator<Item = (&'a Identifiers, &'a Int64Array)>) -> Self {
        let mut table = IdentifierTable::new(kind);
        let mut numbers = Vec::new();
        let mut times: Vec<i64> = Vec::new();
        for (identifiers, column) in columns {
            let from = numbers.len();
            table.insert(identifiers, &mut numbers);
            times.extend_from_slice(column.values());
            if column.null_count() > 0 {
                (0..column.len()).filter(|row| column.is_null(*row)).for_each(|row| numbers[from + row] = NONE);
            }
        }
        let mut ends = vec![0u32; table.len() + 1];
        for number in numbers.iter().filter(|number| **number != NONE) {
            ends[*number as usize + 1] += 1;
        }
        for number in 1..ends.len() {
            ends[number] += ends[number - 1];
        }
        let mut next = ends.clone();
        let mut ordered = vec![(0i64, 0u32); ends.last().copied().unwrap_or(0) as usize];
        for (row, number) in numbers.iter().enumerate().filter(|(_, number)| **number != NONE) {
            let place = &mut next[*number as usize];
            ordered[*place as usize] = (times[row], row as u32);
            *place += 1;
        }
        // From here on the rows' identifiers and times are known by their slots.
        let mut row_slots = numbers;
        let mut slot_times = times;
        slot_times.clear();
        let mut starts = Vec::with_capacity(ends.len());
        starts.push(0);
        for pair in ends.windows(2) {
            let rows = &mut ordered[pair[0] as usize..pair[1] as usize];
            rows.sort_unstable();
            let first = slot_times.len();
            for (time, row) in rows {
                if slot_times.len() == first || slot_times.last() != Some(time) {
                    slot_times.push(*time);
                }
                row_slots[*row as usize] = slot_times.len() as u32 - 1;
            }
            starts.push(slot_times.len() as u32);
        }
        let (earliest, latest) = slot_times.iter().fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(*time), max.max(*time)));
        Self { table, starts, times: slot_times, row_slots, earliest, latest }
    }

    /// The identifiers.
    pub(super) fn table(&self) -> &IdentifierTable {
        &self.table
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Slot of each spine row; [`NONE`] without an identifier or a time.
    pub(super) fn row_slots(&self) -> &[u32] {
        &self.row_slots
    }

    /// Earliest and latest time of all slots.
    pub(super) fn time_range(&self) -> Option<(i64, i64)> {
        (!self.times.is_empty()).then_some((self.earliest, self.latest))
    }

    /// First slot of an identifier at or after an instant.
    fn slot_for(&self, number: u32, instant: i64) -> Option<usize> {
        let (from, to) = (self.starts[number as usize] as usize, self.starts[number as usize + 1] as usize);
        let times = &self.times[from..to];
        // Most records of a group that is still written to are later than every label.
        if *times.last()? < instant {
            return None;
        }
        Some(from + times.partition_point(|time| *time < instant))
    }
}

/// Where a record lies: file, row in it, and whether it is a tombstone, in one number that orders as commits do.
///
/// ```text
/// bit 63 … 40      39 … 1   0
///     file + 1     row      tombstone?
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

impl Place {
    /// No record.
    pub(super) const NOWHERE: Self = Self(0);
    /// Most files of a group.
    pub(super) const MAX_FILES: usize = (1 << 24) - 2;
    /// Most rows of a file.
    pub(super) const MAX_ROWS: u64 = 1 << 39;

    /// A record's place.
    pub(super) fn new(file: usize, row: u64, is_deleted: bool) -> Self {
        Self(((file as u64 + 1) << 40) | (row << 1) | u64::from(is_deleted))
    }

    /// Number of the file and of the row in it; none for [`Self::NOWHERE`].
    pub(super) fn parts(self) -> Option<(usize, u64)> {
        (self != Self::NOWHERE).then(|| (((self.0 >> 40) - 1) as usize, (self.0 & ((1 << 40) - 1)) >> 1))
    }

    fn is_deleted(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What decides which of two records is newer. Ordered as records are; [`Self::NOBODY`] is below every record.
pub(super) trait Rank: Copy + Ord + Send + Sync {
    /// Below every record.
    const NOBODY: Self;
    /// The rank of a record.
    fn new(event: i64, invoked: i64, written: i64, place: Place) -> Self;
    /// Event time, microseconds.
    fn event(self) -> i64;
    /// Write time, microseconds, where it is known.
    fn written(self) -> i64;
    /// Where the record lies.
    fn place(self) -> Place;
}

/// Rank in somebody else's files, which know nothing of write times: half the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShortRank(i64, Place);

/// Rank in our own tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FullRank(i64, i64, i64, Place);

impl Rank for ShortRank {
    const NOBODY: Self = Self(i64::MIN, Place::NOWHERE);

    fn new(event: i64, _invoked: i64, _written: i64, place: Place) -> Self {
        Self(event, place)
    }

    fn event(self) -> i64 {
        self.0
    }

    fn written(self) -> i64 {
        i64::MIN
    }

    fn place(self) -> Place {
        self.1
    }
}

impl Rank for FullRank {
    const NOBODY: Self = Self(i64::MIN, i64::MIN, i64::MIN, Place::NOWHERE);

    fn new(event: i64, invoked: i64, written: i64, place: Place) -> Self {
        Self(event, invoked, written, place)
    }

    fn event(self) -> i64 {
        self.0
    }

    fn written(self) -> i64 {
        self.2
    }

    fn place(self) -> Place {
        self.3
    }
}

/// A column that is often one value throughout.
#[derive(Debug, Clone)]
pub(super) enum Column<A> {
    /// The same in every row.
    Constant(A),
    /// By row.
    Values(Box<[A]>),
}

impl<A: Copy> Column<A> {
    fn at(&self, row: usize) -> A {
        match self {
            Self::Constant(value) => *value,
            Self::Values(values) => values[row],
        }
    }
}

impl Column<i64> {
    /// Times as they order: one that is missing is below every other.
    pub(super) fn of_times(times: &Int64Array) -> Self {
        Self::Values(times.iter().map(|time| time.unwrap_or(i64::MIN)).collect())
    }
}

impl Column<bool> {
    /// Delete markers; a missing one is none.
    pub(super) fn of_markers(markers: &BooleanArray) -> Self {
        if markers.true_count() == 0 {
            return Self::Constant(false);
        }
        Self::Values(markers.iter().map(|marker| marker == Some(true)).collect())
    }
}

/// Numbers of the rows of a batch in their file.
#[derive(Debug, Clone)]
pub(super) enum RowNumbers {
    /// One after another from here.
    From(u64),
    /// One by one.
    Each(Vec<u64>),
}

impl RowNumbers {
    fn at(&self, row: usize) -> u64 {
        match self {
            Self::From(first) => first + row as u64,
            Self::Each(numbers) => numbers[row],
        }
    }
}

/// What the contest needs to know of a batch of records.
#[derive(Debug, Clone)]
pub(super) struct Records {
    pub(super) identifiers: Identifiers,
    /// Event times, microseconds; a record without one does not exist.
    pub(super) events: Int64Array,
    pub(super) invoked: Column<i64>,
    pub(super) written: Column<i64>,
    pub(super) deleted: Column<bool>,
    /// Number of their file.
    pub(super) file: usize,
    pub(super) rows: RowNumbers,
}

/// Which records take part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Admission {
    /// Only those written by then.
    pub(super) as_of: Option<i64>,
    /// Only those written by the spine row's own time.
    pub(super) known_then: bool,
}

/// A record on its way to its slot.
#[derive(Debug, Clone, Copy)]
struct Entry<R> {
    rank: R,
    number: u32,
}

/// The best record of each slot so far.
///
/// Records come in an order that has nothing to do with where their slots lie in memory, and memory is slow to jump about
/// in. So they wait until there are many, are put on heaps of neighbouring identifiers, and compete heap by heap.
#[derive(Debug)]
pub(super) struct Contest<R> {
    best: Vec<R>,
    waiting: Vec<Entry<R>>,
    heaped: Vec<Entry<R>>,
    /// A number shifted right by so much is the number of its heap.
    heap_bits: u32,
    heaps: usize,
    dictionary: Dictionary,
    known_then: bool,
}

impl<R: Rank> Contest<R> {
    /// Nobody has come yet.
    pub(super) fn new(index: &SpineIndex, known_then: bool) -> Self {
        let identifiers = index.table.len().max(1);
        let heap_bits = identifiers.div_ceil(MAX_HEAPS).max(MIN_HEAP).next_power_of_two().trailing_zeros();
        Self {
            best: vec![R::NOBODY; index.len()],
            waiting: Vec::new(),
            heaped: Vec::new(),
            heap_bits,
            heaps: (identifiers >> heap_bits) + 1,
            dictionary: Dictionary::default(),
            known_then,
        }
    }

    /// Lets records compete.
    pub(super) fn enter(&mut self, index: &SpineIndex, records: &Records, as_of: Option<i64>) {
        let events = records.events.values();
        let nulls = records.events.nulls();
        let waiting = &mut self.waiting;
        index.table.matches(&records.identifiers, &mut self.dictionary, |row, number| {
            let event = events[row];
            let written = records.written.at(row);
            let is_out =
                event > index.latest || nulls.is_some_and(|nulls| nulls.is_null(row)) || as_of.is_some_and(|as_of| written > as_of);
            if !is_out {
                let place = Place::new(records.file, records.rows.at(row), records.deleted.at(row));
                waiting.push(Entry { rank: R::new(event, records.invoked.at(row), written, place), number });
            }
        });
        if self.waiting.len() >= WAITING {
            self.settle(index);
        }
    }

    /// Lets all that wait compete.
    pub(super) fn settle(&mut self, index: &SpineIndex) {
        let Some(first) = self.waiting.first().copied() else { return };
        let heap_of = |entry: &Entry<R>| (entry.number >> self.heap_bits) as usize;
        let mut ends = vec![0usize; self.heaps + 1];
        self.waiting.iter().for_each(|entry| ends[heap_of(entry) + 1] += 1);
        for heap in 1..ends.len() {
            ends[heap] += ends[heap - 1];
        }
        self.heaped.clear();
        self.heaped.resize(self.waiting.len(), first);
        for entry in &self.waiting {
            let next = &mut ends[heap_of(entry)];
            self.heaped[*next] = *entry;
            *next += 1;
        }
        self.waiting.clear();
        for Entry { rank, number } in &self.heaped {
            let visible = if self.known_then { rank.event().max(rank.written()) } else { rank.event() };
            let Some(slot) = index.slot_for(*number, visible) else { continue };
            let best = &mut self.best[slot];
            if *rank > *best {
                *best = *rank;
            }
        }
    }

    /// Takes in what another thread found in the same slots; both have settled.
    pub(super) fn merge(&mut self, other: &Self) {
        debug_assert!(self.waiting.is_empty() && other.waiting.is_empty());
        for (best, rank) in self.best.iter_mut().zip(&other.best) {
            if *rank > *best {
                *best = *rank;
            }
        }
    }

    /// The record that each slot sees: the best one not after it that is at most `ttl` microseconds older and no tombstone.
    pub(super) fn winners(mut self, index: &SpineIndex, ttl: Option<i64>) -> Vec<Place> {
        for slots in index.starts.windows(2) {
            let slots = slots[0] as usize..slots[1] as usize;
            for slot in slots.skip(1) {
                // The first slot of an identifier has nothing before it.
                if self.best[slot - 1] > self.best[slot] {
                    self.best[slot] = self.best[slot - 1];
                }
            }
        }
        let seen = |(rank, time): (&R, &i64)| {
            let is_too_old = ttl.is_some_and(|ttl| time.saturating_sub(rank.event()) > ttl);
            if is_too_old || rank.place().is_deleted() { Place::NOWHERE } else { rank.place() }
        };
        self.best.iter().zip(&index.times).map(seen).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};
    use proptest::prelude::*;

    use super::*;

    /// A record, in the order of its commit.
    type Record = (Option<u8>, Option<i64>, i64, i64, bool);

    fn identifiers(of: impl Iterator<Item = Option<u8>>) -> Identifiers {
        let names: ArrayRef =
            Arc::new(of.map(|id| id.map(|id| format!("customer {id}").repeat(1 + usize::from(id % 2)))).collect::<StringArray>());
        IdentifierKind::Text.read(&names).unwrap()
    }

    /// The definition, word by word: every record is looked at for every row.
    fn reference(spine: &[(Option<u8>, Option<i64>)], records: &[Record], admission: Admission, ttl: Option<i64>) -> Vec<Option<usize>> {
        let sees = |(id, time): &(Option<u8>, Option<i64>)| {
            let (id, time) = ((*id)?, (*time)?);
            let candidates = records.iter().enumerate().filter(|(_, (other, event, _, written, _))| {
                *other == Some(id)
                    && event.is_some_and(|event| event <= time && ttl.is_none_or(|ttl| event >= time - ttl))
                    && admission.as_of.is_none_or(|as_of| *written <= as_of)
                    && (!admission.known_then || *written <= time)
            });
            let (place, winner) = candidates.max_by_key(|(place, (_, event, invoked, written, _))| (*event, *invoked, *written, *place))?;
            (!winner.4).then_some(place)
        };
        spine.iter().map(sees).collect()
    }

    fn batch(records: &[Record], first: u64, each: bool) -> Records {
        Records {
            identifiers: identifiers(records.iter().map(|record| record.0)),
            events: records.iter().map(|record| record.1).collect(),
            invoked: Column::Values(records.iter().map(|record| record.2).collect()),
            written: Column::Values(records.iter().map(|record| record.3).collect()),
            deleted: Column::of_markers(&records.iter().map(|record| Some(record.4)).collect()),
            // A hundred rows a file, so that places cross files.
            file: (first / 100) as usize,
            rows: if each {
                RowNumbers::Each((0..records.len() as u64).map(|row| first % 100 + row).collect())
            } else {
                RowNumbers::From(first % 100)
            },
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn every_row_sees_what_the_definition_says(
            spine in prop::collection::vec((prop::option::weighted(0.9, 0..5u8), prop::option::weighted(0.9, 0..12i64)), 0..40),
            records in prop::collection::vec((prop::option::weighted(0.9, 0..5u8), prop::option::weighted(0.9, 0..12i64), 0..3i64, 0..14i64, prop::bool::weighted(0.2)), 0..120),
            (as_of, known_then, ttl, split, turn) in (prop::option::of(0..14i64), any::<bool>(), prop::option::of(0..6i64), 1..20usize, any::<bool>()),
        ) {
            let admission = Admission { as_of, known_then };
            let keys = identifiers(spine.iter().map(|row| row.0));
            let times: Int64Array = spine.iter().map(|row| row.1).collect();
            let index = SpineIndex::build(IdentifierKind::Text, [(&keys, &times)]);
            // Two threads, batches of any size, in any order.
            let new = || Contest::<FullRank>::new(&index, admission.known_then);
            let (mut one, mut other) = (new(), new());
            let mut batches: Vec<Records> = (0..records.len()).step_by(split).filter_map(|first| {
                let end = (first + split).min(records.len()).min((first / 100 + 1) * 100);
                (first < end).then(|| batch(&records[first..end], first as u64, turn))
            }).collect();
            for hundred in (100..records.len()).step_by(100).filter(|hundred| hundred % split != 0) {
                let end = (hundred / split + 1) * split;
                batches.push(batch(&records[hundred..end.min(records.len())], hundred as u64, turn));
            }
            if turn {
                batches.reverse();
            }
            for (number, batch) in batches.iter().enumerate() {
                if number % 3 == 0 { &mut one } else { &mut other }.enter(&index, batch, admission.as_of);
                if number % 4 == 0 {
                    one.settle(&index);
                }
            }
            one.settle(&index);
            other.settle(&index);
            one.merge(&other);
            let winners = one.winners(&index, ttl);
            let found: Vec<Option<usize>> = index.row_slots().iter().map(|slot| {
                let place = if *slot == NONE { Place::NOWHERE } else { winners[*slot as usize] };
                place.parts().map(|(file, row)| file * 100 + row as usize)
            }).collect();
            prop_assert_eq!(found, reference(&spine, &records, admission, ttl));
        }
    }

    #[test]
    fn extreme_instants_neither_overflow_nor_vanish() {
        let keys = identifiers([Some(1), Some(1)].into_iter());
        let times = Int64Array::from(vec![i64::MIN, i64::MAX]);
        let index = SpineIndex::build(IdentifierKind::Text, [(&keys, &times)]);
        let mut contest = Contest::<ShortRank>::new(&index, false);
        contest.enter(&index, &batch(&[(Some(1), Some(i64::MIN), 0, 0, false)], 0, false), None);
        contest.settle(&index);
        let winners = contest.winners(&index, Some(5));
        assert_eq!(winners.iter().map(|place| place.parts()).collect::<Vec<_>>(), [Some((0, 0)), None]);
    }
}
