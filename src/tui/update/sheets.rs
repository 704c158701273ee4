//! What the screens show as rows under headings, to be written into a file.
//!
//! Numbers are whole and times are instants, not as they are cut and rounded on the screen.

use crate::model::{EventTime, FeatureGroup};
use crate::tui::keymap::Focus;
use crate::tui::model::Model;
use crate::tui::model::data::{Found, Version};
use crate::tui::model::export::{Cells, Sheet};
use crate::tui::model::statistics::Level;
use crate::tui::units::Micros;

/// The rows of the screen that has the keys, what they are called, and the name of a file for them; none if there are no rows.
pub(super) fn of(model: &Model, focus: Focus) -> Option<(&'static str, String, Sheet)> {
    let group = || model.group_screen.name.as_str();
    let (title, name, sheet) = match focus {
        Focus::Schema => ("export this schema", format!("{}-schema.csv", group()), schema(model)?),
        Focus::Stats => ("export these statistics", format!("{}-statistics.csv", group()), statistics(model)?),
        Focus::Drift => ("export this comparison", format!("{}-drift.csv", group()), drift(model)?),
        Focus::Files => ("export this list of files", format!("{}-files.csv", group()), files(model)?),
        Focus::Record => ("export the history of this record", format!("{}-history.csv", group()), history(model)?),
        Focus::Datasets | Focus::DatasetsTab => ("export this list of training datasets", "datasets.csv".to_owned(), datasets(model)?),
        Focus::Jobs => ("export these runs", "jobs.csv".to_owned(), jobs(model)?),
        _ => return None,
    };
    (sheet.rows() > 0).then_some((title, name, sheet))
}

fn texts<T>(rows: &[T], text: impl Fn(&T) -> Option<String>) -> Cells {
    Cells::Texts(rows.iter().map(text).collect())
}

fn counts<T>(rows: &[T], count: impl Fn(&T) -> Option<u64>) -> Cells {
    Cells::Counts(rows.iter().map(count).collect())
}

fn numbers<T>(rows: &[T], number: impl Fn(&T) -> Option<f64>) -> Cells {
    Cells::Numbers(rows.iter().map(number).collect())
}

fn instant(at: Micros) -> Option<String> {
    EventTime::from_unix_micros(at).map(|time| time.to_string())
}

fn schema(model: &Model) -> Option<Sheet> {
    let group = model.open_group()?;
    let listed = &model.group_screen.schema;
    let wanted = |place: &usize| {
        let feature = group.schema.features().get(*place)?;
        (listed.marks.is_empty() || listed.marks.contains(feature.name.as_str())).then_some(feature)
    };
    // What is marked is meant, also where a filter hides it.
    let rows: Vec<_> = match listed.marks.is_empty() {
        true => listed.rows.iter().filter_map(wanted).collect(),
        false => (0..group.schema.len()).filter_map(|place| wanted(&place)).collect(),
    };
    let role = |name: &str| match () {
        () if group.schema.identifier().name.as_str() == name => Some("record identifier".to_owned()),
        () if group.schema.event_time().name.as_str() == name => Some("event time".to_owned()),
        () => None,
    };
    Some(Sheet::new([
        ("feature", texts(&rows, |feature| Some(feature.name.to_string()))),
        ("type", texts(&rows, |feature| Some(feature.type_text()))),
        ("role", texts(&rows, |feature| role(feature.name.as_str()))),
        ("description", texts(&rows, |feature| feature.description.clone())),
        ("parameters", texts(&rows, |feature| pairs(&feature.parameters))),
    ]))
}

fn pairs(of: &std::collections::BTreeMap<String, String>) -> Option<String> {
    (!of.is_empty()).then(|| of.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", "))
}

fn statistics(model: &Model) -> Option<Sheet> {
    let rows = model.statistics.numbers.value()?.features.as_slice();
    let mut sheet = Sheet::new([
        ("feature", texts(rows, |feature| Some(feature.name.clone()))),
        ("type", texts(rows, |feature| Some(feature.kind.clone()))),
        ("rows", counts(rows, |feature| Some(feature.rows))),
        ("nulls", counts(rows, |feature| Some(feature.nulls))),
        ("distinct", numbers(rows, |feature| feature.read.then_some(feature.distinct.0))),
        ("distinct_is_exact", texts(rows, |feature| feature.read.then(|| feature.distinct.1.to_string()))),
        ("least", texts(rows, |feature| feature.bounds.as_ref().map(|bounds| bounds.0.clone()))),
        ("greatest", texts(rows, |feature| feature.bounds.as_ref().map(|bounds| bounds.1.clone()))),
        ("mean", numbers(rows, |feature| feature.mean)),
        ("standard_deviation", numbers(rows, |feature| feature.std)),
    ]);
    let names = rows.iter().map(|feature| &feature.quantiles).max_by_key(|quantiles| quantiles.len());
    for (name, _) in names.into_iter().flatten() {
        let value = texts(rows, |feature| feature.quantiles.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()));
        sheet.columns.push(((*name).to_owned(), value));
    }
    Some(sheet)
}

