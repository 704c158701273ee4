//! The online look-up: typing an identifier, taking one that is offered, walking through the versions.

use crate::model::FeatureGroup;
use crate::tui::model::Model;
use crate::tui::model::data::Version;
use crate::tui::model::line::{Edit, Line};
use crate::tui::model::list::Move;
use crate::tui::model::remote::Remote;
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::msg::{Effect, Request, Slot};

/// Identifiers remembered of each group.
const MOST_RECENT: usize = 20;

/// Identifiers on offer: those looked up before come first, then those of the store.
pub(crate) fn offers(model: &Model) -> Vec<&str> {
    let screen = &model.group_screen;
    let typed = screen.record.line.text();
    let recent = model.recent.get(&screen.name).into_iter().flatten().map(String::as_str);
    let stored = screen.record.offers.value().into_iter().flatten().map(String::as_str);
    let mut seen: Vec<&str> = Vec::new();
    for identifier in recent.chain(stored) {
        if identifier.starts_with(typed) && !seen.contains(&identifier) {
            seen.push(identifier);
        }
    }
    seen
}

/// The identifier of the record that is shown, if one is.
pub(crate) fn shown_identifier(model: &Model) -> Option<String> {
    model.group_screen.record.found.value().map(|found| found.identifier.clone())
}

/// To the look-up of the group under the cursor, or of one that has an online store.
pub(super) fn go_online(model: &mut Model) -> Vec<Effect> {
    let name = match model.screen {
        Screen::Groups => model.group_under_cursor().map(|group| group.name.as_str().to_owned()),
        Screen::Catalog => model.feature_under_cursor().map(|(group, _)| group.name.as_str().to_owned()),
        Screen::Group => Some(model.group_screen.name.clone()),
        _ => None,
    };
    match name {
        Some(name) => super::group::open(model, &name, Tab::Online, None),
        None => {
            let online = |group: &&std::sync::Arc<FeatureGroup>| group.online.is_some();
            let name = model.open_group().or_else(|| model.groups.value()?.iter().find(online)).map(|group| group.name.to_string());
            name.map_or_else(Vec::new, |name| super::group::open(model, &name, Tab::Online, None))
        }
    }
}

pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    if !matches!(model.group_screen.record.found, Remote::Idle) {
        return Vec::new();
    }
    edit_identifier(model)
}

pub(super) fn edit_identifier(model: &mut Model) -> Vec<Effect> {
    model.group_screen.record.typing = true;
    model.group_screen.record.chosen = None;
    ask_for_offers(model)
}

pub(super) fn edit(model: &mut Model, edit: Edit) -> Vec<Effect> {
    match model.group_screen.record.line.edit(edit) {
        true => changed(model),
        false => Vec::new(),
    }
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    model.group_screen.record.line.paste(text);
    changed(model)
}

fn changed(model: &mut Model) -> Vec<Effect> {
    model.group_screen.record.chosen = None;
    ask_for_offers(model)
}

fn ask_for_offers(model: &mut Model) -> Vec<Effect> {
    let group = model.group_screen.name.clone();
    let prefix = model.group_screen.record.line.text().to_owned();
    let now = model.now;
    model.group_screen.record.offers.ask(now);
    vec![model.ask(Slot::Identifiers, Request::Identifiers { group, prefix })]
}

pub(super) fn choose(model: &mut Model, to: Move) {
    let count = offers(model).len();
    let record = &mut model.group_screen.record;
    record.chosen = match (to, record.chosen) {
        _ if count == 0 => None,
        (Move::Up, None | Some(0)) => None,
        (Move::Up, Some(at)) => Some(at - 1),
        (_, None) => Some(0),
        (_, Some(at)) => Some((at + 1).min(count - 1)),
    };
}

