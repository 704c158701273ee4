//! Keys and answers of the SQL screen.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::line::Edit;
use crate::tui::model::list::Move;
use crate::tui::model::remote::Remote;
use crate::tui::model::sql::{Answer, Editor, Question};
use crate::tui::msg::{Effect, Request, Slot};
use crate::tui::snippets::sql_name;
use crate::tui::units::{counted, thin};

/// Names on offer.
const OFFERED: usize = 8;

/// Shown: a statement about what was under the cursor stands there to begin with.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    if model.sql.editor == Editor::default()
        && let Some(group) = model.group_under_cursor().or(model.groups.value().and_then(|groups| groups.first()))
        && group.offline.is_some()
    {
        let text = format!("select *\nfrom {}\nlimit 100", sql_name(&format!("{}$latest", group.name)));
        model.sql.editor = Editor::new(&text);
    }
    Vec::new()
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::RunStatement => run(model),
        Action::BreakLine => {
            model.sql.editor.break_line();
            Vec::new()
        }
        Action::EditStatement | Action::Filter => {
            model.sql.typing = true;
            Vec::new()
        }
        Action::CompleteName => {
            if let Some(name) = offers(model).into_iter().next() {
                model.sql.editor.complete(&name);
            }
            Vec::new()
        }
        Action::EarlierStatement => recall(model, 1),
        Action::LaterStatement => recall(model, -1),
        Action::Export => super::exports::statement(model),
        action => {
            model.sql.grid.turn(action);
            Vec::new()
        }
    }
}

/// Leaves the editor for the result.
pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    model.sql.typing = false;
    Vec::new()
}

fn run(model: &mut Model) -> Vec<Effect> {
    let sql = model.sql.editor.text();
    if sql.trim().is_empty() {
        return Vec::new();
    }
    model.sql.remember(&sql);
    model.sql.wait(model.now);
    vec![model.ask(Slot::Sql, Request::Sql(Question::Run(sql)))]
}

/// Stops what runs, a statement before an export; nothing if neither does. An export that is stopped leaves no file.
pub(super) fn stop(model: &mut Model) -> Option<Slot> {
    let slot = if model.sql.grid.rows.waiting_since().is_some() {
        model.sql.grid.rows = Remote::Idle;
        Slot::Sql
    } else {
        model.sql.exporting.take()?;
        Slot::Export
    };
    model.forget(slot);
    super::tell(model, "stopped".to_owned());
    Some(slot)
}

fn recall(model: &mut Model, by: isize) -> Vec<Effect> {
    let screen = &mut model.sql;
    let at = screen.recalled.map_or(-1, |at| at as isize) + by;
    let last = screen.asked.len() as isize - 1;
    if (0..=last).contains(&at) {
        screen.recalled = Some(at as usize);
        if let Some(text) = screen.asked.iter().rev().nth(at as usize) {
            screen.editor = Editor::new(text);
        }
    }
    Vec::new()
}

/// Names that begin with the word before the caret: groups first, then features.
pub(crate) fn offers(model: &Model) -> Vec<String> {
    let bare = model.sql.editor.word().trim_start_matches('"');
    if bare.is_empty() {
        return Vec::new();
    }
    let Some(groups) = model.groups.value() else { return Vec::new() };
    let begins = |name: &&str| name.len() > bare.len() && name.get(..bare.len()).is_some_and(|head| head.eq_ignore_ascii_case(bare));
    let tables = groups.iter().map(|group| group.name.as_str()).filter(begins);
    let listing = model.catalog_screen.stock.as_ref().map(|stock| &*stock.0);
    let features = listing.into_iter().flat_map(|listing| (0..listing.len()).map(move |row| listing.name(row))).filter(begins);
    let mut found: Vec<String> = Vec::new();
    for name in tables.chain(features) {
        let name = sql_name(name);
        if !found.contains(&name) {
            found.push(name);
        }
        if found.len() == OFFERED {
            break;
        }
    }
    found
}

pub(super) fn edit(model: &mut Model, edit: Edit) -> Vec<Effect> {
    model.sql.editor.edit(edit);
    Vec::new()
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    model.sql.editor.paste(text);
    Vec::new()
}

/// Moves the cursor: in the editor among its lines, else among the rows.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    if model.sql.typing {
        match to {
            Move::Down => {
                model.sql.editor.step(true);
            }
            Move::Up => {
                model.sql.editor.step(false);
            }
            _ => {}
        }
        return Vec::new();
    }
    model.sql.grid.go(to);
    Vec::new()
}

/// Text to copy and what to call it: the row under the cursor, or the statement.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    model.sql.grid.copied().or_else(|| Some((model.sql.editor.text(), "the statement".to_owned())))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Arrived(rows) => model.sql.arrived = rows,
        Answer::Rows(answer) => {
            // A result is there to be read; a fault is there to be mended.
            model.sql.typing = answer.is_err();
            match answer {
                Ok(table) => model.sql.show(table),
                Err(error) => model.sql.grid.rows.answer(Err(error)),
            }
        }
        Answer::Exported(answer) => {
            model.sql.exporting = None;
            match answer {
                Ok((rows, path)) => super::tell(model, format!("{} in {path}", counted(rows, "row", "rows"))),
                Err(error) => super::complain(model, error.line()),
            }
        }
        Answer::Failed(error) => {
            model.sql.exporting = None;
            model.sql.grid.rows.answer(Err(error));
        }
    }
    Vec::new()
}

/// What the first line says of the result.
pub(crate) fn result_facts(model: &Model) -> Vec<String> {
    let Some(pages) = model.sql.grid.rows.value() else { return Vec::new() };
    let rows = match pages.cut {
        true => format!("the first {} rows", thin(pages.total)),
        false => counted(pages.total, "row", "rows"),
    };
    vec![rows, crate::tui::units::latency(model.sql.took.unsigned_abs())]
}
