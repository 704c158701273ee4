//! The names as columns, built once and then only read.
//!
//! A name is a row of pieces: each of its words with what stands before it (`loyalty`, `_score`). Names share few pieces, so a query is
//! held against each piece once and against a name only by the numbers of its pieces. Put together, the pieces of a name are the name in
//! lower case, byte for byte: a character whose lower case takes another number of bytes stays as it is. Masks say which letters a name
//! has, and which its words begin with. The distinct words are a vocabulary of their own, for what is misspelt.

use crate::model::{Error, ErrorKind, Result};

/// Offsets are 32 bits wide.
const MOST_BYTES: usize = u32::MAX as usize;

/// Number of the word of a piece without one.
pub(super) const NO_WORD: u32 = u32::MAX;

/// Texts one after the other.
#[derive(Debug, Clone)]
pub struct Texts {
    text: String,
    /// Where each begins; one more than there are texts.
    starts: Vec<u32>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { text: String::new(), starts: vec![0] }
    }
}

impl Texts {
    /// Adds a text behind the others.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB.
    pub fn push(&mut self, text: &str) -> Result<()> {
        if self.text.len() + text.len() > MOST_BYTES {
            return Err(full());
        }
        self.text.push_str(text);
        self.starts.push(self.text.len() as u32);
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    pub fn get(&self, row: usize) -> &str {
        &self.text[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// All of them run together.
    pub fn all(&self) -> &str {
        &self.text
    }

    /// Where one begins in the run of all; for their number, the end.
    pub fn start(&self, row: usize) -> usize {
        self.starts[row] as usize
    }

    /// Adds a text with the end of a line behind the others.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB.
    pub fn push_line(&mut self, text: &str) -> Result<()> {
        if self.text.len() + text.len() >= MOST_BYTES {
            return Err(full());
        }
        self.text.push_str(text);
        self.text.push('\n');
        self.starts.push(self.text.len() as u32);
        Ok(())
    }

    /// Gives back what memory there is to spare.
    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.starts.shrink_to_fit();
    }

    /// Bytes it holds in memory.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + 4 * self.starts.capacity()
    }
}

fn full() -> Error {
    Error::new(ErrorKind::Full, "the names are too many to be searched").why("they are longer than 4 GiB together")
}

/// The distinct pieces of names.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    /// In lower case.
    pub(super) texts: Texts,
    /// The letters of each.
    pub(super) masks: Vec<u64>,
    /// Number of its word in the vocabulary.
    pub(super) words: Vec<u32>,
    /// Bytes before its word.
    pub(super) gaps: Vec<u8>,
    /// Whether it begins names; the same letters further on are another piece.
    pub(super) firsts: Vec<bool>,
}

/// Names in groups, ready to be searched. Rows are numbered in the order they were added.
#[derive(Debug, Clone, Default)]
pub struct FuzzyIndex {
    pub(super) names: Texts,
    /// Which letters each name has; see [`letters`].
    pub(super) masks: Vec<u64>,
    /// Which letters its words begin with.
    pub(super) initials: Vec<u64>,
    /// The first byte of each in lower case.
    pub(super) firsts: Vec<u8>,
    /// Number of each name's group.
    pub(super) groups: Vec<u32>,
    pub(super) group_names: Texts,
    /// What a group is found by besides the names in it, in lower case.
    pub(super) group_texts: Texts,
    /// Number of each name's label; empty while there is none but the first.
    pub(super) labels: Vec<u32>,
    /// What many names are found by, in lower case; the first is empty.
    pub(super) label_texts: Texts,
    pub(super) pieces: Pieces,
    /// Pieces of each name by their number, all names one after the other.
    pub(super) piece_numbers: Vec<u32>,
    pub(super) piece_starts: Vec<u32>,
    /// The distinct words of all names in lower case, and the letters of each.
    pub(super) vocabulary: Texts,
    pub(super) vocabulary_masks: Vec<u64>,
}

/// One bit for each letter and digit, `_`, `-`, and one each for all other characters of ASCII and beyond.
pub(super) fn letters(folded: &[u8]) -> u64 {
    folded.iter().fold(0, |mask, byte| mask | letter(*byte))
}

/// The bit of one byte in lower case.
pub(super) fn letter(byte: u8) -> u64 {
    match byte {
        b'a'..=b'z' => 1 << (byte - b'a'),
        b'0'..=b'9' => 1 << (26 + byte - b'0'),
        b'_' => 1 << 36,
        b'-' => 1 << 37,
        ..0x80 => 1 << 38,
        _ => 1 << 39,
    }
}

/// Puts a text into lower case without moving a byte.
pub(in crate::catalog) fn fold_in_place(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        let mut lower = character.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) if one.len_utf8() == character.len_utf8() => folded.push(one),
            _ => folded.push(character),
        }
    }
    folded
}

impl FuzzyIndex {
    /// Number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True without any name.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A name as it was added.
    pub fn name(&self, row: u32) -> &str {
        self.names.get(row as usize)
    }

    /// The name of a row's group.
    pub fn group(&self, row: u32) -> &str {
        self.group_names.get(self.group_number(row))
    }

    /// The number of a row's group, from 0 in the order they were begun.
    pub fn group_number(&self, row: u32) -> usize {
        self.groups[row as usize] as usize
    }

    /// Bytes it holds in memory.
    pub fn memory(&self) -> usize {
        let pieces = &self.pieces;
        let texts = [&self.names, &self.group_names, &self.group_texts, &self.label_texts, &self.vocabulary, &pieces.texts];
        let masks = [&self.masks, &self.initials, &self.vocabulary_masks, &pieces.masks];
        let numbers = [&self.groups, &self.labels, &self.piece_numbers, &self.piece_starts, &pieces.words];
        texts.map(Texts::bytes).iter().sum::<usize>()
            + 8 * masks.map(Vec::capacity).iter().sum::<usize>()
            + 4 * numbers.map(Vec::capacity).iter().sum::<usize>()
            + self.firsts.capacity()
            + pieces.gaps.capacity()
            + pieces.firsts.capacity()
    }

    /// Length of a name in bytes.
    pub(super) fn length(&self, row: usize) -> usize {
        self.names.start(row + 1) - self.names.start(row)
    }

    /// Numbers of a name's pieces.
    pub(super) fn pieces_of(&self, row: usize) -> &[u32] {
        &self.piece_numbers[self.piece_starts[row] as usize..self.piece_starts[row + 1] as usize]
    }

    /// Number of a name's label.
    pub fn label(&self, row: usize) -> usize {
        self.labels.get(row).copied().unwrap_or(0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_moves_no_byte() {
        for name in ["Score", "ÄrgerÜber", "İstanbul", "ẞ", "账户"] {
            assert_eq!(fold_in_place(name).len(), name.len(), "{name}");
        }
        assert_eq!(fold_in_place("ÄRGER"), "ärger");
    }
}
