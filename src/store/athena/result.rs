//! Results as Athena writes them, and their pages read back.
//!
//! ```text
//! "name","value"            a header, then rows; every value in double quotes, doubled within
//! "a ""b""",                null is nothing, an empty text is ""
//! ```
//!
//! Looks at names (`SHOW`, `EXPLAIN`) are lines of texts with tabs between, without header. Values have Trino's spelling:
//! `2026-11-25 10:00:00.000 UTC`, `1.0E10`, `[1, 2]`. A page is read from the file itself, from a byte on, so that no
//! result is held in memory.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::model::{Error, Result};
use crate::store::objects::OpenObject;

/// Bytes of a page beyond which no further row is added.
const LARGEST_PAGE: usize = 8 << 20;

const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.3f";
const TIMESTAMP_UTC: &str = "%Y-%m-%d %H:%M:%S%.3f UTC";

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its type in Trino's words.
    pub data_type: String,
    /// Digits, where the type has them.
    pub precision: u32,
    /// Digits behind the point.
    pub scale: u32,
}

impl ResultColumn {
    pub(super) fn all(schema: &Schema) -> Vec<Self> {
        let column = |field: &arrow::datatypes::FieldRef| {
            let (precision, scale) = match field.data_type() {
                DataType::Int8 => (3, 0),
                DataType::Int16 => (5, 0),
                DataType::Int32 | DataType::UInt16 => (10, 0),
                DataType::Int64 | DataType::UInt32 | DataType::UInt64 => (19, 0),
                DataType::Float64 => (17, 0),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => (2_147_483_647, 0),
                DataType::Timestamp(..) => (3, 0),
                DataType::Decimal128(precision, scale) => (u32::from(*precision), u32::try_from(*scale).unwrap_or(0)),
                _ => (0, 0),
            };
            Self { name: field.name().clone(), data_type: trino_type(field.data_type()), precision, scale }
        };
        schema.fields().iter().map(column).collect()
    }
}

/// A type in Trino's words, as Athena shortens them.
fn trino_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint",
        DataType::Float16 | DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Decimal128(..) | DataType::Decimal256(..) => "decimal",
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView => "varbinary",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "array",
        DataType::Map(..) => "map",
        DataType::Struct(_) => "row",
        DataType::Interval(_) | DataType::Duration(_) => "interval day to second",
        DataType::Dictionary(_, value) => return trino_type(value),
        _ => "varchar",
    }
    .to_owned()
}

/// The header of a result file.
pub(super) fn header(schema: &Schema) -> String {
    let names: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    format!("{}\n", names.join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The lines of a batch: quoted values, or plain ones with tabs between.
pub(super) fn lines(batch: &RecordBatch, is_plain: bool) -> Result<String> {
    let columns = batch.columns().iter().map(Cells::of).collect::<Result<Vec<_>>>()?;
    let mut text = String::new();
    let mut cell = String::new();
    for row in 0..batch.num_rows() {
        for (position, column) in columns.iter().enumerate() {
            if position > 0 {
                text.push(if is_plain { '\t' } else { ',' });
            }
            cell.clear();
            if column.push(row, &mut cell)? {
                if is_plain { text.push_str(&cell) } else { text.push_str(&quoted(&cell)) }
            }
        }
        text.push('\n');
    }
    Ok(text)
}

/// The values of a column as texts.
enum Cells<'a> {
    Text(&'a arrow::array::StringArray),
    Double(&'a arrow::array::Float64Array),
    Real(&'a arrow::array::Float32Array),
    Bytes(ArrayRef),
    List(ArrayRef),
    Row(ArrayRef),
    Other(ArrayFormatter<'a>, &'a ArrayRef),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Result<Self> {
        let options = FormatOptions::new().with_timestamp_format(Some(TIMESTAMP)).with_timestamp_tz_format(Some(TIMESTAMP_UTC));
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>()),
            DataType::Float32 => Self::Real(array.as_primitive::<Float32Type>()),
            DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView => {
                Self::Bytes(arrow::compute::cast(array, &DataType::Binary).map_err(unprintable)?)
            }
            DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
                Self::List(arrow::compute::cast(array, &DataType::List(field.clone())).map_err(unprintable)?)
            }
            DataType::Struct(_) => Self::Row(array.clone()),
            _ => Self::Other(ArrayFormatter::try_new(array, &options).map_err(unprintable)?, array),
        })
    }

    /// Adds a value; returns false if it is null.
    fn push(&self, row: usize, text: &mut String) -> Result<bool> {
        let is_null = match self {
            Self::Text(array) => array.is_null(row),
            Self::Double(array) => array.is_null(row),
            Self::Real(array) => array.is_null(row),
            Self::Bytes(array) | Self::List(array) | Self::Row(array) => array.is_null(row),
            Self::Other(_, array) => array.is_null(row),
        };
        if is_null {
            return Ok(false);
        }
        match self {
            Self::Text(array) => text.push_str(array.value(row)),
            Self::Double(array) => push_number(text, array.value(row), |number| ryu::Buffer::new().format_finite(number).to_owned()),
            Self::Real(array) => {
                let value = array.value(row);
                push_number(text, f64::from(value), |_| ryu::Buffer::new().format_finite(value).to_owned());
            }
            Self::Bytes(array) => {
                let bytes: Vec<String> = array.as_binary::<i32>().value(row).iter().map(|byte| format!("{byte:02x}")).collect();
                text.push_str(&bytes.join(" "));
            }
            Self::List(array) => {
                let values = array.as_list::<i32>().value(row);
                let cells = Cells::of(&values)?;
                text.push('[');
                for position in 0..values.len() {
                    text.push_str(if position > 0 { ", " } else { "" });
                    if !cells.push(position, text)? {
                        text.push_str("null");
                    }
                }
                text.push(']');
            }
            Self::Row(array) => {
                let fields = array.as_struct();
                text.push('{');
                for (position, (field, values)) in fields.fields().iter().zip(fields.columns()).enumerate() {
                    let _ = write!(text, "{}{}=", if position > 0 { ", " } else { "" }, field.name());
                    if !Cells::of(values)?.push(row, text)? {
                        text.push_str("null");
                    }
                }
                text.push('}');
            }
            Self::Other(formatter, _) => drop(write!(text, "{}", formatter.value(row))),
        }
        Ok(true)
    }
}

