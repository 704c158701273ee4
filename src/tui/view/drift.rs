//! Draws the tab Drift: features with their distances in words, and of the one under the cursor what its values look like now and looked
//! like in the baseline, over one axis and on one scale.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::statistics::{ComparedFigure, Drift, FeatureDrift, Level, Shapes};
use crate::tui::numbers::{columns, number};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::UNKNOWN;
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{fitted, put, span};

const COLUMNS: [Column; 3] = [Column::text("FEATURE", 14, 40, 0), Column::text("LEVEL", 8, 8, 0), Column::text("DISTANCES", 24, 120, 1)];
/// From this width on the picture stands beside the list, from this height on below it.
const WIDE: u16 = 130;
const TALL: u16 = 17;
/// Rows of the picture below the list.
const BELOW: u16 = 10;
/// Fewest rows of a picture that has figures below it.
const PICTURE: u16 = 9;
/// Columns of the name of a figure, and of its value.
const NAME: usize = 9;
const FIGURE: usize = 10;
/// Parts of a share that one count of a bar stands for.
const PARTS: f64 = 1e6;

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let page = &model.statistics;
    let Some(drift) = page.drift.value() else {
        match page.drift.error() {
            Some(error) => states::failed(error, "the drift", theme, frame, body),
            None => states::loading(model, page.drift.waiting_since(), "comparing", theme, frame, body),
        }
        return;
    };
    let (heading, rest) = layout::below(body, 1);
    head(model, drift, theme, frame, heading);
    if let Some(name) = &model.group_screen.feature {
        match drift.features.iter().find(|feature| feature.name == *name) {
            Some(feature) => picture(feature, theme, frame, layout::indent(rest, 1)),
            None => uncompared(drift, name, theme, frame, layout::indent(rest, 3)),
        }
        if states::looks_old(model, &page.drift) {
            states::fade(frame.buffer_mut(), rest, theme.stale);
        }
        return;
    }
    let notes = drift.notes.len().min(2) as u16;
    let (rest, notes_area) = layout::below(rest, rest.height.saturating_sub(notes));
    if drift.features.is_empty() && drift.notes.is_empty() {
        put(frame.buffer_mut(), layout::indent(rest, 3), 1, &Line::from(Span::styled("Nothing to compare yet.", theme.text)));
    }
    let (list_area, picture_area) = match rest {
        rest if rest.width >= WIDE => {
            let left = rest.width * 52 / 100;
            (Rect { width: left, ..rest }, Some(Rect { x: rest.x + left + 2, width: rest.width - left - 2, ..rest }))
        }
        rest if rest.height >= TALL => {
            let rows = (drift.features.len() as u16 + 2).min(rest.height - BELOW);
            let (list, picture) = layout::below(rest, rows);
            (list, Some(layout::indent(picture, 1)))
        }
        rest => (rest, None),
    };
    list(model, drift, theme, frame, list_area);
    if let (Some(area), Some(feature)) = (picture_area, drift.features.get(page.drift_list.at)) {
        picture(feature, theme, frame, area);
    }
    for (row, note) in drift.notes.iter().take(2).enumerate() {
        let text = fit::cut(&clean(note), usize::from(notes_area.width).saturating_sub(4));
        put(frame.buffer_mut(), notes_area, row as u16, &Line::from(Span::styled(format!(" {} {text}", sign::WATCH), theme.muted)));
    }
    if states::looks_old(model, &page.drift) {
        states::fade(frame.buffer_mut(), rest, theme.stale);
    }
}

/// What is compared with what, and the key to another baseline.
fn head(model: &Model, drift: &Drift, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let page = &model.statistics;
    let (baseline, count) = (clean(page.chosen_baseline()), page.baselines().count());
    let key = model.keymap.shown(model.focus_below_layer(), Action::Baseline).unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(1);
    let compared = format!(" {}   baseline {baseline}", drift.windows);
    let with_hint = format!("{compared}   {key} takes the next of {count}");
    let text = if fit::width(&with_hint) <= room { with_hint } else { fit::cut(&compared, room) };
    put(frame.buffer_mut(), area, 0, &Line::from(span(&text, theme.muted)));
}

fn list(model: &Model, drift: &Drift, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut columns = COLUMNS;
    let longest = drift.features.iter().take(500).map(|feature| fit::width(&feature.name)).max().unwrap_or(0);
    columns[0] = columns[0].fitting(longest, area.width);
    let list = &model.statistics.drift_list;
    let sorted = Some(if model.statistics.drift_by_name { ("FEATURE", false) } else { ("LEVEL", true) });
    let table = Table { columns: &columns, length: drift.features.len(), list, focused: true, sorted, marked: None };
    table.draw(frame.buffer_mut(), area, theme, |row, widths| {
        let Some(feature) = drift.features.get(row) else { return Vec::new() };
        let (mark, word, style) = told(feature.level, theme);
        widths
            .iter()
            .map(|(at, width)| match at {
                0 => Line::from(Span::styled(fit::cut_middle(&clean(&feature.name), usize::from(*width)), theme.strong)),
                1 => Line::from(Span::styled(format!("{mark} {word}"), style)),
                _ => Line::from(Span::styled(fit::cut(&clean(&distances(feature)), usize::from(*width)), theme.text)),
            })
            .collect()
    });
}

