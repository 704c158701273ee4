//! All integration tests in one binary: with an engine this large, each further one would cost minutes of linking.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
mod catalog;
mod demo;
mod files;
mod load;
mod query;
mod layers;
mod online_contract;
mod formats;
mod offline;
mod cli;
mod cli_data;
mod cli_groups;
mod cli_loads;
mod cli_records;
mod cli_signals;
mod support;
mod tui;
mod crash;
mod faults;
mod agreement;
