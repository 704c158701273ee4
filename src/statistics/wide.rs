//! Wide integers: sums that never round, so that no order of adding shows in the last digit.
//!
//! A finite double is a whole number of 2^-1074, and its square one of 2^-2148. Sums of these in integers of a few
//! thousand bits are exact; mean and deviation are then rounded once, from the exact sums (Kulisch's accumulator).

/// A two's-complement integer of fixed length, in limbs of 64 bits, least first. It wraps; owners size it so that it can't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wide {
    limbs: Vec<u64>,
}

impl Wide {
    pub(super) fn new(limbs: usize) -> Self {
        Self { limbs: vec![0; limbs] }
    }

    /// Adds `±magnitude · 2^shift`.
    pub(super) fn add(&mut self, magnitude: u128, shift: u32, negative: bool) {
        let (place, bits) = ((shift / 64) as usize, shift % 64);
        let low = magnitude << bits;
        let high = if bits == 0 { 0 } else { (magnitude >> (128 - bits)) as u64 };
        let parts = [low as u64, (low >> 64) as u64, high];
        let mut carry = false;
        for (offset, limb) in self.limbs.iter_mut().skip(place).enumerate() {
            let part = parts.get(offset).copied().unwrap_or(0);
            if offset >= parts.len() && !carry {
                break;
            }
            let (first, over) = if negative { limb.overflowing_sub(part) } else { limb.overflowing_add(part) };
            let (second, again) = if negative { first.overflowing_sub(u64::from(carry)) } else { first.overflowing_add(u64::from(carry)) };
            *limb = second;
            carry = over || again;
        }
    }

    /// Adds another of the same length.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut carry = false;
        for (limb, part) in self.limbs.iter_mut().zip(&other.limbs) {
            let (first, over) = limb.overflowing_add(*part);
            let (second, again) = first.overflowing_add(u64::from(carry));
            *limb = second;
            carry = over || again;
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        self.limbs.last().is_some_and(|top| top >> 63 == 1)
    }

    /// The magnitude, without limbs of zero at the top.
    pub(super) fn magnitude(&self) -> Vec<u64> {
        let mut limbs = self.limbs.clone();
        if self.is_negative() {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        trim(&mut limbs);
        limbs
    }

    /// The number of zero limbs at the bottom and the limbs between them and the extension of the sign.
    pub(super) fn significant(&self) -> (usize, &[u64]) {
        let sign = if self.is_negative() { u64::MAX } else { 0 };
        let mut end = self.limbs.len();
        // One limb more is kept where the sign would be read wrong from the one below.
        while end > 0 && self.limbs[end - 1] == sign && (end == 1 || self.limbs[end - 2] >> 63 == sign >> 63) {
            end -= 1;
        }
        let start = self.limbs[..end].iter().take_while(|limb| **limb == 0).count();
        (start, &self.limbs[start..end])
    }

    /// The inverse of [`Self::significant`]; none where it doesn't fit.
    pub(super) fn from_significant(limbs: usize, start: usize, parts: &[u64]) -> Option<Self> {
        let end = start.checked_add(parts.len()).filter(|end| *end <= limbs)?;
        let mut wide = Self::new(limbs);
        wide.limbs[start..end].copy_from_slice(parts);
        if parts.last().is_some_and(|top| top >> 63 == 1) {
            wide.limbs[end..].fill(u64::MAX);
        }
        Some(wide)
    }
}

fn trim(limbs: &mut Vec<u64>) {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
}

/// Product of two magnitudes.
pub(super) fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut result = vec![0u64; a.len() + b.len()];
    for (i, x) in a.iter().enumerate() {
        let mut carry = 0u128;
        for (j, y) in b.iter().enumerate() {
            let sum = u128::from(*x) * u128::from(*y) + u128::from(result[i + j]) + carry;
            result[i + j] = sum as u64;
            carry = sum >> 64;
        }
        result[i + b.len()] = carry as u64;
    }
    trim(&mut result);
    result
}

/// `a − b` of magnitudes, `a` not the smaller.
pub(super) fn difference(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut result = a.to_vec();
    let mut borrow = false;
    for (place, limb) in result.iter_mut().enumerate() {
        let (first, under) = limb.overflowing_sub(b.get(place).copied().unwrap_or(0));
        let (second, again) = first.overflowing_sub(u64::from(borrow));
        *limb = second;
        borrow = under || again;
    }
    trim(&mut result);
    result
}

/// Quotient of a magnitude and a divisor above zero; the lowest bit is set where a remainder is left.
pub(super) fn quotient(a: &[u64], divisor: u64) -> Vec<u64> {
    let mut result = a.to_vec();
    let mut remainder = 0u128;
    for limb in result.iter_mut().rev() {
        let part = (remainder << 64) | u128::from(*limb);
        *limb = (part / u128::from(divisor)) as u64;
        remainder = part % u128::from(divisor);
    }
    if remainder != 0
        && let Some(lowest) = result.first_mut()
    {
        *lowest |= 1;
    }
    trim(&mut result);
    result
}

