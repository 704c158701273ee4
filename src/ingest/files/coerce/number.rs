//! Numbers: what becomes Integral, what becomes Fractional, and what neither may hold.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, Int64Array, Int64Builder, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int64Type, UInt64Type,
};

use crate::model::{Error, Result};

/// Values that can't be converted, with the reason.
pub(super) type Bad = Vec<(usize, String)>;

/// 2^63 as a double: the first whole number above every Integral.
const ABOVE_INTEGRAL: f64 = 9_223_372_036_854_775_808.0;

/// A value for a message, short and harmless to a terminal.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("'{}'", short.escape_debug())
}

fn unconvertible(array: &dyn Array, target: &str) -> Error {
    Error::invalid(format!("{} can't become {target}", array.data_type()))
}

fn recast(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    cast(array, target).map_err(|error| Error::internal(format!("can't read {} as {target}", array.data_type())).source(error))
}

/// Whole numbers; booleans count as 0 and 1.
pub(super) fn to_integral(array: &ArrayRef, bad: &mut Bad, nulled: &mut u64) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Int64 => Arc::clone(array),
        kind if kind.is_signed_integer() || matches!(kind, DataType::UInt8 | DataType::UInt16 | DataType::UInt32) => {
            recast(array, &DataType::Int64)?
        }
        DataType::UInt64 => unsigned(array.as_primitive::<UInt64Type>(), bad),
        DataType::Boolean => Arc::new(array.as_boolean().iter().map(|value| value.map(i64::from)).collect::<Int64Array>()),
        DataType::Float16 | DataType::Float32 => whole(recast(array, &DataType::Float64)?.as_primitive::<Float64Type>(), bad, nulled),
        DataType::Float64 => whole(array.as_primitive::<Float64Type>(), bad, nulled),
        kind if kind.is_decimal() => {
            let texts = decimal_texts(array)?;
            let mut builder = Int64Builder::with_capacity(texts.len());
            for row in 0..texts.len() {
                let value = (!texts.is_null(row)).then(|| integral_decimal(texts.value(row)));
                if value == Some(None) {
                    bad.push((row, format!("{} is not a whole number between -2^63 and 2^63-1", texts.value(row))));
                }
                builder.append_option(value.flatten());
            }
            Arc::new(builder.finish())
        }
        DataType::Utf8 => integral_texts(array.as_string::<i32>(), bad, nulled),
        _ => return Err(unconvertible(array, "Integral")),
    })
}

fn unsigned(array: &arrow::array::UInt64Array, bad: &mut Bad) -> ArrayRef {
    let convert = |(row, value): (usize, Option<u64>)| match value.map(i64::try_from) {
        Some(Err(_)) => {
            bad.push((row, format!("{} is above 2^63-1", array.value(row))));
            None
        }
        Some(Ok(value)) => Some(value),
        None => None,
    };
    Arc::new(array.iter().enumerate().map(convert).collect::<Int64Array>())
}

fn whole_float(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && (-ABOVE_INTEGRAL..ABOVE_INTEGRAL).contains(&value)).then_some(value as i64)
}

fn whole(array: &Float64Array, bad: &mut Bad, nulled: &mut u64) -> ArrayRef {
    let convert = |(row, value): (usize, Option<f64>)| {
        let value = value?;
        if value.is_nan() {
            *nulled += 1;
            return None;
        }
        let converted = whole_float(value);
        if converted.is_none() {
            bad.push((row, format!("{value} is not a whole number between -2^63 and 2^63-1")));
        }
        converted
    };
    Arc::new(array.iter().enumerate().map(convert).collect::<Int64Array>())
}

fn integral_texts(texts: &StringArray, bad: &mut Bad, nulled: &mut u64) -> ArrayRef {
    let mut builder = Int64Builder::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) {
            builder.append_null();
            continue;
        }
        let text = texts.value(row);
        let value = integral_text(text);
        if value.is_none() {
            if is_nan_text(text) {
                *nulled += 1;
            } else {
                bad.push((row, format!("{} is not a whole number (the feature is Integral)", shown(text))));
            }
        }
        builder.append_option(value);
    }
    Arc::new(builder.finish())
}

/// A whole number from text: `7`, `-7`, `7.0`, `true`.
fn integral_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(value) = text.parse::<i64>() {
        return Some(value);
    }
    if let Some(value) = boolean_text(text) {
        return Some(i64::from(value));
    }
    // pandas writes whole numbers with gaps as 7.0.
    let (digits, zeros) = text.split_once('.')?;
    (!zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0')).then(|| digits.parse::<i64>().ok()).flatten()
}

