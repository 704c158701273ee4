//! Writing into files: the rows of a statement or a history, or what a screen lists. One at a time; stopped, it leaves no file.

use std::sync::Arc;

use super::{marks, sheets};
use crate::model::FeatureGroup;
use crate::tui::keymap::Focus;
use crate::tui::model::Model;
use crate::tui::model::data::Summary;
use crate::tui::model::export::{Exported, FeatureList};
use crate::tui::model::layer::{Form, Layer, Purpose};
use crate::tui::model::line::Line;
use crate::tui::model::sql::Question;
use crate::tui::msg::{Effect, Request, Slot};

/// Opens a form for the file of the statement's rows.
pub(super) fn statement(model: &mut Model) -> Vec<Effect> {
    let sql = model.sql.editor.text();
    if sql.trim().is_empty() {
        return Vec::new();
    }
    open(model, "export the result", ".csv, .json or .parquet; all rows, not only those shown", "result.parquet", Exported::Statement(sql))
}

/// Opens a form for the file of what is listed where the focus is.
pub(super) fn list(model: &mut Model, focus: Focus) -> Vec<Effect> {
    let listed = match focus {
        Focus::Catalog => features(model).map(|list| ("export these features", "features.csv".to_owned(), Exported::Features(list))),
        Focus::Groups => groups(model).map(|list| ("export these groups", "groups.csv".to_owned(), Exported::Groups(list))),
        Focus::Rows => rows(model).map(|rows| ("export these rows", format!("{}.parquet", model.rows.group), rows)),
        _ => sheets::of(model, focus).map(|(title, name, sheet)| (title, name, Exported::Sheet(sheet))),
    };
    let note = match focus {
        _ if marks::subjects(model, focus).is_some() => ".csv, .json or .parquet; the marked rows",
        Focus::Rows => ".csv, .json or .parquet; all rows, not only those shown",
        Focus::Catalog | Focus::Groups | Focus::Schema => ".csv, .json or .parquet; the rows that the filter leaves",
        _ => ".csv, .json or .parquet",
    };
    match listed {
        Some((title, name, what)) => open(model, title, note, &name, what),
        None => {
            super::tell(model, "there is nothing to export here".to_owned());
            Vec::new()
        }
    }
}

fn features(model: &Model) -> Option<FeatureList> {
    let screen = &model.catalog_screen;
    let rows = marks::rows_of_catalog(model).unwrap_or_else(|| screen.filtered.rows.clone());
    let list = FeatureList { shelf: screen.shelf.clone()?, rows, evidence: model.known.evidence.value().cloned() };
    (!list.rows.is_empty()).then_some(list)
}

fn groups(model: &Model) -> Option<Vec<(Arc<FeatureGroup>, Option<Summary>)>> {
    let groups = model.groups.value()?;
    let listed = || model.groups_screen.filtered.rows.iter().filter_map(|place| groups.get(*place)).cloned().collect::<Vec<_>>();
    let marked = marks::subjects(model, Focus::Groups).map(|marked| marked.into_iter().map(|(group, _)| group).collect());
    let with_numbers = |group: Arc<FeatureGroup>| (group.clone(), model.summary(group.name.as_str()).cloned());
    let list: Vec<_> = marked.unwrap_or_else(listed).into_iter().map(with_numbers).collect();
    (!list.is_empty()).then_some(list)
}

/// The rows of the tab Data, all of those that its condition leaves.
fn rows(model: &Model) -> Option<Exported> {
    let page = &model.rows;
    let some = page.grid.rows.value().is_some_and(|pages| pages.total > 0);
    some.then(|| Exported::Rows { group: page.group.clone(), condition: page.applied.clone(), order: page.order.clone() })
}

fn open(model: &mut Model, title: &str, note: &'static str, name: &str, what: Exported) -> Vec<Effect> {
    // A browser that is somebody else's window into this machine writes no file on it.
    if model.read_only {
        super::complain(model, "the browser is read-only and writes no files; `larder query … -o FILE` does".to_owned());
        return Vec::new();
    }
    let form =
        Form { title: title.to_owned(), label: "FILE", note, line: Line::new(name), purpose: Purpose::Export(what), complaint: None };
    model.layer = Some(Layer::Form(form));
    Vec::new()
}

/// Sends the export that a form asked for.
pub(super) fn send(model: &mut Model, what: Exported, path: String) -> Vec<Effect> {
    if path.is_empty() {
        return Vec::new();
    }
    if model.sql.exporting.is_some() {
        super::complain(model, "an export is under way; wait for it, or stop it".to_owned());
        return Vec::new();
    }
    model.sql.exporting = Some(model.now);
    vec![model.ask(Slot::Export, Request::Sql(Question::Export { what, path }))]
}
