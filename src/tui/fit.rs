//! Widths of text as a terminal draws it, and ways to make text fit: cut at the end, cut in the middle, wrap.
//!
//! Everything counts grapheme clusters and columns, never bytes or chars, so that a Chinese name or an emoji keeps the
//! columns behind it aligned. Names are cut in the middle because their tail tells them apart.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut at its end with `…` so that it takes at most `columns`.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = take_front(text.graphemes(true), columns - 1);
    out.push('…');
    out
}

/// The text, cut in its middle with `…`: a name keeps its head and its distinguishing tail.
pub(crate) fn cut_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns < 5 {
        return cut(text, columns);
    }
    let tail_columns = (columns - 1) / 2;
    let head = take_front(text.graphemes(true), columns - 1 - tail_columns);
    let tail: Vec<&str> = take_back(text, tail_columns);
    format!("{head}…{}", tail.concat())
}

/// The last part of a text that fits: what an input shows while one types beyond its width.
pub(crate) fn tail(text: &str, columns: usize) -> String {
    take_back(text, columns).concat()
}

/// The text as lines of at most `columns`, broken at spaces where there are some.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= columns {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        // A word longer than the line is broken where it must be; a zero width would never end.
        let mut rest = word;
        while columns > 1 && width(rest) > columns {
            let head = take_front(rest.graphemes(true), columns);
            rest = &rest[head.len()..];
            lines.push(head);
        }
        line.push_str(rest);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

fn take_front<'a>(graphemes: impl Iterator<Item = &'a str>, columns: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for grapheme in graphemes {
        used += width(grapheme);
        if used > columns {
            break;
        }
        out.push_str(grapheme);
    }
    out
}

fn take_back(text: &str, columns: usize) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut used = 0;
    for grapheme in text.graphemes(true).rev() {
        used += width(grapheme);
        if used > columns {
            break;
        }
        kept.push(grapheme);
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_tail() {
        assert_eq!(cut_middle("customer_purchases_30d_avg", 15), "custome…30d_avg");
        assert_eq!(cut_middle("short", 15), "short");
    }

    #[test]
    fn wide_characters_never_overflow() {
        for columns in 0..20 {
            assert!(width(&cut("客户_购买总额_三十天", columns)) <= columns);
            assert!(width(&cut_middle("客户_购买总额_三十天", columns)) <= columns);
            assert!(width(&tail("客户_购买总额_三十天", columns)) <= columns);
        }
    }

    #[test]
    fn wrapping_loses_nothing() {
        let text = "Share of months with a purchase, last year";
        assert_eq!(wrap(text, 16).join(" "), text);
        assert!(wrap(text, 16).iter().all(|line| width(line) <= 16));
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 10), Vec::<String>::new());
    }
}
