//! A one-line text input: the text, the caret, and the editing keys every shell has.
//!
//! The caret stands between grapheme clusters and is kept as a byte offset on such a boundary, so that no edit
//! can split a character. The length is capped: a paste of a whole file stays a query.

use unicode_segmentation::UnicodeSegmentation;

use crate::tui::clean::clean_paste;

/// Longest text an input takes, in bytes. Record identifiers may be 358 400 bytes in theory; nobody types one.
const MOST_BYTES: usize = 4096;

/// Text under edit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    text: String,
    caret: usize,
}

/// What an editing key does to a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Edit {
    Insert(char),
    Backspace,
    Delete,
    Left,
    Right,
    Start,
    End,
    DeleteWord,
    DeleteToStart,
}

impl Line {
    /// A line with the caret behind its text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { caret: text.len(), text }
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// True without text.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text before and behind the caret.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.text.split_at(self.caret)
    }

    /// Puts pasted text at the caret, as one line without control characters.
    pub(crate) fn paste(&mut self, text: &str) {
        for character in clean_paste(text).chars() {
            self.edit(Edit::Insert(character));
        }
    }

    /// Applies one edit; true if the text changed.
    pub(crate) fn edit(&mut self, edit: Edit) -> bool {
        let length = self.text.len();
        match edit {
            Edit::Insert(character) => {
                if length + character.len_utf8() <= MOST_BYTES {
                    self.text.insert(self.caret, character);
                    self.caret += character.len_utf8();
                }
            }
            Edit::Backspace => self.remove(self.before(), self.caret),
            Edit::Delete => self.remove(self.caret, self.behind()),
            Edit::Left => self.caret = self.before(),
            Edit::Right => self.caret = self.behind(),
            Edit::Start => self.caret = 0,
            Edit::End => self.caret = length,
            Edit::DeleteWord => self.remove(self.word_start(), self.caret),
            Edit::DeleteToStart => self.remove(0, self.caret),
        }
        self.text.len() != length
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.caret = from;
    }

    fn before(&self) -> usize {
        self.parts().0.grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn behind(&self) -> usize {
        self.caret + self.parts().1.graphemes(true).next().map_or(0, str::len)
    }

    fn word_start(&self) -> usize {
        let trimmed = self.parts().0.trim_end();
        trimmed.rfind(char::is_whitespace).map_or(0, |at| at + trimmed[at..].chars().next().map_or(0, char::len_utf8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_moves_by_what_one_sees() {
        let mut line = Line::new("ae\u{301}客");
        line.edit(Edit::Left);
        line.edit(Edit::Backspace);
        assert_eq!(line.text(), "a客");
        line.edit(Edit::Delete);
        assert_eq!(line.parts(), ("a", ""));
    }

    #[test]
    fn shell_keys_delete_words_and_lines() {
        let mut line = Line::new("tag:pii  loyalty score ");
        line.edit(Edit::DeleteWord);
        assert_eq!(line.text(), "tag:pii  loyalty ");
        line.edit(Edit::DeleteToStart);
        assert!(line.is_empty());
        assert!(!line.edit(Edit::Backspace));
    }

    #[test]
    fn a_paste_cannot_type_commands_or_grow_without_end() {
        let mut line = Line::default();
        line.paste("a\nq\u{1b}");
        assert_eq!(line.text(), "a q");
        line.paste(&"x".repeat(100_000));
        assert_eq!(line.text().len(), MOST_BYTES);
    }
}
