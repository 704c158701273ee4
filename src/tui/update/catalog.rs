//! The list of all features: filter, sort, open the group at the feature.

use super::facets;
use crate::model::FeatureGroup;
use crate::tui::listing::{Asked, Listed, Order};
use crate::tui::matching::Haystack;
use crate::tui::model::Model;
use crate::tui::model::catalog::{Answer, FeatureName, Knowledge, Question};
use crate::tui::model::list::Move;
use crate::tui::model::screens::Screen;
use crate::tui::model::screens::Tab;
use crate::tui::msg::{Effect, Request, Slot};
use crate::tui::units::{Micros, SECOND};

/// The figures of the feature under the cursor are asked for at most so often: a cursor on its way asks for nothing.
const QUIET: Micros = SECOND * 12 / 100;
/// Rows that are told at once where words rank them.
const BEST: usize = 500;

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

/// The groups are others: gathers their features anew.
pub(super) fn gather(model: &mut Model) {
    model.catalog_screen.gather_due = true;
}

/// Something else is known of the features.
pub(super) fn stand(model: &mut Model) {
    model.catalog_screen.stand_due = true;
}

/// Filters and sorts again; the list stays as it is until the answer is here.
pub(super) fn show(model: &mut Model, to_best: bool) {
    let screen = &mut model.catalog_screen;
    screen.find_due = true;
    screen.to_best = to_best;
}

pub(super) fn sort(model: &mut Model, reverse: bool) {
    let screen = &mut model.catalog_screen;
    match reverse {
        true => screen.reversed = !screen.reversed,
        false => {
            let at = ORDERS.iter().position(|(order, _)| *order == screen.order).unwrap_or(0);
            (screen.order, screen.reversed) = (ORDERS[(at + 1) % ORDERS.len()].0, false);
        }
    }
    show(model, false);
}

/// The orders there are, with the column that each goes by.
pub(crate) const ORDERS: [(Order, &str); 6] = [
    (Order::Group, "GROUP"),
    (Order::Name, "FEATURE"),
    (Order::Nulls, "NULL"),
    (Order::Fresh, "FRESH"),
    (Order::Readers, "READERS"),
    (Order::Drift, "DRIFT"),
];

pub(super) fn go(model: &mut Model, to: Move) {
    let screen = &mut model.catalog_screen;
    if screen.facets.focused {
        return facets::go(&mut screen.facets, to);
    }
    screen.to_best = false;
    let length = screen.filtered.rows.len();
    screen.filtered.list.go(to, length);
    // Whoever comes to the end of the best wants to see more of them.
    if screen.filtered.list.at + 1 == length && length < screen.total && !screen.filtered.line.is_empty() {
        show(model, false);
    }
    remember(model);
}

