//! What a person set, and what the browser remembers: `keymap.toml`, `theme.toml`, and the state of the last time.
//!
//! Settings lie in `$XDG_CONFIG_HOME/larder` (`~/.config/larder`), state in `$XDG_STATE_HOME/larder` (`~/.local/state/larder`), on every
//! system. Faults of a file are told in the browser with file and line; none of them keeps it from opening. State that can't be read
//! is forgotten, state that can't be written is lost: neither is worth a word.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use termprofile::{DetectorSettings, TermProfile};

use super::keymap::file::{self as keymap_file, Fault};
use super::keymap::{CATALOGUE, Context, Keymap};
use super::model::Model;
use super::model::columns::HiddenColumns;
use super::model::screens::{Screen, SortBy, Toast};
use super::theme::file as theme_file;
use super::theme::{NamedTheme, TERMINAL, built_in};
use crate::model::{Error, Result};

/// The theme of a person's own file.
const OWN: &str = "own";
/// Largest settings file that is read.
const MOST_BYTES: u64 = 1 << 20;
/// Identifiers remembered of each group.
const MOST_RECENT: usize = 20;

/// Settings, themes and state.
#[derive(Debug, Default)]
pub(super) struct Preferences {
    keymap: Keymap,
    themes: Vec<NamedTheme>,
    faults: Vec<String>,
    state: State,
    state_file: Option<PathBuf>,
    /// Nothing moves by itself.
    still: bool,
}

/// What is remembered from one time to the next, for each store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    theme: Option<String>,
    no_mouse: bool,
    /// Columns that are not wanted, by list.
    hidden_columns: BTreeMap<String, Vec<String>>,
    stores: BTreeMap<String, StoreState>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoreState {
    screen: Option<String>,
    groups_sort: Option<String>,
    groups_reversed: bool,
    recent: BTreeMap<String, Vec<String>>,
    /// Statements that were run, latest last.
    statements: Vec<String>,
}

impl State {
    /// What a file holds; nothing if it can't be read.
    fn read(file: &Path) -> Self {
        settings(file).ok().flatten().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }
}

const SORTS: [(&str, SortBy); 5] = [
    ("name", SortBy::Name),
    ("features", SortBy::Features),
    ("records", SortBy::Records),
    ("newest", SortBy::Newest),
    ("owner", SortBy::Owner),
];

impl Preferences {
    /// Reads what there is.
    pub(super) fn read() -> Self {
        let config = folder("XDG_CONFIG_HOME", ".config");
        let state_file = folder("XDG_STATE_HOME", ".local/state").map(|folder| folder.join("browser.json"));
        Self::read_from(config.as_deref(), state_file, TermProfile::detect(&std::io::stdout(), DetectorSettings::default()))
    }

