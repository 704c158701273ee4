//! What lies over a screen: opening it, its keys, closing it.

use super::{columns, forms, palette, writes};
use crate::tui::model::Model;
use crate::tui::model::layer::Layer;
use crate::tui::model::line::{Edit, Line};
use crate::tui::model::list::{List, Move};
use crate::tui::msg::Effect;

/// Opens the choice of colours with the cursor on those in use.
pub(super) fn open_themes(model: &mut Model) -> Vec<Effect> {
    let at = model.themes.iter().position(|name| *name == model.theme).unwrap_or(0);
    model.layer = Some(Layer::Themes(List::at(at), model.theme.clone()));
    Vec::new()
}

/// Opens what was said lately, with the cursor on the latest.
pub(super) fn open_messages(model: &mut Model) -> Vec<Effect> {
    model.layer = Some(Layer::Messages(List::at(model.said.len().saturating_sub(1))));
    Vec::new()
}

/// Esc: an input with text is cleared first, but for a form, whose text was there before.
pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    if let Some(Layer::Record(form)) = &mut model.layer
        && writes::back_to_fields(form)
    {
        return Vec::new();
    }
    match model.layer.take() {
        Some(Layer::Palette(palette)) if !palette.line.is_empty() => return palette::open(model),
        Some(Layer::Themes(_, before)) => model.theme = before,
        _ => {}
    }
    Vec::new()
}

/// Takes what is under the cursor, or what was typed.
pub(super) fn act(model: &mut Model) -> Vec<Effect> {
    match &model.layer {
        Some(Layer::Palette(_)) => palette::choose(model),
        Some(Layer::Form(_)) => forms::submit(model),
        Some(Layer::Record(_)) => writes::submit(model),
        _ => {
            model.layer = None;
            Vec::new()
        }
    }
}

pub(super) fn go(model: &mut Model, to: Move) {
    let length = match &model.layer {
        Some(Layer::Palette(palette)) => palette.rows.len(),
        Some(Layer::Themes(..)) => model.themes.len(),
        Some(Layer::Columns(choice)) => choice.columns.len(),
        Some(Layer::Messages(_)) => model.said.len(),
        Some(Layer::Form(_) | Layer::Record(_)) | None => 0,
    };
    match &mut model.layer {
        Some(Layer::Palette(palette)) => palette.list.go(to, length),
        Some(Layer::Messages(list)) => list.go(to, length),
        Some(Layer::Columns(choice)) => choice.list.go(to, length),
        Some(Layer::Themes(list, _)) => {
            list.go(to, length);
            if let Some(name) = model.themes.get(list.at) {
                model.theme.clone_from(name);
            }
        }
        Some(Layer::Record(form)) => writes::go(form, to),
        Some(Layer::Form(_)) | None => {}
    }
}

pub(super) fn edit(model: &mut Model, edit: Edit) -> Vec<Effect> {
    if matches!(model.layer, Some(Layer::Columns(_))) {
        columns::edit(model, edit);
        return Vec::new();
    }
    with_line(model, |line| {
        line.edit(edit);
    });
    Vec::new()
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    with_line(model, |line| line.paste(text));
    Vec::new()
}

fn with_line(model: &mut Model, change: impl FnOnce(&mut Line)) {
    match &mut model.layer {
        Some(Layer::Palette(palette)) => {
            change(&mut palette.line);
            palette::find(model);
        }
        Some(Layer::Record(form)) => {
            if let Some(line) = writes::line(form) {
                change(line);
            }
        }
        Some(Layer::Form(form)) => {
            form.complaint = None;
            change(&mut form.line);
        }
        _ => {}
    }
}
