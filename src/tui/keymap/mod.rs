//! From a key to an action, and from an action to the keys that people are told about.

pub(crate) mod catalogue;
pub(crate) mod context;

pub(crate) use catalogue::{Action, CATALOGUE, Entry};
pub(crate) use context::{Context, Focus};

use crate::tui::model::key::Key;

/// The action a key stands for where the focus is.
pub(crate) fn resolve(focus: Focus, key: Key) -> Option<Action> {
    let bound = |entry: &&Entry| {
        entry
            .keys
            .iter()
            .any(|(context, keys)| focus.contexts().contains(context) && keys.iter().any(|notation| Key::parse(notation) == Some(key)))
    };
    CATALOGUE.iter().find(bound).map(|entry| entry.action)
}

/// What the catalogue says of an action.
pub(crate) fn entry(action: Action) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.action == action)
}

/// The key to name in a hint: the first that works where the focus is.
pub(crate) fn shown_key(focus: Focus, action: Action) -> Option<String> {
    let entry = entry(action)?;
    let of_context = |context: &Context| entry.keys.iter().find(|(bound, _)| bound == context).and_then(|(_, keys)| keys.first());
    focus.contexts().iter().find_map(of_context).and_then(|notation| Key::parse(notation)).map(|key| key.to_string())
}

/// The actions worth a hint, the most useful first; the bar shows as many as fit.
pub(crate) fn hinted(focus: Focus) -> &'static [Action] {
    use Action as A;
    match focus {
        Focus::Waiting => &[A::Refresh, A::Close, A::Help],
        Focus::FirstRun => &[A::FillDemo, A::Cancel, A::Refresh, A::Close, A::Help],
        Focus::Groups => &[A::Open, A::Filter, A::ScreenCatalog, A::ScreenOnline, A::Sort, A::Close, A::Help],
        Focus::Catalog => &[A::Open, A::Filter, A::ScreenGroups, A::Sort, A::Copy, A::Close, A::Help],
        Focus::Overview => &[A::NextTab, A::ScreenOnline, A::Copy, A::Refresh, A::Back, A::Help],
        Focus::Schema => &[A::Filter, A::NextTab, A::Copy, A::ScreenOnline, A::Back, A::Help],
        Focus::Record => &[A::Older, A::Newer, A::Oldest, A::Newest, A::EditIdentifier, A::Copy, A::Help],
        Focus::Use => &[A::Copy, A::MoveDown, A::MoveUp, A::NextTab, A::Back, A::Help],
        Focus::Stats | Focus::Drift | Focus::Data | Focus::Files | Focus::DatasetsTab => {
            &[A::NextTab, A::Copy, A::Refresh, A::Back, A::Help]
        }
        Focus::Lineage | Focus::Online | Focus::Sql | Focus::Datasets | Focus::Jobs => &[A::Copy, A::Refresh, A::Back, A::Help],
        Focus::FilterInput => &[A::Accept, A::OtherList, A::MoveDown, A::MoveUp, A::DeleteToStart, A::Leave],
        Focus::IdentifierInput => &[A::LookUp, A::Complete, A::MoveDown, A::MoveUp, A::Leave],
        Focus::Help => &[A::Leave, A::MoveDown, A::MoveUp],
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
                assert!(Key::parse(notation).is_some(), "{} is bound to '{notation}', which is no key", entry.name);
            }
        }
        let mut names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len(), "two actions share a name");
    }

    #[test]
    fn no_key_means_two_things_in_one_focus() {
        for focus in Focus::ALL {
            let mut meaning: BTreeMap<Key, &str> = BTreeMap::new();
            for entry in CATALOGUE {
                for (_, keys) in entry.keys.iter().filter(|(context, _)| focus.contexts().contains(context)) {
                    for notation in *keys {
                        let key = Key::parse(notation).unwrap();
                        if let Some(other) = meaning.insert(key, entry.name) {
                            panic!("in {focus:?} the key {key} means {other} and {}", entry.name);
                        }
                        assert!(!(focus.is_typing() && key.typed().is_some()), "in {focus:?} {key} could not be typed");
                    }
                }
            }
        }
    }

    #[test]
    fn every_hint_names_a_key_that_works_there() {
        for focus in Focus::ALL {
            assert!(hinted(focus).len() <= 7, "{focus:?} hints at more than seven keys");
            for action in hinted(focus) {
                let shown = shown_key(focus, *action);
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
