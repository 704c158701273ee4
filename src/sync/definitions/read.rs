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
        reading.take_group(name, &node, &defaults);
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
            flaws.into_iter().map(|(at, message)| Fault::new(Place { file: file.to_owned(), line: at.line, column: at.column }, &message)),
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

    /// Reads a group. Where only sizes and patterns are wrong with its shape, the rules are checked as well: all faults at once.
    fn take_group(&mut self, file: &str, node: &Node, defaults: &DefaultsOfFolders) {
        let mut flaws = shapes().0.check(node);
        let document = serde_json::from_value::<GroupDocument>(node.to_json());
        match document.map(|document| define(file, node, &document, &defaults.of(file))) {
            Ok(Ok(definition)) if flaws.is_empty() => return self.definitions.push(definition),
            Ok(Ok(_)) => {}
            Ok(Err(of_rules)) => {
                // A rule says more than a pattern of the same place.
                flaws.retain(|(at, _)| of_rules.iter().all(|(other, _)| other != at));
                flaws.extend(of_rules);
            }
            Err(error) if flaws.is_empty() => flaws.push((node.at, format!("the document can't be read ({error})"))),
            Err(_) => {}
        }
        self.note(file, flaws);
    }

    /// A group is defined once: the second definition of a name is a fault, and neither is used.
    fn refuse_twins(&mut self) {
        let mut first: BTreeMap<String, Place> = BTreeMap::new();
        let mut twins = Vec::new();
        for definition in &self.definitions {
            if let Some(earlier) = first.get(&definition.name.folded()) {
                let message = format!("'{}' is defined already in {earlier}; keep one of them", definition.name);
                self.faults.push(Fault::new(definition.place.clone(), &message));
                twins.push(definition.name.folded());
            } else {
                first.insert(definition.name.folded(), definition.place.clone());
            }
        }
        self.definitions.retain(|definition| !twins.contains(&definition.name.folded()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn read_one(name: &str, text: impl Into<Vec<u8>>) -> Reading {
        read(&[Text { name: name.to_owned(), bytes: text.into() }])
    }

    const GOOD: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: trips
tags: {a: b}
record_identifier: id
event_time: at
features:
  - {name: id, type: String}
  - {name: at, type: Fractional}
  - {name: fare, type: Fractional, description: Metre, expectations: {between: [0, 1], drift: {ks: [0.1, 0.2]}}}
online: {ttl: 7d}
consumers: [{kind: model, name: churn, uses: [fare]}]
";

    /// Every fault lies in the text: a person who goes there finds it.
    fn check_places(reading: &Reading, bytes: &[u8]) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        for fault in &reading.faults {
            assert!((1..=lines + 1).contains(&fault.place.line) && fault.place.column >= 1, "{fault} of {lines} lines");
            assert!(!fault.message.is_empty() && !fault.message.contains('\n'), "{fault}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_it_panic(text in "(apiVersion|kind|name|features|[a-z]{1,3}|: |\\[|\\]|\\{|\\}|,|- |\n|  |&a|\\*a|<<|\"|'|#|---|=|[0-9.]{1,4}|\\PC){0,40}") {
            for name in ["a.yaml", "a.toml", "a.json"] {
                check_places(&read_one(name, text.clone()), text.as_bytes());
            }
        }

        #[test]
        fn a_definition_with_a_hole_has_faults_or_is_one(at in 0..GOOD.len(), put in "(\\PC|\n|\\[|\\{|:|\"|\t){0,3}", cut in 0..12usize) {
            let mut text = GOOD.to_owned();
            text.replace_range(at..(at + cut).min(GOOD.len()), &put);
            let reading = read_one("a.yaml", text.clone());
            check_places(&reading, text.as_bytes());
            prop_assert!(!reading.faults.is_empty() || reading.definitions.len() == 1);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            check_places(&read_one("a.json", bytes.clone()), &bytes);
            check_places(&read_one("a", bytes.clone()), &bytes);
        }
    }

    #[test]
    fn three_formats_say_the_same() {
        let yaml = read_one("a.yaml", GOOD).definitions;
        let value: serde_json::Value = serde_saphyr::from_str(GOOD).unwrap();
        let json = read_one("a.json", serde_json::to_string_pretty(&value).unwrap()).definitions;
        let toml = read_one("a.toml", toml::to_string(&value).unwrap()).definitions;
        for (mut other, name) in [(json, "a.json"), (toml, "a.toml")] {
            assert_eq!(other[0].place.file, name);
            other[0].place = yaml[0].place.clone();
            assert_eq!(other, yaml);
        }
    }

    #[test]
    fn a_fault_is_one_line_whatever_the_text_holds() {
        let reading = read_one("a.yaml", GOOD.replace("type: String", "type: \"Str\\ning\""));
        assert_eq!(reading.faults.len(), 1);
        assert!(reading.faults[0].message.starts_with("'Str\\ning' is not a feature type"), "{}", reading.faults[0]);
    }

    #[test]
    fn faults_of_each_format_point_at_the_place() {
        let place = |name: &str, text: &str| {
            let reading = read_one(name, text);
            let fault = reading.faults.iter().find(|fault| fault.message.contains("ownr")).unwrap();
            (fault.place.line, fault.place.column)
        };
        assert_eq!(place("a.yaml", "apiVersion: larder/v1\nkind: FeatureGroup\nownr: x\n"), (3, 1));
        assert_eq!(place("a.toml", "apiVersion = \"larder/v1\"\n  ownr = \"x\"\n"), (2, 3));
        assert_eq!(place("a.json", "{\"kind\": \"é\",\n \"a\\\"\": 1, \"ownr\": [1]}"), (2, 12));
    }

    #[test]
    fn bombs_and_depths_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
        }
        let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        for (name, text) in [
            ("a.yaml", bomb),
            ("a.yaml", deep("[", "]")),
            ("a.json", deep("[", "]")),
            ("a.toml", format!("a = {}", deep("[", "]"))),
            ("a.json", deep("{\"a\":", "}")),
        ] {
            let reading = read_one(name, text.clone());
            assert!(!reading.faults.is_empty() && reading.definitions.is_empty(), "{name}: {}", &text[..20]);
        }
        assert!(read_one("a.yaml", vec![b' '; MAX_BYTES + 1]).faults[0].message.contains("at most"));
    }

    #[test]
    fn no_is_a_text_and_defaults_hold_below_their_folder() {
        let defaults = |owner: &str, more: &str| format!("apiVersion: larder/v1\nkind: Defaults\nowner: {owner}\n{more}");
        let texts = [
            ("x/defaults.larder.yaml", defaults("team:x", "tags: {pii: no}\nentity: trip")),
            ("x/y/defaults.larder.yaml", defaults("team:y", "tags: {level: y}")),
            ("x/y/a.larder.yaml", GOOD.to_owned()),
            ("b.larder.yaml", GOOD.replace("trips", "other")),
        ];
        let texts = texts.map(|(name, text)| Text { name: name.to_owned(), bytes: text.into_bytes() });
        let reading = read(&texts);
        assert_eq!(reading.faults, []);
        let [inner, outer] = reading.definitions.as_slice() else { panic!("two definitions") };
        assert_eq!((inner.owner.as_deref(), outer.owner.as_deref()), (Some("team:y"), None));
        let tag = |key: &str| inner.tags.get(key).map(String::as_str);
        assert_eq!((tag("pii"), tag("level"), tag("entity"), tag("a")), (Some("no"), Some("y"), Some("trip"), Some("b")));
    }
}
