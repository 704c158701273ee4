//! Keys and answers of the tab Data: scrolling through a history, conditions, order, copying.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::grid::{Pages, page_size};
use crate::tui::model::line::{Edit, Line};
use crate::tui::model::list::{List, Move};
use crate::tui::model::remote::Remote;
use crate::tui::model::rows::{Answer, Question, RowsPage};
use crate::tui::model::screens::Tab;
use crate::tui::msg::{Effect, Request, Slot};
use crate::tui::snippets::sql_name;

/// Names on offer while a condition is typed.
const OFFERED: usize = 6;

/// Shown: asks for what isn't known yet.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let group = model.group_screen.name.clone();
    if model.rows.group != group {
        model.rows = RowsPage { group, ..RowsPage::default() };
        model.forget(Slot::Rows);
    }
    match model.rows.grid.rows {
        Remote::Idle => ask(model),
        _ => follow(model),
    }
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    // What is under way answers with what is there now.
    if model.rows.grid.rows.waiting_since().is_some() { Vec::new() } else { ask(model) }
}

fn has_history(model: &Model) -> bool {
    model.open_group().is_some_and(|group| group.offline.is_some())
}

/// Asks for the page under the cursor, or for the answer to the condition.
fn ask(model: &mut Model) -> Vec<Effect> {
    if !has_history(model) {
        return Vec::new();
    }
    let page = &model.rows;
    let question = if page.is_query() {
        Question::Where { group: page.group.clone(), condition: page.applied.clone(), order: page.order.clone() }
    } else {
        let size = size_of_pages(model);
        let from = page.grid.list.at as u64 / size * size;
        Question::At { group: page.group.clone(), from, limit: size }
    };
    put(model, question)
}

fn put(model: &mut Model, question: Question) -> Vec<Effect> {
    let now = model.now;
    model.rows.grid.rows.ask(now);
    vec![model.ask(Slot::Rows, Request::Rows(question))]
}

fn size_of_pages(model: &Model) -> u64 {
    // The store adds three columns of its own.
    model.rows.grid.rows.value().map(Pages::size).filter(|size| *size < u64::MAX).unwrap_or_else(|| {
        let features = model.group_named(&model.rows.group).map_or(0, |group| group.schema.len());
        page_size(features + 3)
    })
}

/// Asks for the next page that is missing around what is seen.
fn follow(model: &mut Model) -> Vec<Effect> {
    let page = &model.rows;
    let Some(from) = page.grid.wanted().filter(|_| !page.is_query()) else { return Vec::new() };
    let limit = page.grid.rows.value().map_or(0, Pages::size);
    put(model, Question::At { group: page.group.clone(), from, limit })
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::SortRows => return sort(model),
        Action::FilterRows => model.rows.typing = true,
        Action::ApplyCondition => return apply(model),
        Action::CompleteName => complete(model),
        Action::Open => return open(model),
        _ => {
            model.rows.grid.turn(action);
        }
    }
    Vec::new()
}

/// By the column under the cursor upwards, downwards, then as the rows lie there.
fn sort(model: &mut Model) -> Vec<Effect> {
    let page = &model.rows;
    let Some(column) = page.grid.head().map(|head| head.name.clone()) else { return Vec::new() };
    let order = match &page.order {
        Some((by, false)) if *by == column => Some((column, true)),
        Some((by, true)) if *by == column => None,
        _ => Some((column, false)),
    };
    model.rows.order = order;
    anew(model)
}

/// Other rows are asked for: the cursor begins at the first.
fn anew(model: &mut Model) -> Vec<Effect> {
    model.rows.grid.list = List::default();
    let now = model.now;
    // What was here stays until the answer comes, but its places don't mean the same.
    model.rows.grid.rows = match std::mem::take(&mut model.rows.grid.rows) {
        Remote::Ready(pages) | Remote::Stale(pages, _) | Remote::Failed(_, Some(pages)) => Remote::Stale(pages, now),
        _ => Remote::Idle,
    };
    ask(model)
}