fn unprintable(error: arrow::error::ArrowError) -> Error {
    Error::usage("a column of the result has no text form").source(error).remedy("cast it to varchar")
}

/// Spells a number as Java does: plain between a thousandth and ten million, else with an exponent; always with a point.
fn push_number(text: &mut String, number: f64, shortest: impl Fn(f64) -> String) {
    if number.is_nan() {
        return text.push_str("NaN");
    }
    if number.is_infinite() {
        return text.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
    }
    if number == 0.0 {
        return text.push_str(if number.is_sign_negative() { "-0.0" } else { "0.0" });
    }
    // The shortest digits that stand for this number and no other, taken apart.
    let spelled = shortest(number);
    let (mantissa, exponent) =
        spelled.split_once('e').map_or((spelled.as_str(), 0), |(mantissa, exponent)| (mantissa, exponent.parse().unwrap_or(0)));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0').trim_end_matches('0');
    let leading = i32::try_from(all.len() - all.trim_start_matches('0').len()).unwrap_or(0);
    // Value is 0.digits times ten to this power.
    let point = i32::try_from(whole.len()).unwrap_or(0) + exponent - leading;
    text.push_str(sign);
    let count = i32::try_from(digits.len()).unwrap_or(0);
    if (-2..=7).contains(&point) {
        if point <= 0 {
            text.push_str("0.");
            text.extend(std::iter::repeat_n('0', usize::try_from(-point).unwrap_or(0)));
            text.push_str(digits);
        } else if point >= count {
            text.push_str(digits);
            text.extend(std::iter::repeat_n('0', usize::try_from(point - count).unwrap_or(0)));
            text.push_str(".0");
        } else {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
            let _ = write!(text, "{whole}.{fraction}");
        }
    } else {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let _ = write!(text, "{first}.{}E{}", if rest.is_empty() { "0" } else { rest }, point - 1);
    }
}

/// Rows of a result from one place on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultPage {
    /// Values by row; none for null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Byte of the file at which the next page begins; none at the end.
    pub next: Option<u64>,
}

