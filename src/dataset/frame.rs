//! Rows that somebody uploaded and named, as a table: the spines that AWS's client makes of data frames.
//!
//! The store reads them, this layer only asks: rows come batch by batch from a thread that may block, and no more than a
//! few batches wait.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;

use super::failure::into_engine;
use crate::model::error::Result;

/// Batches that may wait to be taken.
const WAITING: usize = 2;

/// Batches of a table, from a thread that may block.
pub type FrameBatches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A table of uploaded rows, as it was when a statement named it.
pub trait FrameRows: Debug + Send + Sync {
    /// Its columns.
    fn schema(&self) -> SchemaRef;
    /// Reads it from the start; blocks.
    fn batches(&self) -> Result<FrameBatches>;
}

/// The table under the names that a statement spells.
pub(super) fn frame_table(rows: &Arc<dyn FrameRows>, spell: impl Fn(&str) -> String) -> EngineResult<Arc<dyn TableProvider>> {
    let fields: Vec<_> = rows.schema().fields().iter().map(|field| field.as_ref().clone().with_name(spell(field.name()))).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let partition = Arc::new(Partition { rows: rows.clone(), schema: schema.clone() });
    Ok(Arc::new(StreamingTable::try_new(schema, vec![partition])?))
}

#[derive(Debug)]
struct Partition {
    rows: Arc<dyn FrameRows>,
    schema: SchemaRef,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.schema.clone(), WAITING);
        let (sender, rows, schema) = (builder.tx(), self.rows.clone(), self.schema.clone());
        builder.spawn_blocking(move || {
            for batch in rows.batches().map_err(into_engine)? {
                let batch = batch.map_err(into_engine)?;
                let spelled = RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?;
                // Nobody waits for more: the statement ended.
                if sender.blocking_send(Ok(spelled)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}
