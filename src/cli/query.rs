//! `larder query`: SQL over the history of every group.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

/// How the rows of an answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people
    Table,
    /// Comma-separated values with a heading
    Csv,
    /// One array of objects
    Json,
    /// Apache Parquet
    Parquet,
}

/// Ask SQL over the groups, one table per group
#[derive(Args, Debug)]
#[command(after_help = "\
A table holds the features, then write_time, api_invocation_time and is_deleted: every record ever stored, those put
a moment ago too. \"NAME$latest\" holds the newest live record per identifier. Names with hyphens are quoted.

Examples:
  larder query 'select count(*) from trips'
  larder query 'select avg(loyalty_score) from \"customer-features$latest\"' --json
  larder query 'select * from \"customer-features\"' -o customers.parquet
  larder query - --format csv < report.sql > report.csv")]
pub(crate) struct Query {
    /// The statement; '-' reads it from standard input
    sql: String,
    /// Write rows in this form [default: table; with -o, by the file's extension]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}
