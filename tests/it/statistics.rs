//! Statistics against slow, obvious computations: every figure, any split, every type, and bytes that were damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeListArray, Float32Array, Float64Array,
    Int8Array, Int32Array, Int64Array, LargeStringArray, ListArray, NullArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, UInt8Type};
use larder::model::ErrorKind;
use larder::statistics::drift::{Level, Limits, Measure, Metric, Thresholds, compare, compare_volume};
use larder::statistics::{ColumnKind, ColumnProfile, Figures, HistogramBins, QUANTILE_RANKS, Value, profile_batch};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn profile(values: &dyn Array) -> ColumnProfile {
    let mut profile = ColumnProfile::new(ColumnKind::of(values.data_type()).unwrap());
    profile.update(values).unwrap();
    profile
}

/// Through its stored form: nothing may be lost there.
fn stored(profile: &ColumnProfile) -> ColumnProfile {
    ColumnProfile::from_bytes(&profile.to_bytes()).unwrap()
}

fn merged(kind: ColumnKind, parts: &[ColumnProfile]) -> ColumnProfile {
    let mut whole = ColumnProfile::new(kind);
    parts.iter().for_each(|part| whole.merge(part).unwrap());
    whole
}

/// Figures that must not depend on how rows were split; those of sketches left out.
fn exact_part(figures: &Figures) -> Figures {
    let mut figures = figures.clone();
    if !figures.exact {
        figures.quantiles.clear();
        figures.top.clear();
        figures.spark.clear();
        figures.mode_share = None;
    }
    figures.elements = figures.elements.map(|elements| Box::new(exact_part(&elements)));
    figures
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1e-300)
}

