//! Reading files: real data, every coercion that a file can ask for, and the place of every bad row.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema as ArrowSchema};
use larder::ingest::files::{Coerced, Dropped, InferredSchema, Position, Reading, Rejected, coerce, infer_schema, resolve};
use larder::model::{Collection, FeatureDefinition, FeatureName, FeatureType, Result, Schema};
use parquet::arrow::ArrowWriter;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::test_data;

/// Rows of a load, as text by feature.
struct Loaded {
    rows: Vec<BTreeMap<String, String>>,
    event_times: Vec<String>,
    rejected: Vec<(usize, Rejected)>,
    nulled: u64,
    notes: Vec<String>,
}

fn texts(schema: &Schema, coerced: &Coerced) -> Vec<BTreeMap<String, String>> {
    let options = arrow::util::display::FormatOptions::new();
    let mut rows = vec![BTreeMap::new(); coerced.identifiers.len()];
    for (feature, column) in schema.features().iter().zip(&coerced.columns) {
        let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap();
        for (row, values) in rows.iter_mut().enumerate() {
            if column.is_valid(row) {
                values.insert(feature.name.to_string(), formatter.value(row).to_string());
            }
        }
    }
    rows
}

fn load_from(paths: &[String], schema: &Schema, drop: &[String], from: Position) -> Result<Loaded> {
    let schema = Arc::new(schema.clone());
    let mut reading = Reading::open(resolve(paths)?, &schema, &Dropped::new(drop), from)?;
    let mut loaded = Loaded { rows: Vec::new(), event_times: Vec::new(), rejected: Vec::new(), nulled: 0, notes: Vec::new() };
    while let Some((input, batch)) = reading.next_batch()? {
        let coerced = coerce(&schema, &batch)?;
        assert_eq!(coerced.consumed, coerced.rejected.len() as u64 + coerced.event_times.len() as u64);
        loaded.rows.extend(texts(&schema, &coerced));
        loaded.event_times.extend(coerced.event_times.iter().map(|time| time.to_iso8601()));
        loaded.nulled += coerced.nulled;
        loaded.rejected.extend(coerced.rejected.into_iter().map(|rejected| (input, rejected)));
    }
    loaded.notes = reading.notes().to_vec();
    Ok(loaded)
}