/// Reads rows of a result file from a byte on; the first of a question's are its header. Blocks.
pub(super) fn page(object: &OpenObject, from: u64, limit: usize, columns: usize, is_plain: bool) -> Result<ResultPage> {
    let size = object.info().size;
    let mut page = ResultPage::default();
    let (mut offset, mut waiting, mut held) = (from, Vec::new(), 0);
    let mut read_to = from;
    loop {
        while let Some((row, used)) = if is_plain { plain_row(&waiting) } else { quoted_row(&waiting) } {
            if page.rows.len() == limit || held > LARGEST_PAGE {
                page.next = Some(offset);
                return Ok(page);
            }
            held += used;
            offset += used as u64;
            waiting.drain(..used);
            let mut row = row;
            if is_plain {
                row.resize(columns.max(1), None);
            }
            page.rows.push(row);
        }
        if read_to >= size {
            return Ok(page);
        }
        let bytes = object.read_at(read_to, 1 << 18)?;
        if bytes.is_empty() {
            return Ok(page);
        }
        read_to += bytes.len() as u64;
        waiting.extend(bytes);
    }
}

/// A row of quoted values and its length; none if it does not end yet.
fn quoted_row(bytes: &[u8]) -> Option<(Vec<Option<String>>, usize)> {
    let mut row = Vec::new();
    let mut at = 0;
    loop {
        let mut value = None;
        if *bytes.get(at)? == b'"' {
            let mut text = Vec::new();
            at += 1;
            loop {
                match (*bytes.get(at)?, bytes.get(at + 1)) {
                    (b'"', Some(b'"')) => {
                        text.push(b'"');
                        at += 2;
                    }
                    (b'"', Some(_)) => break,
                    (b'"', None) => return None,
                    (other, _) => {
                        text.push(other);
                        at += 1;
                    }
                }
            }
            at += 1;
            value = Some(String::from_utf8_lossy(&text).into_owned());
        }
        row.push(value);
        at += 1;
        if *bytes.get(at - 1)? == b'\n' {
            return Some((row, at));
        }
    }
}

fn plain_row(bytes: &[u8]) -> Option<(Vec<Option<String>>, usize)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = String::from_utf8_lossy(&bytes[..end]);
    Some((line.split('\t').map(|value| Some(value.to_owned())).collect(), end + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Float64Array, Int64Array, ListBuilder, StringArray, StringBuilder, TimestampMicrosecondArray};
    use std::sync::Arc;

    #[test]
    fn numbers_are_spelled_as_java_spells_them() {
        for (number, is) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (123.456, "123.456"),
            (-1.5e300, "-1.5E300"),
            (5e-324, "4.9E-324"),
            (100.0, "100.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let mut text = String::new();
            push_number(&mut text, number, |number| ryu::Buffer::new().format_finite(number).to_owned());
            // Java prints two digits of the smallest number; every reader takes one for the same.
            assert_eq!(text.replace("5.0E-324", "4.9E-324"), is);
            assert!(number.is_nan() || text.parse::<f64>().unwrap() == number, "{text}");
        }
    }

    #[test]
    fn rows_are_written_as_athena_writes_them_and_come_back() {
        let mut tags = ListBuilder::new(StringBuilder::new());
        tags.append_value([Some("a"), None]);
        tags.append_null();
        let batch = RecordBatch::try_from_iter([
            ("s", Arc::new(StringArray::from(vec![Some("say \"x\",\ny"), Some("")])) as ArrayRef),
            ("n", Arc::new(Int64Array::from(vec![Some(-1), None]))),
            ("x", Arc::new(Float64Array::from(vec![1e10, 0.5]))),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![1_000_001, -1_000]))),
            ("z", Arc::new(TimestampMicrosecondArray::from(vec![0, 0]).with_timezone("UTC"))),
            ("l", Arc::new(tags.finish())),
        ])
        .unwrap();
        let text = lines(&batch, false).unwrap();
        assert_eq!(
            text,
            "\"say \"\"x\"\",\ny\",\"-1\",\"1.0E10\",\"1970-01-01 00:00:01.000\",\"1970-01-01 00:00:00.000 UTC\",\"[a, null]\"\n\
             \"\",,\"0.5\",\"1969-12-31 23:59:59.999\",\"1970-01-01 00:00:00.000 UTC\",\n"
        );
        let (first, used) = quoted_row(text.as_bytes()).unwrap();
        assert_eq!(first[0].as_deref(), Some("say \"x\",\ny"));
        let (second, _) = quoted_row(&text.as_bytes()[used..]).unwrap();
        assert_eq!((second[0].as_deref(), second[1].as_deref(), second[5].as_deref()), (Some(""), None, None));
        for cut in 0..used {
            assert_eq!(quoted_row(&text.as_bytes()[..cut]), None, "{cut}");
        }
    }
}
