//! How a request is written on the command line, and read back from there.
//!
//! ```text
//! selection = name [ "@" name ] [ "as" name ] [ ":" feature { "," feature } ]       zip@pickup_zone as origin:city,state as region
//! feature   = name [ "as" name ]
//! name      = letters without blanks and @ : , " | anything in double quotes, "" for one of them
//! ttl       = [ name "=" ] ( number unit | "none" )                                  7d   zip=none
//! ```
//!
//! Columns of a spine may be called anything, hence the quotes. What is printed reads back as the same.

use std::fmt;
use std::iter::Peekable;
use std::str::{CharIndices, FromStr};

use super::{FeatureSelection, SelectedFeature, SpineSource, TtlOverride};
use crate::model::{Error, GroupName, Result, Ttl};

const SELECTION: &str = "group[@spine_column][ as alias][:feature[ as column],…]";
const NO_TTL: &str = "none";

/// A part of a selection, with the place where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// A name; a quoted one is never the word `as`.
    Name {
        text: String,
        is_quoted: bool,
    },
    At,
    Colon,
    Comma,
}

impl Part {
    fn is_as(&self) -> bool {
        matches!(self, Self::Name { text, is_quoted: false } if text.eq_ignore_ascii_case("as"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { text, .. } => write!(f, "'{}'", text.escape_debug()),
            Self::At => f.write_str("'@'"),
            Self::Colon => f.write_str("':'"),
            Self::Comma => f.write_str("','"),
        }
    }
}

/// Reads the parts of a selection one after another; every error names the place.
struct Parts<'a> {
    whole: &'a str,
    letters: Peekable<CharIndices<'a>>,
    next: Option<(usize, Part)>,
}

impl<'a> Parts<'a> {
    fn new(whole: &'a str) -> Result<Self> {
        let mut parts = Self { whole, letters: whole.char_indices().peekable(), next: None };
        parts.advance()?;
        Ok(parts)
    }

    fn fault(&self, at: usize, why: impl fmt::Display) -> Error {
        let shown: String = self.whole.chars().take(200).collect();
        let position = self.whole.get(..at).map_or(0, |before| before.chars().count()) + 1;
        Error::usage(format!("'{}' does not say which features to take", shown.escape_debug()))
            .why(format!("character {position}: {why}"))
            .remedy(format!("write it like {SELECTION}"))
    }

    /// Place of the next part; the end of the text if there is none.
    fn place(&self) -> usize {
        self.next.as_ref().map_or(self.whole.len(), |(at, _)| *at)
    }

    fn advance(&mut self) -> Result<Option<Part>> {
        let taken = self.next.take();
        self.next = self.read()?;
        Ok(taken.map(|(_, part)| part))
    }

    fn read(&mut self) -> Result<Option<(usize, Part)>> {
        while self.letters.next_if(|(_, letter)| letter.is_whitespace()).is_some() {}
        let Some((at, letter)) = self.letters.next() else { return Ok(None) };
        let part = match letter {
            '@' => Part::At,
            ':' => Part::Colon,
            ',' => Part::Comma,
            '"' => Part::Name { text: self.quoted(at)?, is_quoted: true },
            first => {
                let mut text = String::from(first);
                let is_plain = |letter: char| !letter.is_whitespace() && !matches!(letter, '@' | ':' | ',' | '"');
                while let Some((_, letter)) = self.letters.next_if(|(_, letter)| is_plain(*letter)) {
                    text.push(letter);
                }
                Part::Name { text, is_quoted: false }
            }
        };
        Ok(Some((at, part)))
    }

    fn quoted(&mut self, from: usize) -> Result<String> {
        let mut text = String::new();
        while let Some((_, letter)) = self.letters.next() {
            match letter {
                '"' if self.letters.next_if(|(_, letter)| *letter == '"').is_none() => return Ok(text),
                letter => text.push(letter),
            }
        }
        Err(self.fault(from, "the quote does not end"))
    }

    /// Takes a name; `what` is what it would name.
    fn name(&mut self, what: &str) -> Result<String> {
        let at = self.place();
        match self.advance()? {
            Some(Part::Name { text, .. }) if !text.is_empty() => Ok(text),
            Some(Part::Name { .. }) => Err(self.fault(at, format!("{what} is empty"))),
            Some(other) => Err(self.fault(at, format!("{what} is missing before {other}"))),
            None => Err(self.fault(at, format!("{what} is missing"))),
        }
    }

