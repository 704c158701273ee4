//! Where rows of a query go: a stream that remembers why it failed and spares a terminal.
//!
//! The writers between turn a failed write into an error of their own; whether the reader has merely left is known only here. On a terminal
//! CSV and JSON are made harmless as they pass (tables are made so already): writers hand over whole lines, so no character is torn.

use std::io::{self, Write};

use super::text::{harmless_json, harmless_lines};
use crate::store::OutputFormat;

/// A stream of rows.
pub(crate) struct Sink<'a> {
    out: &'a mut (dyn Write + Send),
    failure: Option<io::Error>,
    harmless: Option<OutputFormat>,
}

impl<'a> Sink<'a> {
    /// Wraps a stream as it is.
    pub(crate) fn new(out: &'a mut (dyn Write + Send)) -> Sink<'a> {
        Sink { out, failure: None, harmless: None }
    }

    /// Wraps a terminal that is shown rows of this format.
    pub(crate) fn on_terminal(out: &'a mut (dyn Write + Send), format: OutputFormat) -> Sink<'a> {
        Sink { out, failure: None, harmless: Some(format) }
    }

    /// Returns why the last write failed, if it did.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn remembered<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            self.failure = Some(error);
            kind.into()
        })
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = match self.harmless {
            Some(OutputFormat::Json | OutputFormat::JsonLines) => {
                self.out.write_all(harmless_json(&String::from_utf8_lossy(bytes)).as_bytes()).map(|()| bytes.len())
            }
            Some(OutputFormat::Csv) => self.out.write_all(harmless_lines(&String::from_utf8_lossy(bytes)).as_bytes()).map(|()| bytes.len()),
            Some(OutputFormat::Table | OutputFormat::Parquet) | None => self.out.write(bytes),
        };
        self.remembered(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.remembered(done)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_terminal_is_not_steered_and_a_file_gets_what_is() {
        let hostile = "{\"a\":\"\u{9b}31m\u{202e}\"}\n";
        for (format, shown) in
            [(OutputFormat::Json, "{\"a\":\"\\u009b31m\\u202e\"}\n"), (OutputFormat::Csv, "{\"a\":\"\\u{9b}31m\\u{202e}\"}\n")]
        {
            let mut page = Vec::new();
            Sink::on_terminal(&mut page, format).write_all(hostile.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(page).unwrap(), shown);
            let mut file = Vec::new();
            Sink::new(&mut file).write_all(hostile.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(file).unwrap(), hostile);
        }
    }

    #[test]
    fn the_reason_of_a_failed_write_is_kept() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut closed = Closed;
        let mut sink = Sink::new(&mut closed);
        assert!(sink.write_all(b"rows").is_err());
        assert_eq!(sink.take_failure().map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe));
    }
}
