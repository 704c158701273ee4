//! `larder tui`, and `larder` without a verb: the browser.

use std::io::{self, IsTerminal};

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::console::Console;
use super::exit::Exit;
use super::place::Place;
use super::{Browse, Ending};
use crate::model::Error;
use crate::tui::{keys_page, screens};

/// Open the terminal browser; the same as no verb
#[derive(Args, Debug, Default)]
#[command(after_help = "\
Examples:
  larder
  larder tui 'customer loyalty'
  larder tui --screen sql
  larder tui --read-only
  larder --store /srv/team/larder tui")]
pub(crate) struct Tui {
    /// Change nothing from the browser
    #[arg(long)]
    read_only: bool,
    /// What to look for
    text: Option<String>,
    /// The screen to begin with
    #[arg(long, value_parser = PossibleValuesParser::new(screens()))]
    screen: Option<String>,
    /// Colours: terminal, slate, paper, blue-orange, contrast, or own for your theme.toml
    #[arg(long)]
    theme: Option<String>,
    /// Draw with plain characters only
    #[arg(long)]
    ascii: bool,
    /// Nothing moves by itself
    #[arg(long)]
    reduced_motion: bool,
    /// Print every action with its keys, as Markdown, and end
    #[arg(long)]
    keys: bool,
}

impl Tui {
    /// Checks that there is a terminal to browse in.
    pub(crate) fn ending(self, place: &Place, console: &mut Console) -> Ending {
        if self.keys {
            let verdict = console.line(keys_page().trim_end()).map(|()| Exit::Done);
            return Ending::Exit(console.finish(verdict).code());
        }
        if console.json() || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let error = Error::usage("the browser needs a terminal").remedy("use a verb, such as `larder list`; see 'larder --help'");
            return Ending::Exit(console.finish(Err(error.into())).code());
        }
        match place.folder() {
            Ok(store) => Ending::Browse(Browse {
                store,
                read_only: self.read_only,
                object_store: place.object_store(),
                screen: self.screen,
                text: self.text,
                theme: self.theme,
                ascii: self.ascii,
                still: self.reduced_motion,
            }),
            Err(error) => Ending::Exit(console.finish(Err(error.into())).code()),
        }
    }
}
