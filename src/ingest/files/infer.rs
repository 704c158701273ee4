//! The schema that files suggest: a feature for each column.
//!
//! Integers and booleans become Integral, floats and decimals Fractional, dates, timestamps, text and categories
//! String, lists List, one fixed-size list of floats Vector; a column without a single value becomes String,
//! which takes whatever comes later. An event time in whole numbers becomes Fractional (Unix seconds; the
//! magnitude tells milliseconds and microseconds), in nanoseconds String, since a double can't hold them.
//! Text formats are read to their end, up to a limit; the load checks every value again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::coerce::{LEAST_NANOSECONDS, list_element_type};
use super::csv_rows::CsvRecords;
use super::header::{Dropped, Mapping, check_same, check_unique};
use super::json_rows::{JsonLines, scalar_text, split};
use super::kind::{Kind, Texts};
use super::parquet_rows::ParquetFile;
use super::sources::{Format, Input};
use crate::model::suggest::suggest;
use crate::model::{Collection, Error, FeatureDefinition, FeatureName, FeatureType, Result, Schema};

/// Bytes of text formats that are looked at before a type is settled.
const SAMPLE_BYTES: u64 = 256 << 20;

/// A schema that files suggest.
#[derive(Debug, Clone)]
pub struct InferredSchema {
    /// A feature for each column that was not dropped, in the order of the first file.
    pub schema: Schema,
    /// What the user should know though it is no error.
    pub notes: Vec<String>,
}

/// Columns of one file.
struct Columns {
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// JSON lines may leave fields out, so two files need not agree.
    fixed: bool,
}

/// Infers the schema of a feature group from its first files.
///
/// # Errors
/// A file that can't be read, files whose columns differ, a column whose name is no feature name or whose type no
/// feature can hold (the error says how to leave it out), no column for the identifier or the event time.
pub fn infer_schema(inputs: &[Input], identifier: &str, event_time: &str, drop: &[String]) -> Result<InferredSchema> {
    let dropped = Dropped::new(drop);
    for (column, role) in [(identifier, "record identifier"), (event_time, "event time")] {
        if dropped.contains(column) {
            return Err(Error::usage(format!("column '{column}' is dropped and is the {role}")).remedy("keep it, or name another"));
        }
    }
    let sampled = Arc::new(AtomicU64::new(0));
    let mut all = BTreeSet::new();
    let mut first: Option<(&Input, Columns)> = None;
    for input in inputs {
        let columns = columns(input, event_time, &dropped, &sampled)?;
        check_unique(&columns.names, &dropped, &input.name)?;
        all.extend(columns.names.iter().map(|name| name.to_lowercase()));
        first = Some(match first {
            None => (input, columns),
            Some((first, merged)) => {
                if merged.fixed && columns.fixed {
                    check_same((&first.name, &merged.names), (&input.name, &columns.names), &dropped)?;
                }
                (first, merge(merged, columns, &input.name)?)
            }
        });
    }
    let Some((input, columns)) = first else {
        return Err(Error::usage("no file to infer a schema from").remedy("name a file with --from"));
    };
    dropped.check(&all)?;
    let mut notes = Vec::new();
    if sampled.load(Ordering::Relaxed) >= SAMPLE_BYTES {
        notes.push(format!("types are inferred from the first {} MiB; the load checks every row", SAMPLE_BYTES >> 20));
    }
    build(&columns, input, identifier, event_time, &dropped, notes)
}

fn merge(mut merged: Columns, columns: Columns, file: &str) -> Result<Columns> {
    for (name, kind) in columns.names.into_iter().zip(columns.kinds) {
        match merged.names.iter().position(|known| known.eq_ignore_ascii_case(&name)) {
            None => {
                merged.names.push(name);
                merged.kinds.push(kind);
            }
            Some(position) => {
                let (a, b) = (merged.kinds[position].describe().into_owned(), kind.describe().into_owned());
                merged.kinds[position] = std::mem::replace(&mut merged.kinds[position], Kind::Empty).merge(kind).ok_or_else(|| {
                    let shown = name.escape_debug();
                    Error::invalid(format!("{file}: column '{shown}' holds {b}, and {a} in the files before"))
                        .remedy(format!("make the files agree, or leave it out with --drop '{shown}'"))
                })?;
            }
        }
    }
    merged.fixed &= columns.fixed;
    Ok(merged)
}

fn columns(input: &Input, event_time: &str, dropped: &Dropped, sampled: &Arc<AtomicU64>) -> Result<Columns> {
    match input.format {
        Format::Parquet => parquet_columns(input, event_time, dropped),
        Format::Csv { delimiter } => csv_columns(input, delimiter, sampled),
        Format::JsonLines => json_columns(input, dropped, sampled),
    }
}

