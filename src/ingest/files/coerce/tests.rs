//! Tests of the coercions: what is taken exactly, and what is refused with its place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::*;
use arrow::datatypes::*;

use super::super::batch::Places;
use super::*;
use crate::model::{FeatureDefinition, FeatureName};

fn definition(name: &str, feature_type: FeatureType, collection: Option<Collection>) -> FeatureDefinition {
    FeatureDefinition { collection, ..FeatureDefinition::new(FeatureName::parse(name).unwrap(), feature_type) }
}

/// Coerces one column beside a good identifier and event time.
fn run(feature_type: FeatureType, collection: Option<Collection>, column: ArrayRef) -> Coerced {
    let features = vec![
        definition("id", FeatureType::Integral, None),
        definition("at", FeatureType::Fractional, None),
        definition("x", feature_type, collection),
    ];
    let schema = crate::model::Schema::new(features, "id", "at").unwrap();
    let rows = column.len();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let times: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)));
    check_type(&schema.features()[2], false, column.data_type(), "a.parquet").unwrap();
    let batch =
        SourceBatch { columns: vec![ids, times, column], rows, places: Places::Rows(1), rejected: Vec::new(), consumed: rows as u64 };
    coerce(&schema, &batch).unwrap()
}

/// Texts of the values that were taken, with the identifiers of the rows they are in.
fn taken(coerced: &Coerced) -> Vec<(String, String)> {
    let column = &coerced.columns[2];
    let options = arrow::util::display::FormatOptions::new().with_null("null");
    let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap();
    (0..column.len()).map(|row| (coerced.identifiers.value(row).to_owned(), formatter.value(row).to_string())).collect()
}

fn values(coerced: &Coerced) -> Vec<String> {
    taken(coerced).into_iter().map(|(_, value)| value).collect()
}

fn reasons(coerced: &Coerced) -> Vec<String> {
    coerced.rejected.iter().map(|rejected| format!("{}: {}", rejected.place, rejected.reason)).collect()
}

#[test]
fn integers_become_fractional_only_where_a_double_holds_them() {
    let big = (1i64 << 53) + 1;
    let coerced =
        run(FeatureType::Fractional, None, Arc::new(Int64Array::from(vec![Some(1 << 53), Some(big), None, Some(-big), Some(1 << 60)])));
    assert_eq!(
        taken(&coerced),
        [("0".into(), "9007199254740992.0".into()), ("2".into(), "null".into()), ("4".into(), "1.152921504606847e18".into())]
            .map(|pair: (String, String)| pair)
    );
    assert_eq!(
        reasons(&coerced),
        ["row 2: 9007199254740993 has more digits than a double holds", "row 4: -9007199254740993 has more digits than a double holds"]
    );
}

#[test]
fn unsigned_integers_above_the_range_are_refused() {
    let column = || Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(i64::MAX as u64), None, Some(7)]));
    let coerced = run(FeatureType::Integral, None, column());
    assert_eq!(values(&coerced), ["9223372036854775807", "null", "7"]);
    assert!(reasons(&coerced)[0].contains("18446744073709551615 is above"));
    assert_eq!(values(&run(FeatureType::String, None, column()))[0], "18446744073709551615");
    for small in
        [Arc::new(UInt8Array::from(vec![255])) as ArrayRef, Arc::new(Int16Array::from(vec![255])), Arc::new(UInt32Array::from(vec![255]))]
    {
        assert_eq!(values(&run(FeatureType::Integral, None, small)), ["255"]);
    }
}

#[test]
fn floats_become_integral_only_without_a_fraction() {
    let column = Arc::new(Float64Array::from(vec![
        Some(3.0),
        Some(1.5),
        Some(f64::NAN),
        None,
        Some(9.3e18),
        Some(-9_223_372_036_854_775_808.0),
        Some(f64::INFINITY),
    ]));
    let coerced = run(FeatureType::Integral, None, column);
    assert_eq!(values(&coerced), ["3", "null", "null", "-9223372036854775808"]);
    assert_eq!(coerced.nulled, 1);
    assert_eq!(coerced.rejected.iter().map(|rejected| rejected.place.to_string()).collect::<Vec<_>>(), ["row 2", "row 5", "row 7"]);
}

