//! Slips of the keyboard: how far a word may be from what was typed and still be meant.
//!
//! The measure is optimal string alignment (a letter too many, too few, another one, or two swapped). One slip is
//! forgiven from three letters on, two from six on: in shorter words nearly everything is near everything.

/// Slips that are forgiven in a typed word of so many letters.
pub(in crate::catalog) fn forgiven(letters: usize) -> usize {
    match letters {
        0..3 => 0,
        3..6 => 1,
        _ => 2,
    }
}

/// Returns the number of slips between a typed word and a known one, both in lower case, if they are forgiven and not none.
///
/// A word without any letter, or that begins otherwise and is as short as that, is never meant: `2024` is no slip of `2023`.
pub(in crate::catalog) fn nearest_slips(typed: &str, known: &str) -> Option<usize> {
    let letters = typed.chars().count();
    let most = forgiven(letters);
    if most == 0 || known.chars().count().abs_diff(letters) > most || known.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let slips = strsim::osa_distance(typed, known);
    (slips > 0 && slips <= most).then_some(slips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_all_kinds_are_forgiven_up_to_a_measure() {
        for (typed, known, slips) in [
            ("loyality", "loyalty", Some(1)),
            ("custmer", "customer", Some(1)),
            ("amont", "amount", Some(1)),
            ("aomunt", "amount", Some(1)),
            ("xcore", "score", Some(1)),
            ("transacton", "transaction", Some(1)),
            ("trnsacton", "transaction", Some(2)),
            ("score", "score", None),
            ("at", "ab", None),
            ("cat", "dog", None),
            ("amont", "amended", None),
            ("2024", "2023", None),
        ] {
            assert_eq!(nearest_slips(typed, known), slips, "{typed} {known}");
        }
    }
}
