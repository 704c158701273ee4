//! Roles of colour and weight, and the signs that carry the same meaning without colour.
//!
//! Views ask for a role, never for a colour. The theme uses the sixteen ANSI colours on the terminal's own background and leaves
//! ordinary text in the terminal's own colour, so it sits well on dark and light grounds alike; muted text is dim rather than
//! grey for the same reason. Selection is reversed, matches are bold and underlined, states have a sign and a word:
//! everything survives without colour.

pub(crate) mod ascii;
pub(crate) mod file;

use ratatui::style::{Color, Modifier, Style};

/// The theme that is used unless a person chose another: the terminal's own colours.
pub(crate) const TERMINAL: &str = "terminal";

/// A theme under its name.
#[derive(Debug, Clone)]
pub(crate) struct NamedTheme {
    /// What people call it.
    pub(crate) name: String,
    /// Its roles.
    pub(crate) theme: Theme,
}

/// The files of `assets/themes`, by name.
const FILES: [(&str, &str); 4] = [
    ("slate", include_str!("../../../assets/themes/slate.toml")),
    ("paper", include_str!("../../../assets/themes/paper.toml")),
    ("blue-orange", include_str!("../../../assets/themes/blue-orange.toml")),
    ("contrast", include_str!("../../../assets/themes/contrast.toml")),
];

/// The themes that come with larder: the terminal's own colours first, then those of `assets/themes`.
pub(crate) fn built_in() -> Vec<NamedTheme> {
    let of_file = |(name, text): (&str, &str)| NamedTheme { name: name.to_owned(), theme: file::read(text, &[]).0 };
    std::iter::once(NamedTheme { name: TERMINAL.to_owned(), theme: Theme::default() }).chain(FILES.into_iter().map(of_file)).collect()
}

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Ordinary data.
    pub(crate) text: Style,
    /// The thing in focus; titles.
    pub(crate) strong: Style,
    /// Headings, hints, rules, what matters less.
    pub(crate) muted: Style,
    /// The one accent.
    pub(crate) accent: Style,
    /// The row under the cursor.
    pub(crate) selection: Style,
    /// Letters that a search matched.
    pub(crate) matched: Style,
    /// All is well.
    pub(crate) good: Style,
    /// Worth a look.
    pub(crate) watch: Style,
    /// Wrong.
    pub(crate) bad: Style,
    /// A key in a hint.
    pub(crate) key: Style,
    /// What is being renewed.
    pub(crate) stale: Style,
}

impl Default for Theme {
    fn default() -> Self {
        let plain = Style::new();
        let accent = plain.fg(Color::Cyan);
        Self {
            text: plain,
            strong: plain.add_modifier(Modifier::BOLD),
            muted: plain.add_modifier(Modifier::DIM),
            accent,
            selection: accent.add_modifier(Modifier::REVERSED).remove_modifier(Modifier::DIM),
            matched: accent.add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
            good: plain.fg(Color::Green),
            watch: plain.fg(Color::Yellow),
            bad: plain.fg(Color::Red),
            key: plain.add_modifier(Modifier::BOLD),
            stale: plain.add_modifier(Modifier::DIM),
        }
    }
}

/// Signs, each one column wide in every terminal that draws ambiguous characters narrow.
pub(crate) mod sign {
    /// In order.
    pub(crate) const GOOD: &str = "✓";
    /// Worth a look.
    pub(crate) const WATCH: &str = "▲";
    /// Wrong.
    pub(crate) const BAD: &str = "✖";
    /// A value that is null.
    pub(crate) const NULL: &str = "∅";
    /// The pane or row in focus.
    pub(crate) const FOCUS: &str = "▌";
    /// Between the steps of a path.
    pub(crate) const STEP: &str = "›";
    /// Between two panes.
    pub(crate) const RULE: &str = "│";
    /// A row that is marked.
    pub(crate) const MARK: &str = "●";
    /// A thumb of a scrollbar.
    pub(crate) const THUMB: &str = "┃";
    /// Steps of a spinner.
    pub(crate) const SPINNER: [&str; 8] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"];
}
