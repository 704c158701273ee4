//! What applying definitions would change, worked out wholly before anything does: each field from old to new, and whom it reaches.
//!
//! A change in place touches how records are kept or read from now on; one of metadata only what is written about them. What would
//! need the data to be written anew needs another group; what the state of a group forbids is impossible. A plan with either is
//! refused as a whole.

use std::collections::BTreeMap;

use super::definition::{Definition, Flow};
use super::fault::Place;
use super::flows::missing;
use crate::model::{
    Error, EventTime, FeatureDefinition, FeatureGroup, GroupExpectations, GroupName, GroupStatus, OnlineSettings, Result, Schema,
    Throughput, Ttl,
};
use crate::store::lineage::{Affected, Change as LineageChange, Impact};
use crate::store::{FeatureStore, GroupChange, NewGroup};

/// How a field can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Only what is written about the group.
    Metadata,
    /// The group itself, its data staying.
    InPlace,
    /// Not in this group: another one would have to be made.
    Replacement,
    /// Not in the state that the group is in.
    Impossible,
}

impl ChangeKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::InPlace => "in place",
            Self::Replacement => "needs replacement",
            Self::Impossible => "impossible",
        }
    }

    /// True if it refuses the plan.
    pub fn refuses(self) -> bool {
        self >= Self::Replacement
    }
}

/// A field of a group that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How.
    pub kind: ChangeKind,
    /// Which: `description`, `tags.stage`, `features.fare.type`.
    pub path: String,
    /// What it is; none is nothing.
    pub old: Option<String>,
    /// What it would be.
    pub new: Option<String>,
}

/// What happens to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is what its definition says.
    Nothing,
}

/// What happens to one group.
#[derive(Debug, Clone)]
pub struct GroupPlan {
    /// Its name.
    pub name: GroupName,
    /// Where its definition stands.
    pub place: Place,
    /// What happens.
    pub action: Action,
    /// Its fields that change, those that need most first; of a new group only its declared lineage.
    pub changes: Vec<Change>,
    /// Features it has then.
    pub features: usize,
    /// Whom it reaches, the worst first.
    pub affects: Vec<Affected>,
    pub(super) made: Option<NewGroup>,
    pub(super) changed: Option<GroupChange>,
    pub(super) flows: Vec<Flow>,
}

/// What applying definitions would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The groups that change, by the order of the definitions.
    pub groups: Vec<GroupPlan>,
    /// Groups that are what their definitions say.
    pub unchanged: usize,
}

