//! Record identifiers as the join knows them: read from a column of any fitting type, and numbered densely.
//!
//! A group's identifiers are text, whole numbers or doubles, as its schema says; the column that holds them, in a spine
//! or in somebody else's files, may have any type of that kind. Two identifiers are the same here exactly if the online
//! store has one record for them: text by its bytes, numbers by their value (`7` is `007` is `7.0` in a Fractional, and
//! −0 is 0).
//!
//! Text of up to twelve bytes, which is most identifiers, is a string view of its own: one 128-bit number that is hashed
//! and compared without touching the text. Numbers are hashed with a random seed, so that nobody can choose identifiers
//! that collide.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use foldhash::fast::RandomState;

use crate::backend::offline::Bound;
use crate::model::{FeatureType, Schema};

/// Longest text that a string view holds in itself.
const MAX_INLINE: usize = 12;

/// Stands for "no identifier of the spine".
pub(super) const NONE: u32 = u32::MAX;

/// What the identifiers of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdentifierKind {
    Text,
    Integral,
    Fractional,
}

impl IdentifierKind {
    /// The kind of a group's identifiers.
    pub(super) fn of(schema: &Schema) -> Self {
        match schema.identifier().feature_type {
            FeatureType::String => Self::Text,
            FeatureType::Integral => Self::Integral,
            FeatureType::Fractional => Self::Fractional,
        }
    }

    /// Whether a column of this type can hold such identifiers.
    pub(super) fn accepts(self, data_type: &DataType) -> bool {
        match (self, data_type) {
            (_, DataType::Null) => true,
            (Self::Text, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => true,
            (_, DataType::Dictionary(_, values)) => self.accepts(values),
            (Self::Text, _) => false,
            (Self::Integral | Self::Fractional, kind) => kind.is_integer() || kind.is_floating() || kind.is_decimal(),
        }
    }

    /// What people call it.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integral => "whole numbers",
            Self::Fractional => "numbers",
        }
    }

    /// The type in which a column of files is best read; `is_dictionary` says that all its pages refer to a dictionary.
    pub(super) fn read_as(self, found: &DataType, is_dictionary: bool) -> DataType {
        match (self, found) {
            // Each text of the dictionary is then looked up once, not each row.
            (Self::Text, DataType::Utf8) if is_dictionary => dictionary_of_text(),
            // Views of short text cost no copy, whatever the encoding of the file.
            (Self::Text, DataType::Utf8 | DataType::LargeUtf8) => DataType::Utf8View,
            _ => found.clone(),
        }
    }

    /// Reads a column that [`Self::accepts`].
    pub(super) fn read(self, column: &ArrayRef) -> Result<Identifiers, ArrowError> {
        Ok(match self {
            Self::Text if matches!(column.data_type(), DataType::Dictionary(..)) => {
                let column = cast(column, &dictionary_of_text())?;
                let column = column.as_dictionary::<Int32Type>();
                let values = column.values().as_string::<i32>().clone();
                Identifiers::Dictionary { keys: column.keys().clone(), values }
            }
            Self::Text => Identifiers::Text(cast(column, &DataType::Utf8View)?.as_string_view().clone()),
            Self::Integral if is_fractional(column.data_type()) => {
                // What pandas makes of whole numbers with gaps. A fraction is nobody's identifier.
                let numbers = cast(column, &DataType::Float64)?;
                Identifiers::Integral(numbers.as_primitive::<Float64Type>().iter().map(|number| number.and_then(whole)).collect())
            }
            Self::Integral => Identifiers::Integral(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            Self::Fractional => Identifiers::Fractional(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone()),
        })
    }
}

fn dictionary_of_text() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn is_fractional(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_fractional(values),
        other => other.is_floating() || other.is_decimal(),
    }
}

fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    fits.then_some(number as i64)
}

/// A column of identifiers.
#[derive(Debug, Clone)]
pub(super) enum Identifiers {
    Text(StringViewArray),
    /// Text by reference.
    Dictionary {
        keys: Int32Array,
        values: StringArray,
    },
    Integral(Int64Array),
    Fractional(Float64Array),
}

