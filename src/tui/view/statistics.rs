//! Draws the tab Stats: features with their shapes, the one under the cursor large beside or below them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::columns::Listed;
use crate::tui::model::statistics::{FeatureNumbers, Numbers, Standing};
use crate::tui::numbers::{columns, number, series, share, spark};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, ago, exact, thin};
use crate::tui::update::shown_feature;
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{put, put_right, span};

pub(super) const FEATURES: [Column; 6] = [
    Column::text("FEATURE", 14, 40, 0),
    Column::text("TYPE", 10, 14, 5),
    Column::number("NULL", 6, 2),
    Column::number("DISTINCT", 8, 4),
    Column::number("MEAN", 9, 3),
    Column::text("SHAPE", 8, 8, 1),
];
/// Columns of the words before the figures.
const WORD: usize = 10;
/// From this width on the large picture stands beside the list.
const WIDE: u16 = 110;

pub(super) fn stats(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let page = &model.statistics;
    let Some(numbers) = page.numbers.value() else {
        match page.numbers.error() {
            Some(error) => states::failed(error, "the statistics", theme, frame, body),
            None => states::loading(model, page.numbers.waiting_since(), &reading(model), theme, frame, body),
        }
        return;
    };
    let (heading, rest) = layout::below(body, 1);
    standing(model, numbers, theme, frame, heading);
    if model.group_screen.feature.is_some() {
        match shown_feature(model) {
            Some(feature) => picture(model, feature, theme, frame, layout::indent(rest, 1)),
            None => {
                put(frame.buffer_mut(), layout::indent(rest, 3), 1, &Line::from(Span::styled("Nothing is known of it yet.", theme.text)));
            }
        }
        return;
    }
    let (list_area, detail) = if rest.width >= WIDE {
        let left = rest.width * 52 / 100;
        (Rect { width: left, ..rest }, Some(Rect { x: rest.x + left + 2, width: rest.width - left - 2, ..rest }))
    } else if rest.height >= 18 {
        let upper = rest.height - 11;
        (Rect { height: upper, ..rest }, Some(Rect { y: rest.y + upper, height: 11, ..rest }))
    } else {
        (rest, None)
    };
    list(model, numbers, theme, frame, list_area);
    if let (Some(area), Some(feature)) = (detail, shown_feature(model)) {
        picture(model, feature, theme, frame, layout::indent(area, 1));
    }
    if states::looks_old(model, &page.numbers) {
        states::fade(frame.buffer_mut(), rest, theme.stale);
    }
}

/// How far reading the values is, and what stops it.
fn reading(model: &Model) -> String {
    let stop = model.keymap.shown(model.focus_below_layer(), Action::Cancel).unwrap_or_default();
    match model.statistics.progress {
        (_, 0) => format!("reading statistics   {stop} stops it"),
        (read, of) => format!("reading statistics   {} of {} records   {stop} stops it", thin(read), thin(of)),
    }
}

/// How far the numbers can be trusted, always; and what they are of, as far as there is room.
fn standing(model: &Model, numbers: &Numbers, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    if states::looks_old(model, &model.statistics.numbers) && model.statistics.numbers.waiting_since().is_some() {
        let mark = states::spinner(model, model.statistics.numbers.waiting_since()).unwrap_or(" ");
        let text = fit::cut(&reading(model), usize::from(area.width).saturating_sub(4));
        let line = Line::from(vec![Span::styled(format!(" {mark} "), theme.accent), Span::styled(text, theme.muted)]);
        put(frame.buffer_mut(), area, 0, &line);
        return;
    }
    let anew = model.keymap.shown(model.focus(), Action::ReadAnew).unwrap_or_default();
    let (mark, word, more, style) = match numbers.standing {
        Standing::Fresh => (sign::GOOD, "of all rows", String::new(), theme.good),
        Standing::Stale(rows) => (sign::WATCH, "stale", format!(": {} rows are in no figure; {anew} reads them", thin(rows)), theme.watch),
        Standing::Footers => (sign::WATCH, "from footers", format!(": no value was read; {anew} reads them"), theme.watch),
    };
    let room = usize::from(area.width).saturating_sub(2);
    let facts = [
        if model.statistics.latest { "latest record of each identifier".to_owned() } else { "all events".to_owned() },
        format!("{} rows", thin(numbers.rows)),
        ago(numbers.taken, model.now),
    ]
    .join(" · ");
    let whole = format!("{mark} {word}{more}");
    let told = if fit::width(&facts) + fit::width(&whole) + 3 <= room { whole } else { format!("{mark} {word}") };
    let facts = fit::cut(&facts, room.saturating_sub(fit::width(&told) + 3));
    let taken = fit::width(&facts) as u16 + 2;
    put(frame.buffer_mut(), area, 0, &Line::from(vec![Span::raw(" "), span(&facts, theme.muted)]));
    put_right(frame.buffer_mut(), area, 0, taken, &Line::from(Span::styled(format!("{told} "), style)));
}

