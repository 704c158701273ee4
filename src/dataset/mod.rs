//! The read path for training and for questions: SQL over the groups of a store.
//!
//! ```text
//! SQL text -> names spelled [`spelling`] -> groups opened [`tables`] -> plan -> stream [`session`] -> text or file [`output`]
//!             Trino's forms [`trino`]          |                        |
//!                                              |                        [`functions`], text as time [`text_times`]
//!                              "group"        [`table`]   every record: files that can matter + unflushed rows
//!                              "group$latest" [`latest`]  the newest live record per identifier
//!                              uploaded rows  [`frame`]   a table that AWS's client made of a data frame
//!                              asof(…)        [`asof`]    a spine with features as of each row's time
//!             where its columns come from [`column_lineage`]
//! on several machines, if they are asked to: cluster, a feature of this crate
//! request [`request`] -> the same question for another engine [`print_sql`]
//! request [`request`] -> spine and snapshots -> [`point_in_time`] -> rows in the spine's order -> file [`output`], hash [`content_hash`]
//!                                                                                  -> or files of the store [`row_files`]
//! ```
//!
//! This layer reads snapshots that the store hands in ([`GroupSource`]); it knows neither the catalog nor who writes.
//! It never writes anything but its spill folder and, where it is told to, files of rows. What it must keep: a statement sees every acknowledged record once;
//! leaving files out never changes an answer; memory stays within its limit; dropping a result stops its work.

mod asof;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod column_lineage;
pub mod content_hash;
mod cross_join;
mod failure;
mod frame;
mod functions;
mod instant_filters;
mod instants;
mod latest;
mod output;
mod planning;
pub mod point_in_time;
pub mod print_sql;
pub mod profiling;
mod pruning;
mod reader;
pub mod request;
pub mod row_files;
mod scan;
mod session;
mod spelling;
mod spill;
mod sql_types;
mod table;
mod tables;
mod text_times;
mod trino;
mod yielding;

pub use frame::{FrameBatches, FrameRows};
pub(crate) use output::unwritable;
pub use output::{OutputFormat, ResultWriter, result_writer, write_pieces, write_result};
pub use scan::{GroupScan, ScanFile};
pub use session::{EngineOptions, GlueTable, GroupSource, QueryEngine, QueryOptions, QueryStream};
