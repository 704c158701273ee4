//! One query against one name: does it match, and how well by a look alone.
//!
//! A query is words that must all match. A word matches a name that has its letters in order, or one whose group or label contains it, or
//! one that is found by something further (a description). The class says how, best first: whole, start, begin of a word, inside, misspelt
//! by one or two, group, scattered, further. A query that grows, by a letter or by a word, matches a subset of what it matched before;
//! narrowing rests on that, so no rule here may break it. What is misspelt does break it, and is therefore never narrowed.

use super::bits::Bits;
use super::columns::{FuzzyIndex, Texts, fold_in_place, letter, letters};
use super::pieces::PieceTable;
use super::spelling::nearest_slips;

/// Words of a query beyond these are not looked at.
const MOST_WORDS: usize = 8;
/// Bytes of a word beyond these are not looked at: no name has more.
pub(super) const MOST_BYTES: usize = 64;

/// How a word matches a name. Smaller is better.
pub(super) mod class {
    pub(in super::super) const WHOLE: u8 = 0;
    pub(in super::super) const START: u8 = 1;
    pub(in super::super) const WORD: u8 = 2;
    pub(in super::super) const INSIDE: u8 = 3;
    /// Plus one for the second slip.
    pub(in super::super) const MISSPELT: u8 = 4;
    pub(in super::super) const GROUP: u8 = 6;
    pub(in super::super) const SCATTERED: u8 = 7;
    pub(in super::super) const FURTHER: u8 = 8;
}

/// A word of a query, with what is worked out once for all names.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    mask: u64,
    pieces: PieceTable,
    /// Whether each group's text contains it; empty if none does.
    groups: Vec<bool>,
    /// The same of labels.
    labels: Vec<bool>,
    /// Slips by which the word of each piece is misspelt, 0 for none; empty until asked for, and if there is none.
    slips: Vec<u8>,
    /// Names that are found by something further; none until asked for.
    further: Option<Bits>,
}

/// A parsed query.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) words: Vec<Word>,
}

/// The words of a typed text.
pub(super) fn typed_words(text: &str) -> Vec<String> {
    text.split_whitespace().take(MOST_WORDS).map(|word| fold_in_place(cut(word))).collect()
}

