//! Graphviz.

use std::fmt::Write as _;

use super::label;
use crate::catalog::NodeKind;
use crate::lineage::answer::Answer;

/// The answer in the DOT language, left to right.
pub fn dot(answer: &Answer) -> String {
    let mut text = String::from("digraph lineage {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (position, node) in answer.nodes.iter().enumerate() {
        let style = match (position, node.is_deleted) {
            (0, _) => ", style=bold",
            (_, true) => ", style=dashed",
            _ => "",
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "  n{position} [label={}, shape={}{style}];", quoted(&node.reference), shape(node.key.kind));
    }
    for edge in &answer.edges {
        let style = if edge.indirect || edge.column_unknown { ", style=dashed" } else { "" };
        let _ = writeln!(text, "  n{} -> n{} [label={}{style}];", edge.source, edge.target, quoted(&label(edge)));
    }
    let _ = writeln!(text, "  label={};\n}}", quoted(&answer.coverage.sentence()));
    text
}

fn shape(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Group => "folder",
        NodeKind::Source | NodeKind::Dataset => "cylinder",
        NodeKind::Job => "cds",
        NodeKind::Model => "component",
        _ => "box",
    }
}

/// A string of the language: only the quote and the backslash end or bend it; a line break would be one in the picture.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_control() => quoted.push(' '),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_quotes() {
        assert_eq!(quoted("a\"]; b [x=\"\\\n"), "\"a\\\"]; b [x=\\\"\\\\ \"");
    }
}
