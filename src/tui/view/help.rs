//! The help: the only popup with a border, made from the catalogue of actions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::layout;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::list::List;
use crate::tui::model::screens::HelpScreen;
use crate::tui::theme::Theme;
use crate::tui::update::{HelpRow, help_rows};
use crate::tui::widgets::input::Input;
use crate::tui::widgets::text::put;

/// A row of the popup: a heading or an action.
enum Shown<'a> {
    Blank,
    Heading(&'a str),
    Action(usize, &'a HelpRow),
}

pub(super) fn draw(model: &Model, help: &HelpScreen, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let rows = help_rows(&model.keymap, model.focus_below_help(), help.line.text());
    let shown = with_headings(&rows);
    // As high as everything there is to say, so that it keeps its size while one searches.
    let everything = help_rows(&model.keymap, model.focus_below_help(), "");
    let inner = super::layer::popup("help", 76, with_headings(&everything).len() as u16 + 4, theme, frame, body);
    let (input_area, list_area) = layout::below(inner, 2);
    Input { sign: "/", placeholder: "type a key or a word", line: &help.line, typing: true }.draw(frame, input_area, theme);
    if rows.is_empty() {
        put(frame.buffer_mut(), layout::indent(list_area, 3), 0, &Line::from(Span::styled("No key does that here.", theme.text)));
        return;
    }
    let at = shown.iter().position(|row| matches!(row, Shown::Action(place, _) if *place == help.list.at)).unwrap_or(0);
    // The first action brings its heading along.
    let cursor = List::at(at);
    let height = usize::from(list_area.height);
    let window = if help.list.at == 0 { 0..shown.len().min(height) } else { cursor.window(shown.len(), height) };
    let _ = help.list.window(rows.len(), height);
    let keys_width = rows.iter().map(|row| fit::width(&row.keys)).max().unwrap_or(0).clamp(8, 22);
    for (line, row) in shown.iter().skip(window.start).take(window.len()).enumerate() {
        let line = line as u16;
        match row {
            Shown::Blank => {}
            Shown::Heading(title) => {
                put(frame.buffer_mut(), layout::indent(list_area, 1), line, &Line::from(Span::styled(title.to_uppercase(), theme.muted)));
            }
            Shown::Action(place, row) => {
                let room = usize::from(list_area.width).saturating_sub(keys_width + 5);
                let keys = fit::cut(&row.keys, keys_width);
                let pad = " ".repeat(keys_width.saturating_sub(fit::width(&keys)) + 2);
                let text = Line::from(vec![
                    Span::raw(" "),
                    Span::styled(keys, theme.key),
                    Span::raw(pad),
                    Span::styled(fit::cut(row.help, room), theme.text),
                ]);
                put(frame.buffer_mut(), layout::indent(list_area, 1), line, &text);
                if *place == help.list.at {
                    let whole = Rect { y: list_area.y + line, height: 1, ..list_area };
                    frame.buffer_mut().set_style(whole, theme.selection);
                }
            }
        }
    }
}

fn with_headings(rows: &[HelpRow]) -> Vec<Shown<'_>> {
    let mut shown = Vec::new();
    let mut title = "";
    for (place, row) in rows.iter().enumerate() {
        if row.title != title {
            if !shown.is_empty() {
                shown.push(Shown::Blank);
            }
            title = row.title;
            shown.push(Shown::Heading(title));
        }
        shown.push(Shown::Action(place, row));
    }
    shown
}
