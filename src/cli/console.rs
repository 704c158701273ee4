//! Where a command speaks: answers on standard output, everything else on standard error.
//!
//! With `--json` standard output carries exactly one document and nothing else, so that `larder … --json | jq` never breaks;
//! hints, progress and errors go to standard error. Colour appears only on a terminal and never against `NO_COLOR`. A reader that
//! has seen enough (`| head -1`) ends the command quietly.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::exit::{Exit, Failure, Verdict};
use super::table::Table;
use super::text::{harmless_json, visible};
use crate::model::Error;

/// The streams of one command and how to write to them.
pub(crate) struct Console {
    out: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    json: bool,
    quiet: bool,
    page: Page,
    notes_terminal: bool,
}

/// What an answer is shown on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page {
    /// A file or a pipe: nothing is cut, dressed or escaped beyond what the form of the answer demands.
    Plain,
    /// A terminal.
    Terminal {
        /// How many cells a line may take.
        width: usize,
        /// How text may be dressed.
        style: Style,
    },
}

impl Page {
    /// True for a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Page::Terminal { .. })
    }

    /// Returns how many cells a line may take.
    pub(crate) fn width(self) -> usize {
        match self {
            Page::Plain => usize::MAX,
            Page::Terminal { width, .. } => width,
        }
    }

    /// Returns how text may be dressed.
    pub(crate) fn style(self) -> Style {
        match self {
            Page::Plain => Style::default(),
            Page::Terminal { style, .. } => style,
        }
    }
}

/// Whether text may be dressed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    coloured: bool,
}

impl Style {
    fn dressed(self, code: &str, text: &str) -> String {
        if self.coloured && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Headings and everything that only frames the data.
    pub(crate) fn muted(self, text: &str) -> String {
        self.dressed("2", text)
    }

    /// The thing in focus.
    pub(crate) fn strong(self, text: &str) -> String {
        self.dressed("1", text)
    }

    /// What is well; always beside a glyph or a word.
    pub(crate) fn good(self, text: &str) -> String {
        self.dressed("32", text)
    }

    /// What is broken; always beside a glyph or a word.
    pub(crate) fn bad(self, text: &str) -> String {
        self.dressed("31", text)
    }
}

impl Console {
    /// Opens the process's own streams.
    pub(crate) fn new(json: bool, quiet: bool) -> Console {
        let page = if io::stdout().is_terminal() {
            let coloured = colour_is_welcome(std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref());
            let width = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
            Page::Terminal { width, style: Style { coloured } }
        } else {
            Page::Plain
        };
        Console {
            out: Box::new(io::BufWriter::with_capacity(64 * 1024, io::stdout())),
            notes: Box::new(io::stderr()),
            json,
            quiet,
            page,
            notes_terminal: io::stderr().is_terminal(),
        }
    }

    /// True where the answer is to be one JSON document.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// True where confirmations are unwelcome.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet
    }

    /// True where a person watches standard error, and has not asked for quiet.
    pub(crate) fn shows_progress(&self) -> bool {
        self.notes_terminal && !self.quiet
    }

    /// Returns what the answer is shown on.
    pub(crate) fn page(&self) -> Page {
        self.page
    }

    /// Returns how text on standard output may be dressed.
    pub(crate) fn style(&self) -> Style {
        self.page.style()
    }

    /// True where standard output may be coloured.
    pub(crate) fn coloured(&self) -> bool {
        self.page.style().coloured
    }

    /// Returns standard output itself, for answers that are streamed.
    pub(crate) fn out(&mut self) -> &mut (dyn Write + Send) {
        self.out.as_mut()
    }

