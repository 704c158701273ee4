//! Words and numbers as the terminal shows them.
//!
//! Names, descriptions and values come from files and from other people: nothing of theirs may move the cursor, change a colour
//! or reverse the direction of reading, so everything passes through [`visible`] on its way out. Numbers keep three significant
//! digits with a thin unit in lists and every digit in details.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands where a value is missing.
pub(crate) const NULL: &str = "∅";
/// Stands where a number is not known.
pub(crate) const UNKNOWN: &str = "–";

/// Returns the text with everything that could steer a terminal written out as an escape.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if steers_a_terminal(letter) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
            }
            _ => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// Like [`visible`], but keeps line breaks.
pub(crate) fn harmless_lines(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|letter| letter != '\n' && steers_a_terminal(letter)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(visible).collect::<Vec<_>>().join("\n"))
}

/// Returns JSON text in which everything that could steer a terminal is written as a JSON escape: the same document, harmless to look at.
pub(crate) fn harmless_json(json: &str) -> Cow<'_, str> {
    let hostile = |letter: char| letter != '\n' && steers_a_terminal(letter);
    if !json.chars().any(hostile) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 8);
    for letter in json.chars() {
        if hostile(letter) {
            // Such characters stand only inside strings, where the escape means the same.
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

fn steers_a_terminal(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, 
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns how many terminal cells the text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Returns the text cut to at most `cells` cells, ending in `…` if something was cut.
pub(crate) fn clipped(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let cell = UnicodeWidthChar::width(letter).unwrap_or(0);
        if used + cell + 1 > cells {
            break;
        }
        used += cell;
        kept.push(letter);
    }
    if cells > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// Returns a count with three significant digits and a thin unit: `0`, `972`, `35.6 k`, `1.20 M`.
pub(crate) fn short_count(count: u64) -> String {
    if count < 1_000 {
        return count.to_string();
    }
    scaled(count, 1_000, &["k", "M", "G", "T", "P", "E"])
}

/// Returns a size in bytes: `0 B`, `812 B`, `4.19 MiB`.
pub(crate) fn short_bytes(bytes: u64) -> String {
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    scaled(bytes, 1_024, &["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

fn scaled(number: u64, step: u64, units: &[&str]) -> String {
    let mut value = number as f64;
    let mut unit = "";
    for next in units {
        // 999.5 would be shown as 1000: the next unit takes it.
        if value < step as f64 && (unit.is_empty() || value < 999.5) {
            break;
        }
        value /= step as f64;
        unit = next;
    }
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// Returns a count with every digit, in groups of three: `35 612`.
pub(crate) fn full_count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns `1 row`, `2 rows`, `35 612 rows`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", full_count(count))
}

/// Returns a length of time in its largest sensible unit: `3 s`, `12 m`, `5 h`, `64 d`.
pub(crate) fn short_age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        86_400..34_560_000 => format!("{} d", seconds / 86_400),
        _ => format!("{} y", seconds / 31_557_600),
    }
}

/// Returns how long ago an instant was, or how far ahead it lies, both in microseconds since 1970.
pub(crate) fn relative_time(instant: i64, now: i64) -> String {
    let seconds = instant.abs_diff(now) / 1_000_000;
    if instant > now && seconds > 0 {
        return format!("in {}", short_age(seconds));
    }
    format!("{} ago", short_age(seconds))
}

/// Returns an ISO-8601 time to the second.
pub(crate) fn to_the_second(iso: &str) -> String {
    match iso.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => iso.to_owned(),
    }
}

/// Returns a duration the way a person says it: `0.42 s`, `12 s`, `3 m 20 s`.
pub(crate) fn took(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.5 => format!("{s:.0} s"),
        s => {
            let whole = s.round() as u64;
            format!("{} m {} s", whole / 60, whole % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_steers_the_terminal() {
        assert_eq!(visible("plain – ünïcode 名前"), "plain – ünïcode 名前");
        assert_eq!(visible("red \u{1b}[31m"), "red \\u{1b}[31m");
        assert_eq!(visible("a\nb\tc\rd"), "a\\nb\\tc\\rd");
        assert_eq!(visible("bell \u{7} c1 \u{9b}"), "bell \\u{7} c1 \\u{9b}");
        assert_eq!(visible("\u{202e}drow"), "\\u{202e}drow");
    }

    #[test]
    fn json_stays_the_same_document() {
        let document = serde_json::json!({"note": "\u{9b}31m \u{202e}x \u{7f} \u{e0001} ok"});
        let text = serde_json::to_string(&document).unwrap_or_default();
        let shown = harmless_json(&text);
        assert!(shown.chars().all(|letter| !steers_a_terminal(letter)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).ok(), Some(document));
    }

    #[test]
    fn counts_keep_three_digits() {
        let shown: Vec<String> =
            [0, 7, 999, 1_000, 35_612, 99_949, 99_950, 999_499, 999_500, 1_200_000, u64::MAX].into_iter().map(short_count).collect();
        assert_eq!(shown, ["0", "7", "999", "1.00 k", "35.6 k", "99.9 k", "100 k", "999 k", "1.00 M", "1.20 M", "18.4 E"]);
    }

    #[test]
    fn details_keep_every_digit() {
        assert_eq!(full_count(0), "0");
        assert_eq!(full_count(999), "999");
        assert_eq!(full_count(35_612), "35 612");
        assert_eq!(full_count(1_234_567), "1 234 567");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(short_bytes(0), "0 B");
        assert_eq!(short_bytes(1_023), "1023 B");
        assert_eq!(short_bytes(4_390_000), "4.19 MiB");
        assert_eq!(relative_time(0, 720_000_000), "12 m ago");
        assert_eq!(relative_time(90_000_000_000, 0), "in 1 d");
        assert_eq!(to_the_second("2026-11-23T16:39:17.652463248Z"), "2026-11-23T16:39:17Z");
        assert_eq!(to_the_second("2026-11-23T16:39:17Z"), "2026-11-23T16:39:17Z");
        assert_eq!(took(std::time::Duration::from_millis(420)), "0.42 s");
        assert_eq!(took(std::time::Duration::from_secs(200)), "3 m 20 s");
    }

    #[test]
    fn clipping_counts_cells_not_bytes() {
        assert_eq!(clipped("short", 5), "short");
        assert_eq!(clipped("longer", 5), "long…");
        assert_eq!(clipped("名前名前", 5), "名前…");
        assert_eq!(clipped("x", 0), "");
    }
}