#[test]
fn nan_is_null_and_infinity_is_refused() {
    let coerced = run(
        FeatureType::Fractional,
        None,
        Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), Some(f64::NEG_INFINITY), None, Some(-0.0)])),
    );
    assert_eq!(values(&coerced), ["0.5", "null", "null", "-0.0"]);
    assert_eq!((coerced.nulled, reasons(&coerced)), (1, vec!["row 3: -inf is not finite".to_owned()]));
    // A clean column is handed on, not copied.
    let clean: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None]));
    let coerced = run(FeatureType::Fractional, None, Arc::clone(&clean));
    assert!(coerced.columns[2].to_data().ptr_eq(&clean.to_data()));
}

#[test]
fn singles_and_halves_keep_their_shortest_text() {
    let coerced = run(FeatureType::Fractional, None, Arc::new(Float32Array::from(vec![0.1, 2.5, f32::NAN])));
    assert_eq!(values(&coerced), ["0.1", "2.5", "null"]);
    assert_eq!(values(&run(FeatureType::String, None, Arc::new(Float32Array::from(vec![0.1])))), ["0.1"]);
}

#[test]
fn decimals_are_exact_or_refused() {
    let column =
        |values: Vec<i128>, scale| Arc::new(Decimal128Array::from(values).with_precision_and_scale(38, scale).unwrap()) as ArrayRef;
    assert_eq!(values(&run(FeatureType::Fractional, None, column(vec![110, -5, 0], 2))), ["1.1", "-0.05", "0.0"]);
    let coerced = run(FeatureType::Fractional, None, column(vec![12_345_678_901_234_567_891], 5));
    assert!(reasons(&coerced)[0].contains("more digits"), "{:?}", reasons(&coerced));
    let coerced = run(FeatureType::Integral, None, column(vec![700, 750], 2));
    assert_eq!((values(&coerced), coerced.rejected.len()), (vec!["7".to_owned()], 1));
    assert_eq!(values(&run(FeatureType::String, None, column(vec![110], 2))), ["1.10"]);
}

#[test]
fn booleans_count_as_zero_and_one() {
    let column = || Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
    assert_eq!(values(&run(FeatureType::Integral, None, column())), ["1", "0", "null"]);
    assert_eq!(values(&run(FeatureType::Fractional, None, column())), ["1.0", "0.0", "null"]);
    assert_eq!(values(&run(FeatureType::String, None, column())), ["true", "false", "null"]);
}

#[test]
fn every_form_of_text_and_category_is_text() {
    let texts = vec![Some("a"), None, Some("é")];
    let categories: DictionaryArray<Int8Type> = texts.iter().copied().collect();
    let numbers = DictionaryArray::new(Int8Array::from(vec![0, 1, 0]), Arc::new(Int64Array::from(vec![5, 6])));
    for column in [
        Arc::new(StringArray::from(texts.clone())) as ArrayRef,
        Arc::new(LargeStringArray::from(texts.clone())),
        Arc::new(StringViewArray::from(texts.clone())),
        Arc::new(categories),
    ] {
        assert_eq!(values(&run(FeatureType::String, None, column)), ["a", "null", "é"]);
    }
    assert_eq!(values(&run(FeatureType::Integral, None, Arc::new(numbers))), ["5", "6", "5"]);
}

#[test]
fn text_becomes_a_number_where_it_is_one() {
    let column = || Arc::new(StringArray::from(vec![Some("1"), Some("2.0"), Some("2.5"), Some("NaN"), None, Some("x")]));
    let coerced = run(FeatureType::Integral, None, column());
    assert_eq!((values(&coerced), coerced.nulled), (vec!["1".into(), "2".into(), "null".into(), "null".into()], 1));
    assert_eq!(
        reasons(&coerced),
        ["row 3: '2.5' is not a whole number (the feature is Integral)", "row 6: 'x' is not a whole number (the feature is Integral)"]
    );
    assert_eq!(coerced.rejected[1].row, serde_json::json!({"id": 5, "at": 5.0, "x": "x"}));
    let coerced = run(FeatureType::Fractional, None, column());
    assert_eq!(values(&coerced), ["1.0", "2.0", "2.5", "null", "null"]);
}

