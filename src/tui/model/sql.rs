//! State of the SQL screen: the statement as text of several lines, its result, what was asked before; and what is asked of the store.

use super::export::Exported;
use super::grid::{Grid, Head, Pages, Stretch};
use super::line::{Edit, Line};
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// Most lines of a statement.
const MOST_LINES: usize = 500;
/// Statements remembered.
const MOST_ASKED: usize = 100;

/// What a person has done there.
#[derive(Debug)]
pub(crate) struct SqlScreen {
    /// The statement.
    pub(crate) editor: Editor,
    /// True while it is being typed.
    pub(crate) typing: bool,
    /// The rows of the result.
    pub(crate) grid: Grid,
    /// How long it took.
    pub(crate) took: Micros,
    /// Rows that have arrived of one under way.
    pub(crate) arrived: u64,
    /// Since when an export is under way.
    pub(crate) exporting: Option<Micros>,
    /// Statements that were run, latest last.
    pub(crate) asked: Vec<String>,
    /// The one of them that is shown, from the end; none is a new one.
    pub(crate) recalled: Option<usize>,
}

impl Default for SqlScreen {
    fn default() -> Self {
        Self {
            editor: Editor::default(),
            typing: true,
            grid: Grid::default(),
            took: 0,
            arrived: 0,
            exporting: None,
            asked: Vec::new(),
            recalled: None,
        }
    }
}

impl SqlScreen {
    /// Waits for the rows of a statement; nothing of the one before stays.
    pub(crate) fn wait(&mut self, now: Micros) {
        self.arrived = 0;
        self.grid = Grid { rows: Remote::Loading(now), keyless: true, ..Grid::default() };
    }

    /// Shows the rows of a statement.
    pub(crate) fn show(&mut self, table: Table) {
        let head = |(name, right): (String, bool)| Head { name, right, added: false };
        let columns = table.columns.into_iter().map(head).collect();
        let total = table.rows.len() as u64;
        self.took = table.took;
        self.grid.rows = Remote::Ready(Pages::whole(Stretch { columns, from: 0, rows: table.rows, total, cut: table.cut, edition: 0 }));
    }

    /// Remembers a statement, once.
    pub(crate) fn remember(&mut self, sql: &str) {
        self.asked.retain(|earlier| earlier != sql);
        self.asked.push(sql.to_owned());
        let surplus = self.asked.len().saturating_sub(MOST_ASKED);
        self.asked.drain(..surplus);
        self.recalled = None;
    }
}

/// Text of several lines under edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Editor {
    lines: Vec<Line>,
    row: usize,
}

impl Default for Editor {
    fn default() -> Self {
        Self { lines: vec![Line::default()], row: 0 }
    }
}

impl Editor {
    /// An editor with the caret behind its text.
    pub(crate) fn new(text: &str) -> Self {
        let lines: Vec<Line> = text.split('\n').take(MOST_LINES).map(Line::new).collect();
        Self { row: lines.len() - 1, lines }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(Line::text).collect::<Vec<_>>().join("\n")
    }

    /// Its lines.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The line with the caret.
    pub(crate) fn row(&self) -> usize {
        self.row
    }

    /// Applies an edit; at the ends of a line it goes on in its neighbour.
    pub(crate) fn edit(&mut self, edit: Edit) {
        let (before, behind) = self.lines[self.row].parts();
        match edit {
            Edit::Backspace if before.is_empty() && self.row > 0 => self.join(self.row - 1),
            Edit::Delete if behind.is_empty() && self.row + 1 < self.lines.len() => self.join(self.row),
            Edit::Left if before.is_empty() && self.row > 0 => {
                self.row -= 1;
                self.lines[self.row].edit(Edit::End);
            }
            Edit::Right if behind.is_empty() && self.row + 1 < self.lines.len() => {
                self.row += 1;
                self.lines[self.row].edit(Edit::Start);
            }
            edit => {
                self.lines[self.row].edit(edit);
            }
        }
    }

