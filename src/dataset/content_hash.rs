//! A hash of rows that is the same wherever the rows are the same: it says whether a training dataset is what it was.
//!
//! It covers the names and types of the columns, the number of rows and every value in the order of the rows. It does not
//! depend on how the rows are cut into batches, on threads, on the format they are written in, or on what does not show
//! in a value: text is text whether arrow keeps it in offsets, views or a dictionary, −0 is 0, a NaN is a NaN whatever its
//! bits, and what lies in memory beneath a null does not count.
//!
//! ```text
//! whole  = xxh3-128("larder rows 1" rows { length(name) name column })          by column
//! column = xxh3-128(type rows nulls values lengths { column })                  nested columns behind their parent
//! nulls  = numbers of the rows that are null, 8 bytes each                      values of null rows are zero bytes
//! lengths = of texts, binaries and lists, 8 bytes each; values are then the texts one behind another
//! ```
//!
//! Numbers are little-endian, as arrow has them in memory on every machine this runs on, so a column without nulls is
//! hashed as the slice it is. The layout is a format: a change of it needs another name in front.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, make_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, filter};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, Float32Type, Float64Type, Schema, ToByteSlice};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use xxhash_rust::xxh3::Xxh3;

use crate::model::{Error, Result};

/// Stands in front of what is hashed; another layout gets another name.
const LAYOUT: &[u8] = b"larder rows 1";
/// Stands in front of the digits, so that a reader knows what they are.
const PREFIX: &str = "xxh3:";

/// The hash of some rows, and those of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentHash {
    /// Hash of everything: `xxh3:` and 32 hexadecimal digits.
    pub whole: String,
    /// Hash of each column: its type and values, not its name.
    pub columns: Vec<String>,
    /// Number of rows.
    pub rows: u64,
}

/// Takes batch after batch and hashes them.
pub struct ContentHasher {
    names: Vec<String>,
    columns: Vec<ColumnHasher>,
    rows: u64,
}

impl ContentHasher {
    /// Starts on rows with these columns.
    pub fn new(schema: &Schema) -> Self {
        Self {
            names: schema.fields().iter().map(|field| field.name().clone()).collect(),
            columns: schema.fields().iter().map(|field| ColumnHasher::new(field.data_type())).collect(),
            rows: 0,
        }
    }

    /// Takes in the next rows.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::internal(format!("a batch of {} columns among some of {}", batch.num_columns(), self.columns.len())));
        }
        for ((column, hasher), name) in batch.columns().iter().zip(&mut self.columns).zip(&self.names) {
            let fault = |error| Error::internal(format!("column '{name}' of type {} can't be hashed", column.data_type())).source(error);
            hasher.add(column).map_err(fault)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// The hash of all rows taken in.
    pub fn finish(self) -> ContentHash {
        let mut whole = Xxh3::new();
        whole.update(LAYOUT);
        whole.update(&self.rows.to_le_bytes());
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, column) in self.names.iter().zip(&self.columns) {
            let digest = column.digest();
            whole.update(&(name.len() as u64).to_le_bytes());
            whole.update(name.as_bytes());
            whole.update(&digest.to_le_bytes());
            columns.push(text(digest));
        }
        ContentHash { whole: text(whole.digest128()), columns, rows: self.rows }
    }
}

fn text(digest: u128) -> String {
    let mut text = String::with_capacity(PREFIX.len() + 32);
    text.push_str(PREFIX);
    // Writing to a String can't fail.
    let _ = write!(text, "{digest:032x}");
    text
}

/// The hash of a stretch of bytes, such as a file that is read piece by piece.
#[derive(Default)]
pub struct BytesHasher(Xxh3);

impl BytesHasher {
    /// Takes in the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash, written as that of rows is.
    pub fn finish(&self) -> String {
        text(self.0.digest128())
    }
}