/// What a person would compute with a sheet of paper.
fn check_floats(values: &[Option<f64>], figures: &Figures) {
    let finite: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    let count = |wanted: fn(f64) -> bool| values.iter().flatten().filter(|value| wanted(**value)).count() as u64;
    assert_eq!(figures.n, values.len() as u64);
    assert_eq!(figures.nulls, values.iter().filter(|value| value.is_none()).count() as u64);
    assert_eq!(
        (figures.nan, figures.zeros, figures.negatives),
        (count(f64::is_nan), count(|v| v == 0.0), count(|v| v.is_finite() && v < 0.0))
    );
    assert_eq!((figures.pos_inf, figures.neg_inf), (count(|v| v == f64::INFINITY), count(|v| v == f64::NEG_INFINITY)));
    let mut sorted = finite.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let number = |value: Option<&f64>| value.map(|value| Value::Number(*value + 0.0));
    assert_eq!((figures.min.clone(), figures.max.clone()), (number(sorted.first()), number(sorted.last())));
    let distinct: BTreeSet<u64> = finite.iter().map(|value| (value + 0.0).to_bits()).collect();
    assert!(figures.exact && figures.distinct.exact);
    assert_eq!(figures.distinct.estimate, distinct.len() as f64);
    if finite.is_empty() {
        assert_eq!((figures.mean, figures.std, figures.entropy, figures.quantiles.len(), figures.top.len()), (None, None, None, 0, 0));
        return;
    }
    let n = finite.len() as f64;
    let mean = finite.iter().sum::<f64>() / n;
    assert!((figures.mean.unwrap() - mean).abs() <= 1e-9 * finite.iter().map(|value| value.abs()).fold(1.0, f64::max));
    match figures.std {
        None => assert_eq!(finite.len(), 1),
        Some(std) => {
            let expected = (finite.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            assert!((std - expected).abs() <= 1e-9 * expected.max(1.0), "{std} {expected}");
        }
    }
    for (rank, found) in QUANTILE_RANKS.iter().zip(&figures.quantiles) {
        let place = ((rank * 100.0).round() as usize * sorted.len()).div_ceil(100).max(1) - 1;
        assert_eq!(*found, Value::Number(sorted[place] + 0.0), "at {rank}");
    }
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    finite.iter().for_each(|value| *counts.entry((value + 0.0).to_bits()).or_default() += 1);
    let most = *counts.values().max().unwrap();
    assert_eq!((figures.top[0].low, figures.top[0].high), (most, most));
    assert!(close(figures.mode_share.unwrap(), most as f64 / n));
    let entropy: f64 = counts.values().map(|count| *count as f64 / n).map(|p| -p * p.ln()).sum();
    assert!((figures.entropy.unwrap() - entropy).abs() < 1e-9);
    assert!(close(figures.once_share.unwrap(), counts.values().filter(|count| **count == 1).count() as f64 / counts.len() as f64));
    assert_eq!(figures.spark.iter().sum::<u64>(), finite.len() as u64);
}

fn any_float() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        3 => (-4i32..4).prop_map(|value| Some(f64::from(value) / 2.0)),
        2 => (-1e9..1e9f64).prop_map(Some),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 5e-324, 9_007_199_254_740_993.0]).prop_map(Some),
        1 => Just(None),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn floats_have_the_figures_of_a_sheet_of_paper(values in prop::collection::vec(any_float(), 0..120), cut in 0usize..120) {
        let whole = profile(&Float64Array::from(values.clone()));
        check_floats(&values, &whole.figures());
        let cut = cut.min(values.len());
        let array = Float64Array::from(values);
        let parts = [profile(&array.slice(cut, array.len() - cut)), stored(&profile(&array.slice(0, cut)))];
        prop_assert_eq!(merged(ColumnKind::Fractional, &parts).figures(), whole.figures());
        let json = serde_json::to_string(&whole.figures()).unwrap();
        let read: Figures = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read.quantiles.len(), whole.figures().quantiles.len());
        prop_assert_eq!((read.n, read.nulls, read.top), (whole.figures().n, whole.figures().nulls, whole.figures().top));
    }

    #[test]
    fn whole_numbers_keep_every_digit(values in prop::collection::vec(prop::option::of(prop_oneof![any::<i64>(), -3i64..3, (1i64 << 53)..(1 << 53) + 4]), 1..80)) {
        let figures = profile(&Int64Array::from(values.clone())).figures();
        let present: Vec<i64> = values.iter().flatten().copied().collect();
        let sum: i128 = present.iter().map(|value| i128::from(*value)).sum();
        prop_assert_eq!(figures.min, present.iter().min().map(|value| Value::Integer(*value)));
        prop_assert_eq!(figures.max, present.iter().max().map(|value| Value::Integer(*value)));
        prop_assert_eq!(figures.sum, (!present.is_empty()).then(|| sum.to_string()));
        prop_assert_eq!(figures.distinct.estimate, present.iter().collect::<BTreeSet<_>>().len() as f64);
        if let Some(mean) = figures.mean {
            prop_assert!((mean - sum as f64 / present.len() as f64).abs() <= mean.abs() * 1e-15);
        }
    }

    #[test]
    fn text_has_the_figures_of_a_sheet_of_paper(values in prop::collection::vec(prop::option::of("[a-cé0-9.]{0,3}"), 0..60)) {
        let figures = profile(&StringArray::from(values.clone())).figures();
        let texts: Vec<&str> = values.iter().flatten().map(String::as_str).collect();
        prop_assert_eq!(figures.nulls as usize, values.len() - texts.len());
        prop_assert_eq!(figures.empty as usize, texts.iter().filter(|text| text.is_empty()).count());
        prop_assert_eq!(figures.min, texts.iter().min().map(|text| Value::Text((*text).to_owned())));
        prop_assert_eq!(figures.max, texts.iter().max().map(|text| Value::Text((*text).to_owned())));
        prop_assert_eq!(figures.distinct.estimate, texts.iter().collect::<BTreeSet<_>>().len() as f64);
        prop_assert_eq!(figures.bytes.map(|bytes| (bytes.min, bytes.max)), texts.iter().map(|text| text.len() as u64).min().zip(texts.iter().map(|text| text.len() as u64).max()));
        let chars: usize = texts.iter().map(|text| text.chars().count()).sum();
        prop_assert!(figures.chars.is_none_or(|found| close(found.mean, chars as f64 / texts.len() as f64)));
        let parses = figures.parses.unwrap();
        prop_assert_eq!(parses.integer as usize, texts.iter().filter(|text| text.parse::<i64>().is_ok()).count());
        prop_assert_eq!(parses.float as usize, texts.iter().filter(|text| text.parse::<f64>().is_ok()).count());
        for top in &figures.top {
            prop_assert_eq!(top.low as usize, texts.iter().filter(|text| **text == top.value).count());
            prop_assert_eq!(top.low, top.high);
        }
    }

    #[test]
    fn damaged_bytes_are_refused(which in 0usize..5, at: prop::sample::Index, bit in 0u8..8, cut: prop::sample::Index) {
        let bytes = SAMPLES.with(|samples| samples[which].clone());
        prop_assert!(ColumnProfile::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        prop_assert!(ColumnProfile::from_bytes(&flipped).is_err());
    }

    /// With a right checksum, so that the body is reached: what is read of it must not break what is done with it.
    #[test]
    fn bytes_that_lie_do_not_panic(which in 0usize..5, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index, cuts: bool) {
        let mut bytes = SAMPLES.with(|samples| samples[which].clone());
        bytes.truncate(bytes.len() - 8);
        for (at, byte) in changes {
            let head = bytes.len().min(400);
            // Half of the changes in the head, where sizes and counts lie.
            let place = if byte % 2 == 0 { at.index(head) } else { at.index(bytes.len()) };
            bytes[place] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        if let Ok(profile) = ColumnProfile::from_bytes(&bytes) {
            let mut whole = ColumnProfile::new(profile.kind());
            whole.merge(&profile).unwrap();
            let _ = whole.merge(&profile);
            let _ = (whole.figures(), whole.top(5), whole.histogram(HistogramBins::Auto));
            let _ = compare(&profile, &whole, &Thresholds::default()).unwrap();
        }
    }
}

thread_local! {
    /// A stored profile of each form: counted and sketched, numbers and text, collections.
    static SAMPLES: Vec<Vec<u8>> = {
        let many = Float64Array::from_iter_values((0..20_000).map(|i| f64::from(i) * 0.37));
        let ids = Int64Array::from_iter_values((0..5_000).map(|i| i * 3));
        let texts = StringArray::from_iter_values((0..3_000).map(|i| format!("text {i}")));
        let vectors = FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>((0..50).map(|i| Some(vec![Some(f64::from(i)), Some(0.5)])), 2);
        let few = StringArray::from(vec![Some("a"), Some("b"), None, Some("a")]);
        [&many as &dyn Array, &ids, &texts, &vectors, &few].map(|values| profile(values).to_bytes()).to_vec()
    };
}

#[test]
fn no_rows_and_no_values_have_no_figures() {
    for (kind, array) in [
        (ColumnKind::Fractional, Arc::new(Float64Array::from(vec![None::<f64>; 9])) as ArrayRef),
        (ColumnKind::Text, Arc::new(StringArray::from(vec![None::<&str>; 9]))),
        (ColumnKind::Time, Arc::new(TimestampMicrosecondArray::from(vec![None::<i64>; 9]))),
        (ColumnKind::Numbers, Arc::new(NullArray::new(9))),
        (ColumnKind::Texts, Arc::new(NullArray::new(9))),
    ] {
        let mut profile = ColumnProfile::new(kind);
        let empty = stored(&profile).figures();
        assert_eq!((empty.n, empty.completeness()), (0, None));
        profile.update(&array).unwrap();
        let figures = stored(&profile).figures();
        assert_eq!((figures.n, figures.nulls, figures.values(), figures.completeness()), (9, 9, 0, Some(0.0)), "{kind:?}");
        assert_eq!((figures.min, figures.mean, figures.distinct.estimate), (None, None, 0.0));
        assert_eq!(profile.quantiles(&[0.5]), [None]);
        assert_eq!(profile.histogram(HistogramBins::Auto), None);
    }
}

#[test]
fn every_type_reads_as_what_it_holds() {
    let halves = profile(&Float64Array::from(vec![Some(0.5), None, Some(2.0), Some(0.5)])).figures();
    let decimals = Decimal128Array::from(vec![Some(50), None, Some(200), Some(50)]).with_precision_and_scale(10, 2).unwrap();
    let floats = Float32Array::from(vec![Some(0.5), None, Some(2.0), Some(0.5)]);
    let keyed =
        DictionaryArray::<UInt8Type>::try_new(vec![Some(0), None, Some(1), Some(0)].into(), Arc::new(Float64Array::from(vec![0.5, 2.0])))
            .unwrap();
    for array in [&decimals as &dyn Array, &floats, &keyed] {
        assert_eq!(profile(array).figures(), halves, "{}", array.data_type());
    }
    let ones = profile(&Int64Array::from(vec![Some(1), None, Some(0), Some(1)])).figures();
    let bools = BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]);
    let bytes = Int8Array::from(vec![Some(1), None, Some(0), Some(1)]);
    let unsigned = UInt64Array::from(vec![Some(1), None, Some(0), Some(1)]);
    for array in [&bools as &dyn Array, &bytes, &unsigned] {
        assert_eq!(profile(array).figures(), ones, "{}", array.data_type());
    }
    let texts = vec![Some("b"), None, Some("a"), Some("b"), Some("")];
    let plain = profile(&StringArray::from(texts.clone())).figures();
    let dictionary: DictionaryArray<Int32Type> = texts.iter().copied().collect();
    // A dictionary may hold a value twice, a null, and values that no row has.
    let odd = DictionaryArray::<UInt8Type>::try_new(
        vec![Some(0), Some(2), Some(1), Some(3), Some(4)].into(),
        Arc::new(StringArray::from(vec![Some("b"), Some("a"), None, Some("b"), Some(""), Some("never")])),
    )
    .unwrap();
    for array in [&LargeStringArray::from(texts.clone()) as &dyn Array, &StringViewArray::from(texts), &dictionary, &odd, &odd.slice(0, 5)]
    {
        assert_eq!(profile(array).figures(), plain, "{}", array.data_type());
    }
}

