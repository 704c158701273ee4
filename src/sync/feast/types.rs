//! Feast's value types, and what they are here.
//!
//! Feast has 40-odd types, this program three and their collections: whole numbers, booleans and Unix times are Integral, floats Fractional,
//! everything else a String, with Feast's own word kept beside it. A number that this table does not know came with a newer Feast: it
//! has no type here, and its number is shown.

use super::super::observed::ObservedFeature;
use super::proto::Feature;

/// `feast.types.ValueType.Enum`
const VALUE_TYPES: [(i32, &str); 44] = [
    (1, "BYTES"),
    (2, "STRING"),
    (3, "INT32"),
    (4, "INT64"),
    (5, "DOUBLE"),
    (6, "FLOAT"),
    (7, "BOOL"),
    (8, "UNIX_TIMESTAMP"),
    (11, "BYTES_LIST"),
    (12, "STRING_LIST"),
    (13, "INT32_LIST"),
    (14, "INT64_LIST"),
    (15, "DOUBLE_LIST"),
    (16, "FLOAT_LIST"),
    (17, "BOOL_LIST"),
    (18, "UNIX_TIMESTAMP_LIST"),
    (19, "NULL"),
    (20, "MAP"),
    (21, "MAP_LIST"),
    (22, "BYTES_SET"),
    (23, "STRING_SET"),
    (24, "INT32_SET"),
    (25, "INT64_SET"),
    (26, "DOUBLE_SET"),
    (27, "FLOAT_SET"),
    (28, "BOOL_SET"),
    (29, "UNIX_TIMESTAMP_SET"),
    (32, "JSON"),
    (33, "JSON_LIST"),
    (34, "STRUCT"),
    (35, "STRUCT_LIST"),
    (36, "UUID"),
    (37, "TIME_UUID"),
    (38, "UUID_LIST"),
    (39, "TIME_UUID_LIST"),
    (40, "UUID_SET"),
    (41, "TIME_UUID_SET"),
    (42, "VALUE_LIST"),
    (43, "VALUE_SET"),
    (44, "DECIMAL"),
    (45, "DECIMAL_LIST"),
    (46, "DECIMAL_SET"),
    (47, "SCALAR_MAP"),
    (48, "ZONED_TIMESTAMP"),
];

/// `feast.core.DataSource.SourceType`
const SOURCE_TYPES: [(i32, &str); 13] = [
    (1, "BATCH_FILE"),
    (2, "BATCH_BIGQUERY"),
    (3, "STREAM_KAFKA"),
    (4, "STREAM_KINESIS"),
    (5, "BATCH_REDSHIFT"),
    (6, "CUSTOM_SOURCE"),
    (7, "REQUEST_SOURCE"),
    (8, "BATCH_SNOWFLAKE"),
    (9, "PUSH_SOURCE"),
    (10, "BATCH_TRINO"),
    (11, "BATCH_SPARK"),
    (12, "BATCH_ATHENA"),
    (13, "BATCH_ICEBERG"),
];

/// The number of a value type; 0 for a word that is not known.
pub(super) fn value_type_number(name: &str) -> i32 {
    number(VALUE_TYPES.iter(), name)
}

/// The number of a type of data source; 0 for a word that is not known.
pub(super) fn source_type_number(name: &str) -> i32 {
    number(SOURCE_TYPES.iter(), name)
}

/// Feast's word for a type of data source.
pub(super) fn source_type_name(number: i32) -> Option<&'static str> {
    SOURCE_TYPES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

fn number<'a>(mut table: impl Iterator<Item = &'a (i32, &'a str)>, name: &str) -> i32 {
    table.find(|(_, known)| *known == name).map_or(0, |(number, _)| *number)
}

fn value_type_name(number: i32) -> Option<&'static str> {
    VALUE_TYPES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// A feature as Feast defines it.
pub(super) fn observed(feature: &Feature) -> ObservedFeature {
    let (feature_type, collection, dimension) = kind_of(feature);
    let native_type = match feature.value_type {
        0 => None,
        number => Some(value_type_name(number).map_or_else(|| format!("type {number}"), str::to_owned)),
    };
    ObservedFeature {
        name: feature.name.clone(),
        feature_type: feature_type.map(str::to_owned),
        native_type,
        collection: collection.map(str::to_owned),
        dimension,
        description: super::translate::said(&feature.description),
        parameters: feature.tags.clone(),
        ..ObservedFeature::default()
    }
}

fn kind_of(feature: &Feature) -> (Option<&'static str>, Option<&'static str>, Option<u32>) {
    let Some(name) = value_type_name(feature.value_type) else { return (None, None, None) };
    let (element, collection) = match (name.strip_suffix("_LIST"), name.strip_suffix("_SET")) {
        // Lists of anything are written as text.
        _ if name.starts_with("VALUE_") => (name, None),
        (Some(element), _) => (element, Some("List")),
        (_, Some(element)) => (element, Some("Set")),
        _ => (name, None),
    };
    let feature_type = match element {
        "INT32" | "INT64" | "BOOL" | "UNIX_TIMESTAMP" => "Integral",
        "FLOAT" | "DOUBLE" => "Fractional",
        "NULL" => return (None, None, None),
        _ => "String",
    };
    let dimension = u32::try_from(feature.vector_length).ok().filter(|length| *length > 0);
    match (feature_type, collection, dimension) {
        ("Fractional", Some("List"), Some(dimension)) => (Some(feature_type), Some("Vector"), Some(dimension)),
        _ => (Some(feature_type), collection, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_keep_what_they_are_and_unknown_ones_have_none() {
        let of = |value_type, vector_length| {
            let feature = observed(&Feature { name: "x".into(), value_type, vector_length, ..Feature::default() });
            (feature.feature_type, feature.collection, feature.dimension, feature.native_type)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(of(4, 0), (text("Integral"), None, None, text("INT64")));
        assert_eq!(of(16, 0), (text("Fractional"), text("List"), None, text("FLOAT_LIST")));
        assert_eq!(of(16, 128), (text("Fractional"), text("Vector"), Some(128), text("FLOAT_LIST")));
        assert_eq!(of(23, 0), (text("String"), text("Set"), None, text("STRING_SET")));
        assert_eq!(of(34, 0), (text("String"), None, None, text("STRUCT")));
        assert_eq!(of(99, 0), (None, None, None, text("type 99")));
        assert_eq!(of(0, 0), (None, None, None, None));
        assert_eq!((value_type_number("ZONED_TIMESTAMP"), value_type_number("SOMETHING")), (48, 0));
    }
}
