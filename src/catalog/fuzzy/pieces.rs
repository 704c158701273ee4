//! A word of a query against every piece of the names, so that a name is matched by looking its pieces up.
//!
//! Two questions are asked of a name: where does the word stand in it as it was typed, and are its letters in order. Both are automata
//! over the name's bytes whose states are "so many letters found"; what a piece does to every state is worked out once for each piece, and a
//! name is then as many steps as it has pieces.

use super::columns::FuzzyIndex;
use super::matching::class;

/// Where an occurrence begins, best first.
const START: usize = 0;
const WORD: usize = 1;
const INSIDE: usize = 2;

/// What a piece means for an occurrence that goes beyond it. Bit `l` of a set stands for "`l` bytes of the word so far".
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    /// Occurrences that begin in it and reach its end, by where they begin.
    begins: [u64; 3],
    /// Those that it is all the next bytes of.
    goes_on: u64,
    /// Those that end in it.
    ends: u64,
    /// Its bytes.
    bytes: u32,
}

/// What the pieces mean for one word.
#[derive(Debug, Default)]
pub(super) struct PieceTable {
    /// For each piece `1 << shift` bytes: letters of the word found after it, for each number found before it; and in the last of them whether
    /// it has the whole word in it, and where, one bit for each of the three. One table, because a name is a look-up in it for each piece.
    steps: Vec<u8>,
    shift: u32,
    /// Empty unless some piece can begin an occurrence that another one ends.
    spans: Vec<Span>,
    letters: usize,
    bytes: usize,
}

impl PieceTable {
    pub(super) fn new(word: &str, index: &FuzzyIndex) -> Self {
        let pieces = &index.pieces;
        let letters: Vec<char> = word.chars().collect();
        let width = letters.len() + 1;
        let mask = super::columns::letters(word.as_bytes());
        let shift = (width + 1).next_power_of_two().trailing_zeros();
        let untouched: Vec<u8> = (0..1 << shift).map(|found| if found < width { found as u8 } else { 0 }).collect();
        let mut table =
            Self { steps: untouched.repeat(pieces.masks.len()), shift, spans: Vec::new(), letters: letters.len(), bytes: word.len() };
        let (mut begins, mut ends) = (false, false);
        let mut spans = Vec::new();
        for (number, of_piece) in pieces.masks.iter().enumerate().filter(|(_, of_piece)| **of_piece & mask != 0) {
            let text = pieces.texts.get(number);
            let place = Place { first: pieces.firsts[number], gap: usize::from(pieces.gaps[number]) };
            let steps = &mut table.steps[number << shift..(number + 1) << shift];
            (0..width).for_each(|found| steps[found] = step(text, &letters, found));
            if let (0, Some(inside)) = (mask & !of_piece, steps.last_mut()) {
                *inside = whole_inside(text.as_bytes(), word.as_bytes(), place);
            }
            let span = span(text.as_bytes(), word.as_bytes(), place);
            begins |= span.begins != [0; 3];
            ends |= span.ends != 0;
            if span.begins != [0; 3] || span.ends != 0 || span.goes_on != 0 {
                spans.push((number, span));
            }
        }
        if begins && ends {
            table.spans = vec![Span::default(); pieces.masks.len()];
            spans.into_iter().for_each(|(number, span)| table.spans[number] = span);
        }
        table
    }

    /// How the word matches a name by its letters alone.
    pub(super) fn class(&self, index: &FuzzyIndex, row: usize) -> Option<u8> {
        let pieces = index.pieces_of(row);
        let last = (1 << self.shift) - 1;
        let mut places = pieces.iter().fold(0, |places, piece| places | self.steps[((*piece as usize) << self.shift) + last]);
        if places == 0
            && pieces.iter().fold(0, |found, piece| self.steps[((*piece as usize) << self.shift) + usize::from(found)]) < self.letters as u8
        {
            return None;
        }
        if !self.spans.is_empty() && places & 1 == 0 {
            places |= self.across(pieces);
        }
        Some(match places {
            0 => class::SCATTERED,
            places if places >> START & 1 == 1 && index.length(row) == self.bytes => class::WHOLE,
            places if places >> START & 1 == 1 => class::START,
            places if places >> WORD & 1 == 1 => class::WORD,
            _ => class::INSIDE,
        })
    }

