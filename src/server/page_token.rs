//! Tokens of pages: what a client hands back to go on where a page ended.
//!
//! A token holds the last thing that was shown, not a count, so that what is added or removed meanwhile neither hides nor
//! repeats anything. It is opaque to the client, and is checked like everything else that comes from one.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest token of the wire model.
const MAX: usize = 8_192;

/// The token of a place.
pub(super) fn write(place: &(impl Serialize + ?Sized)) -> String {
    let text = serde_json::to_vec(place).unwrap_or_default();
    text.iter().fold(String::with_capacity(2 * text.len()), |mut token, byte| {
        use std::fmt::Write as _;
        let _ = write!(token, "{byte:02x}");
        token
    })
}

/// The place of a token; none if it is none of ours.
pub(super) fn read<T: DeserializeOwned>(token: &str) -> Option<T> {
    if token.len() > MAX || !token.len().is_multiple_of(2) || !token.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        token.as_bytes().chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    serde_json::from_slice(&bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_tokens_and_no_others() {
        let place = ("é\"\u{0}".to_owned(), 7_i64);
        assert_eq!(read(&write(&place)), Some(place));
        for other in ["", "0", "zz", "é1", "7b7d", "+1+1"] {
            assert_eq!(read::<(String, i64)>(other), None, "{other}");
        }
    }
}
