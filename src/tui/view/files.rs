//! Draws the tab Files: each file with its rows, size and bounds; totals above, what is worth doing about them below.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::model::FeatureGroup;
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::columns::Listed;
use crate::tui::model::files::{By, File, Files};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, age, bytes, counted, exact, moment, thin_cell};
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{put, put_right, span};

pub(super) const COLUMNS: [Column; 8] = [
    Column::text("FILE", 14, 44, 0),
    Column::number("ROWS", 8, 0),
    Column::number("SIZE", 8, 1),
    Column::text("EVENT TIME", 27, 36, 2),
    Column::text("IDENTIFIERS", 15, 40, 3),
    Column::number("VERSION", 7, 4),
    Column::number("WRITTEN", 8, 2),
    // How wide the event times of a file are among all, as a bar.
    Column::text("SPAN", 16, 24, 5),
];
/// From this width on names of files are shown whole; below it, in so many columns.
const FULL_NAMES: u16 = 110;
const SHORT_NAME: u16 = 20;
/// Files of which one can gain something by merging.
const WORTH_MERGING: usize = 4;

pub(super) fn draw(model: &Model, group: &FeatureGroup, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let page = &model.files;
    if group.offline.is_none() {
        let text = fit::cut("This group keeps no history: it has no offline store.", usize::from(area.width).saturating_sub(4));
        put(frame.buffer_mut(), layout::indent(area, 3), 1, &Line::from(Span::styled(text, theme.text)));
        return;
    }
    let Some(files) = page.files.value() else {
        match page.files.error() {
            Some(error) => states::failed(error, "the files", theme, frame, area),
            None => states::loading(model, page.files.waiting_since(), "reading the log", theme, frame, area),
        }
        return;
    };
    let (heading, rest) = layout::below(area, 1);
    head(files, theme, frame, heading);
    if files.files.is_empty() {
        let text = match files.waiting {
            0 => "No files yet: nothing was ever written.".to_owned(),
            waiting => format!("No files yet: {} in the outbox; `larder flush` moves them.", counted_wait(waiting)),
        };
        put(frame.buffer_mut(), layout::indent(rest, 3), 1, &Line::from(Span::styled(text, theme.text)));
        return;
    }
    let hint = hint(group, files);
    let (table_area, hint_area) = layout::below(rest, rest.height.saturating_sub(u16::from(hint.is_some())));
    table(model, files, theme, frame, table_area);
    if let Some(hint) = hint {
        let text = fit::cut(&hint, usize::from(hint_area.width).saturating_sub(4));
        let line = Line::from(vec![Span::styled(format!(" {} ", sign::WATCH), theme.watch), span(&text, theme.text)]);
        put(frame.buffer_mut(), hint_area, 0, &line);
    }
    if states::looks_old(model, &page.files) {
        states::fade(frame.buffer_mut(), rest, theme.stale);
    }
}

fn counted_wait(rows: u64) -> String {
    if rows == 1 { "1 row waits".to_owned() } else { format!("{} rows wait", exact(rows)) }
}

/// What could be done about the files; none if there is nothing to gain.
fn hint(group: &FeatureGroup, files: &Files) -> Option<String> {
    let shell = |name: &str| if name.starts_with('-') { format!("-- {name}") } else { name.to_owned() };
    (files.to_compact >= WORTH_MERGING).then(|| {
        let which = if files.to_compact == files.files.len() { "all".to_owned() } else { format!("{} of", exact(files.to_compact as u64)) };
        format!(
            "{which} {} can be merged: larder compact {}",
            counted(files.files.len() as u64, "file", "files"),
            shell(group.name.as_str())
        )
    })
}

fn head(files: &Files, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let rows = files.files.iter().filter_map(|file| file.rows).sum();
    let mut facts = vec![
        counted(files.files.len() as u64, "file", "files"),
        counted(rows, "row", "rows"),
        bytes(files.files.iter().map(|file| file.bytes).sum()),
    ];
    if files.waiting > 0 {
        facts.push(format!("{} in no file yet", exact(files.waiting)));
    }
    let text = fit::cut(&facts.join(" · "), usize::from(area.width).saturating_sub(2));
    let line = Line::from(Span::styled(format!(" {text}"), theme.muted));
    let taken = line.width() as u16;
    put(frame.buffer_mut(), area, 0, &line);
    let version = match files.version {
        Some(version) => format!("Delta version {version} "),
        None if files.files.is_empty() => String::new(),
        None => "read in place ".to_owned(),
    };
    put_right(frame.buffer_mut(), area, 0, taken + 1, &Line::from(Span::styled(version, theme.muted)));
}

