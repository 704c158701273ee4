//! Text: the state of a column of texts.
//!
//! As with numbers ([`super::numbers`]), few distinct texts are counted one by one and everything follows from the
//! counts; of many, totals are kept and sketches. A text is told from another by its hash, and shown by its first 128
//! bytes, so a column of documents costs no more than one of words.

use std::collections::HashMap;

use datasketches::frequencies::{ErrorType, FrequentItemsSketch};

use super::canonical;
use super::codec::{Reader, Writer, corrupt, sketch_failed};
use super::distinct::{BuildSpread, DistinctValues};
use super::figures::{Distinct, ParsesAs, TopValue};
use super::lengths::Lengths;
use super::numbers::{COUNTED, FREQUENT, read_frequent};
use crate::model::{EventTime, Result, TimeMode};

/// Most bytes of a text that are shown or counted as frequent.
const SHOWN: usize = 128;
/// Most bytes of all counted texts together, as far as they are shown.
const COUNTED_BYTES: usize = 32 * 1024;

const READS_AS_INTEGER: u8 = 1;
const READS_AS_FLOAT: u8 = 2;
const READS_AS_TIME: u8 = 4;

/// State of a column of texts.
#[derive(Debug, Clone)]
pub(super) struct Texts(State);

#[derive(Debug, Clone)]
enum State {
    /// Every distinct text by its hash, and the bytes of what is shown of them.
    Counted { texts: HashMap<u64, Counted, BuildSpread>, bytes: usize },
    /// More than [`COUNTED`] texts or [`COUNTED_BYTES`].
    Sketched(Box<Sketched>),
}

/// A distinct text.
#[derive(Debug, Clone)]
struct Counted {
    count: u64,
    look: Look,
}

/// What figures need to know of a text.
#[derive(Debug, Clone)]
struct Look {
    shown: Box<str>,
    bytes: u64,
    chars: u64,
    reads_as: u8,
}

#[derive(Debug, Clone)]
struct Sketched {
    totals: TextTotals,
    distinct: DistinctValues,
    frequent: FrequentItemsSketch<String>,
}

/// Figures that the texts themselves give.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextTotals {
    pub(super) empty: u64,
    pub(super) bytes: Lengths,
    pub(super) chars: Lengths,
    pub(super) parses: ParsesAs,
    /// Least and greatest by bytes, as far as they are shown.
    pub(super) bounds: Option<(Box<str>, Box<str>)>,
}

/// How often categories occur, for comparing columns.
#[derive(Debug)]
pub(in crate::statistics) struct Categories {
    /// Bounds of each known category's count.
    pub(in crate::statistics) counts: HashMap<String, (u64, u64)>,
    /// Values in all.
    pub(in crate::statistics) total: u64,
    /// Most that a category that isn't known occurs; 0 where all are known.
    pub(in crate::statistics) unknown: u64,
}