#[test]
fn a_single_counts_as_its_shortest_text() {
    let figures = profile(&Float32Array::from(vec![0.1, 0.2])).figures();
    assert_eq!((figures.min, figures.max), (Some(Value::Number(0.1)), Some(Value::Number(0.2))));
    assert!(close(figures.mean.unwrap(), 0.15));
}

#[test]
fn unsigned_numbers_past_the_range_are_counted_apart() {
    let figures = profile(&UInt64Array::from(vec![u64::MAX, 7, i64::MAX as u64])).figures();
    assert_eq!((figures.beyond, figures.values(), figures.max), (1, 2, Some(Value::Integer(i64::MAX))));
}

#[test]
fn times_are_shown_as_times() {
    let micros = 1_763_890_200_000_000;
    let figures = profile(&TimestampMicrosecondArray::from(vec![Some(micros), None, Some(micros + 1)])).figures();
    assert_eq!(figures.min, Some(Value::Text("2025-11-23T09:30:00Z".into())));
    assert_eq!((figures.distinct.estimate, figures.mean, figures.sum.clone()), (2.0, None, None));
    let nanos = TimestampNanosecondArray::from(vec![Some(micros * 1000 + 999), None, Some(micros * 1000 + 1000)]).with_timezone("+02:00");
    assert_eq!(profile(&nanos).figures(), figures);
    let days = profile(&Date32Array::from(vec![0, -1])).figures();
    assert_eq!(days.min, Some(Value::Text("1969-12-31T00:00:00Z".into())));
    assert_eq!((days.zeros, days.negatives), (0, 0));
}

