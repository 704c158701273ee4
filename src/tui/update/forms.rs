//! Editing in place: descriptions, tags and owners, and the way back from each edit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{FeatureDefinition, FeatureGroup};
use crate::tui::model::Model;
use crate::tui::model::edits::{Answer, Edit, Question, Written};
use crate::tui::model::layer::{Field, Form, Layer, Purpose};
use crate::tui::model::line::Line;
use crate::tui::msg::{Effect, Request, Slot};

/// Edits that can be undone.
const MOST_UNDONE: usize = 100;

/// Opens a form for the description of what is under the cursor.
pub(super) fn describe(model: &mut Model) -> Vec<Effect> {
    let Some((group, feature)) = subject(model) else { return Vec::new() };
    let text = match feature_of(&group, feature.as_deref()) {
        Some(feature) => feature.description.clone(),
        None => group.description.clone(),
    };
    let purpose = Purpose::Description { group: group.name.to_string(), feature };
    open(model, purpose, "DESCRIPTION", text.unwrap_or_default(), "empty removes it")
}

/// Opens a form for its tags or parameters.
pub(super) fn tag(model: &mut Model) -> Vec<Effect> {
    let Some((group, feature)) = subject(model) else { return Vec::new() };
    let tags = feature_of(&group, feature.as_deref()).map_or(&group.tags, |feature| &feature.parameters);
    let label = if feature.is_some() { "PARAMETERS" } else { "TAGS" };
    let text = written(tags);
    open(model, Purpose::Tags { group: group.name.to_string(), feature }, label, text, "key=value, key=value")
}

/// Opens a form for the owner of the group.
pub(super) fn own(model: &mut Model) -> Vec<Effect> {
    let Some((group, _)) = subject(model) else { return Vec::new() };
    let owner = group.owner.clone().unwrap_or_default();
    open(model, Purpose::Owner { group: group.name.to_string() }, "OWNER", owner, "empty removes it")
}

fn open(model: &mut Model, purpose: Purpose, label: &'static str, text: String, note: &'static str) -> Vec<Effect> {
    if model.read_only {
        super::complain(model, "the store is open read-only; start without --read-only to edit".to_owned());
        return Vec::new();
    }
    let title = match &purpose {
        Purpose::Description { group, feature: Some(feature) } | Purpose::Tags { group, feature: Some(feature) } => {
            format!("{group}.{feature}")
        }
        Purpose::Description { group, .. } | Purpose::Tags { group, .. } | Purpose::Owner { group } => group.clone(),
        Purpose::Export { .. } => String::new(),
    };
    let fields = vec![Field { label, line: Line::new(text), note }];
    model.layer = Some(Layer::Form(Form { title, fields, at: 0, purpose, complaint: None }));
    Vec::new()
}

/// Group, and feature if one is under the cursor.
pub(super) fn subject(model: &Model) -> Option<(Arc<FeatureGroup>, Option<String>)> {
    use crate::tui::model::screens::{Screen, Tab};
    match model.screen {
        Screen::Groups => Some((model.group_under_cursor()?.clone(), None)),
        Screen::Catalog => {
            let (group, feature) = model.feature_under_cursor()?;
            Some((group.clone(), Some(group.schema.features().get(feature)?.name.to_string())))
        }
        Screen::Group => {
            let group = model.open_group()?.clone();
            let chosen = model.group_screen.feature.clone();
            let under_cursor = || {
                let place = model.group_screen.schema.selected().filter(|_| model.group_screen.tab == Tab::Schema)?;
                group.schema.features().get(place).map(|feature| feature.name.to_string())
            };
            let feature = chosen.or_else(under_cursor);
            Some((group, feature))
        }
        _ => None,
    }
}

fn feature_of<'g>(group: &'g FeatureGroup, name: Option<&str>) -> Option<&'g FeatureDefinition> {
    let name = name?;
    group.schema.features().iter().find(|feature| feature.name.as_str() == name)
}

fn written(tags: &BTreeMap<String, String>) -> String {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

/// Reads `key=value, key=value`.
fn read_tags(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut tags = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("'{part}' has no value; write key=value"))?;
        if tags.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(format!("'{}' stands there twice", key.trim()));
        }
    }
    Ok(tags)
}

/// Sends what was typed; the form stays open with a complaint if it can't be read.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Form(form)) = &mut model.layer else { return Vec::new() };
    let text = form.fields.first().map(|field| field.line.text().trim().to_owned()).unwrap_or_default();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    if let Purpose::Export { sql } = &form.purpose {
        let sql = sql.clone();
        model.layer = None;
        return if text.is_empty() { Vec::new() } else { super::sql::send_export(model, sql, text) };
    }
    let edit = match &form.purpose {
        Purpose::Export { .. } => return Vec::new(),
        Purpose::Description { group, feature } => {
            Edit { group: group.clone(), feature: feature.clone(), written: Written::Description(some(text)) }
        }
        Purpose::Owner { group } => Edit { group: group.clone(), feature: None, written: Written::Owner(some(text)) },
        Purpose::Tags { group, feature } => match read_tags(&text) {
            Ok(tags) => Edit { group: group.clone(), feature: feature.clone(), written: Written::Tags(tags) },
            Err(complaint) => {
                form.complaint = Some(complaint);
                return Vec::new();
            }
        },
    };
    model.layer = None;
    let Some(before) = as_it_is(model, &edit) else { return Vec::new() };
    if before == edit {
        return Vec::new();
    }
    vec![model.ask(Slot::Edits, Request::Edits(Question { edit, before: Some(before) }))]
}

/// The same edit with what is written now.
fn as_it_is(model: &Model, edit: &Edit) -> Option<Edit> {
    let group = model.group_named(&edit.group)?;
    let feature = feature_of(group, edit.feature.as_deref());
    let written = match (&edit.written, feature) {
        (Written::Description(_), Some(feature)) => Written::Description(feature.description.clone()),
        (Written::Description(_), None) => Written::Description(group.description.clone()),
        (Written::Tags(_), Some(feature)) => Written::Tags(feature.parameters.clone()),
        (Written::Tags(_), None) => Written::Tags(group.tags.clone()),
        (Written::Owner(_), _) => Written::Owner(group.owner.clone()),
    };
    Some(Edit { written, ..edit.clone() })
}

/// Writes what was there before the last edit.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    match model.undone.pop() {
        Some(edit) => vec![model.ask(Slot::Edits, Request::Edits(Question { edit, before: None }))],
        None => {
            super::tell(model, "nothing to undo".to_owned());
            Vec::new()
        }
    }
}

pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Failed(error) => {
            super::complain(model, error.line());
            Vec::new()
        }
        Answer::Done(question) => {
            let said = match question.before {
                Some(before) => {
                    model.undone.push(before);
                    let surplus = model.undone.len().saturating_sub(MOST_UNDONE);
                    model.undone.drain(..surplus);
                    format!("{} is written; U undoes it", question.edit.subject())
                }
                None => format!("{} is as it was", question.edit.subject()),
            };
            super::tell(model, said);
            super::refresh(model)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tags_are_read_as_they_are_written() {
        let tags = read_tags("domain=retail, cost-centre = 42,  pii=").unwrap();
        assert_eq!(written(&tags), "cost-centre=42, domain=retail, pii=");
        assert_eq!(read_tags(&written(&tags)).unwrap(), tags);
        assert!(read_tags("a=1, a=2").unwrap_err().contains("twice"));
        assert!(read_tags("alone").unwrap_err().contains("key=value"));
        assert!(read_tags(" , ").unwrap().is_empty());
    }
}
