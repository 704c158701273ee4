//! What is said at the bottom of the screen, for a while or until a key is pressed; and remembered.

use crate::tui::model::Model;
use crate::tui::model::screens::Toast;
use crate::tui::units::{Micros, SECOND};

/// How long a message stays.
const TOAST: Micros = 3 * SECOND;
/// Most messages at once.
const MOST_TOASTS: usize = 3;
/// Messages remembered.
const MOST_SAID: usize = 200;

/// Shows a message that leaves by itself.
pub(super) fn tell(model: &mut Model, text: String) {
    let until = Some(model.now + TOAST);
    add_toast(model, Toast { text, is_error: false, until });
}

/// Shows what went wrong until a key is pressed.
pub(super) fn complain(model: &mut Model, text: String) {
    add_toast(model, Toast { text, is_error: true, until: None });
}

fn add_toast(model: &mut Model, toast: Toast) {
    model.said.push((model.now, toast.is_error, toast.text.clone()));
    let surplus = model.said.len().saturating_sub(MOST_SAID);
    model.said.drain(..surplus);
    model.toasts.retain(|earlier| earlier.text != toast.text);
    model.toasts.push(toast);
    let surplus = model.toasts.len().saturating_sub(MOST_TOASTS);
    model.toasts.drain(..surplus);
}