fn infer(paths: &[String], id: &str, time: &str, drop: &[&str]) -> Result<InferredSchema> {
    infer_schema(&resolve(paths)?, id, time, &owned(drop))
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Infers and loads.
fn whole(paths: &[String], id: &str, time: &str, drop: &[&str]) -> Result<(Schema, Loaded)> {
    let schema = infer(paths, id, time, drop)?.schema;
    let loaded = load_from(paths, &schema, &owned(drop), Position::default())?;
    Ok((schema, loaded))
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn write_parquet(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) -> String {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = folder.join(name);
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.display().to_string()
}

fn types(schema: &Schema) -> BTreeMap<&str, String> {
    schema.features().iter().map(|feature| (feature.name.as_str(), feature.type_text())).collect()
}

fn told(loaded: &Loaded) -> Vec<String> {
    loaded
        .rejected
        .iter()
        .map(|(input, rejected)| format!("{input} {} {:?} {}", rejected.place, rejected.field.as_deref().unwrap_or(""), rejected.reason))
        .collect()
}

fn fails<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn taxi_trips_with_their_gaps() {
    let Some(path) = test_data("feathr/green_tripdata_2020-04_with_index.csv") else { return };
    let path = path.display().to_string();
    let (schema, loaded) = whole(std::slice::from_ref(&path), "trip_id", "lpep_pickup_datetime", &[]).unwrap();
    assert_eq!((loaded.rows.len(), loaded.rejected.len()), (35_612, 0));
    assert_eq!(loaded.rows.iter().filter(|row| row.contains_key("ehail_fee")).count(), 0);
    let kinds = types(&schema);
    assert_eq!(
        (kinds["ehail_fee"].as_str(), kinds["trip_id"].as_str(), kinds["VendorID"].as_str(), kinds["store_and_fwd_flag"].as_str()),
        ("String", "Integral", "Fractional", "String")
    );
    // Every field of the file is there as it stood.
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let header = reader.headers().unwrap().clone();
    for (record, row) in reader.records().zip(&loaded.rows) {
        let expected: BTreeMap<String, String> = header
            .iter()
            .zip(record.unwrap().iter())
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        for (name, text) in &expected {
            let same = row[name] == *text || row[name].parse::<f64>().ok().zip(text.parse::<f64>().ok()).is_some_and(|(a, b)| a == b);
            assert!(same, "{name}: {} from {text}", row[name]);
        }
        assert_eq!(row.len(), expected.len());
    }
    let outside = loaded.event_times.iter().filter(|time| !time.starts_with("2020-04")).count();
    assert_eq!(outside, 6);
}

#[test]
fn driver_statistics_keep_all_rows_and_their_singles() {
    let Some(path) = test_data("feast/driver_stats.parquet") else { return };
    let path = path.display().to_string();
    let (schema, loaded) = whole(&[path], "driver_id", "event_timestamp", &[]).unwrap();
    assert_eq!(loaded.rows.len(), 1_807);
    let kinds = types(&schema);
    assert_eq!(
        (kinds["conv_rate"].as_str(), kinds["avg_daily_trips"].as_str(), kinds["event_timestamp"].as_str(), kinds["created"].as_str()),
        ("Fractional", "Integral", "String", "String")
    );
    assert!(loaded.rows.iter().all(|row| row["conv_rate"].len() <= 12), "a single has at most nine digits");
    let tied = loaded.rows.iter().filter(|row| row["driver_id"] == "1003" && row["event_timestamp"] == "2022-04-05T06:00:00Z").count();
    assert_eq!(tied, 3);
}

#[test]
fn every_real_file_loads_whole() {
    for (file, id, time, drop, rows) in [
        ("feast/loan_table.parquet", "loan_id", "event_timestamp", &[][..], 28_638),
        ("feast/zipcode_table.parquet", "zipcode", "event_timestamp", &[], 28_844),
        ("feast/credit_history_sample.csv", "dob_ssn", "event_timestamp", &[], 1_000),
        ("feast/my_training_ds.parquet", "loan_id", "event_timestamp", &["__index_level_0__"], 28_638),
        ("feast/city_wikipedia_summaries_with_embeddings.parquet", "item_id", "event_timestamp", &["__index_level_0__"], 811),
        ("chronon/purchases.csv", "user_id", "ts", &[], 500),
        ("chronon/returns.csv", "user_id", "ts", &[], 500),
        ("chronon/checkouts.csv", "user_id", "ts", &[], 200),
        ("chronon/users.csv", "user_id", "ds", &[], 101),
    ] {
        let Some(path) = test_data(file) else { return };
        let path = path.display().to_string();
        let has_drop = infer(std::slice::from_ref(&path), id, time, drop).is_ok();
        let drop = if has_drop { drop } else { &[][..] };
        let (schema, loaded) = whole(&[path], id, time, drop).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!((loaded.rows.len(), told(&loaded)), (rows, vec![]), "{file}");
        if file.contains("wikipedia") {
            assert_eq!(types(&schema)["vector"], "List<Fractional>");
        }
        if file.starts_with("chronon/purchases") {
            assert_eq!(types(&schema)["ts"], "Fractional");
            assert!(loaded.event_times.iter().all(|time| time.starts_with("2023-")), "milliseconds are told by their magnitude");
        }
    }
    let Some(golden) = test_data("feast/my_training_ds.parquet") else { return };
    let golden = golden.display().to_string();
    let error = fails(infer(&[golden], "loan_id", "event_timestamp", &[]));
    assert!(error.contains("__index_level_0__") && error.contains("--drop __index_level_0__"), "{error}");
    let Some(claims) = test_data("sagemaker/claims.csv") else { return };
    let claims = claims.display().to_string();
    let error = fails(infer(&[claims], "policy_id", "EventTime", &[]));
    assert!(error.contains("no column 'EventTime' for the event time"), "{error}");
}

#[test]
fn one_table_in_every_format_is_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut random = StdRng::seed_from_u64(20_260_801);
    let rows = 5_000;
    let ids: Vec<String> = (0..rows).map(|_| format!("user-{}", random.random_range(0..900))).collect();
    let times: Vec<String> = (0..rows).map(|row| format!("2026-01-{:02}T{:02}:00:00Z", 1 + row % 28, row % 24)).collect();
    let counts: Vec<Option<i64>> = (0..rows).map(|_| random.random_bool(0.9).then(|| random.random_range(-5..i64::MAX))).collect();
    let prices: Vec<Option<f64>> = (0..rows).map(|_| random.random_bool(0.9).then(|| random.random_range(-1e6..1e6))).collect();
    let notes: Vec<Option<String>> = (0..rows)
        .map(|_| random.random_bool(0.8).then(|| format!("a \"{}\", é\nline {}", random.random_range(0..9), random.random_range(0..9))))
        .collect();

    let parquet = write_parquet(
        root,
        "a.parquet",
        vec![
            ("id", Arc::new(StringArray::from(ids.clone())) as ArrayRef),
            ("at", Arc::new(StringArray::from(times.clone()))),
            ("count", Arc::new(Int64Array::from(counts.clone()))),
            ("price", Arc::new(Float64Array::from(prices.clone()))),
            ("note", Arc::new(StringArray::from(notes.clone()))),
        ],
    );
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut tsv = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
    let mut json = String::new();
    csv.write_record(["id", "at", "count", "price", "note"]).unwrap();
    tsv.write_record(["note", "price", "count", "at", "id"]).unwrap();
    for row in 0..rows {
        let fields = [
            ids[row].clone(),
            times[row].clone(),
            counts[row].map_or(String::new(), |value| value.to_string()),
            prices[row].map_or(String::new(), |value| format!("{value:?}")),
            notes[row].clone().unwrap_or_default(),
        ];
        csv.write_record(&fields).unwrap();
        tsv.write_record(fields.iter().rev()).unwrap();
        let mut object = serde_json::json!({"id": ids[row], "at": times[row], "note": notes[row]});
        if let Some(count) = counts[row] {
            object["count"] = count.into();
        }
        object["price"] = prices[row].map_or(serde_json::Value::Null, Into::into);
        json.push_str(&object.to_string());
        json.push('\n');
    }
    let (csv, tsv) = (csv.into_inner().unwrap(), tsv.into_inner().unwrap());
    let gz = {
        // Two members, as `cat a.gz b.gz` makes them.
        let mut packed = Vec::new();
        let middle = csv.len() / 2;
        for part in [&csv[..middle], &csv[middle..]] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part).unwrap();
            packed.extend(encoder.finish().unwrap());
        }
        packed
    };
    let files = [
        parquet,
        write(root, "a.csv", &csv),
        write(root, "a.tsv", &tsv),
        write(root, "a.jsonl", &json),
        write(root, "a.csv.gz", gz),
        write(root, "a.json.zst", zstd::encode_all(json.as_bytes(), 1).unwrap()),
        write(root, "no-ending", &csv),
    ];
    let (schema, expected) = whole(&files[..1], "id", "at", &[]).unwrap();
    assert_eq!(expected.rows.len(), rows);
    for file in &files[1..] {
        let (found, loaded) = whole(std::slice::from_ref(file), "id", "at", &[]).unwrap();
        assert_eq!(types(&found), types(&schema), "{file}");
        assert!(loaded.rows == expected.rows && loaded.event_times == expected.event_times, "{file}");
    }
    // And from any row on.
    for (file, skip) in files.iter().zip([0u64, 1, 4_999, 5_000, 2_500, 17, 3]) {
        let rest = load_from(std::slice::from_ref(file), &schema, &[], Position { input: 0, rows: skip }).unwrap();
        assert!(rest.rows == expected.rows[skip as usize..], "{file} from row {skip}");
    }
    // All together, in order, and resumed in the middle of the third.
    let ordered = [files[0].clone(), files[1].clone(), files[2].clone()];
    let all = load_from(&ordered, &schema, &[], Position::default()).unwrap();
    assert_eq!(all.rows.len(), 3 * rows);
    let rest = load_from(&ordered, &schema, &[], Position { input: 2, rows: 4_000 }).unwrap();
    assert!(rest.rows == expected.rows[4_000..]);
}

