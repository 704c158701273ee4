//! How much two features agree on the same records, and what to call it.
//!
//! Equal distributions may be unrelated, so only values of the same record are compared. Agreement by chance is told apart from
//! agreement: two flags that are nearly always 0 are equal nearly always, which Cohen's κ (agreement beyond what the two
//! distributions alone would give) sees through. Shares come with their standard error √(p(1−p)/n), at most 1.6 points at
//! 1,000 records.

/// Records with a value on either side below which nothing is said.
const FEWEST_RECORDS: usize = 30;

/// Share of equal records from which two features are the same.
const SAME: f64 = 0.98;
/// |ρ| from which one follows from the other, and from which they are related.
const FOLLOWS: f64 = 0.99;
const RELATED: f64 = 0.9;
/// κ below which equal values are no evidence.
const BEYOND_CHANCE: f64 = 0.9;
/// Share of the records with a value in both below which nearness of those says too little. Less than [`SAME`], because the latest
/// records of two groups are of different moments: one may have a value that the other does not have yet.
const COVERED: f64 = 0.95;
/// Different values below which a ratio or a rank says little.
const FEWEST_VALUES: usize = 10;

/// Doubles this near, relative to the larger one, are one value written twice.
const SAME_DOUBLE: f64 = 1e-9;
/// Doubles this near may be one value rounded twice.
const ROUNDED: f64 = 0.005;

/// A value of a sampled record.
#[derive(Debug, Clone, PartialEq)]
pub enum SampledValue {
    /// Of an Integral or Fractional feature.
    Number(f64),
    /// Of a String feature.
    Text(Box<str>),
}

/// How two features agree on the records that both have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Agreement {
    /// Records that at least one of them has a value for.
    pub records: usize,
    /// Share of these with the same value in both.
    pub equal: f64,
    /// Agreement beyond chance: 1 always, 0 as often as by chance.
    pub kappa: f64,
    /// Share of the records that have a value in both.
    pub covered: f64,
    /// Share of those with both that is equal up to half a percent; numbers only.
    pub rounded: Option<f64>,
    /// What the first must be multiplied by to be the second, and the share that is equal then, up to half a percent.
    pub scaled: Option<(f64, f64)>,
    /// Spearman's rank correlation over records with both; none for texts and constants.
    pub spearman: Option<f64>,
}

/// What two features are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The same values, perhaps rounded or in another unit.
    Duplicate,
    /// One is a monotone function of the other.
    Derived,
    /// Strongly correlated.
    Related,
}

impl Verdict {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Derived => "derived",
            Self::Related => "related",
        }
    }
}

impl Agreement {
    /// Compares the values of two features, record by record.
    pub(super) fn of<'a>(pairs: impl Iterator<Item = (Option<&'a SampledValue>, Option<&'a SampledValue>)>) -> Self {
        let pairs: Vec<_> = pairs.filter(|(one, other)| one.is_some() || other.is_some()).collect();
        if pairs.is_empty() {
            return Self::default();
        }
        let share = |count: usize| count as f64 / pairs.len() as f64;
        let equal = share(pairs.iter().filter(|(one, other)| is_equal(*one, *other)).count());
        let numbers: Option<Vec<(Option<f64>, Option<f64>)>> =
            pairs.iter().map(|(one, other)| Some((number(*one)?, number(*other)?))).collect();
        let covered = share(pairs.iter().filter(|(one, other)| one.is_some() && other.is_some()).count());
        let mut agreement = Self { records: pairs.len(), equal, covered, kappa: kappa(&pairs, equal), ..Self::default() };
        if let Some(numbers) = numbers {
            agreement.rounded = Some(near_share(&numbers, 1.0));
            agreement.scaled = ratio(&numbers).map(|ratio| (ratio, near_share(&numbers, ratio)));
            let both: Vec<(f64, f64)> = numbers.iter().filter_map(|(one, other)| Some(((*one)?, (*other)?))).collect();
            // A correlation of the few records that have both says nothing of the others.
            agreement.spearman = if 2 * both.len() >= pairs.len() { spearman(&both) } else { None };
        }
        agreement
    }

    /// What the features are to each other; none if the sample says nothing.
    pub fn verdict(&self) -> Option<Verdict> {
        if self.records < FEWEST_RECORDS {
            return None;
        }
        let rank = self.spearman.map_or(0.0, f64::abs);
        // Values that are near each other without moving together are two measurements, not one.
        let is_near = |share: f64| share >= SAME && rank >= SAME && self.covered >= COVERED;
        if self.equal >= SAME && self.kappa >= BEYOND_CHANCE
            || self.rounded.is_some_and(is_near)
            || self.scaled.is_some_and(|(_, share)| is_near(share))
        {
            return Some(Verdict::Duplicate);
        }
        match rank {
            rank if rank >= FOLLOWS => Some(Verdict::Derived),
            rank if rank >= RELATED => Some(Verdict::Related),
            _ => None,
        }
    }

    /// The share that the verdict rests on: equal, rounded or scaled, whichever is the largest.
    pub fn best_share(&self) -> f64 {
        self.equal.max(self.rounded.unwrap_or(0.0)).max(self.scaled.map_or(0.0, |(_, share)| share))
    }

    /// Standard error of [`Self::best_share`].
    pub fn standard_error(&self) -> f64 {
        let share = self.best_share();
        if self.records == 0 { 0.5 } else { (share * (1.0 - share) / self.records as f64).sqrt() }
    }
}

