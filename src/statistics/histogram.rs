//! Histograms: cut from a distribution when they are looked at, to the width of the pane.
//!
//! None is stored, so none is in the way of a merge; two that lie over each other share one list of edges.

use serde::{Deserialize, Serialize};

use super::figures::Value;

/// How a histogram is cut.
#[derive(Debug, Clone, PartialEq)]
pub enum HistogramBins {
    /// One bar for each value up to 20 distinct ones, else as many equal widths as Freedman and Diaconis ask for, 5 to 60.
    Auto,
    /// So many equal widths, at most 1,000.
    Count(usize),
    /// Between these edges, ascending: for two histograms that lie over each other.
    Edges(Vec<f64>),
}

/// A histogram of a numeric column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Edges of the bins, one more than counts; a bin holds its lower edge, the last one both. Empty where bars are values.
    pub edges: Vec<f64>,
    /// The value of each bar, where each bar is one value; else empty.
    pub values: Vec<Value>,
    /// Values in each bin, or of each value.
    pub counts: Vec<u64>,
    /// Values below the first edge.
    pub underflow: u64,
    /// Values above the last edge.
    pub overflow: u64,
    /// True where a logarithmic axis shows more: all values above zero, the 99th percentile over 50 medians.
    pub logarithmic: bool,
    /// Most that the share of a bin may be off by, with 99 % confidence; 0 where counts are exact.
    pub error: f64,
}