/// A magnitude as `top · 2^exponent`; bits below the top 128 only leave a mark in the lowest one, enough to round right.
pub(super) fn scaled(magnitude: &[u64]) -> (u128, i32) {
    let mut limbs = magnitude.to_vec();
    trim(&mut limbs);
    let Some(top) = limbs.last() else { return (0, 0) };
    let bits = limbs.len() * 64 - top.leading_zeros() as usize;
    let shift = bits.saturating_sub(128);
    let (place, offset) = (shift / 64, shift % 64);
    let limb = |at: usize| u128::from(limbs.get(at).copied().unwrap_or(0));
    let mut value = (limb(place) | (limb(place + 1) << 64)) >> offset;
    if offset > 0 {
        value |= limb(place + 2) << (128 - offset);
    }
    let lost = limbs[..place].iter().any(|limb| *limb != 0) || (offset > 0 && limbs[place] << (64 - offset) != 0);
    (value | u128::from(lost), shift as i32)
}

/// `value · 2^exponent`, rounded once where the result is a normal number.
pub(super) fn load_exponent(mut value: f64, mut exponent: i32) -> f64 {
    while exponent > 1000 && value.is_finite() && value != 0.0 {
        value *= 2f64.powi(1000);
        exponent -= 1000;
    }
    while exponent < -1000 && value != 0.0 {
        value *= 2f64.powi(-1000);
        exponent += 1000;
    }
    value * 2f64.powi(exponent.clamp(-1000, 1000))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn wide(terms: &[i128], shift: u32) -> Wide {
        let mut sum = Wide::new(6);
        for term in terms {
            sum.add(term.unsigned_abs(), shift, *term < 0);
        }
        sum
    }

    fn small(magnitude: &[u64]) -> u128 {
        assert!(magnitude.len() <= 2);
        u128::from(magnitude.first().copied().unwrap_or(0)) | (u128::from(magnitude.get(1).copied().unwrap_or(0)) << 64)
    }

    proptest! {
        #[test]
        fn adds_like_numbers(terms in prop::collection::vec(-(1i128 << 100)..(1i128 << 100), 0..20), shift in 0u32..128) {
            let sum: i128 = terms.iter().sum();
            let wide = wide(&terms, 0);
            prop_assert_eq!(wide.is_negative(), sum < 0);
            prop_assert_eq!(small(&wide.magnitude()), sum.unsigned_abs());
            let shifted = self::wide(&terms, shift);
            prop_assert_eq!(shifted.is_negative(), sum < 0);
            let factor = if shift < 64 { vec![1u64 << shift] } else { vec![0, 1u64 << (shift - 64)] };
            prop_assert_eq!(shifted.magnitude(), product(&wide.magnitude(), &factor));
            let (start, parts) = shifted.significant();
            prop_assert_eq!(Wide::from_significant(6, start, parts).unwrap(), shifted.clone());
            let mut halves = self::wide(&terms[..terms.len() / 2], shift);
            halves.merge(&self::wide(&terms[terms.len() / 2..], shift));
            prop_assert_eq!(halves, shifted);
        }

        #[test]
        fn divides_and_scales(a: u128, b in 1u64.., c: u64) {
            let limbs = [a as u64, (a >> 64) as u64];
            let exact = a / u128::from(b);
            prop_assert_eq!(small(&quotient(&limbs, b)), exact | u128::from(a % u128::from(b) != 0));
            let (top, exponent) = scaled(&product(&limbs, &[c]));
            // Against the same product, rounded from parts of 64 bits that a double of 106 bits would hold.
            let high = (a >> 64) as f64 * 2f64.powi(64) * c as f64;
            let low = (a as u64) as f64 * c as f64;
            let value = top as f64 * 2f64.powi(exponent);
            prop_assert!((value - (high + low)).abs() <= value * 1e-15, "{} {}", value, high + low);
            prop_assert_eq!(small(&difference(&limbs, &[a as u64])), (a >> 64) << 64);
        }
    }

    #[test]
    fn exponents_reach_both_ends() {
        assert_eq!(load_exponent(1.5, 3), 12.0);
        assert_eq!(load_exponent(1.0, -1074), f64::from_bits(1));
        assert_eq!(load_exponent(2f64.powi(127), 1023 - 127), 2f64.powi(1023));
        assert_eq!(load_exponent(0.0, 5000), 0.0);
        assert_eq!(load_exponent(1.0, 5000), f64::INFINITY);
    }
}
