//! Did you mean: the known name that a mistyped one most likely stands for.

/// Returns the candidate nearest to `word`, if one is near enough to be worth saying.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let folded = candidate.to_lowercase();
        let mut score = strsim::normalized_damerau_levenshtein(&word, &folded);
        // A piece of a long name is a likelier slip than the distance says.
        if word.len() >= 3 && (folded.contains(&word) || word.contains(&folded)) {
            score = score.max(0.75);
        }
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, candidate));
        }
    }
    best.filter(|(score, _)| *score >= 0.6).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_pieces_but_not_strangers() {
        let names = ["customer-features", "account-features", "trips"];
        assert_eq!(suggest("custmer-features", names), Some("customer-features"));
        assert_eq!(suggest("customer", names), Some("customer-features"));
        assert_eq!(suggest("TRIP", names), Some("trips"));
        assert_eq!(suggest("weather", names), None);
    }
}
