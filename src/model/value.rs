//! Values of features: the text they came as beside their typed form.
//!
//! A value echoes byte for byte: `"100.0"` stays `"100.0"` though it equals `"1e2"`, because SageMaker answers
//! with the text it was sent. The typed form decides whether a value is legal and what Parquet holds.

use serde_json::Value as Json;

use super::error::{Error, Result};
use super::feature::{Collection, FeatureDefinition, FeatureType};

/// Most characters of one value (wire model: `ValueAsString`, and elements of a list).
pub const MAX_TEXT: usize = 358_400;

/// A value as a face hands it in: not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValue {
    /// One value.
    Text(String),
    /// Values of a collection.
    List(Vec<String>),
}

/// One value, checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Signed 64-bit integer.
    Integral {
        /// As it came.
        text: String,
        /// What it means.
        value: i64,
    },
    /// Finite double.
    Fractional {
        /// As it came.
        text: String,
        /// What it means.
        value: f64,
    },
    /// Text.
    String(String),
}

/// Value of a feature, checked against its definition.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureValue {
    /// One value.
    Scalar(Scalar),
    /// Values of a List, Set or Vector, in the order they came.
    Collection(Vec<Scalar>),
}

impl Scalar {
    /// Parses one value of a type; `feature` is named in the error.
    pub fn parse(feature: &str, feature_type: FeatureType, text: String) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(Error::invalid(format!("the value of '{feature}' is {} bytes long", text.len()))
                .remedy(format!("at most {MAX_TEXT} are allowed")));
        }
        match feature_type {
            FeatureType::String => Ok(Self::String(text)),
            FeatureType::Integral => match text.parse::<i64>() {
                Ok(value) => Ok(Self::Integral { text, value }),
                Err(_) => Err(mismatch(feature, feature_type, &text).remedy("send a whole number between -2^63 and 2^63-1")),
            },
            FeatureType::Fractional => match parse_fractional(&text) {
                Some(value) => Ok(Self::Fractional { text, value }),
                None => Err(mismatch(feature, feature_type, &text)
                    .remedy("send a finite number in decimal or scientific notation, or leave the feature out for null")),
            },
        }
    }

    /// The value exactly as it came.
    pub fn text(&self) -> &str {
        match self {
            Self::Integral { text, .. } | Self::Fractional { text, .. } | Self::String(text) => text,
        }
    }

    /// The value with its type, for JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Integral { value, .. } => Json::from(*value),
            Self::Fractional { value, .. } => Json::from(*value),
            Self::String(text) => Json::from(text.as_str()),
        }
    }
}

fn mismatch(feature: &str, feature_type: FeatureType, text: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::invalid(format!("'{}' is not a value for '{feature}'", shown.escape_debug())).why(format!("the feature is {feature_type}"))
}

/// Decimal or scientific notation only: Rust also reads `inf`, `NaN` and `infinity`.
fn parse_fractional(text: &str) -> Option<f64> {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    if !numeric {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

impl FeatureValue {
    /// Checks a value against a feature's definition.
    ///
    /// # Errors
    /// Wrong type, a list where one value is due or the reverse, repeats in a Set, a Vector of another length.
    pub fn parse(definition: &FeatureDefinition, raw: RawValue) -> Result<Self> {
        let name = definition.name.as_str();
        match (definition.collection, raw) {
            (None, RawValue::Text(text)) => Scalar::parse(name, definition.feature_type, text).map(Self::Scalar),
            (None, RawValue::List(_)) => {
                Err(Error::invalid(format!("'{name}' was given a list")).why("it holds one value").remedy("send one value"))
            }
            (Some(collection), RawValue::Text(_)) => Err(Error::invalid(format!("'{name}' was given one value"))
                .why(format!("it is a {}", collection.as_str()))
                .remedy("send a list")),
            (Some(collection), RawValue::List(texts)) => {
                if texts.len() > MAX_TEXT {
                    return Err(Error::invalid(format!("'{name}' was given {} values", texts.len()))
                        .remedy(format!("at most {MAX_TEXT} are allowed")));
                }
                let mut scalars = Vec::with_capacity(texts.len());
                for text in texts {
                    scalars.push(Scalar::parse(name, definition.feature_type, text)?);
                }
                check_collection(name, collection, &scalars)?;
                Ok(Self::Collection(scalars))
            }
        }
    }

    /// The value in the form a face handed it in, byte for byte.
    pub fn to_raw(&self) -> RawValue {
        match self {
            Self::Scalar(scalar) => RawValue::Text(scalar.text().to_owned()),
            Self::Collection(scalars) => RawValue::List(scalars.iter().map(|scalar| scalar.text().to_owned()).collect()),
        }
    }

    /// The value with its type, for JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Scalar(scalar) => scalar.to_json(),
            Self::Collection(scalars) => Json::Array(scalars.iter().map(Scalar::to_json).collect()),
        }
    }

    /// The value as people read it: the text as it came, a collection in brackets.
    pub fn display(&self) -> String {
        match self {
            Self::Scalar(scalar) => scalar.text().to_owned(),
            Self::Collection(scalars) => {
                let texts: Vec<&str> = scalars.iter().map(Scalar::text).collect();
                format!("[{}]", texts.join(", "))
            }
        }
    }
}

