//! One column of a block, or the column inside a nested one, hashed as what shows of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, make_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, filter};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, Float32Type, Float64Type, ToByteSlice};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use xxhash_rust::xxh3::Xxh3;

use super::add_text;

/// The type that stands for all types with the same values.
pub(super) fn canonical(data_type: &DataType) -> DataType {
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

/// Hashes one column of a block, or the column inside a nested one.
pub(super) struct ColumnHasher {
    data_type: DataType,
    rows: u64,
    nulls: Xxh3,
    values: Xxh3,
    lengths: Xxh3,
    children: Vec<ColumnHasher>,
    scratch: Vec<u8>,
}

impl ColumnHasher {
    pub(super) fn new(data_type: &DataType) -> Self {
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

    pub(super) fn digest(&self) -> u128 {
        let mut whole = Xxh3::new();
        add_text(&mut whole, &self.data_type.to_string());
        whole.update(&self.rows.to_le_bytes());
        for part in [&self.nulls, &self.values, &self.lengths] {
            whole.update(&part.digest128().to_le_bytes());
        }
        for child in &self.children {
            whole.update(&child.digest().to_le_bytes());
        }
        whole.digest128()
    }

    pub(super) fn add(&mut self, column: &ArrayRef) -> Result<(), ArrowError> {
        let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        if let Some(nulls) = &nulls {
            let rows: Vec<u64> = (0..nulls.len()).filter(|row| nulls.is_null(*row)).map(|row| self.rows + row as u64).collect();
            self.nulls.update(rows.to_byte_slice());
        }
        self.add_values(column, nulls.as_ref())?;
        self.rows += column.len() as u64;
        Ok(())
    }

    fn add_values(&mut self, column: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<(), ArrowError> {
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

    fn add_lists(&mut self, column: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<(), ArrowError> {
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
