//! `larder lineage remove`: what was declared holds no longer.

use clap::Args;
use serde::Serialize;

use crate::cli::console::Console;
use crate::cli::exit::{Exit, Verdict};
use crate::cli::place::Place;
use crate::cli::text::visible;

/// Take back what was declared; questions about the past still see it
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder lineage remove --from customer-features.loyalty_score --to dashboard:loyalty")]
pub(super) struct Remove {
    /// Where data comes from
    #[arg(long, value_name = "NODE")]
    from: String,
    /// Where it goes
    #[arg(long, value_name = "NODE")]
    to: String,
}

/// The document of `lineage remove --json`.
#[derive(Serialize)]
struct Removed<'a> {
    from: &'a str,
    to: &'a str,
    removed: bool,
}

impl Remove {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let removed = store.end_declared_lineage(&self.from, &self.to).await?;
        store.close().await?;
        let line = format!("{} → {} holds no longer", visible(&self.from), visible(&self.to));
        if removed {
            console.confirm(line, &Removed { from: &self.from, to: &self.to, removed })?;
            return Ok(Exit::Done);
        }
        if console.json() {
            console.document(&Removed { from: &self.from, to: &self.to, removed })?;
        }
        console.complain(format!("nothing was declared from '{}' to '{}'", self.from, self.to));
        Ok(Exit::CheckSaysNo)
    }
}