    /// Takes a part if it comes next.
    fn take(&mut self, wanted: &Part) -> Result<bool> {
        let is_next = self.next.as_ref().is_some_and(|(_, part)| part == wanted);
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    /// Takes `as` and the name behind it, if they come next.
    fn renamed(&mut self, what: &str) -> Result<Option<String>> {
        if !self.next.as_ref().is_some_and(|(_, part)| part.is_as()) {
            return Ok(None);
        }
        self.advance()?;
        self.name(what).map(Some)
    }
}

impl FeatureSelection {
    /// Reads `group[@spine_column][ as alias][:feature[ as column],…]`.
    ///
    /// # Errors
    /// `Usage`, naming the place, if it is written otherwise or takes a feature twice under one name.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = Parts::new(text)?;
        let group = parts.name("the group")?;
        let spine_id = if parts.take(&Part::At)? { Some(parts.name("the spine's column")?) } else { None };
        let at = parts.place();
        let alias = parts.renamed("the alias")?;
        if let Some(alias) = &alias
            && let Err(error) = GroupName::parse(alias)
        {
            return Err(parts.fault(at, format!("'{}' can't be an alias: {}", alias.escape_debug(), error.reason().unwrap_or_default())));
        }
        let features = if parts.take(&Part::Colon)? { Some(features(&mut parts)?) } else { None };
        match parts.next.clone() {
            None => Ok(Self { group, spine_id, alias, features }),
            Some((at, part)) => Err(parts.fault(at, format!("{part} does not belong here"))),
        }
    }
}

fn features(parts: &mut Parts<'_>) -> Result<Vec<SelectedFeature>> {
    let mut features: Vec<SelectedFeature> = Vec::new();
    loop {
        let at = parts.place();
        let feature = SelectedFeature { name: parts.name("a feature")?, column: parts.renamed("the column's name")? };
        if features.iter().any(|known| known.column().eq_ignore_ascii_case(feature.column())) {
            let why = format!("there is a column '{}' already; name another with '{} as …'", feature.column().escape_debug(), feature.name);
            return Err(parts.fault(at, why));
        }
        features.push(feature);
        if !parts.take(&Part::Comma)? {
            return Ok(features);
        }
    }
}

impl FromStr for FeatureSelection {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// A name as [`FeatureSelection::parse`] reads it back.
struct Written<'a>(&'a str);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |letter: char| !letter.is_whitespace() && !matches!(letter, '@' | ':' | ',' | '"');
        if !self.0.is_empty() && self.0.chars().all(is_plain) && !self.0.eq_ignore_ascii_case("as") {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl fmt::Display for FeatureSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Written(&self.group))?;
        if let Some(column) = &self.spine_id {
            write!(f, "@{}", Written(column))?;
        }
        if let Some(alias) = &self.alias {
            write!(f, " as {}", Written(alias))?;
        }
        for (position, feature) in self.features.iter().flatten().enumerate() {
            f.write_str(if position == 0 { ":" } else { "," })?;
            write!(f, "{}", Written(&feature.name))?;
            if let Some(column) = &feature.column {
                write!(f, " as {}", Written(column))?;
            }
        }
        Ok(())
    }
}

impl FromStr for TtlOverride {
    type Err = Error;
    /// Reads `7d`, `none`, `group=7d` or `group=none`.
    fn from_str(text: &str) -> Result<Self> {
        let (group, ttl) = match text.rsplit_once('=') {
            None => (None, text),
            Some((group, ttl)) => (Some(group.trim()), ttl),
        };
        if group.is_some_and(str::is_empty) {
            return Err(Error::usage(format!("'{}' names no group", text.escape_debug()))
                .remedy("write GROUP=7d for one group, or 7d alone for all"));
        }
        let ttl = match ttl.trim() {
            word if word.eq_ignore_ascii_case(NO_TTL) => None,
            length => Some(length.parse::<Ttl>().map_err(|_| {
                Error::usage(format!("'{}' is not a ttl", text.escape_debug()))
                    .remedy("write a number and a unit (90s, 30m, 12h, 7d, 4w) or 'none', with GROUP= before it for one group")
            })?),
        };
        Ok(Self { group: group.map(str::to_owned), ttl })
    }
}

impl fmt::Display for TtlOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = &self.group {
            write!(f, "{group}=")?;
        }
        match self.ttl {
            Some(ttl) => write!(f, "{ttl}"),
            None => f.write_str(NO_TTL),
        }
    }
}

