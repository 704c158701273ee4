//! The aligned table for people: header, then rows; numbers on the right; no frame.
//!
//! Widths come from the header and the first rows; later rows stream under them. With a width given (a terminal)
//! cells are cut with `…` so that a row stays on one line; without one nothing is cut, a wide later cell just
//! pushes its row out of line. Control and bidirectional characters are written as escapes: what is stored in a
//! feature can never steer a terminal.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::json::writer::EncoderOptions;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::cells::{ColumnText, is_number};
use super::{ResultWriter, unwritable};
use crate::model::error::Result;

/// Rows looked at before widths are decided.
pub(super) const LOOK_AHEAD: usize = 1_000;

/// Stands for null.
const NULL: &str = "∅";

const GAP: &str = "  ";

/// No column is cut below this.
const NARROWEST: usize = 6;

/// Writes a table.
pub(super) struct TableWriter<W> {
    out: W,
    available: Option<usize>,
    headings: Vec<String>,
    on_right: Vec<bool>,
    options: EncoderOptions,
    /// Rows waiting for the widths.
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl<W: Write> TableWriter<W> {
    /// Starts a table that may take `available` terminal cells.
    pub(super) fn new(schema: &Schema, available: Option<usize>, out: W) -> Self {
        Self {
            out,
            available,
            headings: schema.fields().iter().map(|field| visible(field.name())).collect(),
            on_right: schema.fields().iter().map(|field| is_number(field.data_type())).collect(),
            options: EncoderOptions::default(),
            waiting: Vec::new(),
            widths: None,
        }
    }

    /// Decides the widths, if that is still to be done, and writes the header and the waiting rows.
    fn settle(&mut self) -> Result<()> {
        let mut text = String::new();
        if self.widths.is_none() {
            let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.width()).collect();
            for row in &self.waiting {
                for (width, cell) in widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.width());
                }
            }
            if let Some(available) = self.available {
                widths.iter_mut().for_each(|width| *width = (*width).min(available));
                fit(&mut widths, available);
            }
            self.push_line(&mut text, &self.headings, &widths);
            self.widths = Some(widths);
        }
        let widths = self.widths.as_deref().unwrap_or_default();
        for row in &self.waiting {
            self.push_line(&mut text, row, widths);
        }
        self.waiting.clear();
        self.out.write_all(text.as_bytes()).map_err(unwritable)
    }

    fn push_line(&self, text: &mut String, cells: &[String], widths: &[usize]) {
        let start = text.len();
        for (position, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if position > 0 {
                text.push_str(GAP);
            }
            let natural = cell.width();
            let is_cut = self.available.is_some() && natural > *width;
            let padding = if is_cut { 0 } else { width.saturating_sub(natural) };
            if self.on_right[position] {
                text.extend(std::iter::repeat_n(' ', padding));
            }
            if is_cut {
                push_cut(text, cell, *width);
            } else {
                text.push_str(cell);
            }
            if !self.on_right[position] {
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
}

impl<W: Write> ResultWriter for TableWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let mut columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, array)| ColumnText::new(field, array, &self.options))
            .collect::<Result<Vec<_>>>()?;
        let mut cell = String::new();
        for row in 0..batch.num_rows() {
            let mut cells = Vec::with_capacity(columns.len());
            for column in &mut columns {
                cell.clear();
                cells.push(if column.append(row, &mut cell) { visible(&cell) } else { NULL.to_owned() });
            }
            self.waiting.push(cells);
        }
        drop(columns);
        if self.widths.is_some() || self.waiting.len() >= LOOK_AHEAD {
            self.settle()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.settle()?;
        self.out.flush().map_err(unwritable)
    }
}

/// Takes from the widest columns until a row fits.
fn fit(widths: &mut [usize], available: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > available {
        let Some(widest) = widths.iter_mut().rev().max_by_key(|width| **width).filter(|width| **width > NARROWEST) else {
            return;
        };
        *widest -= 1;
    }
}

fn push_cut(text: &mut String, cell: &str, width: usize) {
    let mut used = 1;
    for letter in cell.chars() {
        used += letter.width().unwrap_or(0);
        if used > width {
            break;
        }
        text.push(letter);
    }
    text.push('…');
}

/// The text with everything that could steer a terminal written out.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if letter.is_control() || is_invisible_mark(letter) => shown.extend(letter.escape_unicode()),
            _ => shown.push(letter),
        }
    }
    shown
}

fn is_invisible_mark(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
