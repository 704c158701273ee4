//! An answer of lineage as text that other programs or people read: tree, DOT, Mermaid.
//!
//! Names come from other people. Each format has its own way of quoting, and everything that could break out of it is escaped here;
//! what could steer a terminal is made harmless by the face that prints it.

mod dot;
mod mermaid;
mod tree;

pub use dot::dot;
pub use mermaid::mermaid;
pub use tree::{TreeLine, tree};

use super::answer::AnswerEdge;

/// What an edge says beside its line: kind, transformation, and how sure it is.
fn label(edge: &AnswerEdge) -> String {
    let mut words = vec![edge.kind.as_str().to_owned()];
    if !edge.transform.is_empty() && edge.transform != "IDENTITY" {
        words.push(edge.transform.to_lowercase().replace('_', " "));
    }
    if edge.column_unknown {
        words.push("column unknown".to_owned());
    } else if edge.indirect && edge.transform.is_empty() {
        words.push("indirect".to_owned());
    }
    words.push(edge.method.as_str().to_owned());
    words.join(" · ")
}
