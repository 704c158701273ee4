//! Draws the model. Reads it, changes nothing, does no I/O, and makes rows only for what can be seen.
//!
//! One file per screen; this one draws what all of them share and seals the frame: no control character leaves it, and under
//! `NO_COLOR` no colour does.

mod catalog;
mod datasets;
mod drawing;
mod drift;
mod explained;
mod facets;
mod facts;
mod files;
mod frame;
mod grid;
mod group;
mod groups;
mod help;
mod jobs;
mod layer;
pub(crate) mod layout;
mod lineage;
mod overview;
mod record;
mod rows;
mod sql;
mod states;
mod statistics;
mod writes;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use ratatui::text::{Line, Span};

use crate::tui::clean::is_hostile;
use crate::tui::model::Model;
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::theme::{NamedTheme, Theme, ascii};

/// How the screen is drawn, apart from what is on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    /// The themes there are; the model names the one in use.
    pub(crate) themes: Vec<NamedTheme>,
    /// Colours are left out.
    pub(crate) no_color: bool,
    /// Signs are plain characters.
    pub(crate) ascii: bool,
}

impl Look {
    fn theme(&self, name: &str) -> Theme {
        self.themes.iter().find(|theme| theme.name == name).map(|theme| theme.theme).unwrap_or_default()
    }
}

/// Draws a whole frame.
pub(crate) fn draw(model: &Model, look: &Look, frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = layout::LEAST;
    if area.width < width || area.height < height {
        let text = format!("terminal too small ({}×{}), need {width}×{height}", area.width, area.height);
        let line = Line::from(Span::raw(crate::tui::fit::cut(&text, usize::from(area.width))));
        crate::tui::widgets::text::put(frame.buffer_mut(), area, 0, &line);
    } else {
        model.targets.borrow_mut().clear();
        draw_screen(model, &look.theme(&model.theme), frame);
    }
    seal(frame.buffer_mut(), look);
}

fn draw_screen(model: &Model, theme: &Theme, frame: &mut Frame<'_>) {
    let parts = layout::parts(frame.area());
    frame::header(model, theme, frame, parts.header);
    if model.groups.value().is_none() {
        match (model.groups.error(), model.screen) {
            (Some(error), _) => states::failed(error, "the catalog", theme, frame, parts.body),
            (None, Screen::Groups) => groups::draw(model, theme, frame, parts.body),
            (None, Screen::Catalog) => catalog::draw(model, theme, frame, parts.body),
            (None, _) => states::loading(model, model.groups.waiting_since(), "reading the catalog", theme, frame, parts.body),
        }
    } else if model.is_empty_store() {
        states::first_run(model, theme, frame, parts.body);
    } else {
        match model.screen {
            Screen::Groups => groups::draw(model, theme, frame, parts.body),
            Screen::Catalog => catalog::draw(model, theme, frame, parts.body),
            Screen::Group => match model.origins.get(&model.group_screen.name) {
                Some(origin) if matches!(model.group_screen.tab, Tab::Drift | Tab::Data | Tab::Files | Tab::Datasets) => {
                    states::elsewhere(model, origin, theme, frame, parts.body);
                }
                _ => group::draw(model, theme, frame, parts.body),
            },
            Screen::Lineage => lineage::draw(model, theme, frame, parts.body),
            Screen::Sql => sql::draw(model, theme, frame, parts.body),
            Screen::Datasets => datasets::draw(model, theme, frame, parts.body),
            Screen::Jobs => jobs::draw(model, theme, frame, parts.body),
        }
        if states::looks_old(model, &model.groups) && matches!(model.screen, Screen::Catalog | Screen::Groups) {
            states::fade(frame.buffer_mut(), parts.body, theme.stale);
        }
    }
    frame::hints(model, theme, frame, parts.hints);
    frame::toasts(model, theme, frame, parts.body);
    if let Some(layer) = &model.layer {
        layer::draw(model, layer, theme, frame, parts.body);
    }
    layer::ways(model, theme, frame, parts.body);
    if let Some(help) = &model.help {
        help::draw(model, help, theme, frame, parts.body);
    }
}

/// The last step of every frame. Text is cleaned where it is laid out; this makes sure, for every cell and whatever a widget did.
/// Colours are taken out here because the terminal library, told about `NO_COLOR`, would send resets that wipe the weights.
fn seal(buffer: &mut Buffer, look: &Look) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() || cell.symbol().chars().any(is_hostile) {
            let symbol: String = cell.symbol().chars().filter(|character| !is_hostile(*character)).collect();
            if symbol.len() != cell.symbol().len() {
                cell.set_symbol(if symbol.is_empty() { " " } else { &symbol });
            }
        }
        if look.ascii
            && let Some(plain) = ascii::plain(cell.symbol())
        {
            cell.set_symbol(plain);
        }
        if look.no_color {
            cell.fg = Color::Reset;
            cell.bg = Color::Reset;
            cell.underline_color = Color::Reset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{catalog, datasets, files, groups, jobs, statistics};
    use crate::tui::model::columns::Listed;

    #[test]
    fn every_column_that_can_be_hidden_stands_in_its_list() {
        for list in Listed::ALL {
            let drawn = match list {
                Listed::Features => &catalog::ALL[..],
                Listed::Groups => &groups::COLUMNS,
                Listed::Schema => &catalog::SCHEMA,
                Listed::Stats => &statistics::FEATURES,
                Listed::Files => &files::COLUMNS,
                Listed::Datasets => &datasets::COLUMNS,
                Listed::Jobs => &jobs::COLUMNS,
            };
            for title in list.columns() {
                assert!(drawn.iter().any(|column| column.title == *title), "{title} of the {}", list.name());
            }
        }
    }
}
