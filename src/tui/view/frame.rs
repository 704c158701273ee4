//! What stands around every screen: the first line, the hints, the messages.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use super::states::spinner;
use crate::tui::fit;
use crate::tui::keymap::{self, Action, Focus};
use crate::tui::model::Model;
use crate::tui::model::mouse::{Place, Target};
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::model::statistics::Level;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{ago, counted, latency};
use crate::tui::update::result_facts;
use crate::tui::widgets::{hints, text};

/// The first line: where one is at the left, how it stands at the right. What doesn't fit leaves from the right.
pub(super) fn header(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut steps: Vec<String> = vec![model.place.clone()];
    match model.screen {
        Screen::Catalog | Screen::Groups if model.is_empty_store() => {}
        Screen::Catalog => steps.push("catalog".to_owned()),
        Screen::Groups => steps.push("groups".to_owned()),
        Screen::Lineage => steps.push("lineage".to_owned()),
        Screen::Sql => steps.push("sql".to_owned()),
        Screen::Datasets => steps.push("datasets".to_owned()),
        Screen::Jobs => steps.push("jobs".to_owned()),
        Screen::Group => {
            steps.push(model.group_screen.name.clone());
            steps.extend(model.group_screen.feature.clone());
            let record = &model.group_screen.record;
            if let (Tab::Online, false, Some(found)) = (model.group_screen.tab, record.typing, record.found.value()) {
                steps.push(found.identifier.clone());
            }
        }
    }
    let mut spans = vec![Span::styled(" larder", theme.accent.patch(theme.strong)), Span::raw("  ")];
    let mut facts = facts(model);
    let marks = marks(model, theme);
    let facts_width = |facts: &[String]| joined(facts, theme).iter().chain(&marks).map(Span::width).sum::<usize>();
    // Where one is comes before how it stands, unless its names are endless.
    let whole: usize = steps.iter().map(|step| fit::width(step) + 3).sum();
    let width = usize::from(area.width);
    let room = width.saturating_sub(9 + facts_width(&facts) + 2).max((width * 3 / 5).min(whole)).min(width.saturating_sub(10));
    let last = steps.len() - 1;
    let mut left = room;
    for (place, step) in steps.iter().enumerate() {
        let share = if place == last { left } else { left.saturating_sub(8).min(room / 2) };
        let shown = fit::cut_middle(&crate::tui::clean::clean(step), share);
        left = left.saturating_sub(fit::width(&shown) + 3);
        spans.push(Span::styled(shown, if place == last { theme.strong } else { theme.text }));
        if place != last {
            spans.push(Span::styled(format!(" {} ", sign::STEP), theme.muted));
        }
    }
    let line = Line::from(spans);
    let taken = line.width();
    text::put(frame.buffer_mut(), area, 0, &line);
    while !facts.is_empty() && taken + 2 + facts_width(&facts) > width {
        facts.remove(0);
    }
    let mut right = joined(&facts, theme);
    right.extend(marks);
    text::put_right(frame.buffer_mut(), area, 0, taken as u16 + 1, &Line::from(right));
}

fn joined(facts: &[String], theme: &Theme) -> Vec<Span<'static>> {
    vec![Span::styled(facts.join(" · "), theme.muted)]
}

/// Facts for the right of the first line, the most important last.
fn facts(model: &Model) -> Vec<String> {
    let mut facts: Vec<String> = Vec::new();
    match model.screen {
        Screen::Catalog | Screen::Groups => {
            if let Some(groups) = model.groups.value() {
                if groups.is_empty() {
                    facts.push("empty".to_owned());
                } else {
                    let features: usize = groups.iter().map(|group| group.schema.len()).sum();
                    let records: u64 = model.summaries.values().filter_map(|summary| summary.value()).map(|summary| summary.records).sum();
                    facts.push(counted(groups.len() as u64, "group", "groups"));
                    facts.push(counted(features as u64, "feature", "features"));
                    facts.push(counted(records, "record", "records"));
                }
            }
        }
        Screen::Sql => facts.extend(result_facts(model)),
        Screen::Lineage | Screen::Datasets | Screen::Jobs => {}
        Screen::Group => {
            let found = model.group_screen.record.found.value().and_then(|found| found.latency);
            match (model.group_screen.tab, found) {
                (Tab::Online, Some(micros)) => {
                    facts.push("online store".to_owned());
                    facts.push(latency(micros));
                }
                _ => {
                    if let Some(summary) = model.summary(&model.group_screen.name) {
                        facts.push(counted(summary.records, "record", "records"));
                        if let Some(newest) = summary.newest {
                            facts.push(format!("newest {}", ago(newest, model.now)));
                        }
                    }
                }
            }
        }
    }
    facts
}

