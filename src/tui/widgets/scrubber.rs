//! The time line of a record: its versions as points, and which of them one looks at.
//!
//! Points stand where their time is, from the oldest version at the left end to the newest at the right. Where there are more versions than
//! the line could show apart, it shows how many fall on each cell instead. Stepping visits every version all the same, and the label
//! names the exact time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::text::{put, put_right};
use crate::tui::fit;
use crate::tui::theme::Theme;
use crate::tui::units::{Micros, day, moment};

/// A version on the time line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// When.
    pub(crate) time: Micros,
    /// True for a tombstone.
    pub(crate) deleted: bool,
}

/// Column of each point on a track of that width; the first at 0, the last at its end.
pub(crate) fn columns(points: &[Point], width: u16) -> Vec<u16> {
    let end = u32::from(width.saturating_sub(1));
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let span = last.time.saturating_sub(first.time) as f64;
    points
        .iter()
        .map(|point| {
            let share = if span > 0.0 { point.time.saturating_sub(first.time) as f64 / span } else { 1.0 };
            (share.clamp(0.0, 1.0) * f64::from(end)).round() as u16
        })
        .collect()
}

/// Eighths of a bar for each cell of the track: how many points fall on it, against the fullest cell.
fn densities(places: &[u16], width: u16) -> Vec<usize> {
    let mut counts = vec![0_usize; usize::from(width)];
    for place in places {
        if let Some(count) = counts.get_mut(usize::from(*place)) {
            *count += 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    counts.into_iter().map(|count| (count * BARS.len()).div_ceil(most)).collect()
}

const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

fn bar_at(bars: &[usize], place: u16) -> &'static str {
    let eighths = bars.get(usize::from(place)).copied().unwrap_or(0);
    BARS.get(eighths.saturating_sub(1)).copied().unwrap_or(" ")
}

/// Draws track and labels into two rows.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, points: &[Point], at: usize, now: Micros, theme: &Theme) {
    const END: &str = " now";
    let width = area.width.saturating_sub(2 + END.len() as u16);
    if width < 8 || area.height == 0 || points.is_empty() {
        return;
    }
    let track = Rect { x: area.x + 1, width, ..area };
    let places = columns(points, width);
    let crowded = points.len() > usize::from(width);
    let bars = densities(&places, width);
    if !crowded {
        buffer.set_string(track.x, track.y, "─".repeat(usize::from(width)), theme.muted);
    }
    // Tombstones last: one of them matters more than what else falls on its cell.
    let (gone, alive): (Vec<_>, Vec<_>) = points.iter().zip(&places).partition(|(point, _)| point.deleted);
    for (point, place) in alive.into_iter().chain(gone) {
        let (sign, style) = match point.deleted {
            true => ("✖", theme.bad),
            false if crowded => (bar_at(&bars, *place), theme.muted),
            false => ("●", theme.text),
        };
        mark(buffer, track.x + place, track.y, sign, style);
    }
    let is_now = at + 1 >= points.len();
    let here = places.get(at).copied().unwrap_or_default();
    let deleted = points.get(at).is_some_and(|point| point.deleted);
    let sign = match (deleted, is_now) {
        (true, _) => "✖",
        (false, _) if crowded => bar_at(&bars, here),
        (false, true) => "●",
        (false, false) => "○",
    };
    mark(buffer, track.x + here, track.y, sign, theme.accent.patch(theme.strong));
    buffer.set_string(track.x + width, track.y, END, if is_now { theme.accent.patch(theme.strong) } else { theme.muted });
    draw_labels(buffer, track, points, at, here, now, theme);
}

/// Puts a point over the track without taking on the track's style.
fn mark(buffer: &mut Buffer, x: u16, y: u16, sign: &str, style: Style) {
    buffer.set_string(x, y, sign, Style::reset().patch(style));
}

fn draw_labels(buffer: &mut Buffer, track: Rect, points: &[Point], at: usize, here: u16, now: Micros, theme: &Theme) {
    let (Some(first), Some(last), Some(point)) = (points.first(), points.last(), points.get(at)) else { return };
    let is_now = at + 1 >= points.len();
    let label = if is_now { moment(point.time, now) } else { format!("{} ◂ you are here", moment(point.time, now)) };
    let label_width = fit::width(&label) as u16;
    let left = if points.len() > 1 { day(first.time, now) } else { String::new() };
    let right = if is_now { String::new() } else { day(last.time, now) };
    let (left_width, right_width) = (fit::width(&left) as u16, fit::width(&right) as u16);
    // The label starts under its point and moves left as far as it must to stay on the track.
    let start = here.min(track.width.saturating_sub(label_width));
    let label_line = Line::from(Span::styled(label, theme.accent));
    put(buffer, Rect { x: track.x + start, width: track.width - start, ..track }, 1, &label_line);
    if left_width + 2 <= start {
        put(buffer, track, 1, &Line::from(Span::styled(left, theme.muted)));
    }
    if start + label_width + 2 + right_width <= track.width {
        put_right(buffer, track, 1, 0, &Line::from(Span::styled(right, theme.muted)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_where_their_time_is() {
        let point = |time| Point { time, deleted: false };
        assert_eq!(columns(&[point(0), point(50), point(100)], 11), [0, 5, 10]);
        assert_eq!(columns(&[point(7)], 11), [10], "a single version is now");
        assert_eq!(columns(&[point(7), point(7)], 11), [10, 10]);
        assert_eq!(columns(&[point(i64::MIN), point(i64::MAX)], 11), [0, 10]);
        assert!(columns(&[], 11).is_empty());
    }

    #[test]
    fn a_cell_with_any_version_shows_a_bar_and_the_fullest_a_full_one() {
        let bars = densities(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3], 5);
        assert_eq!(bars, [8, 0, 0, 1, 0]);
        assert_eq!((bar_at(&bars, 0), bar_at(&bars, 3)), ("█", "▁"));
    }
}