#[test]
fn collections_have_lengths_norms_and_elements() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(3), Some(4)]),
        None,
        Some(vec![]),
        Some(vec![Some(3), None]),
        Some(vec![Some(3), Some(4)]),
    ]);
    let figures = profile(&lists).figures();
    assert_eq!((figures.kind, figures.n, figures.nulls, figures.empty), (ColumnKind::Numbers, 5, 1, 1));
    let items = figures.items.unwrap();
    assert_eq!((items.min, items.mean, items.max), (0, 1.5, 2));
    // A list with a null has no norm, the empty one 0.
    let norm = figures.norm.unwrap();
    assert_eq!((norm.min, norm.max), (0.0, 5.0));
    assert!(close(norm.mean, 10.0 / 3.0));
    assert_eq!(figures.distinct.estimate, 3.0);
    let elements = figures.elements.unwrap();
    assert_eq!((elements.n, elements.nulls, elements.mean), (6, 1, Some(3.4)));
    // What lies under a null or outside a slice is no value.
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        vec![Some(vec![Some(9.0), Some(9.0)]), Some(vec![Some(1.0), Some(0.0)]), None, Some(vec![Some(0.0), Some(2.0)])],
        2,
    );
    let figures = profile(&vectors.slice(1, 3)).figures();
    let elements = figures.elements.unwrap();
    assert_eq!((elements.n, elements.max), (4, Some(Value::Number(2.0))));
    assert_eq!(figures.norm.unwrap().max, 2.0);
    let mut parts = profile(&vectors.slice(3, 1));
    parts.merge(&stored(&profile(&vectors.slice(1, 2)))).unwrap();
    assert_eq!(parts.figures(), profile(&vectors.slice(1, 3)).figures());
}