#[test]
fn timestamps_of_every_unit_and_zone_become_iso_text_in_utc() {
    let cases: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(TimestampSecondArray::from(vec![-1])), "1969-12-31T23:59:59Z"),
        (Arc::new(TimestampMillisecondArray::from(vec![-1])), "1969-12-31T23:59:59.999Z"),
        (Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("+02:00")), "1970-01-01T00:00:00.000001Z"),
        (
            Arc::new(TimestampNanosecondArray::from(vec![1_701_320_475_364_000_001]).with_timezone("Europe/Berlin")),
            "2023-11-30T05:01:15.364000001Z",
        ),
        (Arc::new(Date32Array::from(vec![-719_528])), "0000-01-01T00:00:00Z"),
        (Arc::new(Date64Array::from(vec![86_400_000])), "1970-01-02T00:00:00Z"),
    ];
    for (column, text) in cases {
        assert_eq!(values(&run(FeatureType::String, None, column)), [text]);
    }
    let coerced = run(FeatureType::String, None, Arc::new(TimestampSecondArray::from(vec![i64::MAX])));
    assert!(reasons(&coerced)[0].contains("outside years"));
}

#[test]
fn lists_of_every_kind_with_their_rules() {
    let list = |rows: Vec<Option<Vec<Option<i32>>>>| ListArray::from_iter_primitive::<Int32Type, _, _>(rows);
    let coerced = run(
        FeatureType::Integral,
        Some(Collection::List),
        Arc::new(list(vec![Some(vec![Some(1), Some(2)]), None, Some(vec![]), Some(vec![None])])),
    );
    assert_eq!(values(&coerced), ["[1, 2]", "null", "[]"]);
    assert_eq!(reasons(&coerced), ["row 4: a missing value within the list"]);

    let coerced =
        run(FeatureType::Integral, Some(Collection::Set), Arc::new(list(vec![Some(vec![Some(1), Some(1)]), Some(vec![Some(1)])])));
    assert!(reasons(&coerced)[0].contains("appears twice"));

    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vec![Some(vec![Some(0.1), Some(0.2)]), None], 2);
    let coerced = run(FeatureType::Fractional, Some(Collection::Vector { dimension: 2 }), Arc::new(vectors.clone()));
    assert_eq!(values(&coerced), ["[0.1, 0.2]", "null"]);
    let coerced = run(FeatureType::Fractional, Some(Collection::Vector { dimension: 3 }), Arc::new(vectors));
    assert_eq!((values(&coerced), reasons(&coerced)), (vec!["null".into()], vec!["row 1: 2 values; a Vector of 3 is due".to_owned()]));

    let large = LargeListArray::from_iter_primitive::<Float64Type, _, _>(vec![
        Some(vec![Some(f64::INFINITY)]),
        Some(vec![Some(f64::NAN)]),
        Some(vec![Some(1.0)]),
    ]);
    let coerced = run(FeatureType::Fractional, Some(Collection::List), Arc::new(large));
    assert_eq!((values(&coerced), coerced.rejected.len(), coerced.nulled), (vec!["[1.0]".to_owned()], 2, 0));
}

#[test]
fn a_slice_of_lists_blames_only_its_own_rows() {
    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(vec![
        Some(vec![Some(f64::INFINITY)]),
        Some(vec![Some(1.0)]),
        Some(vec![Some(f64::INFINITY)]),
        Some(vec![Some(2.0)]),
    ]);
    let coerced = run(FeatureType::Fractional, Some(Collection::List), Arc::new(lists.slice(1, 3)));
    assert_eq!((values(&coerced), reasons(&coerced)), (vec!["[1.0]".into(), "[2.0]".into()], vec!["row 2: inf is not finite".to_owned()]));
}

#[test]
fn lists_from_json_text() {
    let texts = StringArray::from(vec![Some("[1, 2.5]"), None, Some("[]"), Some("[null]"), Some("1"), Some("[[1]]"), Some("[\"a\"]")]);
    let coerced = run(FeatureType::Fractional, Some(Collection::List), Arc::new(texts));
    assert_eq!(values(&coerced), ["[1.0, 2.5]", "null", "[]"]);
    assert_eq!(
        coerced.rejected.iter().map(|rejected| rejected.place.to_string()).collect::<Vec<_>>(),
        ["row 4", "row 5", "row 6", "row 7"]
    );
}

#[test]
fn columns_no_feature_can_hold_are_told_by_name() {
    let error = check_type(&definition("x", FeatureType::String, None), false, &DataType::Binary, "a.parquet").unwrap_err().to_string();
    assert!(error.contains("column 'x' is Binary") && error.contains("--drop 'x'"), "{error}");
    assert!(check_type(&definition("x", FeatureType::Integral, None), false, &DataType::Date32, "a").is_err());
    assert!(check_type(&definition("x", FeatureType::String, None), false, &DataType::new_list(DataType::Utf8, true), "a").is_err());
}

