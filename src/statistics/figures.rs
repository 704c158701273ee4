//! Figures: every number of a profile that a person or a program reads, without the sketches.
//!
//! They are kept as JSON beside the sketches and outlive them, so a history of years costs a few hundred bytes a column
//! and run. Field names are a contract; a reader takes a missing field as its default. Every number here is finite.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::ColumnKind;

/// Ranks of [`Figures::quantiles`]: 0, 5, 10, … 95, 100 percent and the 1st and 99th, ascending.
pub const QUANTILE_RANKS: [f64; 23] = [
    0.0, 0.01, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 0.99, 1.0,
];

/// A value of a column, as its kind has it: a number exactly, a text or time as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Of an Integral column.
    Integer(i64),
    /// Of a Fractional column; finite.
    Number(f64),
    /// Of a Text column, cut to 128 bytes; of a Time column, ISO-8601 in UTC.
    Text(String),
}

impl Value {
    /// The value as a number; none for text.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => f.write_str(ryu::Buffer::new().format_finite(*value)),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Number of distinct values: bounds of two standard deviations, equal where it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Distinct {
    /// Best guess.
    pub estimate: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// True where every distinct value was counted.
    pub exact: bool,
}

/// Shortest, mean and longest length.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthFigures {
    /// Shortest.
    pub min: u64,
    /// Mean.
    pub mean: f64,
    /// Longest.
    pub max: u64,
}

/// Least, mean and greatest Euclidean norm of vectors; those with an element that isn't finite are left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NormFigures {
    /// Least.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// Greatest.
    pub max: f64,
}

/// How many texts read as something else: people keep numbers and times as text often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParsesAs {
    /// Whole numbers of 64 bits.
    pub integer: u64,
    /// Finite numbers in decimal or scientific notation, whole ones included.
    pub float: u64,
    /// ISO-8601 times and dates.
    pub time: u64,
}

/// A value and how often it occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopValue {
    /// The value as text; long texts are cut to 128 bytes.
    pub value: String,
    /// It occurs at least so often,
    pub low: u64,
    /// and at most so often; both are equal where counts are exact.
    pub high: u64,
}

/// A quantile: a value that occurred, and the values at its rank plus and minus the sketch's error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// Smallest value of which at least this share of the values is no greater (numpy's `inverted_cdf`).
    pub value: Value,
    /// The value at the rank less the error.
    pub low: Value,
    /// The value at the rank plus the error.
    pub high: Value,
    /// True where every value was counted.
    pub exact: bool,
}

/// Figures of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// What the column holds.
    pub kind: ColumnKind,
    /// Rows.
    pub n: u64,
    /// Rows without a value.
    pub nulls: u64,
    /// Not-a-number; like both infinities it is in no other figure.
    #[serde(default)]
    pub nan: u64,
    /// Plus infinity.
    #[serde(default)]
    pub pos_inf: u64,
    /// Minus infinity.
    #[serde(default)]
    pub neg_inf: u64,
    /// Unsigned numbers above 2^63 − 1; in no other figure.
    #[serde(default)]
    pub beyond: u64,
    /// Values equal to zero.
    #[serde(default)]
    pub zeros: u64,
    /// Values below zero.
    #[serde(default)]
    pub negatives: u64,
    /// Empty texts or collections.
    #[serde(default)]
    pub empty: u64,
    /// Arithmetic mean, correctly rounded; numbers only.
    #[serde(default)]
    pub mean: Option<f64>,
    /// Sample standard deviation (n − 1); none below two values.
    #[serde(default)]
    pub std: Option<f64>,
    /// Least value; of text the first 128 bytes.
    #[serde(default)]
    pub min: Option<Value>,
    /// Greatest value; of text the first 128 bytes.
    #[serde(default)]
    pub max: Option<Value>,
    /// Exact sum of an Integral column in decimal; it may need more than 64 bits.
    #[serde(default)]
    pub sum: Option<String>,
    /// Distinct values; of collections, distinct collections.
    #[serde(default)]
    pub distinct: Distinct,
    /// Lengths of texts in bytes.
    #[serde(default)]
    pub bytes: Option<LengthFigures>,
    /// Lengths of texts in characters.
    #[serde(default)]
    pub chars: Option<LengthFigures>,
    /// Numbers of elements of collections; a vector's dimension where least and greatest are equal.
    #[serde(default)]
    pub items: Option<LengthFigures>,
    /// Norms of lists of numbers.
    #[serde(default)]
    pub norm: Option<NormFigures>,
    /// What texts read as.
    #[serde(default)]
    pub parses: Option<ParsesAs>,
    /// Values at [`QUANTILE_RANKS`]; empty for text and collections.
    #[serde(default)]
    pub quantiles: Vec<Value>,
    /// One-sided rank error of the quantiles, with 99 % confidence; 0 where they are exact.
    #[serde(default)]
    pub rank_error: f64,
    /// The most frequent values, most frequent first; empty where there are too many distinct ones to tell.
    #[serde(default)]
    pub top: Vec<TopValue>,
    /// Share of the most frequent value among the values, at least.
    #[serde(default)]
    pub mode_share: Option<f64>,
    /// −Σ p·ln p over all distinct values, in nats; only where counts are exact.
    #[serde(default)]
    pub entropy: Option<f64>,
    /// Share of the distinct values that occur once; only where counts are exact.
    #[serde(default)]
    pub once_share: Option<f64>,
    /// A histogram of eight cells for a line of small bars; empty where there is none.
    #[serde(default)]
    pub spark: Vec<u64>,
    /// True where no figure is an estimate.
    pub exact: bool,
    /// Figures of the elements of collections.
    #[serde(default)]
    pub elements: Option<Box<Figures>>,
}

/// Most bars of a shape.
const BARS: usize = 8;

/// The shape of values without an axis: how often the most frequent ones occur, at most eight of them.
pub fn frequencies(top: &[TopValue]) -> Vec<u64> {
    top.iter().take(BARS).map(|top| top.low).collect()
}

impl Figures {
    /// At most eight bars: the histogram in small, or where there is no axis the most frequent values.
    pub fn shape(&self) -> Vec<u64> {
        if self.spark.is_empty() { frequencies(&self.top) } else { self.spark.clone() }
    }

    /// Rows with a value that counts: neither null nor NaN nor infinite.
    pub fn values(&self) -> u64 {
        self.n.saturating_sub(self.nulls + self.nan + self.pos_inf + self.neg_inf + self.beyond)
    }

    /// Share of rows with a value; none without rows.
    pub fn completeness(&self) -> Option<f64> {
        (self.n > 0).then(|| (self.n - self.nulls.min(self.n)) as f64 / self.n as f64)
    }

    /// The quantile at one of [`QUANTILE_RANKS`].
    pub fn quantile(&self, rank: f64) -> Option<&Value> {
        let place = QUANTILE_RANKS.iter().position(|known| (known - rank).abs() < 1e-9)?;
        self.quantiles.get(place)
    }
}