/// Takes the chosen offer, or the first that begins with what was typed, into the input.
pub(super) fn complete(model: &mut Model) -> Vec<Effect> {
    // Who only passes by has typed nothing, and is not to be held here.
    let record = &model.group_screen.record;
    if record.line.is_empty() && record.chosen.is_none() {
        return super::group::show_tab(model, model.group_screen.tab.step(1));
    }
    let at = model.group_screen.record.chosen.unwrap_or(0);
    let Some(identifier) = offers(model).get(at).map(|offer| (*offer).to_owned()) else { return Vec::new() };
    model.group_screen.record.line = Line::new(identifier);
    changed(model)
}

pub(super) fn look_up_typed(model: &mut Model) -> Vec<Effect> {
    let record = &model.group_screen.record;
    let identifier = match record.chosen {
        Some(at) => offers(model).get(at).map(|offer| (*offer).to_owned()),
        None => Some(record.line.text().to_owned()),
    };
    match identifier {
        Some(identifier) if !identifier.is_empty() => look_up(model, identifier),
        _ => Vec::new(),
    }
}

pub(super) fn look_up(model: &mut Model, identifier: String) -> Vec<Effect> {
    let group = model.group_screen.name.clone();
    let recent = model.recent.entry(group.clone()).or_default();
    recent.retain(|earlier| *earlier != identifier);
    recent.insert(0, identifier.clone());
    recent.truncate(MOST_RECENT);
    let now = model.now;
    let record = &mut model.group_screen.record;
    let same = record.found.value().is_some_and(|found| found.identifier == identifier);
    if !same {
        // Another record's values under this identifier would be a lie, so nothing old stays.
        record.found = Remote::Idle;
    }
    record.found.ask(now);
    record.line = Line::new(identifier.clone());
    record.typing = false;
    record.chosen = None;
    vec![model.ask(Slot::Record, Request::Record { group, identifier })]
}

/// Asks for the shown record again, for a refresh.
pub(super) fn again(model: &mut Model) -> Vec<Effect> {
    let shown = model.screen == Screen::Group && model.group_screen.tab == Tab::Online;
    match shown_identifier(model) {
        Some(identifier) if shown => {
            let group = model.group_screen.name.clone();
            let now = model.now;
            model.group_screen.record.found.ask(now);
            vec![model.ask(Slot::Record, Request::Record { group, identifier })]
        }
        _ => Vec::new(),
    }
}

/// Leaves the input: first what was typed goes, then the input, then the tab if there is no record to go back to.
pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    let record = &mut model.group_screen.record;
    if record.chosen.take().is_some() {
        return Vec::new();
    }
    match record.found.value().map(|found| found.identifier.clone()) {
        Some(identifier) => {
            record.line = Line::new(identifier);
            record.typing = false;
            Vec::new()
        }
        None if !record.line.is_empty() => {
            record.line = Line::default();
            changed(model)
        }
        None => {
            record.typing = false;
            model.group_screen.tab = Tab::Overview;
            Vec::new()
        }
    }
}

pub(super) fn step(model: &mut Model, to: impl Fn(usize, usize) -> usize) -> Vec<Effect> {
    let record = &mut model.group_screen.record;
    if let Some(found) = record.found.value() {
        record.version = to(record.version, found.versions.len().saturating_sub(1));
    }
    Vec::new()
}

/// The shown version as JSON, in the form of `larder get --json`.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    let group = model.open_group()?;
    let record = &model.group_screen.record;
    let found = record.found.value()?;
    let version = found.versions.get(record.version).or(found.current.as_ref())?;
    Some((record_json(group, &found.identifier, version), format!("{} as JSON", found.identifier)))
}

fn record_json(group: &FeatureGroup, identifier: &str, version: &Version) -> String {
    let features: serde_json::Map<String, serde_json::Value> = group
        .schema
        .features()
        .iter()
        .zip(&version.values)
        .map(|(feature, value)| {
            let json = value.as_ref().map_or(serde_json::Value::Null, |value| value.json.clone());
            (feature.name.to_string(), json)
        })
        .collect();
    let document = serde_json::json!({
        "group": group.name.as_str(),
        "record_identifier": identifier,
        "event_time": version.event_time_text,
        "features": features,
    });
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
