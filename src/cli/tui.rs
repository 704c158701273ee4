//! `larder tui`, and `larder` without a verb: the browser.

use std::io::{self, IsTerminal};

use clap::Args;

use super::console::Console;
use super::place::Place;
use super::{Browse, Ending};
use crate::model::Error;

/// Open the terminal browser; the same as no verb
#[derive(Args, Debug, Default)]
#[command(after_help = "\
Examples:
  larder
  larder tui --read-only
  larder --store /srv/team/larder tui")]
pub(crate) struct Tui {
    /// Change nothing from the browser
    #[arg(long)]
    read_only: bool,
}

impl Tui {
    /// Checks that there is a terminal to browse in.
    pub(crate) fn ending(self, place: &Place, console: &mut Console) -> Ending {
        if console.json() || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let error = Error::usage("the browser needs a terminal").remedy("use a verb, such as `larder list`; see 'larder --help'");
            return Ending::Exit(console.finish(Err(error.into())).code());
        }
        match place.folder() {
            Ok(store) => Ending::Browse(Browse { store, read_only: self.read_only, object_store: place.object_store() }),
            Err(error) => Ending::Exit(console.finish(Err(error.into())).code()),
        }
    }
}
