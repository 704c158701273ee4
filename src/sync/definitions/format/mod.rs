//! The three formats, each read into trees with places.
//!
//! Sizes are bounded before anything is parsed, nesting while it is: a text of any origin costs memory in proportion to its length.

mod json;
mod toml;
mod yaml;

use super::tree::{Node, Position};

/// Most bytes of one text.
pub(super) const MAX_BYTES: usize = 8 << 20;
/// Deepest nesting; the model needs six.
const MAX_DEPTH: usize = 32;

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Toml,
    Json,
}

impl Format {
    /// The format that the end of a name stands for; what has none is YAML, of which JSON is a part.
    pub(super) fn of_name(name: &str) -> Self {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending.to_ascii_lowercase().as_str() {
            "toml" => Self::Toml,
            "json" => Self::Json,
            _ => Self::Yaml,
        }
    }
}

/// What is wrong in a text, and where.
pub(super) type Flaw = (Position, String);

/// The documents of a text, and what is wrong with those that could not be parsed.
pub(super) fn parse(format: Format, text: &str) -> (Vec<Node>, Vec<Flaw>) {
    match format {
        Format::Yaml => yaml::parse(text),
        Format::Toml => toml::parse(text),
        Format::Json => json::parse(text),
    }
}

/// A message of a library in one line.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
