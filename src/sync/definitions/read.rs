//! Texts to definitions and faults. Knows no disk and no store: a text has a name and bytes, wherever it is from.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::defaults::{DefaultsOfFolders, folder};
use super::definition::Definition;
use super::document::{DefaultsDocument, GroupDocument};
use super::fault::{Fault, Place};
use super::format::{Flaw, Format, MAX_BYTES, parse};
use super::rules::define;
use super::schema::schemas;
use super::shape::Shape;
use super::tree::{Node, Position};

/// A text to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its name, with `/` between folders: faults say it, its end says the format, its folder which defaults hold.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// The definitions without a fault, in the order of the texts.
    pub definitions: Vec<Definition>,
    /// Everything that is wrong, by place.
    pub faults: Vec<Fault>,
}

/// Reads texts: every definition that is right, and every fault of the others.
pub fn read(texts: &[Text]) -> Reading {
    let mut reading = Reading::default();
    let mut documents: Vec<(&str, Node)> = Vec::new();
    for text in texts {
        match decoded(text) {
            Ok(utf8) => {
                let (nodes, flaws) = parse(Format::of_name(&text.name), utf8);
                let nothing = nodes.is_empty() && flaws.is_empty();
                reading.note(&text.name, flaws);
                if nothing {
                    reading.note(&text.name, vec![(Position::START, "the text holds no definition".to_owned())]);
                }
                documents.extend(nodes.into_iter().map(|node| (text.name.as_str(), node)));
            }
            Err(flaw) => reading.note(&text.name, vec![flaw]),
        }
    }
    let mut defaults = DefaultsOfFolders::default();
    let (of_folders, of_groups): (Vec<_>, Vec<_>) = documents.into_iter().partition(|(_, node)| node.text("kind") == Some("Defaults"));
    for (name, node) in of_folders {
        if let Some(document) = reading.shaped::<DefaultsDocument>(name, &node, &shapes().1)
            && !defaults.insert(folder(name), document)
        {
            reading.note(name, vec![(node.at, "this folder has defaults already; keep one document of kind Defaults".to_owned())]);
        }
    }
    for (name, node) in of_groups {
        if let Some(document) = reading.shaped::<GroupDocument>(name, &node, &shapes().0) {
            match define(name, &node, &document, &defaults.of(name)) {
                Ok(definition) => reading.definitions.push(definition),
                Err(flaws) => reading.note(name, flaws),
            }
        }
    }
    reading.refuse_twins();
    reading.faults.sort();
    reading.faults.dedup();
    reading
}

fn decoded(text: &Text) -> Result<&str, Flaw> {
    if text.bytes.len() > MAX_BYTES {
        return Err((Position::START, format!("the text has {} bytes; write at most {MAX_BYTES}", text.bytes.len())));
    }
    let utf8 = std::str::from_utf8(&text.bytes).map_err(|error| {
        let good = text.bytes.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or_default();
        (Position::of_offset(good, good.len()), "the text is not UTF-8 from here on".to_owned())
    })?;
    Ok(utf8.strip_prefix('\u{feff}').unwrap_or(utf8))
}

/// Shapes of a group and of defaults.
fn shapes() -> &'static (Shape, Shape) {
    static SHAPES: OnceLock<(Shape, Shape)> = OnceLock::new();
    SHAPES.get_or_init(|| (Shape::new(&schemas().group), Shape::new(&schemas().defaults)))
}

impl Reading {
    fn note(&mut self, file: &str, flaws: Vec<Flaw>) {
        self.faults.extend(
            flaws
                .into_iter()
                .map(|(at, message)| Fault { place: Place { file: file.to_owned(), line: at.line, column: at.column }, message }),
        );
    }

    /// The document, if it has the shape.
    fn shaped<T: serde::de::DeserializeOwned>(&mut self, file: &str, node: &Node, shape: &Shape) -> Option<T> {
        let flaws = shape.check(node);
        if !flaws.is_empty() {
            self.note(file, flaws);
            return None;
        }
        match serde_json::from_value(node.to_json()) {
            Ok(document) => Some(document),
            Err(error) => {
                self.note(file, vec![(node.at, format!("the document can't be read ({error})"))]);
                None
            }
        }
    }

    /// A group is defined once: the second definition of a name is a fault, and neither is used.
    fn refuse_twins(&mut self) {
        let mut first: BTreeMap<String, Place> = BTreeMap::new();
        let mut twins = Vec::new();
        for definition in &self.definitions {
            if let Some(earlier) = first.get(&definition.name.folded()) {
                let message = format!("'{}' is defined already in {earlier}; keep one of them", definition.name);
                self.faults.push(Fault { place: definition.place.clone(), message });
                twins.push(definition.name.folded());
            } else {
                first.insert(definition.name.folded(), definition.place.clone());
            }
        }
        self.definitions.retain(|definition| !twins.contains(&definition.name.folded()));
    }
}
