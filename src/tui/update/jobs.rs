//! Keys and answers of what runs and what ran.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::jobs::Answer;
use crate::tui::model::list::Move;
use crate::tui::msg::Effect;

/// Shown: asks for what isn't known yet.
pub(super) fn enter(_model: &mut Model) -> Vec<Effect> {
    Vec::new()
}

/// Asks again for what is shown.
pub(super) fn refresh(_model: &mut Model) -> Vec<Effect> {
    Vec::new()
}

/// An action of this screen alone.
pub(super) fn act(_model: &mut Model, _action: Action) -> Vec<Effect> {
    Vec::new()
}

/// Moves the cursor.
pub(super) fn go(_model: &mut Model, _to: Move) -> Vec<Effect> {
    Vec::new()
}

/// Text to copy and what to call it.
pub(super) fn copied(_model: &Model) -> Option<(String, String)> {
    None
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Failed(error) => super::complain(model, error.line()),
    }
    Vec::new()
}
