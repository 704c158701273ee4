//! A pane that has nothing to show yet: waiting, failed, nothing found, an empty store.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::layout;
use crate::tui::fit;
use crate::tui::model::data::Origin;
use crate::tui::model::filtered::Filtered;
use crate::tui::model::remote::{ErrorText, Remote};
use crate::tui::model::{Model, PATIENCE, SPINNER_STEP};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{Micros, exact, span as time_span};
use crate::tui::widgets::text::{put, span};

/// The step of the spinner to show, once waiting has become noticeable.
pub(super) fn spinner(model: &Model, since: Option<Micros>) -> Option<&'static str> {
    let waited = model.now.saturating_sub(since?);
    if waited < PATIENCE {
        return None;
    }
    let step = (waited / SPINNER_STEP) as usize % sign::SPINNER.len();
    sign::SPINNER.get(step).copied()
}

/// True once data should look out of date: renewing it failed, or takes noticeably long. A fast refresh doesn't flash.
pub(super) fn looks_old<T>(model: &Model, remote: &Remote<T>) -> bool {
    match remote {
        Remote::Failed(_, Some(_)) => true,
        Remote::Stale(_, since) => model.now.saturating_sub(*since) >= PATIENCE,
        _ => false,
    }
}

/// Fades what stands there: old data, or what lies behind something. A ground of its own goes too, since faded text would not be read on it;
/// what is chosen keeps its sign.
pub(super) fn fade(buffer: &mut Buffer, area: Rect, style: Style) {
    buffer.set_style(area, Style { bg: Some(Color::Reset), ..style });
}

/// A pane whose data is on its way. Draws nothing at first, so that a fast answer doesn't flash.
pub(super) fn loading(model: &Model, since: Option<Micros>, what: &str, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some(mark) = spinner(model, since) else { return };
    let waited = model.now.saturating_sub(since.unwrap_or(model.now));
    let line = Line::from(vec![
        Span::styled(format!("   {mark} "), theme.accent),
        Span::styled(format!("{what}  {}", time_span(waited)), theme.muted),
    ]);
    put(frame.buffer_mut(), area, 1, &line);
}

/// A pane whose data could not be had.
pub(super) fn failed(error: &ErrorText, what: &str, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let inner = layout::indent(area, 3);
    let columns = usize::from(inner.width.saturating_sub(2));
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{} ", sign::BAD), theme.bad),
        Span::styled(format!("{what} could not be read"), theme.strong),
    ])];
    lines.push(Line::default());
    for part in [Some(&error.what), error.why.as_ref()].into_iter().flatten() {
        lines.extend(fit::wrap(part, columns.saturating_sub(2)).iter().map(|part| Line::from(span(&format!("  {part}"), theme.text))));
    }
    if let Some(remedy) = &error.remedy {
        lines.push(Line::default());
        lines.extend(fit::wrap(remedy, columns.saturating_sub(2)).iter().map(|part| Line::from(span(&format!("  {part}"), theme.accent))));
    }
    lines.push(Line::default());
    lines.push(Line::from(vec![Span::styled("  r", theme.key), Span::styled(" try again", theme.muted)]));
    for (row, line) in lines.iter().enumerate() {
        put(frame.buffer_mut(), inner, row as u16 + 1, line);
    }
}

/// A list that a filter left empty; `elsewhere` says what of the other list matches.
pub(super) fn nothing(filtered: &Filtered, what: &str, elsewhere: Option<String>, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let inner = layout::indent(area, 3);
    let room = usize::from(inner.width).saturating_sub(fit::width(what) + 16);
    let line = Line::from(vec![
        Span::styled(format!("No {what} matches "), theme.text),
        Span::styled(fit::cut(&crate::tui::clean::clean(filtered.line.text()), room), theme.strong),
        Span::styled(".", theme.text),
    ]);
    put(frame.buffer_mut(), inner, 1, &line);
    let mut ways = vec![("Esc", "clears the filter".to_owned())];
    if let Some(other) = elsewhere {
        ways.insert(0, (if filtered.typing { "Tab" } else { "/ Tab" }, other));
    }
    for (row, (key, text)) in ways.into_iter().enumerate() {
        let line = Line::from(vec![Span::styled(format!("{key:<6}"), theme.key), Span::styled(text, theme.muted)]);
        put(frame.buffer_mut(), inner, row as u16 + 3, &line);
    }
}

