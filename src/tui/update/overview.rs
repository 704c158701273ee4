//! Keys and answers of the tab Overview.

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::overview::{Answer, OverviewPage, Question};
use crate::tui::model::remote::Remote;
use crate::tui::msg::{Effect, Request, Slot};

/// Shown: asks for what isn't known yet.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let group = model.group_screen.name.clone();
    if model.overview.group != group {
        model.overview = OverviewPage { group, ..OverviewPage::default() };
        model.forget(Slot::Expectations);
    }
    if matches!(model.overview.known, Remote::Idle) { refresh(model) } else { Vec::new() }
}

/// Asks again for what is shown.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    // Of what lies elsewhere this store knows neither readers nor expectations.
    if model.origins.contains_key(&model.overview.group) {
        return Vec::new();
    }
    let now = model.now;
    model.overview.known.ask(now);
    vec![model.ask(Slot::Overview, Request::Overview(Question::Known(model.overview.group.clone())))]
}

/// An action of this tab alone.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if action != Action::CheckExpectations || model.overview.checked.waiting_since().is_some() {
        return Vec::new();
    }
    let Some(group) = model.open_group().cloned() else { return Vec::new() };
    if model.origins.contains_key(group.name.as_str()) {
        super::tell(model, "its records are where it comes from; what is expected of them is checked there".to_owned());
        return Vec::new();
    }
    if !group.expects_something() {
        let how = format!("larder update {} --expect says what is expected", group.name);
        super::tell(model, format!("nothing is expected of this group; {how}"));
        return Vec::new();
    }
    let now = model.now;
    model.overview.checked.ask(now);
    vec![model.ask(Slot::Expectations, Request::Overview(Question::Check(group.name.to_string())))]
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Known(answer) => model.overview.known.answer(answer),
        Answer::Checked(answer) => {
            let now = model.now;
            model.overview.checked.answer(answer.map(|rules| (now, rules)));
        }
    }
    Vec::new()
}
