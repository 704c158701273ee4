//! Draws the lineage: the tree with the node under the cursor explained beside it, or what breaks.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{drawing, layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::lineage::{Broken, CHANGES, Graph, Row, Way};
use crate::tui::model::remote::Remote;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{ago, counted};
use crate::tui::update::is_drawn;
use crate::tui::widgets::table::placed;
use crate::tui::widgets::text::{put, put_right, span};

/// Rows of the card below a drawing.
const CARD_ROWS: u16 = 10;

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let screen = &model.lineage;
    let Some(graph) = screen.graph.value() else {
        match screen.graph.error() {
            Some(error) => states::failed(error, "the lineage", theme, frame, body),
            None => states::loading(model, screen.graph.waiting_since(), "following edges", theme, frame, body),
        }
        return;
    };
    let (heading, rest) = layout::below(body, 2);
    head(model, graph, theme, frame, heading);
    // A drawing wants the width, a tree the height.
    let is_drawn = is_drawn(model);
    let (tree_area, card_area) = match is_drawn {
        true => {
            let (drawing, card) = layout::below(rest, rest.height.saturating_sub(CARD_ROWS));
            (drawing, Some(card))
        }
        false => layout::beside(rest),
    };
    match is_drawn {
        true => drawing::draw(model, graph, theme, frame, tree_area),
        false => tree(model, graph, theme, frame, tree_area),
    }
    if graph.edges.is_empty() {
        alone(graph, theme, frame, tree_area);
    }
    if let Some(area) = card_area {
        for row in (0..area.height).filter(|_| !is_drawn) {
            put(frame.buffer_mut(), Rect { y: area.y + row, height: 1, ..area }, 0, &Line::from(Span::styled(sign::RULE, theme.muted)));
        }
        card(model, graph, theme, frame, layout::indent(area, 2));
    }
    if states::looks_old(model, &screen.graph) {
        states::fade(frame.buffer_mut(), rest, theme.stale);
    }
}

fn head(model: &Model, graph: &Graph, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.lineage;
    let way = match screen.only {
        None => "both ways",
        Some(Way::Up) => "up only",
        Some(Way::Down) => "down only",
    };
    let depth = screen.depth.map_or_else(|| "all the way".to_owned(), |depth| format!("{depth} far"));
    let mut facts = format!("{way} · {depth} · {} of {} channels known", graph.known.0, graph.known.1);
    let asked = CHANGES.get(screen.change).map_or("", |(_, asked)| *asked);
    match &screen.breaks {
        Remote::Ready(broken) => facts = format!("{asked}: {}", worst(broken)),
        Remote::Failed(error, _) => facts = format!("{} {}", sign::BAD, clean(&error.line())),
        _ if screen.drawing.left_out > 0 && is_drawn(model) => {
            facts = format!("{} of a cycle not drawn · {facts}", counted(screen.drawing.left_out as u64, "edge", "edges"));
        }
        _ => {}
    }
    let facts = fit::cut(&facts, usize::from(area.width).saturating_sub(16));
    let name = fit::cut_middle(&clean(&screen.node), usize::from(area.width).saturating_sub(fit::width(&facts) + 6).max(12));
    let line = Line::from(vec![Span::raw(" "), Span::styled(name, theme.strong)]);
    let taken = line.width() as u16;
    put(frame.buffer_mut(), area, 0, &line);
    put_right(frame.buffer_mut(), area, 0, taken, &Line::from(Span::styled(format!("{facts} "), theme.muted)));
}

/// How many are affected, the worst first.
fn worst(broken: &[Broken]) -> String {
    let mut effects: Vec<(u8, &str, usize)> = Vec::new();
    for one in broken {
        match effects.iter_mut().find(|(_, effect, _)| *effect == one.effect) {
            Some((.., count)) => *count += 1,
            None => effects.push((one.weight, one.effect, 1)),
        }
    }
    effects.sort_by_key(|(weight, ..)| std::cmp::Reverse(*weight));
    let told: Vec<String> = effects.iter().map(|(_, effect, count)| format!("{count} {effect}")).collect();
    if told.is_empty() { "nobody is affected".to_owned() } else { told.join(", ") }
}

/// What a change of the middle does to a node, if that is shown.
pub(super) fn fate<'m>(model: &'m Model, reference: &str) -> Option<Option<&'m Broken>> {
    let broken = model.lineage.breaks.value()?;
    Some(broken.iter().find(|broken| broken.reference == reference))
}

pub(super) fn mark(broken: &Broken, theme: &Theme) -> Span<'static> {
    match broken.weight {
        2 => Span::styled(format!("{} {}", sign::BAD, broken.effect), theme.bad),
        1 => Span::styled(format!("↻ {}", broken.effect), theme.watch),
        _ => Span::styled(format!("? {}", broken.effect), theme.text),
    }
}