fn table(model: &Model, files: &Files, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let page = &model.files;
    let mut columns = COLUMNS;
    // Nothing of this kind is known of files that are read in place.
    columns[5] = columns[5].hidden_if(files.version.is_none());
    columns[0] = columns[0].fitting(files.files.iter().take(200).map(|file| fit::width(short(&file.name))).max().unwrap_or(0), area.width);
    if area.width < FULL_NAMES {
        // What a file holds says more than the whole of its name.
        columns[0].most = columns[0].most.min(SHORT_NAME);
        columns[0].least = columns[0].least.min(SHORT_NAME);
    }
    let columns = columns.map(|column| column.hidden_if(model.hidden_columns.holds(Listed::Files, column.title)));
    let title = match page.by {
        By::Commit => "WRITTEN",
        By::Rows => "ROWS",
        By::Bytes => "SIZE",
        By::EventTime => "EVENT TIME",
        By::Identifier => "IDENTIFIERS",
    };
    let descending = (page.by != By::Identifier) != page.reversed;
    let all = files.files.iter().filter_map(|file| file.times).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    let table = Table {
        columns: &columns,
        length: files.files.len(),
        list: &page.list,
        focused: true,
        sorted: Some((title, descending)),
        marked: None,
    };
    table.draw(frame.buffer_mut(), area, theme, |row, widths| {
        let Some(file) = files.files.get(row) else { return Vec::new() };
        let cell = |(at, width): &(usize, u16)| {
            let room = usize::from(*width);
            match COLUMNS[*at].title {
                "FILE" => Line::from(Span::styled(fit::cut_middle(&clean(short(&file.name)), room), theme.text)),
                "ROWS" => text(file.rows.map_or_else(|| UNKNOWN.to_owned(), thin_cell), theme),
                "SIZE" => text(bytes(file.bytes), theme),
                "EVENT TIME" => text(fit::cut(&times(model, file), room), theme),
                "IDENTIFIERS" => text(identifiers(file, room), theme),
                "VERSION" => text(file.version.map_or_else(|| UNKNOWN.to_owned(), |version| version.to_string()), theme),
                "WRITTEN" => text(file.written.map_or_else(|| UNKNOWN.to_owned(), |written| age(written, model.now)), theme),
                _ => Line::from(spread(file, all, room, theme)),
            }
        };
        widths.iter().map(cell).collect()
    });
}

fn text(text: String, theme: &Theme) -> Line<'static> {
    Line::from(Span::styled(text, theme.text))
}

/// A name without its folders, which say when the rows were written.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn times(model: &Model, file: &File) -> String {
    match file.times {
        Some((from, to)) if from / 60_000_000 == to / 60_000_000 => moment(from, model.now),
        Some((from, to)) => format!("{} … {}", moment(from, model.now), moment(to, model.now)),
        None => UNKNOWN.to_owned(),
    }
}

fn identifiers(file: &File, room: usize) -> String {
    let Some((least, greatest)) = &file.identifiers else { return UNKNOWN.to_owned() };
    let (least, greatest) = (clean(least), clean(greatest));
    if least == greatest {
        return fit::cut_middle(&least, room);
    }
    let each = room.saturating_sub(3) / 2;
    let head = fit::cut_middle(&least, each.max(room.saturating_sub(3 + fit::width(&greatest))));
    format!("{head} … {}", fit::cut_middle(&greatest, room.saturating_sub(3 + fit::width(&head))))
}

/// Where a file's event times lie among those of all files.
fn spread(file: &File, all: Option<(i64, i64)>, room: usize, theme: &Theme) -> Vec<Span<'static>> {
    let (Some((from, to)), Some((least, greatest))) = (file.times, all) else { return Vec::new() };
    let whole = (greatest - least).max(1) as f64;
    let cell = |time: i64| (((time - least) as f64 / whole * room as f64) as usize).min(room.saturating_sub(1));
    let (first, last) = (cell(from), cell(to));
    vec![
        Span::styled("·".repeat(first), theme.muted),
        Span::styled("━".repeat(last - first + 1), theme.accent),
        Span::styled("·".repeat(room.saturating_sub(last + 1)), theme.muted),
    ]
}
