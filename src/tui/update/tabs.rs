//! Which tab of a group's page takes a key, a step or a refresh; each has a file of its own.

use super::{datasets, files, group, lineage, overview, rows, statistics, writes};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::list::Move;
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::msg::Effect;

/// Asks again for what the tab shows.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    match model.group_screen.tab {
        Tab::Stats | Tab::Drift => statistics::refresh(model),
        Tab::Lineage => lineage::refresh(model),
        Tab::Data => rows::refresh(model),
        Tab::Files => files::refresh(model),
        Tab::Datasets => datasets::refresh(model),
        // The rest shows what is asked for with every refresh.
        Tab::Overview => overview::refresh(model),
        Tab::Schema | Tab::Online | Tab::Use => Vec::new(),
    }
}

/// An action of the tab alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match model.group_screen.tab {
        Tab::Stats | Tab::Drift => statistics::act(model, action),
        Tab::Lineage => lineage::act(model, action),
        Tab::Data => rows::act(model, action),
        Tab::Files => files::act(model, action),
        Tab::Datasets => datasets::act(model, action),
        Tab::Online => writes::act(model, action),
        Tab::Overview => overview::act(model, action),
        Tab::Schema if action == Action::Open => group::open_feature(model),
        Tab::Schema | Tab::Use => Vec::new(),
    }
}

/// Moves the cursor of the tab.
pub(super) fn step(model: &mut Model, to: Move) -> Vec<Effect> {
    match model.group_screen.tab {
        Tab::Stats | Tab::Drift => return statistics::go(model, to),
        Tab::Lineage => return lineage::go(model, to),
        Tab::Data => return rows::go(model, to),
        Tab::Files => return files::go(model, to),
        Tab::Datasets => return datasets::go(model, to),
        Tab::Overview | Tab::Schema | Tab::Online | Tab::Use => group::go(model, to),
    }
    Vec::new()
}

/// What Esc takes away before it leaves the screen; none if there is nothing.
pub(super) fn back(model: &mut Model) -> Option<Vec<Effect>> {
    match (model.screen, model.group_screen.tab) {
        (Screen::Datasets, _) | (Screen::Group, Tab::Datasets) => datasets::back(model).then(Vec::new),
        (Screen::Group, Tab::Data) => rows::clear(model),
        _ => None,
    }
}

/// Stops what the screen waits for long; none if nothing runs.
pub(super) fn stop(model: &mut Model) -> Option<Vec<Effect>> {
    match (model.screen, model.group_screen.tab) {
        (Screen::Datasets, _) | (Screen::Group, Tab::Datasets) => datasets::stop(model),
        (Screen::Group, Tab::Data) => rows::stop(model),
        (Screen::Group, Tab::Stats) => statistics::stop(model),
        _ => None,
    }
}
