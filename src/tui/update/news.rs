//! What jobs bring back. Whether an answer is still wanted was decided before.

use std::collections::HashSet;
use std::sync::Arc;

use super::{catalog, datasets, files, forms, group, groups, jobs, lineage, overview, record, refresh, rows, sql, statistics, writes};
use crate::model::FeatureGroup;
use crate::tui::listing::Listing;
use crate::tui::model::Model;
use crate::tui::model::catalog::Stock;
use crate::tui::model::data::Origins;
use crate::tui::model::remote::{ErrorText, Remote};
use crate::tui::msg::{Effect, News, Request, Slot};

pub(super) fn take(model: &mut Model, news: News) -> Vec<Effect> {
    match news {
        News::Groups(answer) => take_groups(model, answer),
        News::Summaries(answer) => {
            match answer {
                Ok(summaries) => {
                    for (name, summary) in summaries {
                        model.summaries.entry(name).or_default().answer(summary);
                    }
                }
                Err(error) => {
                    for summary in model.summaries.values_mut() {
                        summary.answer(Err(error.clone()));
                    }
                    super::complain(model, error.line());
                }
            }
            groups::show(model, false);
            catalog::stand(model);
            statistics::follow(model)
        }
        News::Identifiers(answer) => {
            model.group_screen.record.offers.answer(answer);
            let count = record::offers(model).len();
            let chosen = &mut model.group_screen.record.chosen;
            *chosen = chosen.filter(|at| *at < count);
            Vec::new()
        }
        News::Record(answer) => {
            let was_now =
                model.group_screen.record.found.value().is_none_or(|old| model.group_screen.record.version + 1 >= old.versions.len());
            let seen = model
                .group_screen
                .record
                .found
                .value()
                .and_then(|old| old.versions.get(model.group_screen.record.version))
                .map(|v| v.event_time);
            let screen = &mut model.group_screen.record;
            screen.found.answer(answer);
            let versions = screen.found.value().map(|found| found.versions.as_slice()).unwrap_or_default();
            let newest = versions.len().saturating_sub(1);
            // A refresh keeps the version one looks at; one who looks at now stays at now.
            screen.version = match seen {
                Some(time) if !was_now => versions.iter().rposition(|version| version.event_time == time).unwrap_or(newest),
                _ => newest,
            };
            Vec::new()
        }
        News::DemoProgress(progress) => {
            let since = model.demo.waiting_since().unwrap_or(model.now);
            model.demo = Remote::Stale(progress, since);
            Vec::new()
        }
        News::DemoDone(Ok(())) => {
            model.demo = Remote::Idle;
            refresh(model)
        }
        News::DemoDone(Err(error)) => {
            super::complain(model, error.line());
            model.demo = Remote::Failed(error, None);
            refresh(model)
        }
        News::Lineage(answer) => lineage::take(model, answer),
        News::Sql(answer) => sql::take(model, answer),
        News::Datasets(answer) => datasets::take(model, answer),
        News::Jobs(answer) => jobs::take(model, answer),
        News::Statistics(answer) => statistics::take(model, answer),
        News::Edits(answer) => forms::take(model, answer),
        News::Catalog(answer) => catalog::take(model, answer),
        News::Rows(answer) => rows::take(model, answer),
        News::Files(answer) => files::take(model, answer),
        News::Writes(answer) => writes::take(model, answer),
        News::Overview(answer) => overview::take(model, answer),
    }
}

fn take_groups(model: &mut Model, answer: Result<(Arc<Listing>, Origins), ErrorText>) -> Vec<Effect> {
    let failure = answer.as_ref().err().map(ErrorText::line);
    let answer = answer.map(|(listing, origins)| {
        model.origins = origins;
        let groups = listing.groups.clone();
        model.catalog_screen.stock = Some(Stock(listing));
        groups
    });
    model.groups.answer(answer);
    if let Some(failure) = failure {
        // What was here stays on the screen, so the reason has no pane of its own.
        if model.groups.value().is_some() {
            super::complain(model, failure);
        }
        return Vec::new();
    }
    // Of what lies elsewhere there are the numbers that came with it.
    let own = |group: &&Arc<FeatureGroup>| !model.origins.contains_key(group.name.as_str());
    let groups: Vec<Arc<FeatureGroup>> = model.groups.value().into_iter().flatten().filter(own).cloned().collect();
    let known: HashSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    model.summaries.retain(|name, _| known.contains(name.as_str()));
    let told = model.origins.iter().filter_map(|(group, origin)| Some((group.clone(), origin.history.clone()?)));
    for (group, history) in told.collect::<Vec<_>>() {
        model.summaries.entry(group).or_default().answer(Ok(history));
    }
    let now = model.now;
    for group in &groups {
        model.summaries.entry(group.name.to_string()).or_default().ask(now);
    }
    groups::show(model, false);
    catalog::gather(model);
    group::show_schema(model, false);
    if groups.is_empty() {
        return Vec::new();
    }
    vec![model.ask(Slot::Summaries, Request::Summaries(groups))]
}