fn check_collection(name: &str, collection: Collection, scalars: &[Scalar]) -> Result<()> {
    match collection {
        Collection::List => Ok(()),
        Collection::Vector { dimension } if scalars.len() == dimension as usize => Ok(()),
        Collection::Vector { dimension } => Err(Error::invalid(format!("'{name}' was given {} values", scalars.len()))
            .remedy(format!("send exactly {dimension}: it is a Vector of that dimension"))),
        Collection::Set => {
            let mut seen = std::collections::HashSet::new();
            match scalars.iter().find(|scalar| !seen.insert(canonical(scalar))) {
                None => Ok(()),
                Some(repeat) => {
                    Err(Error::invalid(format!("'{name}' was given '{}' twice", repeat.text())).remedy("send each value once: it is a Set"))
                }
            }
        }
    }
}

/// Equal values have equal canonical texts whatever they were written as.
fn canonical(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Integral { value, .. } => value.to_string(),
        // -0 and 0 are one value.
        Scalar::Fractional { value, .. } => format_fractional(*value + 0.0),
        Scalar::String(text) => text.clone(),
    }
}

/// Shortest decimal text that reads back as the same double, always with a point or an exponent: `10.0`, `0.1`, `1e300`.
pub fn format_fractional(value: f64) -> String {
    ryu::Buffer::new().format(value).to_owned()
}

/// The same for a single: `0.1`, not `0.10000000149011612`.
pub fn format_fractional_f32(value: f32) -> String {
    ryu::Buffer::new().format(value).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::FeatureName;

    fn definition(feature_type: FeatureType, collection: Option<Collection>) -> FeatureDefinition {
        FeatureDefinition { collection, ..FeatureDefinition::new(FeatureName::parse("f").unwrap(), feature_type) }
    }

    fn parse(feature_type: FeatureType, text: &str) -> Result<FeatureValue> {
        FeatureValue::parse(&definition(feature_type, None), RawValue::Text(text.into()))
    }

    #[test]
    fn echoes_byte_for_byte() {
        for (feature_type, text) in [
            (FeatureType::Fractional, "100.0"),
            (FeatureType::Fractional, "1E2"),
            (FeatureType::Integral, "+7"),
            (FeatureType::String, " é\u{0} "),
        ] {
            assert_eq!(parse(feature_type, text).unwrap().to_raw(), RawValue::Text(text.into()));
        }
        let list = RawValue::List(vec!["25".into(), "2.50".into()]);
        assert_eq!(FeatureValue::parse(&definition(FeatureType::Fractional, Some(Collection::List)), list.clone()).unwrap().to_raw(), list);
    }

    #[test]
    fn refuses_what_the_type_cannot_hold() {
        for text in ["", "1.5", "9223372036854775808", "0x1", " 1", "1 "] {
            assert!(parse(FeatureType::Integral, text).is_err(), "{text}");
        }
        for text in ["", "NaN", "inf", "1e999", "1,5", "infinity", "."] {
            assert!(parse(FeatureType::Fractional, text).is_err(), "{text}");
        }
        let message = parse(FeatureType::Integral, "many").unwrap_err().to_string();
        assert!(message.contains("'many'") && message.contains("'f'") && message.contains("Integral"), "{message}");
    }

    #[test]
    fn collections_keep_their_rules() {
        let list = |texts: &[&str]| RawValue::List(texts.iter().map(|text| (*text).to_owned()).collect());
        let set = definition(FeatureType::Fractional, Some(Collection::Set));
        assert!(FeatureValue::parse(&set, list(&["1", "2"])).is_ok());
        assert!(FeatureValue::parse(&set, list(&["1", "1.0"])).is_err(), "the same value twice");
        let vector = definition(FeatureType::Fractional, Some(Collection::Vector { dimension: 2 }));
        assert!(FeatureValue::parse(&vector, list(&["1", "2"])).is_ok());
        assert!(FeatureValue::parse(&vector, list(&["1"])).is_err());
        assert!(FeatureValue::parse(&vector, RawValue::Text("1".into())).is_err());
        assert!(FeatureValue::parse(&definition(FeatureType::String, None), list(&["a"])).is_err());
    }
}
