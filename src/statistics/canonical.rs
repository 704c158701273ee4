//! Canonical values: equal values hash alike, whatever column they stand in.
//!
//! Integral `42`, Fractional `42.0` and text `42` are one value, so that a customer number kept as text here and as a
//! number there is found to be the same feature. −0 is 0, a single is the double its shortest decimal text reads as,
//! and a time is its microseconds. Numbers hash by value, without ever being formatted: it is the text that is read as
//! a number, and only one spelling of each number is (`42`, not `042`, `+42` or `42.0`), because two texts that differ
//! must stay two values of a text column.
//!
//! The hashes are in stored sketches: changing one changes the format of profiles.

use xxhash_rust::xxh3::xxh3_64;

/// Longest text that is tried as a number: the longest shortest text of a double has 24 bytes, whole ones are longer.
const LONGEST_NUMBER: usize = 32;

/// A bijection of 64 bits that spreads every bit over all (finaliser of MurmurHash3, variant 13).
fn spread(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Hash of a whole number, and of a time in microseconds.
pub(super) fn of_integer(value: i64) -> u64 {
    // The constant keeps 0 from hashing to 0.
    spread((value as u64).wrapping_add(0x9e37_79b9_7f4a_7c15))
}

/// Hash of a finite double.
pub(super) fn of_float(value: f64) -> u64 {
    let whole = value as i64;
    // The cast saturates: 2^63 would pass for 2^63 − 1, which no double is.
    if whole as f64 == value && whole != i64::MAX {
        return of_integer(whole);
    }
    spread(value.to_bits() ^ 0x517c_c1b7_2722_0a95)
}

/// Hash of a text: of the number it is the canonical text of, else of its bytes.
pub(super) fn of_text(text: &str) -> u64 {
    match number(text) {
        Some(Number::Whole(value)) => of_integer(value),
        Some(Number::Float(value)) => of_float(value),
        None => xxh3_64(text.as_bytes()),
    }
}

/// Hash of a collection from the hashes of its elements, in order; none for a null.
pub(super) fn of_list(elements: impl Iterator<Item = Option<u64>>) -> u64 {
    let mut hash = 0x2545_f491_4f6c_dd1d;
    for element in elements {
        hash = spread(hash ^ element.unwrap_or(0x8ebc_6af0_9c88_c6e3)).wrapping_add(hash.rotate_left(23));
    }
    spread(hash)
}

enum Number {
    Whole(i64),
    Float(f64),
}

/// The number whose canonical text this is.
fn number(text: &str) -> Option<Number> {
    let bytes = text.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if bytes.len() > LONGEST_NUMBER || !digits.first()?.is_ascii_digit() {
        return None;
    }
    if digits.iter().all(u8::is_ascii_digit) {
        if digits[0] == b'0' && bytes.len() > 1 {
            return None;
        }
        if let Ok(whole) = text.parse::<i64>() {
            return Some(Number::Whole(whole));
        }
        // A whole number past 64 bits; its canonical text has all digits.
        let value = text.parse::<f64>().ok()?;
        return (format!("{value:.0}") == text).then_some(Number::Float(value));
    }
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let same = value.fract() != 0.0 && ryu::Buffer::new().format_finite(value) == text;
    same.then_some(Number::Float(value))
}

/// The double that the shortest decimal text of a single reads as: 0.1, not 0.10000000149011612.
pub(super) fn widen(value: f32) -> f64 {
    // Below 2^17 no shorter decimal lies within half a unit of a multiple of 1/8: both readings agree, and it is quick to tell.
    let eighths = value * 8.0;
    if !value.is_finite() || (eighths.fract() == 0.0 && eighths.abs() < 1_048_576.0) {
        return f64::from(value);
    }
    ryu::Buffer::new().format_finite(value).parse().unwrap_or_else(|_| f64::from(value))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_value_has_one_hash() {
        for (whole, float, text) in
            [(42, 42.0, "42"), (0, -0.0, "0"), (-7, -7.0, "-7"), (1 << 53, 9_007_199_254_740_992.0, "9007199254740992")]
        {
            assert_eq!(of_integer(whole), of_float(float));
            assert_eq!(of_integer(whole), of_text(text));
        }
        for (float, text) in [
            (0.1, "0.1"),
            (1e-7, "1e-7"),
            (-2.5, "-2.5"),
            (1e20, "100000000000000000000"),
            (9_223_372_036_854_775_808.0, "9223372036854775808"),
        ] {
            assert_eq!(of_float(float), of_text(text), "{text}");
        }
        assert_eq!(of_float(widen(0.1)), of_float(0.1));
    }

    #[test]
    fn other_spellings_are_other_texts() {
        let spellings = [
            "42",
            "042",
            "+42",
            "42.0",
            "4.2e1",
            " 42",
            "0x2a",
            "-0",
            "0",
            "0.10",
            "0.1",
            "1e-1",
            "1E-7",
            "1e-7",
            "0.0000001",
            "",
            "-",
            "NaN",
            "inf",
        ];
        let hashes: HashSet<u64> = spellings.iter().map(|text| of_text(text)).collect();
        assert_eq!(hashes.len(), spellings.len());
    }

    #[test]
    fn neighbours_differ() {
        assert_ne!(of_integer(i64::MAX), of_float(9_223_372_036_854_775_808.0));
        assert_ne!(of_integer((1 << 53) + 1), of_float(9_007_199_254_740_992.0));
        assert_ne!(of_list([Some(1), None].into_iter()), of_list([None, Some(1)].into_iter()));
        assert_ne!(of_list([].into_iter()), of_list([None].into_iter()));
    }

    proptest! {
        #[test]
        fn a_number_hashes_as_its_canonical_text(bits: u64, whole: i64) {
            prop_assert_eq!(of_integer(whole), of_text(&whole.to_string()));
            let float = f64::from_bits(bits);
            if float.is_finite() && float.fract() != 0.0 {
                prop_assert_eq!(of_float(float), of_text(ryu::Buffer::new().format_finite(float)));
            }
        }

        #[test]
        fn a_single_is_its_shortest_text(bits: u32) {
            let single = f32::from_bits(bits);
            if single.is_finite() {
                // Of two equally short texts either will do, if it reads back.
                let digits = |text: String| text.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
                prop_assert_eq!(widen(single) as f32, single);
                prop_assert_eq!(digits(format!("{:e}", widen(single))), digits(format!("{single:e}")));
            }
        }
    }
}
