//! Mermaid, for Markdown pages.

use std::fmt::Write as _;

use super::label;
use crate::catalog::NodeKind;
use crate::lineage::answer::Answer;

/// The answer as a Mermaid flowchart, left to right.
pub fn mermaid(answer: &Answer) -> String {
    let mut text = String::from("flowchart LR\n");
    for (position, node) in answer.nodes.iter().enumerate() {
        let (open, close) = shape(node.key.kind);
        // Writing to a string can't fail.
        let _ = writeln!(text, "  n{position}{open}\"{}\"{close}", escaped(&node.reference));
    }
    for edge in &answer.edges {
        let arrow = if edge.indirect || edge.column_unknown { "-.->" } else { "-->" };
        let _ = writeln!(text, "  n{} {arrow}|\"{}\"| n{}", edge.source, escaped(&label(edge)), edge.target);
    }
    let _ = writeln!(text, "  %% {}", escaped(&answer.coverage.sentence()));
    text
}

fn shape(kind: NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Group | NodeKind::Source | NodeKind::Dataset => ("[(", ")]"),
        NodeKind::Job => ("[[", "]]"),
        NodeKind::Model => ("{{", "}}"),
        NodeKind::Feature | NodeKind::Column => ("([", "])"),
        _ => ("[", "]"),
    }
}

/// Text between quotes: Mermaid knows entities, not backslashes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => escaped.push_str("#quot;"),
            '#' => escaped.push_str("#35;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            _ if letter.is_control() => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_quotes() {
        assert_eq!(escaped("a\"] --> b\n#quot;<b>"), "a#quot;] --#gt; b #35;quot;#lt;b#gt;");
    }
}
