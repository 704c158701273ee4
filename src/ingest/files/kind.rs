//! What the values of a column are, from arrow types or from text, and what two files make of it together.
//!
//! Text is read cautiously: a column is a number only if every value of it comes back unchanged. Digits with a
//! leading zero or a plus are codes, not numbers; integers beyond 64 bits, or beyond 53 bits among fractions,
//! stay text.

use std::borrow::Cow;

use arrow::datatypes::DataType;

use super::coerce::{boolean_text, is_nan_text, list_element_type};

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// No value at all.
    Empty,
    /// True or false.
    Boolean,
    /// Whole numbers within 64 bits.
    Integral {
        /// The largest magnitude seen, where values were seen.
        magnitude: u64,
    },
    /// Numbers with a fraction.
    Fractional,
    /// Dates or timestamps.
    Time,
    /// Text.
    Text,
    /// Lists of one kind.
    List(Box<Kind>),
    /// Lists of fractions that all have one length.
    Vector(u32),
}

const EXACT_IN_DOUBLE: u64 = 1 << 53;

impl Kind {
    /// The kind of an arrow column; none for what no feature can hold.
    pub(super) fn of_arrow(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => Self::Empty,
            DataType::Boolean => Self::Boolean,
            kind if kind.is_integer() => Self::Integral { magnitude: 0 },
            kind if kind.is_floating() || kind.is_decimal() => Self::Fractional,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Self::Time,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Dictionary(_, value) => Self::of_arrow(value)?,
            DataType::FixedSizeList(field, dimension) if field.data_type().is_floating() && (1..=8_192).contains(dimension) => {
                Self::Vector(u32::try_from(*dimension).ok()?)
            }
            other => match Self::of_arrow(list_element_type(other)?)? {
                Self::List(_) | Self::Vector(_) => return None,
                element => Self::List(Box::new(element)),
            },
        })
    }

    /// The kind that holds the values of both, none if there is none.
    pub(super) fn merge(self, other: Self) -> Option<Self> {
        use Kind::{Boolean, Empty, Fractional, Integral, List, Text, Time, Vector};
        Some(match (self, other) {
            (Empty, kind) | (kind, Empty) => kind,
            (Integral { magnitude: a }, Integral { magnitude: b }) => Integral { magnitude: a.max(b) },
            (a, b) if a == b => a,
            (Integral { magnitude }, Fractional) | (Fractional, Integral { magnitude }) => {
                if magnitude <= EXACT_IN_DOUBLE {
                    Fractional
                } else {
                    Text
                }
            }
            (List(a), List(b)) => List(Box::new(a.merge(*b)?)),
            (Vector(_), Vector(_)) => List(Box::new(Fractional)),
            (List(element), Vector(_)) | (Vector(_), List(element)) => List(Box::new(element.merge(Fractional)?)),
            (List(_) | Vector(_), _) | (_, List(_) | Vector(_)) => return None,
            (Boolean | Integral { .. } | Fractional | Time | Text, _) => Text,
        })
    }

    /// The kind as people call it.
    pub(super) fn describe(&self) -> Cow<'static, str> {
        match self {
            Self::Empty => "empty".into(),
            Self::Boolean => "true or false".into(),
            Self::Integral { .. } => "whole numbers".into(),
            Self::Fractional => "numbers".into(),
            Self::Time => "times".into(),
            Self::Text => "text".into(),
            Self::List(element) => format!("lists of {}", element.describe()).into(),
            Self::Vector(dimension) => format!("vectors of {dimension}").into(),
        }
    }
}

/// What the texts of a column have been so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    booleans: u64,
    integers: u64,
    magnitude: u64,
    fractions: u64,
    nans: u64,
    texts: u64,
}

impl Texts {
    /// Takes one value in that is not null.
    pub(super) fn see(&mut self, text: &str) {
        // Once text, always text.
        if self.texts > 0 {
            return;
        }
        let text = text.trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            match text.parse::<i64>() {
                Ok(value) if digits.len() == 1 || !digits.starts_with('0') => {
                    self.integers += 1;
                    self.magnitude = self.magnitude.max(value.unsigned_abs());
                }
                _ => self.texts += 1,
            }
        } else if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok() {
            // 007.5 is no number anybody would write.
            let code = digits.len() > 2 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
            if code { self.texts += 1 } else { self.fractions += 1 }
        } else if boolean_text(text).is_some() {
            self.booleans += 1;
        } else if is_nan_text(text) {
            self.nans += 1;
        } else if matches!(digits.to_ascii_lowercase().as_str(), "inf" | "infinity") {
            self.fractions += 1;
        } else {
            self.texts += 1;
        }
    }

    /// A JSON string: text whatever it looks like.
    pub(super) fn see_string(&mut self) {
        self.texts += 1;
    }

    /// What the column is.
    pub(super) fn kind(&self) -> Kind {
        let numbers = self.integers + self.fractions + self.nans;
        match (self.texts, self.booleans, numbers) {
            (0, 0, 0) => Kind::Empty,
            (0, _, 0) => Kind::Boolean,
            (0, 0, _) if self.fractions == 0 && self.integers > 0 => Kind::Integral { magnitude: self.magnitude },
            (0, 0, _) if self.magnitude <= EXACT_IN_DOUBLE => Kind::Fractional,
            _ => Kind::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kind(values: &[&str]) -> Kind {
        let mut texts = Texts::default();
        values.iter().for_each(|value| texts.see(value));
        texts.kind()
    }

    #[test]
    fn numbers_only_where_every_value_comes_back() {
        assert_eq!(kind(&[]), Kind::Empty);
        assert_eq!(kind(&["1", "-2", "0"]), Kind::Integral { magnitude: 2 });
        assert_eq!(kind(&["1", "2.5"]), Kind::Fractional);
        assert_eq!(kind(&["1", "NaN"]), Kind::Integral { magnitude: 1 });
        assert_eq!(kind(&["0.5", ".5", "1e-3", "-0.0", "inf"]), Kind::Fractional);
        assert_eq!(kind(&["9007199254740993", "0.5"]), Kind::Text);
        assert_eq!(kind(&["true", "False"]), Kind::Boolean);
        for text in ["01", "+1", "18446744073709551615", "1.2.3", "N", "2020-04-01", "0x1", "-", "007.5"] {
            assert_eq!(kind(&["1", text]), Kind::Text, "{text}");
        }
        assert_eq!(kind(&["true", "1"]), Kind::Text);
    }

    #[test]
    fn two_files_together() {
        let integral = |magnitude| Kind::Integral { magnitude };
        assert_eq!(integral(1).merge(Kind::Fractional), Some(Kind::Fractional));
        assert_eq!(integral(u64::MAX).merge(Kind::Fractional), Some(Kind::Text));
        assert_eq!(Kind::Empty.merge(Kind::Time), Some(Kind::Time));
        assert_eq!(Kind::Time.merge(Kind::Text), Some(Kind::Text));
        assert_eq!(Kind::Vector(2).merge(Kind::Vector(3)), Some(Kind::List(Box::new(Kind::Fractional))));
        assert_eq!(Kind::Vector(2).merge(Kind::Text), None);
    }
}
