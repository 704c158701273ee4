//! `larder update`: what may change about a group and its features.

use clap::{Args, ValueEnum};

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::group_view;
use super::pairs::parse_pair;
use super::place::Place;
use crate::model::expectation::Finite;
use crate::model::{
    Collection, Error, ErrorKind, Expectation, FeatureDefinition, FeatureName, FeatureType, GroupExpectations, OnViolation, Result, Rule,
    Ttl,
};
use crate::store::{FeatureUpdate, GroupUpdate};
use crate::sync::{annotate, synced_groups};

/// Change what is written about a group, its ttl, or its features
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("changes").multiple(true).required(true))]
#[command(after_help = "\
A feature can't be retyped. One that is renamed keeps its history, and the column it always had in the files; one that is removed
is gone from look-ups, SQL and lists, its history stays in the files, and adding it again brings it back. A new ttl applies to
records written from now on. Of a group that sources tell of, descriptions, owner and parameters are noted here, over what they say.

Examples:
  larder update trips --description 'Green taxi trips' --owner mobility
  larder update trips --ttl 30d
  larder update trips --add-feature rating:Fractional --add-feature 'labels:List<String>'
  larder update trips --rename-feature fare=fare_amount --remove-feature tip
  larder update trips --feature fare_amount --feature-description 'Meter fare in dollars' --parameter unit=usd
  larder update trips --feature fare_amount --expect 'at_least 0' --on-violation quarantine
  larder update trips --expect-unique yes --expect-max-age 2d")]
pub(crate) struct Update {
    /// Name of the group
    group: String,
    /// Say what the group holds; '' clears it
    #[arg(long, value_name = "TEXT", group = "changes")]
    description: Option<String>,
    /// Say who answers for it; '' clears it
    #[arg(long, value_name = "OWNER", group = "changes")]
    owner: Option<String>,
    /// Let new records expire this long after their event time (7d), or never (none)
    #[arg(long, value_name = "TTL|none", group = "changes", value_parser = parse_ttl)]
    ttl: Option<NewTtl>,
    /// Add a feature of type Integral, Fractional, String, List<TYPE>, Set<TYPE> or Vector<N>, repeatable
    #[arg(long = "add-feature", value_name = "NAME:TYPE", group = "changes", value_parser = parse_feature)]
    added: Vec<FeatureDefinition>,
    /// Rename a feature, repeatable; its history stays readable under the new name
    #[arg(long = "rename-feature", value_name = "OLD=NEW", group = "changes", value_parser = parse_renaming)]
    renamed: Vec<(String, FeatureName)>,
    /// Remove a feature, repeatable; its history stays in the files
    #[arg(long = "remove-feature", value_name = "NAME", group = "changes")]
    removed: Vec<String>,
    /// Name the feature that the following flags describe
    #[arg(long, value_name = "FEATURE")]
    feature: Option<String>,
    /// Say what the feature means; '' clears it
    #[arg(long, value_name = "TEXT", requires = "feature", group = "changes")]
    feature_description: Option<String>,
    /// Set a parameter of the feature, repeatable
    #[arg(long = "parameter", value_name = "KEY=VALUE", requires = "feature", group = "changes", value_parser = parse_pair)]
    parameters: Vec<(String, String)>,
    /// Remove a parameter of the feature, repeatable
    #[arg(long = "remove-parameter", value_name = "KEY", requires = "feature", group = "changes")]
    removed_parameters: Vec<String>,
    /// Expect of the feature's values: not_null, not_null 0.99, between 0 1, at_least 0, at_most 1, one_of a,b or matches ^x; repeatable
    #[arg(long = "expect", value_name = "RULE", requires = "feature", group = "changes")]
    expected: Vec<Rule>,
    /// Do this with a row that breaks the rules of --expect
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Violated::Reject, requires = "expected")]
    on_violation: Violated,
    /// Forget what was expected of the feature, and its limits of drift
    #[arg(long, requires = "feature", group = "changes")]
    no_expectations: bool,
    /// Set the limits of a distance of the feature, repeatable
    #[arg(long = "drift-limit", value_name = "DISTANCE=WATCH,ALERT", requires = "feature", group = "changes", value_parser = parse_limit)]
    drift_limits: Vec<(String, (Finite, Finite))>,
    /// Expect no two records with the same identifier and event time
    #[arg(long, value_name = "yes|no", group = "changes", value_parser = parse_yes)]
    expect_unique: Option<bool>,
    /// Expect the newest record to be at most so old (2d), or nothing of it (none)
    #[arg(long, value_name = "AGE|none", group = "changes", value_parser = parse_ttl)]
    expect_max_age: Option<NewTtl>,
    /// Expect at least so many records; 0 expects nothing of it
    #[arg(long, value_name = "ROWS", group = "changes")]
    expect_rows: Option<u64>,
}

/// What happens to a row that breaks a rule.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Violated {
    /// Refuse it: a put fails, a load stops there or skips it
    Reject,
    /// Set it aside in the store's quarantine
    Quarantine,
    /// Store it and say so
    Warn,
}