fn tree(model: &Model, graph: &Graph, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.lineage;
    screen.list.drawn_at(placed(area, screen.rows.len()));
    for (line, place) in screen.list.window(screen.rows.len(), usize::from(area.height)).enumerate() {
        let line_area = Rect { y: area.y + line as u16, height: 1, ..area };
        match &screen.rows[place] {
            Row::Heading(title) => put(frame.buffer_mut(), layout::indent(line_area, 1), 0, &Line::from(Span::styled(*title, theme.muted))),
            Row::Node { node, edge, branch, again } => {
                let Some(found) = graph.nodes.get(*node) else { continue };
                let edge = edge.and_then(|edge| graph.edges.get(edge));
                let certain = edge.is_none_or(|edge| edge.method == "observed");
                let branch = if certain { branch.clone() } else { branch.replace('─', "╌") };
                let fate = fate(model, &found.reference);
                let style = match (fate, *node) {
                    (Some(None), node) if node != 0 => theme.muted,
                    _ if found.gone || *again => theme.muted,
                    _ => theme.text,
                };
                let tail = format!("{:<9}", found.kind);
                let room = usize::from(line_area.width).saturating_sub(fit::width(&branch) + fit::width(&tail) + 26).max(12);
                let mut spans = vec![
                    Span::raw("  "),
                    Span::styled(branch, theme.muted),
                    Span::styled(format!("{tail} "), theme.muted),
                    Span::styled(fit::cut_middle(&clean(&found.name), room), if *node == 0 { theme.strong } else { style }),
                ];
                if found.gone {
                    spans.push(Span::styled("  gone", theme.muted));
                }
                if *again {
                    spans.push(Span::styled("  ↑ above", theme.muted));
                }
                match (fate, edge) {
                    (Some(Some(broken)), _) => {
                        spans.push(Span::raw("  "));
                        spans.push(mark(broken, theme));
                    }
                    (None, Some(edge)) => spans.push(Span::styled(format!("  {} · {}", edge.kind, edge.method), theme.muted)),
                    _ => {}
                }
                put(frame.buffer_mut(), line_area, 0, &Line::from(spans));
            }
        }
        if place == screen.list.at {
            frame.buffer_mut().set_style(Rect { width: line_area.width.saturating_sub(1), ..line_area }, theme.selection);
        }
    }
}

/// Says below a node without edges why it stands alone, and what would give it some.
fn alone(graph: &Graph, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let node = graph.nodes.first().map_or("NODE", |node| node.reference.as_str());
    let lines = [
        ("Nothing is known of where it comes from, or who reads it.".to_owned(), theme.text),
        (format!("larder lineage add --from {} --to dashboard:NAME   says who reads it", clean(node)), theme.muted),
    ];
    let inner = layout::indent(area, 2);
    for (row, (text, style)) in lines.into_iter().enumerate() {
        let text = fit::cut(&text, usize::from(inner.width).saturating_sub(2));
        put(frame.buffer_mut(), inner, area.height.min(5) + row as u16, &Line::from(span(&text, style)));
    }
}

/// The edge that says most of a node: to or from the middle, else any.
fn edge_to(graph: &Graph, node: usize) -> Option<usize> {
    let touches = |place: &usize| graph.edges[*place].source == node || graph.edges[*place].target == node;
    let is_middle = |place: &usize| graph.edges[*place].source == 0 || graph.edges[*place].target == 0;
    let mut edges = (0..graph.edges.len()).filter(touches).filter(|_| node != 0);
    let first = edges.clone().next();
    edges.find(is_middle).or(first)
}

/// The node under the cursor in words.
fn card(model: &Model, graph: &Graph, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.lineage;
    let (node, edge) = match screen.rows.get(screen.list.at) {
        _ if is_drawn(model) => (&screen.at, &edge_to(graph, screen.at)),
        Some(Row::Node { node, edge, .. }) => (node, edge),
        _ => return,
    };
    let Some(found) = graph.nodes.get(*node) else { return };
    let fact = |name: &str, text: &str| Line::from(vec![Span::styled(format!("{name:<9}"), theme.muted), span(text, theme.text)]);
    let columns = usize::from(area.width).saturating_sub(10);
    let mut lines = vec![Line::from(span(&fit::cut_middle(&clean(&found.name), columns + 9), theme.strong)), Line::default()];
    lines.push(fact("kind", found.kind));
    for (place, part) in fit::wrap(&clean(&found.reference), columns.max(8)).iter().enumerate() {
        lines.push(fact(if place == 0 { "named" } else { "" }, part));
    }
    if let Some(owner) = &found.owner {
        lines.push(fact("owner", &clean(owner)));
    }
    if let Some(edge) = edge.and_then(|edge| graph.edges.get(edge)) {
        let name = |place: usize| graph.nodes.get(place).map(|node| clean(&node.name).into_owned()).unwrap_or_default();
        lines.push(Line::default());
        lines.push(Line::from(Span::styled("THE EDGE", theme.muted)));
        lines.push(fact(
            "says",
            &fit::cut(&format!("{} {} {}", name(edge.source), edge.kind.replace('_', " "), name(edge.target)), columns),
        ));
        lines.push(fact("by whom", edge.method));
        lines.push(fact("since", &ago(edge.since, model.now)));
    }
    let count = |of: &dyn Fn(&crate::tui::model::lineage::Edge) -> bool| graph.edges.iter().filter(|edge| of(edge)).count();
    lines.push(Line::default());
    lines.push(fact("edges", &format!("{} in, {} out", count(&|edge| edge.target == *node), count(&|edge| edge.source == *node))));
    if let Some(Some(broken)) = fate(model, &found.reference) {
        lines.push(Line::from(mark(broken, theme)));
    }
    for (row, line) in lines.iter().take(usize::from(area.height)).enumerate() {
        put(frame.buffer_mut(), area, row as u16, line);
    }
}
