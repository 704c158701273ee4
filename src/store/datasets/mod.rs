//! Training datasets: planning and running the point-in-time join over the store's groups.
//!
//! A request ([`crate::dataset::request`]) names a spine and features; [`plan`] finds out what they are, takes snapshots,
//! and refuses what can't work before anything is read; the result is pulled piece by piece.

mod plan;
mod spine;

pub use plan::{ColumnOrigin, DatasetInput, DatasetPlan, InputFeature, JoinedStream, PlanOptions};
