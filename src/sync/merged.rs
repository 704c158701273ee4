//! One group out of what several sources say of it: who is believed in which field, and where they say different things.
//!
//! ```text
//! notes of people here > definition files > the other sources by priority       what is meant: description, owner, entity, tags, parameters
//! the other sources by priority > definition files                              what is: features and their types, keys, ttl, stores, status
//! ```
//! What a source does not say never overrides what another knows. Where two say different things nothing is blended: one is shown, and all
//! that was said stands beside it ([`Disagreement`]).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::notes::{self, Subject};
use super::observed::{ObservedFeature, ObservedGroup};
use super::sources::SyncedGroup;
use crate::catalog::SyncNoteRow;

/// A field of which different things are said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// Which: `owner`, `tags.team`, `features.fare.type`; `features.fare` where not all have the feature.
    pub path: String,
    /// Who says what, those who are believed first.
    pub said: Vec<Saying>,
}

/// What one of them says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Saying {
    /// The source; none is this store: its own group, or a note of people here.
    pub source: Option<String>,
    /// What it says; null: it does not have it.
    pub says: Value,
    /// True for what is shown.
    pub shown: bool,
}

/// One of those who speak of a group.
struct Voice<'a> {
    source: Option<&'a str>,
    group: &'a ObservedGroup,
}

/// Merges what sources say of one group, the one with the highest priority first, and what is noted here.
///
/// `is_intent` tells whether a source says what is meant rather than what is: definition files.
pub(super) fn merged(told: &[SyncedGroup], is_intent: impl Fn(&str) -> bool, noted: &[SyncNoteRow]) -> Option<SyncedGroup> {
    let is_fact = |synced: &&SyncedGroup| !is_intent(&synced.source);
    let base = told.iter().find(|synced| is_fact(synced) && !synced.group.inferred).or_else(|| told.iter().find(is_fact));
    let base = base.or(told.first())?;
    let mut whole = base.clone();
    if told.len() == 1 && noted.is_empty() {
        return Some(whole);
    }
    let others: Vec<&SyncedGroup> = told.iter().filter(|synced| synced.source != base.source).collect();
    for other in &others {
        complete(&mut whole.group, &other.group);
    }
    let (intent, fact): (Vec<&SyncedGroup>, Vec<&SyncedGroup>) = told.iter().partition(|synced| is_intent(&synced.source));
    let believed: Vec<&ObservedGroup> = intent.iter().chain(&fact).map(|synced| &synced.group).collect();
    mean(&mut whole.group, &believed);
    whole.local = notes::lay_over(&mut whole.group, noted);
    if told.len() > 1 || !whole.local.is_empty() {
        let mut voices: Vec<Voice<'_>> =
            intent.iter().chain(&fact).map(|synced| Voice { source: Some(&synced.source), group: &synced.group }).collect();
        let spoken = notes::spoken(noted, &whole.group);
        voices.insert(0, Voice { source: None, group: &spoken });
        whole.disagreements = disagreements(&voices, &whole.group);
    }
    Some(whole)
}

/// Where sources say other things of a group than the group of this store that has its name.
pub(super) fn disagreements_with(own: &ObservedGroup, told: &[SyncedGroup]) -> Vec<Disagreement> {
    let others = told.iter().map(|synced| Voice { source: Some(&synced.source), group: &synced.group });
    let voices: Vec<Voice<'_>> = [Voice { source: None, group: own }].into_iter().chain(others).collect();
    disagreements(&voices, own)
}

/// Takes facts that are not known yet.
fn complete(known: &mut ObservedGroup, other: &ObservedGroup) {
    fn fill<T: Clone>(known: &mut Option<T>, other: &Option<T>) {
        if known.is_none() {
            known.clone_from(other);
        }
    }
    fill(&mut known.record_identifier, &other.record_identifier);
    fill(&mut known.event_time, &other.event_time);
    fill(&mut known.ttl, &other.ttl);
    fill(&mut known.online, &other.online);
    fill(&mut known.offline, &other.offline);
    fill(&mut known.s3_uri, &other.s3_uri);
    fill(&mut known.table, &other.table);
    fill(&mut known.status, &other.status);
    fill(&mut known.created, &other.created);
    fill(&mut known.modified, &other.modified);
    fill(&mut known.history, &other.history);
    for feature in &mut known.features {
        if let Some(same) = find(other, &feature.name) {
            fill(&mut feature.feature_type, &same.feature_type);
            fill(&mut feature.nulls, &same.nulls);
            fill(&mut feature.min, &same.min);
            fill(&mut feature.max, &same.max);
        }
    }
}

