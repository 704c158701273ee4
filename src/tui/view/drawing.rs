//! Draws a graph in layers: nodes by name, edges between them as lines; solid where they were observed, dashed where somebody says so.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::layout;
use super::lineage::{fate, mark};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::drawing::{Drawing, Link, Spot};
use crate::tui::model::lineage::Graph;
use crate::tui::model::mouse::{Place, Target};
use crate::tui::theme::Theme;
use crate::tui::widgets::text::put;

/// Most columns of a name.
const WIDEST: usize = 30;
/// Sides a line leaves a cell by.
const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

/// Lines on a plane: which sides they leave each cell by, and whether all of them there are certain.
#[derive(Default)]
struct Plane(BTreeMap<(usize, usize), (u8, bool)>);

impl Plane {
    fn add(&mut self, x: usize, y: usize, sides: u8, certain: bool) {
        let cell = self.0.entry((y, x)).or_insert((0, true));
        cell.0 |= sides;
        cell.1 &= certain;
    }

    fn across(&mut self, y: usize, from: usize, to: usize, certain: bool) {
        for x in from..to {
            self.add(x, y, LEFT | RIGHT, certain);
        }
    }
}

fn character(sides: u8, certain: bool) -> &'static str {
    match sides {
        s if s == LEFT | RIGHT => {
            if certain {
                "─"
            } else {
                "╌"
            }
        }
        s if s == UP | DOWN => {
            if certain {
                "│"
            } else {
                "┆"
            }
        }
        s if s == LEFT | DOWN => "┐",
        s if s == LEFT | UP => "┘",
        s if s == RIGHT | DOWN => "┌",
        s if s == RIGHT | UP => "└",
        s if s == LEFT | RIGHT | DOWN => "┬",
        s if s == LEFT | RIGHT | UP => "┴",
        s if s == UP | DOWN | LEFT => "┤",
        s if s == UP | DOWN | RIGHT => "├",
        _ => "┼",
    }
}

/// Where layers and the lines between them stand, from the left edge of the plane.
struct Columns {
    /// First column and width of each layer.
    layers: Vec<(usize, usize)>,
    /// For each layer, the column in which lines from a row turn.
    tracks: Vec<BTreeMap<usize, usize>>,
}

fn columns(graph: &Graph, drawing: &Drawing) -> Columns {
    let mut columns = Columns { layers: Vec::new(), tracks: Vec::new() };
    let mut x = 1;
    for (layer, spots) in drawing.layers.iter().enumerate() {
        let name = |(_, spot): &(usize, Spot)| match spot {
            Spot::Node(node) => graph.nodes.get(*node).map_or(0, |node| fit::width(&clean(&node.name)) + if node.gone { 5 } else { 0 }),
            Spot::Pass(_) => 1,
        };
        let width = spots.iter().map(name).max().unwrap_or(0).clamp(6, WIDEST);
        columns.layers.push((x, width));
        // Lines of different rows turn in columns of their own, or they could not be told apart.
        let mut turning: Vec<usize> =
            drawing.links.iter().filter(|link| link.layer == layer && link.from != link.to).map(|link| link.from).collect();
        turning.sort_unstable();
        turning.dedup();
        let first = x + width + 2;
        columns.tracks.push(turning.iter().enumerate().map(|(place, row)| (*row, first + place)).collect());
        x = first + turning.len() + 3;
    }
    columns
}

/// Draws it so that the node under the cursor is seen.
pub(super) fn draw(model: &Model, graph: &Graph, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let drawing = &model.lineage.drawing;
    let columns = columns(graph, drawing);
    let (heading, body) = layout::below(area, 1);
    let pitch = if drawing.rows * 2 <= usize::from(body.height) { 2 } else { 1 };
    let plane = lines(graph, drawing, &columns, pitch);
    let seen = view(model, drawing, &columns, pitch, body);
    headings(graph, drawing, &columns, seen.0, theme, frame, heading);
    for ((y, x), (sides, certain)) in plane.0.range((seen.1, 0)..(seen.1 + usize::from(body.height), 0)) {
        if let Some((x, y)) = on_screen(*x, *y, seen, body) {
            frame.buffer_mut().set_string(x, y, character(*sides, *certain), theme.muted);
        }
    }
    arrows(drawing, &columns, pitch, seen, theme, frame, body);
    for (layer, spots) in drawing.layers.iter().enumerate() {
        for (row, spot) in spots {
            if let Spot::Node(node) = spot {
                name(model, graph, *node, columns.layers[layer], row * pitch, seen, theme, frame, body);
            }
        }
    }
    edges_of_view(&columns, drawing, seen, theme, frame, body, pitch);
}

