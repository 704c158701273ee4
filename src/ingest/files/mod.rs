//! Reading files: what they are, what schema they suggest, and their rows as columns of a feature group.
//!
//! [`resolve`] turns FILE arguments into [`Input`]s; [`infer_schema`] suggests a schema for them; [`Reading`]
//! yields their rows in batches, of which [`coerce()`] makes columns that fit the schema, and tells every row
//! that doesn't, with file, line, field and reason. Nothing here writes to a store.
//!
//! What must stay true: no value changes on its way. What can't be held exactly is refused and told, and memory
//! is bounded by the batch, not by the file.

mod batch;
mod coerce;
mod csv_rows;
mod header;
mod infer;
mod json_rows;
mod kind;
mod parquet_rows;
mod reading;
mod reject;
mod sources;

pub use batch::{Places, SourceBatch};
pub(crate) use coerce::coerce_expecting;
pub use coerce::{Coerced, coerce};
pub use header::Dropped;
pub use infer::{InferredSchema, infer_schema};
pub use reading::{Position, Reading};
pub use reject::{Place, Rejected, RejectsFile};
pub use sources::{Compression, Format, Input, resolve};
