//! Tables as calm text: aligned columns, muted headings, numbers on the right, no lines.
//!
//! On a terminal the last columns give way so that a row stays on one line; into a file or a pipe nothing is cut. A column with
//! nothing in it is left out.

use std::io::{self, Write};

use super::console::{Page, Style};
use super::text::{clipped, visible, width};

const GAP: &str = "  ";
/// A column is never squeezed below this, however narrow the terminal.
const NARROWEST: usize = 10;
/// A column this wide tells enough of its cells.
const WIDE_ENOUGH: usize = 24;

/// On which side a column's cells line up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Names and texts.
    Left,
    /// Numbers.
    Right,
}

/// Rows of text under headings.
pub(crate) struct Table {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
    keeps_empty_columns: bool,
}

impl Table {
    /// Starts a table with these columns.
    pub(crate) fn new(columns: &[(&str, Side)]) -> Table {
        Table {
            columns: columns.iter().map(|(name, side)| (visible(name).into_owned(), *side)).collect(),
            rows: Vec::new(),
            keeps_empty_columns: false,
        }
    }

    /// Keeps columns without any text, because the reader asked for them by name.
    pub(crate) fn keeping_empty_columns(mut self) -> Table {
        self.keeps_empty_columns = true;
        self
    }

    /// Adds a row; text of any origin is made harmless here.
    pub(crate) fn row<Cell: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().map(|cell| visible(cell.as_ref()).into_owned()).collect());
    }

    /// Drops columns from the right until a row fits, and returns how many went. The first three always stay.
    pub(crate) fn keep_columns_that_fit(&mut self, available: usize) -> usize {
        let widths = self.natural_widths();
        let mut used = 0;
        let mut kept = 0;
        for column in &widths {
            // A wide column may be squeezed, so a stretch of it is enough.
            let needed = (*column).min(WIDE_ENOUGH) + if used > 0 { GAP.len() } else { 0 };
            if kept >= 3 && used + needed > available {
                break;
            }
            used += needed;
            kept += 1;
        }
        let hidden = self.columns.len() - kept;
        self.columns.truncate(kept);
        for row in &mut self.rows {
            row.truncate(kept);
        }
        hidden
    }

    /// Returns the width each column needs for its heading and its rows.
    fn natural_widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| width(name)).collect();
        for row in &self.rows {
            for (column, cell) in widths.iter_mut().zip(row) {
                *column = (*column).max(width(cell));
            }
        }
        if !self.keeps_empty_columns {
            for (position, column) in widths.iter_mut().enumerate() {
                if !self.rows.is_empty() && self.rows.iter().all(|row| row.get(position).is_none_or(|cell| cell.is_empty())) {
                    *column = 0;
                }
            }
        }
        widths
    }

    /// Writes headings and rows, made to fit the page.
    pub(crate) fn write(&self, out: &mut dyn Write, page: Page) -> io::Result<()> {
        let widths = fitted(self.natural_widths(), page.width());
        let headings: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        writeln!(out, "{}", page.style().muted(&self.joined(&headings, &widths, true)))?;
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            writeln!(out, "{}", self.joined(&cells, &widths, page.is_terminal()))?;
        }
        Ok(())
    }

    fn joined(&self, cells: &[&str], widths: &[usize], cuts: bool) -> String {
        let mut line = String::new();
        let mut first = true;
        for (position, (_, side)) in self.columns.iter().enumerate() {
            let column = widths.get(position).copied().unwrap_or(0);
            if column == 0 {
                continue;
            }
            let cell = cells.get(position).copied().unwrap_or("");
            let cell = if cuts { clipped(cell, column) } else { cell.into() };
            let padding = column.saturating_sub(width(&cell));
            if !first {
                line.push_str(GAP);
            }
            first = false;
            if *side == Side::Right {
                line.extend(std::iter::repeat_n(' ', padding));
            }
            line.push_str(&cell);
            if *side == Side::Left {
                line.extend(std::iter::repeat_n(' ', padding));
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Returns the widths made narrower until a row fits: the last columns explain, so they give way before the first, which name.
fn fitted(mut widths: Vec<usize>, available: usize) -> Vec<usize> {
    let columns = widths.iter().filter(|column| **column > 0).count();
    let gaps = columns.saturating_sub(1) * GAP.len();
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(available);
    for column in widths.iter_mut().rev() {
        let given = column.saturating_sub(NARROWEST).min(excess);
        *column -= given;
        excess -= given;
    }
    widths
}

/// Lines of `label  value`, labels muted: the head of a detail.
#[derive(Default)]
pub(crate) struct Facts {
    facts: Vec<(&'static str, String)>,
}

impl Facts {
    /// Adds a fact; text of any origin is made harmless here.
    pub(crate) fn fact(&mut self, label: &'static str, value: impl AsRef<str>) {
        self.facts.push((label, visible(value.as_ref()).into_owned()));
    }

    /// Adds a fact if there is one.
    pub(crate) fn maybe(&mut self, label: &'static str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.fact(label, value);
        }
    }

    /// Returns the lines.
    pub(crate) fn lines(&self, style: Style) -> Vec<String> {
        let column = self.facts.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
        self.facts.iter().map(|(label, value)| format!("{}{GAP}{value}", style.muted(&format!("{label:column$}")))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(table: &Table, width: usize) -> String {
        let mut bytes = Vec::new();
        table.write(&mut bytes, Page::Terminal { width, style: Style::default() }).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn sample() -> Table {
        let mut table = Table::new(&[("NAME", Side::Left), ("ROWS", Side::Right), ("OWNER", Side::Left), ("NOTE", Side::Left)]);
        table.row(["trips", "35.6 k", "", "the taxi trips of April, every column of them"]);
        table.row(["driver-stats", "9", "", "hourly\nfigures"]);
        table
    }

    #[test]
    fn columns_line_up_and_empty_ones_vanish() {
        insta::assert_snapshot!(written(&sample(), usize::MAX), @r"
        NAME            ROWS  NOTE
        trips         35.6 k  the taxi trips of April, every column of them
        driver-stats       9  hourly\nfigures
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_last_column_first() {
        insta::assert_snapshot!(written(&sample(), 40), @r"
        NAME            ROWS  NOTE
        trips         35.6 k  the taxi trips of…
        driver-stats       9  hourly\nfigures
        ");
        assert!(written(&sample(), 40).lines().all(|line| width(line) <= 40));
        assert!(written(&sample(), 1).lines().all(|line| width(line) <= 3 * NARROWEST + 2 * GAP.len()));
    }

    #[test]
    fn wide_letters_keep_the_columns_straight() {
        let mut table = Table::new(&[("CITY", Side::Left), ("N", Side::Right)]);
        table.row(["名前", "1"]);
        table.row(["Oslo", "22"]);
        assert_eq!(written(&table, usize::MAX), "CITY   N\n名前   1\nOslo  22\n");
    }
}
