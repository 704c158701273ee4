//! A table that makes only the rows one can see.
//!
//! The upstream table wants every row built before it draws; here the rows in the window are asked for one by one, so a million rows cost
//! as much as twenty. Columns give up their room by rank: those of the highest rank leave first when the screen is narrow, and what is left
//! over goes to the columns that can use it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::put;
use crate::tui::model::list::List;
use crate::tui::model::mouse::Place;
use crate::tui::theme::{Theme, sign};

/// Room between two columns.
const GAP: u16 = 2;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Heading, upper case.
    pub(crate) title: &'static str,
    /// Least columns of the screen.
    pub(crate) least: u16,
    /// Most it can use; the same as `least` for a fixed one.
    pub(crate) most: u16,
    /// Numbers end at the right.
    pub(crate) right: bool,
    /// Columns of a higher rank leave first; rank 0 never leaves.
    pub(crate) rank: u8,
    /// It is not drawn, whatever room there is.
    pub(crate) hidden: bool,
}

impl Column {
    /// A column of text between two widths.
    pub(crate) const fn text(title: &'static str, least: u16, most: u16, rank: u8) -> Self {
        Self { title, least, most, right: false, rank, hidden: false }
    }

    /// The same column for texts of which the longest is known, in a table of that width: it asks for the room to show them whole, up to
    /// two fifths of the table, and for no more.
    pub(crate) fn fitting(self, longest: usize, table: u16) -> Self {
        let longest = u16::try_from(longest).unwrap_or(u16::MAX);
        let most = longest.clamp(self.least, self.most);
        let least = most.min((table * 2 / 5).max(self.least));
        Self { least, most, ..self }
    }

    /// The same column, left out if so: nobody wants it, or there is nothing in it.
    pub(crate) fn hidden_if(self, hidden: bool) -> Self {
        Self { hidden: self.hidden || (hidden && self.rank > 0), ..self }
    }

    /// A column of numbers.
    pub(crate) const fn number(title: &'static str, width: u16, rank: u8) -> Self {
        Self { title, least: width, most: width, right: true, rank, hidden: false }
    }
}

/// The columns that fit, each with the width it gets: place in the given list, width.
pub(crate) fn solve(columns: &[Column], room: u16) -> Vec<(usize, u16)> {
    let wanted: Vec<usize> = (0..columns.len()).filter(|at| !columns[*at].hidden).collect();
    let needs = |kept: &[usize]| {
        let widths: u16 = kept.iter().map(|at| columns[*at].least).sum();
        widths + GAP * (kept.len().saturating_sub(1)) as u16
    };
    // By rank, each that still fits: where one has no room, a smaller one behind it may have.
    let mut by_rank = wanted;
    by_rank.sort_by_key(|at| (columns[*at].rank, *at));
    let mut kept: Vec<usize> = Vec::new();
    for at in by_rank {
        kept.push(at);
        if columns[at].rank > 0 && needs(&kept) > room {
            kept.pop();
        }
    }
    kept.sort_unstable();
    let mut widths: Vec<(usize, u16)> = kept.iter().map(|at| (*at, columns[*at].least)).collect();
    let mut spare = room.saturating_sub(needs(&kept));
    // What is left goes to the columns in the order of their rank; those of one rank share it.
    let mut ranks: Vec<u8> = kept.iter().map(|at| columns[*at].rank).collect();
    ranks.sort_unstable();
    ranks.dedup();
    for rank in ranks {
        let mut grew = true;
        while spare > 0 && grew {
            grew = false;
            for (at, width) in &mut widths {
                if spare > 0 && columns[*at].rank == rank && *width < columns[*at].most {
                    *width += 1;
                    spare -= 1;
                    grew = true;
                }
            }
        }
    }
    if let [(_, only)] = widths.as_mut_slice() {
        *only = (*only).min(room);
    }
    widths
}

/// A table to draw.
pub(crate) struct Table<'a> {
    /// Its columns.
    pub(crate) columns: &'a [Column],
    /// How many rows there are.
    pub(crate) length: usize,
    /// Cursor and window.
    pub(crate) list: &'a List,
    /// True if it has the keys.
    pub(crate) focused: bool,
    /// Title of the column that sorts, with its direction.
    pub(crate) sorted: Option<(&'static str, bool)>,
    /// Tells the rows that are marked.
    pub(crate) marked: Option<&'a dyn Fn(usize) -> bool>,
}

/// The lines of an area that rows are drawn on, for the mouse.
pub(crate) fn placed(area: Rect, rows: usize) -> Place {
    Place { x: area.x, y: area.y, width: area.width, height: area.height.min(u16::try_from(rows).unwrap_or(u16::MAX)) }
}