fn cut(word: &str) -> &str {
    let mut end = word.len().min(MOST_BYTES);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

impl Query {
    pub(super) fn new(typed: &[String], index: &FuzzyIndex) -> Self {
        Self { words: typed.iter().map(|text| Word::new(text.clone(), index)).collect() }
    }

    /// Looks the words up among those that are nearly the same; false if no word of any name is near one of them.
    pub(super) fn forgive(&mut self, index: &FuzzyIndex) -> bool {
        let mut any = false;
        for word in &mut self.words {
            word.slips = slips(&word.text, word.mask, index);
            any |= !word.slips.is_empty();
        }
        any
    }

    /// Lets the words match further; false if that adds nothing.
    pub(super) fn look_further(&mut self, mut find: impl FnMut(&str) -> Bits) -> bool {
        let mut any = false;
        for word in &mut self.words {
            let found = find(&word.text);
            any |= found.count() > 0;
            word.further = Some(found);
        }
        any
    }

    /// The sum of the classes of its words; none if one of them does not match.
    pub(super) fn class(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        let mut sum = 0;
        for word in &self.words {
            sum += word.class(index, row)?;
        }
        Some(sum)
    }

    /// True if a word of the name is a misspelt one: only such names match by being forgiven.
    pub(super) fn is_forgiven(&self, index: &FuzzyIndex, row: usize) -> bool {
        self.words.iter().any(|word| word.fewest_slips(index, row).is_some())
    }

    /// Letters that a name must have to match at all.
    pub(super) fn required(&self) -> u64 {
        let by_name_only =
            |word: &&Word| word.groups.is_empty() && word.labels.is_empty() && word.slips.is_empty() && word.further.is_none();
        self.words.iter().filter(by_name_only).fold(0, |mask, word| mask | word.mask)
    }

    /// True if every word stands in the name, or in the group's, as it was typed.
    pub(super) fn is_literal(&self, index: &FuzzyIndex, row: usize) -> bool {
        self.words.iter().all(|word| matches!(word.class(index, row), Some(class::WHOLE..=class::INSIDE | class::GROUP)))
    }
}

impl Word {
    fn new(text: String, index: &FuzzyIndex) -> Self {
        let groups = containing(&index.group_texts, &text);
        let labels = containing(&index.label_texts, &text);
        let pieces = if text.len() > 1 { PieceTable::new(&text, index) } else { PieceTable::default() };
        Self { mask: letters(text.as_bytes()), pieces, groups, labels, slips: Vec::new(), further: None, text }
    }

    /// How it matches a name, or what else the name is found by.
    fn class(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        let by_name = self.class_of_name(index, row);
        if by_name.is_some_and(|class| class <= class::INSIDE) {
            return by_name;
        }
        if let Some(slips) = self.fewest_slips(index, row) {
            return Some(class::MISSPELT + slips - 1);
        }
        let has = |found: &[bool], number: usize| found.get(number).copied().unwrap_or(false);
        if has(&self.groups, index.groups[row] as usize) || !self.labels.is_empty() && has(&self.labels, index.label(row)) {
            return Some(class::GROUP);
        }
        by_name.or_else(|| self.further.as_ref().is_some_and(|rows| rows.has(row)).then_some(class::FURTHER))
    }

    fn class_of_name(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        if self.mask & !index.masks[row] != 0 {
            return None;
        }
        match self.text.as_bytes() {
            [only] => Some(class_of_letter(*only, index, row)),
            _ => self.pieces.class(index, row),
        }
    }

    fn fewest_slips(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        if self.slips.is_empty() {
            return None;
        }
        index.pieces_of(row).iter().map(|piece| self.slips[*piece as usize]).filter(|slips| *slips > 0).min()
    }
}

/// The masks say all there is to know of a single letter.
fn class_of_letter(byte: u8, index: &FuzzyIndex, row: usize) -> u8 {
    if index.firsts[row] == byte {
        return if index.length(row) == 1 { class::WHOLE } else { class::START };
    }
    // The bits of the other characters of ASCII are shared, so they say nothing about this one; nobody searches for them alone.
    if letter(byte) & index.initials[row] != 0 { class::WORD } else { class::INSIDE }
}

/// Which of some texts in lower case contain a word; empty if none does. Each text ends with a line, and no word has an end of a line in it.
fn containing(texts: &Texts, word: &str) -> Vec<bool> {
    let mut found = Vec::new();
    let mut number = 0;
    // All at once: most words stand in few of them, and one long run is searched far faster than many short ones.
    for (at, _) in texts.all().match_indices(word) {
        while texts.start(number + 1) <= at {
            number += 1;
        }
        if found.is_empty() {
            found = vec![false; texts.len()];
        }
        found[number] = true;
    }
    found
}

impl FuzzyIndex {
    /// Rows that a word in lower case stands in as it is: in the name, the group's text, or the label.
    pub fn containing(&self, word: &str) -> Bits {
        let word = Word::new(cut(word).to_owned(), self);
        let is_literal = |row: &usize| matches!(word.class(self, *row), Some(class::WHOLE..=class::INSIDE | class::GROUP));
        let mut rows = Bits::none(self.len());
        (0..self.len()).filter(is_literal).for_each(|row| rows.put(row));
        rows
    }
}

fn slips(typed: &str, mask: u64, index: &FuzzyIndex) -> Vec<u8> {
    let mut of_words = Vec::new();
    for (number, known) in index.vocabulary_masks.iter().enumerate() {
        // Each slip changes at most two letters of the mask: one that goes and one that comes.
        if (mask ^ known).count_ones() > 4 {
            continue;
        }
        if let Some(found) = nearest_slips(typed, index.vocabulary.get(number)) {
            if of_words.is_empty() {
                of_words = vec![0; index.vocabulary.len()];
            }
            of_words[number] = found as u8;
        }
    }
    if of_words.is_empty() {
        return of_words;
    }
    index.pieces.words.iter().map(|word| of_words.get(*word as usize).copied().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::FuzzyIndexBuilder;
    use super::*;

    fn classes(query: &str, names: &[&str]) -> Vec<Option<u8>> {
        let mut builder = FuzzyIndexBuilder::default();
        builder.group_found_by("shop-clicks", "team:growth").unwrap();
        let pii = builder.label("pii yes").unwrap();
        names.iter().for_each(|name| builder.labelled(name, if name.starts_with("pii_") { pii } else { 0 }).unwrap());
        let index = builder.build();
        let mut query = Query::new(&typed_words(query), &index);
        query.forgive(&index);
        (0..names.len()).map(|row| query.class(&index, row)).collect()
    }

    #[test]
    fn each_way_of_matching_has_its_class() {
        let names = ["score", "score_7d", "loyaltyScore", "underscored", "scre", "s_c_o_r_x_e", "other"];
        let found = classes("Score", &names);
        let expected = [class::WHOLE, class::START, class::WORD, class::INSIDE, class::MISSPELT, class::SCATTERED];
        assert_eq!(found[..6], expected.map(Some));
        assert_eq!(found[6], None);
        assert_eq!(classes("CLICK", &["other"]), [Some(class::GROUP)]);
        assert_eq!(classes("growth", &["other"]), [Some(class::GROUP)]);
        assert_eq!(classes("yes", &["other", "pii_mail"]), [None, Some(class::GROUP)]);
        assert_eq!(classes("s", &["s", "sum", "a_sum", "as", "x"]), [Some(0), Some(1), Some(2), Some(3), Some(class::GROUP)]);
    }

    #[test]
    fn every_word_must_match_and_a_word_of_no_letters_matches_all() {
        assert_eq!(classes("loyal score", &["loyalty_score", "loyalty"]), [Some(class::START + class::WORD), None]);
        assert_eq!(classes("", &["a"]), [Some(0)]);
        assert_eq!(classes("余", &["账户_余额", "账户"])[1], None);
    }

    #[test]
    fn a_text_contains_a_word_only_within_itself() {
        let mut texts = Texts::default();
        ["\n", "ab\n", "ca\n", "b\n", "\n", "abab\n"].iter().for_each(|text| texts.push(text).unwrap());
        assert_eq!(containing(&texts, "ab"), [false, true, false, false, false, true]);
        assert_eq!(containing(&texts, "zz"), Vec::<bool>::new());
        assert_eq!(containing(&Texts::default(), "a"), Vec::<bool>::new());
    }
}