impl Plan {
    /// True if something would change.
    pub fn is_pending(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Changes that can't be made; with one of them nothing is.
    pub fn refused(&self) -> impl Iterator<Item = (&GroupPlan, &Change)> {
        self.groups
            .iter()
            .flat_map(|group| group.changes.iter().map(move |change| (group, change)))
            .filter(|(_, change)| change.kind.refuses())
    }
}

/// Works out what applying definitions would do. Changes nothing.
pub async fn plan(store: &FeatureStore, definitions: &[Definition]) -> Result<Plan> {
    let known: BTreeMap<String, FeatureGroup> = store.list_groups().await?.into_iter().map(|group| (group.name.folded(), group)).collect();
    let mut plan = Plan::default();
    for definition in definitions {
        let mut group = match known.get(&definition.name.folded()) {
            None => creation(definition),
            // A crash came between: whoever meets it finishes it.
            Some(group) if group.status == GroupStatus::Creating && !store.is_read_only() => {
                change(definition, &*store.group(group.name.as_str()).await?, store.now())
            }
            Some(group) => change(definition, group, store.now()),
        };
        group.flows = missing(store, known.get(&definition.name.folded()), definition).await?;
        group.changes.extend(group.flows.iter().map(|flow| Change {
            kind: ChangeKind::Metadata,
            path: "lineage".to_owned(),
            old: None,
            new: Some(format!("{} -> {}", flow.from, flow.to)),
        }));
        if group.action == Action::Nothing && !group.changes.is_empty() {
            group.action = Action::Change;
        }
        group.changes.sort_by_key(|change| std::cmp::Reverse(change.kind));
        if group.action == Action::Nothing {
            plan.unchanged += 1;
            continue;
        }
        group.affects = affected(store, &group).await?;
        plan.groups.push(group);
    }
    Ok(plan)
}

fn creation(definition: &Definition) -> GroupPlan {
    let storage = &definition.storage;
    let online = storage.online.unwrap_or(true).then(|| {
        let mut online = OnlineSettings { ttl: definition.ttl, ..OnlineSettings::default() };
        online.declared.storage_type.clone_from(&storage.storage_type);
        online.declared.kms_key.clone_from(&storage.online_kms_key);
        online
    });
    let made = NewGroup {
        online,
        offline: storage.offline.unwrap_or(true) && storage.external.is_none(),
        s3_uri: storage.s3_uri.clone(),
        external: storage.external.clone(),
        declared: crate::model::Declared {
            role_arn: storage.role_arn.clone(),
            kms_key: storage.offline_kms_key.clone(),
            table_format: storage.table_format.clone(),
            without_glue_table: storage.without_glue_table.unwrap_or(false),
            glue_table: storage.glue_table.clone(),
            throughput: storage.throughput.clone(),
            ..crate::model::Declared::default()
        },
        description: definition.description.clone(),
        owner: definition.owner.clone(),
        tags: definition.tags.clone(),
        expectations: definition.expectations.clone(),
        ..NewGroup::new(definition.name.clone(), definition.schema.clone())
    };
    GroupPlan { action: Action::Create, made: Some(made), ..nothing(definition, definition.schema.len()) }
}

fn nothing(definition: &Definition, features: usize) -> GroupPlan {
    GroupPlan {
        name: definition.name.clone(),
        place: definition.place.clone(),
        action: Action::Nothing,
        changes: Vec::new(),
        features,
        affects: Vec::new(),
        made: None,
        changed: None,
        flows: Vec::new(),
    }
}

fn change(definition: &Definition, before: &FeatureGroup, now: EventTime) -> GroupPlan {
    let mut difference = Difference { changes: Vec::new(), after: before.clone(), now };
    difference.of(definition, before);
    if !difference.changes.is_empty() && before.status != GroupStatus::Created {
        difference.note(ChangeKind::Impossible, "status", Some(before.status.to_string()), Some(GroupStatus::Created.to_string()));
    }
    let Difference { changes, after, .. } = difference;
    let action = if changes.is_empty() { Action::Nothing } else { Action::Change };
    let changed = (action == Action::Change).then(|| GroupChange { before: before.clone(), after: after.clone() });
    GroupPlan { action, changes, changed, ..nothing(definition, after.schema.len()) }
}

struct Difference {
    changes: Vec<Change>,
    after: FeatureGroup,
    /// When features are removed.
    now: EventTime,
}

impl Difference {
    /// Notes a field if it differs; true if it does.
    fn note(&mut self, kind: ChangeKind, path: impl Into<String>, old: Option<String>, new: Option<String>) -> bool {
        let differs = old != new;
        if differs {
            self.changes.push(Change { kind, path: path.into(), old, new });
        }
        differs
    }

    fn of(&mut self, definition: &Definition, before: &FeatureGroup) {
        use ChangeKind::{Metadata, Replacement};
        self.note(Replacement, "name", Some(before.name.to_string()), Some(definition.name.to_string()));
        self.note(Metadata, "description", before.description.clone(), definition.description.clone());
        self.after.description.clone_from(&definition.description);
        self.note(Metadata, "owner", before.owner.clone(), definition.owner.clone());
        self.after.owner.clone_from(&definition.owner);
        self.labels("tags", &before.tags, &definition.tags);
        self.after.tags.clone_from(&definition.tags);
        self.group_expectations(&before.expectations, &definition.expectations);
        self.after.expectations.clone_from(&definition.expectations);
        self.stores(definition, before);
        self.renamings(definition, before);
        self.removals(definition, before);
        self.features(&definition.schema, before);
    }

