//! The counts beside the list of features: a value chosen there is a filter written into the filter line, so that there is one truth
//! about what is listed, and it can be typed, edited and taken to the command line.

use crate::tui::listing::terms;
use crate::tui::model::Model;
use crate::tui::model::catalog::{FacetLine, Facets};
use crate::tui::model::line::Line;
use crate::tui::model::list::Move;
use crate::tui::msg::Effect;

/// Gives the keys to the counts, or back to the list.
pub(super) fn focus(model: &mut Model) -> Vec<Effect> {
    let facets = &mut model.catalog_screen.facets;
    facets.focused = !facets.focused && !facets.all.is_empty();
    settle(facets);
    Vec::new()
}

/// Moves the cursor to the next value in that direction; names of facets are stepped over.
pub(super) fn go(facets: &mut Facets, to: Move) {
    let length = facets.lines().len();
    facets.list.go(to, length);
    let is_name = |facets: &Facets| matches!(facets.lines().get(facets.list.at), Some(FacetLine::Name(_)));
    if is_name(facets) {
        let onwards = if matches!(to, Move::Up | Move::PageUp | Move::HalfUp) && facets.list.at > 0 { Move::Up } else { Move::Down };
        facets.list.go(onwards, length);
    }
    settle(facets);
}

/// Keeps the cursor on a value.
pub(super) fn settle(facets: &mut Facets) {
    let lines = facets.lines();
    let last = lines.len().saturating_sub(1);
    let at = facets.list.at.min(last);
    let on_name = matches!(lines.get(at), Some(FacetLine::Name(_)));
    facets.list.at = if on_name { (at + 1).min(last) } else { at };
    facets.focused &= !facets.all.is_empty();
}

/// Puts the value under the cursor into the filter, or takes it out.
pub(super) fn toggle(model: &mut Model) -> Vec<Effect> {
    let screen = &mut model.catalog_screen;
    let lines = screen.facets.lines();
    if let Some(FacetLine::Value(name, value, _)) = lines.get(screen.facets.list.at) {
        screen.filtered.line = Line::new(toggled(screen.filtered.line.text(), name, value));
        super::catalog::show(model, false);
    }
    Vec::new()
}

/// Takes every filter out and keeps the words.
pub(super) fn clear(model: &mut Model) -> Vec<Effect> {
    let words: Vec<String> = terms(model.catalog_screen.filtered.line.text()).into_iter().filter(|term| !term.contains(':')).collect();
    model.catalog_screen.filtered.line = Line::new(joined(&words));
    super::catalog::show(model, false);
    Vec::new()
}

/// True if a value is in the filter.
pub(crate) fn is_on(text: &str, name: &str, value: &str) -> bool {
    let term = format!("{name}:{value}").to_lowercase();
    terms(text).iter().any(|known| known.to_lowercase() == term)
}

/// The filter with a value more, or without it. A feature has one type and one owner, so another value takes the place of the one before;
/// of tags it has many.
fn toggled(text: &str, name: &str, value: &str) -> String {
    let is_of_facet = |term: &String| term.to_lowercase().starts_with(&format!("{name}:"));
    let was_on = is_on(text, name, value);
    let term = format!("{name}:{value}");
    let mut kept = terms(text);
    kept.retain(|known| if name == "tag" { known.to_lowercase() != term.to_lowercase() } else { !is_of_facet(known) });
    if !was_on {
        kept.push(term);
    }
    joined(&kept)
}

fn joined(terms: &[String]) -> String {
    let quoted = terms.iter().map(|term| match (term.contains(char::is_whitespace), term.split_once(':')) {
        (true, Some((name, value))) => format!("{name}:\"{value}\""),
        (true, None) => format!("\"{term}\""),
        (false, _) => term.clone(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_put_in_and_taken_out_and_words_stay() {
        assert_eq!(toggled("loyal", "type", "string"), "loyal type:string");
        assert_eq!(toggled("loyal type:string", "type", "integral"), "loyal type:integral");
        assert_eq!(toggled("loyal type:string", "type", "string"), "loyal");
        assert_eq!(toggled("tag:pii=no", "tag", "team=crm"), "tag:pii=no tag:team=crm");
        assert_eq!(toggled("", "owner", "data platform"), "owner:\"data platform\"");
        assert_eq!(toggled("owner:\"data platform\" x", "owner", "data platform"), "x");
    }
}