/// Says why a feature is not among those that were compared.
fn uncompared(drift: &Drift, name: &str, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let told = match drift.notes.iter().find(|note| note.contains(name)).or(drift.notes.first()) {
        Some(note) => note.as_str(),
        None => "Not compared: the baseline has no values of it, or it is a key, which changes by its nature.",
    };
    for (row, part) in fit::wrap(&clean(told), usize::from(area.width).saturating_sub(2)).iter().enumerate() {
        put(frame.buffer_mut(), area, row as u16 + 1, &Line::from(span(part, theme.text)));
    }
}

fn told(level: Level, theme: &Theme) -> (&'static str, &'static str, Style) {
    match level {
        Level::Few => (UNKNOWN, "few", theme.muted),
        Level::Ok => (sign::GOOD, "ok", theme.good),
        Level::Watch => (sign::WATCH, "watch", theme.watch),
        Level::Alert => (sign::BAD, "alert", theme.bad),
    }
}

/// Distances that are over a limit with what they mean; without any, the telling ones.
fn distances(feature: &FeatureDrift) -> String {
    let over = |level: &Level| *level >= Level::Watch;
    let any = feature.measures.iter().any(|(_, _, level, _)| over(level));
    let shown =
        feature.measures.iter().filter(|(name, value, level, _)| if any { over(level) } else { *value != 0.0 || *name != "null_share" });
    shown.take(4).map(distance).collect::<Vec<_>>().join("   ")
}

fn distance((name, value, _, detail): &(&str, f64, Level, Option<String>)) -> String {
    let detail = detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{} {}{detail}", name.replace('_', " "), number(*value))
}

/// One feature: both pictures one above the other, and every distance.
fn picture(feature: &FeatureDrift, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let room = usize::from(area.width).saturating_sub(1);
    let (mark, word, style) = told(feature.level, theme);
    let title = Line::from(vec![
        Span::styled(fit::cut_middle(&clean(&feature.name), room.saturating_sub(10)), theme.strong),
        Span::styled(format!("  {mark} {word}"), style),
    ]);
    put(frame.buffer_mut(), area, 0, &title);
    let (_, rest) = layout::below(area, 1);
    // Beside each other where there is little height, else one below the other.
    let (shapes_area, words_area) = match rest.height < 14 && rest.width >= 70 {
        true => {
            let left = rest.width * 55 / 100;
            (Rect { width: left, ..rest }, layout::indent(rest, left + 2))
        }
        false => {
            let measures = feature.measures.len() as u16 + 1;
            let words = measures + if feature.figures.is_empty() { 0 } else { feature.figures.len() as u16 + 2 };
            // Figures only where they leave room for a picture.
            let words = if rest.height.saturating_sub(words) >= PICTURE { words } else { measures };
            layout::below(rest, rest.height.saturating_sub(words).min(14))
        }
    };
    match &feature.shapes {
        Some(shapes) if shapes.values.is_empty() => over_an_axis(shapes, theme, frame, shapes_area),
        Some(shapes) => of_values(shapes, theme, frame, shapes_area),
        None => put(frame.buffer_mut(), shapes_area, 0, &Line::from(Span::styled("its values have no picture", theme.muted))),
    }
    for (row, measure) in feature.measures.iter().take(usize::from(words_area.height)).enumerate() {
        let (mark, _, style) = told(measure.2, theme);
        let text = fit::cut(&clean(&distance(measure)), usize::from(words_area.width).saturating_sub(4));
        put(
            frame.buffer_mut(),
            words_area,
            row as u16,
            &Line::from(vec![Span::styled(format!("{mark} "), style), span(&text, theme.text)]),
        );
    }
    figures(&feature.figures, theme, frame, layout::below(words_area, feature.measures.len() as u16 + 1).1);
}

/// Figures of the baseline and of now side by side.
fn figures(figures: &[ComparedFigure], theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    if figures.is_empty() || area.height < 2 {
        return;
    }
    let right = |text: &str| {
        let text = fit::cut(&clean(text), FIGURE);
        format!("{}{text}", " ".repeat(FIGURE.saturating_sub(fit::width(&text))))
    };
    // A change that is cut says nothing, and it can be told from the figures.
    let longest = figures.iter().map(|figure| fit::width(&figure.change)).max().unwrap_or(0).max("CHANGE".len());
    let has_change = NAME + 2 * FIGURE + 2 + longest <= usize::from(area.width);
    let change = |text: &str| if has_change { format!("  {}", clean(text)) } else { String::new() };
    let heading = format!("{:NAME$}{}{}{}", "", right("BEFORE"), right("NOW"), change("CHANGE"));
    put(frame.buffer_mut(), area, 0, &Line::from(Span::styled(heading, theme.muted)));
    for (row, figure) in figures.iter().take(usize::from(area.height) - 1).enumerate() {
        let line = Line::from(vec![
            Span::styled(format!("{:<NAME$}", figure.name), theme.muted),
            Span::styled(format!("{}{}", right(&figure.before), right(&figure.now)), theme.text),
            Span::styled(change(&figure.change), theme.muted),
        ]);
        put(frame.buffer_mut(), area, row as u16 + 1, &fitted(line, usize::from(area.width)));
    }
}