fn parquet_columns(input: &Input, event_time: &str, dropped: &Dropped) -> Result<Columns> {
    let file = ParquetFile::open(input)?;
    let names = file.column_names();
    let mut kinds = Vec::with_capacity(names.len());
    for (position, field) in file.schema().fields().iter().enumerate() {
        kinds.push(match Kind::of_arrow(field.data_type()) {
            _ if dropped.contains(field.name()) => Kind::Empty,
            Some(Kind::Integral { .. }) if field.name().eq_ignore_ascii_case(event_time) => {
                Kind::Integral { magnitude: first_magnitude(input, names.len(), position)? }
            }
            Some(kind) => kind,
            None => {
                let shown = field.name().escape_debug();
                let nested = list_element_type(field.data_type()).is_some();
                return Err(Error::invalid(format!("{}: column '{shown}' is {}", input.name, field.data_type()))
                    .why(if nested { "a list of lists or structures is no feature" } else { "no feature can hold that" })
                    .remedy(format!("leave it out with --drop '{shown}'")));
            }
        });
    }
    Ok(Columns { names, kinds, fixed: true })
}

/// The largest magnitude in the first rows of an integer column: enough to tell seconds from nanoseconds.
fn first_magnitude(input: &Input, width: usize, column: usize) -> Result<u64> {
    let mut mapping = Mapping { columns: vec![None; width], left_out: Vec::new() };
    mapping.columns[column] = Some(column);
    let Some(batch) = ParquetFile::open(input)?.rows(&mapping, 0, &Arc::default())?.next_batch()? else { return Ok(0) };
    let values = cast(&batch.columns[column], &DataType::Int64).ok();
    let values = values.as_ref().and_then(|values| values.as_primitive_opt::<Int64Type>());
    Ok(values.map_or(0, |values| values.iter().flatten().map(i64::unsigned_abs).max().unwrap_or(0)))
}

fn csv_columns(input: &Input, delimiter: u8, sampled: &Arc<AtomicU64>) -> Result<Columns> {
    let mut records = CsvRecords::open(input, delimiter, sampled)?;
    let names = records.header.clone();
    let mut seen = vec![Texts::default(); names.len()];
    while sampled.load(Ordering::Relaxed) < SAMPLE_BYTES && records.advance()? {
        // Rows that can't be loaded have no say.
        if records.fault().is_some() {
            continue;
        }
        for (texts, field) in seen.iter_mut().zip(records.fields()) {
            match std::str::from_utf8(field) {
                Ok(text) if !text.is_empty() => texts.see(text),
                _ => {}
            }
        }
    }
    Ok(Columns { names, kinds: seen.iter().map(Texts::kind).collect(), fixed: true })
}

#[derive(Default)]
struct JsonField {
    scalars: Texts,
    elements: Texts,
    lists: u64,
}

fn json_columns(input: &Input, dropped: &Dropped, sampled: &Arc<AtomicU64>) -> Result<Columns> {
    let mut lines = JsonLines::open(input, sampled)?;
    let mut names: Vec<String> = Vec::new();
    let mut seen: Vec<JsonField> = Vec::new();
    while sampled.load(Ordering::Relaxed) < SAMPLE_BYTES && lines.advance()? {
        let mut fields = Vec::new();
        if let Err(reason) = split(lines.text(), &mut fields) {
            if names.is_empty() {
                return Err(Error::invalid(format!("{}, line {}: {reason}", input.name, lines.line)).remedy("write one JSON object a line"));
            }
            continue;
        }
        for (place, (name, raw)) in fields.into_iter().enumerate() {
            let position = match names.get(place) {
                Some(likely) if *likely == name => place,
                _ => names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    names.push(name.clone().into_owned());
                    seen.push(JsonField::default());
                    names.len() - 1
                }),
            };
            let field = &mut seen[position];
            let misfit = |what: &str| {
                let shown = name.escape_debug();
                Error::invalid(format!("{}, line {}: field '{shown}' is {what}", input.name, lines.line))
                    .remedy(format!("leave it out with --drop '{shown}'"))
            };
            match raw.get().as_bytes().first() {
                _ if dropped.contains(&name) => {}
                Some(b'{') => return Err(misfit("an object, which no feature can hold")),
                Some(b'[') => {
                    field.lists += 1;
                    for element in serde_json::from_str::<Vec<&serde_json::value::RawValue>>(raw.get()).unwrap_or_default() {
                        see_json(&mut field.elements, element)
                            .map_err(|_| misfit("a list of lists or objects, which no feature can hold"))?;
                    }
                }
                _ => see_json(&mut field.scalars, raw).map_err(misfit)?,
            }
        }
    }
    if names.is_empty() {
        return Err(Error::invalid(format!("{} is empty", input.name)).remedy("write one JSON object a line"));
    }
    let mut kinds = Vec::with_capacity(names.len());
    for (name, field) in names.iter().zip(&seen) {
        let scalars = field.scalars.kind();
        kinds.push(match field.lists {
            0 => scalars,
            _ if scalars == Kind::Empty => Kind::List(Box::new(field.elements.kind())),
            _ => {
                let shown = name.escape_debug();
                return Err(Error::invalid(format!("{}: field '{shown}' holds lists and single values", input.name))
                    .remedy(format!("make them all lists, or leave it out with --drop '{shown}'")));
            }
        });
    }
    Ok(Columns { names, kinds, fixed: false })
}