    /// Features that have another name now: rows and files stay as they are.
    fn renamings(&mut self, definition: &Definition, before: &FeatureGroup) {
        for (new, old) in &definition.renamed {
            let schema = &self.after.schema;
            // Once it is done there is nothing to do; nor is there for a group that never had the name.
            let Some(position) = schema.position(old) else { continue };
            let known = schema.features()[position].name.clone();
            if known == *new || schema.position(new.as_str()).is_some_and(|holder| holder != position) {
                continue;
            }
            let renamed = schema.with_renamed(old, new);
            self.reshape(format!("features.{known}.name"), Some(known.to_string()), Some(new.to_string()), renamed, before);
        }
    }

    /// Features that are no more; their history stays in the files.
    fn removals(&mut self, definition: &Definition, before: &FeatureGroup) {
        for name in &definition.removed {
            let Some(position) = self.after.schema.position(name) else { continue };
            let known = &self.after.schema.features()[position];
            let (path, old) = (format!("features.{}", known.name), Some(known.type_text()));
            let removed = self.after.schema.with_removed(name, self.now);
            self.reshape(path, old, None, removed, before);
        }
    }

    fn reshape(&mut self, path: String, old: Option<String>, new: Option<String>, schema: Result<Schema>, before: &FeatureGroup) {
        match schema {
            // Files of others are read as they are.
            Ok(_) if before.is_external() => drop(self.note(ChangeKind::Impossible, path, old, new)),
            Ok(schema) => {
                self.note(ChangeKind::InPlace, path, old, new);
                self.after.schema = schema;
            }
            Err(error) => drop(self.note(ChangeKind::Impossible, path, old, Some(error.to_string()))),
        }
    }

    fn labels(&mut self, path: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            self.note(ChangeKind::Metadata, format!("{path}.{key}"), old.get(key).cloned(), new.get(key).cloned());
        }
    }

    fn group_expectations(&mut self, old: &GroupExpectations, new: &GroupExpectations) {
        let text = |value: Option<Ttl>| value.map(|value| value.to_string());
        let count = |value: Option<u64>| value.map(|value| value.to_string());
        let yes = |value: bool| value.then(|| "identifier and event time".to_owned());
        self.note(ChangeKind::Metadata, "expectations.unique", yes(old.unique), yes(new.unique));
        self.note(ChangeKind::Metadata, "expectations.row_count.min", count(old.min_rows), count(new.min_rows));
        self.note(ChangeKind::Metadata, "freshness.error_after", text(old.max_age), text(new.max_age));
    }

    fn stores(&mut self, definition: &Definition, before: &FeatureGroup) {
        use ChangeKind::{InPlace, Replacement};
        let wanted = &definition.storage;
        let yes = |value: bool| Some(value.to_string());
        if let Some(online) = wanted.online {
            self.note(Replacement, "online.enabled", yes(before.online.is_some()), yes(online));
        }
        if let Some(offline) = wanted.offline {
            self.note(Replacement, "offline.enabled", yes(before.offline.is_some()), yes(offline));
        }
        let ttl = |ttl: Option<Ttl>| ttl.map(|ttl| ttl.to_string());
        // Without an online store there is no place for a ttl.
        let kind = if before.online.is_some() { InPlace } else { ChangeKind::Impossible };
        self.note(kind, "online.ttl", ttl(before.ttl()), ttl(definition.ttl));
        if let Some(online) = &mut self.after.online {
            online.ttl = definition.ttl;
        }
        if let (Some(tier), Some(online)) = (&wanted.storage_type, &before.online) {
            let known = online.declared.storage_type.as_deref().unwrap_or("Standard");
            let kind = if (known, tier.as_str()) == ("Standard", "Standard_V2") { InPlace } else { Replacement };
            if self.note(kind, "online.storage", Some(known.to_owned()), Some(tier.clone()))
                && let Some(online) = &mut self.after.online
            {
                online.declared.storage_type = Some(tier.clone());
            }
        }
        if let Some(throughput) = &wanted.throughput {
            let text = |throughput: &Throughput| match (throughput.read_units, throughput.write_units) {
                (Some(read), Some(write)) => format!("{} {read} read, {write} written", throughput.mode),
                _ => throughput.mode.clone(),
            };
            let known = before.declared().and_then(|declared| declared.throughput.as_ref());
            self.note(InPlace, "throughput", known.map(text), Some(text(throughput)));
            if let Some(declared) = self.after.declared_mut() {
                declared.throughput = Some(throughput.clone());
            }
        }
        self.fixed_stores(definition, before);
    }