#[test]
fn bad_rows_of_a_csv_are_told_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = b"id,at,n,x\r\n1,2026-01-01,5,0.5\r\n2,2026-01-01,5.5,1\r\n3,2026-01-01,1,\"two\r\nlines\"\r\n4,2026-01-01,1\r\n,2026-01-01,1,1\r\n6,,1,1\r\n7,soon,1,1\r\n8,2026-01-01,,\r\n9,2026-01-01,1,1,1\r\n10,2026-01-01,1,".to_vec();
    csv.extend_from_slice(b"\xff\r\n11,2026-01-01,1,inf\r\n");
    let path = write(folder.path(), "a.csv", csv);
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let features = vec![
        feature("id", FeatureType::Integral),
        feature("at", FeatureType::String),
        feature("n", FeatureType::Integral),
        feature("x", FeatureType::Fractional),
    ];
    let schema = Schema::new(features, "id", "at").unwrap();
    let loaded = load_from(&[path], &schema, &[], Position::default()).unwrap();
    assert_eq!(loaded.rows.iter().map(|row| row["id"].as_str()).collect::<Vec<_>>(), ["1", "8"]);
    assert_eq!(
        told(&loaded),
        [
            "0 line 3 \"n\" '5.5' is not a whole number (the feature is Integral)",
            "0 line 4 \"x\" 'two\\r\\nlines' is not a number (the feature is Fractional)",
            "0 line 6 \"\" 3 fields where the header has 4",
            "0 line 7 \"id\" the record identifier is missing",
            "0 line 8 \"at\" the event time is missing",
            "0 line 9 \"at\" 'soon' is not an event time; write it like 2026-11-23T09:30:00Z or in Unix seconds",
            "0 line 11 \"\" 5 fields where the header has 4",
            "0 line 12 \"x\" not UTF-8",
            "0 line 13 \"x\" 'inf' is not a finite number (the feature is Fractional)",
        ]
    );
    assert_eq!(loaded.rejected[0].1.row, serde_json::json!({"id": "2", "at": "2026-01-01", "n": "5.5", "x": "1"}));
}

