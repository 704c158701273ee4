//! From keys to an action, and from an action to the keys that people are told about.
//!
//! The catalogue gives every action its keys; a person's `keymap.toml` changes them ([`file`]). What results is a [`Keymap`], part of the
//! model, and the only thing that dispatch, hints, help and palette ask. A binding is a sequence of one or more keys.

pub(crate) mod catalogue;
pub(crate) mod context;
pub(crate) mod file;

pub(crate) use catalogue::{Action, CATALOGUE, Entry};
pub(crate) use context::{Context, Focus};

use crate::tui::model::key::Key;

/// Keys that do something where a context is active.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    context: Context,
    keys: Vec<Key>,
    action: Action,
}

/// What every key does. Bindings of a person come before those of the catalogue, and win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keymap {
    bindings: Vec<Binding>,
}

/// What the keys pressed so far mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// They are all of a binding.
    Action(Action),
    /// They begin one.
    Begun,
    /// Nothing.
    Nothing,
}

impl Default for Keymap {
    fn default() -> Self {
        let of_entry = |entry: &'static Entry| {
            entry.keys.iter().flat_map(move |(context, keys)| {
                keys.iter().map(move |notation| Binding {
                    context: *context,
                    keys: sequence(notation).unwrap_or_default(),
                    action: entry.action,
                })
            })
        };
        Self { bindings: CATALOGUE.iter().flat_map(of_entry).filter(|binding| !binding.keys.is_empty()).collect() }
    }
}

impl Keymap {
    /// What these keys mean where the focus is. A whole binding wins over one that only begins so.
    pub(crate) fn resolve(&self, focus: Focus, pressed: &[Key]) -> Resolved {
        let active = || self.active(focus).filter(|binding| binding.keys.starts_with(pressed));
        match active().find(|binding| binding.keys.len() == pressed.len()) {
            Some(whole) => Resolved::Action(whole.action),
            None if active().next().is_some() => Resolved::Begun,
            None => Resolved::Nothing,
        }
    }

    /// The keys to name in a hint: the first that work where the focus is.
    pub(crate) fn shown(&self, focus: Focus, action: Action) -> Option<String> {
        focus.contexts().iter().find_map(|context| self.of(action, *context).next()).map(spelt)
    }

    /// All keys of an action in a context, as people read them.
    pub(crate) fn all(&self, action: Action, context: Context) -> Vec<String> {
        self.of(action, context).map(spelt).collect()
    }

    /// How the keys pressed so far can go on: the keys left to press, and what they do.
    pub(crate) fn ways_on(&self, focus: Focus, pressed: &[Key]) -> Vec<(String, Action)> {
        let begun = |binding: &&Binding| binding.keys.len() > pressed.len() && binding.keys.starts_with(pressed);
        self.active(focus).filter(begun).map(|binding| (spelt(&binding.keys[pressed.len()..]), binding.action)).collect()
    }

    /// Gives an action exactly these keys in a context; other actions of the context lose them.
    fn bind(&mut self, action: Action, context: Context, sequences: Vec<Vec<Key>>) {
        self.bindings.retain(|binding| binding.context != context || (binding.action != action && !sequences.contains(&binding.keys)));
        for (place, keys) in sequences.into_iter().enumerate() {
            self.bindings.insert(place, Binding { context, keys, action });
        }
    }

    fn active(&self, focus: Focus) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| focus.contexts().contains(&binding.context))
    }

    fn of(&self, action: Action, context: Context) -> impl Iterator<Item = &[Key]> {
        let wanted = move |binding: &&Binding| binding.action == action && binding.context == context;
        self.bindings.iter().filter(wanted).map(|binding| binding.keys.as_slice())
    }
}

/// Reads keys with blanks between them.
pub(crate) fn sequence(notation: &str) -> Option<Vec<Key>> {
    let keys: Option<Vec<Key>> = notation.split_whitespace().map(Key::parse).collect();
    keys.filter(|keys| !keys.is_empty())
}

fn spelt(keys: &[Key]) -> String {
    keys.iter().map(Key::to_string).collect()
}

/// What the catalogue says of an action.
pub(crate) fn entry(action: Action) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.action == action)
}