    fn read_from(config: Option<&Path>, state_file: Option<PathBuf>, profile: TermProfile) -> Self {
        let mut themes = built_in();
        let mut faults = Vec::new();
        let mut keymap = Keymap::default();
        if let Some(folder) = config {
            let tell = |file: &str, found: Vec<Fault>| {
                found.into_iter().map(|fault| format!("{file}:{}: {}", fault.line, fault.what)).collect::<Vec<_>>()
            };
            match settings(&folder.join("keymap.toml")) {
                Ok(Some(text)) => {
                    let (read, found) = keymap_file::read(&text);
                    keymap = read;
                    faults.extend(tell("keymap.toml", found));
                }
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
            match settings(&folder.join("theme.toml")) {
                Ok(Some(text)) => {
                    let (theme, found) = theme_file::read(&text, &themes);
                    themes.insert(0, NamedTheme { name: OWN.to_owned(), theme });
                    faults.extend(tell("theme.toml", found));
                }
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        for theme in &mut themes {
            // The sixteen colours of the terminal need no translation, and the terminal may have them where nothing says so.
            if theme.name != TERMINAL {
                theme.theme = theme_file::adapted(theme.theme, profile);
            }
        }
        let state = state_file.as_deref().map(State::read).unwrap_or_default();
        Self { keymap, themes, faults, state, state_file, still: false }
    }

    /// Sets what the command line says.
    ///
    /// # Errors
    /// `Usage` for a theme that doesn't exist.
    pub(super) fn set(&mut self, theme: Option<String>, still: bool) -> Result<()> {
        self.still = still;
        if let Some(name) = theme {
            if !self.themes.iter().any(|theme| theme.name == name) {
                let names: Vec<&str> = self.themes.iter().map(|theme| theme.name.as_str()).collect();
                return Err(Error::usage(format!("no theme '{name}'")).remedy(format!("use one of {}", names.join(", "))));
            }
            self.state.theme = Some(name);
        }
        Ok(())
    }

    /// The themes there are, in the colours this terminal has.
    pub(super) fn themes(&self) -> Vec<NamedTheme> {
        self.themes.clone()
    }

    /// Puts all of it into the model; `store` is the folder of the store.
    pub(super) fn apply(&self, model: &mut Model, store: &str) {
        model.keymap = self.keymap.clone();
        model.themes = self.themes.iter().map(|theme| theme.name.clone()).collect();
        let known = |name: &&String| model.themes.contains(name);
        model.theme = self.state.theme.as_ref().filter(known).or(model.themes.first()).cloned().unwrap_or_default();
        model.mouse = !self.state.no_mouse;
        model.still = self.still;
        model.hidden_columns = HiddenColumns::read(&self.state.hidden_columns);
        for fault in &self.faults {
            model.toasts.push(Toast { text: fault.clone(), is_error: true, until: None });
            model.said.push((model.now, true, fault.clone()));
        }
        if let Some(state) = self.state.stores.get(store) {
            let screen = state.screen.as_deref().and_then(|name| Screen::named(name).ok());
            model.screen = screen.unwrap_or_default();
            model.groups_screen.reversed = state.groups_reversed;
            let sort = SORTS.iter().find(|(name, _)| Some(*name) == state.groups_sort.as_deref());
            model.groups_screen.sort = sort.map(|(_, sort)| *sort).unwrap_or_default();
            model.recent = state.recent.clone();
            model.sql.asked = state.statements.clone();
        }
    }

    /// Remembers what the next time shall find.
    pub(super) fn keep(&self, model: &Model, store: &str) {
        let Some(file) = &self.state_file else { return };
        // Another browser may have written what it left of another store meanwhile.
        let mut state = State::read(file);
        state.theme = Some(model.theme.clone()).filter(|name| !name.is_empty());
        state.no_mouse = !model.mouse;
        state.hidden_columns = model.hidden_columns.kept();
        let sort = SORTS.iter().find(|(_, sort)| *sort == model.groups_screen.sort).map(|(name, _)| (*name).to_owned());
        let recent = model.recent.iter().map(|(group, ids)| (group.clone(), ids.iter().take(MOST_RECENT).cloned().collect())).collect();
        let of_store = StoreState {
            screen: model.screen.name().map(str::to_owned),
            groups_sort: sort,
            groups_reversed: model.groups_screen.reversed,
            recent,
            statements: model.sql.asked.clone(),
        };
        state.stores.insert(store.to_owned(), of_store);
        // Nobody is left to tell.
        let _ = write(file, &state);
    }

    /// Every action with its keys, as a page of Markdown.
    pub(super) fn keys_page(&self) -> String {
        let mut page = String::from("# Keys\n\nWritten by `larder tui --keys` from the catalogue of actions and your `keymap.toml`.\n");
        let mut title = "";
        for context in Context::ALL {
            let rows: Vec<String> = CATALOGUE
                .iter()
                .map(|entry| (entry, self.keymap.all(entry.action, context)))
                .filter(|(_, keys)| !keys.is_empty())
                .map(|(entry, keys)| format!("| `{}` | `{}` | {} |\n", keys.join("` `"), entry.name, entry.help))
                .collect();
            if rows.is_empty() {
                continue;
            }
            if context.title() != title {
                title = context.title();
                page.push_str(&format!("\n## {title}\n"));
            }
            page.push_str(&format!("\n`[{}]`\n\n| keys | action | does |\n|---|---|---|\n{}", context.name(), rows.concat()));
        }
        page
    }
}

/// A folder of larder's by the XDG rules, on every system.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute()).map(|home| home.join(below_home));
    Some(set.or_else(home)?.join("larder"))
}

fn settings(file: &Path) -> std::result::Result<Option<String>, String> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(found) if found.len() > MOST_BYTES => return Err(format!("{}: too large to be settings", file.display())),
        _ => {}
    }
    std::fs::read_to_string(file).map(Some).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, state: &State) -> std::io::Result<()> {
    let folder = file.parent().ok_or(std::io::ErrorKind::NotFound)?;
    std::fs::create_dir_all(folder)?;
    // Two browsers that end at once each write a whole file; the last one stays.
    let part = folder.join(format!("browser.json.{}", std::process::id()));
    // Identifiers that were looked up are nobody else's business.
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    out.write_all(&serde_json::to_vec_pretty(state)?)?;
    drop(out);
    std::fs::rename(part, file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tui::model::columns::Listed;

    #[test]
    fn what_is_kept_is_found_the_next_time_by_the_store_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("larder/browser.json");
        let read = || Preferences::read_from(None, Some(file.clone()), TermProfile::Ansi16);
        let opened = |store: &str| {
            let mut model = Model::new("demo".to_owned(), false, (80, 24), 0);
            read().apply(&mut model, store);
            model
        };
        let mut model = opened("/srv/a/demo");
        assert_eq!((model.screen, model.theme.as_str()), (Screen::Catalog, TERMINAL));
        model.screen = Screen::Sql;
        model.theme = "paper".to_owned();
        model.groups_screen.sort = SortBy::Owner;
        model.recent.insert("trips".to_owned(), vec!["C1".to_owned()]);
        model.sql.remember("select 1");
        model.hidden_columns.toggle(Listed::Groups, "TAGS");
        let meanwhile = read();
        read().keep(&model, "/srv/a/demo");

        let again = opened("/srv/a/demo");
        assert_eq!((again.screen, again.theme.as_str(), again.groups_screen.sort), (Screen::Sql, "paper", SortBy::Owner));
        assert_eq!(again.recent["trips"], ["C1"]);
        assert_eq!(again.sql.asked, ["select 1"]);
        assert!(again.hidden_columns.holds(Listed::Groups, "TAGS"));
        let other = opened("/srv/b/demo");
        assert_eq!((other.screen, other.theme.as_str()), (Screen::Catalog, "paper"), "colours are everywhere the same");
        assert!(other.recent.is_empty(), "a folder of the same name is another store");
        meanwhile.keep(&other, "/srv/b/demo");
        assert_eq!(opened("/srv/a/demo").recent["trips"], ["C1"], "a browser that ends later keeps what another one wrote");

        std::fs::write(&file, "{ broken").unwrap();
        assert_eq!(opened("/srv/a/demo").screen, Screen::Catalog);
    }

    #[test]
    fn faults_of_settings_are_told_with_their_line_and_the_browser_opens() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keymap.toml"), "[global]\nrefesh = \"x\"\n").unwrap();
        std::fs::write(folder.path().join("theme.toml"), "inherits = \"slat\"\n").unwrap();
        let read = Preferences::read_from(Some(folder.path()), None, TermProfile::TrueColor);
        let mut model = Model::new("demo".to_owned(), false, (80, 24), 0);
        read.apply(&mut model, "/srv/demo");
        let told: Vec<&str> = model.toasts.iter().map(|toast| toast.text.as_str()).collect();
        assert_eq!(told[0], "keymap.toml:2: no action 'refesh'; did you mean 'refresh'?");
        assert_eq!(told[1], "theme.toml:1: no theme 'slat'; did you mean 'slate'?");
        assert_eq!(model.theme, OWN, "a theme of one's own is used unless another is chosen");
    }

    #[test]
    fn the_page_of_keys_names_every_action() {
        let page = Preferences::default().keys_page();
        for entry in CATALOGUE {
            assert!(page.contains(&format!("`{}`", entry.name)), "{} is missing", entry.name);
        }
    }
}