/// Signs at the end of the first line: waiting, trouble, read-only.
fn marks(model: &Model, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    if let Some(mark) = spinner(model, model.waiting_since()) {
        spans.push(Span::styled(format!("  {mark}"), theme.accent));
    } else if model.groups.value().is_some() && model.groups.error().is_some() {
        spans.push(Span::styled(format!("  {} not refreshed", sign::BAD), theme.bad));
    }
    let drifting = model.known.evidence.value().map_or(0, |evidence| evidence.at(Level::Alert));
    if drifting > 0 && matches!(model.screen, Screen::Catalog | Screen::Groups) {
        spans.push(Span::styled(format!("  {} {drifting} drifting", sign::WATCH), theme.watch));
    }
    if model.read_only {
        spans.push(Span::styled("  read-only", theme.watch));
    }
    spans.push(Span::raw(" "));
    spans
}

/// The last line.
pub(super) fn hints(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let focus = model.focus();
    let mut pairs: Vec<(String, &str)> = Vec::new();
    let mut actions: Vec<Action> = Vec::new();
    let no_datasets = model.datasets.datasets.value().is_some_and(Vec::is_empty);
    for action in keymap::hinted(focus) {
        let versions = model.group_screen.record.found.value().map_or(0, |found| found.versions.len());
        let pointless = match action {
            Action::Open => is_at_a_feature(model) || (is_at_datasets(focus) && no_datasets),
            Action::SortDrift => is_at_a_feature(model),
            Action::Verify | Action::MarkDataset | Action::Compare => no_datasets,
            Action::Cancel => {
                let asked = model.screen == Screen::Sql && (model.sql.grid.rows.waiting_since().is_some() || model.sql.exporting.is_some());
                model.demo.waiting_since().is_none() && !asked
            }
            Action::OtherList => model.screen == Screen::Group,
            Action::CheckExpectations => model.origins.contains_key(&model.group_screen.name),
            Action::Filter if focus == Focus::Waiting => {
                model.groups.error().is_some() || !matches!(model.screen, Screen::Catalog | Screen::Groups)
            }
            Action::PutRecord | Action::DeleteRecord | Action::PinBaseline | Action::Export | Action::ExportList => model.read_only,
            Action::FillDemo => model.read_only || model.demo.waiting_since().is_some(),
            Action::Older | Action::Newer | Action::Oldest | Action::Newest => versions < 2,
            _ => false,
        };
        if pointless {
            continue;
        }
        let (Some(key), Some(entry)) = (model.keymap.shown(focus, *action), keymap::entry(*action)) else { continue };
        // Neighbours with the same word share it: `↓ ↑ move`, `← → step`.
        match pairs.last_mut() {
            Some((keys, word)) if *word == entry.hint => keys.push_str(&format!(" {key}")),
            _ => {
                pairs.push((key, entry.hint));
                actions.push(*action);
            }
        }
    }
    for (at, x, width) in hints::draw(frame.buffer_mut(), area, &pairs, theme) {
        if let Some(action) = actions.get(at) {
            model.targets.borrow_mut().push((Place { x, y: area.y, width, height: 1 }, Target::Act(*action)));
        }
    }
}

/// On the page of a feature there is none to open.
fn is_at_a_feature(model: &Model) -> bool {
    model.screen == Screen::Group && model.group_screen.feature.is_some() && matches!(model.group_screen.tab, Tab::Stats | Tab::Drift)
}

fn is_at_datasets(focus: Focus) -> bool {
    matches!(focus, Focus::Datasets | Focus::DatasetsTab)
}

/// Messages at the lower right of the screen, latest lowest.
pub(super) fn toasts(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    for (place, toast) in model.toasts.iter().rev().enumerate() {
        let Some(y) = body.bottom().checked_sub(place as u16 + 1).filter(|y| *y >= body.y) else { return };
        let (mark, style) = if toast.is_error { (sign::BAD, theme.bad) } else { (sign::GOOD, theme.good) };
        let room = usize::from(body.width).saturating_sub(6);
        let said = fit::cut(&crate::tui::clean::clean(&toast.text), room);
        let width = (fit::width(&said) + 4) as u16;
        let area = Rect { x: body.right().saturating_sub(width + 1), y, width, height: 1 };
        Clear.render(area, frame.buffer_mut());
        let line = Line::from(vec![Span::styled(format!(" {mark} "), style), Span::styled(said, theme.strong), Span::raw(" ")]);
        text::put(frame.buffer_mut(), area, 0, &line);
    }
}