#[test]
fn bad_lines_of_json_are_told_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = concat!(
        "{\"id\":\"a\",\"at\":1.5,\"tags\":[\"x\",\"y\"],\"n\":9007199254740993}\n",
        "\n",
        "{\"id\":\"b\",\"at\":2.5,\"n\":1\n",
        "[1]\n",
        "{\"id\":\"c\",\"at\":3.5,\"n\":{\"deep\":1}}\n",
        "{\"id\":\"d\",\"at\":4.5,\"tag\":1,\"extra\":1}\n",
        "{\"id\":\"e\",\"id\":\"f\",\"at\":4.5}\n",
        "{\"id\":\"g\",\"at\":5.5,\"tags\":[\"x\",null]}\n",
        "{\"ID\":\"h\",\"at\":6.5,\"tags\":[]}\r\n",
        "{\"id\":1.50,\"at\":7.5,\"n\":null}"
    );
    let path = write(folder.path(), "a.jsonl", text);
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let mut features = vec![
        feature("id", FeatureType::String),
        feature("at", FeatureType::Fractional),
        feature("tags", FeatureType::String),
        feature("n", FeatureType::Integral),
    ];
    features[2].collection = Some(Collection::List);
    let schema = Schema::new(features, "id", "at").unwrap();
    let loaded = load_from(std::slice::from_ref(&path), &schema, &[], Position::default()).unwrap();
    assert_eq!(loaded.rows.iter().map(|row| row["id"].as_str()).collect::<Vec<_>>(), ["a", "h", "1.50"]);
    assert_eq!((loaded.rows[0]["n"].as_str(), loaded.rows[0]["tags"].as_str()), ("9007199254740993", "[x, y]"));
    let places: Vec<(String, Option<&str>)> =
        loaded.rejected.iter().map(|(_, rejected)| (rejected.place.to_string(), rejected.field.as_deref())).collect();
    let expected = [
        ("line 3", None),
        ("line 4", None),
        ("line 5", Some("n")),
        ("line 6", Some("tag")),
        ("line 7", Some("id")),
        ("line 8", Some("tags")),
    ];
    assert_eq!(places, expected.map(|(place, field)| (place.to_owned(), field)));
    let loaded = load_from(&[path], &schema, &owned(&["TAG"]), Position::default()).unwrap();
    assert_eq!(loaded.rows.len(), 4, "a dropped field is no fault");
    assert!(loaded.notes[0].contains("'extra' is no feature of the group and is left out"), "{:?}", loaded.notes);
}

