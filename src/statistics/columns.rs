//! Columns: arrow arrays of every type that has figures, as keys of numbers, texts and elements.
//!
//! The loops over the common types run over plain buffers; dictionaries of text are counted per key, so that a column
//! of a million rows and ten categories costs ten look-ups.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringArrayType};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::canonical::widen;
use super::distribution::key_of_float;
use super::kind::{ColumnKind, unknown};
use crate::model::{Error, EventTime, Result};

/// Keys of the values of a column, and how many rows have none.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) keys: Vec<i64>,
    pub(super) nulls: u64,
    pub(super) nan: u64,
    pub(super) pos_inf: u64,
    pub(super) neg_inf: u64,
    pub(super) beyond: u64,
}

impl Keys {
    #[inline]
    fn push_float(&mut self, value: f64) {
        if value.is_finite() {
            self.keys.push(key_of_float(value));
        } else if value.is_nan() {
            self.nan += 1;
        } else if value > 0.0 {
            self.pos_inf += 1;
        } else {
            self.neg_inf += 1;
        }
    }

    fn push_integer(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.keys.push(value),
            None => self.beyond += 1,
        }
    }

    /// Hands every value of an array to `push`.
    fn each<T: ArrowPrimitiveType>(&mut self, values: &PrimitiveArray<T>, mut push: impl FnMut(&mut Self, T::Native)) {
        self.nulls += values.null_count() as u64;
        self.keys.reserve(values.len() - values.null_count());
        match values.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => values.values().iter().for_each(|value| push(self, *value)),
            Some(nulls) => {
                for (start, end) in nulls.valid_slices() {
                    values.values()[start..end].iter().for_each(|value| push(self, *value));
                }
            }
        }
    }

    /// Reads whole numbers, booleans as 0 and 1.
    pub(super) fn integral(values: &dyn Array) -> Result<Self> {
        let mut keys = Self::default();
        macro_rules! integers {
            ($type:ty) => {
                keys.each(values.as_primitive::<$type>(), |keys, value| keys.keys.push(i64::from(value)))
            };
        }
        match values.data_type() {
            DataType::Int8 => integers!(Int8Type),
            DataType::Int16 => integers!(Int16Type),
            DataType::Int32 => integers!(Int32Type),
            DataType::Int64 => integers!(Int64Type),
            DataType::UInt8 => integers!(UInt8Type),
            DataType::UInt16 => integers!(UInt16Type),
            DataType::UInt32 => integers!(UInt32Type),
            DataType::UInt64 => keys.each(values.as_primitive::<UInt64Type>(), |keys, value| keys.push_integer(i64::try_from(value).ok())),
            DataType::Boolean => {
                keys.nulls += values.null_count() as u64;
                keys.keys.extend(values.as_boolean().iter().flatten().map(i64::from));
            }
            DataType::Null => keys.nulls += values.len() as u64,
            DataType::Dictionary(_, plain) => return Self::integral(&recast(values, plain)?),
            other => return Err(unknown(other)),
        }
        Ok(keys)
    }

    /// Reads doubles: floats of any width, decimals, and whole numbers rounded to the nearest.
    pub(super) fn fractional(values: &dyn Array) -> Result<Self> {
        let mut keys = Self::default();
        match values.data_type() {
            DataType::Float64 => keys.each(values.as_primitive::<Float64Type>(), Self::push_float),
            DataType::Float32 => keys.each(values.as_primitive::<Float32Type>(), |keys, value| keys.push_float(widen(value))),
            DataType::Float16 => keys.each(values.as_primitive::<Float16Type>(), |keys, value| keys.push_float(widen(value.to_f32()))),
            DataType::Decimal32(_, scale) => keys.decimals::<Decimal32Type>(values, *scale, |value| Some(i128::from(value))),
            DataType::Decimal64(_, scale) => keys.decimals::<Decimal64Type>(values, *scale, |value| Some(i128::from(value))),
            DataType::Decimal128(_, scale) => keys.decimals::<Decimal128Type>(values, *scale, Some),
            DataType::Decimal256(_, scale) => keys.decimals::<Decimal256Type>(values, *scale, |value| value.to_i128()),
            DataType::Dictionary(_, plain) => return Self::fractional(&recast(values, plain)?),
            DataType::UInt64 => keys.each(values.as_primitive::<UInt64Type>(), |keys, value| keys.push_float(value as f64)),
            _ => {
                let mut whole = Self::integral(values)?;
                whole.keys.iter_mut().for_each(|key| *key = key_of_float(*key as f64));
                return Ok(whole);
            }
        }
        Ok(keys)
    }

    /// Decimals as the doubles that their texts read as.
    fn decimals<T: ArrowPrimitiveType + DecimalType>(&mut self, values: &dyn Array, scale: i8, whole: impl Fn(T::Native) -> Option<i128>) {
        let values = values.as_primitive::<T>();
        self.nulls += values.null_count() as u64;
        let exact_power = (0..=22).contains(&scale).then(|| 10f64.powi(i32::from(scale)));
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            // Both are exact, so the quotient is rounded once, as reading the text would.
            let small = whole(values.value(row)).filter(|whole| whole.unsigned_abs() < 1 << 53);
            let number = match (small, exact_power) {
                (Some(whole), Some(power)) => whole as f64 / power,
                _ => values.value_as_string(row).parse().unwrap_or(f64::NAN),
            };
            self.push_float(number);
        }
    }

    /// Reads timestamps and dates as microseconds since 1970; what doesn't fit is beyond.
    pub(super) fn times(values: &dyn Array) -> Result<Self> {
        let mut keys = Self::default();
        macro_rules! times {
            ($type:ty, $micros:expr) => {
                keys.each(values.as_primitive::<$type>(), |keys, value| keys.push_integer($micros(i64::from(value))))
            };
        }
        let scaled = |factor: i64| move |value: i64| value.checked_mul(factor);
        match values.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => times!(TimestampSecondType, scaled(1_000_000)),
            DataType::Timestamp(TimeUnit::Millisecond, _) => times!(TimestampMillisecondType, scaled(1_000)),
            DataType::Timestamp(TimeUnit::Microsecond, _) => times!(TimestampMicrosecondType, Some),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => times!(TimestampNanosecondType, |nanos: i64| Some(nanos.div_euclid(1_000))),
            DataType::Date32 => times!(Date32Type, scaled(86_400_000_000)),
            DataType::Date64 => times!(Date64Type, scaled(1_000)),
            DataType::Null => keys.nulls += values.len() as u64,
            DataType::Dictionary(_, plain) => return Self::times(&recast(values, plain)?),
            other => return Err(unknown(other)),
        }
        Ok(keys)
    }
}