impl fmt::Display for SpineSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Sql(statement) => f.write_str(&statement.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn feature(name: &str, column: Option<&str>) -> SelectedFeature {
        SelectedFeature { name: name.into(), column: column.map(str::to_owned) }
    }

    #[test]
    fn selections_say_group_column_alias_and_features() {
        let bare = FeatureSelection::parse("customer-features").unwrap();
        assert_eq!((bare.group.as_str(), &bare.spine_id, &bare.alias, &bare.features), ("customer-features", &None, &None, &None));
        let whole = FeatureSelection::parse(" geo@pickup_zone  as origin : city,state AS region ").unwrap();
        assert_eq!((whole.group.as_str(), whole.spine_id.as_deref(), whole.alias()), ("geo", Some("pickup_zone"), "origin"));
        assert_eq!(whole.features.unwrap(), [feature("city", None), feature("state", Some("region"))]);
        let quoted = FeatureSelection::parse("geo@\"zone, \"\"old\"\"\":city as \"as\"").unwrap();
        assert_eq!(quoted.spine_id.as_deref(), Some("zone, \"old\""));
        assert_eq!(quoted.features.unwrap(), [feature("city", Some("as"))]);
        let as_group = FeatureSelection::parse("as as as:as").unwrap();
        assert_eq!((as_group.group.as_str(), as_group.alias()), ("as", "as"));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        for (text, why) in [
            ("", "character 1: the group is missing"),
            (":city", "character 1: the group is missing before ':'"),
            ("zip@", "character 5: the spine's column is missing"),
            ("zip@:city", "character 5: the spine's column is missing before ':'"),
            ("zip as", "character 7: the alias is missing"),
            ("zip as -x:city", "character 5: '-x' can't be an alias"),
            ("zip:", "character 5: a feature is missing"),
            ("zip:city,,state", "character 10: a feature is missing before ','"),
            ("zip:city state", "character 10: 'state' does not belong here"),
            ("zip:city as", "character 12: the column's name is missing"),
            ("zip:city,City", "character 10: there is a column 'City' already"),
            ("zip:\"ci", "character 5: the quote does not end"),
            ("zip:\"\"", "character 5: a feature is empty"),
            ("é zip", "character 3: 'zip' does not belong here"),
        ] {
            let error = FeatureSelection::parse(text).unwrap_err().to_string();
            assert!(error.contains(why) && error.ends_with(SELECTION_END), "{text}: {error}");
        }
    }

    const SELECTION_END: &str = "write it like group[@spine_column][ as alias][:feature[ as column],…]";

    #[test]
    fn ttls_are_for_one_group_or_for_all() {
        for text in ["7d", "none", "zip=90s", "zip=none", "origin=4w"] {
            assert_eq!(text.parse::<TtlOverride>().unwrap().to_string(), text);
        }
        for bad in ["", "7", "=7d", "zip=", "zip=7 days", "zip=0d", "never"] {
            assert!(bad.parse::<TtlOverride>().is_err(), "{bad}");
        }
    }

    #[test]
    fn requests_survive_json() {
        let request = crate::dataset::request::DatasetRequest {
            spine: SpineSource::Sql("select id, at from labels".into()),
            spine_id: "id".into(),
            spine_time: "at".into(),
            features: vec![FeatureSelection::parse("geo@zone as origin:city as c").unwrap(), FeatureSelection::parse("zip").unwrap()],
            ttls: vec!["7d".parse().unwrap(), "origin=none".parse().unwrap()],
            as_of: crate::model::EventTime::new(1_700_000_000, 250_000_000),
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<crate::dataset::request::DatasetRequest>(&text).unwrap(), request, "{text}");
    }

    fn any_name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z]{1,5}", Just("as".to_owned()), "[a-z@:,\" ]{1,6}"]
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(
            group in any_name(),
            spine_id in proptest::option::of(any_name()),
            alias in proptest::option::of("[a-z]{1,5}"),
            columns in proptest::option::of(proptest::collection::btree_map(any_name(), any_name(), 1..4)),
        ) {
            let features = columns.map(|columns| columns.into_iter().map(|(column, name)| SelectedFeature { name, column: Some(column) }).collect());
            let selection = FeatureSelection { group, spine_id, alias, features };
            prop_assert_eq!(FeatureSelection::parse(&selection.to_string()).unwrap(), selection);
        }

        #[test]
        fn never_panics(text in "\\PC{0,20}") {
            let _ = FeatureSelection::parse(&text);
            let _ = text.parse::<TtlOverride>();
        }
    }
}
