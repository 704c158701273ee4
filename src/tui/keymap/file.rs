//! `keymap.toml`: a person's own keys.
//!
//! ```toml
//! preset = "emacs"              # optional: vim, emacs
//! [global]
//! help = ["?", "C-h"]           # exactly these keys; other actions of the context lose them
//! copy = "y"                    # one key instead of the sequence
//! quit = []                     # no key at all
//! ```
//!
//! Tables bear the names of contexts, keys inside them the names of actions, as the help and `larder tui --keys` list them. A fault is
//! reported with its line and a suggestion, and the rest of the file still counts: nobody is locked out by a typo.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Action, CATALOGUE, Context, Keymap, sequence};
use crate::tui::model::key::Key;

/// Keys of those who come from elsewhere, in the same format.
const PRESETS: [(&str, &str); 2] = [
    ("vim", "[global]\nback-in-history = [\"C-o\"]\n[move]\nfirst = [\"g g\"]\n[sort]\nsort = [\"s\"]\n"),
    (
        "emacs",
        "[move]\nmove-down = [\"C-n\", \"down\"]\nmove-up = [\"C-p\", \"up\"]\npage-down = [\"C-v\", \"pagedown\"]\npage-up = [\"A-v\", \"pageup\"]\nfirst = [\"A-<\"]\nlast = [\"A->\"]\n[filter]\nfilter = [\"C-s\", \"/\"]\n[always]\ncancel = [\"C-g\", \"C-c\"]\npalette = [\"A-x\"]\n",
    ),
];

/// A fault of a settings file of the browser: the line it stands on and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Line, from one.
    pub(crate) line: usize,
    /// What is wrong, and what was probably meant.
    pub(crate) what: String,
}

/// One or several sequences of keys.
#[derive(Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Several(Vec<String>),
}

/// The keys that a file asks for, with the faults that were passed over.
pub(crate) fn read(text: &str) -> (Keymap, Vec<Fault>) {
    let mut keymap = Keymap::default();
    let mut faults = Vec::new();
    match DeTable::parse(text) {
        Err(error) => {
            faults.push(Fault { line: line_of(text, error.span().map_or(0, |span| span.start)), what: error.message().to_owned() });
        }
        Ok(table) => {
            // The preset first, wherever it stands: a person's own keys go on top of it.
            for (key, value) in table.get_ref().iter().filter(|(key, _)| key.get_ref() == "preset") {
                apply_preset(&mut keymap, value, line_of(text, key.span().start), &mut faults);
            }
            for (key, value) in table.get_ref().iter().filter(|(key, _)| key.get_ref() != "preset") {
                apply_context(&mut keymap, text, key, value, &mut faults);
            }
        }
    }
    faults.sort_by_key(|fault| fault.line);
    (keymap, faults)
}

fn apply_preset(keymap: &mut Keymap, value: &Spanned<DeValue<'_>>, line: usize, faults: &mut Vec<Fault>) {
    let name = value.get_ref().as_str().unwrap_or_default();
    if name == "default" {
        return;
    }
    match PRESETS.iter().find(|(preset, _)| *preset == name) {
        Some((_, text)) => *keymap = read(text).0,
        None => faults.push(Fault { line, what: format!("no preset '{name}'; there are default, vim and emacs") }),
    }
}

fn apply_context(
    keymap: &mut Keymap,
    text: &str,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    faults: &mut Vec<Fault>,
) {
    let line = line_of(text, key.span().start);
    let Some(context) = Context::ALL.into_iter().find(|context| context.name() == key.get_ref()) else {
        let what = unknown("context", key.get_ref(), Context::ALL.into_iter().map(Context::name));
        faults.push(Fault { line, what });
        return;
    };
    let Some(actions) = value.get_ref().as_table() else {
        faults.push(Fault { line, what: format!("'{}' is a context: write [{}] and its actions below", context.name(), context.name()) });
        return;
    };
    for (name, keys) in actions {
        let line = line_of(text, name.span().start);
        let Some(action) = action_named(name.get_ref()) else {
            faults.push(Fault { line, what: unknown("action", name.get_ref(), CATALOGUE.iter().map(|entry| entry.name)) });
            continue;
        };
        match sequences(keys.get_ref()) {
            Ok(sequences) => {
                match sequences.iter().find(|keys| context.is_typing() && keys.first().is_some_and(|key| key.typed().is_some())) {
                    Some(_) => faults.push(Fault {
                        line,
                        what: format!("a plain character is text while typing; give '{}' a key with C- or A-", name.get_ref()),
                    }),
                    None => keymap.bind(action, context, sequences),
                }
            }
            Err(what) => faults.push(Fault { line, what }),
        }
    }
}

