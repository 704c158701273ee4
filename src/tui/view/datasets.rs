//! Draws the training datasets: the list with what the manifest of one says beside it, what verifying and comparing found, and the rows of
//! the one that is open with the cell that is explained.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{explained, grid, layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::columns::Listed;
use crate::tui::model::datasets::{Dataset, Manifest, OpenDataset, Report, Tone};
use crate::tui::numbers::{number, share};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{age, ago, bytes, counted, exact, span as time_span, thin, thin_cell};
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{put, put_right, span};

pub(super) const COLUMNS: [Column; 7] = [
    Column::text("", 1, 1, 0),
    Column::text("DATASET", 14, 40, 0),
    Column::number("VERSION", 7, 1),
    Column::number("ROWS", 8, 0),
    Column::number("BUILT", 7, 2),
    Column::text("COLUMNS", 12, 60, 3),
    Column::text("FOR", 12, 60, 4),
];
/// Cells of a bar of matches.
const BAR: usize = 12;

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let screen = &model.datasets;
    if let Some(open) = &screen.open {
        rows(model, open, theme, frame, body);
        return;
    }
    let Some(datasets) = screen.datasets.value() else {
        match screen.datasets.error() {
            Some(error) => states::failed(error, "the training datasets", theme, frame, body),
            None => states::loading(model, screen.datasets.waiting_since(), "reading manifests", theme, frame, body),
        }
        return;
    };
    if datasets.is_empty() {
        none(model, theme, frame, body);
        return;
    }
    let (list_area, detail) = layout::beside(body);
    let (list_area, detail) = match detail {
        Some(detail) => (list_area, detail),
        None => layout::below(body, (datasets.len() as u16 + 2).min(body.height / 2)),
    };
    list(model, datasets, theme, frame, list_area);
    let detail = layout::indent(detail, 2);
    if let Some(dataset) = datasets.get(screen.list.at) {
        let lines = match report(model, theme, usize::from(detail.width).saturating_sub(2)) {
            Some(lines) => lines,
            None => {
                let manifest = screen.manifest.value().filter(|(of, _)| *of == dataset.reference).map(|(_, manifest)| manifest);
                details(model, dataset, manifest, theme, detail)
            }
        };
        for (row, line) in lines.iter().take(usize::from(detail.height)).enumerate() {
            put(frame.buffer_mut(), detail, row as u16, line);
        }
    }
}

fn none(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let inner = layout::indent(body, 3);
    let columns = usize::from(inner.width).saturating_sub(2);
    let (text, features) = match &model.datasets.of {
        None => ("No training dataset was built yet.".to_owned(), "GROUP".to_owned()),
        Some((group, None)) => (format!("No training dataset has features of {group}."), group.clone()),
        Some((group, Some(feature))) => (format!("No training dataset has {feature}."), format!("{group}:{feature}")),
    };
    let text = Line::from(span(&fit::cut(&clean(&text), columns), theme.text));
    put(frame.buffer_mut(), inner, 1, &text);
    let how = format!("larder dataset build --spine labels.parquet --spine-id ID --spine-time TIME --features {features} -o train.parquet");
    for (row, part) in fit::wrap(&clean(&how), columns).iter().enumerate() {
        put(frame.buffer_mut(), inner, row as u16 + 3, &Line::from(span(part, theme.accent)));
    }
}

fn list(model: &Model, datasets: &[Dataset], theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.datasets;
    let longest = |text: &dyn Fn(&Dataset) -> usize| datasets.iter().take(500).map(text).max().unwrap_or(0);
    let mut columns = COLUMNS;
    columns[1] = columns[1].fitting(longest(&|dataset| fit::width(&dataset.name)), area.width);
    let is_of_some = screen.of.is_some();
    let columns = columns.map(|column| column.hidden_if(model.hidden_columns.holds(Listed::Datasets, column.title)));
    let kept: Vec<Column> = columns.into_iter().filter(|column| is_of_some || column.title != "COLUMNS").collect();
    let table = Table { columns: &kept, length: datasets.len(), list: &screen.list, focused: true, sorted: None, marked: None };
    table.draw(frame.buffer_mut(), area, theme, |row, widths| {
        let Some(dataset) = datasets.get(row) else { return Vec::new() };
        let cell = |(at, width): &(usize, u16)| {
            let width = usize::from(*width);
            let (text, style) = match kept[*at].title {
                "" => {
                    let place = screen.marked.iter().position(|marked| *marked == dataset.reference);
                    (["1", "2"].get(place.unwrap_or(9)).copied().unwrap_or(" ").to_owned(), theme.accent.patch(theme.strong))
                }
                "DATASET" => (fit::cut_middle(&clean(&dataset.name), width), theme.strong),
                "VERSION" => (dataset.version.to_string(), theme.text),
                "ROWS" => (thin_cell(dataset.rows), theme.text),
                "BUILT" => (age(dataset.built, model.now), theme.text),
                "COLUMNS" => (fit::cut(&clean(&dataset.columns.join(", ")), width), theme.text),
                _ => (fit::cut(&clean(dataset.description.as_deref().unwrap_or_default()), width), theme.text),
            };
            Line::from(Span::styled(text, style))
        };
        widths.iter().map(cell).collect()
    });
    if states::looks_old(model, &screen.datasets) {
        states::fade(frame.buffer_mut(), area, theme.stale);
    }
}