/// The actions worth a hint, the most useful first; the bar shows as many as fit.
pub(crate) fn hinted(focus: Focus) -> &'static [Action] {
    use Action as A;
    match focus {
        Focus::Waiting => &[A::Filter, A::Refresh, A::Close, A::Help],
        Focus::FirstRun => &[A::FillDemo, A::Cancel, A::Refresh, A::Close, A::Help],
        Focus::Groups => &[A::Open, A::Filter, A::ScreenCatalog, A::ScreenOnline, A::Sort, A::Close, A::Help],
        Focus::Catalog => &[A::Open, A::Filter, A::Facets, A::ScreenGroups, A::Sort, A::Copy, A::Help],
        Focus::Facets => &[A::ToggleFacet, A::ClearFilters, A::Facets, A::Filter, A::Back, A::Help],
        Focus::Overview => &[A::NextTab, A::ScreenOnline, A::CheckExpectations, A::Copy, A::Refresh, A::Back, A::Help],
        Focus::Schema => &[A::Open, A::Filter, A::NextTab, A::Copy, A::ScreenOnline, A::Back, A::Help],
        Focus::Record => &[A::Older, A::Newer, A::EditIdentifier, A::PutRecord, A::DeleteRecord, A::Copy, A::Help],
        Focus::Use => &[A::Copy, A::MoveDown, A::MoveUp, A::NextTab, A::Back, A::Help],
        Focus::Stats => &[A::Open, A::Population, A::ReadAnew, A::NextTab, A::Copy, A::Back, A::Help],
        Focus::Drift => &[A::Open, A::Baseline, A::SortDrift, A::PinBaseline, A::NextTab, A::Back, A::Help],
        Focus::LineageTab => &[A::AlongBack, A::AlongOn, A::Center, A::WhatBreaks, A::OpenNode, A::NextTab, A::Help],
        Focus::Lineage => &[A::AlongBack, A::AlongOn, A::Center, A::WhatBreaks, A::UpOnly, A::DownOnly, A::Help],
        Focus::Sql => &[A::EditStatement, A::RunStatement, A::ColumnsRight, A::Export, A::Copy, A::Cancel, A::Help],
        Focus::SqlInput => &[A::RunStatement, A::CompleteName, A::EarlierStatement, A::Cancel, A::Leave],
        Focus::Datasets => &[A::Open, A::Verify, A::MarkDataset, A::Compare, A::ScreenLineage, A::Back, A::Help],
        Focus::DatasetsTab => &[A::Open, A::Verify, A::MarkDataset, A::Compare, A::NextTab, A::Back, A::Help],
        Focus::Cells => &[A::Explain, A::ColumnsLeft, A::ColumnsRight, A::CopyCell, A::Copy, A::Back, A::Help],
        Focus::Rows => &[A::Open, A::FilterRows, A::SortRows, A::ColumnsRight, A::CopyCell, A::NextTab, A::Help],
        Focus::Files => &[A::SortFiles, A::ReverseFiles, A::NextTab, A::Copy, A::Refresh, A::Back, A::Help],
        Focus::Jobs => &[A::Flush, A::Copy, A::Refresh, A::Back, A::Help],
        Focus::FilterInput => &[A::Accept, A::OtherList, A::MoveDown, A::MoveUp, A::DeleteToStart, A::Leave],
        Focus::IdentifierInput => &[A::LookUp, A::Complete, A::MoveDown, A::MoveUp, A::Leave],
        Focus::ConditionInput => &[A::ApplyCondition, A::CompleteName, A::DeleteToStart, A::Leave],
        Focus::Help => &[A::Leave, A::MoveDown, A::MoveUp],
        Focus::Layer => &[A::Choose, A::MoveDown, A::MoveUp, A::Leave],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_action_has_a_name_a_help_text_and_a_key() {
        for entry in CATALOGUE {
            let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(!entry.name.is_empty() && entry.name.chars().all(kebab), "{entry:?}");
            assert!(!entry.hint.is_empty() && entry.help.len() > 1, "{entry:?}");
            assert!(!entry.help.ends_with('.'), "{entry:?}");
            assert!(entry.keys.iter().any(|(_, keys)| !keys.is_empty()), "{entry:?}");
            for notation in entry.keys.iter().flat_map(|(_, keys)| keys.iter()) {
                assert!(sequence(notation).is_some(), "{} is bound to '{notation}', which is no key", entry.name);
            }
        }
        let mut names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len(), "two actions share a name");
    }

    #[test]
    fn no_keys_mean_two_things_or_begin_others_in_one_focus() {
        for focus in Focus::ALL {
            let mut meaning: BTreeMap<Vec<Key>, &str> = BTreeMap::new();
            for entry in CATALOGUE {
                for (_, keys) in entry.keys.iter().filter(|(context, _)| focus.contexts().contains(context)) {
                    for notation in *keys {
                        let keys = sequence(notation).unwrap();
                        assert!(!(focus.is_typing() && keys[0].typed().is_some()), "in {focus:?} {notation} could not be typed");
                        if let Some(other) = meaning.insert(keys, entry.name) {
                            panic!("in {focus:?} the keys {notation} mean {other} and {}", entry.name);
                        }
                    }
                }
            }
            for (longer, name) in &meaning {
                for (shorter, other) in &meaning {
                    assert!(longer == shorter || !longer.starts_with(shorter), "in {focus:?} {other} hides {name}");
                }
            }
        }
    }

    #[test]
    fn sequences_are_followed_key_by_key() {
        let keymap = Keymap::default();
        let keys = sequence("y j").unwrap();
        assert_eq!(keymap.resolve(Focus::Groups, &keys[..1]), Resolved::Begun);
        assert_eq!(keymap.resolve(Focus::Groups, &keys), Resolved::Action(Action::CopyJson));
        assert_eq!(keymap.resolve(Focus::Groups, &sequence("y q").unwrap()), Resolved::Nothing);
        assert!(keymap.ways_on(Focus::Groups, &keys[..1]).contains(&("j".to_owned(), Action::CopyJson)));
    }

    #[test]
    fn every_hint_names_a_key_that_works_there() {
        for focus in Focus::ALL {
            assert!(hinted(focus).len() <= 7, "{focus:?} hints at more than seven keys");
            for action in hinted(focus) {
                let shown = Keymap::default().shown(focus, *action);
                assert!(shown.is_some(), "{focus:?} hints at {action:?}, which has no key there");
            }
        }
    }

    #[test]
    fn every_context_is_part_of_a_focus() {
        for entry in CATALOGUE {
            for (context, _) in entry.keys {
                assert!(Focus::ALL.iter().any(|focus| focus.contexts().contains(context)), "{context:?} is never active");
            }
        }
    }
}