/// `true` and `false` as CSV and JSON writers spell them.
pub(in super::super) fn boolean_text(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// How a missing number is written by tools that know no null.
pub(in super::super) fn is_nan_text(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("nan")
}

fn integral_decimal(text: &str) -> Option<i64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    fraction.bytes().all(|byte| byte == b'0').then(|| digits.parse().ok()).flatten()
}

/// Finite doubles.
pub(super) fn to_fractional(array: &ArrayRef, bad: &mut Bad, nulled: &mut u64) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float64 => finite(array, bad, nulled),
        DataType::Float32 => {
            let texts = array.as_primitive::<Float32Type>();
            finite(&(Arc::new(texts.unary::<_, Float64Type>(widen)) as ArrayRef), bad, nulled)
        }
        DataType::Float16 => {
            let singles = array.as_primitive::<Float16Type>().unary::<_, Float64Type>(|value| widen(value.to_f32()));
            finite(&(Arc::new(singles) as ArrayRef), bad, nulled)
        }
        DataType::Boolean => {
            let number = |value: Option<bool>| value.map(|value| if value { 1.0 } else { 0.0 });
            Arc::new(BooleanArray::iter(array.as_boolean()).map(number).collect::<Float64Array>())
        }
        DataType::UInt64 => exact(array.as_primitive::<UInt64Type>().iter().map(|value| value.map(i128::from)), bad),
        DataType::Int64 => exact(array.as_primitive::<Int64Type>().iter().map(|value| value.map(i128::from)), bad),
        // Every smaller integer fits the 53 bits of a double.
        kind if kind.is_integer() => recast(array, &DataType::Float64)?,
        kind if kind.is_decimal() => {
            let texts = decimal_texts(array)?;
            let mut builder = Float64Builder::with_capacity(texts.len());
            for row in 0..texts.len() {
                let value = (!texts.is_null(row)).then(|| exact_decimal(texts.value(row)));
                if value == Some(None) {
                    bad.push((row, format!("{} has more digits than a double holds", texts.value(row))));
                }
                builder.append_option(value.flatten());
            }
            Arc::new(builder.finish())
        }
        DataType::Utf8 => fractional_texts(array.as_string::<i32>(), bad, nulled),
        _ => return Err(unconvertible(array, "Fractional")),
    })
}

/// A single keeps its shortest decimal text: 0.1 becomes the double 0.1, not 0.10000000149011612.
fn widen(value: f32) -> f64 {
    // Below 2^17 no shorter decimal lies within half a unit of a multiple of 1/8: both readings agree, and it is quick to tell.
    let eighths = value * 8.0;
    if eighths.fract() == 0.0 && eighths.abs() < 1_048_576.0 {
        return f64::from(value);
    }
    if !value.is_finite() {
        return f64::from(value);
    }
    ryu::Buffer::new().format_finite(value).parse().unwrap_or_else(|_| f64::from(value))
}

/// Nulls for NaN, rejects infinities; without either the column passes as it is.
fn finite(array: &ArrayRef, bad: &mut Bad, nulled: &mut u64) -> ArrayRef {
    let doubles = array.as_primitive::<Float64Type>();
    // Without a branch in the loop, so that it runs at memory speed.
    if !doubles.values().iter().fold(false, |found, value| found | !value.is_finite()) {
        return Arc::clone(array);
    }
    let convert = |(row, value): (usize, Option<f64>)| {
        let value = value?;
        if value.is_nan() {
            *nulled += 1;
            return None;
        }
        if value.is_infinite() {
            bad.push((row, format!("{value} is not finite")));
            return None;
        }
        Some(value)
    };
    Arc::new(doubles.iter().enumerate().map(convert).collect::<Float64Array>())
}

fn exact(values: impl Iterator<Item = Option<i128>>, bad: &mut Bad) -> ArrayRef {
    let convert = |(row, value): (usize, Option<i128>)| {
        let value = value?;
        let double = value as f64;
        if double as i128 == value {
            return Some(double);
        }
        bad.push((row, format!("{value} has more digits than a double holds")));
        None
    };
    Arc::new(values.enumerate().map(convert).collect::<Float64Array>())
}

fn fractional_texts(texts: &StringArray, bad: &mut Bad, nulled: &mut u64) -> ArrayRef {
    let mut builder = Float64Builder::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) {
            builder.append_null();
            continue;
        }
        let text = texts.value(row).trim();
        let value = fractional_text(text);
        if let Err(reason) = value {
            if is_nan_text(text) {
                *nulled += 1;
            } else {
                bad.push((row, format!("{} {reason} (the feature is Fractional)", shown(text))));
            }
        }
        builder.append_option(value.ok());
    }
    Arc::new(builder.finish())
}