/// A tab of a group that a sync brought in: its rows are not here.
pub(super) fn elsewhere(model: &Model, origin: &Origin, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let air = u16::from(area.height >= 14);
    super::group::tabs(model, theme, frame, layout::below(area, 1 + air).0);
    let inner = layout::indent(layout::below(area, 2 + air).1, 3);
    let lines = [
        vec![Span::styled("Its rows are not in this store. ", theme.text), Span::styled(format!("⇣ {}", origin.source), theme.strong)],
        vec![Span::styled("what a sync brought in stands under Overview, Schema, Stats and Lineage; Online asks its source", theme.muted)],
    ];
    for (row, spans) in lines.into_iter().enumerate() {
        put(frame.buffer_mut(), inner, row as u16, &Line::from(spans));
    }
}

/// The page of an empty store.
pub(super) fn first_run(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let lift = (area.height / 6).min(6);
    let (_, area) = layout::below(area, lift);
    let inner = layout::indent(area, 6.min(area.width / 12));
    let columns = usize::from(inner.width);
    let mut lines = vec![Line::from(Span::styled("Nothing on the shelf yet.", theme.strong)), Line::default()];
    let ways: [(&str, &str); 2] = [
        ("larder create NAME --from FILE --id COLUMN --event-time COLUMN", "a feature group from your own Parquet, CSV or JSON lines"),
        ("larder ingest NAME FILE…", "its records, into the online and the offline store"),
    ];
    let mut own = Vec::new();
    for (command, meaning) in ways {
        own.extend(fit::wrap(command, columns).into_iter().map(|part| Line::from(Span::styled(part, theme.accent))));
        own.extend(
            fit::wrap(meaning, columns.saturating_sub(2))
                .into_iter()
                .map(|part| Line::from(Span::styled(format!("  {part}"), theme.muted))),
        );
        own.push(Line::default());
    }
    let demo = match &model.demo {
        Remote::Idle if model.read_only => Vec::new(),
        Remote::Idle => vec![
            Line::from(vec![Span::styled("d", theme.key.patch(theme.accent)), Span::styled("  fill this store with the demo", theme.text)]),
            Line::from(Span::styled("   ten groups of a shop with 90 days of history", theme.muted)),
        ],
        demo => demo_lines(model, demo, columns, theme),
    };
    // Where not all of it fits, the way that takes one key comes first.
    if lines.len() + own.len() + demo.len() > usize::from(inner.height) {
        lines.extend(demo);
        lines.push(Line::default());
        lines.extend(own);
    } else {
        lines.extend(own);
        lines.extend(demo);
    }
    for (row, line) in lines.iter().enumerate() {
        put(frame.buffer_mut(), inner, row as u16, line);
    }
}

/// How filling the demo stands.
fn demo_lines(model: &Model, demo: &Remote<crate::tui::model::data::DemoProgress>, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    if let Some(error) = demo.error() {
        let mut lines = vec![Line::from(vec![
            Span::styled(format!("{} ", sign::BAD), theme.bad),
            Span::styled("the demo could not be made", theme.strong),
        ])];
        lines.extend(
            fit::wrap(&error.line(), columns.saturating_sub(2)).iter().map(|part| Line::from(span(&format!("  {part}"), theme.text))),
        );
        return lines;
    }
    let since = demo.waiting_since();
    let waited = model.now.saturating_sub(since.unwrap_or(model.now));
    let progress = demo.value().cloned().unwrap_or_default();
    let mark = spinner(model, since).unwrap_or(" ");
    let bar_width = columns.saturating_sub(34).clamp(8, 40) as u64;
    let filled = (progress.done.min(progress.total) * bar_width).checked_div(progress.total).unwrap_or(0) as usize;
    vec![
        Line::from(vec![
            Span::styled(format!("{mark} "), theme.accent),
            Span::styled("filling the demo  ", theme.strong),
            span(&progress.what, theme.muted),
        ]),
        Line::from(vec![
            Span::raw("  "),
            Span::styled("━".repeat(filled), theme.accent),
            Span::styled("─".repeat(bar_width as usize - filled), theme.muted),
            Span::styled(format!("  {} of {} rows  {}", exact(progress.done), exact(progress.total), time_span(waited)), theme.muted),
        ]),
    ]
}