#[test]
fn a_header_that_changes_or_does_not_fit_is_told_by_column() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = write(root, "1.csv", "id,at,price\n1,2026-01-01,2.5\n");
    let second = write(root, "2.csv", "at,id,cost\n2026-01-02,2,2.5\n");
    let third = write(root, "3.csv", "at,price,id\n2026-01-03,3.5,3\n");
    let schema = infer(std::slice::from_ref(&first), "id", "at", &[]).unwrap().schema;
    let error = fails(load_from(&[first.clone(), second.clone()], &schema, &[], Position::default()));
    assert!(
        error.contains("2.csv: column 'cost' is no feature of the group, and 'price' has no column") && error.contains("--drop 'cost'"),
        "{error}"
    );
    let error = fails(load_from(&[first.clone(), second.clone()], &schema, &owned(&["cost"]), Position::default()));
    assert!(error.contains("2.csv: column 'price'") && error.contains("is missing"), "{error}");
    let error = fails(infer(&[first.clone(), second.clone()], "id", "at", &[]));
    assert!(error.contains("2.csv: column 'cost' is not in"), "{error}");
    let loaded = load_from(&[first.clone(), third], &schema, &[], Position::default()).unwrap();
    assert_eq!(loaded.rows.iter().map(|row| row["price"].as_str()).collect::<Vec<_>>(), ["2.5", "3.5"]);
    let loaded = load_from(&[second], &schema, &owned(&["cost"]), Position::default()).unwrap();
    assert!(loaded.notes[0].contains("no column for 'price'"), "{:?}", loaded.notes);
    let error = fails(load_from(&[first], &schema, &owned(&["prise"]), Position::default()));
    assert!(error.contains("did you mean 'price'"), "{error}");
    let no_time = write(root, "4.csv", "id,price\n1,2\n");
    let error = fails(load_from(&[no_time], &schema, &[], Position::default()));
    assert!(error.contains("column 'at' is missing") && error.contains("event time"), "{error}");
}

#[test]
fn columns_that_can_not_be_features_are_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let id = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let at = || Arc::new(TimestampMicrosecondArray::from(vec![1_701_320_475_364_123])) as ArrayRef;
    let bytes = write_parquet(root, "b.parquet", vec![("id", id()), ("at", at()), ("raw", Arc::new(BinaryArray::from_vec(vec![b"x"])))]);
    let error = fails(infer(std::slice::from_ref(&bytes), "id", "at", &[]));
    assert!(error.contains("column 'raw' is Binary") && error.contains("--drop 'raw'"), "{error}");
    let (_, loaded) = whole(&[bytes], "id", "at", &["raw"]).unwrap();
    assert_eq!(loaded.rows[0]["at"], "2023-11-30T05:01:15.364123Z");

    for (column, told) in [("write_time", "--drop write_time"), ("my col", "'my_col' would be one"), ("ID", "differ only in case")] {
        let path = write_parquet(root, "c.parquet", vec![("id", id()), ("at", at()), (column, id())]);
        let error = fails(infer(&[path], "id", "at", &[]));
        assert!(error.contains(told), "{error}");
    }
    let inner = Int64Array::from(vec![1]);
    let nested = StructArray::from(vec![(Arc::new(Field::new("a", DataType::Int64, true)), Arc::new(inner) as ArrayRef)]);
    let path = write_parquet(root, "d.parquet", vec![("id", id()), ("at", at()), ("deep", Arc::new(nested))]);
    assert!(fails(infer(&[path], "id", "at", &[])).contains("column 'deep' is Struct"));
    let object = write(root, "e.jsonl", "{\"id\":1,\"at\":1,\"deep\":{}}\n");
    assert!(fails(infer(&[object], "id", "at", &[])).contains("'deep' is an object"));
}

