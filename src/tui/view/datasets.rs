//! Draws the training datasets, and beside them what the manifest of the one under the cursor says.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::datasets::{Dataset, Manifest};
use crate::tui::numbers::{number, share};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{age, ago, bytes, counted, exact, thin_cell};
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{put, span};

const COLUMNS: [Column; 5] = [
    Column::text("DATASET", 16, 40, 0),
    Column::number("VERSION", 7, 1),
    Column::number("ROWS", 8, 0),
    Column::number("BUILT", 7, 2),
    Column::text("FOR", 12, 60, 3),
];
/// Cells of a bar of matches.
const BAR: usize = 12;

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let screen = &model.datasets;
    let Some(datasets) = screen.datasets.value() else {
        match screen.datasets.error() {
            Some(error) => states::failed(error, "the training datasets", theme, frame, body),
            None => states::loading(model, screen.datasets.waiting_since(), "reading manifests", theme, frame, body),
        }
        return;
    };
    if datasets.is_empty() {
        let inner = layout::indent(body, 3);
        put(frame.buffer_mut(), inner, 1, &Line::from(Span::styled("No training dataset was built yet.", theme.text)));
        let how = "larder dataset build --spine labels.parquet --spine-id ID --spine-time TIME --features GROUP -o train.parquet";
        for (row, part) in fit::wrap(how, usize::from(inner.width).saturating_sub(2)).iter().enumerate() {
            put(frame.buffer_mut(), inner, row as u16 + 3, &Line::from(span(part, theme.accent)));
        }
        return;
    }
    let (list_area, detail) = layout::beside(body);
    let (list_area, detail) = match detail {
        Some(detail) => (list_area, detail),
        None => layout::below(body, (datasets.len() as u16 + 2).min(body.height / 2)),
    };
    let mut columns = COLUMNS;
    columns[0] = columns[0].fitting(datasets.iter().map(|dataset| fit::width(&dataset.name)).max().unwrap_or(0), list_area.width);
    let table = Table { columns: &columns, length: datasets.len(), list: &screen.list, focused: true, sorted: None };
    table.draw(frame.buffer_mut(), list_area, theme, |row, widths| {
        let Some(dataset) = datasets.get(row) else { return Vec::new() };
        let cell = |at: usize, width: usize| match at {
            0 => fit::cut_middle(&clean(&dataset.name), width),
            1 => dataset.version.to_string(),
            2 => thin_cell(dataset.rows),
            3 => age(dataset.built, model.now),
            _ => fit::cut(&clean(dataset.description.as_deref().unwrap_or_default()), width),
        };
        let style = |at: usize| if at == 0 { theme.strong } else { theme.text };
        widths.iter().map(|(at, width)| Line::from(Span::styled(cell(*at, usize::from(*width)), style(*at)))).collect()
    });
    if let Some(dataset) = datasets.get(screen.list.at) {
        let manifest = screen.manifest.value().filter(|(of, _)| *of == dataset.reference).map(|(_, manifest)| manifest);
        details(model, dataset, manifest, theme, frame, layout::indent(detail, 2));
    }
}

fn details(model: &Model, dataset: &Dataset, manifest: Option<&Manifest>, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
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
        lines[4] = fact("file", &fit::cut_middle(&format!("{}  {}", clean(&dataset.path), bytes(manifest.bytes)), columns));
        for spine in &manifest.spine {
            lines.push(fact("spine", &fit::cut_middle(&clean(spine), columns)));
        }
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
                Span::styled("─".repeat(BAR - filled), theme.muted),
                Span::styled(format!(" {:>6}", share(input.matched, dataset.rows)), theme.text),
                Span::styled(format!("  {about}"), theme.muted),
            ]));
        }
        lines.push(Line::default());
        lines.push(Line::from(Span::styled(format!("COLUMNS  {}", manifest.columns.len()), theme.muted)));
        for (name, kind) in &manifest.columns {
            lines.push(Line::from(vec![
                Span::styled(fit::cut_middle(&clean(name), columns.saturating_sub(12).max(10)), theme.text),
                Span::styled(format!("  {}", fit::cut(&clean(kind), 24)), theme.muted),
            ]));
        }
    } else if let Some(error) = model.datasets.manifest.error() {
        lines.push(Line::default());
        lines.push(Line::from(Span::styled(format!("{} {}", sign::BAD, fit::cut(&clean(&error.line()), columns)), theme.bad)));
    }
    for (row, line) in lines.iter().take(usize::from(area.height)).enumerate() {
        put(frame.buffer_mut(), area, row as u16, line);
    }
}
