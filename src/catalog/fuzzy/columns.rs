//! The names as columns, built once and then only read.
//!
//! `text` holds the names as written, `folded` the same bytes in lower case at the same places: a character whose lower
//! case takes another number of bytes stays as it is. Masks say which letters a name has, and which its words begin with. The
//! distinct words of all names are a vocabulary of their own, for what is misspelt: a slip is looked for among thousands of words,
//! not among millions of names.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::catalog::search::words::words;
use crate::model::{Error, ErrorKind, Result};

/// Offsets are 32 bits wide.
const MOST_BYTES: usize = u32::MAX as usize;

/// Texts one after the other.
#[derive(Debug, Default)]
pub(super) struct Texts {
    text: String,
    /// Where each begins; one more than there are texts.
    starts: Vec<u32>,
}

impl Texts {
    fn new() -> Self {
        Self { text: String::new(), starts: vec![0] }
    }

    fn push(&mut self, text: &str) -> Result<()> {
        if self.text.len() + text.len() > MOST_BYTES {
            return Err(Error::new(ErrorKind::Full, "the names are too many to be searched").why("they are longer than 4 GiB together"));
        }
        self.text.push_str(text);
        self.starts.push(self.text.len() as u32);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn get(&self, row: usize) -> &str {
        let (start, end) = (self.starts[row] as usize, self.starts[row + 1] as usize);
        &self.text[start..end]
    }

    fn bytes(&self) -> usize {
        self.text.capacity() + 4 * self.starts.capacity()
    }
}

/// Names in groups, ready to be searched. Rows are numbered in the order they were added.
#[derive(Debug)]
pub struct FuzzyIndex {
    pub(super) names: Texts,
    folded: Vec<u8>,
    /// Which letters each name has; see [`letters`].
    pub(super) masks: Vec<u64>,
    /// Which letters its words begin with.
    pub(super) initials: Vec<u64>,
    /// Number of each name's group.
    pub(super) groups: Vec<u32>,
    pub(super) group_names: Texts,
    /// The distinct words of all names in lower case, and the letters of each.
    pub(super) vocabulary: Texts,
    pub(super) vocabulary_masks: Vec<u64>,
    /// Words of each name by their number, all names one after the other.
    word_numbers: Vec<u32>,
    word_starts: Vec<u32>,
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
pub(super) fn fold_in_place(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        let mut lower = character.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) if one.len_utf8() == character.len_utf8() => folded.push(one),
            _ => folded.push(character),
        }
    }
    folded.into_bytes()
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
        self.group_names.get(self.groups[row as usize] as usize)
    }

    /// Bytes it holds in memory.
    pub fn memory(&self) -> usize {
        let words = self.word_numbers.capacity() + self.word_starts.capacity() + self.groups.capacity();
        let masks = self.masks.capacity() + self.initials.capacity() + self.vocabulary_masks.capacity();
        self.names.bytes() + self.group_names.bytes() + self.vocabulary.bytes() + self.folded.capacity() + 4 * words + 8 * masks
    }

    pub(super) fn folded(&self, row: usize) -> &[u8] {
        let (start, end) = (self.names.starts[row] as usize, self.names.starts[row + 1] as usize);
        &self.folded[start..end]
    }

    /// Length of a name in bytes.
    pub(super) fn length(&self, row: usize) -> usize {
        (self.names.starts[row + 1] - self.names.starts[row]) as usize
    }

    /// The first byte of a name in lower case.
    pub(super) fn first(&self, row: usize) -> Option<u8> {
        self.folded(row).first().copied()
    }

    /// Numbers of a name's words in the vocabulary.
    pub(super) fn words(&self, row: usize) -> &[u32] {
        &self.word_numbers[self.word_starts[row] as usize..self.word_starts[row + 1] as usize]
    }
}

/// Takes names in.
#[derive(Debug)]
pub struct FuzzyIndexBuilder {
    index: FuzzyIndex,
    numbers: HashMap<String, u32, FixedState>,
}

