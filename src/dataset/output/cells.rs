//! The text of one cell: what CSV and the table write.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef};
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::model::error::{Error, Result};

/// Writes the cells of one column of one batch.
pub(super) struct ColumnText<'a> {
    array: &'a ArrayRef,
    manner: Manner<'a>,
}

enum Manner<'a> {
    Text,
    Plain(ArrayFormatter<'a>),
    Nested(NullableEncoder<'a>),
}

impl<'a> ColumnText<'a> {
    /// Prepares a column; `options` must be the default ones and outlive it.
    pub(super) fn new(field: &'a FieldRef, array: &'a ArrayRef, options: &'a EncoderOptions) -> Result<Self> {
        let unprintable = |error: arrow::error::ArrowError| {
            Error::usage(format!("column '{}' of type {} has no text form", field.name(), field.data_type()))
                .source(error)
                .remedy("cast it, for example: arrow_cast(x, 'Utf8')")
        };
        let manner = match field.data_type() {
            DataType::Utf8 => Manner::Text,
            data_type if data_type.is_nested() => Manner::Nested(make_encoder(field, array, options).map_err(unprintable)?),
            _ => Manner::Plain(ArrayFormatter::try_new(array, &FormatOptions::new()).map_err(unprintable)?),
        };
        Ok(Self { array, manner })
    }

    /// Appends the cell's text; returns false, and appends nothing, if it is null.
    pub(super) fn append(&mut self, row: usize, text: &mut String) -> bool {
        if self.array.is_null(row) {
            return false;
        }
        match &mut self.manner {
            Manner::Text => text.push_str(self.array.as_string::<i32>().value(row)),
            // Writing to a String can't fail, and the formatter writes its own faults as text.
            Manner::Plain(formatter) => drop(write!(text, "{}", formatter.value(row))),
            Manner::Nested(encoder) => {
                let mut bytes = Vec::new();
                encoder.encode(row, &mut bytes);
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
        true
    }
}

/// True for types whose cells line up on the right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}
