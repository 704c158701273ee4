//! Editing in place: descriptions, tags and owners, and the way back from each edit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{FeatureDefinition, FeatureGroup};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::edits::{Answer, Edit, Question, Written};
use crate::tui::model::layer::{Form, Layer, Purpose};
use crate::tui::model::line::Line;
use crate::tui::msg::{Effect, Request, Slot};

/// Edits that can be undone.
const MOST_UNDONE: usize = 100;

/// Opens a form for the description of what is under the cursor.
pub(super) fn describe(model: &mut Model) -> Vec<Effect> {
    write(model, "DESCRIPTION", "empty removes it", |group, feature| {
        Written::Description(feature.map_or(&group.description, |feature| &feature.description).clone())
    })
}

/// Opens a form for its tags or parameters.
pub(super) fn tag(model: &mut Model) -> Vec<Effect> {
    let note = "key=value, key=value; a comma in a value as \\,";
    write(model, "TAGS", note, |group, feature| Written::Tags(feature.map_or(&group.tags, |feature| &feature.parameters).clone()))
}

/// Opens a form for the owner of the group.
pub(super) fn own(model: &mut Model) -> Vec<Effect> {
    write(model, "OWNER", "empty removes it", |group, _| Written::Owner(group.owner.clone()))
}

fn write(
    model: &mut Model,
    label: &'static str,
    note: &'static str,
    read: impl FnOnce(&FeatureGroup, Option<&FeatureDefinition>) -> Written,
) -> Vec<Effect> {
    let Some((group, feature)) = subject(model) else { return Vec::new() };
    if model.read_only {
        super::complain(model, "the store is open read-only; start without --read-only to edit".to_owned());
        return Vec::new();
    }
    let definition = feature.as_ref().and_then(|name| group.schema.features().iter().find(|known| known.name.as_str() == name));
    let written = read(&group, definition);
    let note = match model.origins.contains_key(group.name.as_str()) {
        true if matches!(written, Written::Tags(_)) => note,
        true => "a note of yours; empty shows what the source says",
        false => note,
    };
    // A feature has no owner of its own.
    let feature = feature.filter(|_| !matches!(written, Written::Owner(_)));
    let title = feature.as_ref().map_or_else(|| group.name.to_string(), |feature| format!("{}.{feature}", group.name));
    let line = Line::new(in_one_line(&written));
    let purpose = Purpose::Write(Edit { group: group.name.to_string(), feature, written });
    model.layer = Some(Layer::Form(Form { title, label, note, line, purpose, complaint: None }));
    Vec::new()
}

/// Group, and feature if one is under the cursor.
pub(super) fn subject(model: &Model) -> Option<(Arc<FeatureGroup>, Option<String>)> {
    use crate::tui::model::screens::{Screen, Tab};
    match model.screen {
        Screen::Groups => Some((model.group_under_cursor()?.clone(), None)),
        Screen::Catalog => {
            let (group, _) = model.feature_under_cursor()?;
            Some((group.clone(), super::catalog::named_under_cursor(model).map(|(_, feature)| feature)))
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

/// What is written, as it is edited.
fn in_one_line(written: &Written) -> String {
    match written {
        Written::Description(text) | Written::Owner(text) => text.clone().unwrap_or_default(),
        Written::Tags(tags) => {
            let escaped = |text: &str| text.replace('\\', "\\\\").replace(',', "\\,");
            tags.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Reads what was edited; of the kind that was written before.
fn read_line(before: &Written, text: &str) -> Result<Written, String> {
    let some = || Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(match before {
        Written::Description(_) => Written::Description(some()),
        Written::Owner(_) => Written::Owner(some()),
        Written::Tags(_) => Written::Tags(read_tags(text)?),
    })
}

/// Reads `key=value, key=value`; a backslash takes a comma, or itself, as part of the text.
fn read_tags(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => parts.push(String::new()),
            '\\' => parts.last_mut().into_iter().for_each(|part| part.extend(characters.next())),
            other => parts.last_mut().into_iter().for_each(|part| part.push(other)),
        }
    }
    let mut tags = BTreeMap::new();
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("'{part}' has no value; write key=value"))?;
        if tags.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(format!("'{}' stands there twice", key.trim()));
        }
    }
    Ok(tags)
}

/// Sends what was typed; the form stays open with a complaint if it can't be read.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Form(mut form)) = model.layer.take() else { return Vec::new() };
    let before = match form.purpose {
        Purpose::Export(what) => return super::exports::send(model, what, form.line.text().trim().to_owned()),
        Purpose::Pin(group) => return super::statistics::pin(model, group, form.line.text().trim().to_owned()),
        // What nobody touched is not written again, however it reads.
        Purpose::Write(ref before) if form.line.text() == in_one_line(&before.written) => return Vec::new(),
        Purpose::Write(ref before) => before.clone(),
    };
    match read_line(&before.written, form.line.text()) {
        Ok(written) if written == before.written => Vec::new(),
        Ok(written) => {
            let noted = model.origins.get(&before.group).map(|origin| origin.local.clone()).unwrap_or_default();
            let question = Question { edit: Edit { written, ..before.clone() }, before: before.written, undoes: false, noted };
            vec![model.ask(Slot::Edits, Request::Edits(question))]
        }
        Err(complaint) => {
            form.complaint = Some(complaint);
            model.layer = Some(Layer::Form(form));
            Vec::new()
        }
    }
}

/// Goes back on the last edit.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    match model.written.pop() {
        Some(done) => vec![model.ask(Slot::Edits, Request::Edits(done.undone()))],
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
            let said = if question.undoes {
                format!("{} is as it was", question.edit.subject())
            } else {
                let key = model.keymap.shown(model.focus(), Action::UndoEdit);
                let way_back = key.map(|key| format!("; {key} undoes it")).unwrap_or_default();
                let done = if model.origins.contains_key(&question.edit.group) { "noted here" } else { "written" };
                format!("{} is {done}{way_back}", question.edit.subject())
            };
            if !question.undoes {
                model.written.push(question);
                let surplus = model.written.len().saturating_sub(MOST_UNDONE);
                model.written.drain(..surplus);
            }
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
        let written = |tags: &BTreeMap<String, String>| in_one_line(&Written::Tags(tags.clone()));
        let tags = read_tags("domain=retail, cost-centre = 42,  pii=").unwrap();
        assert_eq!(written(&tags), "cost-centre=42, domain=retail, pii=");
        for odd in ["a,b", "a, b=2", "\\", "\\,", ",", "x=y"] {
            let tags = BTreeMap::from([("key".to_owned(), odd.to_owned()), ("other".to_owned(), "1".to_owned())]);
            assert_eq!(read_tags(&written(&tags)).unwrap(), tags, "{odd}");
        }
        assert!(read_tags("a=1, a=2").unwrap_err().contains("twice"));
        assert!(read_tags("alone").unwrap_err().contains("key=value"));
        assert!(read_tags(" , ").unwrap().is_empty());
    }
}