/// The type that stands for all types with the same values.
fn canonical(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| -> FieldRef { Arc::new(Field::new("item", canonical(field.data_type()), true)) };
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => canonical(values),
        DataType::RunEndEncoded(_, values) => canonical(values.data_type()),
        DataType::List(element) | DataType::LargeList(element) | DataType::ListView(element) | DataType::LargeListView(element) => {
            DataType::List(field(element))
        }
        DataType::FixedSizeList(element, size) => DataType::FixedSizeList(field(element), *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| Field::new(field.name(), canonical(field.data_type()), true)).collect())
        }
        other => other.clone(),
    }
}

/// Hashes one column, or the column inside a nested one.
struct ColumnHasher {
    data_type: DataType,
    rows: u64,
    nulls: Xxh3,
    values: Xxh3,
    lengths: Xxh3,
    children: Vec<ColumnHasher>,
    scratch: Vec<u8>,
}

impl ColumnHasher {
    fn new(data_type: &DataType) -> Self {
        let data_type = canonical(data_type);
        let children = match &data_type {
            DataType::List(element) | DataType::FixedSizeList(element, _) | DataType::Map(element, _) => {
                vec![Self::new(element.data_type())]
            }
            DataType::Struct(fields) => fields.iter().map(|field| Self::new(field.data_type())).collect(),
            _ => Vec::new(),
        };
        Self { data_type, rows: 0, nulls: Xxh3::new(), values: Xxh3::new(), lengths: Xxh3::new(), children, scratch: Vec::new() }
    }

    fn digest(&self) -> u128 {
        let mut whole = Xxh3::new();
        let data_type = self.data_type.to_string();
        whole.update(&(data_type.len() as u64).to_le_bytes());
        whole.update(data_type.as_bytes());
        whole.update(&self.rows.to_le_bytes());
        for part in [&self.nulls, &self.values, &self.lengths] {
            whole.update(&part.digest128().to_le_bytes());
        }
        for child in &self.children {
            whole.update(&child.digest().to_le_bytes());
        }
        whole.digest128()
    }

    fn add(&mut self, column: &ArrayRef) -> std::result::Result<(), ArrowError> {
        let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        if let Some(nulls) = &nulls {
            let rows: Vec<u64> = (0..nulls.len()).filter(|row| nulls.is_null(*row)).map(|row| self.rows + row as u64).collect();
            self.nulls.update(rows.to_byte_slice());
        }
        self.add_values(column, nulls.as_ref())?;
        self.rows += column.len() as u64;
        Ok(())
    }