    /// What is said once, when a group is made.
    fn fixed_stores(&mut self, definition: &Definition, before: &FeatureGroup) {
        let wanted = &definition.storage;
        let mut fixed = |path: &str, known: Option<&String>, wanted: Option<&String>| {
            if wanted.is_some() {
                self.note(ChangeKind::Replacement, path, known.cloned(), wanted.cloned());
            }
        };
        let online = before.online.as_ref().map(|online| &online.declared);
        let offline = before.offline.as_ref();
        let declared = offline.map(|offline| &offline.declared);
        fixed("role_arn", before.declared().and_then(|declared| declared.role_arn.as_ref()), wanted.role_arn.as_ref());
        fixed("online.kms_key", online.and_then(|online| online.kms_key.as_ref()), wanted.online_kms_key.as_ref());
        fixed("offline.s3_uri", offline.map(|offline| &offline.s3_uri), wanted.s3_uri.as_ref());
        fixed("offline.external", offline.and_then(|offline| offline.external.as_ref()), wanted.external.as_ref());
        fixed("offline.kms_key", declared.and_then(|declared| declared.kms_key.as_ref()), wanted.offline_kms_key.as_ref());
        fixed("offline.format", declared.and_then(|declared| declared.table_format.as_ref()), wanted.table_format.as_ref());
        let names = |table: &crate::model::GlueTable| format!("{}.{}", table.database, table.table);
        let known = declared.and_then(|declared| declared.glue_table.as_ref()).map(names);
        fixed("offline.glue", known.as_ref(), wanted.glue_table.as_ref().map(names).as_ref());
        let known = declared.map(|declared| declared.without_glue_table.to_string());
        fixed("offline.disable_glue", known.as_ref(), wanted.without_glue_table.map(|yes| yes.to_string()).as_ref());
    }

    fn features(&mut self, wanted: &Schema, before: &FeatureGroup) {
        use ChangeKind::{Impossible, InPlace, Replacement};
        let role = |position: &FeatureDefinition| Some(position.name.to_string());
        let schema = self.after.schema.clone();
        let known = &schema;
        for (path, old, new) in
            [("record_identifier", known.identifier(), wanted.identifier()), ("event_time", known.event_time(), wanted.event_time())]
        {
            if !old.name.as_str().eq_ignore_ascii_case(new.name.as_str()) {
                self.note(Replacement, path, role(old), role(new));
            }
        }
        let mut features = known.features().to_vec();
        for feature in &mut features {
            match wanted.position(feature.name.as_str()) {
                Some(position) => self.feature(feature, &wanted.features()[position]),
                None => {
                    let path = format!("features.{}", feature.name);
                    self.note(Replacement, path, Some(feature.type_text()), None);
                }
            }
        }
        let mut new = Vec::new();
        for added in wanted.features().iter().filter(|feature| known.position(feature.name.as_str()).is_none()) {
            // Files of others are read as they are.
            let kind = if before.is_external() { Impossible } else { InPlace };
            self.note(kind, format!("features.{}", added.name), None, Some(added.type_text()));
            new.push(added.clone());
        }
        let keys = (known.identifier().name.as_str(), known.event_time().name.as_str());
        match Schema::with_history(features, known.removed().to_vec(), keys.0, keys.1).and_then(|schema| schema.with_added(new)) {
            Ok(schema) => self.after.schema = schema,
            // The store keeps more than the file has, and together it is too much: that is no schema.
            Err(error) => {
                self.note(Replacement, "features", None, Some(error.to_string()));
            }
        }
    }

