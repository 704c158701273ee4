//! The mouse: a click puts the cursor there, a second one opens, a click on a tab or a hint does what it says, the wheel moves the cursor.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::list::{List, Move};
use crate::tui::model::mouse::{Gesture, Mouse, Target};
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::msg::Effect;
use crate::tui::units::{Micros, SECOND};

/// Two clicks on one place within this are one on what is there.
const DOUBLE: Micros = SECOND * 2 / 5;
/// Rows a step of the wheel moves.
const WHEEL: usize = 3;

pub(super) fn take(model: &mut Model, mouse: Mouse) -> Vec<Effect> {
    match mouse.gesture {
        Gesture::WheelDown => wheel(model, Move::Down),
        Gesture::WheelUp => wheel(model, Move::Up),
        Gesture::Menu => super::palette::open(model),
        Gesture::Click => click(model, mouse.column, mouse.row),
    }
}

fn wheel(model: &mut Model, to: Move) -> Vec<Effect> {
    let mut effects = Vec::new();
    for _ in 0..WHEEL {
        effects.extend(super::step(model, model.focus(), to));
    }
    effects
}

fn click(model: &mut Model, column: u16, row: u16) -> Vec<Effect> {
    let now = model.now;
    let again = model.clicked.replace((now, column, row)).is_some_and(|(then, c, r)| now - then <= DOUBLE && (c, r) == (column, row));
    let target = model.targets.borrow().iter().rev().find(|(place, _)| place.holds(column, row)).map(|(_, target)| *target);
    if let Some(target) = target {
        return match target {
            Target::Act(action) => super::act(model, model.focus(), action),
            Target::Tab(tab) => super::group::show_tab(model, tab),
            Target::Node(node) => {
                super::lineage::point_at(model, node);
                if again { super::act(model, model.focus(), Action::Open) } else { Vec::new() }
            }
            Target::Head(column) => {
                put_into(model, column);
                super::act(model, model.focus(), Action::SortRows)
            }
            Target::Cell(into) => {
                put_into(model, into);
                on_row(model, (column, row), again)
            }
            Target::Facet(line) => {
                model.catalog_screen.facets.list.at = line;
                super::facets::toggle(model)
            }
        };
    }
    on_row(model, (column, row), again)
}

/// Puts the cursor on the row of a cell, and opens it if it was clicked on before.
fn on_row(model: &mut Model, (column, row): (u16, u16), again: bool) -> Vec<Effect> {
    let Some(place) = list_under_focus(model).and_then(|list| list.row_at(column, row)) else { return Vec::new() };
    if model.layer.is_none() && model.help.is_none() {
        // A click among the rows of a result leaves the statement.
        model.sql.typing &= model.screen != Screen::Sql;
    }
    model.catalog_screen.facets.focused = false;
    let focus = model.focus();
    let mut effects = super::step(model, focus, Move::To(place));
    if again {
        let open = if model.layer.is_some() { Action::Choose } else { Action::Open };
        effects.extend(super::act(model, focus, open));
    }
    effects
}

/// Puts the cursor into a column of the rows that are shown.
fn put_into(model: &mut Model, column: usize) {
    match (&mut model.datasets.open, model.screen, model.group_screen.tab) {
        (Some(open), Screen::Datasets, _) | (Some(open), Screen::Group, Tab::Datasets) => open.grid.column = column,
        (_, Screen::Group, Tab::Data) => model.rows.grid.column = column,
        (_, Screen::Sql, _) => model.sql.grid.column = column,
        _ => {}
    }
}

/// The list that has the keys.
fn list_under_focus(model: &Model) -> Option<&List> {
    use crate::tui::model::layer::Layer;
    if let Some(help) = &model.help {
        return Some(&help.list);
    }
    match &model.layer {
        Some(Layer::Palette(palette)) => return Some(&palette.list),
        Some(Layer::Themes(list, _) | Layer::Messages(list)) => return Some(list),
        Some(Layer::Columns(choice)) => return Some(&choice.list),
        Some(Layer::Record(form)) if !form.confirming => return Some(&form.list),
        Some(Layer::Form(_) | Layer::Record(_)) => return None,
        None => {}
    }
    match (model.screen, model.group_screen.tab) {
        (Screen::Groups, _) => Some(&model.groups_screen.filtered.list),
        (Screen::Catalog, _) => Some(&model.catalog_screen.filtered.list),
        (Screen::Group, Tab::Schema) => Some(&model.group_screen.schema.list),
        (Screen::Group, Tab::Online) => Some(&model.group_screen.record.rows),
        (Screen::Group, Tab::Use) => Some(&model.group_screen.snippets),
        (Screen::Group, Tab::Stats) => Some(&model.statistics.list),
        (Screen::Group, Tab::Drift) => Some(&model.statistics.drift_list),
        (Screen::Group, Tab::Data) => Some(&model.rows.grid.list),
        (Screen::Group, Tab::Files) => Some(&model.files.list),
        (Screen::Datasets, _) | (Screen::Group, Tab::Datasets) => {
            Some(model.datasets.open.as_ref().map_or(&model.datasets.list, |open| &open.grid.list))
        }
        (Screen::Lineage, _) | (Screen::Group, Tab::Lineage) => Some(&model.lineage.list),
        (Screen::Sql, _) => Some(&model.sql.grid.list),
        (Screen::Jobs, _) => Some(&model.jobs.list),
        (Screen::Group, Tab::Overview) => None,
    }
}
