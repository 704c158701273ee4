//! Words of a name: where people see them begin.
//!
//! A word ends at `_`, `-`, `.` and anything else that is neither letter nor digit, before a capital that follows a small
//! letter (`avgOrder`), before the last capital of several when a small letter follows (`HTTPServer`), and between letters and
//! digits (`last30d` is `last`, `30`, `d`). The search index, the fuzzy index and the detection of duplicates all split here.

/// Kinds of characters that matter to where a word ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Small,
    Capital,
    Digit,
    Gap,
}

fn kind(character: char) -> Kind {
    match character {
        _ if character.is_numeric() => Kind::Digit,
        _ if character.is_uppercase() => Kind::Capital,
        _ if character.is_alphanumeric() => Kind::Small,
        _ => Kind::Gap,
    }
}

/// The words of a text with the byte offsets of their beginnings, as written.
pub(in crate::catalog) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let begin = rest + text[rest..].find(|character| kind(character) != Kind::Gap)?;
        let end = begin + end_of_word(&text[begin..]);
        rest = end;
        Some((begin, &text[begin..end]))
    })
}

/// Length in bytes of the word that a text begins with.
fn end_of_word(text: &str) -> usize {
    let mut characters = text.char_indices().peekable();
    let Some((_, first)) = characters.next() else { return 0 };
    let mut before = kind(first);
    while let Some((at, character)) = characters.next() {
        let here = kind(character);
        let next_is_small = characters.peek().is_some_and(|(_, next)| kind(*next) == Kind::Small);
        let ends = match (before, here) {
            (_, Kind::Gap) => true,
            (Kind::Digit, other) | (other, Kind::Digit) => other != Kind::Digit,
            (Kind::Small, Kind::Capital) => true,
            (Kind::Capital, Kind::Capital) => next_is_small,
            _ => false,
        };
        if ends {
            return at;
        }
        before = here;
    }
    text.len()
}

/// The words of a text in lower case.
pub fn folded_words(text: &str) -> Vec<String> {
    words(text).map(|(_, word)| word.to_lowercase()).collect()
}

/// What the search index holds of a name besides the name: its words, the pieces between separators that consist of several
/// words (`30d`, `avgordervalue`), and all of it run together, so that `loyaltyscore` finds `loyalty_score`.
pub(super) fn parts(name: &str) -> String {
    let mut parts = folded_words(name);
    let pieces: Vec<String> = name.split(|character| kind(character) == Kind::Gap).map(str::to_lowercase).collect();
    parts.extend(pieces.iter().filter(|piece| !piece.is_empty()).cloned());
    parts.push(pieces.concat());
    let mut seen = std::collections::HashSet::new();
    parts.retain(|part| !part.is_empty() && seen.insert(part.clone()));
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_where_people_see_them_begin() {
        for (name, expected) in [
            ("loyalty_score", vec!["loyalty", "score"]),
            ("customer-features.avgOrderValue", vec!["customer", "features", "avg", "order", "value"]),
            ("tickets_last30d", vec!["tickets", "last", "30", "d"]),
            ("HTTPServerID2", vec!["http", "server", "id", "2"]),
            ("ABC", vec!["abc"]),
            ("__a--", vec!["a"]),
            ("账户_余额", vec!["账户", "余额"]),
            ("", vec![]),
            ("_", vec![]),
        ] {
            assert_eq!(folded_words(name), expected, "{name}");
        }
    }

    #[test]
    fn offsets_point_at_the_words() {
        let name = "ÄrgerScore_7d";
        for (at, word) in words(name) {
            assert!(name[at..].starts_with(word));
        }
        assert_eq!(words(name).map(|(at, _)| at).collect::<Vec<_>>(), [0, 6, 12, 13]);
    }

    #[test]
    fn parts_hold_words_pieces_and_the_whole_each_once() {
        assert_eq!(parts("avgOrder_30d"), "avg order 30 d avgorder 30d avgorder30d");
        assert_eq!(parts("score"), "score");
    }
}
