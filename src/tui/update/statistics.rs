//! Keys and answers of the tabs Stats and Drift.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::list::{List, Move};
use crate::tui::model::remote::Remote;
use crate::tui::model::screens::Tab;
use crate::tui::model::statistics::{Answer, BASELINES, FeatureNumbers, Question, StatisticsPage};
use crate::tui::msg::{Effect, Request, Slot};

/// Shown: asks for what isn't known yet.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let group = model.group_screen.name.clone();
    if model.statistics.group != group {
        model.statistics = StatisticsPage { group, latest: model.statistics.latest, ..StatisticsPage::default() };
    }
    match model.group_screen.tab {
        Tab::Drift if matches!(model.statistics.drift, Remote::Idle) => ask_drift(model),
        Tab::Stats if matches!(model.statistics.numbers, Remote::Idle) => ask_numbers(model, false),
        Tab::Stats => ask_days(model),
        _ => Vec::new(),
    }
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    match model.group_screen.tab {
        Tab::Drift => ask_drift(model),
        _ => ask_numbers(model, false),
    }
}

fn ask_numbers(model: &mut Model, refresh: bool) -> Vec<Effect> {
    let now = model.now;
    model.statistics.numbers.ask(now);
    let question = Question::Numbers { group: model.statistics.group.clone(), latest: model.statistics.latest, refresh };
    vec![model.ask(Slot::Statistics, Request::Statistics(question))]
}

fn ask_drift(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    model.statistics.drift.ask(now);
    let baseline = BASELINES[model.statistics.baseline % BASELINES.len()];
    let question = Question::Drift { group: model.statistics.group.clone(), baseline };
    vec![model.ask(Slot::Drift, Request::Statistics(question))]
}

/// Asks for the days of the feature that is shown, unless they are here.
fn ask_days(model: &mut Model) -> Vec<Effect> {
    let Some(feature) = shown(model).map(|feature| feature.name.clone()) else { return Vec::new() };
    if model.statistics.days.value().is_some_and(|(of, _)| *of == feature) {
        return Vec::new();
    }
    let now = model.now;
    model.statistics.days.ask(now);
    let question = Question::Days { group: model.statistics.group.clone(), feature };
    vec![model.ask(Slot::Days, Request::Statistics(question))]
}

/// The feature whose numbers are shown large: that of the page, or the one under the cursor.
pub(crate) fn shown(model: &Model) -> Option<&FeatureNumbers> {
    let features = &model.statistics.numbers.value()?.features;
    match &model.group_screen.feature {
        Some(name) => features.iter().find(|feature| feature.name == *name),
        None => features.get(model.statistics.list.at),
    }
}

/// An action of this screen alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Population => {
            model.statistics.latest = !model.statistics.latest;
            model.statistics.numbers = Remote::Idle;
            ask_numbers(model, false)
        }
        Action::ReadAnew => ask_numbers(model, true),
        Action::Baseline => {
            model.statistics.baseline = (model.statistics.baseline + 1) % BASELINES.len();
            model.statistics.drift = Remote::Idle;
            ask_drift(model)
        }
        Action::Open => {
            let name = match model.group_screen.tab {
                Tab::Drift => {
                    let drift = model.statistics.drift.value();
                    drift.and_then(|drift| drift.features.get(model.statistics.drift_list.at)).map(|feature| feature.name.clone())
                }
                _ => shown(model).map(|feature| feature.name.clone()),
            };
            if model.group_screen.feature.is_none() {
                model.group_screen.feature = name;
                return super::group::show_tab(model, Tab::Stats);
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, to: Move) -> Vec<Effect> {
    match model.group_screen.tab {
        Tab::Drift => {
            let length = model.statistics.drift.value().map_or(0, |drift| drift.features.len());
            model.statistics.drift_list.go(to, length);
            Vec::new()
        }
        _ => {
            let length = model.statistics.numbers.value().map_or(0, |numbers| numbers.features.len());
            model.statistics.list.go(to, length);
            ask_days(model)
        }
    }
}

/// Text to copy and what to call it.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    let name = match model.group_screen.tab {
        Tab::Drift => model.statistics.drift.value()?.features.get(model.statistics.drift_list.at)?.name.clone(),
        _ => shown(model)?.name.clone(),
    };
    let reference = format!("{}.{name}", model.statistics.group);
    Some((reference.clone(), reference))
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Numbers(answer) => {
            model.statistics.numbers.answer(answer);
            let length = model.statistics.numbers.value().map_or(0, |numbers| numbers.features.len());
            if model.statistics.list.at >= length {
                model.statistics.list = List::default();
            }
            model.statistics.days = Remote::Idle;
            return ask_days(model);
        }
        Answer::Days(feature, answer) => model.statistics.days.answer(answer.map(|days| (feature, days))),
        Answer::Drift(answer) => model.statistics.drift.answer(answer),
        Answer::Failed(error) => {
            model.statistics.numbers.answer(Err(error.clone()));
            model.statistics.drift.answer(Err(error));
        }
    }
    Vec::new()
}
