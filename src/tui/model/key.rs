//! A key as this face understands it, free of any terminal library, and the notation it is written in.
//!
//! One notation serves the catalogue of actions, the hints and the key scripts of tests: a plain character stands for itself,
//! anything else is named, with `C-` and `A-` before it: `j`, `C-c`, `A-left`, `enter`, `space`.

use std::fmt;

/// The key itself, without modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(crate) enum Code {
    Char(char),
    Enter,
    Escape,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Function(u8),
}

/// A key with its modifiers. Shift is part of the character (`G`) or of [`Code::BackTab`], so it has no flag of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Which key.
    pub(crate) code: Code,
    /// Held with Control.
    pub(crate) control: bool,
    /// Held with Alt.
    pub(crate) alt: bool,
}

const NAMES: &[(&str, Code, &str)] = &[
    ("enter", Code::Enter, "↵"),
    ("esc", Code::Escape, "Esc"),
    ("tab", Code::Tab, "Tab"),
    ("backtab", Code::BackTab, "S-Tab"),
    ("backspace", Code::Backspace, "⌫"),
    ("delete", Code::Delete, "Del"),
    ("up", Code::Up, "↑"),
    ("down", Code::Down, "↓"),
    ("left", Code::Left, "←"),
    ("right", Code::Right, "→"),
    ("home", Code::Home, "Home"),
    ("end", Code::End, "End"),
    ("pageup", Code::PageUp, "PgUp"),
    ("pagedown", Code::PageDown, "PgDn"),
    ("space", Code::Char(' '), "Space"),
];

impl Key {
    /// Reads the notation of this module.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (control, rest) = strip(text, "C-");
        let (alt, rest) = strip(rest, "A-");
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(character), None) => Code::Char(character),
            _ => match NAMES.iter().find(|(name, ..)| *name == rest) {
                Some((_, code, _)) => *code,
                None => Code::Function(rest.strip_prefix('F')?.parse().ok()?),
            },
        };
        Some(Self { code, control, alt })
    }

    /// The character this key types into an input, if it types one.
    pub(crate) fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(character) if !self.control && !self.alt => Some(character),
            _ => None,
        }
    }
}

fn strip<'t>(text: &'t str, prefix: &str) -> (bool, &'t str) {
    match text.strip_prefix(prefix) {
        Some(rest) if !rest.is_empty() => (true, rest),
        _ => (false, text),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.control {
            out.write_str("C-")?;
        }
        if self.alt {
            out.write_str("A-")?;
        }
        match self.code {
            Code::Function(number) => write!(out, "F{number}"),
            code => match NAMES.iter().find(|(_, named, _)| *named == code) {
                Some((.., shown)) => out.write_str(shown),
                None => match code {
                    Code::Char(character) => write!(out, "{character}"),
                    _ => Ok(()),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_notation_covers_what_people_press() {
        let shown: Vec<String> =
            ["j", "G", "-", "C-c", "A-left", "enter", "space", "F1"].map(|text| Key::parse(text).unwrap().to_string()).into();
        assert_eq!(shown, ["j", "G", "-", "C-c", "A-←", "↵", "Space", "F1"]);
        assert_eq!(Key::parse("nonsense"), None);
        assert_eq!(Key::parse(""), None);
    }
}