/// The number of a value, none for a null; none at all for a text.
fn number(value: Option<&SampledValue>) -> Option<Option<f64>> {
    match value {
        None => Some(None),
        Some(SampledValue::Number(number)) => Some(Some(*number)),
        Some(SampledValue::Text(_)) => None,
    }
}

fn is_near(one: f64, other: f64, tolerance: f64) -> bool {
    (one - other).abs() <= tolerance * one.abs().max(other.abs())
}

fn is_equal(one: Option<&SampledValue>, other: Option<&SampledValue>) -> bool {
    match (one, other) {
        (Some(SampledValue::Number(one)), Some(SampledValue::Number(other))) => is_near(*one, *other, SAME_DOUBLE),
        (one, other) => one == other,
    }
}

/// Share of the records with both values, not both zero, whose second is the first times a ratio, nearly.
fn near_share(numbers: &[(Option<f64>, Option<f64>)], ratio: f64) -> f64 {
    let both = numbers.iter().filter_map(|(one, other)| one.zip(*other)).filter(|(one, other)| *one != 0.0 || *other != 0.0);
    let (mut near, mut all) = (0_usize, 0_usize);
    for (one, other) in both {
        all += 1;
        near += usize::from(is_near(one * ratio, other, ROUNDED));
    }
    near as f64 / all.max(1) as f64
}

/// The median of what the second is of the first; none for features of few values.
fn ratio(numbers: &[(Option<f64>, Option<f64>)]) -> Option<f64> {
    let both = || numbers.iter().filter_map(|(one, other)| one.zip(*other)).filter(|(one, other)| *one != 0.0 && *other != 0.0);
    let mut ratios: Vec<f64> = both().map(|(one, other)| other / one).collect();
    if ratios.len() < FEWEST_RECORDS || distinct(both().map(|(one, _)| one)) < FEWEST_VALUES {
        return None;
    }
    ratios.sort_unstable_by(f64::total_cmp);
    Some(ratios[ratios.len() / 2]).filter(|ratio| ratio.is_finite() && *ratio != 0.0)
}

fn distinct(numbers: impl Iterator<Item = f64>) -> usize {
    numbers.map(f64::to_bits).collect::<std::collections::HashSet<_>>().len()
}

/// Cohen's κ, with null as a value like any other; 0 where chance alone makes them equal always.
fn kappa(pairs: &[(Option<&SampledValue>, Option<&SampledValue>)], equal: f64) -> f64 {
    let key = |value: Option<&SampledValue>| match value {
        None => String::new(),
        Some(SampledValue::Number(number)) => format!("n{number}"),
        Some(SampledValue::Text(text)) => format!("t{text}"),
    };
    let mut counts: std::collections::HashMap<String, (f64, f64)> = std::collections::HashMap::new();
    for (one, other) in pairs {
        counts.entry(key(*one)).or_default().0 += 1.0;
        counts.entry(key(*other)).or_default().1 += 1.0;
    }
    let total = pairs.len() as f64;
    let chance: f64 = counts.values().map(|(one, other)| one / total * (other / total)).sum();
    if chance >= 1.0 { 0.0 } else { (equal - chance) / (1.0 - chance) }
}