impl Default for FuzzyIndexBuilder {
    fn default() -> Self {
        let index = FuzzyIndex {
            names: Texts::new(),
            folded: Vec::new(),
            masks: Vec::new(),
            initials: Vec::new(),
            groups: Vec::new(),
            group_names: Texts::new(),
            vocabulary: Texts::new(),
            vocabulary_masks: Vec::new(),
            word_numbers: Vec::new(),
            word_starts: vec![0],
        };
        Self { index, numbers: HashMap::with_hasher(FixedState::default()) }
    }
}

impl FuzzyIndexBuilder {
    /// Begins a group; the names added next are of it.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names.
    pub fn group(&mut self, name: &str) -> Result<()> {
        self.index.group_names.push(name)
    }

    /// Adds a name to the last group begun; without one, to a group without a name.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names.
    pub fn name(&mut self, name: &str) -> Result<()> {
        if self.index.group_names.len() == 0 {
            self.index.group_names.push("")?;
        }
        let index = &mut self.index;
        index.names.push(name)?;
        let folded = fold_in_place(name);
        let mut initials = 0;
        let mut word_folded = String::new();
        for (at, word) in words(name) {
            initials |= letter(folded[at]);
            word_folded.clear();
            word_folded.extend(word.chars().flat_map(char::to_lowercase));
            let number = match self.numbers.get(word_folded.as_str()) {
                Some(number) => *number,
                None => {
                    let number = index.vocabulary.len() as u32;
                    index.vocabulary.push(&word_folded)?;
                    index.vocabulary_masks.push(letters(word_folded.as_bytes()));
                    self.numbers.insert(word_folded.clone(), number);
                    number
                }
            };
            index.word_numbers.push(number);
        }
        index.word_starts.push(u32::try_from(index.word_numbers.len()).map_err(|_| Error::new(ErrorKind::Full, "too many words"))?);
        index.masks.push(letters(&folded));
        index.initials.push(initials);
        index.groups.push((index.group_names.len() - 1) as u32);
        index.folded.extend_from_slice(&folded);
        Ok(())
    }

    /// The finished index, without memory to spare.
    pub fn build(mut self) -> FuzzyIndex {
        let index = &mut self.index;
        for texts in [&mut index.names, &mut index.group_names, &mut index.vocabulary] {
            texts.text.shrink_to_fit();
            texts.starts.shrink_to_fit();
        }
        index.folded.shrink_to_fit();
        for masks in [&mut index.masks, &mut index.initials, &mut index.vocabulary_masks] {
            masks.shrink_to_fit();
        }
        for numbers in [&mut index.groups, &mut index.word_numbers, &mut index.word_starts] {
            numbers.shrink_to_fit();
        }
        self.index
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folding_moves_no_byte() {
        for name in ["Score", "ÄrgerÜber", "İstanbul", "ẞ", "账户"] {
            let folded = fold_in_place(name);
            assert_eq!(folded.len(), name.len(), "{name}");
            assert!(std::str::from_utf8(&folded).is_ok());
        }
        assert_eq!(fold_in_place("ÄRGER"), "ärger".as_bytes());
    }

    #[test]
    fn a_row_keeps_its_name_and_its_group() {
        let mut builder = FuzzyIndexBuilder::default();
        builder.group("clicks").unwrap();
        builder.name("avgOrderValue").unwrap();
        builder.group("empty").unwrap();
        builder.group("trips").unwrap();
        builder.name("avg_speed").unwrap();
        let index = builder.build();
        assert_eq!(
            (index.len(), index.name(0), index.group(0), index.name(1), index.group(1)),
            (2, "avgOrderValue", "clicks", "avg_speed", "trips")
        );
        assert_eq!(index.words(0).len(), 3);
        assert_eq!(index.words(0)[0], index.words(1)[0], "a word has one number");
    }
}
