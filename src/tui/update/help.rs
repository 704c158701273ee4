//! The help: opened over a screen, searched by typing, closed by Esc.

use crate::tui::keymap::{CATALOGUE, Focus, Keymap};
use crate::tui::model::Model;
use crate::tui::model::line::Edit;
use crate::tui::model::list::Move;
use crate::tui::model::screens::HelpScreen;
use crate::tui::msg::Effect;

/// One action in the help.
#[derive(Debug)]
pub(crate) struct HelpRow {
    /// Heading it stands under.
    pub(crate) title: &'static str,
    /// Keys, as people read them.
    pub(crate) keys: String,
    /// What it does.
    pub(crate) help: &'static str,
    /// What the action is called; searched, not shown.
    name: &'static str,
}

/// The actions that can be done where the focus is and that a search by key or text leaves.
pub(crate) fn rows(keymap: &Keymap, focus: Focus, search: &str) -> Vec<HelpRow> {
    let search = search.trim().to_lowercase();
    let matches = |row: &HelpRow| {
        search.is_empty()
            || row.help.to_lowercase().contains(&search)
            || row.keys.to_lowercase().split(' ').any(|key| key == search)
            || row.title.to_lowercase().contains(&search)
            || row.name.contains(&search)
    };
    let mut rows: Vec<HelpRow> = Vec::new();
    for context in focus.contexts() {
        for entry in CATALOGUE {
            let keys = keymap.all(entry.action, *context).join(" ");
            if keys.is_empty() {
                continue;
            }
            // Contexts that share a heading may share an action: `g` and Home both go to the first row.
            match rows.iter_mut().find(|row| row.title == context.title() && row.help == entry.help) {
                Some(row) => row.keys = format!("{} {keys}", row.keys),
                None => rows.push(HelpRow { title: context.title(), keys, help: entry.help, name: entry.name }),
            }
        }
    }
    rows.retain(matches);
    rows
}

pub(super) fn toggle(model: &mut Model) -> Vec<Effect> {
    model.help = match model.help {
        Some(_) => None,
        None => Some(HelpScreen::default()),
    };
    Vec::new()
}

pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    match &mut model.help {
        Some(help) if !help.line.is_empty() => {
            *help = HelpScreen::default();
            Vec::new()
        }
        _ => toggle(model),
    }
}

pub(super) fn edit(model: &mut Model, edit: Edit) -> Vec<Effect> {
    if let Some(help) = &mut model.help
        && help.line.edit(edit)
    {
        help.list.at = 0;
    }
    Vec::new()
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if let Some(help) = &mut model.help {
        help.line.paste(text);
        help.list.at = 0;
    }
    Vec::new()
}

pub(super) fn go(model: &mut Model, to: Move) {
    let focus = model.focus_below_help();
    if let Some(help) = &mut model.help {
        let length = rows(&model.keymap, focus, help.line.text()).len();
        help.list.go(to, length);
    }
}
