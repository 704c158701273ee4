//! skeleton
use arrow::array::Array;

use super::figures::{Figures, Quantile, TopValue};
use super::histogram::{Histogram, HistogramBins};
use super::kind::ColumnKind;
use crate::model::{Error, Result};

/// The mergeable state of one column.
#[derive(Debug, Clone)]
pub struct ColumnProfile {
    kind: ColumnKind,
}

fn unfinished() -> Error {
    Error::internal("statistics are not finished")
}

#[allow(missing_docs)]
impl ColumnProfile {
    pub fn new(kind: ColumnKind) -> Self {
        Self { kind }
    }
    pub fn kind(&self) -> ColumnKind {
        self.kind
    }
    pub fn update(&mut self, _values: &dyn Array) -> Result<()> {
        Err(unfinished())
    }
    pub fn merge(&mut self, _other: &Self) -> Result<()> {
        Err(unfinished())
    }
    pub fn figures(&self) -> Figures {
        Figures {
            kind: self.kind,
            n: 0,
            nulls: 0,
            nan: 0,
            pos_inf: 0,
            neg_inf: 0,
            beyond: 0,
            zeros: 0,
            negatives: 0,
            empty: 0,
            mean: None,
            std: None,
            min: None,
            max: None,
            sum: None,
            distinct: super::figures::Distinct::default(),
            bytes: None,
            chars: None,
            items: None,
            norm: None,
            parses: None,
            quantiles: Vec::new(),
            rank_error: 0.0,
            top: Vec::new(),
            mode_share: None,
            entropy: None,
            once_share: None,
            spark: Vec::new(),
            exact: true,
            elements: None,
        }
    }
    pub fn quantiles(&self, at: &[f64]) -> Vec<Option<Quantile>> {
        vec![None; at.len()]
    }
    pub fn top(&self, _k: usize) -> Vec<TopValue> {
        Vec::new()
    }
    pub fn histogram(&self, _bins: HistogramBins) -> Option<Histogram> {
        None
    }
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self> {
        Err(unfinished())
    }
}
