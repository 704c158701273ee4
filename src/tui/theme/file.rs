//! `theme.toml`: colours of a person, and those that come with larder in the same format.
//!
//! ```toml
//! inherits = "slate"                 # the roles that aren't named come from here; `terminal` unless it is said
//! [roles]
//! accent = { fg = "#6cb6eb", bold = true }
//! bad = { fg = "red" }               # a name of the sixteen, #rrggbb, or a number of the 256
//! ```
//!
//! A role that is named is what the file says and nothing else. Faults are told with their line; the rest of the file counts.

use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};
use termprofile::TermProfile;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{NamedTheme, Theme};
use crate::tui::keymap::file::{Fault, line_of, unknown};

/// The place of a role in a theme.
type Role = fn(&mut Theme) -> &mut Style;

/// The roles by name.
const ROLES: [(&str, Role); 11] = [
    ("text", |theme| &mut theme.text),
    ("strong", |theme| &mut theme.strong),
    ("muted", |theme| &mut theme.muted),
    ("accent", |theme| &mut theme.accent),
    ("selection", |theme| &mut theme.selection),
    ("matched", |theme| &mut theme.matched),
    ("good", |theme| &mut theme.good),
    ("watch", |theme| &mut theme.watch),
    ("bad", |theme| &mut theme.bad),
    ("key", |theme| &mut theme.key),
    ("stale", |theme| &mut theme.stale),
];

const MODIFIERS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

/// The theme a file describes, on top of one of those known, with the faults that were passed over.
pub(crate) fn read(text: &str, known: &[NamedTheme]) -> (Theme, Vec<Fault>) {
    let mut theme = Theme::default();
    let mut faults = Vec::new();
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            faults.push(Fault { line: line_of(text, error.span().map_or(0, |span| span.start)), what: error.message().to_owned() });
            return (theme, faults);
        }
    };
    for (key, value) in table.get_ref() {
        let line = line_of(text, key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("inherits", value) => {
                let name = value.as_str().unwrap_or_default();
                match known.iter().find(|theme| theme.name == name) {
                    Some(other) => theme = other.theme,
                    None => faults.push(Fault { line, what: unknown("theme", name, known.iter().map(|theme| theme.name.as_str())) }),
                }
            }
            // For people who choose among themes; nothing depends on it.
            ("ground", _) | ("roles", DeValue::Table(_)) => {}
            (other, _) => faults.push(Fault { line, what: unknown("setting", other, ["inherits", "ground", "roles"].into_iter()) }),
        }
    }
    if let Some(DeValue::Table(roles)) = table.get_ref().get("roles").map(Spanned::get_ref) {
        for (name, value) in roles {
            let line = line_of(text, name.span().start);
            let Some((_, role)) = ROLES.iter().find(|(role, _)| role == name.get_ref()) else {
                faults.push(Fault { line, what: unknown("role", name.get_ref(), ROLES.iter().map(|(role, _)| *role)) });
                continue;
            };
            match style(value.get_ref()) {
                Ok(style) => *role(&mut theme) = style,
                Err(what) => faults.push(Fault { line, what }),
            }
        }
    }
    faults.sort_by_key(|fault| fault.line);
    (theme, faults)
}

fn style(value: &DeValue<'_>) -> Result<Style, String> {
    let table = value.as_table().ok_or("a role is a table, such as { fg = \"#6cb6eb\", bold = true }")?;
    let mut style = Style::new();
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        if let "fg" | "bg" = key {
            let text = value.get_ref().as_str().unwrap_or_default();
            let color =
                Color::from_str(text).map_err(|_| format!("'{text}' is no colour; write a name such as \"cyan\", or \"#rrggbb\""))?;
            style = if key == "fg" { style.fg(color) } else { style.bg(color) };
        } else if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == key) {
            if value.get_ref().as_bool().ok_or_else(|| format!("'{key}' is true or false"))? {
                style = style.add_modifier(*modifier);
            }
        } else {
            return Err(unknown("part of a style", key, ["fg", "bg"].into_iter().chain(MODIFIERS.iter().map(|(name, _)| *name))));
        }
    }
    Ok(style)
}

/// The theme in the colours that a terminal has.
pub(crate) fn adapted(mut theme: Theme, profile: TermProfile) -> Theme {
    for (_, role) in ROLES {
        let style = role(&mut theme);
        let adapt = |color: Color| profile.adapt_color(color).unwrap_or(Color::Reset);
        style.fg = style.fg.map(adapt);
        style.bg = style.bg.map(adapt);
    }
    theme
}

#[cfg(test)]
mod tests {
    use super::super::{FILES, built_in};
    use super::*;

    #[test]
    fn every_theme_of_ours_names_every_role_and_has_no_fault() {
        for (name, text) in FILES {
            assert_eq!(read(text, &[]).1, [], "{name}");
            for (role, _) in ROLES {
                assert!(text.lines().any(|line| line.starts_with(&format!("{role} ="))), "{name} leaves {role} out");
            }
        }
        assert_eq!(built_in().len(), 5);
    }

    #[test]
    fn a_file_inherits_and_its_faults_are_told() {
        let text = "inherits = \"slate\"\n[roles]\naccent = { fg = \"#ff0000\", bold = true }\nbad = { fg = \"rouge\" }\nacent = { fg = \"red\" }\n";
        let (theme, faults) = read(text, &built_in());
        assert_eq!(theme.accent, Style::new().fg(Color::Rgb(255, 0, 0)).add_modifier(Modifier::BOLD));
        assert_eq!(theme.good, built_in()[1].theme.good);
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [4, 5]);
        assert!(faults[1].what.ends_with("did you mean 'accent'?"), "{faults:?}");
    }

    #[test]
    fn colours_come_down_to_what_the_terminal_has() {
        let slate = built_in()[1].theme;
        assert_eq!(adapted(slate, TermProfile::TrueColor), slate);
        let basic = adapted(slate, TermProfile::Ansi16);
        assert!(!matches!(basic.accent.fg, Some(Color::Rgb(..) | Color::Indexed(_)) | None), "{:?}", basic.accent);
        assert!(basic.strong.add_modifier.contains(Modifier::BOLD));
        assert_eq!(adapted(slate, TermProfile::NoColor).accent.fg, Some(Color::Reset));
    }
}
