//! Which rows of which files are winners: one bit a row.
//!
//! A bit costs an eighth of a byte a row, whatever the identifiers look like, and turns into the reader's row
//! selection directly. What it takes is asked of the memory pool first.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanBufferBuilder, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Decimal256Type;
use datafusion::error::Result as EngineResult;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use parquet::arrow::arrow_reader::RowSelection;

use super::keys::Key;

/// The winners of a group.
#[derive(Debug)]
pub(super) struct Winners {
    /// By number of the file; the last one stands for the unflushed rows.
    places: Vec<BooleanBuffer>,
    /// Returns its bytes when this goes.
    _reservation: MemoryReservation,
}

impl Winners {
    /// Runs the plan that chooses, and keeps those winners that are alive.
    pub(super) async fn find(
        choice: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        places: usize,
        oldest: Option<i64>,
    ) -> EngineResult<Self> {
        let reservation = MemoryConsumer::new("rows of $latest").register(context.memory_pool());
        let mut bits: Vec<BooleanBufferBuilder> = (0..places).map(|_| BooleanBufferBuilder::new(0)).collect();
        let mut batches = execute_stream(choice, context)?;
        while let Some(batch) = batches.next().await {
            for key in batch?.column(0).as_primitive::<Decimal256Type>().iter().flatten() {
                let key = Key::read(key);
                if key.is_deleted || oldest.is_some_and(|oldest| key.event_time < oldest) {
                    continue;
                }
                let Some(rows) = bits.get_mut(key.file) else { continue };
                if key.row >= rows.len() {
                    // Doubling keeps the number of requests small.
                    let length = (key.row + 1).next_power_of_two().max(1024);
                    reservation.try_grow((length - rows.len()) / 8)?;
                    rows.resize(length);
                }
                rows.set_bit(key.row, true);
            }
        }
        let places = bits.iter_mut().map(BooleanBufferBuilder::finish).collect();
        Ok(Self { places, _reservation: reservation })
    }

    /// True if some row of a file is a winner.
    pub(super) fn is_any_in(&self, place: usize) -> bool {
        self.places[place].count_set_bits() > 0
    }

    /// The winners of a file that has so many rows.
    pub(super) fn selection(&self, place: usize, rows: usize) -> RowSelection {
        RowSelection::from_consecutive_ranges(self.places[place].set_slices().map(|(from, to)| from..to), rows)
    }

    /// Numbers of the winners among the unflushed rows.
    pub(super) fn rows(&self, place: usize) -> UInt64Array {
        UInt64Array::from_iter_values(self.places[place].set_indices().map(|row| row as u64))
    }
}