/// The start of a text, cut at a character.
fn shown(text: &str) -> &str {
    let mut end = text.len().min(SHOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What a text reads as.
fn reads_as(text: &str) -> u8 {
    let bytes = text.as_bytes();
    // Every number and time begins so; most texts don't.
    if !bytes.first().is_some_and(|first| first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) || bytes.len() > 400 {
        return 0;
    }
    let numeric = bytes.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    if numeric && text.parse::<f64>().is_ok_and(f64::is_finite) {
        return if text.parse::<i64>().is_ok() { READS_AS_INTEGER | READS_AS_FLOAT } else { READS_AS_FLOAT };
    }
    // Unix seconds in a text are numbers; only what looks like a date is a time.
    let dated = bytes.get(4) == Some(&b'-') && bytes.len() <= 40;
    if dated && EventTime::parse_text(text, TimeMode::Lenient).is_ok() { READS_AS_TIME } else { 0 }
}

impl Look {
    fn at(text: &str) -> Self {
        Self { shown: shown(text).into(), bytes: text.len() as u64, chars: text.chars().count() as u64, reads_as: reads_as(text) }
    }
}

impl TextTotals {
    const NONE: Self =
        Self { empty: 0, bytes: Lengths::NONE, chars: Lengths::NONE, parses: ParsesAs { integer: 0, float: 0, time: 0 }, bounds: None };

    fn add(&mut self, look: &Look, count: u64) {
        self.empty += if look.bytes == 0 { count } else { 0 };
        self.bytes.add(look.bytes, count);
        self.chars.add(look.chars, count);
        let reads = |what: u8| if look.reads_as & what != 0 { count } else { 0 };
        self.parses.integer += reads(READS_AS_INTEGER);
        self.parses.float += reads(READS_AS_FLOAT);
        self.parses.time += reads(READS_AS_TIME);
        self.widen(&look.shown);
    }

    /// Adds a text without copying it.
    fn add_text(&mut self, text: &str, count: u64) {
        self.empty += if text.is_empty() { count } else { 0 };
        self.bytes.add(text.len() as u64, count);
        self.chars.add(text.chars().count() as u64, count);
        let reads_as = reads_as(text);
        if reads_as != 0 {
            let reads = |what: u8| if reads_as & what != 0 { count } else { 0 };
            self.parses.integer += reads(READS_AS_INTEGER);
            self.parses.float += reads(READS_AS_FLOAT);
            self.parses.time += reads(READS_AS_TIME);
        }
        self.widen(shown(text));
    }

    /// Cutting keeps the order, so the least of the cut texts is the cut least text.
    fn widen(&mut self, text: &str) {
        match &mut self.bounds {
            None => self.bounds = Some((text.into(), text.into())),
            Some((least, greatest)) => {
                if text < &**least {
                    *least = text.into();
                }
                if text > &**greatest {
                    *greatest = text.into();
                }
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.empty += other.empty;
        self.bytes.merge(&other.bytes);
        self.chars.merge(&other.chars);
        self.parses.integer += other.parses.integer;
        self.parses.float += other.parses.float;
        self.parses.time += other.parses.time;
        if let Some((least, greatest)) = &other.bounds {
            self.widen(least);
            self.widen(greatest);
        }
    }
}

impl Texts {
    pub(super) fn new() -> Self {
        Self(State::Counted { texts: HashMap::default(), bytes: 0 })
    }

    /// Adds a text `count` times.
    pub(super) fn add(&mut self, text: &str, count: u64) -> Result<()> {
        match &mut self.0 {
            State::Counted { texts, bytes } => {
                let known = texts.entry(canonical::of_text(text)).or_insert_with(|| {
                    let look = Look::at(text);
                    *bytes += look.shown.len();
                    Counted { count: 0, look }
                });
                known.count += count;
                self.sketch_if_many()
            }
            State::Sketched(sketched) => {
                sketched.totals.add_text(text, count);
                sketched.distinct.extend(std::iter::once(canonical::of_text(text)));
                sketched.frequent.update_with_count_ref(shown(text), count);
                Ok(())
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        match (&mut self.0, &other.0) {
            (State::Counted { texts, bytes }, State::Counted { texts: theirs, .. }) => {
                for (hash, text) in theirs {
                    let known = texts.entry(*hash).or_insert_with(|| {
                        *bytes += text.look.shown.len();
                        Counted { count: 0, look: text.look.clone() }
                    });
                    known.count += text.count;
                }
                self.sketch_if_many()
            }
            (State::Sketched(ours), State::Counted { texts, .. }) => {
                ours.extend_counted(texts);
                Ok(())
            }
            (State::Sketched(ours), State::Sketched(theirs)) => {
                ours.totals.merge(&theirs.totals);
                ours.frequent.merge(&theirs.frequent);
                ours.distinct.merge(&theirs.distinct);
                Ok(())
            }
            (State::Counted { texts, .. }, State::Sketched(theirs)) => {
                let mut sketched = theirs.clone();
                sketched.extend_counted(texts);
                self.0 = State::Sketched(sketched);
                Ok(())
            }
        }
    }

    fn sketch_if_many(&mut self) -> Result<()> {
        if let State::Counted { texts, bytes } = &self.0
            && (texts.len() > COUNTED || *bytes > COUNTED_BYTES)
        {
            let mut sketched = Sketched {
                totals: TextTotals::NONE,
                distinct: DistinctValues::new(),
                frequent: FrequentItemsSketch::new(FREQUENT).map_err(sketch_failed)?,
            };
            sketched.extend_counted(texts);
            self.0 = State::Sketched(Box::new(sketched));
        }
        Ok(())
    }

    /// True while every text is counted.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self.0, State::Counted { .. })
    }

    pub(super) fn distinct(&self) -> Distinct {
        match &self.0 {
            State::Counted { texts, .. } => {
                let count = texts.len() as f64;
                Distinct { estimate: count, low: count, high: count, exact: true }
            }
            State::Sketched(sketched) => sketched.distinct.figures(),
        }
    }

    pub(super) fn totals(&self) -> TextTotals {
        match &self.0 {
            State::Counted { texts, .. } => {
                let mut totals = TextTotals::NONE;
                texts.values().for_each(|text| totals.add(&text.look, text.count));
                totals
            }
            State::Sketched(sketched) => sketched.totals.clone(),
        }
    }

    /// Counts of all distinct texts; none where they aren't counted.
    pub(super) fn counts(&self) -> Option<Vec<u64>> {
        let State::Counted { texts, .. } = &self.0 else { return None };
        let mut counts: Vec<u64> = texts.values().map(|text| text.count).collect();
        counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
        Some(counts)
    }

    /// The most frequent texts; empty where none stands out.
    pub(super) fn top(&self, k: usize) -> Vec<TopValue> {
        let mut top: Vec<TopValue> = match &self.0 {
            State::Counted { texts, .. } => {
                let value = |text: &Counted| TopValue { value: text.look.shown.to_string(), low: text.count, high: text.count };
                texts.values().map(value).collect()
            }
            State::Sketched(sketched) => {
                let rows = sketched.frequent.frequent_items(ErrorType::NoFalsePositives);
                rows.iter().map(|row| TopValue { value: row.item().clone(), low: row.lower_bound(), high: row.upper_bound() }).collect()
            }
        };
        top.sort_unstable_by(|a, b| b.low.cmp(&a.low).then_with(|| a.value.cmp(&b.value)));
        top.truncate(k);
        top
    }

    pub(super) fn categories(&self) -> Categories {
        let mut counts: HashMap<String, (u64, u64)> = HashMap::new();
        match &self.0 {
            State::Counted { texts, .. } => {
                for text in texts.values() {
                    // Long texts that begin alike are one category, as they are in the sketch.
                    let known = counts.entry(text.look.shown.to_string()).or_default();
                    *known = (known.0 + text.count, known.1 + text.count);
                }
                Categories { counts, total: texts.values().map(|text| text.count).sum(), unknown: 0 }
            }
            State::Sketched(sketched) => {
                for row in sketched.frequent.frequent_items_with_threshold(ErrorType::NoFalseNegatives, 0) {
                    counts.insert(row.item().clone(), (row.lower_bound(), row.upper_bound()));
                }
                Categories { counts, total: sketched.totals.bytes.n(), unknown: sketched.frequent.maximum_error() }
            }
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match &self.0 {
            State::Counted { texts, .. } => {
                let mut texts: Vec<_> = texts.iter().collect();
                texts.sort_unstable_by_key(|(hash, _)| **hash);
                out.byte(0);
                out.length(texts.len());
                for (hash, text) in texts {
                    [*hash, text.count, text.look.bytes, text.look.chars].into_iter().for_each(|number| out.number(number));
                    out.byte(text.look.reads_as);
                    out.block(text.look.shown.as_bytes());
                }
            }
            State::Sketched(sketched) => {
                out.byte(1);
                sketched.write(out);
            }
        }
    }

    /// Reads the state of a column with `values` values.
    pub(super) fn read(input: &mut Reader<'_>, values: u64) -> Result<Self> {
        match input.byte()? {
            0 => {
                let length = input.length(37)?;
                let (mut texts, mut bytes, mut total) = (HashMap::default(), 0, 0u64);
                for _ in 0..length {
                    let (hash, count, text_bytes, chars) = (input.number()?, input.number()?, input.number()?, input.number()?);
                    let (reads_as, shown) = (input.byte()?, input.text()?);
                    bytes += shown.len();
                    total = total.saturating_add(count);
                    let look = Look { shown: shown.into(), bytes: text_bytes, chars, reads_as };
                    if count == 0 || shown.len() > SHOWN || texts.insert(hash, Counted { count, look }).is_some() {
                        return Err(corrupt("a text is counted wrong"));
                    }
                }
                if total != values || length > COUNTED || bytes > COUNTED_BYTES {
                    return Err(corrupt("counts don't add up"));
                }
                Ok(Self(State::Counted { texts, bytes }))
            }
            1 => Ok(Self(State::Sketched(Box::new(Sketched::read(input, values)?)))),
            _ => Err(corrupt("an unknown form of texts")),
        }
    }
}

impl Sketched {
    fn extend_counted(&mut self, texts: &HashMap<u64, Counted, BuildSpread>) {
        for text in texts.values() {
            self.totals.add(&text.look, text.count);
            self.frequent.update_with_count_ref(&*text.look.shown, text.count);
        }
        self.distinct.extend(texts.keys().copied());
    }

    fn write(&self, out: &mut Writer) {
        let TextTotals { empty, bytes, chars, parses, bounds } = &self.totals;
        [*empty, parses.integer, parses.float, parses.time].into_iter().for_each(|number| out.number(number));
        bytes.write(out);
        chars.write(out);
        let (least, greatest) = bounds.as_ref().map_or(("", ""), |(least, greatest)| (&**least, &**greatest));
        out.block(least.as_bytes());
        out.block(greatest.as_bytes());
        out.block(&self.frequent.serialize());
        self.distinct.write(out);
    }

    fn read(input: &mut Reader<'_>, values: u64) -> Result<Self> {
        let empty = input.number()?;
        let parses = ParsesAs { integer: input.number()?, float: input.number()?, time: input.number()? };
        if [empty, parses.integer, parses.float, parses.time].iter().any(|count| *count > values) {
            return Err(corrupt("counts don't add up"));
        }
        let (bytes, chars) = (Lengths::read(input)?, Lengths::read(input)?);
        let bounds = (shown(input.text()?).into(), shown(input.text()?).into());
        if bytes.n() != values || chars.n() != values || bounds.0 > bounds.1 {
            return Err(corrupt("counts don't add up"));
        }
        let totals = TextTotals { empty, bytes, chars, parses, bounds: Some(bounds) };
        let frequent = read_frequent(input.block()?, values)?;
        Ok(Self { totals, distinct: DistinctValues::read(input)?, frequent })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_read_as_numbers_and_times() {
        let all = READS_AS_INTEGER | READS_AS_FLOAT;
        for (text, reads) in [
            ("42", all),
            ("-7", all),
            ("+7", all),
            ("9223372036854775808", READS_AS_FLOAT),
            ("1e5", READS_AS_FLOAT),
            (".5", READS_AS_FLOAT),
            ("1e999", 0),
            ("NaN", 0),
            ("inf", 0),
            ("", 0),
            ("-", 0),
            ("1,5", 0),
            ("12 apples", 0),
            ("2026-11-23", READS_AS_TIME),
            ("2026-11-23T09:30:00Z", READS_AS_TIME),
            ("2026-11-23 09:30:00+02:00", READS_AS_TIME),
            ("2026-13-23", 0),
            ("1763890200", all),
        ] {
            assert_eq!(reads_as(text), reads, "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character_and_told_apart() {
        let long = "é".repeat(100);
        assert_eq!(shown(&long).len(), 128);
        assert_eq!(shown(&format!("a{long}")).len(), 127);
        let mut texts = Texts::new();
        texts.add(&format!("{long}a"), 2).unwrap();
        texts.add(&format!("{long}b"), 1).unwrap();
        assert_eq!(texts.distinct().estimate, 2.0);
        assert_eq!(texts.top(9).iter().map(|top| top.low).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(texts.categories().counts.values().copied().collect::<Vec<_>>(), [(3, 3)]);
        assert_eq!(texts.totals().bytes.figures().unwrap().max, 201);
    }

    #[test]
    fn the_room_for_counted_texts_is_limited() {
        let mut texts = Texts::new();
        for number in 0..300 {
            texts.add(&format!("{number:0>200}"), 1).unwrap();
        }
        assert!(!texts.is_exact());
        let mut short = Texts::new();
        for number in 0..300 {
            short.add(&number.to_string(), 1).unwrap();
        }
        assert!(short.is_exact());
    }
}
