//! Notes of people over groups that sources tell of: descriptions, owner, tags, parameters, said here. No sync touches them.
//!
//! A note names what it is about by a path. One about a feature that no source tells of any more is kept and shows again with the feature.

use std::collections::BTreeMap;
use std::fmt;

use super::observed::{ObservedFeature, ObservedGroup};
use super::sources::{SyncedGroup, synced_groups};
use crate::catalog::SyncNoteRow;
use crate::model::{Error, Result, limits};
use crate::store::{FeatureStore, FeatureUpdate, GroupUpdate};

/// What a note is about. A feature's name has no dot; keys may have some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    /// What the group is for.
    Description,
    /// Who answers for it.
    Owner,
    /// A tag of it.
    Tag(&'a str),
    /// What a feature means.
    FeatureDescription(&'a str),
    /// A parameter of a feature.
    Parameter(&'a str, &'a str),
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description => f.write_str("description"),
            Self::Owner => f.write_str("owner"),
            Self::Tag(key) => write!(f, "tags.{key}"),
            Self::FeatureDescription(name) => write!(f, "features.{name}.description"),
            Self::Parameter(name, key) => write!(f, "features.{name}.parameters.{key}"),
        }
    }
}

impl<'a> Subject<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        match path {
            "description" => Some(Self::Description),
            "owner" => Some(Self::Owner),
            _ => {
                if let Some(key) = path.strip_prefix("tags.") {
                    return Some(Self::Tag(key));
                }
                let (name, of) = path.strip_prefix("features.")?.split_once('.')?;
                match of {
                    "description" => Some(Self::FeatureDescription(name)),
                    _ => of.strip_prefix("parameters.").map(|key| Self::Parameter(name, key)),
                }
            }
        }
    }
}

/// Notes a change of a group that sources tell of over what they say: its description, owner and tags, and of one feature its description
/// and parameters. What the change clears or removes has no note any more, and what sources say shows again.
///
/// # Errors
/// `NotFound` if no source tells of the group, or it has no such feature; `Invalid` for a change of anything else, which is kept where the
/// group is, and beyond the limits of a group of our own.
pub async fn annotate(
    store: &FeatureStore,
    group: &str,
    change: &GroupUpdate,
    of_feature: Option<(&str, &FeatureUpdate)>,
) -> Result<SyncedGroup> {
    store.check_writable()?;
    let no_group = || Error::not_found(format!("no source tells of a group '{}'", group.escape_debug()));
    let notes = notes_of(change, of_feature).ok_or_else(|| {
        Error::invalid(format!("'{}' can't be changed here", group.escape_debug()))
            .why("a source tells of it, and it is kept there")
            .remedy("change it there; a description, an owner, tags and parameters of features can be noted here")
    })?;
    let mut known = synced_groups(store, Some(group)).await?.into_iter().next().ok_or_else(no_group)?;
    let mut written = Vec::with_capacity(notes.len());
    for (subject, value) in notes {
        // Noted under the source's own spelling, so that a feature has one note.
        let subject = match subject {
            Subject::FeatureDescription(name) => Subject::FeatureDescription(&feature(&known.group, name)?.name),
            Subject::Parameter(name, key) => Subject::Parameter(&feature(&known.group, name)?.name, key),
            other => other,
        };
        written.push((subject.to_string(), value.filter(|text| !text.is_empty())));
    }
    let rows: Vec<SyncNoteRow> = written
        .iter()
        .filter_map(|(path, value)| Some(SyncNoteRow { folded_name: String::new(), path: path.clone(), value: value.clone()? }))
        .collect();
    lay_over(&mut known.group, &rows);
    check(&known.group, &rows)?;
    store.catalog().set_sync_notes(&known.group.name, &written, store.now()).await?;
    synced_groups(store, Some(group)).await?.into_iter().next().ok_or_else(no_group)
}

type Note<'a> = (Subject<'a>, Option<String>);