fn drift(model: &Model) -> Option<Sheet> {
    let rows = model.statistics.drift.value()?.features.as_slice();
    let word = |level| match level {
        Level::Few => "few",
        Level::Ok => "ok",
        Level::Watch => "watch",
        Level::Alert => "alert",
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, ..) in rows.iter().flat_map(|feature| &feature.measures) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let mut sheet = Sheet::new([
        ("feature", texts(rows, |feature| Some(feature.name.clone()))),
        ("level", texts(rows, |feature| Some(word(feature.level).to_owned()))),
    ]);
    for name in names {
        let value = numbers(rows, |feature| feature.measures.iter().find(|measure| measure.0 == name).map(|measure| measure.1));
        sheet.columns.push((name.to_owned(), value));
    }
    Some(sheet)
}

fn files(model: &Model) -> Option<Sheet> {
    let rows = model.files.files.value()?.files.as_slice();
    Some(Sheet::new([
        ("file", texts(rows, |file| Some(file.name.clone()))),
        ("rows", counts(rows, |file| file.rows)),
        ("bytes", counts(rows, |file| Some(file.bytes))),
        ("earliest_event_time", texts(rows, |file| instant(file.times?.0))),
        ("latest_event_time", texts(rows, |file| instant(file.times?.1))),
        ("least_identifier", texts(rows, |file| file.identifiers.as_ref().map(|ends| ends.0.clone()))),
        ("greatest_identifier", texts(rows, |file| file.identifiers.as_ref().map(|ends| ends.1.clone()))),
        ("delta_version", counts(rows, |file| file.version)),
        ("written", texts(rows, |file| instant(file.written?))),
    ]))
}

/// Every version of a record with all its values, oldest first; of one that has no history what is served now.
fn history(model: &Model) -> Option<Sheet> {
    let (group, found) = (model.open_group()?, model.group_screen.record.found.value()?);
    Some(versions(group, found))
}

fn versions(group: &FeatureGroup, found: &Found) -> Sheet {
    let rows: Vec<&Version> = match found.versions.is_empty() {
        true => found.current.iter().collect(),
        false => found.versions.iter().collect(),
    };
    let mut sheet = Sheet::new([]);
    for (place, feature) in group.schema.features().iter().enumerate() {
        let values = texts(&rows, |version| match place {
            // A tombstone has no values, but it is one of this record and of its time.
            _ if place == group.schema.identifier_position() => Some(found.identifier.clone()),
            _ if place == group.schema.event_time_position() => Some(version.event_time_text.clone()),
            _ if version.deleted => None,
            _ => version.values.get(place)?.as_ref().map(|value| value.text.clone()),
        });
        sheet.columns.push((feature.name.to_string(), values));
    }
    sheet.columns.push(("write_time".to_owned(), texts(&rows, |version| instant(version.write_time?))));
    sheet.columns.push(("is_deleted".to_owned(), texts(&rows, |version| Some(version.deleted.to_string()))));
    sheet
}

fn datasets(model: &Model) -> Option<Sheet> {
    let rows = model.datasets.datasets.value()?.as_slice();
    Some(Sheet::new([
        ("dataset", texts(rows, |dataset| Some(dataset.name.clone()))),
        ("version", counts(rows, |dataset| Some(dataset.version))),
        ("rows", counts(rows, |dataset| Some(dataset.rows))),
        ("built", texts(rows, |dataset| instant(dataset.built))),
        ("description", texts(rows, |dataset| dataset.description.clone())),
        ("file", texts(rows, |dataset| Some(dataset.path.clone()))),
        ("rows_hash", texts(rows, |dataset| Some(dataset.hash.clone()))),
    ]))
}

fn jobs(model: &Model) -> Option<Sheet> {
    let rows = model.jobs.runs.value()?.as_slice();
    Some(Sheet::new([
        ("run", texts(rows, |run| Some(run.id.clone()))),
        ("job", texts(rows, |run| Some(run.kind.to_owned()))),
        ("state", texts(rows, |run| Some(run.state.to_owned()))),
        ("group", texts(rows, |run| run.group.clone())),
        ("rows_seen", counts(rows, |run| Some(run.rows.0))),
        ("rows_taken", counts(rows, |run| Some(run.rows.1))),
        ("rows_refused", counts(rows, |run| Some(run.rows.2))),
        ("began", texts(rows, |run| instant(run.started))),
        ("last_moved", texts(rows, |run| instant(run.updated))),
        ("message", texts(rows, |run| run.message.clone())),
    ]))
}
