//! Makes text from a catalog safe to show: no control character and no bidi override ever reaches the terminal.
//!
//! Names and descriptions come from other people. An escape sequence in a description could retitle the window or
//! fake a prompt, and a bidi override could make `user_di` read as something else. Every path out of this face goes
//! through here: [`clean`] for text that is laid out, copied or put in the title, and [`is_hostile`] once more for
//! each cell of the finished frame, so that a forgotten call cannot leak.

use std::borrow::Cow;

/// True for a character that a terminal or a reader could take as an instruction.
pub(crate) fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Returns one line of harmless text: line breaks and tabs become visible marks, everything hostile becomes `�`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push('⏎'),
            '\t' => out.push('⇥'),
            hostile if is_hostile(hostile) => out.push('\u{FFFD}'),
            harmless => out.push(harmless),
        }
    }
    Cow::Owned(out)
}

/// Like [`clean`], but keeps line breaks: for text of several lines that goes to the clipboard.
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(|line| clean(line.strip_suffix('\r').unwrap_or(line))).collect::<Vec<_>>().join("\n")
}

/// Text that was pasted into a one-line input: line breaks become spaces, the rest that is hostile is dropped.
pub(crate) fn clean_paste(text: &str) -> String {
    text.trim_end_matches(['\r', '\n'])
        .chars()
        .map(|character| if matches!(character, '\n' | '\r' | '\t') { ' ' } else { character })
        .filter(|character| !is_hostile(*character))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_becomes_plain_text() {
        assert_eq!(clean("a\u{1b}]0;owned\u{7}b\u{9b}31m"), "a\u{FFFD}]0;owned\u{FFFD}b\u{FFFD}31m");
    }

    #[test]
    fn a_bidi_override_is_shown_not_obeyed() {
        assert_eq!(clean("user\u{202E}di"), "user\u{FFFD}di");
    }

    #[test]
    fn ordinary_text_is_borrowed_as_it_is() {
        assert!(matches!(clean("naïve 特徴量 é"), Cow::Borrowed(_)));
        assert_eq!(clean("two\r\nlines\there"), "two⏎lines⇥here");
    }

    #[test]
    fn a_paste_is_one_line_of_text() {
        assert_eq!(clean_paste("C1\nC2\u{1b}[A\r\n"), "C1 C2[A");
    }

    #[test]
    fn copied_snippets_keep_their_lines() {
        assert_eq!(clean_lines("a\nb\u{1b}c"), "a\nb\u{FFFD}c");
    }
}
