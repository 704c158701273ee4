//! Words that mean the same: `cust` and `customer`, `avg` and `mean`.
//!
//! They widen what is asked, not what is stored, so changing them needs no new index. A team writes its own into
//! `synonyms.toml` in the store's folder, which then stand in place of the built-in ones:
//!
//! ```toml
//! # Each of these finds the others.
//! sets = [["customer", "client", "cust"], ["mean", "avg", "average"]]
//! # The one on the left finds those on the right, not the other way round.
//! [one_way]
//! n = ["count"]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::model::{Error, Result};

/// What finds what.
#[derive(Debug, Clone, Default)]
pub struct Synonyms {
    others: BTreeMap<String, BTreeSet<String>>,
    /// The word that stands for a whole set.
    heads: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    sets: Vec<Vec<String>>,
    #[serde(default)]
    one_way: BTreeMap<String, Vec<String>>,
}

const BUILT_IN_SETS: [&[&str]; 11] = [
    &["customer", "client", "cust"],
    &["amount", "amt"],
    &["count", "cnt", "num", "number"],
    &["mean", "avg", "average"],
    &["timestamp", "ts"],
    &["quantity", "qty"],
    &["transaction", "txn"],
    &["minimum", "min"],
    &["maximum", "max"],
    &["percent", "pct", "percentage"],
    &["product", "prod"],
];
const BUILT_IN_ONE_WAY: [(&str, &[&str]); 2] = [("n", &["count"]), ("std", &["deviation"])];

impl Synonyms {
    /// Those that most teams would write.
    pub fn built_in() -> Self {
        let mut synonyms = Self::default();
        for set in BUILT_IN_SETS {
            synonyms.add_set(&set.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        }
        for (word, finds) in BUILT_IN_ONE_WAY {
            synonyms.others.entry(word.to_owned()).or_default().extend(finds.iter().map(|word| (*word).to_owned()));
        }
        synonyms
    }

    /// Parses the file described above.
    ///
    /// # Errors
    /// `Usage`, with the place, if it is not of that form.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| {
            Error::usage("can't understand synonyms.toml").why(error.message().to_owned()).remedy("see `larder search --help` for its form")
        })?;
        let mut synonyms = Self::default();
        file.sets.iter().for_each(|set| synonyms.add_set(set));
        for (word, finds) in file.one_way {
            synonyms.others.entry(word.to_lowercase()).or_default().extend(finds.iter().map(|word| word.to_lowercase()));
        }
        Ok(synonyms)
    }

    fn add_set(&mut self, set: &[String]) {
        let set: Vec<String> = set.iter().map(|word| word.to_lowercase()).collect();
        for word in &set {
            let others = set.iter().filter(|other| *other != word).cloned();
            self.others.entry(word.clone()).or_default().extend(others);
            if let Some(head) = set.first() {
                self.heads.entry(word.clone()).or_insert_with(|| head.clone());
            }
        }
    }

    /// The other words that a word in lower case finds.
    pub fn of(&self, word: &str) -> impl Iterator<Item = &str> {
        self.others.get(word).into_iter().flatten().map(String::as_str)
    }

    /// The one word that stands for all of a word's set; the word itself if it is in none.
    pub fn head<'a>(&'a self, word: &'a str) -> &'a str {
        self.heads.get(word).map_or(word, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sets_find_each_other_and_pairs_only_one_way() {
        let synonyms = Synonyms::parse("sets = [[\"Customer\", \"cust\"]]\n[one_way]\nn = [\"count\"]").unwrap();
        assert_eq!(synonyms.of("cust").collect::<Vec<_>>(), ["customer"]);
        assert_eq!(synonyms.of("customer").collect::<Vec<_>>(), ["cust"]);
        assert_eq!(synonyms.of("n").collect::<Vec<_>>(), ["count"]);
        assert_eq!(synonyms.of("count").count(), 0);
        assert_eq!((synonyms.head("cust"), synonyms.head("n"), synonyms.head("x")), ("customer", "n", "x"));
        assert!(Synonyms::parse("set = 1").is_err());
        assert!(Synonyms::parse("sets = 1").unwrap_err().to_string().contains("synonyms.toml"));
    }
}
