//! One group: its tabs, its schema list, its snippets.

use super::record;
use crate::tui::model::Model;
use crate::tui::model::list::Move;
use crate::tui::model::screens::{GroupScreen, Screen, Tab};
use crate::tui::msg::{Effect, Slot};
use crate::tui::snippets;

/// Opens a group at a tab, with the cursor of the schema on a feature if one is named.
pub(super) fn open(model: &mut Model, name: &str, tab: Tab, feature: Option<String>) -> Vec<Effect> {
    super::go_to(model, Screen::Group);
    if model.group_screen.name != name {
        model.group_screen = GroupScreen { name: name.to_owned(), ..GroupScreen::default() };
        model.forget(Slot::Record);
        model.forget(Slot::Identifiers);
    }
    model.group_screen.feature = None;
    if let Some(feature) = feature {
        model.group_screen.schema = Default::default();
        model.group_screen.schema.aim(feature);
    }
    show_schema(model, false);
    show_tab(model, tab)
}

/// Shows a tab. The look-up starts with its input open, since there is nothing else to do on it.
pub(super) fn show_tab(model: &mut Model, tab: Tab) -> Vec<Effect> {
    model.group_screen.tab = tab;
    match tab {
        Tab::Online => record::enter(model),
        Tab::Lineage => super::lineage::enter(model),
        Tab::Stats | Tab::Drift => super::statistics::enter(model),
        Tab::Data => super::rows::enter(model),
        Tab::Files => super::files::enter(model),
        Tab::Datasets => super::datasets::enter_tab(model),
        Tab::Overview => super::overview::enter(model),
        Tab::Schema | Tab::Use => Vec::new(),
    }
}

/// Opens the page of the feature under the cursor of the schema, at what its values look like.
pub(super) fn open_feature(model: &mut Model) -> Vec<Effect> {
    let Some(group) = model.open_group() else { return Vec::new() };
    let chosen = model.group_screen.schema.selected().and_then(|place| group.schema.features().get(place));
    let Some(name) = chosen.map(|feature| feature.name.to_string()) else { return Vec::new() };
    model.group_screen.feature = Some(name);
    show_tab(model, Tab::Stats)
}

/// Filters the schema again.
pub(super) fn show_schema(model: &mut Model, to_best: bool) {
    let Some(group) = model.open_group().cloned() else { return };
    let schema = &mut model.group_screen.schema;
    let rows = schema.query().rank((0..group.schema.len()).map(|place| super::catalog::haystack(&group, place)));
    let names = |row: usize| group.schema.features().get(row).map(|feature| feature.name.to_string()).unwrap_or_default();
    match to_best {
        true => schema.show_best(rows, names),
        false => schema.show(rows, names),
    }
}

pub(super) fn go(model: &mut Model, to: Move) {
    let Some(group) = model.open_group().cloned() else { return };
    let screen = &mut model.group_screen;
    match screen.tab {
        Tab::Overview => screen.overview.go(to, OVERVIEW_LINES),
        Tab::Schema => {
            let names = |row: usize| group.schema.features().get(row).map(|feature| feature.name.to_string()).unwrap_or_default();
            screen.schema.go(to, names);
        }
        Tab::Online => screen.record.rows.go(to, group.schema.len()),
        Tab::Use => {
            let count = snippets::of(&group, screen.feature.as_deref(), None).len();
            screen.snippets.go(to, count);
        }
        _ => {}
    }
}

/// Lines the overview may have at most; the view stops at the last one there is.
const OVERVIEW_LINES: usize = 4096;

/// Text to copy and what to call it.
pub(super) fn copied(model: &Model) -> Option<(String, String)> {
    let group = model.open_group()?;
    let screen = &model.group_screen;
    match screen.tab {
        Tab::Overview if screen.feature.is_some() => {
            let name = format!("{}.{}", group.name, screen.feature.as_deref()?);
            Some((name.clone(), name))
        }
        Tab::Overview | Tab::Online => Some((group.name.to_string(), group.name.to_string())),
        Tab::Schema => {
            let feature = group.schema.features().get(screen.schema.selected()?)?;
            let name = format!("{}.{}", group.name, feature.name);
            Some((name.clone(), name))
        }
        Tab::Use => {
            let all = snippets::of(group, screen.feature.as_deref(), record::shown_identifier(model).as_deref());
            let chosen = all.into_iter().nth(screen.snippets.at)?;
            Some((chosen.text, chosen.title.to_owned()))
        }
        _ => None,
    }
}