/// Coerces an event time column of a type.
fn times(feature_type: FeatureType, column: ArrayRef) -> Coerced {
    let features = vec![definition("id", FeatureType::String, None), definition("at", feature_type, None)];
    let schema = crate::model::Schema::new(features, "id", "at").unwrap();
    let rows = column.len();
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("k{row}"))));
    check_type(&schema.features()[1], true, column.data_type(), "a").unwrap();
    let batch = SourceBatch { columns: vec![ids, column], rows, places: Places::Rows(1), rejected: Vec::new(), consumed: rows as u64 };
    coerce(&schema, &batch).unwrap()
}

#[test]
fn event_times_of_every_type_mean_the_same_instant() {
    let iso = |coerced: &Coerced| coerced.event_times.iter().map(|time| time.to_iso8601()).collect::<Vec<_>>();
    let at = "2023-11-30T05:01:15.364Z";
    let milliseconds = 1_701_320_475_364;
    let columns: Vec<(FeatureType, ArrayRef)> = vec![
        (FeatureType::Fractional, Arc::new(Int64Array::from(vec![milliseconds]))),
        (FeatureType::Fractional, Arc::new(Float64Array::from(vec![1_701_320_475.364]))),
        (FeatureType::Fractional, Arc::new(TimestampMillisecondArray::from(vec![milliseconds]))),
        (FeatureType::Fractional, Arc::new(StringArray::from(vec!["1701320475.364"]))),
        (FeatureType::String, Arc::new(Int64Array::from(vec![milliseconds]))),
        (FeatureType::String, Arc::new(Int64Array::from(vec![milliseconds * 1_000_000]))),
        (FeatureType::String, Arc::new(StringArray::from(vec!["2023-11-30 07:01:15.364+02:00"]))),
        (FeatureType::String, Arc::new(StringArray::from(vec!["1701320475364000000"]))),
        (FeatureType::String, Arc::new(TimestampNanosecondArray::from(vec![milliseconds * 1_000_000]))),
    ];
    for (feature_type, column) in columns {
        let name = format!("{feature_type} from {}", column.data_type());
        let coerced = times(feature_type, column);
        assert_eq!(iso(&coerced), [at], "{name}: {:?}", coerced.rejected);
        // What is stored must read back as the same instant.
        let stored = text::of_column(&coerced.columns[1]).unwrap();
        let again = match feature_type {
            FeatureType::Fractional => EventTime::parse_fractional(stored.value(0), TimeMode::Lenient),
            _ => EventTime::parse_text(stored.value(0), TimeMode::Lenient),
        };
        assert_eq!(again.unwrap().to_iso8601(), at, "{name}");
    }
    let texts = times(FeatureType::String, Arc::new(StringArray::from(vec!["2020-04-01 00:44:02"])));
    assert_eq!(text::of_column(&texts.columns[1]).unwrap().value(0), "2020-04-01 00:44:02", "text stays as it came");
}

#[test]
fn rows_without_a_readable_key_are_rejected() {
    let coerced = times(FeatureType::String, Arc::new(StringArray::from(vec![Some("soon"), None, Some("2020-01-01T00:00:00Z")])));
    assert_eq!(coerced.event_times.len(), 1);
    let told = reasons(&coerced);
    assert!(told[0].contains("'soon' is not an event time") && told[1].contains("missing"), "{told:?}");
    let coerced = times(FeatureType::Fractional, Arc::new(TimestampNanosecondArray::from(vec![1_701_320_475_364_000_001])));
    assert!(reasons(&coerced)[0].contains("finer than"));
    assert!(reasons(&times(FeatureType::Fractional, Arc::new(NullArray::new(1))))[0].contains("missing"));

    let features = vec![definition("id", FeatureType::String, None), definition("at", FeatureType::Fractional, None)];
    let schema = crate::model::Schema::new(features, "id", "at").unwrap();
    let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some(""), Some(&"x".repeat(2_049)), Some("b")]));
    let at: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 5]));
    let batch =
        SourceBatch { columns: vec![ids, at], rows: 5, places: Places::Lines(vec![2, 3, 4, 5, 6]), rejected: Vec::new(), consumed: 5 };
    let coerced = coerce(&schema, &batch).unwrap();
    assert_eq!(coerced.identifiers, StringArray::from(vec!["a", "b"]));
    assert_eq!(coerced.rejected.iter().map(|rejected| rejected.place.to_string()).collect::<Vec<_>>(), ["line 3", "line 4", "line 5"]);
}
