//! What the columns of a dataset are called, and which ttl is in force where: the same for the command line and for SQL.
//!
//! Columns bear the feature's name; one that is taken already becomes `group__feature`, with the alias where there is one.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{DatasetRequest, FeatureSelection};
use crate::backend::offline::columns::PLUMBING;
use crate::model::suggest::suggest;
use crate::model::{Error, FeatureGroup, Result, Ttl};

/// The features that are asked for, as the group spells them, with the columns that were named.
pub fn selected_features(selection: &FeatureSelection, group: &FeatureGroup) -> Result<Vec<(String, Option<String>)>> {
    let schema = &group.schema;
    match &selection.features {
        None => {
            let is_key = |position| position == schema.identifier_position() || position == schema.event_time_position();
            let all = schema.features().iter().enumerate().filter(|(position, _)| !is_key(*position));
            Ok(all.map(|(_, feature)| (feature.name.to_string(), None)).collect())
        }
        Some(features) => {
            let of = |error: Error| error.within(format_args!("'{}'", group.name));
            features
                .iter()
                .map(|selected| Ok((schema.feature(&selected.name).map_err(of)?.1.name.to_string(), selected.column.clone())))
                .collect()
        }
    }
}

/// The ttl of each use of a group: the request's for it, else the request's for all, else the group's own.
pub fn ttls_in_force(request: &DatasetRequest, groups: &[Arc<FeatureGroup>]) -> Result<Vec<Option<Ttl>>> {
    let is_for = |name: &str, selection: &FeatureSelection| {
        name.eq_ignore_ascii_case(selection.alias()) || name.eq_ignore_ascii_case(&selection.group)
    };
    for name in request.ttls.iter().filter_map(|ttl| ttl.group.as_deref()) {
        if !request.features.iter().any(|selection| is_for(name, selection)) {
            let error = Error::usage(format!("a ttl is given for '{}', which no features are asked of", name.escape_debug()));
            return Err(match suggest(name, request.features.iter().map(FeatureSelection::alias)) {
                Some(near) => error.remedy(format!("did you mean '{near}'?")),
                None => error.remedy("name one of the groups, or leave the name out"),
            });
        }
    }
    let of = |(selection, group): (&FeatureSelection, &Arc<FeatureGroup>)| {
        let own = request.ttls.iter().rev().find(|ttl| ttl.group.as_deref().is_some_and(|name| is_for(name, selection)));
        own.or_else(|| request.ttls.iter().rev().find(|ttl| ttl.group.is_none())).map_or_else(|| group.ttl(), |ttl| ttl.ttl)
    };
    Ok(request.features.iter().zip(groups).map(of).collect())
}

/// Names of columns that are taken; two may not even differ by case alone, since SQL and catalogs fold it.
#[derive(Debug)]
pub struct ColumnNames {
    taken: HashSet<String>,
}

impl ColumnNames {
    /// Those of a spine.
    pub fn of_spine(spine: &SchemaRef) -> Result<Self> {
        let mut taken = HashSet::new();
        for field in spine.fields() {
            if !taken.insert(field.name().to_lowercase()) {
                return Err(
                    Error::invalid(format!("the spine has two columns '{}'", field.name().escape_debug())).remedy("rename one of them")
                );
            }
        }
        Ok(Self { taken })
    }

    /// The name of one more column: the one that was asked for, else the feature's, else with the group's before it.
    pub fn take(&mut self, selection: &FeatureSelection, feature: &str, column: Option<&str>) -> Result<String> {
        if let Some(column) = column {
            if column.is_empty() || PLUMBING.contains(&column) || !self.taken.insert(column.to_lowercase()) {
                return Err(Error::usage(format!("'{}:{feature}' can't be called '{}'", selection.alias(), column.escape_debug()))
                    .why("the dataset has a column of that name already")
                    .remedy("give it another name with `as`"));
            }
            return Ok(column.to_owned());
        }
        for name in [feature.to_owned(), format!("{}__{feature}", selection.alias())] {
            if self.taken.insert(name.to_lowercase()) {
                return Ok(name);
            }
        }
        Err(Error::usage(format!("'{}:{feature}' is asked for twice", selection.alias()))
            .remedy("give one of them another name: group as alias:feature, or feature as name"))
    }
}