#[test]
fn arrow_types_suggest_feature_types() {
    let folder = tempfile::tempdir().unwrap();
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    let vectors =
        FixedSizeListArray::from_iter_primitive::<arrow::datatypes::Float32Type, _, _>(vec![Some(vec![Some(0.1), Some(0.5)]), None], 2);
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)]), None]);
    let path = write_parquet(
        folder.path(),
        "a.parquet",
        vec![
            ("id", Arc::new(LargeStringArray::from(vec!["a", "b"])) as ArrayRef),
            ("at", Arc::new(Int64Array::from(vec![1_701_320_475_364_000_001, 1]))),
            ("flag", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("small", Arc::new(UInt8Array::from(vec![1, 2]))),
            ("single", Arc::new(Float32Array::from(vec![0.1, f32::NAN]))),
            ("money", Arc::new(Decimal128Array::from(vec![110, 5]).with_precision_and_scale(10, 2).unwrap())),
            ("day", Arc::new(Date32Array::from(vec![-1, 0]))),
            ("category", Arc::new(dictionary)),
            ("view", Arc::new(StringViewArray::from(vec!["a long text that lies apart", "b"]))),
            ("vector", Arc::new(vectors)),
            ("list", Arc::new(lists)),
            ("nothing", Arc::new(StringArray::from(vec![None::<&str>, None]))),
        ],
    );
    let (schema, loaded) = whole(&[path], "id", "at", &[]).unwrap();
    let expected = [
        ("id", "String"),
        ("at", "String"),
        ("flag", "Integral"),
        ("small", "Integral"),
        ("single", "Fractional"),
        ("money", "Fractional"),
        ("day", "String"),
        ("category", "String"),
        ("view", "String"),
        ("vector", "Vector<2>"),
        ("list", "List<Integral>"),
        ("nothing", "String"),
    ];
    assert_eq!(types(&schema), expected.map(|(name, kind)| (name, kind.to_owned())).into_iter().collect());
    let row = &loaded.rows[0];
    let expected = [
        ("id", "a"),
        ("at", "2023-11-30T05:01:15.364000001Z"),
        ("flag", "1"),
        ("small", "1"),
        ("single", "0.1"),
        ("money", "1.1"),
        ("day", "1969-12-31T00:00:00Z"),
        ("category", "a"),
        ("view", "a long text that lies apart"),
        ("vector", "[0.1, 0.5]"),
        ("list", "[1]"),
    ];
    assert_eq!(*row, expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect());
    assert_eq!(loaded.nulled, 1);
}

#[test]
fn a_damaged_file_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let ids: Vec<i64> = (0..4_000).collect();
    let good = write_parquet(
        root,
        "good.parquet",
        vec![
            ("id", Arc::new(Int64Array::from(ids.clone())) as ArrayRef),
            ("at", Arc::new(Float64Array::from_iter_values(ids.iter().map(|id| *id as f64)))),
        ],
    );
    let bytes = std::fs::read(&good).unwrap();
    for length in [0, 3, 4, 100, bytes.len() / 2, bytes.len() - 1] {
        let cut = write(root, "cut.parquet", &bytes[..length]);
        let error = fails(infer(&[cut], "id", "at", &[]));
        assert!(error.contains("cut.parquet") && error.contains("cut short or damaged"), "{length}: {error}");
    }
    // Damage inside, where the footer looks well.
    let schema = infer(&[good], "id", "at", &[]).unwrap().schema;
    let mut random = StdRng::seed_from_u64(5);
    for _ in 0..40 {
        let mut torn = bytes.clone();
        let at = random.random_range(4..torn.len() / 2);
        let end = (at + 64).min(torn.len());
        torn[at..end].fill(random.random());
        let path = write(root, "torn.parquet", torn);
        if let Err(error) = load_from(&[path], &schema, &[], Position::default()) {
            assert!(error.to_string().contains("torn.parquet"), "{error}");
        }
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for row in 0..10_000 {
        writeln!(packed, "{row},{row}").unwrap();
    }
    let packed = packed.finish().unwrap();
    let cut = write(root, "cut.csv.gz", &packed[..packed.len() / 2]);
    let error = fails(infer(&[cut], "0", "0", &[]));
    assert!(error.contains("can't unpack") && error.contains("cut.csv.gz"), "{error}");
    let cut = write(root, "cut.csv.zst", &zstd::encode_all(&vec![b'a'; 100_000][..], 1).unwrap()[..12]);
    let error = fails(infer(&[cut], "a", "b", &[]));
    assert!(error.contains("cut.csv.zst"), "{error}");

    assert!(fails(infer(&[write(root, "empty.csv", "")], "a", "b", &[])).contains("is empty"));
    assert!(fails(infer(&[write(root, "array.json", "[{}]")], "a", "b", &[])).contains("jq -c"));
    assert!(fails(infer(&[write(root, "wide.csv", b"\xff\xfea\0,\0")], "a", "b", &[])).contains("UTF-16"));
}

