//! All integration tests in one binary: with an engine this large, each further one would cost minutes of linking.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
mod catalog;
mod files;
mod query;
