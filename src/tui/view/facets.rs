//! The counts beside the list of features: how many there are of each type, entity, owner, tag … of what is listed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::catalog::FacetLine;
use crate::tui::model::mouse::{Place, Target};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::thin;
use crate::tui::update::facets::is_on;
use crate::tui::widgets::text::{put, put_right};

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.catalog_screen;
    let facets = &screen.facets;
    let area = Rect { width: area.width.saturating_sub(2), ..area };
    let heading = Line::from(vec![
        Span::styled(if facets.focused { sign::FOCUS } else { " " }, theme.accent),
        Span::styled("FACETS", if facets.focused { theme.strong } else { theme.muted }),
    ]);
    put(frame.buffer_mut(), area, 0, &heading);
    let (_, area) = super::layout::below(area, 1);
    let lines = facets.lines();
    for (at, row) in facets.list.window(lines.len(), usize::from(area.height)).enumerate() {
        let line = Rect { y: area.y + at as u16, height: 1, ..area };
        match lines.get(row) {
            Some(FacetLine::Name(name)) => put(frame.buffer_mut(), line, 0, &Line::from(Span::styled(format!(" {name}"), theme.muted))),
            Some(FacetLine::Value(name, value, count)) => {
                let chosen = is_on(screen.filtered.line.text(), name, value);
                let (mark, style) = if chosen { (sign::GOOD, theme.accent) } else { (" ", theme.text) };
                let number = thin(*count as u64);
                let room = usize::from(line.width).saturating_sub(fit::width(&number) + 4);
                let spans = vec![Span::styled(format!(" {mark} "), style), Span::styled(fit::cut_middle(&clean(value), room), style)];
                put(frame.buffer_mut(), line, 0, &Line::from(spans));
                put_right(frame.buffer_mut(), line, 0, 0, &Line::from(Span::styled(number, theme.muted)));
                if facets.focused && row == facets.list.at {
                    frame.buffer_mut().set_style(line, theme.selection);
                }
                model.targets.borrow_mut().push((Place { x: line.x, y: line.y, width: line.width, height: 1 }, Target::Facet(row)));
            }
            None => {}
        }
    }
}
