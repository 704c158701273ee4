//! SQL as Athena runs it: statements that are started, looked after and fetched, with results in objects.
//!
//! ```text
//! text -> what it is [`statement`] -> queue -> the store's query -> result file in S3 [`result`]     [`executions`]
//!                                 \-> CREATE EXTERNAL TABLE -> a definition in the store's folder    [`tables`]
//!                                     whose files are read when a statement names it                 [`rows`]
//! groups and uploaded tables -> what the Glue catalog tells of them                                  [`catalog`]
//! ```
//!
//! What must stay true: an execution that is told to have succeeded has its whole result in place; one that was stopped
//! reads nothing more; how many run, wait and are remembered is bounded. Executions are remembered by the process that ran
//! them; tables and results lie in the store's folder, for every process.

mod catalog;
mod executions;
mod result;
mod rows;
mod statement;
mod tables;

pub use catalog::{ColumnDescription, DatabaseDescription, TableDescription};
pub(super) use executions::Executions;
pub use executions::{Execution, ExecutionRequest, ExecutionState, StatementType};
pub use result::{ResultColumn, ResultPage};