/// What verifying or comparing says, or how far it is; none if nobody asked.
fn report(model: &Model, theme: &Theme, columns: usize) -> Option<Vec<Line<'static>>> {
    let screen = &model.datasets;
    if let Some(since) = screen.report.waiting_since() {
        let mark = states::spinner(model, Some(since)).unwrap_or(" ");
        let stop = model.keymap.shown(model.focus_below_layer(), Action::Cancel).unwrap_or_default();
        let (read, of) = screen.progress;
        let read = match of {
            0 => String::new(),
            of => format!("{} of {} records   ", thin(read), thin(of)),
        };
        let waited = time_span(model.now.saturating_sub(since));
        return Some(vec![
            Line::from(vec![Span::styled(format!("{mark} "), theme.accent), span(&fit::cut(&screen.asked, columns), theme.strong)]),
            Line::from(Span::styled(format!("  {read}{waited}   {stop} stops it"), theme.muted)),
        ]);
    }
    if let Some(error) = screen.report.error() {
        let mut lines = vec![Line::from(span(&fit::cut(&screen.asked, columns), theme.strong)), Line::default()];
        for part in fit::wrap(&clean(&error.line()), columns.saturating_sub(2)) {
            let mark = if lines.len() == 2 { Span::styled(format!("{} ", sign::BAD), theme.bad) } else { Span::raw("  ") };
            lines.push(Line::from(vec![mark, span(&part, theme.text)]));
        }
        return Some(lines);
    }
    screen.report.value().map(|report| report_lines(report, theme, columns))
}

fn report_lines(report: &Report, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(span(&fit::cut_middle(&clean(&report.title), columns), theme.strong)), Line::default()];
    for (tone, text) in &report.lines {
        let mark = match tone {
            Tone::Good => Span::styled(format!("{} ", sign::GOOD), theme.good),
            Tone::Bad => Span::styled(format!("{} ", sign::BAD), theme.bad),
            Tone::Plain => Span::raw("  "),
            Tone::Heading => {
                lines.push(Line::default());
                lines.push(Line::from(Span::styled(text.clone(), theme.muted)));
                continue;
            }
        };
        // The indent of an example is part of what is said.
        let indent = text.len() - text.trim_start().len();
        for (place, part) in fit::wrap(&clean(text), columns.saturating_sub(2 + indent)).iter().enumerate() {
            let mark = if place == 0 { mark.clone() } else { Span::raw("  ") };
            lines.push(Line::from(vec![mark, Span::raw(" ".repeat(indent)), span(part, theme.text)]));
        }
    }
    lines
}

fn details(model: &Model, dataset: &Dataset, manifest: Option<&Manifest>, theme: &Theme, area: Rect) -> Vec<Line<'static>> {
    let columns = usize::from(area.width).saturating_sub(12);
    let fact = |name: &str, text: &str| Line::from(vec![Span::styled(format!("{name:<10}"), theme.muted), span(text, theme.text)]);
    let mut lines = vec![
        Line::from(span(&fit::cut_middle(&clean(&dataset.reference), columns + 10), theme.strong)),
        Line::default(),
        fact("rows", &exact(dataset.rows)),
        fact("built", &ago(dataset.built, model.now)),
        fact("file", &fit::cut_middle(&clean(&dataset.path), columns)),
        fact("rows hash", &fit::cut(&dataset.hash, columns)),
    ];
    if let Some(manifest) = manifest {
        lines[3] = fact("built", &format!("{}, in {} s", ago(dataset.built, model.now), number(manifest.seconds)));
        let (word, size) = match manifest.files {
            0 => ("file", bytes(manifest.bytes)),
            files => ("folder", format!("{}  {}", counted(files as u64, "file", "files"), bytes(manifest.bytes))),
        };
        lines[4] = fact(word, &format!("{}  {size}", fit::cut_middle(&clean(&dataset.path), columns.saturating_sub(size.len() + 2))));
        for spine in &manifest.spine {
            lines.push(fact("spine", &fit::cut_middle(&clean(spine), columns)));
        }
        matches(dataset, manifest, theme, columns, &mut lines);
        origins(dataset, manifest, theme, area, &mut lines);
    } else if let Some(error) = model.datasets.manifest.error() {
        lines.push(Line::default());
        lines.push(Line::from(Span::styled(format!("{} {}", sign::BAD, fit::cut(&clean(&error.line()), columns)), theme.bad)));
    }
    lines
}

