//! Kinds of columns: which figures a column has.
//!
//! Many arrow types are one kind, so that a feature keeps its profile when its files change from 32 to 64 bits, from
//! plain text to a dictionary, or from a list to a vector of fixed length.

use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use crate::model::{Error, Result};

/// What a column holds, as far as its figures differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Whole numbers of any width, and booleans as 0 and 1.
    Integral,
    /// Floats of any width and decimals, as doubles.
    Fractional,
    /// Text.
    Text,
    /// Timestamps and dates, as microseconds since 1970 in UTC.
    Time,
    /// Lists and vectors of numbers.
    Numbers,
    /// Lists of texts or times.
    Texts,
}

impl ColumnKind {
    /// The kind of an arrow type.
    ///
    /// # Errors
    /// A type that has no figures: it is named.
    pub fn of(data_type: &DataType) -> Result<Self> {
        use DataType as D;
        match data_type {
            D::Boolean | D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => Ok(Self::Integral),
            D::Float16 | D::Float32 | D::Float64 => Ok(Self::Fractional),
            D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => Ok(Self::Fractional),
            // A column without any value says nothing about its type; text takes it.
            D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Null => Ok(Self::Text),
            D::Timestamp(..) | D::Date32 | D::Date64 => Ok(Self::Time),
            D::Dictionary(_, values) => Self::of(values),
            D::List(field) | D::LargeList(field) | D::FixedSizeList(field, _) => match Self::of(field.data_type())? {
                Self::Integral | Self::Fractional => Ok(Self::Numbers),
                Self::Text | Self::Time => Ok(Self::Texts),
                Self::Numbers | Self::Texts => Err(unknown(data_type)),
            },
            _ => Err(unknown(data_type)),
        }
    }

    /// The word for it in JSON and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Integral => "integral",
            Self::Fractional => "fractional",
            Self::Text => "text",
            Self::Time => "time",
            Self::Numbers => "numbers",
            Self::Texts => "texts",
        }
    }

    /// Its byte in stored profiles.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Integral => 1,
            Self::Fractional => 2,
            Self::Text => 3,
            Self::Time => 4,
            Self::Numbers => 5,
            Self::Texts => 6,
        }
    }

    /// The inverse of [`Self::code`].
    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Integral, Self::Fractional, Self::Text, Self::Time, Self::Numbers, Self::Texts].into_iter().find(|kind| kind.code() == code)
    }

    /// The kind of the elements of a collection; none for what is no collection.
    pub fn elements(self) -> Option<Self> {
        match self {
            Self::Numbers => Some(Self::Fractional),
            Self::Texts => Some(Self::Text),
            _ => None,
        }
    }
}

pub(super) fn unknown(data_type: &DataType) -> Error {
    Error::invalid(format!("a column of type {data_type} has no statistics"))
        .remedy("store numbers, text, times, or lists of numbers and text")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn list(of: DataType) -> DataType {
        DataType::List(Arc::new(Field::new_list_field(of, true)))
    }

    #[test]
    fn many_types_are_one_kind() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        for (data_type, kind) in [
            (DataType::Boolean, ColumnKind::Integral),
            (DataType::UInt64, ColumnKind::Integral),
            (DataType::Float16, ColumnKind::Fractional),
            (DataType::Decimal256(40, 2), ColumnKind::Fractional),
            (dictionary, ColumnKind::Text),
            (DataType::Timestamp(TimeUnit::Nanosecond, None), ColumnKind::Time),
            (list(DataType::Int32), ColumnKind::Numbers),
            (list(DataType::Utf8View), ColumnKind::Texts),
        ] {
            assert_eq!(ColumnKind::of(&data_type).unwrap(), kind, "{data_type}");
        }
    }

    #[test]
    fn an_unknown_type_is_named() {
        for data_type in [DataType::Binary, list(list(DataType::Int8)), DataType::Duration(TimeUnit::Second)] {
            let message = ColumnKind::of(&data_type).unwrap_err().to_string();
            assert!(message.contains(&data_type.to_string()), "{message}");
        }
    }
}