/// Large columns in every state: any split in any order gives the same digits, sketches stay in their bounds.
#[test]
fn order_and_split_do_not_show() {
    for seed in 0..6u64 {
        let mut random = StdRng::seed_from_u64(seed);
        let n = 6_000 + 3_000 * seed as usize;
        let floats: Vec<Option<f64>> = (0..n)
            .map(|_| {
                random.random_bool(0.95).then(|| random.random::<f64>().powi(9) * 1e12 - if random.random_bool(0.1) { 1e9 } else { 0.0 })
            })
            .collect();
        let whole_numbers: Vec<Option<i64>> = floats.iter().map(|value| value.map(|value| value as i64 % 5_000)).collect();
        let texts: Vec<Option<String>> = whole_numbers.iter().map(|value| value.map(|value| format!("t{}", value.abs() % 2_000))).collect();
        for array in [
            Arc::new(Float64Array::from(floats)) as ArrayRef,
            Arc::new(Int64Array::from(whole_numbers)),
            Arc::new(StringArray::from(texts)),
        ] {
            let whole = profile(&array);
            let mut parts = Vec::new();
            let mut at = 0;
            while at < n {
                // From tiny parts, that stay exact, to large ones.
                let longest = 1usize << random.random_range(1..13);
                let length = (1 + random.random_range(0..longest)).min(n - at);
                let part = profile(&array.slice(at, length));
                parts.push(if random.random_bool(0.5) { stored(&part) } else { part });
                at += length;
            }
            let forwards = merged(whole.kind(), &parts);
            parts.reverse();
            let backwards = merged(whole.kind(), &parts);
            assert!(!whole.figures().exact);
            assert_eq!(exact_part(&forwards.figures()), exact_part(&whole.figures()));
            assert_eq!(exact_part(&backwards.figures()), exact_part(&whole.figures()));
            assert_eq!(exact_part(&stored(&backwards).figures()), exact_part(&whole.figures()));
        }
    }
}