fn see_json(texts: &mut Texts, raw: &serde_json::value::RawValue) -> std::result::Result<(), &'static str> {
    if raw.get().starts_with('"') {
        texts.see_string();
    } else if let Some(text) = scalar_text(raw)? {
        texts.see(&text);
    }
    Ok(())
}

fn build(
    columns: &Columns,
    input: &Input,
    identifier: &str,
    event_time: &str,
    dropped: &Dropped,
    mut notes: Vec<String>,
) -> Result<InferredSchema> {
    for (column, role, flag) in [(identifier, "record identifier", "--id"), (event_time, "event time", "--event-time")] {
        if !columns.names.iter().any(|name| name.eq_ignore_ascii_case(column)) {
            let error = Error::invalid(format!("{}: there is no column '{}' for the {role}", input.name, column.escape_debug()));
            return Err(match suggest(column, columns.names.iter().map(String::as_str)) {
                Some(near) => error.remedy(format!("did you mean {flag} '{near}'?")),
                None => error.remedy(format!("name one of its columns with {flag}")),
            });
        }
    }
    let vectors =
        columns.names.iter().zip(&columns.kinds).filter(|(name, kind)| matches!(kind, Kind::Vector(_)) && !dropped.contains(name)).count();
    let mut features = Vec::with_capacity(columns.names.len());
    for (name, kind) in columns.names.iter().zip(&columns.kinds) {
        if dropped.contains(name) {
            continue;
        }
        let is_event_time = name.eq_ignore_ascii_case(event_time);
        let parsed = feature_name(name, &input.name)?;
        if *kind == Kind::Empty {
            notes.push(format!("column '{parsed}' holds no value: it becomes String"));
        }
        if is_event_time && *kind == Kind::Boolean {
            return Err(Error::invalid(format!("{}: column '{parsed}' holds true and false", input.name))
                .remedy("name a column of times with --event-time"));
        }
        let (feature_type, collection) = feature_kind(kind, is_event_time, vectors);
        features.push(FeatureDefinition { collection, ..FeatureDefinition::new(parsed, feature_type) });
    }
    let schema = Schema::new(features, identifier, event_time).map_err(|error| error.within(&input.name))?;
    Ok(InferredSchema { schema, notes })
}

fn feature_name(column: &str, file: &str) -> Result<FeatureName> {
    let shown = column.escape_debug();
    if column.starts_with("__index_level_") {
        return Err(Error::invalid(format!("{file}: column '{shown}' is the index that pandas wrote"))
            .remedy(format!("leave it out with --drop {shown}")));
    }
    let name = FeatureName::parse(column).map_err(|error| {
        let rename = error.advice().map(|advice| format!("rename the column ({advice}) or ")).unwrap_or_default();
        let why = error.reason().unwrap_or_default();
        Error::invalid(format!("{file}: {}", error.what())).why(why).remedy(format!("{rename}leave it out with --drop '{shown}'"))
    })?;
    if name.is_reserved() {
        return Err(Error::invalid(format!("{file}: column '{name}' can't be a feature"))
            .why("the offline store has a column of that name")
            .remedy(format!("rename the column or leave it out with --drop {name}")));
    }
    Ok(name)
}

fn feature_kind(kind: &Kind, is_event_time: bool, vectors: usize) -> (FeatureType, Option<Collection>) {
    match kind {
        Kind::Integral { magnitude } if is_event_time && *magnitude >= LEAST_NANOSECONDS => (FeatureType::String, None),
        Kind::Integral { .. } if is_event_time => (FeatureType::Fractional, None),
        Kind::Boolean | Kind::Integral { .. } => (FeatureType::Integral, None),
        Kind::Fractional => (FeatureType::Fractional, None),
        Kind::Empty | Kind::Time | Kind::Text => (FeatureType::String, None),
        // A group has at most one Vector; several are Lists.
        Kind::Vector(dimension) if vectors == 1 => (FeatureType::Fractional, Some(Collection::Vector { dimension: *dimension })),
        Kind::Vector(_) => (FeatureType::Fractional, Some(Collection::List)),
        Kind::List(element) => (feature_kind(element, false, 0).0, Some(Collection::List)),
    }
}
