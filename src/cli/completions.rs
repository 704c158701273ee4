//! `larder completions`: words for the Tab key.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::console::Console;
use super::exit::{Exit, Verdict};

/// Print completions for a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder completions bash > ~/.local/share/bash-completion/completions/larder
  larder completions zsh > ~/.zfunc/_larder
  larder completions fish > ~/.config/fish/completions/larder.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, console: &mut Console) -> Verdict {
        // Made in memory: the generator panics on a pipe whose reader has left.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "larder", &mut script);
        console.line(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Exit::Done)
    }
}
