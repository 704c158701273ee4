//! All integration tests in one binary: with an engine this large, each further one would cost minutes of linking.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
mod agreement;
mod athena;
mod catalog;
mod cli;
mod cli_data;
mod cli_datasets;
mod cli_groups;
mod cli_loads;
mod cli_records;
mod cli_signals;
mod compaction;
mod crash;
mod datasets;
mod demo;
mod faults;
mod files;
mod formats;
mod layers;
mod load;
mod offline;
mod online_contract;
mod point_in_time;
mod query;
mod sql;
mod support;
mod tui;
