//! `larder lineage link`: says which dataset a model was trained on.

use clap::Args;

use super::add::confirm;
use super::time;
use crate::cli::console::Console;
use crate::cli::exit::Verdict;
use crate::cli::place::Place;
use crate::store::lineage::{Declaration, EdgeKind};

/// Declare that a model was trained on a training dataset
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  larder lineage link churn-training@1 churn
  larder lineage link train.parquet churn@12 --at 2026-08-01T12:00:00Z")]
pub(super) struct LinkModel {
    /// Name, name@version or file of the dataset
    dataset: String,
    /// Name of the model
    model: String,
    /// When it was trained [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl LinkModel {
    pub(super) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let model = if self.model.starts_with("model:") { self.model } else { format!("model:{}", self.model) };
        let declaration = Declaration {
            from: self.dataset,
            to: model,
            kind: Some(EdgeKind::Trains),
            since: time(self.at.as_deref(), "--at")?,
            owner: None,
        };
        let store = place.open().await?;
        let declared = store.declare_lineage(&declaration).await?;
        store.close().await?;
        confirm(console, &declared)
    }
}
