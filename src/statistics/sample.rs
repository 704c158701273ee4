//! skeleton
use arrow::array::Array;

use crate::model::{Error, Result};

/// Values of the records whose identifiers hash lowest.
#[derive(Debug, Clone, Default)]
pub struct CoordinatedSample;

/// How two features agree on the records they share.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Agreement {
    /// Records in both samples with a value in both.
    pub common: usize,
    /// Share of them with equal values.
    pub equal_share: f64,
    /// A constant ratio of the second to the first that makes the most values equal, and their share.
    pub scaled_equal: Option<(f64, f64)>,
    /// Spearman's rank correlation; none where one side is constant or not numeric.
    pub spearman: Option<f64>,
}

#[allow(missing_docs)]
impl CoordinatedSample {
    pub fn new() -> Self {
        Self
    }
    pub fn update(&mut self, _identifiers: &dyn Array, _values: &dyn Array) -> Result<()> {
        Err(Error::internal("statistics are not finished"))
    }
    pub fn merge(&mut self, _other: &Self) -> Result<()> {
        Err(Error::internal("statistics are not finished"))
    }
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self> {
        Err(Error::internal("statistics are not finished"))
    }
}

/// How two features agree.
pub fn agreement(_a: &CoordinatedSample, _b: &CoordinatedSample) -> Agreement {
    Agreement { common: 0, equal_share: 0.0, scaled_equal: None, spearman: None }
}
