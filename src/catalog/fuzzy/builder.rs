//! Takes names in and makes the columns of them.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::columns::{FuzzyIndex, NO_WORD, fold_in_place, letter, letters};
use crate::catalog::search::words::words;
use crate::model::{Error, ErrorKind, Result};

/// Stands before the letters of a piece that begins names, to tell it from the same letters further on.
const FIRST: char = '\u{1}';

/// Takes names in.
#[derive(Debug)]
pub struct FuzzyIndexBuilder {
    index: FuzzyIndex,
    pieces: HashMap<String, u32, FixedState>,
    words: HashMap<String, u32, FixedState>,
}

impl Default for FuzzyIndexBuilder {
    fn default() -> Self {
        let map = || HashMap::with_hasher(FixedState::default());
        let mut index = FuzzyIndex { piece_starts: vec![0], ..FuzzyIndex::default() };
        // A text of one byte is never too long.
        let _ = index.label_texts.push("\n");
        Self { index, pieces: map(), words: map() }
    }
}

impl FuzzyIndexBuilder {
    /// Begins a group; the names added next are of it.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names.
    pub fn group(&mut self, name: &str) -> Result<()> {
        self.group_found_by(name, "")
    }

    /// Begins a group whose names are found by other texts of it, too.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names.
    pub fn group_found_by(&mut self, name: &str, other: &str) -> Result<()> {
        self.index.group_texts.push(&fold_in_place(&format!("{name}\n{other}\n")))?;
        self.index.group_names.push(name)
    }

    /// Adds a text that many names are found by, and returns its number; 0 is that of no text.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of them.
    pub fn label(&mut self, text: &str) -> Result<u32> {
        self.index.label_texts.push(&fold_in_place(&format!("{text}\n")))?;
        Ok((self.index.label_texts.len() - 1) as u32)
    }

    /// Adds a name to the last group begun; without one, to a group without a name.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names.
    pub fn name(&mut self, name: &str) -> Result<()> {
        self.labelled(name, 0)
    }

    /// Adds a name with a label to the last group begun.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names.
    pub fn labelled(&mut self, name: &str, label: u32) -> Result<()> {
        if self.index.group_names.is_empty() {
            self.group("")?;
        }
        let folded = fold_in_place(name);
        let mut initials = 0;
        let mut taken = 0;
        for (at, word) in words(name) {
            initials |= letter(folded.as_bytes()[at]);
            let end = at + word.len();
            self.piece(&folded[taken..end], taken == 0, Some((at - taken, word)))?;
            taken = end;
        }
        if taken < folded.len() {
            self.piece(&folded[taken..], taken == 0, None)?;
        }
        let index = &mut self.index;
        let end = u32::try_from(index.piece_numbers.len()).map_err(|_| Error::new(ErrorKind::Full, "too many words"))?;
        index.piece_starts.push(end);
        index.names.push(name)?;
        index.masks.push(letters(folded.as_bytes()));
        index.initials.push(initials);
        index.firsts.push(folded.as_bytes().first().copied().unwrap_or(0));
        index.groups.push((index.group_names.len() - 1) as u32);
        if label > 0 || !index.labels.is_empty() {
            index.labels.resize(index.names.len() - 1, 0);
            index.labels.push(label);
        }
        Ok(())
    }

    /// Adds a piece of the name at hand: its letters, and its word with the bytes before it.
    fn piece(&mut self, text: &str, is_first: bool, word: Option<(usize, &str)>) -> Result<()> {
        let key = if is_first { format!("{FIRST}{text}") } else { text.to_owned() };
        let number = match self.pieces.get(&key) {
            Some(number) => *number,
            None => {
                let word_number = word.map_or(Ok(NO_WORD), |(_, word)| self.word(word))?;
                let pieces = &mut self.index.pieces;
                pieces.texts.push(text)?;
                pieces.masks.push(letters(text.as_bytes()));
                pieces.words.push(word_number);
                // A gap longer than that is compared as if it were that long: its word is then no word that begins there.
                pieces.gaps.push(word.map_or(text.len(), |(gap, _)| gap).min(u8::MAX.into()) as u8);
                pieces.firsts.push(is_first);
                let number = (pieces.texts.len() - 1) as u32;
                self.pieces.insert(key, number);
                number
            }
        };
        self.index.piece_numbers.push(number);
        Ok(())
    }

    /// The number of a word in the vocabulary.
    fn word(&mut self, word: &str) -> Result<u32> {
        let folded = word.to_lowercase();
        if let Some(number) = self.words.get(&folded) {
            return Ok(*number);
        }
        let index = &mut self.index;
        let number = index.vocabulary.len() as u32;
        index.vocabulary.push(&folded)?;
        index.vocabulary_masks.push(letters(folded.as_bytes()));
        self.words.insert(folded, number);
        Ok(number)
    }

    /// How many names were added.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True if none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of the names added so far.
    pub fn so_far(&self) -> FuzzyIndex {
        self.index.clone()
    }

    /// The finished index, without memory to spare.
    pub fn build(self) -> FuzzyIndex {
        let Self { mut index, .. } = self;
        let pieces = &mut index.pieces;
        let texts = [
            &mut index.names,
            &mut index.group_names,
            &mut index.group_texts,
            &mut index.label_texts,
            &mut index.vocabulary,
            &mut pieces.texts,
        ];
        texts.into_iter().for_each(super::columns::Texts::shrink);
        for masks in [&mut index.masks, &mut index.initials, &mut index.vocabulary_masks, &mut pieces.masks] {
            masks.shrink_to_fit();
        }
        for numbers in [&mut index.groups, &mut index.labels, &mut index.piece_numbers, &mut index.piece_starts, &mut pieces.words] {
            numbers.shrink_to_fit();
        }
        index.firsts.shrink_to_fit();
        pieces.gaps.shrink_to_fit();
        pieces.firsts.shrink_to_fit();
        index
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
        assert_eq!(index.pieces_of(0).len(), 3);
        assert_eq!(index.pieces_of(0)[0], index.pieces_of(1)[0], "a piece has one number");
    }

    #[test]
    fn the_pieces_of_a_name_are_the_name() {
        let mut builder = FuzzyIndexBuilder::default();
        let names = ["avgOrderValue", "__a--", "last_30d", "ÄrgerÜber", "账户_余额", "", "-", "HTTPServer"];
        names.iter().for_each(|name| builder.name(name).unwrap());
        let index = builder.build();
        for (row, name) in names.iter().enumerate() {
            let whole: String = index.pieces_of(row).iter().map(|piece| index.pieces.texts.get(*piece as usize)).collect();
            assert_eq!(whole, fold_in_place(name));
        }
    }
}