/// How many rows found a record in each group.
fn matches(dataset: &Dataset, manifest: &Manifest, theme: &Theme, columns: usize, lines: &mut Vec<Line<'static>>) {
    lines.push(Line::default());
    lines.push(Line::from(Span::styled("ROWS THAT FOUND A RECORD", theme.muted)));
    let widest = manifest.inputs.iter().map(|input| fit::width(&input.name)).max().unwrap_or(0).min(columns.saturating_sub(BAR + 8));
    for input in &manifest.inputs {
        let filled = (input.matched * BAR as u64).checked_div(dataset.rows).unwrap_or(0).min(BAR as u64) as usize;
        let name = fit::cut_middle(&clean(&input.name), widest);
        let pad = " ".repeat(widest.saturating_sub(fit::width(&name)));
        let mut about = counted(input.features as u64, "feature", "features");
        if let Some(version) = input.version {
            about.push_str(&format!(" · v{version}"));
        }
        if let Some(ttl) = &input.ttl {
            about.push_str(&format!(" · ttl {ttl}"));
        }
        lines.push(Line::from(vec![
            Span::styled(format!("{name}{pad}  "), theme.text),
            Span::styled("━".repeat(filled), theme.accent),
            Span::styled("·".repeat(BAR - filled), theme.muted),
            Span::styled(format!(" {:>6}", share(input.matched, dataset.rows)), theme.text),
            Span::styled(format!("  {about}"), theme.muted),
        ]));
    }
}

/// The columns and where each comes from; those of the group or feature asked about are told by weight.
fn origins(dataset: &Dataset, manifest: &Manifest, theme: &Theme, area: Rect, lines: &mut Vec<Line<'static>>) {
    lines.push(Line::default());
    lines.push(Line::from(Span::styled(format!("COLUMNS  {}", manifest.columns.len()), theme.muted)));
    let room = usize::from(area.width).saturating_sub(2);
    let width = manifest.columns.iter().map(|column| fit::width(&column.name)).max().unwrap_or(0).clamp(8, (room / 2).max(8));
    let left = usize::from(area.height).saturating_sub(lines.len());
    let shown = if manifest.columns.len() > left { left.saturating_sub(1) } else { manifest.columns.len() };
    for column in manifest.columns.iter().take(shown) {
        let name = fit::cut_middle(&clean(&column.name), width);
        let pad = " ".repeat(width.saturating_sub(fit::width(&name)) + 2);
        let style = if dataset.columns.contains(&column.name) { theme.strong } else { theme.text };
        let kind = format!("{:<10}", fit::cut(&clean(&column.kind), 10));
        let left = room.saturating_sub(width + 14);
        let origin = column.origin.as_deref().map_or_else(|| "spine".to_owned(), |origin| format!("← {}", clean(origin)));
        lines.push(Line::from(vec![
            Span::styled(format!("{name}{pad}"), style),
            Span::styled(format!("{kind}  "), theme.muted),
            Span::styled(fit::cut_middle(&origin, left), if column.origin.is_some() { theme.text } else { theme.muted }),
        ]));
    }
    if manifest.columns.len() > shown {
        lines.push(Line::from(Span::styled(format!("… {} more", manifest.columns.len() - shown), theme.muted)));
    }
}

/// The rows of a dataset, and beside or below them why a cell is what it is.
fn rows(model: &Model, open: &OpenDataset, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let (heading, rest) = layout::below(body, 1);
    let title = fit::cut_middle(&clean(&open.reference), usize::from(body.width).saturating_sub(24));
    let line = Line::from(vec![Span::raw(" "), Span::styled(title, theme.strong)]);
    let taken = line.width() as u16;
    put(frame.buffer_mut(), heading, 0, &line);
    let Some(pages) = open.grid.rows.value() else {
        match open.grid.rows.error() {
            Some(error) => states::failed(error, "the rows", theme, frame, rest),
            None => states::loading(model, open.grid.rows.waiting_since(), "reading rows", theme, frame, rest),
        }
        return;
    };
    // Rows of a dataset are counted from 0 wherever they are named.
    let facts = format!("row {} of {} ", exact(open.grid.list.at as u64), exact(pages.total));
    put_right(frame.buffer_mut(), heading, 0, taken + 1, &Line::from(Span::styled(facts, theme.muted)));
    if !open.explaining {
        grid::draw(model, &open.grid, None, theme, frame, rest);
        return;
    }
    match layout::beside(rest) {
        (grid_area, Some(pane)) => {
            grid::draw(model, &open.grid, None, theme, frame, grid_area);
            for row in 0..pane.height {
                put(frame.buffer_mut(), layout::indent(pane, 1), row, &Line::from(Span::styled(sign::RULE, theme.muted)));
            }
            explained::draw(model, open, theme, frame, layout::indent(pane, 3));
        }
        (whole, None) => {
            // On a small screen the row that is asked about stays in sight, and little more.
            let above = if whole.height >= 16 { whole.height * 2 / 5 } else { 2.min(whole.height) };
            let (grid_area, pane) = layout::below(whole, above);
            grid::draw(model, &open.grid, None, theme, frame, grid_area);
            explained::draw(model, open, theme, frame, layout::indent(pane, 1));
        }
    }
}
