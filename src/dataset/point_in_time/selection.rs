//! From winning places to rows to read, and back: which row of what was read belongs to a slot.
//!
//! The winners of a file are a bitmap over its rows. Reading the set rows of a row group in order yields a chunk, and the
//! position of a row in its chunk is the number of set bits before it, kept for every 64 rows. So no list of winners is
//! ever sorted, and memory is a little over one bit for each row of the group.

use arrow::buffer::{BooleanBuffer, Buffer};

use super::file::GroupFile;
use super::slots::Place;

/// Where the features of a slot are: the number of a chunk and the row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) chunk: u32,
    pub(super) row: u32,
}

impl Source {
    /// No record, so no features.
    pub(super) const NOTHING: Self = Self { chunk: u32::MAX, row: 0 };
}

/// Rows to read as one chunk.
#[derive(Debug, Clone)]
pub(super) struct ChunkPlan {
    pub(super) file: usize,
    pub(super) row_group: usize,
    /// Rows of the row group, set where wanted.
    pub(super) rows: BooleanBuffer,
    pub(super) count: usize,
}

/// Bits of the rows of one file.
#[derive(Debug, Default)]
struct FileBits {
    words: Vec<u64>,
    /// Set bits before each word.
    before: Vec<u32>,
}

impl FileBits {
    fn set(&mut self, row: u64) {
        let word = (row / 64) as usize;
        if word >= self.words.len() {
            self.words.resize((word + 1).next_power_of_two(), 0);
        }
        self.words[word] |= 1 << (row % 64);
    }

    fn count_words(&mut self) {
        let before = self.words.iter().scan(0, |sum, word| {
            let before = *sum;
            *sum += word.count_ones();
            Some(before)
        });
        self.before = before.collect();
    }

    /// Set bits before a row.
    fn rank(&self, row: u64) -> u32 {
        let word = (row / 64) as usize;
        match self.words.get(word) {
            Some(bits) => self.before[word] + (bits & ((1 << (row % 64)) - 1)).count_ones(),
            None => self.before.last().map_or(0, |before| before + self.words.last().map_or(0, |word| word.count_ones())),
        }
    }
}

/// The rows that won.
#[derive(Debug)]
pub(super) struct Selection {
    files: Vec<FileBits>,
    /// Chunk of each row group of each file that has winners.
    chunks: Vec<Vec<Option<u32>>>,
    /// What to read, chunk by chunk. Rows in no file are chunks without a file's footer, of row group 0.
    pub(super) plans: Vec<ChunkPlan>,
}

impl Selection {
    /// Marks the places; `unflushed` is the number of rows in no file, which count as the file after the last.
    pub(super) fn of(winners: &[Place], files: &[Option<GroupFile>], unflushed: usize) -> Self {
        let mut bits: Vec<FileBits> = (0..=files.len()).map(|_| FileBits::default()).collect();
        for (file, row) in winners.iter().filter_map(|place| place.parts()) {
            bits[file].set(row);
        }
        let mut plans = Vec::new();
        let mut chunks: Vec<Vec<Option<u32>>> = Vec::with_capacity(bits.len());
        for (number, bits) in bits.iter_mut().enumerate() {
            bits.count_words();
            let ranges: Vec<_> = match files.get(number) {
                Some(Some(file)) => (0..file.row_groups()).map(|group| file.rows(group)).collect(),
                Some(None) => Vec::new(),
                None => vec![0..unflushed as u64],
            };
            let mut of_groups = Vec::with_capacity(ranges.len());
            // One buffer serves all row groups; only the view moves.
            let buffer = Buffer::from_vec(bits.words.clone());
            for (row_group, range) in ranges.into_iter().enumerate() {
                let count = (bits.rank(range.end) - bits.rank(range.start)) as usize;
                if count == 0 {
                    of_groups.push(None);
                    continue;
                }
                let length = (range.end - range.start) as usize;
                let rows = view(&buffer, range.start as usize, length);
                of_groups.push(Some(plans.len() as u32));
                plans.push(ChunkPlan { file: number, row_group, rows, count });
            }
            chunks.push(of_groups);
        }
        Self { files: bits, chunks, plans }
    }

    /// Where the features of each winner will be.
    pub(super) fn sources(&self, winners: &[Place], files: &[Option<GroupFile>]) -> Vec<Source> {
        let source = |place: &Place| {
            let (file, row) = place.parts()?;
            let (row_group, first) = match files.get(file) {
                Some(Some(known)) => {
                    let row_group = known.row_group_of(row);
                    (row_group, known.rows(row_group).start)
                }
                _ => (0, 0),
            };
            let chunk = (*self.chunks.get(file)?.get(row_group)?)?;
            let bits = &self.files[file];
            Some(Source { chunk, row: bits.rank(row) - bits.rank(first) })
        };
        winners.iter().map(|place| source(place).unwrap_or(Source::NOTHING)).collect()
    }
}

/// A view of bits; the buffer may end before the rows do.
fn view(buffer: &Buffer, start: usize, length: usize) -> BooleanBuffer {
    let held = buffer.len() * 8;
    if start + length <= held {
        return BooleanBuffer::new(buffer.clone(), start, length);
    }
    BooleanBuffer::collect_bool(length, |row| start + row < held && buffer.as_slice()[(start + row) / 8] & (1 << ((start + row) % 8)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_the_set_bits_before_a_row() {
        let rows = [0u64, 1, 63, 64, 65, 127, 128, 1_000, 100_000];
        let mut bits = FileBits::default();
        rows.iter().for_each(|row| bits.set(*row));
        bits.count_words();
        for probe in [0u64, 1, 2, 62, 63, 64, 66, 128, 129, 999, 1_000, 1_001, 99_999, 100_000, 100_001, 131_072, 1 << 30] {
            assert_eq!(bits.rank(probe) as usize, rows.iter().filter(|row| **row < probe).count(), "{probe}");
        }
    }

    #[test]
    fn rows_in_no_file_are_a_chunk_of_their_own() {
        let winners = [Place::new(0, 7, false), Place::NOWHERE, Place::new(0, 3, false), Place::new(0, 7, false)];
        let selection = Selection::of(&winners, &[], 70);
        assert_eq!(selection.plans.len(), 1);
        assert_eq!(selection.plans[0].rows.set_indices().collect::<Vec<_>>(), [3, 7]);
        assert_eq!(selection.plans[0].rows.len(), 70);
        let rows: Vec<u32> =
            selection.sources(&winners, &[]).iter().map(|source| if *source == Source::NOTHING { 99 } else { source.row }).collect();
        assert_eq!(rows, [1, 99, 0, 1]);
    }
}