    fn add_values(&mut self, column: &ArrayRef, nulls: Option<&NullBuffer>) -> std::result::Result<(), ArrowError> {
        match column.data_type() {
            DataType::Null => {}
            DataType::Boolean => {
                let values = column.as_boolean().values().iter().map(u8::from);
                self.scratch.clear();
                self.scratch.extend(values);
                zero_nulls(&mut self.scratch, 1, nulls);
                self.values.update(&self.scratch);
            }
            // Every such number is one of the wider type, and the other way round.
            DataType::Float16 => self.add_values(&cast(column, &DataType::Float32)?, nulls)?,
            DataType::Float32 => {
                let is_odd = |value: f32| (value.to_bits() == 1 << 31) | value.is_nan();
                self.add_floats::<Float32Type>(column, nulls, is_odd, |value| if value == 0.0 { 0.0 } else { f32::NAN });
            }
            DataType::Float64 => {
                let is_odd = |value: f64| (value.to_bits() == 1 << 63) | value.is_nan();
                self.add_floats::<Float64Type>(column, nulls, is_odd, |value| if value == 0.0 { 0.0 } else { f64::NAN });
            }
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                self.add_texts(texts.offsets(), texts.value_data(), nulls);
            }
            DataType::LargeUtf8 => {
                let texts = column.as_string::<i64>();
                self.add_texts(texts.offsets(), texts.value_data(), nulls);
            }
            DataType::Binary => {
                let bytes = column.as_binary::<i32>();
                self.add_texts(bytes.offsets(), bytes.value_data(), nulls);
            }
            DataType::LargeBinary => {
                let bytes = column.as_binary::<i64>();
                self.add_texts(bytes.offsets(), bytes.value_data(), nulls);
            }
            DataType::Utf8View => {
                let texts = column.as_string_view();
                self.add_pieces(texts.iter().map(|text| text.map(str::as_bytes)));
            }
            DataType::BinaryView => self.add_pieces(column.as_binary_view().iter()),
            DataType::FixedSizeBinary(width) => self.add_fixed(column, usize::try_from(*width).unwrap_or(0), nulls),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Map(..) => {
                self.add_lists(column, nulls)?;
            }
            DataType::Struct(_) => {
                for (child, hasher) in column.as_struct().columns().iter().zip(&mut self.children) {
                    // A value inside a null is no value.
                    let nulls = NullBuffer::union(nulls, child.logical_nulls().as_ref());
                    let child = match child.data_type() {
                        DataType::Null | DataType::Dictionary(..) | DataType::RunEndEncoded(..) => child.clone(),
                        _ => make_array(child.to_data().into_builder().nulls(nulls).build()?),
                    };
                    hasher.add(&child)?;
                }
            }
            data_type if data_type.primitive_width().is_some() => self.add_fixed(column, data_type.primitive_width().unwrap_or(0), nulls),
            data_type if *data_type != self.data_type => {
                let plain = cast(column, &self.data_type)?;
                let nulls = plain.logical_nulls().filter(|nulls| nulls.null_count() > 0);
                self.add_values(&plain, nulls.as_ref())?;
            }
            // What has no bytes of its own has a text.
            _ => {
                let formatter = ArrayFormatter::try_new(column, &FormatOptions::new())?;
                let texts: Vec<Option<String>> =
                    (0..column.len()).map(|row| column.is_valid(row).then(|| formatter.value(row).to_string())).collect();
                self.add_pieces(texts.iter().map(|text| text.as_ref().map(String::as_bytes)));
            }
        }
        Ok(())
    }

    /// Numbers of which some have several bit patterns for one value: `usual` gives the one that counts.
    fn add_floats<T: ArrowPrimitiveType>(
        &mut self,
        column: &ArrayRef,
        nulls: Option<&NullBuffer>,
        is_odd: impl Fn(T::Native) -> bool,
        usual: impl Fn(T::Native) -> T::Native,
    ) {
        let values = column.as_primitive::<T>().values();
        let width = size_of::<T::Native>();
        // One pass without a branch tells whether the slice can be taken as it is.
        if !values.iter().fold(false, |odd, value| odd | is_odd(*value)) {
            return self.add_fixed(column, width, nulls);
        }
        let usual: Vec<T::Native> = values.iter().map(|value| if is_odd(*value) { usual(*value) } else { *value }).collect();
        self.scratch.clear();
        self.scratch.extend_from_slice(usual.to_byte_slice());
        zero_nulls(&mut self.scratch, width, nulls);
        self.values.update(&self.scratch);
    }

    /// Values of so many bytes each, in one buffer.
    fn add_fixed(&mut self, column: &ArrayRef, width: usize, nulls: Option<&NullBuffer>) {
        let data = column.to_data();
        let (from, to) = (data.offset() * width, (data.offset() + data.len()) * width);
        let Some(bytes) = data.buffers().first().and_then(|buffer| buffer.as_slice().get(from..to)) else { return };
        if nulls.is_none() {
            return self.values.update(bytes);
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(bytes);
        zero_nulls(&mut self.scratch, width, nulls);
        self.values.update(&self.scratch);
    }

    /// Texts in one buffer, each from its offset to the next.
    fn add_texts<O: arrow::array::OffsetSizeTrait>(&mut self, offsets: &OffsetBuffer<O>, bytes: &[u8], nulls: Option<&NullBuffer>) {
        if nulls.is_some() {
            let is_null = |row: usize| nulls.is_some_and(|nulls| nulls.is_null(row));
            let pieces =
                offsets.windows(2).enumerate().map(|(row, ends)| (!is_null(row)).then(|| &bytes[ends[0].as_usize()..ends[1].as_usize()]));
            return self.add_pieces(pieces);
        }
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return };
        let lengths: Vec<u64> = offsets.windows(2).map(|ends| (ends[1] - ends[0]).as_usize() as u64).collect();
        self.lengths.update(lengths.to_byte_slice());
        self.values.update(&bytes[first.as_usize()..last.as_usize()]);
    }

    /// The same where they lie scattered; null has no bytes.
    fn add_pieces<'a>(&mut self, pieces: impl Iterator<Item = Option<&'a [u8]>>) {
        const ENOUGH: usize = 64 << 10;
        let mut lengths: Vec<u64> = Vec::new();
        self.scratch.clear();
        for piece in pieces {
            let piece = piece.unwrap_or_default();
            lengths.push(piece.len() as u64);
            self.scratch.extend_from_slice(piece);
            if self.scratch.len() > ENOUGH {
                self.values.update(&self.scratch);
                self.scratch.clear();
            }
        }
        self.values.update(&self.scratch);
        self.lengths.update(lengths.to_byte_slice());
    }

    fn add_lists(&mut self, column: &ArrayRef, nulls: Option<&NullBuffer>) -> std::result::Result<(), ArrowError> {
        // A null list may still have elements in memory.
        let valid = match nulls {
            None => column.clone(),
            Some(nulls) => filter(column, &arrow::array::BooleanArray::new(nulls.inner().clone(), None))?,
        };
        let (lengths, elements): (Vec<u64>, ArrayRef) = match valid.data_type() {
            DataType::List(_) => lists(valid.as_list::<i32>().offsets(), valid.as_list::<i32>().values()),
            DataType::LargeList(_) => lists(valid.as_list::<i64>().offsets(), valid.as_list::<i64>().values()),
            DataType::Map(..) => {
                let entries: ArrayRef = Arc::new(valid.as_map().entries().clone());
                lists(valid.as_map().offsets(), &entries)
            }
            _ => {
                let lists = valid.as_fixed_size_list();
                let width = usize::try_from(lists.value_length()).unwrap_or(0);
                let first = lists.value_offset(0).unsigned_abs() as usize;
                (vec![width as u64; lists.len()], lists.values().slice(if lists.is_empty() { 0 } else { first }, width * lists.len()))
            }
        };
        let mut valid = lengths.into_iter();
        let is_null = |row: usize| nulls.is_some_and(|nulls| nulls.is_null(row));
        let lengths: Vec<u64> = (0..column.len()).map(|row| if is_null(row) { 0 } else { valid.next().unwrap_or(0) }).collect();
        self.lengths.update(lengths.to_byte_slice());
        match self.children.first_mut() {
            Some(child) => child.add(&elements),
            None => Ok(()),
        }
    }
}

