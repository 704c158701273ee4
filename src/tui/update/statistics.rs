//! Keys and answers of the tabs Stats and Drift.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::layer::{Form, Layer, Purpose};
use crate::tui::model::line::Line;
use crate::tui::model::list::{List, Move};
use crate::tui::model::remote::{ErrorText, Remote};
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::model::statistics::{Answer, FeatureNumbers, Question, StatisticsPage};
use crate::tui::msg::{Effect, Request, Slot};

/// Shown: asks for what isn't known yet.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let group = model.group_screen.name.clone();
    if model.statistics.group != group {
        model.statistics = StatisticsPage { group, latest: model.statistics.latest, ..StatisticsPage::default() };
    }
    match model.group_screen.tab {
        Tab::Drift if matches!(model.statistics.drift, Remote::Idle) => {
            let mut effects = ask_drift(model);
            let question = Question::Baselines(model.statistics.group.clone());
            effects.push(model.ask(Slot::Baselines, Request::Statistics(question)));
            effects
        }
        Tab::Stats if matches!(model.statistics.numbers, Remote::Idle) => ask_numbers(model, false),
        Tab::Stats => ask_days(model),
        _ => Vec::new(),
    }
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    match model.group_screen.tab {
        Tab::Drift if !matches!(model.statistics.drift, Remote::Ready(_)) => ask_drift(model),
        Tab::Drift => follow(model),
        _ => ask_numbers(model, false),
    }
}

