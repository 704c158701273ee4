//! Marks on the lists of features and groups and on a schema: setting them, and what they stand for when something is done with them.
//!
//! A mark belongs to a name, not to a row: filters, orders and refreshes leave it where it is.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::FeatureGroup;
use crate::tui::keymap::{Action, Focus};
use crate::tui::model::Model;
use crate::tui::model::filtered::Filtered;
use crate::tui::model::list::Move;
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::msg::Effect;

/// Rows that are marked at once at most: whoever wants more of them narrows the list, or takes all of it.
const MOST_MARKED: usize = 10_000;

/// What is marked, or under the cursor: a group with the features of it; none means the whole group.
pub(super) type Subject = (Arc<FeatureGroup>, Vec<String>);

/// Sets marks or takes them away.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let Some(list) = super::filter_of(model) else { return Vec::new() };
    let at = list.list.at;
    let Some(row) = list.rows.get(at).copied() else { return Vec::new() };
    let Some(here) = name_of(model, row) else { return Vec::new() };
    match action {
        Action::Mark => {
            if let Some(list) = super::filter_of(model) {
                if !list.marks.remove(&here) {
                    list.marks.insert(here.clone());
                }
                list.marked_last = Some(here);
            }
            super::step(model, model.focus(), Move::Down)
        }
        Action::MarkRange => {
            let rows = rows(model);
            let last = super::filter_of(model).and_then(|list| list.marked_last.clone());
            let from = rows.iter().position(|row| last.is_some() && name_of(model, *row) == last).unwrap_or(at);
            mark(model, &rows[from.min(at)..=from.max(at)]);
            Vec::new()
        }
        _ => {
            let rows = rows(model);
            let all = rows.iter().take(MOST_MARKED + 1).all(|row| name_of(model, *row).is_some_and(|name| is_marked(model, &name)));
            match all {
                true => clear(model),
                false => mark(model, &rows),
            }
            Vec::new()
        }
    }
}

/// The rows that are listed.
fn rows(model: &Model) -> Vec<usize> {
    shown(model).map(|list| list.rows.clone()).unwrap_or_default()
}

fn mark(model: &mut Model, rows: &[usize]) {
    if rows.len() > MOST_MARKED {
        super::complain(model, format!("at most {MOST_MARKED} rows are marked at once; narrow the list first"));
        return;
    }
    let names: Vec<String> = rows.iter().filter_map(|row| name_of(model, *row)).collect();
    if let Some(list) = super::filter_of(model) {
        list.marked_last = names.last().cloned();
        list.marks.extend(names);
    }
}

fn is_marked(model: &Model, name: &str) -> bool {
    shown(model).is_some_and(|list| list.marks.contains(name))
}

/// Takes all marks of the list that is shown away; false if there are none.
pub(super) fn clear_if_any(model: &mut Model) -> bool {
    let any = shown(model).is_some_and(|list| !list.marks.is_empty());
    clear(model);
    any
}

fn clear(model: &mut Model) {
    if let Some(list) = super::filter_of(model) {
        list.marks.clear();
        list.marked_last = None;
    }
}

fn shown(model: &Model) -> Option<&Filtered> {
    match (model.screen, model.group_screen.tab) {
        (Screen::Groups, _) => Some(&model.groups_screen.filtered),
        (Screen::Catalog, _) => Some(&model.catalog_screen.filtered),
        (Screen::Group, Tab::Schema) => Some(&model.group_screen.schema),
        _ => None,
    }
}

/// The name that a mark on a row belongs to.
fn name_of(model: &Model, row: usize) -> Option<String> {
    match model.screen {
        Screen::Groups => Some(model.groups.value()?.get(row)?.name.to_string()),
        Screen::Catalog => {
            let (group, feature) = model.catalog_screen.shelf.as_ref()?.listing().names(row)?;
            Some(feature_name(group, feature))
        }
        _ => Some(model.open_group()?.schema.features().get(row)?.name.to_string()),
    }
}

/// The name of a feature in the catalog; no group has a dot in its own.
pub(crate) fn feature_name(group: &str, feature: &str) -> String {
    format!("{group}.{feature}")
}

/// Rows of the catalog that are marked, in the order of the store; none without marks.
pub(super) fn rows_of_catalog(model: &Model) -> Option<Vec<usize>> {
    let screen = &model.catalog_screen;
    let listing = screen.shelf.as_ref()?.listing();
    let row = |name: &String| name.split_once('.').and_then(|(group, feature)| listing.row_named(group, feature));
    let mut rows: Vec<usize> = screen.filtered.marks.iter().filter_map(row).collect();
    rows.sort_unstable();
    (!rows.is_empty()).then_some(rows)
}

/// What is marked where the focus is; none without marks, or where nothing can be marked.
pub(super) fn subjects(model: &Model, focus: Focus) -> Option<Vec<Subject>> {
    if !matches!(focus, Focus::Groups | Focus::Catalog | Focus::Schema) {
        return None;
    }
    let marks = &shown(model)?.marks;
    let mut subjects: Vec<Subject> = Vec::new();
    match model.screen {
        Screen::Groups => subjects.extend(marks.iter().filter_map(|name| Some((model.group_named(name)?.clone(), Vec::new())))),
        Screen::Catalog => {
            let groups: HashMap<&str, _> = model.groups.value()?.iter().map(|group| (group.name.as_str(), group)).collect();
            for (group, feature) in marks.iter().filter_map(|name| name.split_once('.')) {
                let Some(group) = groups.get(group) else { continue };
                match subjects.last_mut().filter(|(last, _)| last.name == group.name) {
                    Some((_, features)) => features.push(feature.to_owned()),
                    None => subjects.push(((*group).clone(), vec![feature.to_owned()])),
                }
            }
        }
        _ => subjects.push((model.open_group()?.clone(), marks.iter().cloned().collect())),
    }
    (!marks.is_empty() && !subjects.is_empty()).then_some(subjects)
}