fn on_screen(x: usize, y: usize, seen: (usize, usize), body: Rect) -> Option<(u16, u16)> {
    let (x, y) = (x.checked_sub(seen.0)?, y.checked_sub(seen.1)?);
    (x < usize::from(body.width) && y < usize::from(body.height)).then(|| (body.x + x as u16, body.y + y as u16))
}

fn lines(graph: &Graph, drawing: &Drawing, columns: &Columns, pitch: usize) -> Plane {
    let mut plane = Plane::default();
    let certain = |edge: usize| graph.edges.get(edge).is_some_and(|edge| edge.method == "observed");
    for (layer, spots) in drawing.layers.iter().enumerate() {
        let (x, width) = columns.layers[layer];
        for (row, spot) in spots {
            if let Spot::Pass(edge) = spot {
                plane.across(row * pitch, x.saturating_sub(1), x + width + 1, certain(*edge));
            }
        }
    }
    for link in &drawing.links {
        let Link { layer, from, to, edge, .. } = *link;
        let (x, width) = columns.layers[layer];
        let Some((next, _)) = columns.layers.get(layer + 1) else { continue };
        let (start, end) = (x + name_width(graph, drawing, layer, from, width) + 1, next - 1);
        let (top, bottom) = (from * pitch, to * pitch);
        let certain = certain(edge);
        let Some(track) = columns.tracks[layer].get(&from).filter(|_| from != to) else {
            plane.across(top, start, end, certain);
            continue;
        };
        plane.across(top, start, *track, certain);
        plane.across(bottom, track + 1, end, certain);
        let (low, high) = (top.min(bottom), top.max(bottom));
        plane.add(*track, top, LEFT | if bottom > top { DOWN } else { UP }, certain);
        plane.add(*track, bottom, RIGHT | if bottom > top { UP } else { DOWN }, certain);
        for y in low + 1..high {
            plane.add(*track, y, UP | DOWN, certain);
        }
    }
    plane
}

/// Columns that the name in a row of a layer takes: a line begins behind it.
fn name_width(graph: &Graph, drawing: &Drawing, layer: usize, row: usize, width: usize) -> usize {
    let spot = drawing.layers[layer].iter().find(|(known, _)| *known == row);
    match spot {
        Some((_, Spot::Node(node))) => {
            graph.nodes.get(*node).map_or(width, |node| (fit::width(&clean(&node.name)) + if node.gone { 5 } else { 0 }).min(width))
        }
        _ => width,
    }
}

fn arrows(drawing: &Drawing, columns: &Columns, pitch: usize, seen: (usize, usize), theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    for link in drawing.links.iter().filter(|link| link.ends) {
        let Some((next, _)) = columns.layers.get(link.layer + 1) else { continue };
        if let Some((x, y)) = on_screen(next - 1, link.to * pitch, seen, body) {
            frame.buffer_mut().set_string(x, y, "▶", theme.muted);
        }
    }
}

/// The first column and row that are seen: they move as little as the cursor lets them.
fn view(model: &Model, drawing: &Drawing, columns: &Columns, pitch: usize, body: Rect) -> (usize, usize) {
    let (mut x, mut y) = model.lineage.seen.get();
    let (width, height) = (usize::from(body.width).saturating_sub(2), usize::from(body.height));
    let end = columns.layers.last().map_or(0, |(x, width)| x + width + 2);
    if let Some((layer, row)) = drawing.place(model.lineage.at) {
        let (from, wide) = columns.layers[layer];
        let row = row * pitch;
        // Its neighbours along the edges should be seen too, as far as there is room.
        let (before, after) = (columns.layers[layer.saturating_sub(1)], columns.layers[(layer + 1).min(columns.layers.len() - 1)]);
        if after.0 + after.1 + 1 > x + width {
            x = after.0 + after.1 + 1 - width.min(after.0 + after.1 + 1);
        }
        x = x.min(before.0.saturating_sub(1));
        if from + wide + 1 > x + width {
            x = (from + wide + 1).saturating_sub(width);
        }
        x = x.min(from.saturating_sub(1));
        if row + 1 > y + height {
            y = row + 1 - height;
        }
        y = y.min(row);
    }
    x = x.min(end.saturating_sub(width));
    y = y.min((drawing.rows * pitch).saturating_sub(height));
    model.lineage.seen.set((x, y));
    (x, y)
}