/// Compares again once the group holds something else. Distances are estimates that differ a little each time, and comparing notes them
/// in the store: asked anew at each change of the store, the question would be woken by its own answer for ever.
pub(super) fn follow(model: &mut Model) -> Vec<Effect> {
    let is_shown = model.screen == Screen::Group && model.group_screen.tab == Tab::Drift;
    let now = model.summary(&model.statistics.group).cloned();
    match (&model.statistics.drift_of, now) {
        _ if !is_shown => Vec::new(),
        (Some(then), Some(now)) if *then != now => ask_drift(model),
        (None, now) => {
            model.statistics.drift_of = now;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn ask_numbers(model: &mut Model, refresh: bool) -> Vec<Effect> {
    let now = model.now;
    model.statistics.numbers.ask(now);
    model.statistics.progress = (0, 0);
    let question = Question::Numbers { group: model.statistics.group.clone(), latest: model.statistics.latest, refresh };
    vec![model.ask(Slot::Statistics, Request::Statistics(question))]
}

fn ask_drift(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    model.statistics.drift.ask(now);
    model.statistics.drift_of = model.summary(&model.statistics.group).cloned();
    let baseline = model.statistics.chosen_baseline().to_owned();
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
            let count = model.statistics.baselines().count();
            model.statistics.baseline = (model.statistics.baseline + 1) % count.max(1);
            model.statistics.drift = Remote::Idle;
            ask_drift(model)
        }
        Action::SortDrift => {
            model.statistics.drift_by_name = !model.statistics.drift_by_name;
            let here = under_drift_cursor(model);
            arrange_drift(model, here.as_deref());
            Vec::new()
        }
        Action::PinBaseline => open_pin(model),
        Action::UnpinBaseline => unpin(model),
        Action::Open => {
            let name = match model.group_screen.tab {
                Tab::Drift => under_drift_cursor(model),
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

fn under_drift_cursor(model: &Model) -> Option<String> {
    Some(model.statistics.drift.value()?.features.get(model.statistics.drift_list.at)?.name.clone())
}

/// Puts the compared features into the order asked for, with the cursor on the one it was on.
fn arrange_drift(model: &mut Model, under_cursor: Option<&str>) {
    let page = &mut model.statistics;
    let by_name = page.drift_by_name;
    let (Remote::Ready(drift) | Remote::Stale(drift, _) | Remote::Failed(_, Some(drift))) = &mut page.drift else { return };
    drift.features.sort_by(|one, other| {
        let most_changed = || other.level.cmp(&one.level).then_with(|| other.severity.total_cmp(&one.severity));
        let order = if by_name { std::cmp::Ordering::Equal } else { most_changed() };
        order.then_with(|| one.name.cmp(&other.name))
    });
    let place = drift.features.iter().position(|feature| under_cursor == Some(feature.name.as_str()));
    let last = drift.features.len().saturating_sub(1);
    page.drift_list.at = place.unwrap_or(page.drift_list.at).min(last);
}

/// Asks for a name under which the days that are compared now are kept.
fn open_pin(model: &mut Model) -> Vec<Effect> {
    if is_refused(model) {
        return Vec::new();
    }
    let form = Form {
        title: format!("pin a baseline of {}", model.statistics.group),
        label: "NAME",
        note: "keeps the last days, to compare later ones with",
        line: Line::default(),
        purpose: Purpose::Pin(model.statistics.group.clone()),
        complaint: None,
    };
    model.layer = Some(Layer::Form(form));
    Vec::new()
}

/// Pins what a form asked for.
pub(super) fn pin(model: &mut Model, group: String, name: String) -> Vec<Effect> {
    if name.is_empty() {
        return Vec::new();
    }
    vec![model.ask(Slot::Pin, Request::Statistics(Question::Pin { group, name }))]
}

/// Forgets the baseline in use, if it was pinned.
fn unpin(model: &mut Model) -> Vec<Effect> {
    if is_refused(model) {
        return Vec::new();
    }
    let Some(name) = model.statistics.chosen_pin().map(str::to_owned) else {
        super::tell(model, "only a baseline that was pinned can be forgotten".to_owned());
        return Vec::new();
    };
    let group = model.statistics.group.clone();
    vec![model.ask(Slot::Pin, Request::Statistics(Question::Unpin { group, name }))]
}

fn is_refused(model: &mut Model) -> bool {
    if model.read_only {
        super::complain(model, "the store is open read-only; start without --read-only to pin baselines".to_owned());
    }
    model.read_only
}

/// Stops reading values anew; what was known before stays. None if nothing is read.
pub(super) fn stop(model: &mut Model) -> Option<Vec<Effect>> {
    model.statistics.numbers.waiting_since()?;
    model.statistics.numbers = match std::mem::take(&mut model.statistics.numbers) {
        Remote::Stale(numbers, _) => Remote::Ready(numbers),
        _ => Remote::Failed(ErrorText { what: "the reading was stopped".to_owned(), why: None, remedy: None }, None),
    };
    model.forget(Slot::Statistics);
    super::tell(model, "stopped".to_owned());
    Some(vec![Effect::Stop(Slot::Statistics)])
}

fn take_baselines(model: &mut Model, pinned: Vec<String>, chosen: Option<String>) -> Vec<Effect> {
    let before = model.statistics.chosen_baseline().to_owned();
    if let Some(name) = &chosen {
        super::tell(model, format!("{name} is pinned"));
    }
    model.statistics.pinned = pinned;
    let wanted = chosen.unwrap_or_else(|| before.clone());
    let place = model.statistics.baselines().position(|known| known == wanted);
    model.statistics.baseline = place.unwrap_or(0);
    if model.statistics.chosen_baseline() == before {
        return Vec::new();
    }
    model.statistics.drift = Remote::Idle;
    ask_drift(model)
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
        Tab::Drift => match &model.group_screen.feature {
            Some(name) => name.clone(),
            None => under_drift_cursor(model)?,
        },
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
        Answer::Drift(answer) => {
            let here = under_drift_cursor(model);
            model.statistics.drift.answer(answer);
            arrange_drift(model, here.as_deref());
        }
        Answer::Reading(read, of) => model.statistics.progress = (read, of),
        Answer::Baselines(Ok((pinned, chosen))) => return take_baselines(model, pinned, chosen),
        Answer::Baselines(Err(error)) => super::complain(model, error.line()),
        Answer::Failed(error) => {
            model.statistics.numbers.answer(Err(error.clone()));
            model.statistics.drift.answer(Err(error));
        }
    }
    Vec::new()
}