    fn feature(&mut self, known: &mut FeatureDefinition, wanted: &FeatureDefinition) {
        use ChangeKind::{Metadata, Replacement};
        let path = |field: &str| format!("features.{}.{field}", known.name);
        let (name, kind) = (Some(known.name.to_string()), Some(known.type_text()));
        let fields = [
            (Replacement, path("name"), name, Some(wanted.name.to_string())),
            (Replacement, path("type"), kind, Some(wanted.type_text())),
            (Metadata, path("description"), known.description.clone(), wanted.description.clone()),
            (Metadata, path("expectations"), rules(known), rules(wanted)),
        ];
        let (parameters, drift) = (path("parameters"), path("expectations.drift"));
        for (kind, path, old, new) in fields {
            self.note(kind, path, old, new);
        }
        self.labels(&parameters, &known.parameters, &wanted.parameters);
        let limits = |feature: &FeatureDefinition| -> BTreeMap<String, String> {
            feature.drift.iter().map(|(metric, (watch, alert))| (metric.clone(), format!("{watch}, {alert}"))).collect()
        };
        self.labels(&drift, &limits(known), &limits(wanted));
        if rules(known) != rules(wanted) {
            known.expectations.clone_from(&wanted.expectations);
        }
        known.description.clone_from(&wanted.description);
        known.parameters.clone_from(&wanted.parameters);
        known.drift.clone_from(&wanted.drift);
    }
}

/// The rules of a feature as a text; their order means nothing.
fn rules(feature: &FeatureDefinition) -> Option<String> {
    let mut texts: Vec<String> =
        feature.expectations.iter().map(|known| format!("{} ({})", known.rule, known.on_violation.as_str())).collect();
    texts.sort();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Whom the changes of a group reach.
async fn affected(store: &FeatureStore, group: &GroupPlan) -> Result<Vec<Affected>> {
    let Some(changed) = &group.changed else { return Ok(Vec::new()) };
    let mut questions: Vec<(String, LineageChange)> = Vec::new();
    for change in &group.changes {
        let name = changed.before.name.as_str();
        match change.path.strip_prefix("features.").map(|rest| rest.split_once('.')) {
            Some(Some((feature, "type" | "name"))) => questions.push((format!("{name}.{feature}"), LineageChange::Type)),
            Some(None) if change.new.is_none() => {
                let feature = change.path.trim_start_matches("features.");
                questions.push((format!("{name}.{feature}"), LineageChange::Remove));
            }
            Some(_) => {}
            None if change.path == "online.ttl" && is_shorter(changed) => questions.push((name.to_owned(), LineageChange::Ttl)),
            None if change.kind == ChangeKind::Replacement => questions.push((name.to_owned(), LineageChange::Remove)),
            None => {}
        }
    }
    questions.sort_by(|one, two| one.0.cmp(&two.0));
    questions.dedup();
    let mut affected: Vec<Affected> = Vec::new();
    for (node, change) in questions {
        let Impact { affected: found, .. } = store.impact(&node, change).await?;
        for one in found {
            match affected.iter_mut().find(|known| known.kind == one.kind && known.name == one.name) {
                Some(known) if known.effect < one.effect => *known = one,
                Some(_) => {}
                None => affected.push(one),
            }
        }
    }
    affected.sort_by(|one, two| two.effect.cmp(&one.effect).then_with(|| one.reference.cmp(&two.reference)));
    Ok(affected)
}

/// True if records expire earlier than they did.
fn is_shorter(changed: &GroupChange) -> bool {
    match (changed.before.ttl(), changed.after.ttl()) {
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new.seconds() < old.seconds(),
        (_, None) => false,
    }
}

/// The error of a plan that can't be applied.
pub(super) fn refusal(plan: &Plan) -> Option<Error> {
    let refused: Vec<String> = plan.refused().map(|(group, change)| format!("{} {}", group.name, change.path)).collect();
    let first = refused.first()?;
    let is_left_out =
        |change: &Change| change.new.is_none() && change.path.strip_prefix("features.").is_some_and(|name| !name.contains('.'));
    let remedy = match plan.refused().all(|(_, change)| is_left_out(change)) {
        true => "a feature that is to go is named under `removed`, one that has another name says `renamed_from`",
        false => "make another group, or take these changes out of the files; `larder plan` shows all of them",
    };
    let others = if refused.len() > 1 { format!(" and {} more", refused.len() - 1) } else { String::new() };
    Some(Error::invalid(format!("nothing was changed: {first}{others} can't be")).remedy(remedy))
}
