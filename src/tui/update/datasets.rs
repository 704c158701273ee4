//! Keys and answers of the training datasets: the list, verifying, comparing two, walking over the rows of one and asking why a cell is
//! what it is.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::datasets::{Answer, Dataset, DatasetsScreen, OpenDataset, Question};
use crate::tui::model::grid::{Pages, page_size};
use crate::tui::model::list::Move;
use crate::tui::model::remote::Remote;
use crate::tui::msg::{Effect, Request, Slot};

/// Datasets that can be compared.
const COMPARED: usize = 2;

/// The screen of all datasets is shown.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    list_those_of(model, None);
    refresh(model)
}

/// The tab of a group or a feature is shown.
pub(super) fn enter_tab(model: &mut Model) -> Vec<Effect> {
    let page = &model.group_screen;
    let of = Some((page.name.clone(), page.feature.clone()));
    if model.datasets.of == of && !matches!(model.datasets.datasets, Remote::Idle) {
        return Vec::new();
    }
    list_those_of(model, of);
    refresh(model)
}

/// A list of others begins anew; marks are kept, since two may come from different lists.
fn list_those_of(model: &mut Model, of: Option<(String, Option<String>)>) {
    if model.datasets.of != of {
        let marked = std::mem::take(&mut model.datasets.marked);
        model.datasets = DatasetsScreen { of, marked, ..DatasetsScreen::default() };
        model.forget(Slot::Check);
    }
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    model.datasets.datasets.ask(now);
    let question = match model.datasets.of.clone() {
        None => Question::List,
        Some((group, feature)) => Question::Using { group, feature },
    };
    vec![model.ask(Slot::Datasets, Request::Datasets(question))]
}

fn under_cursor(model: &Model) -> Option<&Dataset> {
    model.datasets.datasets.value()?.get(model.datasets.list.at)
}

/// The dataset that is open, or under the cursor.
pub(super) fn reference(model: &Model) -> Option<String> {
    let open = model.datasets.open.as_ref().map(|open| open.reference.clone());
    open.or_else(|| under_cursor(model).map(|dataset| dataset.reference.clone()))
}

fn ask_manifest(model: &mut Model) -> Vec<Effect> {
    let Some(reference) = under_cursor(model).map(|dataset| dataset.reference.clone()) else { return Vec::new() };
    if model.datasets.manifest.value().is_some_and(|(of, _)| *of == reference) {
        return Vec::new();
    }
    let now = model.now;
    model.datasets.manifest.ask(now);
    vec![model.ask(Slot::Manifest, Request::Datasets(Question::Manifest(reference)))]
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(open) = &mut model.datasets.open {
        if open.grid.turn(action) {
            return explain_if_asked(model);
        }
        if matches!(action, Action::Open | Action::Explain) {
            open.explaining = true;
            return explain_if_asked(model);
        }
        return Vec::new();
    }
    match action {
        Action::Open => open(model),
        Action::MarkDataset => mark(model),
        Action::Verify => {
            let Some(reference) = reference(model) else { return Vec::new() };
            check(model, format!("building {reference} again"), Question::Verify(reference))
        }
        Action::Compare => compare(model),
        _ => Vec::new(),
    }
}

/// Shows the rows of the dataset under the cursor.
fn open(model: &mut Model) -> Vec<Effect> {
    let Some(reference) = reference(model) else { return Vec::new() };
    model.datasets.open = Some(OpenDataset { reference, ..OpenDataset::default() });
    ask_rows(model, 0)
}

fn size_of_pages(model: &Model) -> u64 {
    let open = model.datasets.open.as_ref();
    let known = open.and_then(|open| open.grid.rows.value()).map(Pages::size);
    let columns = model.datasets.manifest.value().map_or(64, |(_, manifest)| manifest.columns.len());
    known.unwrap_or_else(|| page_size(columns))
}

fn ask_rows(model: &mut Model, from: u64) -> Vec<Effect> {
    let (now, limit) = (model.now, size_of_pages(model));
    let Some(open) = &mut model.datasets.open else { return Vec::new() };
    open.grid.rows.ask(now);
    let question = Question::Rows { reference: open.reference.clone(), from, limit };
    vec![model.ask(Slot::DatasetRows, Request::Datasets(question))]
}

fn follow(model: &mut Model) -> Vec<Effect> {
    let wanted = model.datasets.open.as_ref().and_then(|open| open.grid.wanted());
    wanted.map_or_else(Vec::new, |from| ask_rows(model, from))
}

/// Asks why the cell under the cursor is what it is, while that is shown.
fn explain_if_asked(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    let Some(open) = model.datasets.open.as_mut().filter(|open| open.explaining) else { return Vec::new() };
    let Some(head) = open.grid.head() else { return Vec::new() };
    let (row, column) = (open.grid.list.at as u64, head.name.clone());
    if head.added {
        // It has no record to come from.
        open.cell = Remote::Idle;
        model.forget(Slot::Cell);
        return Vec::new();
    }
    open.cell.ask(now);
    let question = Question::Explain { reference: open.reference.clone(), row, column };
    vec![model.ask(Slot::Cell, Request::Datasets(question))]
}