fn list(model: &Model, numbers: &Numbers, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let features = &numbers.features;
    let mut columns = FEATURES;
    columns[0] = columns[0].fitting(features.iter().take(500).map(|feature| fit::width(&feature.name)).max().unwrap_or(0), area.width);
    let columns = columns.map(|column| column.hidden_if(model.hidden_columns.holds(Listed::Stats, column.title)));
    let table =
        Table { columns: &columns, length: features.len(), list: &model.statistics.list, focused: true, sorted: None, marked: None };
    table.draw(frame.buffer_mut(), area, theme, |row, widths| {
        let Some(feature) = features.get(row) else { return Vec::new() };
        widths
            .iter()
            .map(|(at, width)| {
                let text = match at {
                    0 => fit::cut_middle(&clean(&feature.name), usize::from(*width)),
                    1 => fit::cut(&feature.kind, usize::from(*width)),
                    2 => share(feature.nulls, feature.rows),
                    3 => distinct(feature),
                    4 => feature.mean.map_or_else(|| UNKNOWN.to_owned(), number),
                    _ if feature.spark.is_empty() => UNKNOWN.to_owned(),
                    _ => spark(&feature.spark),
                };
                Line::from(Span::styled(text, if *at == 0 { theme.strong } else { theme.text }))
            })
            .collect()
    });
}

fn distinct(feature: &FeatureNumbers) -> String {
    let (estimate, is_exact, ..) = feature.distinct;
    match (feature.read, is_exact) {
        (false, _) => UNKNOWN.to_owned(),
        (true, true) => thin(estimate.round() as u64),
        (true, false) => format!("≈{}", thin(estimate.round() as u64)),
    }
}

/// One feature: its histogram, figures beside it where there is room, and its last days.
fn picture(model: &Model, feature: &FeatureNumbers, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = Line::from(vec![
        Span::styled(fit::cut_middle(&clean(&feature.name), usize::from(area.width).saturating_sub(16)), theme.strong),
        Span::styled(format!("  {}", feature.kind), theme.muted),
    ]);
    put(frame.buffer_mut(), area, 0, &title);
    let (_, rest) = layout::below(area, 1);
    let beside = rest.width >= 96 && feature.bars.iter().any(|bar| *bar > 0);
    let room = if beside { usize::from(rest.width) * 55 / 100 - 3 } else { usize::from(rest.width) };
    let lines = figures(model, feature, room, theme);
    let height =
        if beside { rest.height.saturating_sub(3).clamp(3, 14) } else { rest.height.saturating_sub(lines.len() as u16 + 2).clamp(2, 8) };
    let chart = if beside { Rect { width: rest.width * 45 / 100, ..rest } } else { rest };
    let drawn = histogram(feature, theme, frame, chart, height);
    let facts = if beside {
        let left = chart.width + 3;
        Rect { x: rest.x + left, width: rest.width.saturating_sub(left), ..rest }
    } else {
        layout::below(rest, drawn).1
    };
    for (row, line) in lines.iter().take(usize::from(facts.height)).enumerate() {
        put(frame.buffer_mut(), facts, row as u16, line);
    }
}

/// Draws bars with the ends of their axis; returns the rows it took.
pub(super) fn histogram(feature: &FeatureNumbers, theme: &Theme, frame: &mut Frame<'_>, area: Rect, height: u16) -> u16 {
    let most = feature.bars.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return 0;
    }
    let cells = usize::from(area.width.min(62)).saturating_sub(2);
    let rows = columns(&feature.bars, most, cells, usize::from(height), 4);
    let width = rows.first().map_or(0, |row| row.chars().count());
    for (row, bars) in rows.iter().enumerate() {
        put(frame.buffer_mut(), area, row as u16, &Line::from(Span::styled(bars.clone(), theme.accent)));
    }
    if let Some((least, greatest)) = &feature.axis {
        let room = width.saturating_sub(1) / 2;
        let (least, greatest) = (fit::cut(&clean(least), room.max(4)), fit::cut(&clean(greatest), room.max(4)));
        let gap = width.saturating_sub(fit::width(&least) + fit::width(&greatest)).max(1);
        let axis = format!("{least}{}{greatest}", " ".repeat(gap));
        put(frame.buffer_mut(), area, height, &Line::from(Span::styled(axis, theme.muted)));
    }
    height + 1
}