    /// Where occurrences begin that go over more than one piece.
    fn across(&self, pieces: &[u32]) -> u8 {
        let mut under_way = [0_u64; 3];
        let mut places = 0;
        for piece in pieces {
            let span = &self.spans[*piece as usize];
            for (place, so_far) in under_way.iter_mut().enumerate() {
                places |= u8::from(*so_far & span.ends != 0) << place;
                let on = (*so_far & span.goes_on).checked_shl(span.bytes).unwrap_or(0);
                *so_far = on | span.begins[place];
            }
        }
        places
    }
}

/// What is known of where a piece stands.
#[derive(Clone, Copy)]
struct Place {
    first: bool,
    gap: usize,
}

impl Place {
    /// What an occurrence is that begins at a byte of the piece.
    fn of(self, at: usize) -> usize {
        match at {
            0 if self.first => START,
            at if at == self.gap => WORD,
            _ => INSIDE,
        }
    }
}

fn whole_inside(piece: &[u8], word: &[u8], place: Place) -> u8 {
    if piece.len() < word.len() {
        return 0;
    }
    (0..=piece.len() - word.len()).filter(|at| piece[*at..].starts_with(word)).fold(0, |places, at| places | 1 << place.of(at))
}

fn span(piece: &[u8], word: &[u8], place: Place) -> Span {
    let mut span = Span { bytes: piece.len().min(u8::MAX.into()) as u32, ..Span::default() };
    for so_far in 1..word.len() {
        if so_far <= piece.len() && piece.ends_with(&word[..so_far]) {
            span.begins[place.of(piece.len() - so_far)] |= 1 << so_far;
        }
        // A piece that begins names follows none.
        let rest = &word[so_far..];
        if !place.first && piece.first() == rest.first() {
            if piece.starts_with(rest) {
                span.ends |= 1 << so_far;
            } else if rest.starts_with(piece) {
                span.goes_on |= 1 << so_far;
            }
        }
    }
    span
}

/// Letters found in their order after a piece, if so many were found before it.
fn step(piece: &str, letters: &[char], found: usize) -> u8 {
    let mut found = found;
    for character in piece.chars() {
        if letters.get(found) == Some(&character) {
            found += 1;
        }
    }
    found as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::FuzzyIndexBuilder;
    use super::super::columns::fold_in_place;
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// By the letters, without pieces.
    fn slow(name: &str, word: &str) -> Option<u8> {
        let folded = fold_in_place(name);
        let starts: Vec<usize> = crate::catalog::search::words::words(name).map(|(at, _)| at).collect();
        let begins: Vec<usize> = (0..folded.len()).filter(|at| folded.as_bytes()[*at..].starts_with(word.as_bytes())).collect();
        let mut rest = folded.chars();
        match begins.first() {
            Some(0) if folded.len() == word.len() => Some(class::WHOLE),
            Some(0) => Some(class::START),
            Some(_) if begins.iter().any(|at| starts.contains(at)) => Some(class::WORD),
            Some(_) => Some(class::INSIDE),
            None => word.chars().all(|wanted| rest.any(|letter| letter == wanted)).then_some(class::SCATTERED),
        }
    }

    #[test]
    fn pieces_say_what_the_letters_say() {
        let mut random = StdRng::seed_from_u64(7);
        let mut text = |alphabet: &[&str], most: usize| -> String {
            (0..random.random_range(0..most)).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect()
        };
        let names: Vec<String> = (0..3_000).map(|_| text(&["a", "b", "A", "B", "_", "-", "1", "ä", "余"], 9)).collect();
        let mut builder = FuzzyIndexBuilder::default();
        names.iter().for_each(|name| builder.name(name).unwrap());
        let index = builder.build();
        for _ in 0..300 {
            let word = text(&["a", "b", "_", "-", "1", "ä", "余"], 6);
            if word.is_empty() {
                continue;
            }
            let table = PieceTable::new(&word, &index);
            for (row, name) in names.iter().enumerate() {
                assert_eq!(table.class(&index, row), slow(name, &word), "{word} in {name}");
            }
        }
    }
}