impl Table<'_> {
    /// Draws heading and visible rows. `cells` gives the cells of a row for columns (place, width) in that order.
    pub(crate) fn draw(
        &self,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
        mut cells: impl FnMut(usize, &[(usize, u16)]) -> Vec<Line<'static>>,
    ) {
        if area.height == 0 || area.width < 4 {
            return;
        }
        // One column left for the focus mark, one right for the scrollbar.
        let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
        let widths = solve(self.columns, inner.width);
        self.draw_heading(buffer, area, inner, &widths, theme);
        let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
        let window = self.list.window(self.length, usize::from(body.height));
        let first = window.start;
        self.list.drawn_at(placed(body, window.len()));
        for (line, row) in window.enumerate() {
            let y = body.y + line as u16;
            let mut x = inner.x;
            for ((at, width), cell) in widths.iter().zip(cells(row, &widths)) {
                let taken = (cell.width() as u16).min(*width);
                let shift = if self.columns[*at].right { width - taken } else { 0 };
                buffer.set_line(x + shift, y, &cell, *width - shift);
                x += width + GAP;
            }
            if row == self.list.at {
                let whole = Rect { x: area.x, y, width: area.width - 1, height: 1 };
                if self.focused {
                    buffer.set_style(whole, theme.selection);
                } else {
                    buffer.set_style(whole, theme.strong);
                    put(buffer, whole, 0, &Line::from(Span::styled(sign::FOCUS, theme.accent)));
                }
            }
            if self.marked.is_some_and(|marked| marked(row)) {
                buffer.set_string(area.x, y, sign::MARK, theme.accent.patch(theme.strong));
            }
        }
        self.draw_thumb(buffer, body, first, theme);
    }

    fn draw_heading(&self, buffer: &mut Buffer, area: Rect, inner: Rect, widths: &[(usize, u16)], theme: &Theme) {
        if self.focused {
            buffer.set_string(area.x, area.y, sign::FOCUS, theme.accent);
        }
        let mut x = inner.x;
        for (place, (at, width)) in widths.iter().enumerate() {
            let column = &self.columns[*at];
            let style = if place == 0 && self.focused { theme.strong } else { theme.muted };
            let mark = match self.sorted {
                Some((title, descending)) if title == column.title => {
                    if descending {
                        "↓"
                    } else {
                        "↑"
                    }
                }
                _ => "",
            };
            let title = format!("{}{mark}", column.title);
            let taken = (crate::tui::fit::width(&title) as u16).min(*width);
            let shift = if column.right { width - taken } else { 0 };
            buffer.set_stringn(x + shift, area.y, &title, usize::from(*width - shift), style);
            x += width + GAP;
        }
    }

    /// A thumb at the right edge, only where rows are hidden.
    fn draw_thumb(&self, buffer: &mut Buffer, body: Rect, first: usize, theme: &Theme) {
        let height = usize::from(body.height);
        if height == 0 || self.length <= height {
            return;
        }
        let size = (height * height / self.length).max(1);
        let top = first * (height - size) / (self.length - height).max(1);
        for row in top..(top + size).min(height) {
            buffer.set_string(body.right() - 1, body.y + row as u16, sign::THUMB, theme.muted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] =
        [Column::text("NAME", 10, 30, 0), Column::number("N", 6, 1), Column::text("OWNER", 8, 8, 2), Column::text("NOTE", 10, 99, 3)];

    #[test]
    fn narrow_screens_lose_the_least_important_columns() {
        let kept = |room| solve(&COLUMNS, room).into_iter().map(|(at, _)| COLUMNS[at].title).collect::<Vec<_>>();
        assert_eq!(kept(80), ["NAME", "N", "OWNER", "NOTE"]);
        assert_eq!(kept(35), ["NAME", "N", "OWNER"]);
        assert_eq!(kept(20), ["NAME", "N"]);
        assert_eq!(kept(5), ["NAME"]);
    }

    #[test]
    fn a_hidden_column_gives_its_room_to_others_and_the_name_cannot_be_hidden() {
        let hidden = COLUMNS.map(|column| column.hidden_if(matches!(column.title, "NAME" | "OWNER")));
        let kept: Vec<&str> = solve(&hidden, 32).into_iter().map(|(at, _)| hidden[at].title).collect();
        assert_eq!(kept, ["NAME", "N", "NOTE"]);
    }

    #[test]
    fn columns_never_take_more_than_there_is() {
        for room in 10..200 {
            let widths = solve(&COLUMNS, room);
            let taken: u16 = widths.iter().map(|(_, width)| width).sum::<u16>() + GAP * (widths.len() as u16 - 1);
            assert!(taken <= room, "{taken} of {room}");
        }
    }
}