fn apply(model: &mut Model) -> Vec<Effect> {
    model.rows.typing = false;
    let condition = model.rows.condition.text().trim().to_owned();
    if condition == model.rows.applied && model.rows.grid.rows.error().is_none() {
        return Vec::new();
    }
    model.rows.applied = condition;
    anew(model)
}

/// Leaves the input: what was typed goes, then the input.
pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    let page = &mut model.rows;
    if page.condition.text() == page.applied || page.condition.is_empty() {
        page.typing = false;
    }
    page.condition = Line::new(page.applied.clone());
    Vec::new()
}

/// Takes the condition and the order back, if there are any.
pub(super) fn clear(model: &mut Model) -> Option<Vec<Effect>> {
    if !model.rows.is_query() {
        return None;
    }
    model.rows.condition = Line::default();
    model.rows.applied = String::new();
    model.rows.order = None;
    model.rows.grid.rows = Remote::Idle;
    Some(anew(model))
}

/// Stops a query that is under way; none if nothing is.
pub(super) fn stop(model: &mut Model) -> Option<Vec<Effect>> {
    model.rows.grid.rows.waiting_since().filter(|_| model.rows.is_query())?;
    model.forget(Slot::Rows);
    let mut effects = vec![Effect::Stop(Slot::Rows)];
    effects.extend(clear(model).unwrap_or_default());
    super::tell(model, "stopped; these are all rows".to_owned());
    Some(effects)
}

pub(super) fn edit(model: &mut Model, edit: Edit) -> Vec<Effect> {
    model.rows.condition.edit(edit);
    Vec::new()
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    model.rows.condition.paste(text);
    Vec::new()
}

/// Columns that begin with the word before the caret.
pub(crate) fn offers(model: &Model) -> Vec<String> {
    let word = word(model);
    if word.is_empty() {
        return Vec::new();
    }
    let begins = |name: &&str| name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)) && name.len() > word.len();
    // What the store adds to the features is known once rows are here.
    let heads = model.rows.grid.rows.value().map(|pages| pages.columns.as_slice()).unwrap_or_default();
    let features = model.open_group().filter(|_| heads.is_empty()).map(|group| group.schema.features()).unwrap_or_default();
    let names = heads.iter().map(|head| head.name.as_str()).chain(features.iter().map(|feature| feature.name.as_str()));
    names.filter(begins).take(OFFERED).map(sql_name).collect()
}

fn word(model: &Model) -> &str {
    let before = model.rows.condition.parts().0;
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    before.rfind(|character| !is_part(character)).map_or(before, |at| &before[at..]).trim_start_matches(|character| !is_part(character))
}

fn complete(model: &mut Model) {
    let Some(name) = offers(model).into_iter().next() else { return };
    for _ in 0..word(model).chars().count() {
        model.rows.condition.edit(Edit::Backspace);
    }
    model.rows.condition.paste(&name);
}

/// Looks up the record under the cursor, with all its versions.
fn open(model: &mut Model) -> Vec<Effect> {
    let Some(identifier) = model.rows.grid.row().and_then(|row| row.first().cloned().flatten()) else { return Vec::new() };
    if model.open_group().is_some_and(|group| group.is_external()) {
        super::tell(model, "rows that are read in place have no record to look up".to_owned());
        return Vec::new();
    }
    model.group_screen.tab = Tab::Online;
    super::record::look_up(model, identifier)
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    model.rows.grid.go(to);
    follow(model)
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::At(Ok(stretch)) => {
            let size = size_of_pages(model);
            model.rows.grid.take(stretch, size);
        }
        Answer::Where(Ok(stretch)) => model.rows.grid.rows = Remote::Ready(Pages::whole(stretch)),
        Answer::At(Err(error)) | Answer::Failed(error) => model.rows.grid.rows.answer(Err(error)),
        Answer::Where(Err(error)) => {
            // Rows of another question would look like the answer; and the condition is there to be mended.
            model.rows.typing = !model.rows.applied.is_empty();
            model.rows.grid.rows = Remote::Failed(error, None);
        }
    }
    model.rows.grid.stay_inside();
    follow(model)
}