pub(super) fn figures(model: &Model, feature: &FeatureNumbers, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let fact = |name: &str, text: String| Line::from(vec![Span::styled(format!("{name:<WORD$}"), theme.muted), span(&text, theme.text)]);
    let mut lines = vec![Line::default()];
    let values = feature.rows - feature.nulls.min(feature.rows);
    lines.push(fact("values", format!("{} exact   {} null {}", exact(values), sign::NULL, share(feature.nulls, feature.rows))));
    if feature.read {
        let (estimate, is_exact, low, high) = feature.distinct;
        lines.push(fact(
            "distinct",
            match is_exact {
                true => format!("{} exact", exact(estimate.round() as u64)),
                false => format!("≈ {}  ({} … {})", thin(estimate.round() as u64), thin(low as u64), thin(high.ceil() as u64)),
            },
        ));
    }
    if !feature.counts.is_empty() {
        let counts: Vec<String> = feature.counts.iter().map(|(name, count)| format!("{name} {}", share(*count, feature.rows))).collect();
        lines.push(fact("of these", whole(&counts, room)));
    }
    if let Some(mean) = feature.mean {
        let std = feature.std.map(|std| format!("std {}", number(std)));
        lines.push(fact("mean", whole(&[Some(number(mean)), std].into_iter().flatten().collect::<Vec<_>>(), room)));
    }
    if let Some((least, greatest)) = &feature.bounds {
        let each = (room.saturating_sub(WORD + 3) / 2).clamp(8, 24);
        lines.push(fact("bounds", format!("{} … {}", fit::cut(&clean(least), each), fit::cut(&clean(greatest), each))));
    }
    if !feature.quantiles.is_empty() {
        let quantiles = quantiles_in(&feature.quantiles, room);
        let error = if feature.rank_error > 0.0 { format!("   ≈ rank ±{:.1}%", feature.rank_error * 100.0) } else { String::new() };
        // How exact they are is said whole or not at all.
        let error = if fit::width(&quantiles) + fit::width(&error) + WORD <= room { error } else { String::new() };
        lines.push(fact("quantiles", format!("{quantiles}{error}")));
    }
    for (place, (value, count)) in feature.top.iter().take(3).enumerate() {
        let name = if place == 0 { "frequent" } else { "" };
        lines.push(fact(name, format!("{}  {}", fit::cut(&clean(value), 28), share(*count, values))));
    }
    if let Some((of, days)) = model.statistics.days.value()
        && *of == feature.name
        && days.len() > 1
    {
        let days = &days[days.len().saturating_sub(30)..];
        let means: Vec<Option<f64>> = days.iter().map(|day| day.mean).collect();
        let nulls: Vec<Option<f64>> = days.iter().map(|day| (day.rows > 0).then(|| day.nulls as f64 / day.rows as f64)).collect();
        if means.iter().any(Option::is_some) {
            lines.push(line_of_days("mean", days.len(), series(&means, false), &means, theme));
        }
        lines.push(line_of_days("null", days.len(), series(&nulls, true), &nulls, theme));
    }
    lines
}

/// As many of the parts as there is room for: a number that is cut is another number.
fn whole(parts: &[String], room: usize) -> String {
    let joined = |count: usize| parts[..count].join("   ");
    (1..=parts.len()).rev().map(joined).find(|text| fit::width(text) + WORD <= room).unwrap_or_else(|| joined(parts.len().min(1)))
}

/// The quantiles, or where they are too many the outer ones and the middle, or the middle alone.
fn quantiles_in(quantiles: &[(&str, String)], room: usize) -> String {
    let joined = |places: &[usize]| {
        let told = |place: &usize| quantiles.get(*place).map(|(name, value)| format!("{name} {value}"));
        places.iter().filter_map(told).collect::<Vec<_>>().join("   ")
    };
    let (middle, last) = (quantiles.len() / 2, quantiles.len().saturating_sub(1));
    let all = joined(&(0..quantiles.len()).collect::<Vec<_>>());
    let fits = |text: &String| fit::width(text) + WORD <= room;
    [all, joined(&[0, middle, last])].into_iter().find(fits).unwrap_or_else(|| joined(&[middle]))
}

fn line_of_days(name: &str, days: usize, picture: String, values: &[Option<f64>], theme: &Theme) -> Line<'static> {
    let known = || values.iter().flatten().copied();
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let ends = match (name, least.is_finite()) {
        (_, false) => String::new(),
        ("null", _) => format!("  {:.1}–{:.1}%", least * 100.0, most * 100.0),
        _ => format!("  {}–{}", number(least), number(most)),
    };
    Line::from(vec![
        Span::styled(format!("{name} {days} d"), theme.muted),
        Span::raw(" ".repeat(10usize.saturating_sub(name.len() + days.to_string().len() + 3))),
        Span::styled(picture, theme.accent),
        Span::styled(ends, theme.muted),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_have_no_room_are_left_out_and_never_cut() {
        let quantiles = ["p5", "p25", "p50", "p75", "p95"].map(|name| (name, "710002".to_owned()));
        assert_eq!(quantiles_in(&quantiles, 80), "p5 710002   p25 710002   p50 710002   p75 710002   p95 710002");
        assert_eq!(quantiles_in(&quantiles, 45), "p5 710002   p50 710002   p95 710002");
        assert_eq!(quantiles_in(&quantiles, 30), "p50 710002");
        let parts = ["zero 1.0%".to_owned(), "negative 12.0%".to_owned(), "nan 3.0%".to_owned()];
        assert_eq!(whole(&parts, 80), parts.join("   "));
        assert_eq!(whole(&parts, 40), "zero 1.0%   negative 12.0%");
        assert_eq!((whole(&parts, 5).as_str(), whole(&[], 5).as_str()), ("zero 1.0%", ""));
    }
}
