//! One group: the strip of tabs, the overview and the ready code.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{catalog, datasets, drift, facts, files, layout, lineage, overview, record, rows, statistics};
use crate::model::FeatureGroup;
use crate::tui::fit;
use crate::tui::matching::Query;
use crate::tui::model::Model;
use crate::tui::model::mouse::{Place, Target};
use crate::tui::model::screens::Tab;
use crate::tui::snippets;
use crate::tui::theme::{Theme, sign};
use crate::tui::update::shown_identifier;
use crate::tui::widgets::text::{put, span};

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let air = u16::from(body.height >= 14);
    let (tabs_area, rest) = layout::below(body, 1 + air);
    let Some(group) = model.open_group() else {
        let text = format!("{} is no longer in the store.", model.group_screen.name);
        put(frame.buffer_mut(), layout::indent(body, 3), 1, &Line::from(span(&text, theme.text)));
        return;
    };
    tabs(model, theme, frame, tabs_area);
    match model.group_screen.tab {
        Tab::Overview => overview(model, group, theme, frame, rest),
        Tab::Schema => catalog::schema(model, group, theme, frame, rest),
        Tab::Data => rows::draw(model, group, theme, frame, rest),
        Tab::Online => record::draw(model, group, theme, frame, rest),
        Tab::Files => files::draw(model, group, theme, frame, rest),
        Tab::Datasets => datasets::draw(model, theme, frame, rest),
        Tab::Use => code(model, group, theme, frame, rest),
        Tab::Stats => statistics::stats(model, theme, frame, rest),
        Tab::Drift => drift::draw(model, theme, frame, rest),
        Tab::Lineage => lineage::draw(model, theme, frame, rest),
    }
}

/// The strip of tabs; where not all fit it is scrolled so that the one shown and its neighbours are seen.
pub(super) fn tabs(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let shown = model.group_screen.tab;
    let mut spans = Vec::new();
    let mut x = area.x;
    let width = |(_, title): &(Tab, &str)| fit::width(title) + 3;
    let room = usize::from(area.width);
    let at = Tab::ALL.iter().position(|(tab, _)| *tab == shown).unwrap_or(0);
    let next = (at + 1).min(Tab::ALL.len() - 1);
    let first = (0..=at).find(|first| Tab::ALL[*first..=next].iter().map(width).sum::<usize>() <= room).unwrap_or(at);
    for (tab, title) in Tab::ALL.into_iter().skip(first) {
        if tab == shown {
            spans.push(Span::styled(sign::FOCUS, theme.accent));
            spans.push(Span::styled(title, theme.strong));
        } else {
            spans.push(Span::styled(format!(" {title}"), theme.muted));
        }
        spans.push(Span::raw("  "));
        let columns = fit::width(title) as u16 + 3;
        let place = Place { x, y: area.y, width: columns, height: 1 };
        model.targets.borrow_mut().push((place, Target::Tab(tab)));
        x += columns;
    }
    put(frame.buffer_mut(), area, 0, &Line::from(spans));
}

fn overview(model: &Model, group: &FeatureGroup, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let nothing = Query::parse("");
    let (left, right) = layout::halves(area);
    let inner = layout::indent(left, 1);
    let columns = inner.width.saturating_sub(3);
    let mut lines = facts::group_facts(model, group, &nothing, theme, columns);
    lines.extend(overview::lines(model, group, theme, columns));
    match right {
        Some(right) => {
            let right = layout::indent(right, 3);
            let rows = usize::from(right.height);
            for (row, line) in facts::feature_lines(group, &nothing, theme, right.width.saturating_sub(1), rows).iter().enumerate() {
                put(frame.buffer_mut(), right, row as u16, line);
            }
        }
        None => {
            lines.push(Line::default());
            lines.extend(facts::feature_lines(group, &nothing, theme, columns, usize::MAX));
        }
    }
    // The page scrolls as a whole: the cursor is the first line that must be seen, and stops where the last line is seen.
    let height = usize::from(inner.height);
    let list = &model.group_screen.overview;
    let first = list.at.min(lines.len().saturating_sub(height));
    let text_area = Rect { width: columns, ..inner };
    for (row, line) in lines.iter().skip(first).take(height).enumerate() {
        put(frame.buffer_mut(), text_area, row as u16, line);
    }
    if lines.len() > first + height && height > 0 {
        let more = Line::from(Span::styled("↓", theme.muted));
        put(frame.buffer_mut(), layout::indent(inner, inner.width.saturating_sub(2)), inner.height - 1, &more);
    }
}

fn code(model: &Model, group: &FeatureGroup, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let snippets = snippets::of(group, model.group_screen.feature.as_deref(), shown_identifier(model).as_deref());
    let chosen = model.group_screen.snippets.at;
    let mut lines: Vec<(bool, Line<'static>)> = Vec::new();
    let mut chosen_rows = 0..0;
    for (place, snippet) in snippets.iter().enumerate() {
        let is_chosen = place == chosen;
        let start = lines.len();
        let style = if is_chosen { theme.strong } else { theme.muted };
        lines.push((is_chosen, Line::from(Span::styled(snippet.title, style))));
        for part in snippet.text.lines() {
            let text = format!("  {}", crate::tui::clean::clean(part));
            lines.push((is_chosen, Line::from(Span::styled(text, if is_chosen { theme.text } else { theme.muted }))));
        }
        if is_chosen {
            chosen_rows = start..lines.len();
        }
        lines.push((false, Line::default()));
    }
    let height = usize::from(area.height);
    // The whole chosen snippet is seen if it fits at all.
    let first = chosen_rows.end.saturating_sub(height).min(chosen_rows.start);
    let inner = layout::indent(area, 2);
    for (row, (is_chosen, line)) in lines.iter().skip(first).take(height).enumerate() {
        if *is_chosen {
            put(frame.buffer_mut(), area, row as u16, &Line::from(Span::styled(sign::FOCUS, theme.accent)));
        }
        put(frame.buffer_mut(), inner, row as u16, line);
        let overflow = line.width() > usize::from(inner.width);
        if overflow {
            let edge = layout::indent(inner, inner.width.saturating_sub(1));
            put(frame.buffer_mut(), edge, row as u16, &Line::from(Span::styled(fit::cut("……", 1), theme.muted)));
        }
    }
}
