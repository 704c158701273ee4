//! One query against one name: does it match, and how well by a look alone.
//!
//! A query is words that must all match. A word matches a name that has its letters in order, or one whose group's name
//! contains it. The class says how, best first: whole, start, begin of a word, inside, misspelt by one or two, scattered, group.
//! A query that grows, by a letter or by a word, matches a subset of what it matched before; narrowing rests on that, so no
//! rule here may break it. What is misspelt does break it, and is therefore never narrowed.

use super::columns::{FuzzyIndex, fold_in_place, letter, letters};
use super::spelling::nearest_slips;

/// Words of a query beyond these are not looked at.
const MOST_WORDS: usize = 8;
/// Letters of a word beyond these are not looked at: no name has more.
const MOST_LETTERS: usize = 64;

/// How a word matches a name. Smaller is better.
pub(super) mod class {
    pub(in super::super) const WHOLE: u8 = 0;
    pub(in super::super) const START: u8 = 1;
    pub(in super::super) const WORD: u8 = 2;
    pub(in super::super) const INSIDE: u8 = 3;
    /// Plus one for the second slip.
    pub(in super::super) const MISSPELT: u8 = 4;
    pub(in super::super) const SCATTERED: u8 = 6;
    pub(in super::super) const GROUP: u8 = 7;
}

/// A word of a query.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    mask: u64,
    /// Whether each group's name contains it; empty if none does.
    groups: Vec<bool>,
    /// Slips by which each word of the vocabulary is misspelt, 0 for none; empty until asked for, and if there is none.
    slips: Vec<u8>,
}

/// A parsed query, with what is worked out once for all names.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) words: Vec<Word>,
}

/// The words of a typed text.
pub(super) fn typed_words(text: &str) -> Vec<String> {
    let short = |word: &str| word.chars().take(MOST_LETTERS).collect::<String>();
    text.split_whitespace().take(MOST_WORDS).map(|word| String::from_utf8(fold_in_place(&short(word))).unwrap_or_default()).collect()
}

impl Query {
    pub(super) fn new(text: &str, index: &FuzzyIndex) -> Self {
        Self { words: typed_words(text).into_iter().map(|text| Word::new(text, index)).collect() }
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

    /// The sum of the classes of its words, or none if one of them does not match.
    pub(super) fn class(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        let mut sum = 0;
        for word in &self.words {
            sum += word.class(index, row)?;
        }
        Some(sum)
    }

    /// True if every word stands in the name, or in the group's, as it was typed.
    pub(super) fn is_literal(&self, index: &FuzzyIndex, row: usize) -> bool {
        self.words.iter().all(|word| matches!(word.class(index, row), Some(class::WHOLE..=class::INSIDE | class::GROUP)))
    }
}

impl Word {
    fn new(text: String, index: &FuzzyIndex) -> Self {
        let contains = |group: usize| find(&fold_in_place(index.group_names.get(group)), text.as_bytes()).is_some();
        let groups: Vec<bool> = (0..index.group_names.len()).map(contains).collect();
        let groups = if groups.contains(&true) { groups } else { Vec::new() };
        Self { mask: letters(text.as_bytes()), groups, slips: Vec::new(), text }
    }

    /// How it matches a name or the name of its group.
    fn class(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        let by_name = self.class_of_name(index, row);
        if by_name.is_some_and(|class| class <= class::INSIDE) {
            return by_name;
        }
        if let Some(slips) = self.fewest_slips(index, row) {
            return Some(class::MISSPELT + slips - 1);
        }
        by_name.or_else(|| self.groups.get(index.groups[row] as usize).is_some_and(|has| *has).then_some(class::GROUP))
    }

    fn class_of_name(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        if self.mask & !index.masks[row] != 0 {
            return None;
        }
        if let [only] = self.text.as_bytes() {
            return Some(class_of_letter(*only, index, row));
        }
        let folded = index.folded(row);
        match find_best(index.names.get(row).as_bytes(), folded, self.text.as_bytes()) {
            Some((0, _)) if folded.len() == self.text.len() => Some(class::WHOLE),
            Some((0, _)) => Some(class::START),
            Some((_, true)) => Some(class::WORD),
            Some((_, false)) => Some(class::INSIDE),
            None => is_in_order(&self.text, folded).then_some(class::SCATTERED),
        }
    }

