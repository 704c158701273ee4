//! Training datasets: the point-in-time join over the store's groups, what was built with it, and why a cell is what it is.
//!
//! ```text
//! request -> [`plan`] groups found, snapshots taken -> join -> [`output`] rows to a [`place`] + content hash -> [`build`] manifest, catalog
//!              ^ spine: [`spine`], [`inputs`]                                                              |
//! [`lookup`] name, name@version, file  ------------------------------------------------------> [`manifest`] -> [`files`] rows read again
//! request -> [`print_sql`] the same question for another engine
//!     [`verify`] build again, compare     [`diff`] two of them     [`explain`] one cell     [`leaks`] known then and now
//! ```
//!
//! A request ([`crate::dataset::request`]) names a spine and features; [`plan`] finds out what they are, takes snapshots,
//! and refuses what can't work before anything is read; the result is pulled piece by piece. What must stay true: a
//! dataset is on disk, in the catalog and described by its manifest, or nothing of it is; a manifest says enough to build
//! the same rows again, and what has changed is told by name when that can't be.

pub mod build;
mod cells;
pub mod diff;
pub mod explain;
mod files;
mod inputs;
pub mod leaks;
mod lookup;
pub mod manifest;
mod output;
mod place;
mod plan;
mod print_sql;
mod rebuild;
mod rows;
mod spine;
pub mod verify;

pub use crate::dataset::point_in_time::JoinWatch;
pub use crate::dataset::print_sql::SqlDialect;
pub use crate::dataset::request::{DatasetRequest, FeatureSelection, SelectedFeature, SpineSource, TtlOverride};
pub use build::{BuildOptions, BuiltDataset};
pub use diff::DatasetDiff;
pub use explain::{CellQuestion, Explanation};
pub use leaks::LeakReport;
pub use lookup::DatasetSummary;
pub use manifest::Manifest;
pub use place::BuildOutput;
#[cfg(feature = "cluster")]
pub(in crate::store) use plan::half_of_memory;
pub use plan::{ColumnOrigin, DatasetInput, DatasetPlan, InputFeature, JoinedStream, PlanOptions};
pub use rebuild::Basis;
#[cfg(feature = "cluster")]
pub(in crate::store) use spine::Batches as SpineBatches;
pub use verify::{FileState, Verification};
