//! The palette: every action, screen, group, feature and theme by name, and a few commands that take a word.

use crate::tui::keymap::{Action, CATALOGUE};
use crate::tui::matching::{Haystack, Query};
use crate::tui::model::Model;
use crate::tui::model::layer::{Layer, Offer, Palette, Row};
use crate::tui::model::screens::Tab;
use crate::tui::msg::Effect;

/// Most offers of one kind.
const MOST: usize = 50;
/// Features beyond this are found by the search of the catalog, not by the palette.
const MOST_FEATURES: usize = 100_000;

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    model.layer = Some(Layer::Palette(Palette::default()));
    find(model);
    Vec::new()
}

/// Finds what is on offer for what was typed.
pub(super) fn find(model: &mut Model) {
    let Some(Layer::Palette(palette)) = &model.layer else { return };
    let found = rows(model, palette.line.text());
    if let Some(Layer::Palette(palette)) = &mut model.layer {
        palette.rows = found;
        palette.list.at = 0;
    }
}

/// The offers for what was typed, best first: actions, then groups, features, themes.
fn rows(model: &Model, typed: &str) -> Vec<Row> {
    let (command, rest) = typed.trim_start().split_once(' ').unwrap_or((typed.trim(), ""));
    let rest = rest.trim();
    match command {
        "open" => [groups(model, rest), features(model, rest)].concat(),
        "theme" => themes(model, rest),
        _ => {
            let mut rows = actions(model, typed);
            if !typed.trim().is_empty() {
                rows.extend(groups(model, typed));
                rows.extend(features(model, typed));
                rows.extend(themes(model, typed));
            }
            rows
        }
    }
}

fn ranked<T>(items: Vec<T>, typed: &str, name: impl Fn(&T) -> (String, String)) -> Vec<T> {
    let texts: Vec<(String, String)> = items.iter().map(name).collect();
    let haystacks = texts.iter().map(|(name, help)| Haystack { name, description: help, ..Haystack::default() });
    let order = Query::parse(typed).rank(haystacks);
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    order.into_iter().take(MOST).filter_map(|place| items.get_mut(place)?.take()).collect()
}

fn actions(model: &Model, typed: &str) -> Vec<Row> {
    let focus = model.focus_below_layer();
    let active = |entry: &&crate::tui::keymap::Entry| {
        let here = entry.keys.iter().any(|(context, _)| focus.contexts().contains(context));
        here && !matches!(entry.action, Action::Palette | Action::Leave | Action::Choose)
            && !(model.read_only && super::changes_the_store(entry.action))
    };
    let row = |entry: &crate::tui::keymap::Entry| Row {
        name: entry.name.replace('-', " "),
        help: entry.help.to_owned(),
        keys: model.keymap.shown(focus, entry.action).unwrap_or_default(),
        offer: Offer::Do(entry.action),
    };
    ranked(CATALOGUE.iter().filter(active).map(row).collect(), typed, |row| (row.name.clone(), row.help.clone()))
}

fn groups(model: &Model, typed: &str) -> Vec<Row> {
    let Some(groups) = model.groups.value() else { return Vec::new() };
    let order = Query::parse(typed).rank(groups.iter().map(|group| super::groups::haystack(group)));
    let row = |place: usize| {
        let group = groups.get(place)?;
        Some(Row {
            name: group.name.to_string(),
            help: group.description.clone().unwrap_or_default(),
            keys: "group".to_owned(),
            offer: Offer::Open(group.name.to_string(), None),
        })
    };
    order.into_iter().take(MOST).filter_map(row).collect()
}

fn features(model: &Model, typed: &str) -> Vec<Row> {
    let Some(groups) = model.groups.value() else { return Vec::new() };
    if typed.trim().is_empty() || groups.iter().map(|group| group.schema.len()).sum::<usize>() > MOST_FEATURES {
        return Vec::new();
    }
    let places: Vec<(usize, usize)> =
        groups.iter().enumerate().flat_map(|(group, of)| (0..of.schema.len()).map(move |feature| (group, feature))).collect();
    let haystacks = places.iter().filter_map(|(group, feature)| Some(super::catalog::haystack(groups.get(*group)?, *feature)));
    let order = Query::parse(typed).rank(haystacks);
    let row = |place: usize| {
        let (group, feature) = *places.get(place)?;
        let group = groups.get(group)?;
        let feature = group.schema.features().get(feature)?;
        Some(Row {
            name: format!("{}.{}", group.name, feature.name),
            help: feature.description.clone().unwrap_or_default(),
            keys: "feature".to_owned(),
            offer: Offer::Open(group.name.to_string(), Some(feature.name.to_string())),
        })
    };
    order.into_iter().take(MOST).filter_map(row).collect()
}

fn themes(model: &Model, typed: &str) -> Vec<Row> {
    let row = |name: &String| Row {
        name: format!("theme {name}"),
        help: "Use these colours".to_owned(),
        keys: String::new(),
        offer: Offer::Theme(name.clone()),
    };
    ranked(model.themes.iter().map(row).collect(), typed, |row| (row.name.clone(), String::new()))
}

/// Does what the row under the cursor offers, with the palette closed.
pub(super) fn choose(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Palette(palette)) = model.layer.take() else { return Vec::new() };
    let Some(row) = palette.rows.into_iter().nth(palette.list.at) else { return Vec::new() };
    match row.offer {
        Offer::Do(action) => super::act(model, model.focus(), action),
        Offer::Open(group, None) => super::group::open(model, &group, Tab::Overview, None),
        Offer::Open(group, feature) => {
            let effects = super::group::open(model, &group, Tab::Overview, feature.clone());
            model.group_screen.feature = feature;
            effects
        }
        Offer::Theme(name) => {
            model.theme = name;
            Vec::new()
        }
    }
}