/// The bits of a double, one pattern for each number.
fn canonical_bits(number: f64) -> u64 {
    if number == 0.0 { 0 } else { number.to_bits() }
}

impl Identifiers {
    fn kind(&self) -> IdentifierKind {
        match self {
            Self::Text(_) | Self::Dictionary { .. } => IdentifierKind::Text,
            Self::Integral(_) => IdentifierKind::Integral,
            Self::Fractional(_) => IdentifierKind::Fractional,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(column) => column.len(),
            Self::Dictionary { keys, .. } => keys.len(),
            Self::Integral(column) => column.len(),
            Self::Fractional(column) => column.len(),
        }
    }

    /// A row's identifier as files' bounds have it; none for null.
    #[cfg(feature = "cluster")]
    pub(super) fn bound(&self, row: usize) -> Option<Bound> {
        match self {
            Self::Text(column) => column.is_valid(row).then(|| Bound::Text(column.value(row).to_owned())),
            Self::Dictionary { keys, values } => {
                let key = keys.is_valid(row).then(|| keys.value(row) as usize)?;
                values.is_valid(key).then(|| Bound::Text(values.value(key).to_owned()))
            }
            Self::Integral(column) => column.is_valid(row).then(|| Bound::Int(column.value(row))),
            Self::Fractional(column) => column.is_valid(row).then(|| Bound::Float(column.value(row))),
        }
    }

    /// A hash of each row's identifier, the same for the same identifier in every column; none for null. Decides which
    /// part of a spilled join a row belongs to.
    pub(super) fn hash(&self, row: usize) -> Option<u64> {
        let hash = xxhash_rust::xxh3::xxh3_64;
        match self {
            Self::Text(column) => column.is_valid(row).then(|| hash(column.value(row).as_bytes())),
            Self::Dictionary { keys, values } => {
                let key = keys.is_valid(row).then(|| keys.value(row) as usize)?;
                values.is_valid(key).then(|| hash(values.value(key).as_bytes()))
            }
            Self::Integral(column) => column.is_valid(row).then(|| hash(&column.value(row).to_le_bytes())),
            Self::Fractional(column) => column.is_valid(row).then(|| hash(&canonical_bits(column.value(row)).to_le_bytes())),
        }
    }
}

/// The text of a view that holds it in itself: length in the low four bytes, then the text.
fn inline_text(view: u128) -> String {
    let bytes = view.to_le_bytes();
    let length = (view as u32 as usize).min(MAX_INLINE);
    String::from_utf8_lossy(&bytes[4..4 + length]).into_owned()
}

/// The identifiers of a spine, numbered from 0 in the order in which they were first seen.
#[derive(Debug)]
pub(super) struct IdentifierTable {
    kind: IdentifierKind,
    inline: HashMap<u128, u32, RandomState>,
    long: HashMap<Box<str>, u32, RandomState>,
    numbers: HashMap<u64, u32, RandomState>,
    count: u32,
}

