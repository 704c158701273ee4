//! What the tab Overview says beyond the group itself: documentation with what to write next, reads, expectations.

use ratatui::text::{Line, Span};

use super::facts::Facts;
use super::states;
use crate::model::FeatureGroup;
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::overview::{Known, READ_DAYS, Rule};
use crate::tui::numbers::{share, spark};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, ago, counted, exact};
use crate::tui::widgets::text::span;

/// Cells of the bar of the score.
const BAR: usize = 12;
/// Things to write that are named.
const NAMED: usize = 4;

pub(super) fn lines(model: &Model, group: &FeatureGroup, theme: &Theme, columns: u16) -> Vec<Line<'static>> {
    let mut facts = Facts::new(theme, columns);
    facts.lines.push(Line::default());
    let page = &model.overview;
    if page.group != group.name.as_str() || model.origins.contains_key(group.name.as_str()) {
        return Vec::new();
    }
    expectations(&mut facts, model, group);
    match (page.known.value(), page.known.error()) {
        (Some(known), _) => {
            facts.disagreements(&known.disagreements);
            documentation(&mut facts, known);
            usage(&mut facts, known);
        }
        (None, Some(error)) => {
            facts.heading("documentation");
            facts.spans("", vec![Span::styled(format!("{} ", sign::BAD), theme.bad), span(&error.line(), theme.text)]);
        }
        (None, None) => {
            if let Some(mark) = states::spinner(model, page.known.waiting_since()) {
                facts.heading("documentation");
                facts.spans("", vec![Span::styled(format!("{mark} "), theme.accent), Span::styled("reading", theme.muted)]);
            }
        }
    }
    facts.lines.remove(0);
    facts.lines
}

fn documentation(facts: &mut Facts<'_>, known: &Known) {
    let theme = facts.theme;
    facts.heading("documentation");
    let filled = (known.score.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    facts.spans(
        "score",
        vec![
            Span::styled("━".repeat(filled), theme.accent),
            Span::styled("·".repeat(BAR - filled), theme.muted),
            Span::styled(format!("  {:.0}%", known.score * 100.0), theme.text),
        ],
    );
    let part = |(name, value): &(&str, Option<f64>)| match value {
        Some(value) => format!("{name} {:.0}%", value * 100.0),
        None => format!("{name} {UNKNOWN}"),
    };
    let parts: Vec<String> = known.parts.iter().map(part).collect();
    facts.fact("made of", &parts.join("   "));
    for (place, (feature, missing)) in known.fix.iter().take(NAMED).enumerate() {
        let of = feature.as_deref().map_or_else(|| "the group".to_owned(), |feature| clean(feature).into_owned());
        facts.fact(if place == 0 { "fix next" } else { "" }, &format!("{of}: {missing}"));
    }
    if known.fix.len() > NAMED {
        facts.fact("", &format!("… {} more", known.fix.len() - NAMED));
    }
}

fn usage(facts: &mut Facts<'_>, known: &Known) {
    let theme = facts.theme;
    facts.heading("usage");
    match &known.reads {
        Some(reads) => {
            let total: u64 = reads.iter().sum();
            let picture = if total > 0 { spark(reads) } else { String::new() };
            let said = format!("{}{} in {READ_DAYS} days", if total > 0 { "  " } else { "" }, counted(total, "read", "reads"));
            facts.spans("reads", vec![Span::styled(picture, theme.accent), Span::styled(said, theme.text)]);
            let readers: Vec<String> = known.readers.iter().map(|(who, reads)| format!("{who} {}", exact(*reads))).collect();
            if !readers.is_empty() {
                facts.fact("by", &readers.join("   "));
            }
        }
        None => facts.fact("reads", "not recorded yet"),
    }
    facts.fact("datasets", &exact(known.datasets));
}

fn expectations(facts: &mut Facts<'_>, model: &Model, group: &FeatureGroup) {
    let theme = facts.theme;
    facts.heading("expectations");
    if !group.expects_something() {
        facts.fact("", "none");
        return;
    }
    let key = model.keymap.shown(model.focus_below_layer(), Action::CheckExpectations).unwrap_or_default();
    let checked = &model.overview.checked;
    if let Some(mark) = states::spinner(model, checked.waiting_since()) {
        facts.spans("", vec![Span::styled(format!("{mark} "), theme.accent), Span::styled("checking", theme.muted)]);
    }
    if let Some(error) = checked.error() {
        facts.spans("", vec![Span::styled(format!("{} ", sign::BAD), theme.bad), span(&error.line(), theme.text)]);
    }
    match checked.value() {
        None => facts.fact("", &format!("{key} checks them now")),
        Some((when, rules)) => {
            let broken = rules.iter().filter(|rule| !rule.holds).count();
            let (mark, style) = if broken == 0 { (sign::GOOD, theme.good) } else { (sign::BAD, theme.bad) };
            let said = format!("{} of {} hold, {}", rules.len() - broken, rules.len(), ago(*when, model.now));
            facts.spans("checked", vec![Span::styled(format!("{mark} "), style), Span::styled(said, theme.text)]);
            // What is broken comes first.
            for rule in rules.iter().filter(|rule| !rule.holds).chain(rules.iter().filter(|rule| rule.holds)) {
                facts.lines.push(rule_line(rule, theme, facts.columns));
            }
        }
    }
}

fn rule_line(rule: &Rule, theme: &Theme, columns: usize) -> Line<'static> {
    let (mark, style) = if rule.holds { (sign::GOOD, theme.good) } else { (sign::BAD, theme.bad) };
    let of = rule.feature.as_deref().map(|feature| format!("{} ", clean(feature))).unwrap_or_default();
    let mut text = format!("{of}{}", clean(&rule.rule));
    if !rule.holds {
        let (broken, rows) = rule.broken;
        text.push_str(&format!("   {} of {} rows, {}", exact(broken), exact(rows), share(broken, rows)));
    }
    if let Some(detail) = &rule.detail {
        text.push_str(&format!("   {}", clean(detail)));
    }
    Line::from(vec![Span::styled(format!("  {mark} "), style), Span::styled(fit::cut(&text, columns.saturating_sub(4)), theme.text)])
}
