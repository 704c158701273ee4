//! Keys and answers of the tab Files.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::files::{Answer, By, File, FilesPage, Question};
use crate::tui::model::list::Move;
use crate::tui::model::remote::Remote;
use crate::tui::msg::{Effect, Request, Slot};

/// Shown: asks for what isn't known yet.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let group = model.group_screen.name.clone();
    if model.files.group != group {
        model.files = FilesPage { group, ..FilesPage::default() };
    }
    if matches!(model.files.files, Remote::Idle) { refresh(model) } else { Vec::new() }
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    if model.open_group().is_none_or(|group| group.offline.is_none()) {
        return Vec::new();
    }
    let now = model.now;
    model.files.files.ask(now);
    let question = Question::Of(model.files.group.clone());
    vec![model.ask(Slot::Files, Request::Files(question))]
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::SortFiles => {
            model.files.by = model.files.by.next();
            model.files.reversed = false;
            arrange(model);
        }
        Action::ReverseFiles => {
            model.files.reversed = !model.files.reversed;
            arrange(model);
        }
        _ => {}
    }
    Vec::new()
}

/// Puts the files into the order asked for; the cursor stays on its file.
fn arrange(model: &mut Model) {
    let page = &mut model.files;
    let (by, reversed) = (page.by, page.reversed);
    let (Remote::Ready(files) | Remote::Stale(files, _) | Remote::Failed(_, Some(files))) = &mut page.files else { return };
    let under_cursor = files.files.get(page.list.at).map(|file| file.place);
    let order = |one: &File, other: &File| match by {
        By::Commit => other.place.cmp(&one.place),
        By::Rows => other.rows.cmp(&one.rows),
        By::Bytes => other.bytes.cmp(&one.bytes),
        By::EventTime => other.times.cmp(&one.times),
        By::Identifier => one.identifiers.cmp(&other.identifiers),
    };
    files.files.sort_by(|one, other| {
        let order = order(one, other).then(other.place.cmp(&one.place));
        if reversed { order.reverse() } else { order }
    });
    let again = files.files.iter().position(|file| Some(file.place) == under_cursor);
    page.list.at = again.unwrap_or(page.list.at).min(files.files.len().saturating_sub(1));
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    let length = model.files.files.value().map_or(0, |files| files.files.len());
    model.files.list.go(to, length);
    Vec::new()
}

/// Text to copy and what to call it.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    let file = model.files.files.value()?.files.get(model.files.list.at)?;
    Some((file.name.clone(), "the file's name".to_owned()))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    let Answer::Of(answer) = answer;
    let name_under_cursor = model.files.files.value().and_then(|files| files.files.get(model.files.list.at)).map(|file| file.name.clone());
    model.files.files.answer(answer);
    arrange(model);
    // The cursor is on its file, wherever that stands now.
    let files = model.files.files.value().map(|files| files.files.as_slice()).unwrap_or_default();
    let again = name_under_cursor.and_then(|name| files.iter().position(|file| file.name == name));
    model.files.list.at = again.unwrap_or(0);
    Vec::new()
}