impl Update {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let own = store.group(&self.group).await;
        let reshapes = !(self.added.is_empty() && self.renamed.is_empty() && self.removed.is_empty());
        let changes_group = self.description.is_some() || self.owner.is_some() || self.ttl.is_some() || reshapes || self.expects_of_group();
        let known = own.as_ref().map(|group| group.expectations.clone()).unwrap_or_default();
        let expectations = self.expects_of_group().then(|| self.group_expectations(&known));
        let change = GroupUpdate {
            description: self.description.map(cleared_if_empty),
            owner: self.owner.map(cleared_if_empty),
            ttl: self.ttl.map(|ttl| match ttl {
                NewTtl::Never => None,
                NewTtl::After(ttl) => Some(ttl),
            }),
            expectations,
            rename_features: self.renamed,
            remove_features: self.removed,
            add_features: self.added,
            ..GroupUpdate::default()
        };
        let of_feature = FeatureUpdate {
            description: self.feature_description.map(cleared_if_empty),
            add_parameters: self.parameters.into_iter().collect(),
            remove_parameters: self.removed_parameters.into_iter().collect(),
            clear_expectations: self.no_expectations,
            add_expectations: self.expected.into_iter().map(|rule| Expectation { rule, on_violation: self.on_violation.into() }).collect(),
            drift_limits: self.drift_limits.into_iter().collect(),
        };
        let of_feature = self.feature.as_deref().map(|feature| (feature, &of_feature));
        let mut group = match own {
            Err(error) if error.kind() == ErrorKind::NotFound && !synced_groups(&store, Some(&self.group)).await?.is_empty() => {
                let noted = annotate(&store, &self.group, &change, of_feature).await?;
                console.confirm(format!("noted of {} (source {})", noted.group.name, noted.source), &group_view::synced(&noted, true))?;
                return Ok(Exit::Done);
            }
            own => own?,
        };
        if let Some((feature, change)) = of_feature {
            group = store.update_feature(&self.group, feature, change).await?;
        }
        if changes_group {
            group = store.update_group(&self.group, &change).await?;
        }
        let summary = store.group_summary(&group).await?;
        let page = group_view::page(&group, &summary, group_view::location(&store, &group)?, &[]);
        console.confirm(format!("changed {}", group.name), &page)?;
        Ok(Exit::Done)
    }
}

impl Update {
    fn expects_of_group(&self) -> bool {
        self.expect_unique.is_some() || self.expect_max_age.is_some() || self.expect_rows.is_some()
    }

    fn group_expectations(&self, known: &GroupExpectations) -> GroupExpectations {
        GroupExpectations {
            unique: self.expect_unique.unwrap_or(known.unique),
            max_age: match self.expect_max_age {
                None => known.max_age,
                Some(NewTtl::Never) => None,
                Some(NewTtl::After(age)) => Some(age),
            },
            min_rows: self.expect_rows.map_or(known.min_rows, |rows| Some(rows).filter(|rows| *rows > 0)),
        }
    }
}

impl From<Violated> for OnViolation {
    fn from(violated: Violated) -> Self {
        match violated {
            Violated::Reject => Self::Reject,
            Violated::Quarantine => Self::Quarantine,
            Violated::Warn => Self::Warn,
        }
    }
}

fn parse_yes(text: &str) -> Result<bool> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(Error::usage(format!("'{}' is neither yes nor no", text.escape_debug()))),
    }
}

/// Reads `ks=0.1,0.2`; the store knows which distances there are.
fn parse_limit(text: &str) -> Result<(String, (Finite, Finite))> {
    let malformed = || Error::usage(format!("'{}' is no limit", text.escape_debug())).remedy("write it as ks=0.1,0.2");
    let (metric, limits) = text.split_once('=').ok_or_else(malformed)?;
    let (watch, alert) = limits.split_once(',').ok_or_else(malformed)?;
    Ok((metric.trim().to_owned(), (watch.parse()?, alert.parse()?)))
}

fn cleared_if_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A ttl to set, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewTtl {
    Never,
    After(Ttl),
}

fn parse_ttl(text: &str) -> Result<NewTtl> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(NewTtl::Never);
    }
    text.parse().map(NewTtl::After)
}

/// Reads `old=new`.
fn parse_renaming(text: &str) -> Result<(String, FeatureName)> {
    let (old, new) = parse_pair(text).map_err(Error::usage)?;
    Ok((old, FeatureName::parse(&new)?))
}

/// Reads `name:type`, with the types as `describe` shows them.
fn parse_feature(text: &str) -> Result<FeatureDefinition> {
    let (name, kind) = text
        .split_once(':')
        .ok_or_else(|| Error::usage(format!("'{text}' has no type")).remedy("write it as NAME:TYPE, for example rating:Fractional"))?;
    let mut definition = FeatureDefinition::new(FeatureName::parse(name)?, FeatureType::Fractional);
    let Some((collection, inner)) = kind.strip_suffix('>').and_then(|kind| kind.split_once('<')) else {
        definition.feature_type = kind.parse()?;
        return Ok(definition);
    };
    match collection.to_ascii_lowercase().as_str() {
        "list" => {
            definition.collection = Some(Collection::List);
            definition.feature_type = inner.parse()?;
        }
        "set" => {
            definition.collection = Some(Collection::Set);
            definition.feature_type = inner.parse()?;
        }
        "vector" => {
            let dimension =
                inner.parse().map_err(|_| Error::usage(format!("'{inner}' is not a dimension")).remedy("write it as Vector<384>"))?;
            definition.collection = Some(Collection::Vector { dimension });
        }
        _ => return Err(Error::usage(format!("'{collection}' is not a collection")).remedy("use List<TYPE>, Set<TYPE> or Vector<N>")),
    }
    Ok(definition)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn features_are_written_as_describe_shows_them() {
        for text in ["Integral", "Fractional", "String", "List<String>", "Set<Integral>", "Vector<384>"] {
            assert_eq!(parse_feature(&format!("f:{text}")).unwrap().type_text(), text);
        }
        for bad in ["f", "f:", "f:Number", "f:List<Number>", "f:Vector<many>", "f:Map<String>", ":String", "a b:String"] {
            assert!(parse_feature(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ttl_can_be_taken_away() {
        assert_eq!(parse_ttl("none").unwrap(), NewTtl::Never);
        assert_eq!(parse_ttl("7d").unwrap(), NewTtl::After("7d".parse().unwrap()));
        assert!(parse_ttl("soon").is_err());
    }
}