    /// Puts text at the caret, with its line breaks.
    pub(crate) fn paste(&mut self, text: &str) {
        for (place, part) in text.replace("\r\n", "\n").replace('\r', "\n").split('\n').enumerate() {
            if place > 0 {
                self.break_line();
            }
            self.lines[self.row].paste(part);
        }
    }

    /// Begins a line at the caret.
    pub(crate) fn break_line(&mut self) {
        if self.lines.len() >= MOST_LINES {
            return;
        }
        let (before, behind) = self.lines[self.row].parts();
        let (before, behind) = (before.to_owned(), behind.to_owned());
        self.lines[self.row] = Line::new(before);
        self.row += 1;
        self.lines.insert(self.row, Line::new(behind));
        self.lines[self.row].edit(Edit::Start);
    }

    /// To the line above or below; false at the end.
    pub(crate) fn step(&mut self, down: bool) -> bool {
        let next = if down { self.row + 1 } else { self.row.wrapping_sub(1) };
        let is_there = next < self.lines.len();
        if is_there {
            self.row = next;
        }
        is_there
    }

    /// The word before the caret, as far as it is a part of a name.
    pub(crate) fn word(&self) -> &str {
        let (before, _) = self.lines[self.row].parts();
        let of_name = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '$' | '"');
        let start = before.char_indices().rev().take_while(|(_, character)| of_name(*character)).last().map_or(before.len(), |(at, _)| at);
        &before[start..]
    }

    /// Puts a word in the place of the one before the caret.
    pub(crate) fn complete(&mut self, word: &str) {
        for _ in 0..self.word().chars().count() {
            self.edit(Edit::Backspace);
        }
        for character in word.chars() {
            self.edit(Edit::Insert(character));
        }
    }

    fn join(&mut self, row: usize) {
        let behind = self.lines.remove(row + 1);
        let at = self.lines[row].text().len();
        let mut line = Line::new(self.lines[row].text());
        line.paste(behind.text());
        // The caret stands where the two meet.
        while line.parts().0.len() > at {
            line.edit(Edit::Left);
        }
        self.lines[row] = line;
        self.row = row;
    }
}

/// Rows of a result as texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Table {
    /// Names of the columns, and whether they are numbers.
    pub(crate) columns: Vec<(String, bool)>,
    /// The rows; none is null.
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// There were more than are shown.
    pub(crate) cut: bool,
    /// How long it took.
    pub(crate) took: Micros,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    /// The first rows of a statement.
    Run(String),
    /// Rows into a file.
    Export {
        /// Which.
        what: Exported,
        /// The file; its ending says in which form.
        path: String,
    },
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// So many rows have arrived.
    Arrived(u64),
    /// The rows.
    Rows(Result<Table, ErrorText>),
    /// Rows that were written, and the file.
    Exported(Result<(u64, String), ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_goes_over_the_ends_of_its_lines() {
        let mut editor = Editor::new("select 1\nfrom t");
        editor.edit(Edit::Start);
        editor.edit(Edit::Left);
        assert_eq!((editor.row(), editor.lines()[0].parts()), (0, ("select 1", "")));
        editor.edit(Edit::Delete);
        assert_eq!((editor.text().as_str(), editor.lines()[0].parts()), ("select 1from t", ("select 1", "from t")));
        editor.break_line();
        assert_eq!(editor.text(), "select 1\nfrom t");
        editor.edit(Edit::Backspace);
        assert_eq!(editor.text(), "select 1from t");
        let mut editor = Editor::default();
        editor.paste("a\r\nb\nc");
        assert_eq!((editor.text().as_str(), editor.row()), ("a\nb\nc", 2));
        assert!(!editor.step(true) && editor.step(false));
    }

    #[test]
    fn a_word_is_completed_where_it_stands() {
        let mut editor = Editor::new("select loy");
        assert_eq!(editor.word(), "loy");
        editor.complete("loyalty_score");
        assert_eq!(editor.text(), "select loyalty_score");
        assert_eq!(Editor::new("select ").word(), "");
        assert_eq!(Editor::new("from \"cust").word(), "\"cust");
    }
}