impl IdentifierTable {
    pub(super) fn new(kind: IdentifierKind) -> Self {
        Self { kind, inline: HashMap::default(), long: HashMap::default(), numbers: HashMap::default(), count: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    /// The identifiers, in no order.
    pub(super) fn bounds(&self) -> impl Iterator<Item = Bound> {
        let inline = self.inline.keys().map(|view| Bound::Text(inline_text(*view)));
        let long = self.long.keys().map(|text| Bound::Text(text.to_string()));
        let is_fractional = self.kind == IdentifierKind::Fractional;
        let numbers = self.numbers.keys().map(move |bits| match is_fractional {
            true => Bound::Float(f64::from_bits(*bits)),
            false => Bound::Int(bits.cast_signed()),
        });
        inline.chain(long).chain(numbers)
    }

    /// Numbers of a column's rows, new identifiers added; [`NONE`] for null.
    pub(super) fn insert(&mut self, identifiers: &Identifiers, numbers: &mut Vec<u32>) {
        debug_assert_eq!(identifiers.kind(), self.kind);
        match identifiers {
            Identifiers::Text(column) => self.insert_texts(column, numbers),
            Identifiers::Dictionary { keys, values } => {
                let mut of_values = Vec::with_capacity(values.len());
                self.insert_texts(&StringViewArray::from(values), &mut of_values);
                numbers.extend(keys.iter().map(|key| key.map_or(NONE, |key| of_values[key as usize])));
            }
            Identifiers::Integral(column) => self.insert_numbers(column.iter().map(|number| number.map(i64::cast_unsigned)), numbers),
            Identifiers::Fractional(column) => self.insert_numbers(column.iter().map(|number| number.map(canonical_bits)), numbers),
        }
    }

    fn insert_texts(&mut self, column: &StringViewArray, numbers: &mut Vec<u32>) {
        let count = &mut self.count;
        let mut next = || next_number(count);
        for (row, view) in column.views().iter().enumerate() {
            numbers.push(if column.is_null(row) {
                NONE
            } else if is_inline(*view) {
                *self.inline.entry(*view).or_insert_with(&mut next)
            } else {
                let text = column.value(row);
                match self.long.get(text) {
                    Some(number) => *number,
                    None => *self.long.entry(text.into()).or_insert_with(&mut next),
                }
            });
        }
    }

    fn insert_numbers(&mut self, column: impl Iterator<Item = Option<u64>>, numbers: &mut Vec<u32>) {
        let count = &mut self.count;
        let mut next = || next_number(count);
        numbers.extend(column.map(|number| number.map_or(NONE, |number| *self.numbers.entry(number).or_insert_with(&mut next))));
    }

    fn find_text(&self, column: &StringViewArray, row: usize, view: u128) -> u32 {
        let found = if is_inline(view) { self.inline.get(&view) } else { self.long.get(column.value(row)) };
        found.copied().unwrap_or(NONE)
    }

    /// Calls `visit` with the row and number of each row whose identifier is in the table, in order. Rows of one
    /// identifier after another, as sorted files have them, cost one look-up; so do the rows that share a text of a
    /// dictionary, which `dictionary` remembers from one batch of a row group to the next.
    pub(super) fn matches(&self, identifiers: &Identifiers, dictionary: &mut Dictionary, mut visit: impl FnMut(usize, u32)) {
        match identifiers {
            Identifiers::Text(column) => {
                let mut last = (None, NONE);
                let nulls = column.nulls();
                for (row, view) in column.views().iter().enumerate() {
                    if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                        continue;
                    }
                    if last.0 != Some(*view) || !is_inline(*view) {
                        last = (Some(*view), self.find_text(column, row, *view));
                    }
                    if last.1 != NONE {
                        visit(row, last.1);
                    }
                }
            }
            Identifiers::Dictionary { keys, values } => {
                let numbers = dictionary.numbers(self, values);
                let nulls = keys.nulls();
                for (row, key) in keys.values().iter().enumerate() {
                    if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                        continue;
                    }
                    let number = numbers[*key as usize];
                    if number != NONE {
                        visit(row, number);
                    }
                }
            }
            Identifiers::Integral(column) => self.match_numbers(column.iter().map(|number| number.map(i64::cast_unsigned)), visit),
            Identifiers::Fractional(column) => self.match_numbers(column.iter().map(|number| number.map(canonical_bits)), visit),
        }
    }

    fn match_numbers(&self, numbers: impl Iterator<Item = Option<u64>>, mut visit: impl FnMut(usize, u32)) {
        let mut last = (None, NONE);
        for (row, number) in numbers.enumerate() {
            let Some(number) = number else { continue };
            if last.0 != Some(number) {
                last = (Some(number), self.numbers.get(&number).copied().unwrap_or(NONE));
            }
            if last.1 != NONE {
                visit(row, last.1);
            }
        }
    }
}

fn next_number(count: &mut u32) -> u32 {
    let number = *count;
    *count += 1;
    number
}

fn is_inline(view: u128) -> bool {
    view as u32 as usize <= MAX_INLINE
}

/// The numbers of a dictionary's texts, kept while batches come with the same dictionary.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    values: Option<StringArray>,
    numbers: Vec<u32>,
}