/// Remembers the feature under the cursor, to find it again in another list.
pub(super) fn remember(model: &mut Model) {
    // With no rows left the old one stays: clearing the filter brings the cursor back.
    if let Some(feature) = named_under_cursor(model) {
        model.catalog_screen.aim = Some(feature);
    }
}

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    match named_under_cursor(model) {
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

/// Asks for what is due: the list, and what stands beside it.
pub(super) fn follow(model: &mut Model) -> Vec<Effect> {
    let mut effects = ask_list(model);
    effects.extend(ask_figures(model));
    effects
}

fn ask_list(model: &mut Model) -> Vec<Effect> {
    let screen = &model.catalog_screen;
    if screen.gather_due
        && let Some(stock) = screen.stock.clone()
    {
        let question = Question::Gather(stock, knowledge(model));
        return gathering(model, question);
    }
    if screen.stand_due
        && !screen.gathering
        && let Some(shelf) = screen.shelf.clone()
    {
        let question = Question::Stand(shelf, knowledge(model));
        return gathering(model, question);
    }
    if !screen.find_due {
        return Vec::new();
    }
    let Some(shelf) = screen.shelf.clone() else { return Vec::new() };
    let shown = screen.filtered.rows.len();
    let limit = if screen.to_best { BEST } else { BEST.max(shown * 2) };
    let text = screen.filtered.line.text().to_owned();
    let asked = Asked { text, limit, order: screen.order, reversed: screen.reversed, now: model.now };
    model.catalog_screen.find_due = false;
    vec![model.ask(Slot::Find, Request::Catalog(Question::Find(shelf, asked)))]
}

fn gathering(model: &mut Model, question: Question) -> Vec<Effect> {
    let screen = &mut model.catalog_screen;
    (screen.gather_due, screen.stand_due, screen.gathering) = (false, false, true);
    vec![model.ask(Slot::Gather, Request::Catalog(question))]
}

fn knowledge(model: &Model) -> Knowledge {
    let newest = model.summaries.iter().filter_map(|(name, summary)| Some((name.clone(), summary.value()?.newest?)));
    Knowledge { evidence: model.known.evidence.value().cloned(), newest: newest.collect(), origins: model.origins.clone() }
}

/// Asks for the figures of the feature under the cursor, once it has rested there.
fn ask_figures(model: &mut Model) -> Vec<Effect> {
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

/// The feature whose details stand beside the list, or on its own page.
fn under_cursor(model: &Model) -> Option<FeatureName> {
    if model.screen == Screen::Group && model.group_screen.tab == Tab::Overview {
        return Some((model.group_screen.name.clone(), model.group_screen.feature.clone()?));
    }
    if model.screen != Screen::Catalog {
        return None;
    }
    named_under_cursor(model)
}

/// The feature under the cursor of the list.
pub(super) fn named_under_cursor(model: &Model) -> Option<FeatureName> {
    let screen = &model.catalog_screen;
    let (group, feature) = screen.shelf.as_ref()?.listing().names(screen.filtered.selected()?)?;
    Some((group.to_owned(), feature.to_owned()))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Evidence(evidence) => {
            model.known.evidence.answer(evidence);
            stand(model);
        }
        Answer::Figures(figures) => model.known.figures.answer(figures.map(|figures| *figures)),
        Answer::Gathered(shelf) => {
            model.catalog_screen.gathering = false;
            match shelf {
                Ok(shelf) => {
                    // The rows of the old shelf may be others on the new one.
                    let same = model.catalog_screen.shelf.as_ref().is_some_and(|old| std::ptr::eq(old.listing(), shelf.listing()));
                    if !same {
                        model.catalog_screen.filtered.rows.clear();
                    }
                    model.catalog_screen.shelf = Some(shelf);
                    let to_best = model.catalog_screen.to_best;
                    show(model, to_best);
                }
                Err(error) => super::complain(model, error.line()),
            }
        }
        Answer::Found(Ok(listed)) => take_listed(model, listed),
        Answer::Found(Err(error)) => super::complain(model, error.line()),
    }
    Vec::new()
}

fn take_listed(model: &mut Model, listed: Listed) {
    let screen = &mut model.catalog_screen;
    let Some(shelf) = &screen.shelf else { return };
    let again = screen.aim.as_ref().filter(|_| !screen.to_best).and_then(|(group, feature)| shelf.listing().row_named(group, feature));
    screen.filtered.rows = listed.rows;
    let last = screen.filtered.rows.len().saturating_sub(1);
    let place = again.and_then(|row| screen.filtered.rows.iter().position(|shown| *shown == row));
    screen.filtered.list.at = if screen.to_best { 0 } else { place.unwrap_or(screen.filtered.list.at).min(last) };
    (screen.total, screen.note, screen.forgiven) = (listed.total, listed.note, listed.forgiven);
    screen.facets.all = listed.facets;
    facets::settle(&mut screen.facets);
    // While a word is typed the best of each letter passes under the cursor; nobody has chosen it.
    if !screen.to_best {
        remember(model);
    }
}
