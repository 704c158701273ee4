//! Keys and answers of the training datasets.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::datasets::{Answer, Question};
use crate::tui::model::list::Move;
use crate::tui::msg::{Effect, Request, Slot};

/// Shown: asks for what isn't known yet.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    refresh(model)
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    model.datasets.datasets.ask(now);
    vec![model.ask(Slot::Datasets, Request::Datasets(Question::List))]
}

fn ask_manifest(model: &mut Model) -> Vec<Effect> {
    let under_cursor = model.datasets.datasets.value().and_then(|datasets| datasets.get(model.datasets.list.at));
    let Some(reference) = under_cursor.map(|dataset| dataset.reference.clone()) else { return Vec::new() };
    if model.datasets.manifest.value().is_some_and(|(of, _)| *of == reference) {
        return Vec::new();
    }
    let now = model.now;
    model.datasets.manifest.ask(now);
    vec![model.ask(Slot::Manifest, Request::Datasets(Question::Manifest(reference)))]
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Open => {
            let under_cursor = model.datasets.datasets.value().and_then(|datasets| datasets.get(model.datasets.list.at));
            let Some(reference) = under_cursor.map(|dataset| dataset.reference.clone()) else { return Vec::new() };
            super::go_to(model, crate::tui::model::screens::Screen::Lineage);
            super::lineage::show(model, format!("dataset:{reference}"))
        }
        _ => Vec::new(),
    }
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    let length = model.datasets.datasets.value().map_or(0, Vec::len);
    model.datasets.list.go(to, length);
    ask_manifest(model)
}

/// Text to copy and what to call it.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    let dataset = model.datasets.datasets.value()?.get(model.datasets.list.at)?;
    Some((dataset.reference.clone(), dataset.reference.clone()))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::List(answer) => {
            model.datasets.datasets.answer(answer);
            let length = model.datasets.datasets.value().map_or(0, Vec::len);
            model.datasets.list.at = model.datasets.list.at.min(length.saturating_sub(1));
            ask_manifest(model)
        }
        Answer::Manifest(reference, answer) => {
            model.datasets.manifest.answer(answer.map(|manifest| (reference, manifest)));
            Vec::new()
        }
        Answer::Failed(error) => {
            model.datasets.datasets.answer(Err(error));
            Vec::new()
        }
    }
}
