//! What is copied: a name, a full reference, JSON, a statement, code.

use super::forms::subject;
use super::marks::Subject;
use super::{datasets, files, group, jobs, lineage, marks, record, sql, statistics};
use crate::model::FeatureGroup;
use crate::tui::clean::clean_lines;
use crate::tui::keymap::{Action, Focus};
use crate::tui::model::Model;
use crate::tui::model::grid::Grid;
use crate::tui::msg::Effect;
use crate::tui::snippets;
use crate::tui::units::counted;

/// Most text a terminal is asked to take into its clipboard; several refuse more.
const MOST_COPIED: usize = 74_994;

pub(super) fn copy(model: &mut Model, focus: Focus, action: Action) -> Vec<Effect> {
    let marked = marks::subjects(model, focus);
    let copied = match action {
        _ if marked.is_some() => marked.and_then(|marked| of_marked(&marked, action)),
        Action::CopySql if focus == Focus::Sql => Some((model.sql.editor.text(), "the statement".to_owned())),
        Action::CopyReference => reference(model).map(|text| (text.clone(), text)),
        Action::CopyJson => json(model, focus),
        Action::CopyCell => grid(model, focus).and_then(Grid::copied_cell),
        Action::CopySql => statement(model),
        Action::CopyCode => code(model),
        _ => plain(model, focus),
    };
    let Some((text, what)) = copied else {
        super::tell(model, "there is nothing of that kind to copy here".to_owned());
        return Vec::new();
    };
    if text.len() > MOST_COPIED {
        super::complain(model, format!("too much to copy: {} bytes; terminals take {MOST_COPIED}", text.len()));
        return Vec::new();
    }
    super::tell(model, format!("{what} sent to the terminal's clipboard"));
    vec![Effect::Copy(clean_lines(&text))]
}

/// Text to copy and what to call it.
fn plain(model: &Model, focus: Focus) -> Option<(String, String)> {
    match focus {
        Focus::Groups => model.group_under_cursor().map(|group| (group.name.to_string(), group.name.to_string())),
        Focus::Catalog => reference(model).map(|name| (name.clone(), name)),
        Focus::Overview | Focus::Schema | Focus::Use => group::copied(model),
        Focus::Record => record::copied(model),
        Focus::Lineage | Focus::LineageTab => lineage::copied(model),
        Focus::Sql => sql::copied(model),
        Focus::Datasets | Focus::DatasetsTab | Focus::Cells => datasets::copied(model),
        Focus::Rows => model.rows.grid.copied(),
        Focus::Files => files::copied(model),
        Focus::Jobs => jobs::copied(model),
        Focus::Stats | Focus::Drift => statistics::copied(model),
        _ => None,
    }
}

/// The rows that have the keys.
fn grid(model: &Model, focus: Focus) -> Option<&Grid> {
    match focus {
        Focus::Rows => Some(&model.rows.grid),
        Focus::Sql => Some(&model.sql.grid),
        Focus::Cells => model.datasets.open.as_ref().map(|open| &open.grid),
        _ => None,
    }
}

fn reference(model: &Model) -> Option<String> {
    let (group, feature) = subject(model)?;
    Some(match feature {
        Some(feature) => format!("{}.{feature}", group.name),
        None => group.name.to_string(),
    })
}

/// The record that is shown, or the definition of what is under the cursor.
fn json(model: &Model, focus: Focus) -> Option<(String, String)> {
    if focus == Focus::Record {
        return record::copied(model);
    }
    if let Some(grid) = grid(model, focus) {
        return grid.copied_json();
    }
    let (group, feature) = subject(model)?;
    let definition = definition(&group, feature.as_deref())?;
    Some((serde_json::to_string_pretty(&definition).ok()?, format!("{} as JSON", reference(model)?)))
}

/// What defines a group, or a feature of it.
fn definition(group: &FeatureGroup, feature: Option<&str>) -> Option<serde_json::Value> {
    let of_feature = |feature: &crate::model::FeatureDefinition| {
        serde_json::json!({
            "name": feature.name.as_str(),
            "type": feature.feature_type.to_string(),
            "description": feature.description,
            "parameters": feature.parameters,
        })
    };
    Some(match feature {
        Some(name) => {
            let feature = group.schema.features().iter().find(|known| known.name.as_str() == name)?;
            let mut definition = of_feature(feature);
            definition["group"] = group.name.as_str().into();
            definition
        }
        None => serde_json::json!({
            "name": group.name.as_str(),
            "description": group.description,
            "owner": group.owner,
            "tags": group.tags,
            "record_identifier": group.schema.identifier().name.as_str(),
            "event_time": group.schema.event_time().name.as_str(),
            "features": group.schema.features().iter().map(of_feature).collect::<Vec<_>>(),
        }),
    })
}

/// What is marked, all of it in one text.
fn of_marked(marked: &[Subject], action: Action) -> Option<(String, String)> {
    let count = marked.iter().map(|(_, features)| features.len().max(1) as u64).sum();
    let each = |subject: &Subject| {
        let (group, features) = subject;
        match features.is_empty() {
            true => vec![(group.clone(), None)],
            false => features.iter().map(|feature| (group.clone(), Some(feature.clone()))).collect(),
        }
    };
    let all = marked.iter().flat_map(each);
    Some(match action {
        Action::CopyJson => {
            let definitions: Vec<_> = all.filter_map(|(group, feature)| definition(&group, feature.as_deref())).collect();
            (serde_json::to_string_pretty(&definitions).ok()?, format!("{} as JSON", counted(count, "definition", "definitions")))
        }
        Action::CopySql => {
            let statements: Vec<String> = marked.iter().map(|(group, features)| snippets::statement(group, features)).collect();
            (statements.join(";\n\n"), counted(statements.len() as u64, "statement", "statements"))
        }
        Action::CopyCode => (snippets::training_dataset_of(marked)?, "a training dataset of what is marked".to_owned()),
        _ => {
            let name = |(group, feature): (std::sync::Arc<FeatureGroup>, Option<String>)| match feature {
                Some(feature) => format!("{}.{feature}", group.name),
                None => group.name.to_string(),
            };
            (all.map(name).collect::<Vec<_>>().join("\n"), counted(count, "name", "names"))
        }
    })
}

fn statement(model: &Model) -> Option<(String, String)> {
    let (group, feature) = subject(model)?;
    let features: Vec<String> = feature.into_iter().collect();
    Some((snippets::statement(&group, &features), "the statement".to_owned()))
}

fn code(model: &Model) -> Option<(String, String)> {
    let (group, feature) = subject(model)?;
    let all = snippets::of(&group, feature.as_deref(), super::shown_identifier(model).as_deref());
    let chosen = all.into_iter().find(|snippet| snippet.title.starts_with("Python"))?;
    Some((chosen.text, chosen.title.to_owned()))
}
