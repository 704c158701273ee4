//! Putting and deleting records by hand: the form, the look at what would change, the answer.

use crate::model::{EventTime, FeatureDefinition, FeatureGroup, FeatureType};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::data::Version;
use crate::tui::model::layer::Layer;
use crate::tui::model::line::Line;
use crate::tui::model::list::{List, Move};
use crate::tui::model::writes::{Act, Answer, Field, Question, RecordForm};
use crate::tui::msg::{Effect, Request, Slot};
use crate::tui::units::Micros;

/// Places of the fields of a delete.
const TYPED: usize = 0;
const WHEN: usize = 1;
const HARD: usize = 2;

/// An action on the record that is shown.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::PutRecord => open(model, put_form),
        Action::DeleteRecord => open(model, delete_form),
        _ => Vec::new(),
    }
}

fn open(model: &mut Model, form: fn(&Model, &FeatureGroup) -> Option<RecordForm>) -> Vec<Effect> {
    if model.read_only {
        super::complain(model, "the store is open read-only; start without --read-only to write records".to_owned());
        return Vec::new();
    }
    let Some(group) = model.open_group().cloned() else { return Vec::new() };
    if group.is_external() {
        super::complain(model, format!("{} is read in place and never written", group.name));
        return Vec::new();
    }
    if let Some(form) = form(model, &group) {
        model.layer = Some(Layer::Record(Box::new(form)));
    }
    Vec::new()
}

/// A field for each feature with the value of the version that is shown; the event time is now.
fn put_form(model: &Model, group: &FeatureGroup) -> Option<RecordForm> {
    let record = &model.group_screen.record;
    let found = record.found.value();
    let shown = found.and_then(|found| found.versions.get(record.version).or(found.current.as_ref()));
    let online = found.and_then(|found| found.current.as_ref());
    let identifier = found.map(|found| found.identifier.clone()).unwrap_or_default();
    let schema = &group.schema;
    let field = |(place, feature): (usize, &FeatureDefinition)| {
        let text = match place {
            _ if place == schema.identifier_position() => identifier.clone(),
            _ if place == schema.event_time_position() => at(model.now, feature.feature_type),
            _ => typed(shown, place),
        };
        Field {
            name: feature.name.to_string(),
            kind: feature.type_text(),
            line: Line::new(text),
            before: typed(online, place),
            is_key: place == schema.identifier_position() || place == schema.event_time_position(),
        }
    };
    let fields: Vec<Field> = schema.features().iter().enumerate().map(field).collect();
    let first =
        if identifier.is_empty() { schema.identifier_position() } else { fields.iter().position(|field| !field.is_key).unwrap_or(0) };
    Some(RecordForm {
        group: group.name.to_string(),
        act: Act::Put(schema.identifier_position()),
        fields,
        list: List::at(first),
        confirming: false,
        sent: false,
        complaint: None,
    })
}

fn delete_form(model: &Model, group: &FeatureGroup) -> Option<RecordForm> {
    let identifier = super::shown_identifier(model)?;
    let field = |name: &str, kind: String, text: String| Field {
        name: name.to_owned(),
        kind,
        line: Line::new(text),
        before: String::new(),
        is_key: false,
    };
    let fields = vec![
        field("type it", format!("{identifier} to delete it"), String::new()),
        field("event time", "since when it is gone".to_owned(), at(model.now, group.schema.event_time().feature_type)),
        field("hard", "yes removes the record online; no leaves a tombstone".to_owned(), "no".to_owned()),
    ];
    Some(RecordForm {
        group: group.name.to_string(),
        act: Act::Delete(identifier),
        fields,
        list: List::default(),
        confirming: false,
        sent: false,
        complaint: None,
    })
}

/// A value as it is typed: nothing for null, `""` for the empty text.
fn typed(version: Option<&Version>, place: usize) -> String {
    let value = version.filter(|version| !version.deleted).and_then(|version| version.values.get(place)?.as_ref());
    match value {
        Some(value) if value.text.is_empty() => "\"\"".to_owned(),
        Some(value) => value.text.clone(),
        None => String::new(),
    }
}

fn at(now: Micros, kind: FeatureType) -> String {
    let Some(time) = EventTime::from_unix_micros(now) else { return String::new() };
    match kind {
        FeatureType::String => time.to_iso8601(),
        _ => format!("{}", now as f64 / 1e6),
    }
}

/// Enter: to the look at what would change, then to the store.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Record(form)) = &mut model.layer else { return Vec::new() };
    if form.sent {
        return Vec::new();
    }
    let question = match question(form) {
        Ok(question) => question,
        Err(complaint) => {
            form.complaint = Some(complaint);
            return Vec::new();
        }
    };
    // A delete was confirmed by typing whom.
    if matches!(form.act, Act::Put(_)) && !form.confirming {
        form.confirming = true;
        return Vec::new();
    }
    form.sent = true;
    vec![model.ask(Slot::Write, Request::Writes(question))]
}

fn question(form: &RecordForm) -> Result<Question, String> {
    let identifier = match &form.act {
        Act::Put(place) => form.text(*place).to_owned(),
        Act::Delete(identifier) => return delete(form, identifier),
    };
    if let Some(missing) = form.fields.iter().find(|field| field.is_key && field.line.is_empty()) {
        return Err(format!("{} must not be empty", missing.name));
    }
    let text = |field: &Field| match field.line.text() {
        "\"\"" => String::new(),
        text => text.to_owned(),
    };
    let values = form.fields.iter().filter(|field| !field.line.is_empty()).map(|field| (field.name.clone(), text(field))).collect();
    Ok(Question::Put { group: form.group.clone(), identifier, values })
}

fn delete(form: &RecordForm, identifier: &str) -> Result<Question, String> {
    if form.text(TYPED) != identifier {
        return Err(format!("type {identifier} to delete it"));
    }
    let hard = match form.text(HARD).trim() {
        "yes" => true,
        "no" | "" => false,
        other => return Err(format!("hard is yes or no, not '{other}'")),
    };
    let event_time = form.text(WHEN).trim().to_owned();
    Ok(Question::Delete { group: form.group.clone(), identifier: identifier.to_owned(), event_time, hard })
}

/// Esc: from the look at the changes back to the fields; true if that was it.
pub(super) fn back_to_fields(form: &mut RecordForm) -> bool {
    let was_confirming = form.confirming;
    form.confirming = false;
    was_confirming
}

/// Moves the caret to another field.
pub(super) fn go(form: &mut RecordForm, to: Move) {
    if !form.confirming {
        form.list.go(to, form.fields.len());
    }
}

/// The line that is typed into; none while what would change is looked at.
pub(super) fn line(form: &mut RecordForm) -> Option<&mut Line> {
    form.complaint = None;
    if form.confirming { None } else { form.fields.get_mut(form.list.at).map(|field| &mut field.line) }
}

/// Takes an answer in.
pub(super) fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Done(identifier, said) => {
            if matches!(model.layer, Some(Layer::Record(_))) {
                model.layer = None;
            }
            super::tell(model, said);
            super::record::look_up(model, identifier)
        }
        Answer::Failed(error) => {
            match &mut model.layer {
                Some(Layer::Record(form)) => {
                    form.sent = false;
                    form.confirming = false;
                    form.complaint = Some(error.line());
                }
                _ => super::complain(model, error.line()),
            }
            Vec::new()
        }
    }
}