/// Two histograms over one axis: the highest bar of both fills its rows.
fn over_an_axis(shapes: &Shapes, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let parts = |shares: &[f64]| shares.iter().map(|share| (share * PARTS) as u64).collect::<Vec<_>>();
    let (now, before) = (parts(&shapes.now), parts(&shapes.before));
    let most = now.iter().chain(&before).copied().max().unwrap_or(0);
    let height = (usize::from(area.height).saturating_sub(3) / 2).min(5);
    let cells = usize::from(area.width).saturating_sub(8).min(80);
    if most == 0 || height == 0 || cells < 8 {
        return;
    }
    let mut row = 0;
    let mut width = 0;
    for (name, counts, style) in [("now", now, theme.accent), ("before", before, theme.muted)] {
        // The highest bar is known to both pictures also where there is a cell for several bins.
        let drawn = columns(&with_ceiling(&counts, most, cells), most, cells, height, 4);
        width = drawn.first().map_or(0, |row| row.chars().count());
        for (line, bars) in drawn.into_iter().enumerate() {
            let label = if line + 1 == height { name } else { "" };
            let spans = vec![Span::styled(format!("{label:<7}"), theme.muted), Span::styled(bars, style)];
            put(frame.buffer_mut(), area, row, &Line::from(spans));
            row += 1;
        }
    }
    if let Some((least, greatest)) = &shapes.axis {
        let room = width.saturating_sub(1) / 2;
        let (least, greatest) = (fit::cut(&clean(least), room.max(4)), fit::cut(&clean(greatest), room.max(4)));
        let gap = width.saturating_sub(fit::width(&least) + fit::width(&greatest)).max(1);
        let axis = format!("       {least}{}{greatest}", " ".repeat(gap));
        put(frame.buffer_mut(), area, row, &Line::from(Span::styled(axis, theme.muted)));
    }
}

/// The counts, merged to as many as there are cells, none higher than the ceiling that both pictures share.
fn with_ceiling(counts: &[u64], most: u64, cells: usize) -> Vec<u64> {
    if counts.len() <= cells {
        return counts.to_vec();
    }
    let merged = (0..cells).map(|cell| counts[cell * counts.len() / cells..(cell + 1) * counts.len() / cells].iter().copied().max());
    merged.map(|count| count.unwrap_or(0).min(most)).collect()
}

/// A pair of bars for each value.
fn of_values(shapes: &Shapes, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let room = usize::from(area.width);
    let widest = shapes.values.iter().map(|value| fit::width(&clean(value))).max().unwrap_or(0).clamp(4, (room / 3).max(4));
    let cells = room.saturating_sub(widest + 20).min(40);
    let most = shapes.now.iter().chain(&shapes.before).copied().fold(0.0, f64::max);
    if cells < 4 || most <= 0.0 {
        return;
    }
    let head = format!("{:<widest$}  {:<cells$}  {:>6}  {:>6}", "", "", "now", "before");
    put(frame.buffer_mut(), area, 0, &Line::from(Span::styled(head, theme.muted)));
    let rows = shapes.values.iter().zip(shapes.now.iter().zip(&shapes.before)).take(usize::from(area.height).saturating_sub(1));
    for (row, (value, (now, before))) in rows.enumerate() {
        let name = fit::cut(&clean(value), widest);
        let pad = " ".repeat(widest.saturating_sub(fit::width(&name)));
        let filled = ((now / most * cells as f64).round() as usize).min(cells);
        let marked = ((before / most * cells as f64).round() as usize).min(cells);
        // Where the baseline reaches farther, or ended, is seen behind the bar of now.
        let bar: String = std::iter::repeat_n("━", filled).collect();
        let rest: String = std::iter::repeat_n("╌", marked.saturating_sub(filled)).collect();
        let blank = " ".repeat(cells.saturating_sub(filled.max(marked)));
        put(
            frame.buffer_mut(),
            area,
            row as u16 + 1,
            &Line::from(vec![
                Span::styled(format!("{name}{pad}  "), theme.text),
                Span::styled(bar, theme.accent),
                Span::styled(format!("{rest}{blank}"), theme.muted),
                Span::styled(format!("  {:>6}  {:>6}", percent(*now), percent(*before)), theme.text),
            ]),
        );
    }
}

fn percent(share: f64) -> String {
    if share == 0.0 { "0".to_owned() } else { format!("{:.1}%", share * 100.0) }
}