    /// Writes one line of the answer.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.out, "{}", line.as_ref()).map_err(output_failure)
    }

    /// Writes a table as the answer.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        table.write(self.out.as_mut(), self.page).map_err(output_failure)
    }

    /// Writes the one JSON document of this command: indented for a person, on one line for a program.
    pub(crate) fn document(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        if self.page.is_terminal() {
            let text = serde_json::to_string_pretty(document).map_err(|error| output_failure(error.into()))?;
            return self.line(harmless_json(&text));
        }
        serde_json::to_writer(&mut self.out, document).map_err(|error| output_failure(error.into()))?;
        writeln!(self.out).map_err(output_failure)
    }

    /// Confirms work that was done: a line for people, the document for programs, neither when quiet and not JSON.
    pub(crate) fn confirm(&mut self, line: impl AsRef<str>, document: &impl Serialize) -> Result<(), Failure> {
        if self.json {
            return self.document(document);
        }
        if self.quiet {
            return Ok(());
        }
        self.line(line)
    }

    /// Says something helpful beside the answer.
    pub(crate) fn hint(&mut self, hint: impl AsRef<str>) {
        if !self.quiet {
            // Standard error may be closed; a hint is not worth failing for.
            let _ = self.flush_out();
            let _ = writeln!(self.notes, "{}", hint.as_ref());
        }
    }

    /// Says what went wrong without ending the command.
    pub(crate) fn complain(&mut self, complaint: impl AsRef<str>) {
        let _ = self.flush_out();
        let _ = writeln!(self.notes, "larder: {}", visible(complaint.as_ref()));
    }

    fn flush_out(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(output_failure)
    }

    /// Ends the command: writes what is left, reports what went wrong, and returns how it came out.
    pub(crate) fn finish(&mut self, verdict: Verdict) -> Exit {
        let verdict = match (verdict, self.flush_out()) {
            (Ok(_), Err(failure)) => Err(failure),
            (verdict, _) => verdict,
        };
        match verdict {
            Ok(exit) => exit,
            Err(Failure::ReaderGone) => Exit::Done,
            Err(Failure::Signal(number)) => Exit::Signal(number),
            Err(Failure::Error(error)) => {
                self.complain(error.to_string());
                Exit::from(error.kind())
            }
        }
    }
}

/// Turns a failed write to standard output into what the command ends with.
pub(crate) fn output_failure(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::ReaderGone;
    }
    Failure::Error(Error::io("can't write to standard output", error))
}

/// See <https://no-color.org>: any text that is not empty forbids colour.
fn colour_is_welcome(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::model::ErrorKind;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    fn console(out: impl Write + Send + 'static, notes: &Paper) -> Console {
        Console { out: Box::new(out), notes: Box::new(notes.clone()), json: false, quiet: false, page: Page::Plain, notes_terminal: false }
    }

    #[test]
    fn an_error_is_one_line_on_standard_error() {
        let (out, notes) = (Paper::default(), Paper::default());
        let error = Error::new(ErrorKind::Locked, "catalog.db\nis busy").why("pid 7").remedy("wait");
        let exit = console(out.clone(), &notes).finish(Err(error.into()));
        assert_eq!(exit, Exit::Locked);
        assert_eq!(notes.text(), "larder: catalog.db\\nis busy (pid 7); wait\n");
        assert_eq!(out.text(), "");
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let notes = Paper::default();
        let mut console = console(ClosedPipe, &notes);
        let verdict = console.line("row").map(|()| Exit::Done);
        assert_eq!(console.finish(verdict), Exit::Done);
        assert_eq!(notes.text(), "");
    }

    #[test]
    fn a_document_is_one_line_for_programs() {
        let (out, notes) = (Paper::default(), Paper::default());
        let mut console = console(out.clone(), &notes);
        console.document(&serde_json::json!({"rows": 2, "seconds": 0.5})).unwrap();
        assert_eq!(console.finish(Ok(Exit::Done)), Exit::Done);
        assert_eq!(out.text(), "{\"rows\":2,\"seconds\":0.5}\n");
    }

    #[test]
    fn colour_keeps_away_when_asked() {
        assert!(colour_is_welcome(None, None));
        assert!(colour_is_welcome(Some(OsStr::new("")), Some(OsStr::new("xterm"))));
        assert!(!colour_is_welcome(Some(OsStr::new("1")), None));
        assert!(!colour_is_welcome(None, Some(OsStr::new("dumb"))));
    }
}