/// Lengths of lists, and the elements of all of them.
fn lists<O: arrow::array::OffsetSizeTrait>(offsets: &OffsetBuffer<O>, values: &ArrayRef) -> (Vec<u64>, ArrayRef) {
    let lengths = offsets.windows(2).map(|ends| (ends[1] - ends[0]).as_usize() as u64).collect();
    let (first, last) = (offsets.first().map_or(0, |end| end.as_usize()), offsets.last().map_or(0, |end| end.as_usize()));
    (lengths, values.slice(first, last - first))
}

fn zero_nulls(bytes: &mut [u8], width: usize, nulls: Option<&NullBuffer>) {
    let Some(nulls) = nulls else { return };
    for row in (0..nulls.len()).filter(|row| nulls.is_null(*row)) {
        bytes[row * width..(row + 1) * width].fill(0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{
        BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, LargeStringArray, ListArray, MapBuilder, StringArray,
        StringBuilder, StringViewArray, StructArray, TimestampMicrosecondArray,
    };
    use arrow::buffer::ScalarBuffer;
    use arrow::datatypes::Int64Type;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn one(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap()
    }

    fn hash(batches: &[RecordBatch]) -> ContentHash {
        let mut hasher = ContentHasher::new(&batches[0].schema());
        for batch in batches {
            hasher.add(batch).unwrap();
        }
        hasher.finish()
    }

    fn of(column: impl Array + 'static) -> String {
        hash(&[one(Arc::new(column))]).whole
    }

    /// Columns of many types, full of nulls, with junk beneath them.
    fn sample(rows: usize) -> RecordBatch {
        let mut random = StdRng::seed_from_u64(11);
        let mut nulls = || NullBuffer::from((0..rows).map(|_| random.random_bool(0.7)).collect::<Vec<bool>>());
        let numbers = Int64Array::new((0..rows as i64).collect(), Some(nulls()));
        let doubles =
            Float64Array::from_iter((0..rows).map(|row| (row % 5 != 0).then_some(if row % 3 == 0 { -0.0 } else { row as f64 / 7.0 })));
        let texts = StringArray::from_iter((0..rows).map(|row| (row % 4 != 1).then(|| "ab".repeat(row % 9))));
        let flags = BooleanArray::from_iter((0..rows).map(|row| (row % 6 != 0).then_some(row % 2 == 0)));
        let times = TimestampMicrosecondArray::from_iter_values((0..rows as i64).map(|row| row - 5)).with_timezone("UTC");
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(
            (0..rows).map(|row| (row % 5 != 2).then(|| (0..row % 4).map(|element| (element != 1).then_some(element as i64)))),
        );
        let fixed = FixedSizeListArray::new(
            Arc::new(Field::new("item", DataType::Float32, true)),
            2,
            Arc::new(Float32Array::from_iter_values((0..2 * rows).map(|at| at as f32))),
            Some(nulls()),
        );
        let structs = StructArray::new(
            vec![Field::new("n", DataType::Int64, true)].into(),
            vec![Arc::new(Int64Array::from_iter_values(0..rows as i64))],
            Some(nulls()),
        );
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in 0..rows {
            for entry in 0..row % 3 {
                maps.keys().append_value(format!("k{entry}"));
                maps.values().append_option((entry > 0).then_some("v"));
            }
            maps.append(row % 7 != 0).unwrap();
        }
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("numbers", Arc::new(numbers)),
            ("doubles", Arc::new(doubles)),
            ("texts", Arc::new(texts)),
            ("flags", Arc::new(flags)),
            ("times", Arc::new(times)),
            ("lists", Arc::new(lists)),
            ("fixed", Arc::new(fixed)),
            ("structs", Arc::new(structs)),
            ("maps", Arc::new(maps.finish())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
    }

    #[test]
    fn batches_may_be_cut_anywhere() {
        let whole = sample(200);
        let expected = hash(std::slice::from_ref(&whole));
        let mut random = StdRng::seed_from_u64(3);
        for _ in 0..20 {
            let mut parts = Vec::new();
            let mut from = 0;
            while from < 200 {
                let length = random.random_range(0..=(200 - from).min(40));
                parts.push(whole.slice(from, length));
                from += length;
            }
            assert_eq!(hash(&parts), expected);
        }
    }

    #[test]
    fn every_value_name_type_and_the_order_of_rows_count() {
        let whole = sample(50);
        let expected = hash(std::slice::from_ref(&whole));
        for column in 0..whole.num_columns() {
            // The column's first two rows that differ, swapped.
            let order = |rows: &[u64]| arrow::compute::take_record_batch(&whole, &arrow::array::UInt64Array::from(rows.to_vec())).unwrap();
            let mut rows: Vec<u64> = (0..50).collect();
            let text = |row: u64| arrow::util::display::array_value_to_string(whole.column(column), row as usize).unwrap();
            let other = (1..50).find(|row| text(*row) != text(0)).unwrap();
            rows.swap(0, other as usize);
            let swapped = order(&rows);
            let mut columns = whole.columns().to_vec();
            columns[column] = swapped.column(column).clone();
            let changed = hash(&[RecordBatch::try_new(whole.schema(), columns).unwrap()]);
            let differing: Vec<usize> = (0..whole.num_columns()).filter(|at| changed.columns[*at] != expected.columns[*at]).collect();
            assert_eq!(differing, [column]);
            assert_ne!(changed.whole, expected.whole);
        }
        let renamed = RecordBatch::try_from_iter_with_nullable([("d", whole.column(0).clone(), true)]).unwrap();
        let (renamed, original) = (hash(&[renamed]), hash(&[one(whole.column(0).clone())]));
        assert_eq!(renamed.columns, original.columns);
        assert_ne!(renamed.whole, original.whole);
        assert_ne!(of(Int64Array::from(vec![1, 2])), of(TimestampMicrosecondArray::from(vec![1, 2])));
        assert_ne!(
            of(Int64Array::from(vec![1, 2])),
            hash(&[one(Arc::new(Int64Array::from(vec![1]))), one(Arc::new(Int64Array::from(vec![3])))]).whole
        );
        assert_ne!(of(StringArray::from(vec!["ab", "c"])), of(StringArray::from(vec!["a", "bc"])));
        assert_ne!(of(StringArray::from(vec![Some(""), None])), of(StringArray::from(vec![None, Some("")])));
        assert_ne!(of(Int64Array::from(vec![Some(0)])), of(Int64Array::from(vec![None])));
        assert_ne!(of(Int64Array::new_null(2)), of(Int64Array::new_null(3)));
    }

    #[test]
    fn what_does_not_show_does_not_count() {
        let texts = vec![Some("short"), None, Some("a text longer than twelve bytes"), Some("")];
        let plain = of(StringArray::from(texts.clone()));
        assert_eq!(of(LargeStringArray::from(texts.clone())), plain);
        assert_eq!(of(StringViewArray::from(texts.clone())), plain);
        let dictionary: arrow::array::DictionaryArray<arrow::datatypes::Int32Type> = texts.clone().into_iter().collect();
        assert_eq!(of(dictionary), plain);
        assert_eq!(of(Float64Array::from(vec![-0.0, f64::NAN])), of(Float64Array::from(vec![0.0, f64::from_bits(0xfff8_0000_0000_0001)])));
        assert_eq!(of(Float32Array::from(vec![-0.0, f32::NAN])), of(Float32Array::from(vec![0.0, -f32::NAN])));
        let beneath = |junk: i64| Int64Array::new(ScalarBuffer::from(vec![1, junk, 3]), Some(NullBuffer::from(vec![true, false, true])));
        assert_eq!(of(beneath(7)), of(beneath(9)));
        let in_list = |junk: i64| {
            let values = Int64Array::from(vec![1, junk, 3]);
            let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 1, 2, 3]));
            let field = Arc::new(Field::new("element", DataType::Int64, true));
            ListArray::new(field, offsets, Arc::new(values), Some(NullBuffer::from(vec![true, false, true])))
        };
        assert_eq!(of(in_list(7)), of(in_list(9)));
        assert_eq!(of(in_list(7)), of(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)]), None, Some([Some(3)])])));
        let in_struct = |junk: i64| {
            let values: ArrayRef = Arc::new(Int64Array::from(vec![1, junk]));
            StructArray::new(vec![Field::new("n", DataType::Int64, true)].into(), vec![values], Some(NullBuffer::from(vec![true, false])))
        };
        assert_eq!(of(in_struct(7)), of(in_struct(9)));
    }

    #[test]
    fn the_layout_is_the_one_that_was_promised() {
        // Computed by hand with another implementation of XXH3 from the description at the top.
        let found = hash(&[RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap()]);
        let digest = |parts: &[&[u8]]| xxhash_rust::xxh3::xxh3_128(&parts.concat()).to_le_bytes();
        let nothing = digest(&[]);
        let values = digest(&[&1i64.to_le_bytes(), &2i64.to_le_bytes()]);
        let column = digest(&[&5u64.to_le_bytes(), b"Int64", &2u64.to_le_bytes(), &nothing, &values, &nothing]);
        let whole = digest(&[b"larder rows 1", &2u64.to_le_bytes(), &1u64.to_le_bytes(), b"n", &column]);
        assert_eq!(found.whole, format!("xxh3:{:032x}", u128::from_le_bytes(whole)));
    }
}
