//! How what is listed stands: columns beside those of a [`Listing`], which change more often.
//!
//! A column of which nothing is known has no rows: most catalogs are profiled in parts, many not at all.

use super::listed::Listing;

/// How far a feature drifted, the worst of its last comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drift {
    /// Nobody compared it.
    #[default]
    Unknown,
    /// Too few rows to say.
    Few,
    /// Not noticeably.
    Ok,
    /// Worth watching.
    Watch,
    /// Beyond the limit.
    Alert,
}

impl Drift {
    pub(super) const WORDS: [(Self, &'static str); 4] =
        [(Self::Alert, "alert"), (Self::Watch, "watch"), (Self::Ok, "ok"), (Self::Few, "few")];
}

/// The standing of every row and group of a listing.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    rows: usize,
    nulls: Vec<f32>,
    drift: Vec<Drift>,
    readers: Vec<u32>,
    /// Newest event time of each group, in microseconds since 1970.
    pub newest: Vec<Option<i64>>,
    /// Where each group was synced from; none for one of this store.
    pub sources: Vec<Option<String>>,
}

/// Share of nulls of a row that nobody looked at.
const NO_NULLS: f32 = -1.0;
/// Readers of a row whose reads are not recorded.
const NO_READERS: u32 = u32::MAX;

impl Standing {
    /// Nothing is known of anything.
    pub fn unknown(listing: &Listing) -> Self {
        let groups = listing.groups.len();
        Self { rows: listing.len(), newest: vec![None; groups], sources: vec![None; groups], ..Self::default() }
    }

    /// Share of a row's values that are null, if it is known.
    pub fn nulls(&self, row: usize) -> Option<f32> {
        self.nulls.get(row).copied().filter(|share| *share >= 0.0)
    }

    /// Drift of a row.
    pub fn drift(&self, row: usize) -> Drift {
        self.drift.get(row).copied().unwrap_or_default()
    }

    /// Readers of a row in 30 days; none if reads are not recorded.
    pub fn readers(&self, row: usize) -> Option<u32> {
        self.readers.get(row).copied().filter(|readers| *readers != NO_READERS)
    }

    /// Says what share of a row's values is null.
    pub fn set_nulls(&mut self, row: usize, share: f32) {
        set(&mut self.nulls, self.rows, NO_NULLS, row, share);
    }

    /// Says how far a row drifted.
    pub fn set_drift(&mut self, row: usize, drift: Drift) {
        set(&mut self.drift, self.rows, Drift::Unknown, row, drift);
    }

    /// Says how many readers a row had in 30 days.
    pub fn set_readers(&mut self, row: usize, readers: u64) {
        set(&mut self.readers, self.rows, NO_READERS, row, u32::try_from(readers).unwrap_or(u32::MAX).min(NO_READERS - 1));
    }
}

fn set<T: Copy>(column: &mut Vec<T>, rows: usize, nothing: T, row: usize, value: T) {
    if column.is_empty() {
        column.resize(rows, nothing);
    }
    if let Some(cell) = column.get_mut(row) {
        *cell = value;
    }
}
