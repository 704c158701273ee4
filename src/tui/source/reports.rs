//! Puts into lines what verifying a training dataset, and comparing two, found.

use crate::store::datasets::diff::RowKey;
use crate::store::datasets::{DatasetDiff, FileState, Verification};
use crate::tui::model::datasets::{Report, Tone};
use crate::tui::numbers::share;
use crate::tui::units::{counted, exact};

const NULL: &str = "∅";

pub(super) fn verified(found: &Verification) -> Report {
    let mut lines: Vec<(Tone, String)> = found.changed_sources.iter().map(|what| (Tone::Bad, what.clone())).collect();
    if found.matches {
        lines.push((Tone::Good, format!("built again, it is the same: {}", counted(found.rows, "row", "rows"))));
        lines.push((Tone::Plain, found.content_hash.clone()));
    } else {
        if found.rows != found.rebuilt_rows {
            lines.push((Tone::Bad, format!("built again, it has {} rows instead of {}", exact(found.rebuilt_rows), exact(found.rows))));
        }
        if !found.differing_columns.is_empty() {
            lines.push((Tone::Bad, format!("built again, it differs in {}", found.differing_columns.join(", "))));
        }
        lines.push((Tone::Bad, format!("its hash is {} instead of {}", found.rebuilt_hash, found.content_hash)));
    }
    lines.push(match found.file {
        FileState::Same => (Tone::Good, format!("{} holds it", found.path)),
        FileState::SameSize => (Tone::Good, format!("{} has its size; what it holds is compared for Parquet only", found.path)),
        FileState::Changed => (Tone::Bad, format!("{} holds something else", found.path)),
        FileState::Gone => (Tone::Plain, format!("{} is not there any more", found.path)),
    });
    if let Some(why) = &found.by_write_time {
        lines.push((Tone::Plain, format!("built from the records that were written by then, not from the recorded versions: {why}")));
    }
    Report { title: format!("{} verified", found.dataset), lines }
}

pub(super) fn compared(diff: &DatasetDiff) -> Report {
    let mut lines = Vec::new();
    if diff.is_same {
        lines.push((Tone::Good, "their rows are the same".to_owned()));
    }
    lines.push((Tone::Plain, format!("{} → {} rows", exact(diff.a.rows), exact(diff.b.rows))));
    section(&mut lines, "GROUPS", diff.inputs.iter().map(ToString::to_string).collect());
    let column = |change: &crate::store::datasets::diff::ColumnChange| match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("{}: {from} → {to}", change.column),
        (None, Some(to)) => format!("+ {} {to}", change.column),
        (_, None) => format!("− {}", change.column),
    };
    section(&mut lines, "COLUMNS", diff.columns.iter().map(column).collect());
    section(&mut lines, "ROWS", rows(diff));
    section(&mut lines, "CELLS", cells(diff));
    let through = |written: &crate::store::datasets::diff::WriteShare| {
        let when = written.written.map_or_else(|| "no record now".to_owned(), |written| format!("written {written}"));
        let was_there = if written.written.is_some() && !written.is_new { ", was there before" } else { "" };
        format!("{}: {} through {when}{was_there}", written.alias, counted(written.rows, "row", "rows"))
    };
    section(&mut lines, "THROUGH WHICH WRITES", diff.writes.iter().map(through).collect());
    section(&mut lines, "NOTES", diff.notes.clone());
    Report { title: format!("{} → {}", diff.a.dataset, diff.b.dataset), lines }
}

fn section(lines: &mut Vec<(Tone, String)>, title: &str, found: Vec<String>) {
    if !found.is_empty() {
        lines.push((Tone::Heading, title.to_owned()));
        lines.extend(found.into_iter().map(|line| (Tone::Plain, line)));
    }
}

fn rows(diff: &DatasetDiff) -> Vec<String> {
    let rows = &diff.rows;
    let mut parts = vec![format!("{} in both", exact(rows.kept))];
    for (count, what) in [(rows.added, "added"), (rows.removed, "removed"), (rows.moved, "moved")] {
        if count > 0 {
            parts.push(format!("{} {what}", exact(count)));
        }
    }
    let mut lines = vec![parts.join(", ")];
    lines.extend(rows.added_examples.iter().map(|row| format!("  + {}", key(row))));
    lines.extend(rows.removed_examples.iter().map(|row| format!("  − {}", key(row))));
    lines
}

fn key(key: &RowKey) -> String {
    format!("{} at {} (row {})", key.identifier.as_deref().unwrap_or(NULL), key.time.as_deref().unwrap_or(NULL), key.row)
}

fn cells(diff: &DatasetDiff) -> Vec<String> {
    let mut lines = Vec::new();
    for column in &diff.cells {
        let from = column.group.as_deref().unwrap_or("the spine");
        lines.push(format!("{} of {from}: {} differ, {}", column.column, exact(column.differing), share(column.differing, diff.rows.kept)));
        for example in &column.examples {
            let (from, to) = (example.from.as_deref().unwrap_or(NULL), example.to.as_deref().unwrap_or(NULL));
            lines.push(format!("  {from} → {to}  {}", key(&example.key)));
        }
    }
    lines
}
