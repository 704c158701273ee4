//! What is wrong with a definition, and where.

use std::fmt;

use crate::model::Error;

/// Where something stands in a text; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Name of the text.
    pub file: String,
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Something that keeps a definition from being used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong, why, and what to do about it, in one line.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl Fault {
    /// A fault in one line, whatever of the text its message repeats.
    pub(super) fn new(place: Place, message: &str) -> Self {
        let mut line = String::with_capacity(message.len());
        for letter in message.chars() {
            if letter.is_control() { line.extend(letter.escape_debug()) } else { line.push(letter) }
        }
        Self { place, message: line }
    }

    /// The same as an error of the store.
    pub fn error(&self) -> Error {
        Error::invalid(self.to_string())
    }
}
