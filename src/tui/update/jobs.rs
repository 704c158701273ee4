//! Keys and answers of the jobs.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::jobs::{Answer, Question};
use crate::tui::model::list::Move;
use crate::tui::msg::{Effect, Request, Slot};
use crate::tui::units::counted;

/// Shown: what runs changes by itself, so it is asked for each time.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    refresh(model)
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    model.jobs.runs.ask(now);
    vec![model.ask(Slot::Jobs, Request::Jobs(Question::Runs))]
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Flush if model.read_only => {
            super::complain(model, "the store is open read-only; start without --read-only to flush".to_owned());
            Vec::new()
        }
        Action::Flush if model.jobs.flushing.is_none() => {
            model.jobs.flushing = Some(model.now);
            vec![model.ask(Slot::Flush, Request::Jobs(Question::Flush))]
        }
        _ => Vec::new(),
    }
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    let length = model.jobs.runs.value().map_or(0, Vec::len);
    model.jobs.list.go(to, length);
    Vec::new()
}

/// Text to copy and what to call it.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    let run = model.jobs.runs.value()?.get(model.jobs.list.at)?;
    let text = run.message.clone().unwrap_or_else(|| run.id.clone());
    Some((text, "what the run says".to_owned()))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Runs(answer) => {
            model.jobs.runs.answer(answer);
            let length = model.jobs.runs.value().map_or(0, Vec::len);
            model.jobs.list.at = model.jobs.list.at.min(length.saturating_sub(1));
            Vec::new()
        }
        Answer::Flushed(answer) => {
            model.jobs.flushing = None;
            match answer {
                Ok((0, _)) => super::tell(model, "nothing was waiting".to_owned()),
                Ok((rows, files)) => {
                    super::tell(model, format!("{} in {}", counted(rows, "row", "rows"), counted(files, "file", "files")));
                }
                Err(error) => super::complain(model, error.line()),
            }
            super::refresh(model)
        }
        Answer::Failed(error) => {
            model.jobs.flushing = None;
            model.jobs.runs.answer(Err(error));
            Vec::new()
        }
    }
}
