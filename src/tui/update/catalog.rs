//! The list of all features: filter, sort, open the group at the feature.

use crate::model::FeatureGroup;
use crate::tui::matching::Haystack;
use crate::tui::model::Model;
use crate::tui::model::catalog::{Answer, FeatureName, Question};
use crate::tui::model::list::Move;
use crate::tui::model::screens::Screen;
use crate::tui::model::screens::Tab;
use crate::tui::msg::{Effect, Request, Slot};
use crate::tui::units::{Micros, SECOND};

/// The figures of the feature under the cursor are asked for at most so often: a cursor on its way asks for nothing.
const QUIET: Micros = SECOND * 12 / 100;

/// What can be searched in a feature; it inherits its group's owner and tags.
pub(crate) fn haystack(group: &FeatureGroup, place: usize) -> Haystack<'_> {
    let Some(feature) = group.schema.features().get(place) else { return Haystack::default() };
    Haystack {
        name: feature.name.as_str(),
        group: group.name.as_str(),
        description: feature.description.as_deref().unwrap_or_default(),
        owner: group.owner.as_deref().unwrap_or_default(),
        kind: feature.feature_type.as_str(),
        tags: [Some(&feature.parameters), Some(&group.tags)],
    }
}

/// Lists the features of the groups that are known now.
pub(super) fn gather(model: &mut Model) {
    let Some(groups) = model.groups.value() else { return };
    let all = groups.iter().enumerate().flat_map(|(at, group)| (0..group.schema.len()).map(move |feature| (at, feature)));
    model.catalog_screen.all = all.collect();
    show(model, false);
}

/// Filters and sorts again.
pub(super) fn show(model: &mut Model, to_best: bool) {
    let Some(groups) = model.groups.value() else { return };
    let screen = &mut model.catalog_screen;
    let all = &screen.all;
    let query = screen.filtered.query();
    let row_of = |place: usize| {
        let (group, feature) = all.get(place).copied().unwrap_or_default();
        groups.get(group).map(|group| (group.as_ref(), feature))
    };
    let haystacks = (0..all.len()).map(|place| row_of(place).map(|(group, feature)| haystack(group, feature)).unwrap_or_default());
    let mut rows = query.rank(haystacks);
    if query.is_empty() {
        if screen.by_name {
            rows.sort_by_key(|place| {
                row_of(*place).and_then(|(group, at)| group.schema.features().get(at)).map(|feature| feature.name.as_str())
            });
        }
        if screen.reversed {
            rows.reverse();
        }
    }
    let keys = |place: usize| key(row_of(place));
    match to_best {
        true => screen.filtered.show_best(rows, keys),
        false => screen.filtered.show(rows, keys),
    }
}

fn key(row: Option<(&FeatureGroup, usize)>) -> String {
    row.and_then(|(group, at)| Some(format!("{}.{}", group.name, group.schema.features().get(at)?.name))).unwrap_or_default()
}

pub(super) fn sort(model: &mut Model, reverse: bool) {
    let screen = &mut model.catalog_screen;
    match reverse {
        true => screen.reversed = !screen.reversed,
        false => (screen.by_name, screen.reversed) = (!screen.by_name, false),
    }
    show(model, false);
}

pub(super) fn go(model: &mut Model, to: Move) {
    let Some(groups) = model.groups.value() else { return };
    let screen = &mut model.catalog_screen;
    let all = &screen.all;
    screen.filtered.go(to, |place| {
        let (group, feature) = all.get(place).copied().unwrap_or_default();
        key(groups.get(group).map(|group| (group.as_ref(), feature)))
    });
}

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let target = model
        .feature_under_cursor()
        .and_then(|(group, place)| Some((group.name.to_string(), group.schema.features().get(place)?.name.to_string())));
    match target {
        Some((group, feature)) => super::group::open(model, &group, Tab::Schema, Some(feature)),
        None => Vec::new(),
    }
}

/// Asks for a line of evidence of every feature.
pub(super) fn ask_evidence(model: &mut Model) -> Effect {
    let now = model.now;
    model.known.evidence.ask(now);
    // What the store holds may be another by now.
    model.known.figures_of = None;
    model.ask(Slot::Evidence, Request::Catalog(Question::Evidence))
}

/// Asks for the figures of the feature under the cursor, once it has rested there.
pub(super) fn follow(model: &mut Model) -> Vec<Effect> {
    let Some(feature) = under_cursor(model) else {
        model.known.due = None;
        return Vec::new();
    };
    if model.known.figures_of.as_ref() == Some(&feature) {
        model.known.due = None;
        return Vec::new();
    }
    let due = model.known.asked + QUIET;
    if model.now < due {
        model.known.due = Some(due);
        return Vec::new();
    }
    let now = model.now;
    let known = &mut model.known;
    (known.due, known.asked) = (None, now);
    known.figures.ask(now);
    known.figures_of = Some(feature.clone());
    vec![model.ask(Slot::Figures, Request::Catalog(Question::Figures(feature)))]
}

/// The feature whose details stand beside the list.
fn under_cursor(model: &Model) -> Option<FeatureName> {
    if model.screen != Screen::Catalog {
        return None;
    }
    let (group, place) = model.feature_under_cursor()?;
    Some((group.name.to_string(), group.schema.features().get(place)?.name.to_string()))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Evidence(evidence) => model.known.evidence.answer(evidence),
        Answer::Figures(figures) => model.known.figures.answer(figures.map(|figures| *figures)),
    }
    Vec::new()
}