fn mark(model: &mut Model) -> Vec<Effect> {
    let Some(reference) = reference(model) else { return Vec::new() };
    let marked = &mut model.datasets.marked;
    match marked.iter().position(|known| *known == reference) {
        Some(place) => {
            marked.remove(place);
        }
        None => {
            // The one marked first makes room.
            if marked.len() == COMPARED {
                marked.remove(0);
            }
            marked.push(reference);
        }
    }
    go(model, Move::Down)
}

/// Compares the two that are marked; one that is marked with that under the cursor; else the version before with it.
fn compare(model: &mut Model) -> Vec<Effect> {
    let here = reference(model);
    let pair = match (model.datasets.marked.as_slice(), here) {
        ([one, other], _) => Some((one.clone(), other.clone())),
        ([one], Some(here)) if *one != here => Some((one.clone(), here)),
        (_, Some(here)) => version_before(model).map(|before| (before, here)),
        _ => None,
    };
    let Some((one, other)) = pair else {
        let key = model.keymap.shown(model.focus(), Action::MarkDataset).unwrap_or_default();
        super::tell(model, format!("mark two with {key} to compare them"));
        return Vec::new();
    };
    check(model, format!("comparing {one} with {other}"), Question::Compare(one, other))
}

fn version_before(model: &Model) -> Option<String> {
    let here = under_cursor(model)?;
    let same = model.datasets.datasets.value()?.iter().filter(|dataset| dataset.name == here.name && dataset.version < here.version);
    same.max_by_key(|dataset| dataset.version).map(|dataset| dataset.reference.clone())
}

fn check(model: &mut Model, asked: String, question: Question) -> Vec<Effect> {
    model.datasets.asked = asked;
    model.datasets.progress = (0, 0);
    model.datasets.report = Remote::Loading(model.now);
    vec![model.ask(Slot::Check, Request::Datasets(question))]
}

/// Stops what verifies or compares; none if nothing does.
pub(super) fn stop(model: &mut Model) -> Option<Vec<Effect>> {
    model.datasets.report.waiting_since()?;
    model.datasets.report = Remote::Idle;
    model.forget(Slot::Check);
    super::tell(model, "stopped".to_owned());
    Some(vec![Effect::Stop(Slot::Check)])
}

/// One layer back: the explanation, the rows, the report; false if none is there.
pub(super) fn back(model: &mut Model) -> bool {
    let screen = &mut model.datasets;
    match &mut screen.open {
        Some(open) if open.explaining => {
            open.explaining = false;
            open.cell = Remote::Idle;
        }
        Some(_) => screen.open = None,
        None if !matches!(screen.report, Remote::Idle) => screen.report = Remote::Idle,
        None => return false,
    }
    true
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    if let Some(open) = &mut model.datasets.open {
        open.grid.go(to);
        let mut effects = follow(model);
        effects.extend(explain_if_asked(model));
        return effects;
    }
    let length = model.datasets.datasets.value().map_or(0, Vec::len);
    model.datasets.list.go(to, length);
    ask_manifest(model)
}

/// Text to copy and what to call it.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    match &model.datasets.open {
        Some(open) => open.grid.copied(),
        None => reference(model).map(|reference| (reference.clone(), reference)),
    }
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::List(answer) => {
            let before = under_cursor(model).map(|dataset| dataset.reference.clone());
            model.datasets.datasets.answer(answer);
            let datasets = model.datasets.datasets.value().map(Vec::as_slice).unwrap_or_default();
            let again = before.and_then(|before| datasets.iter().position(|dataset| dataset.reference == before));
            model.datasets.list.at = again.unwrap_or(model.datasets.list.at).min(datasets.len().saturating_sub(1));
            return ask_manifest(model);
        }
        Answer::Manifest(reference, answer) => model.datasets.manifest.answer(answer.map(|manifest| (reference, manifest))),
        Answer::Rows(reference, answer) => {
            let size = size_of_pages(model);
            let Some(open) = model.datasets.open.as_mut().filter(|open| open.reference == reference) else { return Vec::new() };
            match answer {
                Ok(stretch) => open.grid.take(stretch, size),
                Err(error) => open.grid.rows.answer(Err(error)),
            }
            return follow(model);
        }
        Answer::Explained(answer) => {
            if let Some(open) = &mut model.datasets.open {
                open.cell.answer(answer);
            }
        }
        Answer::Reading(read, of) => model.datasets.progress = (read, of),
        Answer::Report(answer) => model.datasets.report = answer.map_or_else(|error| Remote::Failed(error, None), Remote::Ready),
        Answer::Failed(error) => {
            model.datasets.datasets.answer(Err(error.clone()));
            if model.datasets.report.waiting_since().is_some() {
                model.datasets.report = Remote::Failed(error, None);
            }
        }
    }
    Vec::new()
}