/// Takes what is meant from the first who says it.
fn mean(whole: &mut ObservedGroup, believed: &[&ObservedGroup]) {
    let text = |of: fn(&ObservedGroup) -> &Option<String>| believed.iter().find_map(|group| of(group).clone());
    whole.description = text(|group| &group.description);
    whole.owner = text(|group| &group.owner);
    whole.entity = text(|group| &group.entity);
    whole.tags = believed.iter().any(|group| group.tags.is_some()).then(|| union(believed.iter().filter_map(|group| group.tags.as_ref())));
    for feature in &mut whole.features {
        let same: Vec<&ObservedFeature> = believed.iter().filter_map(|group| find(group, &feature.name)).collect();
        feature.description = same.iter().find_map(|same| same.description.clone());
        feature.parameters = union(same.iter().map(|same| &same.parameters));
    }
}

/// Keys of all, each with the value of the first who has it.
fn union<'a>(maps: impl DoubleEndedIterator<Item = &'a BTreeMap<String, String>>) -> BTreeMap<String, String> {
    maps.rev().flat_map(|map| map.iter().map(|(key, value)| (key.clone(), value.clone()))).collect()
}

fn find<'a>(group: &'a ObservedGroup, name: &str) -> Option<&'a ObservedFeature> {
    group.features.iter().find(|feature| feature.name.eq_ignore_ascii_case(name))
}

fn disagreements(voices: &[Voice<'_>], shown: &ObservedGroup) -> Vec<Disagreement> {
    let mut fields: BTreeMap<String, (String, Vec<(usize, Value)>)> = BTreeMap::new();
    for (number, voice) in voices.iter().enumerate() {
        for (path, value) in said(voice.group) {
            fields.entry(path.to_lowercase()).or_insert_with(|| (path, Vec::new())).1.push((number, value));
        }
    }
    let list_features: Vec<usize> = (0..voices.len()).filter(|number| has_types(voices[*number].group)).collect();
    for feature in voices.iter().flat_map(|voice| &voice.group.features) {
        let has = |number: &usize| find(voices[*number].group, &feature.name);
        if list_features.iter().any(|number| has(number).is_none()) {
            let path = format!("features.{}", feature.name);
            let values = list_features.iter().map(|number| (*number, has(number).map_or(Value::Null, type_of))).collect();
            fields.entry(path.to_lowercase()).or_insert((path, values));
        }
    }
    let now: BTreeMap<String, Value> = said(shown).into_iter().map(|(path, value)| (path.to_lowercase(), value)).collect();
    let differ = |values: &[(usize, Value)]| values.iter().any(|(_, value)| *value != values[0].1);
    let named = |(folded, (path, values)): (String, (String, Vec<(usize, Value)>))| {
        let of_shown = now.get(&folded).cloned().or_else(|| {
            let name = path.strip_prefix("features.")?;
            Some(find(shown, name).map_or(Value::Null, type_of))
        });
        let said = values.into_iter().map(|(number, says)| Saying {
            source: voices[number].source.map(str::to_owned),
            shown: of_shown.as_ref() == Some(&says),
            says,
        });
        Disagreement { path, said: said.collect() }
    };
    fields.into_iter().filter(|(_, (_, values))| differ(values)).map(named).collect()
}

/// True for who says which features there are; a note speaks of single ones only.
fn has_types(group: &ObservedGroup) -> bool {
    group.features.iter().any(|feature| feature.feature_type.is_some() || feature.native_type.is_some())
}

/// The fields that are compared, of what a source says. What is a matter of the place (status, times of change, where data lies) is not.
fn said(group: &ObservedGroup) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    let mut text = |subject: Subject<'_>, value: &Option<String>| {
        fields.extend(value.as_ref().map(|value| (subject.to_string(), Value::String(value.clone()))));
    };
    text(Subject::Description, &group.description);
    text(Subject::Owner, &group.owner);
    for (key, value) in group.tags.iter().flatten() {
        text(Subject::Tag(key), &Some(value.clone()));
    }
    for feature in &group.features {
        text(Subject::FeatureDescription(&feature.name), &feature.description);
        for (key, value) in &feature.parameters {
            text(Subject::Parameter(&feature.name, key), &Some(value.clone()));
        }
    }
    let named = [
        ("entity", &group.entity),
        ("record_identifier", &group.record_identifier),
        ("event_time", &group.event_time),
        ("ttl", &group.ttl),
    ];
    fields.extend(named.into_iter().filter_map(|(path, value)| Some((path.to_owned(), Value::String(value.clone()?)))));
    for (path, value) in [("online", group.online), ("offline", group.offline)] {
        fields.extend(value.map(|value| (path.to_owned(), Value::Bool(value))));
    }
    let types = group.features.iter().filter(|feature| feature.feature_type.is_some());
    fields.extend(types.map(|feature| (format!("features.{}.type", feature.name), type_of(feature))));
    fields
}