#[test]
fn a_quote_that_never_closes_is_told_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = b"id,at,x\n1,2026-01-01,a\n2,2026-01-01,\"b\n".to_vec();
    for row in 0..3_500_000 {
        csv.extend_from_slice(format!("{row},2026-01-01,c\n").as_bytes());
    }
    let path = write(folder.path(), "a.csv", csv);
    let error = fails(infer(&[path], "id", "at", &[]));
    assert!(error.contains("a.csv, line 3") && error.contains("never closes"), "{error}");
}

#[test]
fn a_column_that_turns_out_otherwise_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = write(root, "1.csv", "id,at,n\n1,2026-01-01,5\n");
    let second = write(root, "2.csv", "id,at,n\n2,2026-01-01,1.5\n3,2026-01-01,7\n");
    let schema = infer(std::slice::from_ref(&first), "id", "at", &[]).unwrap().schema;
    assert_eq!(types(&schema)["n"], "Integral");
    let loaded = load_from(&[first.clone(), second.clone()], &schema, &[], Position::default()).unwrap();
    assert_eq!(told(&loaded), ["1 line 2 \"n\" '1.5' is not a whole number (the feature is Integral)"]);
    assert_eq!(types(&infer(&[first, second], "id", "at", &[]).unwrap().schema)["n"], "Fractional", "both files together");
    let codes = write(root, "3.csv", "zip,at,account,flag\n01234,2026-01-01,18446744073709551615,true\n56789,2026-01-01,1,false\n");
    let (schema, loaded) = whole(&[codes], "zip", "at", &[]).unwrap();
    assert_eq!(
        (types(&schema)["zip"].as_str(), types(&schema)["account"].as_str(), types(&schema)["flag"].as_str()),
        ("String", "String", "Integral")
    );
    assert_eq!(
        (loaded.rows[0]["zip"].as_str(), loaded.rows[0]["account"].as_str(), loaded.rows[0]["flag"].as_str()),
        ("01234", "18446744073709551615", "1")
    );
}

#[test]
fn large_columns_come_in_bounded_batches() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(200_000);
    let texts = StringArray::from_iter_values((0..300).map(|_| long.as_str()));
    let field = |name, kind| Field::new(name, kind, false);
    let arrow =
        Arc::new(ArrowSchema::new(vec![field("id", DataType::Int64), field("at", DataType::Float64), field("text", DataType::Utf8)]));
    let batch = RecordBatch::try_new(
        arrow.clone(),
        vec![
            Arc::new(Int64Array::from_iter_values(0..300)),
            Arc::new(Float64Array::from_iter_values((0..300).map(f64::from))),
            Arc::new(texts),
        ],
    )
    .unwrap();
    let path = folder.path().join("a.parquet");
    let properties = parquet::file::properties::WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), arrow, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let paths = [path.display().to_string()];
    let schema = Arc::new(infer(&paths, "id", "at", &[]).unwrap().schema);
    let mut reading = Reading::open(resolve(&paths).unwrap(), &schema, &Dropped::default(), Position::default()).unwrap();
    assert_eq!(reading.total_rows(), Some(300));
    let mut rows = 0;
    while let Some((_, batch)) = reading.next_batch().unwrap() {
        assert!(batch.rows <= 64, "{} rows of 200 kB in one batch", batch.rows);
        rows += batch.rows;
    }
    assert_eq!(rows, 300);
    assert_eq!(reading.bytes_read().load(std::sync::atomic::Ordering::Relaxed), reading.total_bytes());
}