/// Above each layer what most of it is.
fn headings(graph: &Graph, drawing: &Drawing, columns: &Columns, seen: usize, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    for (layer, spots) in drawing.layers.iter().enumerate() {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, spot) in spots {
            if let Spot::Node(node) = spot
                && let Some(node) = graph.nodes.get(*node)
            {
                *kinds.entry(node.kind).or_default() += 1;
            }
        }
        let Some((kind, _)) = kinds.iter().max_by_key(|(_, count)| **count) else { continue };
        let more = if kinds.len() > 1 { " …" } else { "" };
        let Some(x) = columns.layers[layer].0.checked_sub(seen).filter(|x| *x < usize::from(area.width)) else { continue };
        let room = usize::from(area.width) - x;
        let text = fit::cut(&format!("{}{more}", kind.to_uppercase()), room);
        put(frame.buffer_mut(), layout::indent(area, x as u16), 0, &Line::from(Span::styled(text, theme.muted)));
    }
}

#[allow(clippy::too_many_arguments)]
fn name(
    model: &Model,
    graph: &Graph,
    node: usize,
    (x, width): (usize, usize),
    y: usize,
    seen: (usize, usize),
    theme: &Theme,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let Some(found) = graph.nodes.get(node) else { return };
    let Some((_, row)) = on_screen(seen.0, y, seen, body) else { return };
    let fate = fate(model, &found.reference);
    let room = width.saturating_sub(if found.gone { 5 } else { 0 });
    let text = fit::cut_middle(&clean(&found.name), room);
    let style: Style = match fate {
        _ if node == 0 => theme.accent.patch(theme.strong),
        Some(None) => theme.muted,
        _ if found.gone => theme.muted,
        _ => theme.text,
    };
    let mut line = vec![Span::styled(text, if node == model.lineage.at { style.patch(theme.selection) } else { style })];
    if found.gone {
        line.push(Span::styled(" gone", theme.muted));
    }
    let line = Line::from(line);
    // What is left of the view begins in the middle of a name.
    let skipped = seen.0.saturating_sub(x);
    if skipped >= line.width() || x >= seen.0 + usize::from(body.width) {
        return;
    }
    let column = body.x + x.saturating_sub(seen.0) as u16;
    let place = Rect { x: column, y: row, width: body.right().saturating_sub(column), height: 1 };
    if skipped == 0 {
        put(frame.buffer_mut(), place, 0, &line);
    } else {
        put(frame.buffer_mut(), place, 0, &Line::from(Span::styled("…", theme.muted)));
    }
    model.targets.borrow_mut().push((Place { x: column, y: row, width: line.width() as u16, height: 1 }, Target::Node(node)));
    if let Some(Some(broken)) = fate {
        // The word stands in the card; here the sign is enough.
        let sign = mark(broken, theme);
        let sign = Span::styled(sign.content.chars().take(1).collect::<String>(), sign.style);
        let behind = Rect { x: (column + line.width() as u16 + 1).min(body.right()), width: 1, ..place };
        if behind.x < body.right() {
            put(frame.buffer_mut(), behind, 0, &Line::from(sign));
        }
    }
}

/// Says at the edges that there is more.
fn edges_of_view(
    columns: &Columns,
    drawing: &Drawing,
    seen: (usize, usize),
    theme: &Theme,
    frame: &mut Frame<'_>,
    body: Rect,
    pitch: usize,
) {
    let end = columns.layers.last().map_or(0, |(x, width)| x + width);
    let mut say = |text: &str, x: u16, y: u16| frame.buffer_mut().set_string(x, y, text, theme.accent);
    if body.height == 0 || body.width < 4 {
        return;
    }
    if end > seen.0 + usize::from(body.width) {
        say("→", body.right() - 1, body.y);
    }
    if seen.0 > 0 {
        say("←", body.x, body.y);
    }
    if (drawing.rows.saturating_sub(1)) * pitch + 1 > seen.1 + usize::from(body.height) {
        say("↓", body.right() - 1, body.bottom() - 1);
    }
    if seen.1 > 0 {
        say("↑", body.right() - 1, body.y);
    }
}