fn sequences(value: &DeValue<'_>) -> Result<Vec<Vec<Key>>, String> {
    let keys = match value {
        DeValue::String(one) => Keys::One(one.to_string()),
        DeValue::Array(several) => {
            let texts: Option<Vec<String>> = several.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect();
            Keys::Several(texts.ok_or("keys are texts, such as \"C-x\" or \"g g\"")?)
        }
        _ => return Err("keys are a text or a list of texts, such as [\"y\", \"C-y\"]".to_owned()),
    };
    let all = match keys {
        Keys::One(one) => vec![one],
        Keys::Several(several) => several,
    };
    all.iter()
        .map(|one| {
            sequence(one).ok_or_else(|| {
                format!("'{one}' is no key; keys are written j, G, C-x, A-left, enter, space, F5, or several with blanks between")
            })
        })
        .collect()
}

fn action_named(name: &str) -> Option<Action> {
    CATALOGUE.iter().find(|entry| entry.name == name).map(|entry| entry.action)
}

/// Names what isn't known and what it is nearest to.
pub(crate) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let nearest =
        known.map(|other| (strsim::damerau_levenshtein(name, other), other)).min().filter(|(distance, other)| *distance <= other.len() / 2);
    match nearest {
        Some((_, other)) => format!("no {what} '{name}'; did you mean '{other}'?"),
        None => format!("no {what} '{name}'"),
    }
}

/// The line of a place in a text, from one.
pub(crate) fn line_of(text: &str, place: usize) -> usize {
    1 + text.as_bytes().iter().take(place).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Focus, Resolved};
    use super::*;

    fn meaning(keymap: &Keymap, focus: Focus, notation: &str) -> Resolved {
        keymap.resolve(focus, &sequence(notation).unwrap())
    }

    #[test]
    fn keys_are_changed_added_and_taken_away() {
        let (keymap, faults) = read("[global]\ncopy = \"y\"\nrefresh = [\"x\", \"C-r\"]\n\n[always]\nquit = []\n");
        assert_eq!(faults, []);
        assert_eq!(meaning(&keymap, Focus::Groups, "y"), Resolved::Action(Action::Copy));
        assert_eq!(meaning(&keymap, Focus::Groups, "x"), Resolved::Action(Action::Refresh));
        assert_eq!(meaning(&keymap, Focus::Groups, "r"), Resolved::Nothing);
        assert_eq!(meaning(&keymap, Focus::Groups, "C-q"), Resolved::Nothing);
        assert_eq!(keymap.shown(Focus::Groups, Action::Refresh).as_deref(), Some("x"), "hints follow");
    }

    #[test]
    fn a_key_taken_from_another_action_means_the_new_one_only() {
        let (keymap, faults) = read("[global]\npalette = \"r\"\n");
        assert_eq!(faults, []);
        assert_eq!(meaning(&keymap, Focus::Groups, "r"), Resolved::Action(Action::Palette));
        assert_eq!(keymap.shown(Focus::Groups, Action::Refresh), None);
    }

    #[test]
    fn faults_name_line_and_nearest_word_and_the_rest_counts() {
        let (keymap, faults) = read("[globl]\nhelp = \"?\"\n[global]\nrefesh = \"x\"\ncopy = \"y\"\nhelp = \"nonsense\"\n");
        let told: Vec<(usize, &str)> = faults.iter().map(|fault| (fault.line, fault.what.as_str())).collect();
        assert_eq!(told[0], (1, "no context 'globl'; did you mean 'global'?"));
        assert_eq!(told[1], (4, "no action 'refesh'; did you mean 'refresh'?"));
        assert_eq!(told[2].0, 6);
        assert_eq!(meaning(&keymap, Focus::Groups, "y"), Resolved::Action(Action::Copy));
        let (_, faults) = read("[global\nhelp = 1");
        assert_eq!(faults[0].line, 1);
    }

    #[test]
    fn typing_stays_possible() {
        let (keymap, faults) = read("[filter-input]\naccept-filter = \"a\"\n");
        assert_eq!(faults.len(), 1);
        assert_eq!(meaning(&keymap, Focus::FilterInput, "a"), Resolved::Nothing);
    }

    #[test]
    fn presets_are_faultless() {
        for (name, text) in PRESETS {
            let (keymap, faults) = read(text);
            assert_eq!(faults, [], "{name}");
            assert_ne!(keymap, Keymap::default(), "{name}");
        }
        assert_eq!(read("preset = \"nano\"").1[0].line, 1);
        let (keymap, _) = read("preset = \"emacs\"\n[move]\nlast = \"C-e\"\n");
        assert_eq!(meaning(&keymap, Focus::Groups, "C-n"), Resolved::Action(Action::MoveDown));
        assert_eq!(meaning(&keymap, Focus::Groups, "C-e"), Resolved::Action(Action::Last));
    }
}