fn recast(values: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    cast(values, to).map_err(|error| Error::invalid(format!("a column of type {} can't be read", values.data_type())).source(error))
}

/// Hands every text of a column to `add` with a count; returns the number of nulls. Times are texts in ISO-8601.
pub(super) fn texts(values: &dyn Array, add: &mut dyn FnMut(&str, u64) -> Result<()>) -> Result<u64> {
    match values.data_type() {
        DataType::Utf8 => plain_texts(&values.as_string::<i32>(), add),
        DataType::LargeUtf8 => plain_texts(&values.as_string::<i64>(), add),
        DataType::Utf8View => plain_texts(&values.as_string_view(), add),
        DataType::Null => Ok(values.len() as u64),
        DataType::Dictionary(..) => dictionary_texts(values, add),
        data_type if ColumnKind::of(data_type)? == ColumnKind::Time => {
            let keys = Keys::times(values)?;
            for key in keys.keys {
                let time = EventTime::from_unix_micros(key).map_or_else(|| key.to_string(), EventTime::to_iso8601);
                add(&time, 1)?;
            }
            Ok(keys.nulls + keys.beyond)
        }
        other => Err(unknown(other)),
    }
}

fn plain_texts<'a>(values: &impl StringArrayType<'a>, add: &mut dyn FnMut(&str, u64) -> Result<()>) -> Result<u64> {
    for value in values.iter().flatten() {
        add(value, 1)?;
    }
    Ok(values.null_count() as u64)
}

/// Texts of a dictionary, each once with the number of rows that name it.
fn dictionary_texts(values: &dyn Array, add: &mut dyn FnMut(&str, u64) -> Result<()>) -> Result<u64> {
    let dictionary = values.as_any_dictionary();
    let mut nulls = values.null_count() as u64;
    if dictionary.values().is_empty() {
        return Ok(nulls);
    }
    let mut counts = vec![0u64; dictionary.values().len()];
    let keys = dictionary.normalized_keys();
    for (row, key) in keys.into_iter().enumerate() {
        if dictionary.keys().is_valid(row)
            && let Some(count) = counts.get_mut(key)
        {
            *count += 1;
        }
    }
    // One text of the dictionary at a time, so that nulls and types among its values need no second reading.
    for (place, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        nulls += count * texts(&dictionary.values().slice(place, 1), &mut |text, _| add(text, count))?;
    }
    Ok(nulls)
}

/// First element of each row and the one past its last; none for a null.
type RowRanges = Vec<Option<(usize, usize)>>;

/// Lists of a column: the elements of all, and the range of each row, none for a null.
pub(super) fn lists(values: &dyn Array) -> Result<(ArrayRef, RowRanges)> {
    let valid = |row: usize, range: (usize, usize)| values.is_valid(row).then_some(range);
    match values.data_type() {
        DataType::List(_) => {
            let list = values.as_list::<i32>();
            let ranges = list.value_offsets().windows(2).enumerate().map(|(row, ends)| valid(row, (ends[0] as usize, ends[1] as usize)));
            Ok((list.values().clone(), ranges.collect()))
        }
        DataType::LargeList(_) => {
            let list = values.as_list::<i64>();
            let ranges = list.value_offsets().windows(2).enumerate().map(|(row, ends)| valid(row, (ends[0] as usize, ends[1] as usize)));
            Ok((list.values().clone(), ranges.collect()))
        }
        DataType::FixedSizeList(_, size) => {
            let (list, size) = (values.as_fixed_size_list(), *size as usize);
            let ranges = (0..list.len()).map(|row| valid(row, (row * size, (row + 1) * size)));
            Ok((list.values().clone(), ranges.collect()))
        }
        DataType::Null => Ok((arrow::array::new_null_array(&DataType::Null, 0), vec![None; values.len()])),
        DataType::Dictionary(_, plain) => lists(&recast(values, plain)?),
        other => Err(unknown(other)),
    }
}