fn fractional_text(text: &str) -> std::result::Result<f64, &'static str> {
    if let Some(value) = boolean_text(text) {
        return Ok(f64::from(u8::from(value)));
    }
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    let value = text.parse::<f64>().map_err(|_| "is not a number")?;
    if !numeric || !value.is_finite() {
        return Err("is not a finite number");
    }
    // Digits without a point are an exact integer; a double that can't hold it would change it.
    if value.abs() >= 9_007_199_254_740_992.0
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && text.parse::<i128>().is_ok_and(|whole| value as i128 != whole)
    {
        return Err("has more digits than a double holds");
    }
    Ok(value)
}

fn decimal_texts(array: &ArrayRef) -> Result<StringArray> {
    fn texts<T: arrow::datatypes::DecimalType>(array: &arrow::array::PrimitiveArray<T>) -> StringArray {
        (0..array.len()).map(|row| (!array.is_null(row)).then(|| array.value_as_string(row))).collect()
    }
    Ok(match array.data_type() {
        DataType::Decimal32(..) => texts(array.as_primitive::<Decimal32Type>()),
        DataType::Decimal64(..) => texts(array.as_primitive::<Decimal64Type>()),
        DataType::Decimal128(..) => texts(array.as_primitive::<Decimal128Type>()),
        DataType::Decimal256(..) => texts(array.as_primitive::<Decimal256Type>()),
        _ => return Err(unconvertible(array, "a number")),
    })
}

/// The double whose shortest text has the decimal's digits; none if the double would be another number.
fn exact_decimal(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let digits = |text: &str| -> String {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_start_matches('0').trim_end_matches('0').to_owned()
    };
    let written = digits(text);
    // Fifteen digits always survive a double.
    (written.len() <= 15 || written == digits(ryu::Buffer::new().format_finite(value)) || whole_decimal_is_exact(text, value))
        .then_some(value)
}

/// 2^70 has 22 digits and yet is a double.
fn whole_decimal_is_exact(text: &str, value: f64) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    fraction.bytes().all(|byte| byte == b'0') && value.abs() < 1e38 && whole.parse::<i128>().is_ok_and(|whole| value as i128 == whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn singles_keep_their_shortest_text() {
        for (single, double) in [
            (0.1f32, 0.1f64),
            (16_777_216.0, 16_777_216.0),
            (1.5, 1.5),
            (-0.0, -0.0),
            (3.4028235e38, 3.4028235e38),
            (1e-45, 1e-45),
            (104_857.6, 104_857.6),
            (131071.875, 131071.875),
        ] {
            assert_eq!(widen(single).to_bits(), double.to_bits(), "{single}");
        }
        assert!(widen(f32::NAN).is_nan());
    }

    #[test]
    fn the_quick_reading_of_singles_equals_the_slow_one() {
        use rand::{Rng, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..200_000 {
            let value = if random.random_bool(0.5) {
                random.random_range(-2_000_000i32..2_000_000) as f32 / 8.0
            } else {
                f32::from_bits(random.random())
            };
            if value.is_finite() {
                let slow: f64 = ryu::Buffer::new().format_finite(value).parse().unwrap();
                assert_eq!(widen(value).to_bits(), slow.to_bits(), "{value}");
            }
        }
    }

    #[test]
    fn whole_numbers_from_text() {
        for (text, value) in [
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("7.0", Some(7)),
            (" 7", Some(7)),
            ("true", Some(1)),
            ("False", Some(0)),
            ("1.5", None),
            ("7.", None),
            ("9223372036854775808", None),
            ("0x1", None),
            ("yes", None),
        ] {
            assert_eq!(integral_text(text), value, "{text}");
        }
    }

    #[test]
    fn doubles_from_text_and_decimals_only_where_nothing_is_lost() {
        assert_eq!(fractional_text("9007199254740992"), Ok(9_007_199_254_740_992.0));
        assert!(fractional_text("9007199254740993").is_err());
        assert!(fractional_text("1152921504606846976").is_ok());
        for bad in ["inf", "1e999", "infinity", "1,5", ""] {
            assert!(fractional_text(bad).is_err(), "{bad}");
        }
        assert_eq!(exact_decimal("-0.10"), Some(-0.1));
        assert_eq!(exact_decimal("123456789012345.600"), Some(123_456_789_012_345.6));
        assert_eq!(exact_decimal("0.1234567890123456789"), None);
        assert_eq!(exact_decimal("1180591620717411303424"), Some(2f64.powi(70)));
        assert_eq!(exact_decimal("9007199254740993"), None);
    }
}
