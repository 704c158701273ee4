//! Choosing the columns of a list or of rows: each choice is seen at once behind the layer.

use crate::tui::model::Model;
use crate::tui::model::columns::{ColumnChoice, ColumnsOf, Listed};
use crate::tui::model::grid::Grid;
use crate::tui::model::layer::Layer;
use crate::tui::model::line::Edit;
use crate::tui::model::list::{List, Move};
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::msg::Effect;

/// Opens the choice for what is shown.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let Some(of) = of(model) else { return Vec::new() };
    let columns: Vec<(String, bool)> = match of {
        ColumnsOf::List(list) => {
            list.columns().iter().map(|title| ((*title).to_owned(), !model.hidden_columns.holds(list, title))).collect()
        }
        ColumnsOf::Rows => {
            let Some(grid) = rows(model) else { return Vec::new() };
            let heads = grid.rows.value().map(|pages| pages.columns.as_slice()).unwrap_or_default();
            heads.iter().map(|head| (head.name.clone(), !grid.hidden.contains(&head.name))).collect()
        }
    };
    if columns.is_empty() {
        super::tell(model, "there are no columns to choose from yet".to_owned());
        return Vec::new();
    }
    let at = rows(model).filter(|_| of == ColumnsOf::Rows).map_or(0, |grid| grid.column);
    model.layer = Some(Layer::Columns(ColumnChoice { of, columns, list: List::at(at) }));
    Vec::new()
}

fn of(model: &Model) -> Option<ColumnsOf> {
    Some(ColumnsOf::List(match (model.screen, model.group_screen.tab) {
        (Screen::Catalog, _) => Listed::Features,
        (Screen::Groups, _) => Listed::Groups,
        (Screen::Jobs, _) => Listed::Jobs,
        (Screen::Sql, _) | (Screen::Group, Tab::Data) => return Some(ColumnsOf::Rows),
        (Screen::Datasets, _) | (Screen::Group, Tab::Datasets) if model.datasets.open.is_some() => return Some(ColumnsOf::Rows),
        (Screen::Datasets, _) | (Screen::Group, Tab::Datasets) => Listed::Datasets,
        (Screen::Group, Tab::Files) => Listed::Files,
        (Screen::Group, Tab::Schema) => Listed::Schema,
        (Screen::Group, Tab::Stats) if model.group_screen.feature.is_none() => Listed::Stats,
        _ => return None,
    }))
}

/// The rows that are shown on the screen.
fn rows(model: &mut Model) -> Option<&mut Grid> {
    match (model.screen, model.group_screen.tab) {
        (Screen::Sql, _) => Some(&mut model.sql.grid),
        (Screen::Group, Tab::Data) => Some(&mut model.rows.grid),
        (Screen::Datasets, _) | (Screen::Group, Tab::Datasets) => model.datasets.open.as_mut().map(|open| &mut open.grid),
        _ => None,
    }
}

/// A key in the choice: the blank shows or hides, `j` and `k` move as in any list.
pub(super) fn edit(model: &mut Model, edit: Edit) {
    match edit {
        Edit::Insert(' ') => toggle(model),
        Edit::Insert('j') => super::layer::go(model, Move::Down),
        Edit::Insert('k') => super::layer::go(model, Move::Up),
        _ => {}
    }
}

fn toggle(model: &mut Model) {
    let Some(Layer::Columns(choice)) = &model.layer else { return };
    let Some((name, _)) = choice.columns.get(choice.list.at).cloned() else { return };
    let of = choice.of;
    match of {
        ColumnsOf::List(list) => model.hidden_columns.toggle(list, &name),
        ColumnsOf::Rows => {
            if let Some(grid) = rows(model) {
                grid.toggle(&name);
            }
        }
    }
    let shown = match of {
        ColumnsOf::List(list) => !model.hidden_columns.holds(list, &name),
        ColumnsOf::Rows => rows(model).is_some_and(|grid| !grid.hidden.contains(&name)),
    };
    if let Some(Layer::Columns(choice)) = &mut model.layer
        && let Some(column) = choice.columns.get_mut(choice.list.at)
    {
        column.1 = shown;
    }
}
