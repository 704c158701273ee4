//! `larder demo`: a sample store to look around in.

use clap::Args;

/// Fill the store with sample groups, then open the browser
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder demo
  larder demo --no-tui
  larder --store /tmp/demo demo --no-tui --seed 7")]
pub(crate) struct Demo {
    /// Print what was made instead of opening the browser
    #[arg(long)]
    no_tui: bool,
    /// Make the data from this number: the same number makes the same data
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Demo {
    pub(crate) async fn run(&self, _: &super::place::Place, _: &mut super::console::Console) -> super::exit::Verdict {
        Err(crate::model::Error::internal("being written").into())
    }
    pub(crate) fn ending(
        self,
        verdict: super::exit::Verdict,
        _: &super::place::Place,
        console: &mut super::console::Console,
    ) -> super::Ending {
        super::Ending::Exit(console.finish(verdict).code())
    }
}