#[test]
fn quantiles_bracket_the_truth() {
    let mut random = StdRng::seed_from_u64(7);
    let mut values: Vec<f64> = (0..200_000).map(|_| (random.random::<f64>() * 20.0).exp()).collect();
    let profile = profile(&Float64Array::from(values.clone()));
    values.sort_unstable_by(f64::total_cmp);
    let ranks: Vec<f64> = (1..100).map(|percent| f64::from(percent) / 100.0).collect();
    let quantiles = profile.quantiles(&ranks);
    let number = |value: &Value| value.as_f64().unwrap();
    let inside = ranks.iter().zip(&quantiles).filter(|(rank, quantile)| {
        let quantile = quantile.as_ref().unwrap();
        assert!(!quantile.exact && number(&quantile.low) <= number(&quantile.value) && number(&quantile.value) <= number(&quantile.high));
        let truth = values[(*rank * 200_000.0).ceil() as usize - 1];
        number(&quantile.low) <= truth && truth <= number(&quantile.high)
    });
    // 98 of 99 are due, but one sketch's ranks err together.
    assert!(inside.count() >= 95);
    let ends = profile.quantiles(&[0.0, 1.0, 1.5, f64::NAN]);
    assert_eq!(ends[0].as_ref().map(|quantile| (number(&quantile.value), quantile.exact)), Some((values[0], true)));
    assert_eq!(ends[1].as_ref().map(|quantile| number(&quantile.value)), values.last().copied());
    assert_eq!((&ends[2], &ends[3]), (&None, &None));
    let histogram = profile.histogram(HistogramBins::Count(10)).unwrap();
    for (bin, count) in histogram.counts.iter().enumerate() {
        let inside = |value: &&f64| **value >= histogram.edges[bin] && **value < histogram.edges[bin + 1];
        let share = values.iter().filter(inside).count() as f64 / 200_000.0;
        assert!((*count as f64 / 200_000.0 - share).abs() <= 2.0 * histogram.error);
    }
}

#[test]
fn frequent_values_are_bounded() {
    let mut random = StdRng::seed_from_u64(3);
    // A third of the rows in ten values, the rest hardly repeat.
    let values: Vec<i64> = (0..60_000)
        .map(|_| if random.random_bool(0.33) { random.random_range(0..10) } else { random.random_range(10..1_000_000) })
        .collect();
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    values.iter().for_each(|value| *counts.entry(*value).or_default() += 1);
    let halves = [&values[..20_000], &values[20_000..]].map(|half| stored(&profile(&Int64Array::from(half.to_vec()))));
    let texts: Vec<String> = values.iter().map(i64::to_string).collect();
    for whole in [merged(ColumnKind::Integral, &halves), profile(&StringArray::from(texts))] {
        let top = whole.top(10);
        assert_eq!(top.len(), 10);
        for found in &top {
            let truth = counts[&found.value.parse().unwrap()];
            assert!(found.value.parse::<i64>().unwrap() < 10 && (found.low..=found.high).contains(&truth));
            assert!(found.high - found.low <= 60_000 * 7 / 1024);
        }
        let distinct = whole.figures().distinct;
        assert!((distinct.low..=distinct.high).contains(&(counts.len() as f64)), "{distinct:?}, {}", counts.len());
    }
    // Where nothing repeats, nothing is frequent.
    assert_eq!(profile(&Int64Array::from_iter_values(0..50_000)).top(20), []);
    assert_eq!(profile(&Float64Array::from_iter_values((0..5_000).map(f64::from))).top(20), []);
}