fn type_of(feature: &ObservedFeature) -> Value {
    let kind = feature.feature_type.as_ref().or(feature.native_type.as_ref()).cloned().unwrap_or_default();
    Value::String(match (&feature.collection, feature.dimension) {
        (None, _) => kind,
        (Some(collection), Some(dimension)) => format!("{collection}<{dimension}>"),
        (Some(collection), None) => format!("{collection}<{kind}>"),
    })
}

impl Saying {
    /// What it says as text; none: it does not have it.
    pub fn text(&self) -> Option<String> {
        match &self.says {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl Disagreement {
    /// As one line: `owner: git says "a", prod says "b" (shown)`.
    pub fn to_line(&self) -> String {
        let one = |saying: &Saying| {
            let source = saying.source.as_deref().unwrap_or("here");
            let says = if saying.says.is_null() { "nothing of it".to_owned() } else { saying.says.to_string() };
            format!("{source} says {says}{}", if saying.shown { " (shown)" } else { "" })
        };
        format!("{}: {}", self.path, self.said.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &str, owner: Option<&str>, features: &[(&str, &str, Option<&str>)]) -> SyncedGroup {
        let feature = |(name, kind, description): &(&str, &str, Option<&str>)| ObservedFeature {
            name: (*name).to_owned(),
            feature_type: Some((*kind).to_owned()),
            description: description.map(str::to_owned),
            ..ObservedFeature::default()
        };
        let group = ObservedGroup {
            name: "trips".into(),
            owner: owner.map(str::to_owned),
            features: features.iter().map(feature).collect(),
            ..ObservedGroup::default()
        };
        SyncedGroup { source: source.into(), group, ..SyncedGroup::default() }
    }

    fn note(path: &str, value: &str) -> SyncNoteRow {
        SyncNoteRow { folded_name: "trips".into(), path: path.into(), value: value.into() }
    }

    fn lines(group: &SyncedGroup) -> Vec<String> {
        group.disagreements.iter().map(Disagreement::to_line).collect()
    }

    #[test]
    fn files_say_what_is_meant_and_the_store_what_is() {
        let prod = told("prod", Some("ops"), &[("id", "String", None), ("fare", "Fractional", Some("Fare"))]);
        let git = told(
            "git",
            Some("team:mobility"),
            &[("id", "String", None), ("Fare", "Integral", Some("Meter fare")), ("tip", "Integral", None)],
        );
        let whole = merged(&[git, prod], |source| source == "git", &[]).unwrap_or_default();
        assert_eq!((whole.source.as_str(), whole.group.owner.as_deref()), ("prod", Some("team:mobility")));
        let kinds: Vec<_> = whole.group.features.iter().map(|feature| feature.feature_type.as_deref()).collect();
        assert_eq!((kinds, whole.group.features[1].description.as_deref()), (vec![Some("String"), Some("Fractional")], Some("Meter fare")));
        assert_eq!(
            lines(&whole),
            [
                r#"features.Fare.description: git says "Meter fare" (shown), prod says "Fare""#,
                r#"features.Fare.type: git says "Integral", prod says "Fractional" (shown)"#,
                r#"features.tip: git says "Integral", prod says nothing of it (shown)"#,
                r#"owner: git says "team:mobility" (shown), prod says "ops""#,
            ]
        );
    }

    #[test]
    fn what_one_does_not_say_another_does_and_sameness_is_no_disagreement() {
        let one = told("one", None, &[("id", "String", None)]);
        let two = told("two", Some("ops"), &[("ID", "String", Some("who"))]);
        let whole = merged(&[one, two], |_| false, &[]).unwrap_or_default();
        assert_eq!((whole.source.as_str(), whole.group.owner.as_deref(), whole.disagreements.len()), ("one", Some("ops"), 0));
        assert_eq!(whole.group.features[0].description.as_deref(), Some("who"));
    }

    #[test]
    fn notes_stand_over_all_and_beside_what_was_told() {
        let prod = told("prod", Some("ops"), &[("id", "String", None)]);
        let noted =
            [note("owner", "us"), note("features.id.description", "who"), note("tags.tier", "1"), note("features.gone.description", "x")];
        let whole = merged(&[prod], |_| false, &noted).unwrap_or_default();
        assert_eq!((whole.group.owner.as_deref(), whole.group.features[0].description.as_deref()), (Some("us"), Some("who")));
        assert_eq!(whole.group.tags, Some(BTreeMap::from([("tier".into(), "1".into())])));
        assert_eq!(whole.local, ["owner", "features.id.description", "tags.tier"]);
        assert_eq!(lines(&whole), [r#"owner: here says "us" (shown), prod says "ops""#]);
    }
}
