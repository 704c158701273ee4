//! Asks the store what is known of features at a glance, and more of the one under the cursor.

use std::sync::Arc;

use async_trait::async_trait;

use super::statistics::feature_numbers;
use crate::model::{Error, Result};
use crate::store::{FeatureEvidence, FeatureStore};
use crate::sync;
use crate::tui::jobs::Voice;
use crate::tui::listing::{Drift, Finder, Listing, Standing};
use crate::tui::model::catalog::{Answer, Evidence, Knowledge, Line, Question, Shelf};
use crate::tui::model::remote::ErrorText;
use crate::tui::model::statistics::Level;
use crate::tui::msg::News;

/// What the browser asks.
#[async_trait]
pub(crate) trait CatalogSource: Send + Sync + 'static {
    /// Answers; none where a newer question came meanwhile.
    async fn answer_catalog(&self, question: Question, voice: &Voice) -> Option<Answer>;
}

#[async_trait]
impl CatalogSource for FeatureStore {
    async fn answer_catalog(&self, question: Question, voice: &Voice) -> Option<Answer> {
        let text = |error| ErrorText::from(&error);
        Some(match question {
            // Work for a processor: no thread that serves other questions is kept with it.
            Question::Gather(..) | Question::Stand(..) | Question::Find(..) => {
                let voice = voice.clone();
                let first = move |answer| voice.mention(News::Catalog(answer));
                return tokio::task::spawn_blocking(move || listed(question, &first)).await.unwrap_or_else(|_| {
                    let error =
                        Error::internal("the search of the catalog ended with an internal error").remedy("please report what you did");
                    Some(Answer::Found(Err(text(error))))
                });
            }
            Question::Evidence => {
                let found = sync::evidence(self).await.map_err(text);
                let lines = |found: crate::store::EvidenceByGroup| {
                    found.into_iter().map(|(group, of)| (group, of.into_iter().map(|(name, of)| (name, line(of))).collect())).collect()
                };
                Answer::Evidence(found.map(|found| Arc::new(Evidence::new(lines(found)))))
            }
            Question::Figures((group, feature)) => {
                let found = sync::kept_statistics(self, &group, &feature).await.map_err(text);
                Answer::Figures(found.map(|found| Box::new(found.as_ref().map(feature_numbers))))
            }
        })
    }
}

/// Answers what needs no store: puts features into columns and finds them there. `first` is told what the names alone say.
pub(crate) fn listed(question: Question, first: &dyn Fn(Answer)) -> Option<Answer> {
    match question {
        Question::Gather(groups, known) => Some(Answer::Gathered(gathered(groups, &known).map_err(|error| ErrorText::from(&error)))),
        Question::Stand(shelf, known) => {
            let standing = standing(shelf.listing(), &known);
            Some(Answer::Gathered(Ok(Shelf(Arc::new(shelf.0.standing(standing))))))
        }
        Question::Find(shelf, asked) => {
            let found = shelf.0.find(&asked, &mut |found| first(Answer::Found(Ok(found))));
            found.map(|found| Answer::Found(Ok(found)))
        }
        Question::Evidence | Question::Figures(_) => None,
    }
}

fn gathered(groups: Vec<Arc<crate::model::FeatureGroup>>, known: &Knowledge) -> Result<Shelf> {
    let listing = Listing::new(groups)?;
    let standing = standing(&listing, known);
    Ok(Shelf(Arc::new(Finder::new(Arc::new(listing), standing))))
}

/// What is known, as columns beside those of the listing.
fn standing(listing: &Listing, known: &Knowledge) -> Standing {
    let mut standing = Standing::unknown(listing);
    for (number, group) in listing.groups.iter().enumerate() {
        standing.sources[number] = known.origins.get(group.name.as_str()).map(|origin| origin.source.clone());
        standing.newest[number] = known.newest.get(group.name.as_str()).copied();
        let lines = known.evidence.as_ref().and_then(|evidence| evidence.lines.get(&group.id));
        for (name, line) in lines.into_iter().flatten() {
            let Ok((place, _)) = group.schema.feature(name) else { continue };
            let row = listing.rows_of(number).start + place;
            if let Some((nulls, rows)) = line.nulls {
                standing.nulls[row] = (nulls as f64 / rows as f64) as f32;
            }
            standing.drift[row] = match line.drift {
                Some(Level::Alert) => Drift::Alert,
                Some(Level::Watch) => Drift::Watch,
                Some(Level::Ok) => Drift::Ok,
                Some(Level::Few) => Drift::Few,
                None => Drift::Unknown,
            };
            standing.readers[row] = line.readers.map(|readers| u32::try_from(readers).unwrap_or(u32::MAX));
        }
    }
    standing
}

fn line(known: FeatureEvidence) -> Line {
    let level = |level: &str| match level {
        "alert" => Some(Level::Alert),
        "watch" => Some(Level::Watch),
        "ok" => Some(Level::Ok),
        _ => None,
    };
    Line {
        nulls: (known.rows > 0).then_some((known.nulls, known.rows)),
        shape: known.shape,
        drift: known.drift.as_deref().and_then(level),
        readers: known.readers,
    }
}