    fn fewest_slips(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        if self.slips.is_empty() {
            return None;
        }
        index.words(row).iter().filter_map(|word| self.slips.get(*word as usize).copied()).filter(|slips| *slips > 0).min()
    }

    /// Where it stands in a name as it was typed, as bytes.
    pub(super) fn place(&self, name: &str, folded: &[u8]) -> Option<std::ops::Range<usize>> {
        let (at, _) = find_best(name.as_bytes(), folded, self.text.as_bytes())?;
        Some(at..at + self.text.len())
    }
}

/// The masks say all there is to know of a single letter.
fn class_of_letter(byte: u8, index: &FuzzyIndex, row: usize) -> u8 {
    if index.first(row) == Some(byte) {
        return if index.length(row) == 1 { class::WHOLE } else { class::START };
    }
    // The bits of the other characters of ASCII are shared, so they say nothing about this one; nobody searches for them alone.
    if letter(byte) & index.initials[row] != 0 { class::WORD } else { class::INSIDE }
}

fn slips(typed: &str, mask: u64, index: &FuzzyIndex) -> Vec<u8> {
    let mut slips = Vec::new();
    for (number, known) in index.vocabulary_masks.iter().enumerate() {
        // Each slip changes at most two letters of the mask: one that goes and one that comes.
        if (mask ^ known).count_ones() > 4 {
            continue;
        }
        if let Some(found) = nearest_slips(typed, index.vocabulary.get(number)) {
            if slips.is_empty() {
                slips = vec![0; index.vocabulary.len()];
            }
            slips[number] = found as u8;
        }
    }
    slips
}

fn find(folded: &[u8], word: &[u8]) -> Option<usize> {
    folded.windows(word.len().max(1)).position(|part| part == word)
}

/// Where a word stands in a name, at the begin of one of its words if possible, and whether it is one.
fn find_best(name: &[u8], folded: &[u8], word: &[u8]) -> Option<(usize, bool)> {
    let (first, rest) = word.split_first()?;
    let last = folded.len().checked_sub(word.len())?;
    let mut inside = None;
    for at in 0..=last {
        if folded[at] == *first && folded[at + 1..at + word.len()] == *rest {
            if begins_word(name, at) {
                return Some((at, true));
            }
            inside = inside.or(Some((at, false)));
        }
    }
    inside
}

fn begins_word(name: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|at| name.get(at)) else { return true };
    let here = name[at];
    !before.is_ascii_alphanumeric() && before.is_ascii()
        || before.is_ascii_digit() != here.is_ascii_digit()
        || before.is_ascii_lowercase() && here.is_ascii_uppercase()
}

/// True if the letters of a word stand in a name in this order.
fn is_in_order(word: &str, folded: &[u8]) -> bool {
    if word.is_ascii() {
        // A byte of ASCII is never part of another character.
        let mut rest = folded.iter();
        return word.bytes().all(|wanted| rest.any(|byte| *byte == wanted));
    }
    let Ok(folded) = std::str::from_utf8(folded) else { return false };
    let mut rest = folded.chars();
    word.chars().all(|wanted| rest.any(|character| character == wanted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::FuzzyIndexBuilder;
    use super::*;

    fn classes(query: &str, names: &[&str]) -> Vec<Option<u8>> {
        let mut builder = FuzzyIndexBuilder::default();
        builder.group("shop-clicks").unwrap();
        names.iter().for_each(|name| builder.name(name).unwrap());
        let index = builder.build();
        let mut query = Query::new(query, &index);
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
        assert_eq!(classes("s", &["s", "sum", "a_sum", "as", "x"]), [Some(0), Some(1), Some(2), Some(3), Some(class::GROUP)]);
    }

    #[test]
    fn every_word_must_match_and_a_word_of_no_letters_matches_all() {
        assert_eq!(classes("loyal score", &["loyalty_score", "loyalty"]), [Some(class::START + class::WORD), None]);
        assert_eq!(classes("", &["a"]), [Some(0)]);
        assert_eq!(classes("余", &["账户_余额", "账户"])[1], None);
    }
}