/// The notes that a change amounts to; none if it changes what no note can say.
fn notes_of<'a>(change: &'a GroupUpdate, of_feature: Option<(&'a str, &'a FeatureUpdate)>) -> Option<Vec<Note<'a>>> {
    // Named one by one, so that a kind of change that is added has to be thought of here.
    let GroupUpdate {
        description,
        owner,
        ttl,
        storage_type,
        throughput,
        note_update: _,
        rename_features,
        remove_features,
        add_features,
        add_tags,
        remove_tags,
        expectations,
    } = change;
    let is_reshaped = !(rename_features.is_empty() && remove_features.is_empty() && add_features.is_empty());
    if is_reshaped || ttl.is_some() || storage_type.is_some() || throughput.is_some() || expectations.is_some() {
        return None;
    }
    let mut notes: Vec<Note<'a>> = Vec::new();
    notes.extend(description.clone().map(|text| (Subject::Description, text)));
    notes.extend(owner.clone().map(|text| (Subject::Owner, text)));
    notes.extend(remove_tags.iter().map(|key| (Subject::Tag(key), None)));
    notes.extend(add_tags.iter().map(|(key, value)| (Subject::Tag(key), Some(value.clone()))));
    if let Some((name, change)) = of_feature {
        let FeatureUpdate { description, add_parameters, remove_parameters, clear_expectations, add_expectations, drift_limits } = change;
        if *clear_expectations || !add_expectations.is_empty() || !drift_limits.is_empty() {
            return None;
        }
        notes.extend(description.clone().map(|text| (Subject::FeatureDescription(name), text)));
        notes.extend(remove_parameters.iter().map(|key| (Subject::Parameter(name, key), None)));
        notes.extend(add_parameters.iter().map(|(key, value)| (Subject::Parameter(name, key), Some(value.clone()))));
    }
    Some(notes)
}

fn feature<'a>(group: &'a ObservedGroup, name: &str) -> Result<&'a ObservedFeature> {
    group.features.iter().find(|feature| feature.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let error = Error::not_found(format!("'{}' has no feature '{}'", group.name, name.escape_debug()));
        match crate::model::suggest::suggest(name, group.features.iter().map(|feature| feature.name.as_str())) {
            Some(near) => error.remedy(format!("did you mean '{near}'?")),
            None => error.remedy("`larder describe` lists them"),
        }
    })
}

/// The limits of groups hold for what is noted, not for what a source told.
fn check(group: &ObservedGroup, rows: &[SyncNoteRow]) -> Result<()> {
    for row in rows {
        match Subject::parse(&row.path) {
            Some(Subject::Description | Subject::Owner) => limits::check_group_description(&row.value)?,
            Some(Subject::Tag(key)) => limits::check_tags(&BTreeMap::from([(key.to_owned(), row.value.clone())]))?,
            Some(Subject::FeatureDescription(name)) => limits::check_feature_description(name, &row.value)?,
            Some(Subject::Parameter(name, _)) => {
                let parameters = group.features.iter().find(|feature| feature.name == name).map(|feature| &feature.parameters);
                limits::check_parameters(name, parameters.unwrap_or(&BTreeMap::new()))?;
            }
            None => {}
        }
    }
    Ok(())
}

fn feature_mut<'a>(group: &'a mut ObservedGroup, name: &str) -> Option<&'a mut ObservedFeature> {
    group.features.iter_mut().find(|feature| feature.name.eq_ignore_ascii_case(name))
}

/// Puts notes over what was told; returns the paths of those that apply.
pub(super) fn lay_over(group: &mut ObservedGroup, noted: &[SyncNoteRow]) -> Vec<String> {
    let mut applied = Vec::new();
    for row in noted {
        let Some(subject) = Subject::parse(&row.path) else { continue };
        let value = row.value.clone();
        match subject {
            Subject::FeatureDescription(name) => match feature_mut(group, name) {
                Some(feature) => feature.description = Some(value),
                None => continue,
            },
            Subject::Parameter(name, key) => match feature_mut(group, name) {
                Some(feature) => drop(feature.parameters.insert(key.to_owned(), value)),
                None => continue,
            },
            Subject::Description => group.description = Some(value),
            Subject::Owner => group.owner = Some(value),
            Subject::Tag(key) => drop(group.tags.get_or_insert_default().insert(key.to_owned(), value)),
        }
        applied.push(row.path.clone());
    }
    applied
}

/// What the notes alone say of a group.
pub(super) fn spoken(noted: &[SyncNoteRow], group: &ObservedGroup) -> ObservedGroup {
    let bare = |feature: &ObservedFeature| ObservedFeature { name: feature.name.clone(), ..ObservedFeature::default() };
    let mut alone = ObservedGroup { features: group.features.iter().map(bare).collect(), ..ObservedGroup::default() };
    lay_over(&mut alone, noted);
    alone
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        let subjects = [
            Subject::Description,
            Subject::Owner,
            Subject::Tag("a.b"),
            Subject::FeatureDescription("fare"),
            Subject::Parameter("fare", "unit.of"),
            Subject::Parameter("fare", "description"),
        ];
        for subject in subjects {
            assert_eq!(Subject::parse(&subject.to_string()), Some(subject));
        }
        for odd in ["", "status", "features.fare", "features.fare.type"] {
            assert_eq!(Subject::parse(odd), None, "{odd}");
        }
    }
}
