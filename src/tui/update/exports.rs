//! Writing into files: the rows of a statement, or a list as it is shown. One at a time; stopped, it leaves no file.

use std::sync::Arc;

use crate::tui::model::Model;
use crate::tui::model::export::{Exported, FeatureList};
use crate::tui::model::layer::{Form, Layer, Purpose};
use crate::tui::model::line::Line;
use crate::tui::model::screens::Screen;
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

/// Opens a form for the file of the list that is shown.
pub(super) fn list(model: &mut Model) -> Vec<Effect> {
    let listed = match model.screen {
        Screen::Catalog => features(model).map(|list| ("export these features", "features.csv", Exported::Features(list))),
        Screen::Groups => groups(model).map(|list| ("export these groups", "groups.csv", Exported::Groups(list))),
        _ => None,
    };
    match listed {
        Some((title, name, what)) => open(model, title, ".csv, .json or .parquet; the rows that the filter leaves", name, what),
        None => {
            super::tell(model, "there is nothing to export here".to_owned());
            Vec::new()
        }
    }
}

fn features(model: &Model) -> Option<FeatureList> {
    let screen = &model.catalog_screen;
    let list =
        FeatureList { shelf: screen.shelf.clone()?, rows: screen.filtered.rows.clone(), evidence: model.known.evidence.value().cloned() };
    (!list.rows.is_empty()).then_some(list)
}

fn groups(model: &Model) -> Option<Vec<(Arc<crate::model::FeatureGroup>, Option<crate::tui::model::data::Summary>)>> {
    let groups = model.groups.value()?;
    let listed = model.groups_screen.filtered.rows.iter().filter_map(|place| groups.get(*place));
    let list: Vec<_> = listed.map(|group| (group.clone(), model.summary(group.name.as_str()).cloned())).collect();
    (!list.is_empty()).then_some(list)
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
