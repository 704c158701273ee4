//! The terminal face: browses the catalog, looks records up, and never waits.
//!
//! One task owns all state. What happened becomes a [`msg::Msg`]; [`update`] changes the model and says what is to be done, and is pure;
//! [`view`] draws the model and changes nothing; [`run`] carries effects out, on jobs beside the screen, whose answers come back
//! as messages. So every behaviour and every screen is tested with plain values and no terminal.
//!
//! ```text
//! keys, signals ─▶ run ─▶ update(model, msg) ─▶ effects ─▶ jobs ─▶ source (the store)
//!                   ▲                                        │
//!                   └────────────── messages ◀───────────────┘        view(model) ─▶ one frame, when something changed
//! ```
//!
//! There is no rule about data in here and no tick: what the store says is shown, and an idle browser does nothing at all.

mod clean;
mod fit;
mod input;
mod jobs;
mod keymap;
mod live;
mod matching;
mod model;
mod msg;
mod numbers;
mod preferences;
mod run;
mod snippets;
mod source;
mod term;
mod theme;
mod units;
mod update;
mod view;
mod widgets;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::LocalBoxFuture;

use crate::model::Result;
use crate::store::{FeatureStore, fuzzy, listing};

/// How the browser starts.
#[derive(Debug, Clone, Default)]
pub struct TuiOptions {
    /// Change nothing from the browser.
    pub read_only: bool,
    /// The screen to begin with, by the name `--screen` takes.
    pub screen: Option<String>,
    /// What to look for.
    pub text: Option<String>,
    /// The theme, instead of the one used the last time.
    pub theme: Option<String>,
    /// Draw with plain characters only.
    pub ascii: bool,
    /// Nothing moves by itself.
    pub still: bool,
}

/// Names of the screens, as `--screen` takes them.
#[must_use]
pub fn screens() -> [&'static str; 6] {
    model::screens::Screen::NAMED.map(|(_, name)| name)
}

/// Every action with its keys, as a page of Markdown: made from the catalogue and from the person's own keymap.
#[must_use]
pub fn keys_page() -> String {
    preferences::Preferences::read().keys_page()
}

/// Opens the browser on a store and returns when the person has quit.
///
/// The terminal is given back whatever happens. Needs a runtime with worker threads, so that a slow disk never freezes the keys.
///
/// # Errors
/// `Usage` where standard input and output aren't a terminal that can be drawn on, or for a screen or theme that doesn't exist;
/// `Interrupted` when a signal or the end of the terminal closed it; `Io` if the terminal fails.
///
/// Boxed, because the body of an `async fn` is compiled anew in every crate that polls it, and the binary is one.
pub fn run(store: FeatureStore, options: TuiOptions) -> LocalBoxFuture<'static, Result<()>> {
    Box::pin(browse(store, options))
}

async fn browse(store: FeatureStore, options: TuiOptions) -> Result<()> {
    let read_only = options.read_only || store.is_read_only();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let clock = store.clone();
    let mut preferences = preferences::Preferences::read();
    preferences.set(options.theme, options.still)?;
    let screen = options.screen.map(|name| model::screens::Screen::named(&name)).transpose()?;
    let setting = run::Setting {
        source: Arc::new(store),
        read_only,
        look: view::Look { themes: preferences.themes(), no_color, ascii: options.ascii },
        preferences,
        start: update::Start { screen, text: options.text },
        clock: Box::new(move || clock.now().unix_micros()),
    };
    run::run(setting).await
}
