//! The binary: runs the command line, and the browser where that is what was asked for.

use std::process::ExitCode;

use larder::cli::{self, Ending};
use larder::tui::{self, TuiOptions};

fn main() -> ExitCode {
    ExitCode::from(match cli::run(std::env::args_os()) {
        Ending::Exit(code) => code,
        Ending::Browse(browse) => browse.run(|store, read_only| tui::run(store, TuiOptions { read_only })),
    })
}