/// Spearman's ρ: Pearson's of the ranks, equal values sharing the mean of theirs.
fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let one = ranks(&pairs.iter().map(|(one, _)| *one).collect::<Vec<_>>());
    let other = ranks(&pairs.iter().map(|(_, other)| *other).collect::<Vec<_>>());
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(&other) {
        both += (one - mean) * (other - mean);
        first += (one - mean).powi(2);
        second += (other - mean).powi(2);
    }
    let varied =
        distinct(pairs.iter().map(|(one, _)| *one)) >= FEWEST_VALUES && distinct(pairs.iter().map(|(_, other)| *other)) >= FEWEST_VALUES;
    (varied && first > 0.0 && second > 0.0).then(|| both / (first * second).sqrt())
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    while begin < order.len() {
        let mut end = begin + 1;
        while end < order.len() && values[order[end]] == values[order[begin]] {
            end += 1;
        }
        let mean = (begin + 1 + end) as f64 / 2.0;
        for place in &order[begin..end] {
            ranks[*place] = mean;
        }
        begin = end;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(pairs: &[(Option<f64>, Option<f64>)]) -> Agreement {
        let values: Vec<_> = pairs.iter().map(|(one, other)| (one.map(SampledValue::Number), other.map(SampledValue::Number))).collect();
        Agreement::of(values.iter().map(|(one, other)| (one.as_ref(), other.as_ref())))
    }

    /// Numbers without a pattern, the same ones each time.
    fn noise(seed: u64) -> impl Iterator<Item = f64> {
        (1_u64..)
            .map(move |number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed).rotate_left(29) % 10_007) as f64 / 10_007.0)
    }

    #[test]
    fn the_same_values_are_a_duplicate_with_nulls_rounded_or_in_another_unit() {
        let values: Vec<f64> = noise(1).take(500).map(|value| 10.0 + 90.0 * value).collect();
        let some = |factor: f64, step: f64| {
            agreement(&values.iter().map(|v| (Some(*v), Some((v * factor / step).round() * step))).collect::<Vec<_>>())
        };
        for (factor, step) in [(1.0, 1e-9), (1.0, 0.01), (100.0, 1.0)] {
            let found = some(factor, step);
            assert_eq!(found.verdict(), Some(Verdict::Duplicate), "{factor} {step} {found:?}");
        }
        let (ratio, share) = some(100.0, 1.0).scaled.unwrap_or_default();
        assert!((ratio - 100.0).abs() < 0.5 && share > 0.99);
        // Nulls in the same places agree, nulls elsewhere do not.
        let apart: Vec<_> = values.iter().enumerate().map(|(at, v)| (Some(*v), (at % 10 > 0).then_some(*v))).collect();
        let found = agreement(&apart);
        assert!((found.equal - 0.9).abs() < 1e-12);
        assert_eq!(found.verdict(), Some(Verdict::Derived));
        let nearly: Vec<_> = values.iter().enumerate().map(|(at, v)| (Some(*v), (at % 30 > 0).then_some(*v))).collect();
        assert_eq!(agreement(&nearly).verdict(), Some(Verdict::Duplicate), "a value that is not there yet");
    }

    #[test]
    fn flags_that_are_nearly_always_alike_are_no_duplicates() {
        let rare: Vec<_> =
            (0..1_000).map(|at| (Some(f64::from(u8::from(at % 200 == 0))), Some(f64::from(u8::from(at % 190 == 1))))).collect();
        let found = agreement(&rare);
        assert!(found.equal > 0.98);
        assert_eq!(found.verdict(), None, "{found:?}");
        let same: Vec<_> =
            (0..1_000).map(|at| (Some(f64::from(u8::from(at % 200 == 0))), Some(f64::from(u8::from(at % 200 == 0))))).collect();
        assert_eq!(agreement(&same).verdict(), Some(Verdict::Duplicate));
        let constant: Vec<_> = (0..1_000).map(|_| (Some(1.0), Some(1.0))).collect();
        assert_eq!(agreement(&constant).verdict(), None, "a constant agrees with every other one");
    }

    #[test]
    fn order_makes_related_and_chance_makes_nothing() {
        let squares: Vec<_> = noise(2).take(300).map(|v| (Some(v), Some(-v.powi(3)))).collect();
        let found = agreement(&squares);
        assert_eq!((found.verdict(), found.spearman.map(|rho| (rho * 1e9).round())), (Some(Verdict::Derived), Some(-1e9)));
        let blurred: Vec<_> = noise(3).zip(noise(77)).take(600).map(|(v, w)| (Some(v), Some(v + 0.3 * w))).collect();
        assert_eq!(agreement(&blurred).verdict(), Some(Verdict::Related), "{:?}", agreement(&blurred));
        let few: Vec<_> = noise(2).take(FEWEST_RECORDS - 1).map(|v| (Some(v), Some(v))).collect();
        assert_eq!(agreement(&few).verdict(), None, "too few records to say anything");
    }

    #[test]
    fn ranks_share_ties_as_by_counting() {
        let values = [3.0, 1.0, 3.0, 2.0, 3.0, 1.0];
        let counted: Vec<f64> = values
            .iter()
            .map(|value| {
                let below = values.iter().filter(|other| *other < value).count() as f64;
                let equal = values.iter().filter(|other| *other == value).count() as f64;
                below + (equal + 1.0) / 2.0
            })
            .collect();
        assert_eq!(ranks(&values), counted);
    }
}
