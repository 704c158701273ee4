//! Limits on what people write about groups and features, in one place, from the SageMaker wire model.

use std::collections::BTreeMap;

use super::error::{Error, Result};

/// Most features of a group.
pub const MAX_FEATURES: usize = 2_500;
/// Most bytes of a record identifier.
pub const MAX_IDENTIFIER: usize = 2_048;
/// Most bytes of all values of a record: SageMaker stops at 350 KB, a local store can afford more.
pub const MAX_RECORD: usize = 4 << 20;
/// Most characters of a group's description.
pub const MAX_GROUP_DESCRIPTION: usize = 128;
/// Most characters of a feature's description.
pub const MAX_FEATURE_DESCRIPTION: usize = 255;
/// Most parameters of a feature.
pub const MAX_PARAMETERS: usize = 25;
/// Most tags of a group.
pub const MAX_TAGS: usize = 50;
/// Largest dimension of a Vector.
pub const MAX_DIMENSION: u32 = 8_192;

fn check_length(what: &str, text: &str, min: usize, max: usize) -> Result<()> {
    let length = text.chars().count();
    if (min..=max).contains(&length) {
        return Ok(());
    }
    let remedy = if length < min { format!("write at least {min}") } else { format!("write at most {max}") };
    Err(Error::invalid(format!("{what} has {length} characters")).remedy(remedy))
}

/// The character class of tags and parameters: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
fn check_characters(what: &str, text: &str) -> Result<()> {
    let legal = |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
    match text.chars().find(|c| !legal(*c)) {
        None => Ok(()),
        Some(bad) => {
            Err(Error::invalid(format!("{what} holds '{}'", bad.escape_default()))
                .remedy("use letters, digits, blanks and _ . : / = + - @"))
        }
    }
}

/// Checks a group's description.
pub fn check_group_description(text: &str) -> Result<()> {
    check_length("the description", text, 0, MAX_GROUP_DESCRIPTION)
}

/// Checks a feature's description.
pub fn check_feature_description(feature: &str, text: &str) -> Result<()> {
    check_length(&format!("the description of '{feature}'"), text, 0, MAX_FEATURE_DESCRIPTION)
}

/// Checks the tags a group would have.
pub fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > MAX_TAGS {
        return Err(Error::invalid(format!("{} tags are too many", tags.len())).remedy(format!("keep at most {MAX_TAGS}")));
    }
    for (key, value) in tags {
        let what = format!("tag '{}'", key.escape_debug());
        check_length(&format!("the key of {what}"), key, 1, 128)?;
        check_length(&format!("the value of {what}"), value, 0, 256)?;
        check_characters(&what, key)?;
        check_characters(&what, value)?;
    }
    Ok(())
}

/// Checks the parameters a feature would have.
pub fn check_parameters(feature: &str, parameters: &BTreeMap<String, String>) -> Result<()> {
    if parameters.len() > MAX_PARAMETERS {
        return Err(Error::invalid(format!("'{feature}' would have {} parameters", parameters.len()))
            .remedy(format!("keep at most {MAX_PARAMETERS}")));
    }
    for (key, value) in parameters {
        let what = format!("parameter '{}' of '{feature}'", key.escape_debug());
        check_length(&format!("the key of {what}"), key, 1, 255)?;
        check_length(&format!("the value of {what}"), value, 1, 255)?;
        check_characters(&what, key)?;
        check_characters(&what, value)?;
    }
    Ok(())
}

/// Checks the rules of a feature: few enough, each of sense.
pub fn check_rules(feature: &str, rules: &[super::expectation::Expectation]) -> Result<()> {
    use super::expectation::MAX_RULES;
    if rules.len() > MAX_RULES {
        return Err(Error::invalid(format!("'{feature}' has {} expectations", rules.len())).remedy(format!("write at most {MAX_RULES}")));
    }
    rules.iter().try_for_each(|expectation| expectation.rule.check().map_err(|error| error.within(format_args!("'{feature}'"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters_and_tags_refuse_control_characters() {
        assert!(check_group_description(&"é".repeat(128)).is_ok());
        assert!(check_group_description(&"é".repeat(129)).is_err());
        let tags = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert!(check_tags(&tags("owner", "team:growth")).is_ok());
        assert!(check_tags(&tags("", "x")).is_err());
        assert!(check_tags(&tags("a\u{1b}b", "x")).is_err());
        assert!(check_tags(&(0..51).map(|i| (i.to_string(), String::new())).collect()).is_err());
        assert!(check_parameters("f", &tags("unit", "")).is_err());
    }
}
