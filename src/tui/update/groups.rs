//! The list of groups: filter, sort, open.

use std::cmp::Ordering;

use crate::model::FeatureGroup;
use crate::tui::matching::Haystack;
use crate::tui::model::Model;
use crate::tui::model::list::Move;
use crate::tui::model::screens::{SortBy, Tab};
use crate::tui::msg::Effect;

/// What can be searched in a group.
pub(crate) fn haystack(group: &FeatureGroup) -> Haystack<'_> {
    Haystack {
        name: group.name.as_str(),
        group: group.name.as_str(),
        description: group.description.as_deref().unwrap_or_default(),
        owner: group.owner.as_deref().unwrap_or_default(),
        kind: "",
        tags: [Some(&group.tags), None],
    }
}

/// Filters and sorts again.
pub(super) fn show(model: &mut Model, to_best: bool) {
    let Some(groups) = model.groups.value() else { return };
    let query = model.groups_screen.filtered.query();
    let mut rows = query.rank(groups.iter().map(|group| haystack(group)));
    if query.is_empty() {
        let (sort, reversed) = (model.groups_screen.sort, model.groups_screen.reversed);
        rows.sort_by(|left, right| {
            let (Some(left), Some(right)) = (groups.get(*left), groups.get(*right)) else { return Ordering::Equal };
            let order = compare(model, sort, left, right);
            let order = if reversed { order.reverse() } else { order };
            order.then_with(|| left.name.cmp(&right.name))
        });
    }
    let names = |row: usize| groups.get(row).map(|group| group.name.to_string()).unwrap_or_default();
    let filtered = &mut model.groups_screen.filtered;
    match to_best {
        true => filtered.show_best(rows, names),
        false => filtered.show(rows, names),
    }
}

/// Numbers stand largest first, times newest first, texts in their order; what is not known comes last.
fn compare(model: &Model, sort: SortBy, left: &FeatureGroup, right: &FeatureGroup) -> Ordering {
    let summary = |group: &FeatureGroup| model.summary(group.name.as_str());
    match sort {
        SortBy::Name => Ordering::Equal,
        SortBy::Features => right.schema.len().cmp(&left.schema.len()),
        SortBy::Records => summary(right).map(|s| s.records).cmp(&summary(left).map(|s| s.records)),
        SortBy::Newest => summary(right).map(|s| s.newest).cmp(&summary(left).map(|s| s.newest)),
        SortBy::Owner => (left.owner.is_none(), &left.owner).cmp(&(right.owner.is_none(), &right.owner)),
    }
}

pub(super) fn sort(model: &mut Model, reverse: bool) {
    let screen = &mut model.groups_screen;
    if reverse {
        screen.reversed = !screen.reversed;
    } else {
        screen.sort = screen.sort.next();
        screen.reversed = false;
    }
    show(model, false);
}

pub(super) fn go(model: &mut Model, to: Move) {
    let Some(groups) = model.groups.value() else { return };
    model.groups_screen.filtered.go(to, |row| groups.get(row).map(|group| group.name.to_string()).unwrap_or_default());
}

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let Some(name) = model.group_under_cursor().map(|group| group.name.to_string()) else { return Vec::new() };
    super::group::open(model, &name, Tab::Overview, None)
}