#[test]
fn equal_columns_of_other_types_have_equal_distinct_counts() {
    let numbers = Int64Array::from_iter_values(0..40_000);
    let floats = Float64Array::from_iter_values((0..40_000).map(f64::from));
    let texts = StringArray::from_iter_values((0..40_000).map(|i: i32| i.to_string()));
    let distinct = profile(&numbers).figures().distinct;
    assert!(!distinct.exact);
    assert_eq!(profile(&floats).figures().distinct, distinct);
    assert_eq!(profile(&texts).figures().distinct, distinct);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut numbers = ColumnProfile::new(ColumnKind::Integral);
    let error = numbers.update(&StringArray::from(vec!["x"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("Utf8") && error.to_string().contains("integral"), "{error}");
    assert!(numbers.merge(&ColumnProfile::new(ColumnKind::Text)).is_err());
    let mut fractions = ColumnProfile::new(ColumnKind::Fractional);
    fractions.update(&Int32Array::from(vec![1, 2])).unwrap();
    assert_eq!(fractions.figures().mean, Some(1.5));
    let batch = RecordBatch::try_from_iter([("age", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
    let error = profile_batch(&mut [numbers], &batch, &[0]).unwrap_err();
    assert!(error.to_string().contains("age"), "{error}");
    assert!(ColumnKind::of(&DataType::Binary).unwrap_err().to_string().contains("Binary"));
    assert!(profile_batch(&mut [], &batch, &[7]).is_err());
}

#[test]
fn a_later_format_is_told_from_damage() {
    let mut bytes = ColumnProfile::new(ColumnKind::Text).to_bytes();
    bytes.truncate(bytes.len() - 8);
    bytes[4] = 9;
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    assert_eq!(ColumnProfile::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::NewerFormat);
    assert_eq!(ColumnProfile::from_bytes(b"").unwrap_err().kind(), ErrorKind::Corrupt);
}

fn measure(measures: &[Measure], metric: Metric) -> &Measure {
    measures.iter().find(|measure| measure.metric == metric).unwrap()
}

fn normal(random: &mut StdRng) -> f64 {
    (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[test]
fn a_column_does_not_drift_from_itself() {
    let mut random = StdRng::seed_from_u64(1);
    let floats = Float64Array::from_iter((0..9_000).map(|i| (i % 10 != 0).then(|| normal(&mut random))));
    let texts = StringArray::from_iter((0..9_000).map(|i| (i % 7 != 0).then(|| format!("c{}", i % 30))));
    for same in [profile(&floats), profile(&texts)] {
        let drift = compare(&same, &same, &Thresholds::default()).unwrap();
        assert_eq!(drift.level, Level::Ok);
        assert!(drift.measures.len() >= 5);
        for measure in &drift.measures {
            assert_eq!(measure.value, 0.0, "{measure:?}");
        }
    }
}

#[test]
fn samples_of_one_distribution_are_hardly_ever_flagged() {
    let (mut flagged, mut pairs) = (Vec::new(), 0);
    for seed in 0..150u64 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut column = |n: usize| -> ArrayRef {
            match seed % 3 {
                0 => Arc::new(Float64Array::from_iter((0..n).map(|_| random.random_bool(0.9).then(|| normal(&mut random).exp())))),
                1 => Arc::new(Int64Array::from_iter_values((0..n).map(|_| (random.random::<f64>().powi(3) * 12.0) as i64))),
                // As words are: a few often, many once.
                _ => Arc::new(StringArray::from_iter_values(
                    (0..n).map(|_| format!("w{}", (1.0 / random.random::<f64>()).min(3_000.0) as u32)),
                )),
            }
        };
        let (n, m) = [(500, 500), (700, 5_000), (6_000, 600), (5_000, 8_000)][seed as usize % 4];
        let drift = compare(&profile(&column(n)), &profile(&column(m)), &Thresholds::default()).unwrap();
        pairs += 1;
        if drift.level > Level::Ok {
            flagged.push((seed, drift));
        }
    }
    assert!(flagged.len() * 100 <= pairs * 2, "{} of {pairs}: {flagged:#?}", flagged.len());
}

#[test]
fn a_shift_is_measured_and_flagged() {
    let mut random = StdRng::seed_from_u64(5);
    let mut column = |shift: f64| profile(&Float64Array::from_iter_values((0..20_000).map(|_| normal(&mut random) + shift)));
    let (reference, same, moved) = (column(0.0), column(0.0), column(1.0));
    assert_eq!(compare(&reference, &same, &Thresholds::default()).unwrap().level, Level::Ok);
    let drift = compare(&reference, &moved, &Thresholds::default()).unwrap();
    assert_eq!(drift.level, Level::Alert);
    // Normal distributions one deviation apart: D = 2Φ(½) − 1 = 0.383, both distances 1.
    assert!((measure(&drift.measures, Metric::Ks).value - 0.383).abs() < 0.03);
    assert!((measure(&drift.measures, Metric::MeanShift).value - 1.0).abs() < 0.05);
    assert!((measure(&drift.measures, Metric::Wasserstein).value - 1.0).abs() < 0.06);
    assert!(measure(&drift.measures, Metric::Psi).value > 0.5);
    let lenient = Thresholds { ks: Limits::new(0.5, 0.9), ..Thresholds::default() };
    assert_eq!(measure(&compare(&reference, &moved, &lenient).unwrap().measures, Metric::Ks).level, Level::Ok);
}

#[test]
fn nulls_new_categories_and_changed_shares_are_named() {
    let column = |counts: &[(&str, usize)], nulls: usize| {
        let values =
            counts.iter().flat_map(|(text, count)| std::iter::repeat_n(Some(*text), *count)).chain(std::iter::repeat_n(None, nulls));
        profile(&StringArray::from_iter(values))
    };
    let reference = column(&[("card", 600), ("cash", 400)], 0);
    let current = column(&[("card", 300), ("cash", 500), ("crypto", 100)], 100);
    let drift = compare(&reference, &current, &Thresholds::default()).unwrap();
    let nulls = measure(&drift.measures, Metric::NullShare);
    assert!((nulls.value - 0.1).abs() < 1e-12 && nulls.level == Level::Alert);
    let change = measure(&drift.measures, Metric::LInfinity);
    assert!((change.value - (0.6 - 1.0 / 3.0)).abs() < 1e-12 && change.detail.as_ref().unwrap().contains("'card'"));
    let new = measure(&drift.measures, Metric::NewCategories);
    assert!(close(new.value, 1.0 / 9.0) && new.level == Level::Alert && new.detail.as_deref() == Some("'crypto'"));
    // Fewer nulls than before are no harm.
    assert_eq!(measure(&compare(&current, &reference, &Thresholds::default()).unwrap().measures, Metric::NullShare).level, Level::Ok);
}

#[test]
fn few_rows_and_constants_are_said_to_be_so() {
    let column = |n: usize, value: f64| profile(&Float64Array::from(vec![value; n]));
    let few = compare(&column(499, 1.0), &column(9_999, 2.0), &Thresholds::default()).unwrap();
    assert_eq!(few.level, Level::Few);
    let constant = compare(&column(600, 1.0), &column(600, 2.0), &Thresholds::default()).unwrap();
    let shift = measure(&constant.measures, Metric::MeanShift);
    assert!(shift.level == Level::Alert && shift.value.is_finite() && shift.detail.as_ref().unwrap().contains("always 1"));
    let same = compare(&column(600, 1.0), &column(600, 1.0), &Thresholds::default()).unwrap();
    assert_eq!(same.level, Level::Ok);
    assert!(compare(&column(9, 1.0), &ColumnProfile::new(ColumnKind::Text), &Thresholds::default()).is_err());
    // Whatever is compared, JSON can hold it.
    for drift in [few, constant] {
        let json = serde_json::to_string(&drift).unwrap();
        assert_eq!(serde_json::from_str::<larder::statistics::drift::ColumnDrift>(&json).unwrap().level, drift.level);
    }
}

#[test]
fn volume_is_judged_by_the_last_seven_windows() {
    let thresholds = Thresholds::default();
    let level = |rows, windows: &[u64]| compare_volume(rows, windows, &thresholds).map(|measure| measure.level);
    assert_eq!(level(10, &[]), None);
    assert_eq!(level(10, &[0, 0, 0]), None);
    // The old windows of a million rows don't count.
    let windows = [1_000_000, 1_000_000, 100, 90, 110, 100, 100, 5, 400];
    assert_eq!(level(100, &windows), Some(Level::Ok));
    assert_eq!(level(500, &windows), Some(Level::Ok));
    assert_eq!(level(51, &windows), Some(Level::Ok));
    assert_eq!(level(50, &windows), Some(Level::Watch));
    assert_eq!(level(10, &windows), Some(Level::Alert));
    assert_eq!(compare_volume(30, &[10, 50], &thresholds).map(|measure| measure.value), Some(0.0));
}

#[test]
fn thresholds_take_part_of_a_definition() {
    let thresholds: Thresholds = serde_json::from_str(r#"{"ks": {"watch": 0.3, "alert": 0.4}}"#).unwrap();
    assert_eq!(thresholds, Thresholds { ks: Limits::new(0.3, 0.4), ..Thresholds::default() });
    assert!(serde_json::from_str::<Thresholds>(r#"{"kss": {"watch": 0.3, "alert": 0.4}}"#).is_err());
}