impl Dictionary {
    fn numbers(&mut self, table: &IdentifierTable, values: &StringArray) -> &[u32] {
        let is_same =
            |known: &StringArray| known.offsets().ptr_eq(values.offsets()) && known.value_data().as_ptr() == values.value_data().as_ptr();
        if !self.values.as_ref().is_some_and(is_same) {
            let views = StringViewArray::from(values);
            let find = |(row, view): (usize, &u128)| if views.is_null(row) { NONE } else { table.find_text(&views, row, *view) };
            self.numbers = views.views().iter().enumerate().map(find).collect();
            // Held, so that no other dictionary can come to lie in the same place.
            self.values = Some(values.clone());
        }
        &self.numbers
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int8Array, StringArray, UInt64Array};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn numbered(table: &mut IdentifierTable, kind: IdentifierKind, column: ArrayRef) -> Vec<u32> {
        let mut numbers = Vec::new();
        table.insert(&kind.read(&column).unwrap(), &mut numbers);
        numbers
    }

    fn found(table: &IdentifierTable, kind: IdentifierKind, column: ArrayRef) -> Vec<(usize, u32)> {
        let mut rows = Vec::new();
        table.matches(&kind.read(&column).unwrap(), &mut Dictionary::default(), |row, number| rows.push((row, number)));
        rows
    }

    #[test]
    fn text_is_told_apart_at_every_length_and_whatever_its_column_is() {
        let texts: Vec<String> = (0..40).map(|length| "x".repeat(length)).chain(["x\0".into(), "é".into()]).collect();
        let mut table = IdentifierTable::new(IdentifierKind::Text);
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(&texts));
        let numbers = numbered(&mut table, IdentifierKind::Text, column.clone());
        assert_eq!(numbers, (0..42).collect::<Vec<_>>());
        assert_eq!(numbered(&mut table, IdentifierKind::Text, column.clone()), numbers);
        let expected: Vec<(usize, u32)> = (0..42).map(|row| (row, row as u32)).collect();
        assert_eq!(found(&table, IdentifierKind::Text, column), expected);
        let few: DictionaryArray<Int32Type> = vec![Some("xx"), None, Some("none"), Some("xx"), Some("")].into_iter().collect();
        assert_eq!(found(&table, IdentifierKind::Text, Arc::new(few.clone())), [(0, 2), (3, 2), (4, 0)]);
        assert_eq!(numbered(&mut table, IdentifierKind::Text, Arc::new(few)), [2, NONE, 42, 2, 0]);
    }

    #[test]
    fn numbers_are_the_same_by_value() {
        let mut table = IdentifierTable::new(IdentifierKind::Integral);
        let first: ArrayRef = Arc::new(Int8Array::from(vec![Some(7), None, Some(-1)]));
        assert_eq!(numbered(&mut table, IdentifierKind::Integral, first), [0, NONE, 1]);
        let wide: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 7]));
        assert_eq!(found(&table, IdentifierKind::Integral, wide), [(1, 0)], "2^64-1 is not -1");
        let gaps: ArrayRef = Arc::new(Float64Array::from(vec![7.0, 7.5, f64::NAN, -1.0, 1e300]));
        assert_eq!(found(&table, IdentifierKind::Integral, gaps), [(0, 0), (3, 1)]);
        let mut table = IdentifierTable::new(IdentifierKind::Fractional);
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, 0.5]));
        assert_eq!(numbered(&mut table, IdentifierKind::Fractional, zeros), [0, 0, 1]);
    }

    #[test]
    fn columns_of_another_kind_are_refused() {
        assert!(!IdentifierKind::Text.accepts(&DataType::Int64));
        assert!(!IdentifierKind::Integral.accepts(&DataType::Utf8));
        assert!(IdentifierKind::Integral.accepts(&DataType::Float64) && IdentifierKind::Fractional.accepts(&DataType::UInt8));
        let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int16), Box::new(values));
        assert!(IdentifierKind::Text.accepts(&dictionary(DataType::Utf8)) && !IdentifierKind::Text.accepts(&dictionary(DataType::Int8)));
    }
}
