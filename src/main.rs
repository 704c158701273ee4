//! The binary: runs the command line, and the browser where that is what was asked for.

use std::process::ExitCode;

use larder::cli::{self, Browse, Ending};
use larder::tui::{self, TuiOptions};

// How it is set stands in .cargo/config.toml, since it is built with it.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(match cli::run(std::env::args_os()) {
        Ending::Exit(code) => code,
        Ending::Browse(browse) => browse.run(|store, asked| {
            let Browse { read_only, screen, text, theme, ascii, still, .. } = asked;
            tui::run(store, TuiOptions { read_only, screen, text, theme, ascii, still })
        }),
    })
}
